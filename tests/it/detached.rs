//! `poc start` keeps nothing of its caller: it returns in a pipe and in a notebook, and what it
//! started lives on.

use poc_tests::{Federation, PocTest, SHORT, poc_test, wait_for};
use serde_json::Value;

fn status(world: &PocTest) -> Value {
    world.poc(["status", "--format", "json"]).success().data()
}

/// The pid of a participant that `status` calls running.
#[track_caller]
fn pid(status: &Value, name: &str) -> u64 {
    let participants = status["participants"].as_array().unwrap();
    let participant = participants.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(participant["state"], "running", "{status}");
    participant["pid"].as_u64().unwrap()
}

#[test]
fn in_a_pipe_in_a_notebook_and_beside_a_second_start() {
    let world = poc_test!().with_flare();
    let port = world.port().to_string();
    world
        .poc(["prepare", "-n", "2", "--ports", &port])
        .success();

    // `cat` ends when nobody holds the other end of the pipe any more.
    let shell = world.program("/bin/sh").env("POC", world.poc_path());
    shell
        .args(["-c", "\"$POC\" start -p server site-1 2>&1 | cat"])
        .success();
    let first = status(&world);
    assert_eq!(first["state"], "partial", "{first}");
    let (server, site) = (pid(&first, "server"), pid(&first, "site-1"));

    // The supervisor is nobody's: its session is not the caller's and has no terminal, and none of its
    // three streams is a pipe of ours.
    let supervisor = first["supervisor"].as_i64().unwrap();
    let process = procfs::process::Process::new(i32::try_from(supervisor).unwrap()).unwrap();
    let myself = procfs::process::Process::myself().unwrap().stat().unwrap();
    let stat = process.stat().unwrap();
    assert_ne!(stat.session, myself.session);
    assert_eq!(stat.tty_nr, 0);
    for stream in 0..3 {
        let target = process.fd_from_fd(stream).unwrap().target;
        assert!(
            matches!(target, procfs::process::FDTarget::Path(_)),
            "stream {stream} is {target:?}"
        );
    }

    // A notebook runs commands with captured pipes and waits for their end. What runs is named and
    // left alone, what is missing is started.
    let notebook = world
        .python("notebook.py", [world.poc_path().as_str(), "start"])
        .success();
    assert!(
        notebook.stdout.contains("site-1"),
        "{}",
        notebook.transcript()
    );
    let second = status(&world);
    assert_eq!(second["state"], "running", "{second}");
    assert_eq!(
        (pid(&second, "server"), pid(&second, "site-1")),
        (server, site)
    );
    pid(&second, "site-2");
    assert_eq!(Federation::running(&world).clients(), ["site-1", "site-2"]);

    already_running(&world, site);
    what_must_not_happen_to_a_running_poc(&world);
    logs_and_events(&world);

    let stopped = world.poc(["stop", "-p", "site-2"]).success();
    assert!(
        stopped.text().contains("site-2"),
        "{}",
        stopped.transcript()
    );
    let third = status(&world);
    assert_eq!(third["state"], "partial", "{third}");
    assert_eq!(
        (pid(&third, "server"), pid(&third, "site-1")),
        (server, site)
    );
    assert!(!world.kit("site-2").join("daemon_pid.fl").exists());

    world.poc(["stop"]).success();
    world.assert_nothing_left();
}

/// Everything selected runs already, or one that was named does.
fn already_running(world: &PocTest, site: u64) {
    let output = world.poc(["start", "--format", "json"]).code(4);
    assert_eq!(
        output.error_code(),
        "ALREADY_RUNNING",
        "{}",
        output.transcript()
    );
    let output = world.poc(["start", "-p", "site-1"]).code(4);
    let daemon = fs_err::read_to_string(world.kit("site-1").join("daemon_pid.fl")).unwrap();
    assert_eq!(
        fs_err::read_to_string(world.kit("site-1").join("pid.fl"))
            .unwrap()
            .trim(),
        site.to_string()
    );
    let seems = format!(
        "There seems to be one instance, pid={}, running.",
        daemon.trim()
    );
    assert!(output.stderr.contains(&seems), "{}", output.transcript());
    let kill = format!(
        "please kill process {} and then remove daemon_pid.fl in {}",
        daemon.trim(),
        world.kit("site-1")
    );
    assert!(output.stderr.contains(&kill), "{}", output.transcript());
    assert!(
        output.stderr.contains("poc stop -p site-1"),
        "{}",
        output.transcript()
    );
}

