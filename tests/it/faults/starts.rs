//! Starts that are killed, that come twice, and that a stop meets.

use poc_tests::{Federation, PocTest, SHORT, poc_test, wait_for};
use rustix::process::Signal;

const PARTICIPANTS: [&str; 3] = ["server", "site-1", "site-2"];

fn prepared() -> PocTest {
    let world = poc_test!().with_flare();
    world.prepare(2);
    world
}

/// The processes of this world with that in their command line.
fn with(world: &PocTest, text: &str) -> Vec<u32> {
    let processes = world.processes().into_iter();
    processes
        .filter(|one| one.command.contains(text))
        .map(|one| one.pid)
        .collect()
}

/// All are registered, and each is one process, started once.
#[track_caller]
fn assert_one_process_each(world: &PocTest) {
    world.wait_registered(&["site-1", "site-2"], 2 * SHORT);
    for name in PARTICIPANTS {
        let its = format!("_train -m {} ", world.kit(name));
        assert_eq!(with(world, &its), [world.pid(name)]);
        assert_eq!(world.participant(name)["restarts"], 0);
    }
    assert_eq!(world.told("started").len(), 3);
    assert_eq!(Federation::running(world).clients(), ["site-1", "site-2"]);
}

/// The supervisor carries on. A second start joins it, or says that all runs already.
#[test]
fn killed_half_way() {
    for moment in ["__supervise", "server_train"] {
        let world = prepared();
        let mut decoys = world.decoys();
        let start = world.poc(["start"]).spawn();
        wait_for(moment, SHORT, || with(&world, moment).pop());
        start.signal(Signal::KILL);
        assert_eq!(start.wait().exit, None);
        let second = world.poc(["start", "--format", "json"]).run();
        if second.exit != Some(0) {
            second.code(4);
            assert_eq!(second.error_code(), "ALREADY_RUNNING");
        }
        assert_one_process_each(&world);
        world.stop_leaves_nothing(&mut decoys);
    }
}

#[test]
fn two_at_once() {
    let world = prepared();
    let mut decoys = world.decoys();
    let both = [(); 2].map(|()| world.poc(["start", "--format", "json"]).spawn());
    let mut both = both.map(poc_tests::Running::wait);
    both.sort_by_key(|output| output.exit);
    both[0].code(0);
    both[1].code(4);
    assert_eq!(both[1].error_code(), "ALREADY_RUNNING");
    assert_one_process_each(&world);
    world.stop_leaves_nothing(&mut decoys);
}

/// The server is halted, so that the start cannot be the quicker of the two.
#[test]
fn a_stop_in_the_middle_wins() {
    let world = prepared();
    let mut decoys = world.decoys();
    let start = world.poc(["start", "--format", "json"]).spawn();
    let server = wait_for("the server", SHORT, || with(&world, "server_train").pop());
    poc_tests::send(server, Signal::STOP);
    world.stop_leaves_nothing(&mut decoys);
    let start = start.wait();
    start.code(1);
    assert_eq!(start.error_code(), "START_FAILED");
    let message = start.json()["message"].to_string();
    assert!(message.contains("stopped by another command"), "{message}");
    world.assert_is_over(None, &mut decoys);
}
