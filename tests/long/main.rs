//! What takes minutes: run by `.ci/run` after everything else.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helper functions too"
)]

mod cost;

use std::time::Duration;

use poc_tests::{Federation, Job, PocTest, SHORT, poc_test, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn participant(world: &PocTest, name: &str) -> Value {
    let status = world.poc(["status", "--format", "json"]).success().data();
    status["participants"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == name)
        .unwrap()
        .clone()
}

/// Five restarts within 300 s, with growing delays, and then it is given up, with its last log lines.
#[test]
fn a_site_that_keeps_dying_is_given_up() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 1);
    let server = participant(&world, "server")["pid"].clone();
    // From now on it dies by itself.
    fs_err::write(
        world.kit("site-1").join("startup/fed_client.json"),
        "{ broken on purpose",
    )
    .unwrap();
    let pid = participant(&world, "site-1")["pid"].as_i64().unwrap();
    kill_process(
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();

    let end = wait_for("it is given up", Duration::from_secs(240), || {
        let now = participant(&world, "site-1");
        (now["state"] == "failed").then_some(now)
    });
    assert_eq!(end["restarts"], 5, "{end}");
    assert!(end["pid"].is_null(), "{end}");
    let events = world.poc(["events"]).success().stdout;
    assert!(
        events.contains("gave up") || events.contains("given up"),
        "{events}"
    );
    // The others live on.
    assert_eq!(participant(&world, "server")["pid"], server);
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}

/// Twenty sites register, train and end.
#[test]
fn twenty_sites() {
    let world = poc_test!().with_flare();
    let federation = Federation::start(&world, 20);
    assert_eq!(federation.clients().len(), 20);
    let status = world.poc(["status", "--format", "json"]).success().data();
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
        let port = world.port().to_string();
        world
            .poc(["prepare", "-n", "2", "--ports", &port])
            .success();
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
    let port = world.port().to_string();
    world
        .poc(["prepare", "-n", "2", "--ports", &port])
        .success();
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
