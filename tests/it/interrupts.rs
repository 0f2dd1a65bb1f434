//! Ctrl-C and SIGTERM leave things as they were.

use poc_tests::{Federation, Job, PocTest, SHORT, Tree, poc_test, wait_for};
use rustix::process::Signal;

/// The entries beside the workspace, hidden ones too: a half-built workspace would be one.
fn beside(world: &PocTest) -> Vec<String> {
    let mut names: Vec<_> = world
        .root()
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_owned())
        .collect();
    names.sort();
    names
}

/// Enough keys that there is time to interrupt their making.
const MANY: &str = "120";

#[test]
fn during_prepare() {
    let world = poc_test!();
    let empty = beside(&world);
    for signal in [Signal::INT, Signal::TERM] {
        let running = world
            .poc(["prepare", "-n", MANY, "--format", "json"])
            .spawn();
        wait_for("it has begun to build", SHORT, || {
            (beside(&world) != empty).then_some(())
        });
        running.signal(signal);
        let output = running.wait();
        output.code(130);
        assert_eq!(output.error_code(), "INTERRUPTED");
        assert_eq!(beside(&world), empty, "{signal:?}");
        assert!(
            !world.config().exists(),
            "config.conf points at a workspace that was never made"
        );
    }
}

#[test]
fn during_prepare_over_an_old_poc() {
    let world = poc_test!();
    world.poc(["prepare"]).success();
    let before = Tree::of(world.root());
    let names = beside(&world);
    for signal in [Signal::INT, Signal::TERM] {
        let running = world.poc(["prepare", "-n", MANY, "--force"]).spawn();
        wait_for("it has begun to build", SHORT, || {
            (beside(&world) != names).then_some(())
        });
        running.signal(signal);
        running.wait().code(130);
        before.assert_still(world.root());
    }
}

#[test]
fn ctrl_c_on_a_terminal_during_prepare() {
    let world = poc_test!();
    let empty = beside(&world);
    let mut terminal = world.on_terminal(world.poc(["prepare", "-n", MANY]));
    wait_for("it has begun to build", SHORT, || {
        (beside(&world) != empty).then_some(())
    });
    terminal.type_in("\x03");
    let (code, shown) = terminal.wait(SHORT);
    assert_eq!(code, 130, "{shown}");
    assert_eq!(beside(&world), empty);
}

#[test]
fn during_start() {
    let world = poc_test!().with_flare();
    world.prepare(2);
    for signal in [Signal::INT, Signal::TERM] {
        let running = world.poc(["start", "--format", "json"]).spawn();
        // The server's Python runs, so the start is in its middle.
        wait_for("the server's process", SHORT, || {
            world
                .processes()
                .iter()
                .any(|one| one.command.contains("server_train"))
                .then_some(())
        });
        running.signal(signal);
        let output = running.wait();
        output.code(130);
        assert_eq!(output.error_code(), "INTERRUPTED");
        world.assert_nothing_left();
    }
    let status = world.poc(["status", "--format", "json"]).success().data();
    assert_eq!(status["state"], "stopped");
}

/// A stop that takes its time, since a job is aborted first. Ctrl-C, twice, brings back the prompt; the
/// stop goes on, with the abort and all.
#[test]
fn ctrl_c_twice_during_a_stop() {
    let world = poc_test!().with_flare();
    let federation = Federation::start(&world, 2);
    let job = federation.submit(Job::Waiting);
    federation.wait_running(&job);
    let mut terminal = world.on_terminal(world.poc(["stop"]));
    terminal.expect("aborting the running jobs", SHORT);
    terminal.type_in("\x03\x03");
    let (code, shown) = terminal.wait(SHORT);
    assert_eq!(code, 130, "{shown}");
    assert!(shown.contains("the stop goes on"), "{shown}");
    wait_for("the stop has come to its end", 3 * SHORT, || {
        world.processes().is_empty().then_some(())
    });
    world.assert_nothing_left();
    let events = world.events();
    let aborted = events.iter().find(|it| it["event"] == "jobs_aborted");
    assert!(aborted.unwrap().to_string().contains(&job), "{aborted:?}");
    let requests = events.iter().filter(|it| it["op"] == "stop").count();
    assert_eq!(requests, 1);
    assert_eq!(events.last().unwrap()["event"], "supervisor_leaving");
}
