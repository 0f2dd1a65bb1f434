//! What the supervisor makes of deaths, of the files by which NVFlare's own tools ask for something,
//! of stale pid files, and of its own death.

use std::os::unix::fs::MetadataExt as _;

use poc_tests::{Federation, PocTest, SHORT, Tree, poc_test, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn status(world: &PocTest) -> Value {
    world.poc(["status", "--format", "json"]).success().data()
}

fn participant(world: &PocTest, name: &str) -> Value {
    let status = status(world);
    status["participants"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == name)
        .unwrap()
        .clone()
}

fn pid(world: &PocTest, name: &str) -> i32 {
    let participant = participant(world, name);
    let pid = participant["pid"]
        .as_i64()
        .unwrap_or_else(|| panic!("no pid: {participant}"));
    i32::try_from(pid).unwrap()
}

fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Waits until a participant runs as another process than `old`.
#[track_caller]
fn wait_for_another(world: &PocTest, name: &str, old: i32) -> Value {
    wait_for(&format!("{name} runs again"), 2 * SHORT, || {
        let now = participant(world, name);
        let pid = now["pid"].as_i64().unwrap_or_else(|| i64::from(old));
        (now["state"] == "running" && pid != i64::from(old)).then_some(now)
    })
}

fn kill_supervisor(world: &PocTest) {
    let supervisor = i32::try_from(status(world)["supervisor"].as_i64().unwrap()).unwrap();
    kill(supervisor, Signal::KILL);
    wait_for("the supervisor is dead", SHORT, || {
        status(world)["supervisor"].is_null().then_some(())
    });
}

#[test]
fn deaths_requests_and_stale_files() {
    let world = poc_test!().with_flare();
    let port = world.port().to_string();
    world
        .poc(["prepare", "-n", "2", "--ports", &port])
        .success();

    // A pid file whose process has gone, and one whose number now belongs to somebody else: this test.
    let mut gone = std::process::Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    fs_err::write(
        world.kit("server").join("daemon_pid.fl"),
        format!("{}\n", gone.id()),
    )
    .unwrap();
    fs_err::write(
        world.kit("site-1").join("pid.fl"),
        format!("{}\n", std::process::id()),
    )
    .unwrap();
    assert_eq!(status(&world)["state"], "stopped");
    let started = world.poc(["start"]).success();
    for stale in [gone.id(), std::process::id()] {
        assert!(
            started.stderr.contains(&stale.to_string()),
            "not said that {stale} is stale: {}",
            started.stderr
        );
    }
    for name in ["server", "site-1", "site-2"] {
        let file = fs_err::read_to_string(world.kit(name).join("pid.fl")).unwrap();
        assert_eq!(file.trim(), pid(&world, name).to_string());
    }

    // Killed from outside: started again, and it registers again.
    let old = pid(&world, "site-1");
    kill(old, Signal::KILL);
    let again = wait_for_another(&world, "site-1", old);
    assert_eq!(again["restarts"], 1, "{again}");
    wait_for("site-1 registers again", 2 * SHORT, || {
        (participant(&world, "site-1")["registered"] == true).then_some(())
    });

    // restart.fl, as an admin's `restart client site-2` leaves it.
    let old = pid(&world, "site-2");
    fs_err::write(world.kit("site-2").join("restart.fl"), "").unwrap();
    wait_for_another(&world, "site-2", old);
    assert!(!world.kit("site-2").join("restart.fl").exists());

    // shutdown.fl, as stop_fl.sh writes it: it ends, and stays so.
    fs_err::write(world.kit("site-2").join("shutdown.fl"), "").unwrap();
    wait_for("site-2 has ended", SHORT, || {
        (participant(&world, "site-2")["state"] == "stopped").then_some(())
    });
    for name in ["pid.fl", "daemon_pid.fl", "shutdown.fl"] {
        assert!(!world.kit("site-2").join(name).exists(), "{name} is left");
    }
    assert_eq!(status(&world)["state"], "partial");
    let events = world.poc(["events"]).success().stdout;
    assert!(
        events.contains("shutdown.fl") && events.contains("restart.fl"),
        "{events}"
    );

    world.poc(["stop"]).success();
    world.assert_nothing_left();
}

#[test]
fn the_supervisors_own_death() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 1);
    let pids = [pid(&world, "server"), pid(&world, "site-1")];
    kill_supervisor(&world);

    // The others go on; looking changes nothing.
    let before = Tree::of(&world.workspace().join(".poc"));
    let looked = status(&world);
    assert_eq!(looked["state"], "running", "{looked}");
    world.poc(["logs", "-n", "1"]).success();
    before.assert_still(&world.workspace().join(".poc"));
    assert_eq!([pid(&world, "server"), pid(&world, "site-1")], pids);

    // The next start adopts them: same processes, watched again.
    let output = world.poc(["start"]).run();
    assert!(
        matches!(output.exit, Some(0 | 4)),
        "{}",
        output.transcript()
    );
    assert_eq!([pid(&world, "server"), pid(&world, "site-1")], pids);
    assert!(status(&world)["supervisor"].is_u64());
    kill(pids[1], Signal::KILL);
    wait_for_another(&world, "site-1", pids[1]);

    // Dead again; now `stop` finds everything by itself.
    kill_supervisor(&world);
    world.poc(["stop"]).success();
    world.assert_nothing_left();
    assert_eq!(status(&world)["state"], "stopped");
}

