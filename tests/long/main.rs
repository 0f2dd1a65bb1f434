//! What takes minutes: run by `.ci/run` after everything else.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helper functions too"
)]

mod cost;
mod lines;

use std::time::Duration;

use poc_tests::{Federation, Job, PocTest, SHORT, poc_test, wait_for};
use rustix::process::Signal;

/// Five restarts within 300 s, with growing delays, and then it is given up, with its last log lines;
/// the others live on.
#[track_caller]
fn is_given_up(world: &PocTest, last_words: &str) {
    let server = world.pid("server");
    let mut decoys = world.decoys();
    world.signal("site-1", Signal::KILL);
    let end = wait_for("it is given up", Duration::from_secs(240), || {
        let now = world.participant("site-1");
        (now["state"] == "failed").then_some(now)
    });
    assert_eq!(end["restarts"], 5, "{end}");
    assert!(end["pid"].is_null(), "{end}");

    let delays: Vec<f64> = world
        .told("restarting")
        .iter()
        .map(|one| one["in_s"].as_f64().unwrap())
        .collect();
    // Each about twice the one before, give or take a quarter.
    assert_eq!(delays.len(), 5, "{delays:?}");
    assert!(delays.windows(2).all(|two| two[1] > two[0]), "{delays:?}");
    let gave_up = world.told("gave_up");
    assert_eq!(gave_up.len(), 1, "{gave_up:?}");
    let tail = gave_up[0]["tail"].to_string();
    assert!(tail.contains(last_words), "{tail}");
    let status = world.poc(["status"]).success();
    assert!(
        status.stdout.contains("failed") && status.stderr.contains("`poc start -p site-1`"),
        "{}",
        status.transcript()
    );
    let events = world.poc(["events"]).success().stdout;
    let end = events.rsplit("given up: it died too often").next().unwrap();
    assert!(end.contains(last_words), "{events}");

    assert_eq!(world.pid("server"), server);
    world.stop_leaves_nothing(&mut decoys);
}

#[test]
fn a_site_whose_kit_is_broken_is_given_up() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 1);
    let file = world.kit("site-1").join("startup/fed_client.json");
    fs_err::write(file, "{ broken on purpose").unwrap();
    is_given_up(&world, "JSONDecodeError");
}

#[test]
fn a_site_that_crashes_at_once_is_given_up() {
    let world = poc_test!().with_flare();
    world.prepare(1);
    world.misbehaves("site-1", "");
    world.poc(["start"]).success();
    world.habits("site-1", "crash");
    is_given_up(&world, "crashing on purpose");
    // Once it is well again, it can be started again.
    world.habits("site-1", "");
    world.poc(["start"]).success();
    assert_eq!(world.participant("site-1")["restarts"], 0);
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}

/// Twenty sites register, train and end.
#[test]
fn twenty_sites() {
    let world = poc_test!().with_flare();
    let federation = Federation::start(&world, 20);
    assert_eq!(federation.clients().len(), 20);
    let status = world.status();
    assert_eq!(status["state"], "running", "{status}");
    let stop = world.poc(["stop"]).success();
    assert!(stop.elapsed < SHORT, "{:?}", stop.elapsed);
    world.assert_nothing_left();
}

/// However the processes are started: a job runs, in a workspace whose path holds a space, and nothing
/// is left.
#[test]
fn every_way_to_start_processes() {
    for spawn in ["exec", "fork", "auto"] {
        let world = poc_test!().with_flare();
        world.prepare(2);
        world.poc(["start", "--spawn", spawn]).success();
        let federation = Federation::running(&world);
        let job = federation.submit(Job::Counting);
        federation.wait_completed(&[&job]);
        federation.assert_counted(&job);
        world.poc(["stop"]).success();
        world.assert_nothing_left();
    }
}

/// With nothing said about ports, it is the documented one; or, where somebody has that, an error that
/// names it before anything starts.
#[test]
fn the_documented_port() {
    let world = poc_test!().with_flare();
    world.poc(["prepare"]).success();
    if std::net::TcpListener::bind(("0.0.0.0", 8002)).is_ok() {
        world.poc(["start"]).success();
        let addresses = world.listeners();
        assert!(
            addresses.contains(&([127, 0, 0, 1], 8002).into()),
            "{addresses:?}"
        );
        world.poc(["stop"]).success();
    } else {
        let output = world.poc(["start", "--format", "json"]).code(4);
        assert_eq!(output.error_code(), "PORT_IN_USE");
        assert!(output.text().contains("8002"), "{}", output.transcript());
    }
    world.assert_nothing_left();
}

/// A second and a third time in the same workspace: nothing accumulates.
#[test]
fn start_and_stop_in_turn() {
    let world = poc_test!().with_flare();
    world.prepare(2);
    for _ in 0..5 {
        world.poc(["start"]).success();
        assert_eq!(Federation::running(&world).clients(), ["site-1", "site-2"]);
        world.poc(["stop"]).success();
        world.assert_nothing_left();
    }
}

/// The whole of `poc demo` as a newcomer meets it: no Python with NVFlare anywhere, an empty home.
#[test]
fn a_demo_that_installs_its_own_runtime() {
    let world = poc_test!();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", world.bin());
    let demo = |limit| {
        world
            .poc(["demo", "--format", "json"])
            .env("PATH", &path)
            .limit(limit)
    };
    let first = demo(Duration::from_secs(900)).success();
    assert_eq!(first.data()["job"]["status"], "FINISHED:COMPLETED");
    let second = demo(Duration::from_secs(180)).success();
    assert_eq!(second.data()["job"]["status"], "FINISHED:COMPLETED");
    // The second takes the runtime of the first, and the same numbers come out to the last bit.
    assert_eq!(second.data()["accuracy"], first.data()["accuracy"]);
    assert!(
        second.elapsed < Duration::from_secs(90),
        "{:?}",
        second.elapsed
    );
    world.assert_nothing_left();
}