fn what_must_not_happen_to_a_running_poc(world: &PocTest) {
    for args in [&["prepare"][..], &["prepare", "--force"], &["clean"]] {
        let output = world.poc(args).args(["--format", "json"]).code(4);
        let code = output.error_code();
        assert!(
            code == "STILL_RUNNING" || (code == "WORKSPACE_EXISTS" && args == ["prepare"]),
            "{args:?}: {}",
            output.transcript()
        );
    }
    assert!(world.workspace().join("project.yml").exists());
    assert_eq!(status(world)["state"], "running");
}

fn logs_and_events(world: &PocTest) {
    let logs = world.poc(["logs"]).success().stdout;
    for (name, text) in [
        ("server", "Server started"),
        ("site-1", "Successfully registered client:site-1"),
    ] {
        let line = logs.lines().find(|line| line.contains(text));
        let line = line.unwrap_or_else(|| panic!("no {text:?} in the logs:\n{logs}"));
        assert!(line.starts_with(name), "{line}");
    }
    let last = world.poc(["logs", "-n", "3", "server"]).success().stdout;
    assert_eq!(last.lines().count(), 3, "{last}");
    // `head` closes the pipe early, which is no error.
    let line = "\"$POC\" logs | head -n 1; test \"${PIPESTATUS[0]}\" = 0";
    world
        .program("/bin/bash")
        .env("POC", world.poc_path())
        .args(["-c", line])
        .success();

    let mut follower = world.poc(["logs", "-f", "--format", "jsonl"]).spawn();
    follower.wait_until_said("Server started");
    follower.signal(rustix::process::Signal::INT);
    let output = follower.wait();
    for line in output.stdout.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }

    let mut watcher = world
        .poc(["status", "--watch", "--format", "jsonl"])
        .spawn();
    watcher.wait_until_said("\n");
    watcher.signal(rustix::process::Signal::INT);
    let first: Value = serde_json::from_str(watcher.wait().stdout.lines().next().unwrap()).unwrap();
    assert!(first.to_string().contains("site-2"), "{first}");

    let events = world.poc(["events"]).success().stdout;
    for name in ["server", "site-1", "site-2"] {
        assert!(events.contains(name), "{events}");
    }
}

/// In the foreground it merges the logs, stays until Ctrl-C, and then stops everything.
#[test]
fn in_the_foreground() {
    let world = poc_test!().with_flare();
    let port = world.port().to_string();
    world
        .poc(["prepare", "-n", "1", "--ports", &port])
        .success();
    let mut terminal = world.on_terminal(world.poc(["start", "--foreground"]));
    terminal.expect("Server started", 2 * SHORT);
    terminal.expect("Successfully registered client:site-1", 2 * SHORT);
    assert_eq!(status(&world)["state"], "running");
    terminal.type_in("\x03");
    let (code, shown) = terminal.wait(2 * SHORT);
    assert!(matches!(code, 0 | 130), "{code}: {shown}");
    world.assert_nothing_left();
}

/// FLARE consoles are the user's own: a stop mentions them and leaves them alone.
#[test]
fn an_open_console_survives_a_stop() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 1);
    let mut console = world.on_terminal(world.poc(["start", "-p", "lead@nvidia.com"]));
    console.expect("> ", SHORT);
    let stopped = world.poc(["stop"]).success();
    assert!(
        stopped.text().contains("lead@nvidia.com"),
        "{}",
        stopped.transcript()
    );
    assert!(
        world
            .processes()
            .iter()
            .any(|one| one.command.contains("hci.tools.admin"))
    );
    console.type_in("bye\n");
    console.wait(2 * SHORT);
    world.assert_nothing_left();
}

/// SIGTERM to the supervisor is an orderly stop of everything.
#[test]
fn sigterm_to_the_supervisor() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 1);
    let supervisor = i32::try_from(status(&world)["supervisor"].as_u64().unwrap()).unwrap();
    let supervisor = rustix::process::Pid::from_raw(supervisor).unwrap();
    rustix::process::kill_process(supervisor, rustix::process::Signal::TERM).unwrap();
    wait_for("everything has ended", SHORT, || {
        world.processes().is_empty().then_some(())
    });
    world.assert_nothing_left();
    assert_eq!(status(&world)["state"], "stopped");
}
