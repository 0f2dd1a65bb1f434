//! What the supervisor does when it is asked to: by a command, and by the files with which NVFlare's own
//! tools ask for something. What it makes of faults is in `faults`.

use std::os::unix::fs::MetadataExt as _;

use poc_tests::{Federation, SHORT, poc_test, wait_for};
use serde_json::json;

#[test]
fn request_files() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 2);

    // restart.fl, as an admin's `restart client site-2` leaves it.
    let old = world.pid("site-2");
    fs_err::write(world.kit("site-2").join("restart.fl"), "").unwrap();
    let again = world.wait_again("site-2", old, 2 * SHORT);
    assert_eq!(again["restarts"], 0, "it was asked for: {again}");
    assert!(!world.kit("site-2").join("restart.fl").exists());

    // shutdown.fl, as stop_fl.sh writes it: it ends, and stays so.
    fs_err::write(world.kit("site-2").join("shutdown.fl"), "").unwrap();
    wait_for("site-2 has ended", SHORT, || {
        (world.participant("site-2")["state"] == "stopped").then_some(())
    });
    for name in ["pid.fl", "daemon_pid.fl", "shutdown.fl"] {
        assert!(!world.kit("site-2").join(name).exists(), "{name} is left");
    }
    assert_eq!(world.status()["state"], "partial");
    let events = world.poc(["events"]).success().stdout;
    assert!(
        events.contains("shutdown.fl") && events.contains("restart.fl"),
        "{events}"
    );

    world.poc(["stop"]).success();
    world.assert_nothing_left();
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
    let status = world.status();
    assert_eq!(status["state"], "running", "{status}");

    let stopped = world.poc(["stop", "--format", "json"]).success().data();
    assert_eq!(stopped["aborted_jobs"], json!([job]), "{stopped}");
    assert_eq!(stopped["interrupted_jobs"], json!([]), "{stopped}");
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

/// A stop that takes away a site from under a job, or comes when no server is there to abort it, says
/// which job that is, and what NVFlare then makes of it.
#[test]
fn a_stop_that_aborts_no_job_names_those_that_ran() {
    let world = poc_test!().with_flare();
    let federation = Federation::start(&world, 2);
    let job = federation.submit(poc_tests::Job::Waiting);
    federation.wait_running(&job);
    wait_for("the job's processes", SHORT, || {
        let workers = world.processes().into_iter();
        let workers = workers.filter(|one| one.command.contains("worker_process"));
        (workers.count() == 2).then_some(())
    });

    let stopped = world.poc(["stop", "-p", "site-2"]).success();
    let named = format!("job {job} was running there: it may not complete");
    assert!(stopped.stdout.contains(&named), "{}", stopped.transcript());

    world.signal("server", rustix::process::Signal::KILL);
    let stopped = world.poc(["stop", "--format", "json"]).success().data();
    assert_eq!(stopped["interrupted_jobs"], json!([job]), "{stopped}");
    assert_eq!(stopped["aborted_jobs"], json!([]), "{stopped}");
    world.assert_nothing_left();
    world.poc(["start"]).success();
    assert_eq!(federation.jobs()[&job], "RUNNING", "as the stop foretold");

    // Nobody is registered with a server that is stopped.
    world.poc(["stop", "-p", "server"]).success();
    let site = world.participant("site-1");
    assert_eq!(site["state"], "running", "{site}");
    assert_eq!(site["registered"], false, "{site}");
    world.poc(["start", "-p", "server"]).success();
    wait_for("the site registers again", SHORT, || {
        (world.participant("site-1")["registered"] == true).then_some(())
    });
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}

/// Not ready in time is not dead: it is left running, exit 2, and the missing one is named.
#[test]
fn one_that_is_late() {
    let world = poc_test!().with_flare();
    world.prepare(1);
    let output = world
        .poc(["start", "--timeout", "0.1", "--format", "json"])
        .code(2);
    assert_eq!(output.error_code(), "START_TIMEOUT");
    assert!(output.text().contains("site-1"), "{}", output.transcript());
    assert_ne!(world.status()["state"], "stopped");
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}

/// A site alone is started, with a warning; with the server stopped, the sites stay, and that is said.
#[test]
fn a_site_without_a_server() {
    let world = poc_test!().with_flare();
    world.prepare(1);
    let output = world.poc(["start", "-p", "site-1", "--no-wait"]).success();
    assert!(
        output.stderr.to_lowercase().contains("server"),
        "no warning: {}",
        output.transcript()
    );
    let site = world.pid("site-1");
    // The console needs a server.
    let mut console = world.on_terminal(world.poc(["start", "-p", "admin@nvidia.com"]));
    console.expect("server", SHORT);
    let (code, shown) = console.wait(SHORT);
    assert_eq!(code, 2, "{shown}");

    world.poc(["start", "-p", "server"]).success();
    world.wait_registered(&["site-1"], 2 * SHORT);
    let output = world.poc(["stop", "-p", "server"]).success();
    assert!(
        output.text().contains("site-1"),
        "does not say that site-1 stays: {}",
        output.transcript()
    );
    assert_eq!(world.pid("site-1"), site);
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