/// A stop while a job runs: the job is aborted through the admin API first, and its processes, which
/// live in sessions of their own, end too.
#[test]
fn a_stop_while_a_job_runs() {
    let world = poc_test!().with_flare();
    let federation = Federation::start(&world, 2);
    let job = federation.submit(poc_tests::Job::Waiting);
    federation.wait_running(&job);
    wait_for("the job's processes", SHORT, || {
        let workers = world
            .processes()
            .iter()
            .filter(|one| one.command.contains("worker_process"))
            .count();
        (workers == 2).then_some(())
    });
    let status = status(&world);
    assert_eq!(status["state"], "running", "{status}");

    let stopped = world.poc(["stop", "--format", "json"]).success().data();
    assert!(stopped.to_string().contains(&job), "{stopped}");
    world.assert_nothing_left();

    // NVFlare puts a job's end down some seconds after it has acknowledged the abort. Were it stopped
    // before, its store would call the job RUNNING for ever, and its own `poc stop` would fail on that.
    world.poc(["start"]).success();
    assert_eq!(federation.jobs()[&job], "FINISHED:ABORTED");
    let again = world
        .nvflare(["--format", "json", "poc", "stop"])
        .success()
        .data();
    assert_eq!(again["status"], "stopped", "{again}");
    wait_for("everything ends after NVFlare's stop", SHORT, || {
        world.processes().is_empty().then_some(())
    });
    world.assert_nothing_left();
}

#[test]
fn one_that_cannot_start_fails_the_start_at_once_and_undoes_it() {
    let world = poc_test!().with_flare();
    let port = world.port().to_string();
    world
        .poc(["prepare", "-n", "2", "--ports", &port])
        .success();
    let broken = world.kit("site-2").join("startup/fed_client.json");
    fs_err::write(&broken, "{ not json").unwrap();

    let output = world
        .poc(["start", "--timeout", "60", "--format", "json"])
        .code(1);
    assert_eq!(output.error_code(), "START_FAILED");
    assert!(
        output.elapsed.as_secs() < 30,
        "it waited: {:?}",
        output.elapsed
    );
    let message = output.text();
    assert!(message.contains("site-2"), "{message}");
    // The last log lines, which name the cause.
    assert!(
        message.contains("fed_client.json") || message.contains("JSON"),
        "{message}"
    );
    world.assert_nothing_left();
    assert_eq!(status(&world)["state"], "stopped");
}

/// Not ready in time is not dead: it is left running, exit 2, and the missing one is named.
#[test]
fn one_that_is_late() {
    let world = poc_test!().with_flare();
    let port = world.port().to_string();
    world
        .poc(["prepare", "-n", "1", "--ports", &port])
        .success();
    let output = world
        .poc(["start", "--timeout", "0.1", "--format", "json"])
        .code(2);
    assert_eq!(output.error_code(), "START_TIMEOUT");
    assert!(output.text().contains("site-1"), "{}", output.transcript());
    assert_ne!(status(&world)["state"], "stopped");
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}

/// A site alone is started, with a warning; with the server stopped, the sites stay, and that is said.
#[test]
fn a_site_without_a_server() {
    let world = poc_test!().with_flare();
    let port = world.port().to_string();
    world
        .poc(["prepare", "-n", "1", "--ports", &port])
        .success();
    let output = world.poc(["start", "-p", "site-1", "--no-wait"]).success();
    assert!(
        output.stderr.to_lowercase().contains("server"),
        "no warning: {}",
        output.transcript()
    );
    let site = pid(&world, "site-1");
    // The console needs a server.
    let mut console = world.on_terminal(world.poc(["start", "-p", "admin@nvidia.com"]));
    console.expect("server", SHORT);
    let (code, shown) = console.wait(SHORT);
    assert_eq!(code, 2, "{shown}");

    world.poc(["start", "-p", "server"]).success();
    wait_for("site-1 registers", 2 * SHORT, || {
        (participant(&world, "site-1")["registered"] == true).then_some(())
    });
    let output = world.poc(["stop", "-p", "server"]).success();
    assert!(
        output.text().contains("site-1"),
        "does not say that site-1 stays: {}",
        output.transcript()
    );
    assert_eq!(pid(&world, "site-1"), site);
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}

#[test]
fn the_state_directory_is_private() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 1);
    for entry in world.workspace().join(".poc").read_dir_utf8().unwrap() {
        let path = entry.unwrap().into_path();
        let mode = path.symlink_metadata().unwrap().mode() & 0o077;
        assert_eq!(mode, 0, "{path} is open to others");
    }
    world.poc(["down", "--clean"]).success();
    assert!(!world.workspace().exists());
    world.assert_nothing_left();
}
