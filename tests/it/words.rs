//! What `poc` says where a newcomer was led astray.

use poc_tests::{SHORT, poc_test, wait_for};

#[test]
fn of_a_poc_that_runs() {
    let world = poc_test!().with_flare();
    let doctor = world.poc(["doctor"]).run();
    assert!(
        doctor.stdout.contains("config.conf: not there yet"),
        "{}",
        doctor.stdout
    );
    world.prepare(2);
    world.poc(["start"]).success();
    let mut decoys = world.decoys();

    // It takes part, running or not: to stop it would be for nothing.
    let add = world.poc(["add-site", "site-1"]).code(4);
    assert!(!add.stderr.contains("poc stop"), "{}", add.stderr);
    assert!(add.stderr.contains("--force"), "{}", add.stderr);
    let add = world.poc(["add-site", "site-1", "--force"]).code(4);
    assert!(add.stderr.contains("poc stop -p site-1"), "{}", add.stderr);

    let jobs = world.root().join("my jobs");
    fs_err::create_dir(&jobs).unwrap();
    let linked = world
        .poc(["prepare-jobs-dir", "-j", jobs.as_str()])
        .success();
    assert!(
        linked.stdout.contains("Next: submit a job"),
        "{}",
        linked.stdout
    );

    world.poc(["stop", "-p", "site-2"]).success();
    let doctor = world.poc(["doctor"]).run();
    assert!(
        doctor.stdout.contains("is prepared, and partly running"),
        "{}",
        doctor.stdout
    );
    world.kill_supervisor();
    let doctor = world.poc(["doctor"]).run();
    assert!(
        doctor
            .stdout
            .contains("! workspace    the supervisor is gone"),
        "{}",
        doctor.stdout
    );
    world.stop_leaves_nothing(&mut decoys);
}

/// What all were killed has left is one line.
#[test]
fn of_stale_pid_files() {
    let world = poc_test!().with_flare();
    world.prepare(2);
    world.poc(["start"]).success();
    let mut decoys = world.decoys();
    world.kill_supervisor();
    world.end_all();
    wait_for("all have ended", SHORT, || {
        world.processes().is_empty().then_some(())
    });
    let stopped = world.stop_leaves_nothing(&mut decoys);
    let lines: Vec<_> = stopped
        .stderr
        .lines()
        .filter(|line| line.contains("stale"))
        .collect();
    let [line] = lines.as_slice() else {
        panic!("{}", stopped.transcript())
    };
    assert!(line.contains("whose processes are gone"), "{line}");
}

#[test]
fn of_what_is_no_python() {
    let world = poc_test!();
    let ls = world.poc(["runtime", "use", "/bin/ls"]).code(4).stderr;
    assert!(ls.contains("it is no Python"), "{ls}");
    assert!(ls.lines().count() < 6 && !ls.contains("import"), "{ls}");
    let nope = world.poc(["runtime", "use", "/nope"]).code(4).stderr;
    assert_eq!(nope.matches("no such program").count(), 1, "{nope}");
    for said in [ls, nope] {
        assert!(!said.contains("POC_PYTHON"), "{said}");
    }
}
