//! SIGSTOP, as Ctrl-Z and debuggers send it.

use poc_tests::{Federation, SHORT, poc_test, wait_for};
use rustix::process::Signal;

/// `status` shows it and says what to do; it goes on where it is let, and `stop` ends it otherwise.
#[test]
fn a_site_and_the_server() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 2);
    let mut decoys = world.decoys();
    for name in ["site-1", "server"] {
        let pid = world.signal(name, Signal::STOP);
        wait_for("it is shown", SHORT, || {
            (world.participant(name)["state"] == "suspended").then_some(())
        });
        let shown = world.poc(["status"]).success();
        let row = shown.stdout.lines().find(|line| line.starts_with(name));
        assert!(row.unwrap().contains("suspended"), "{}", shown.stdout);
        let said = format!("{name} is stopped by a signal; `kill -CONT {pid}` lets it go on");
        assert!(shown.stderr.contains(&said), "{}", shown.transcript());
        // It is neither dead nor started again.
        assert_eq!(world.pid(name), pid);
        assert_eq!(world.participant(name)["restarts"], 0);

        poc_tests::send(pid, Signal::CONT);
        wait_for("it goes on", SHORT, || {
            (world.participant(name)["state"] == "running").then_some(())
        });
        assert_eq!(world.poc(["status"]).success().stderr, "");
    }
    // One by one, and all.
    world.signal("site-2", Signal::STOP);
    world.poc(["stop", "-p", "site-2"]).success();
    assert_eq!(world.participant("site-2")["state"], "stopped");
    world.signal("site-1", Signal::STOP);
    world.signal("server", Signal::STOP);
    let stopped = world.stop_leaves_nothing(&mut decoys);
    assert!(stopped.elapsed < SHORT, "{:?}", stopped.elapsed);
}

/// The same of what keeps them.
#[test]
fn the_supervisor() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 1);
    let mut decoys = world.decoys();
    let pid = world.supervisor();
    poc_tests::send(pid, Signal::STOP);
    let looked = world.poc(["status"]).success();
    let said = format!("the supervisor (PID {pid}) does not answer");
    assert!(looked.stderr.contains(&said), "{}", looked.transcript());
    assert_eq!(world.status()["state"], "running");
    let output = world
        .poc(["stop", "-p", "site-1", "--format", "json"])
        .run();
    assert_ne!(output.exit, Some(0), "{}", output.transcript());
    world.stop_leaves_nothing(&mut decoys);
}

/// Nobody is left to let it go on but the stop itself.
#[test]
fn a_site_whose_supervisor_is_dead() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 1);
    let mut decoys = world.decoys();
    world.kill_supervisor();
    world.signal("site-1", Signal::STOP);
    assert_eq!(world.participant("site-1")["state"], "suspended");
    let stopped = world.stop_leaves_nothing(&mut decoys);
    assert!(
        !stopped.stderr.contains("killing"),
        "{}",
        stopped.transcript()
    );
}
