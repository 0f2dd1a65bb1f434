//! `poc events`: every start, signal, exit and restart has its line, and its reason.

use poc_tests::{Federation, SHORT, poc_test, wait_for};
use rustix::process::Signal;
use serde_json::Value;

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// What was told of a participant, a word or two an event.
fn story(events: &[Value], name: &str) -> Vec<String> {
    let of = events.iter().filter(|event| event["name"] == name);
    of.map(|event| {
        let kind = event["event"].as_str().unwrap();
        let detail = match kind {
            "exited" => &event["status"],
            "signalled" => &event["signal"],
            "restarting" => &event["attempt"],
            "stopping" => &event["reason"],
            _ => &Value::Null,
        };
        let detail = match detail {
            Value::Null => String::new(),
            Value::String(text) => format!(": {text}"),
            other => format!(": {other}"),
        };
        format!("{kind}{detail}")
    })
    .collect()
}

/// Every process that is told of was started, and then ended, once.
fn check_processes(events: &[Value]) {
    let of = |kind: &str| -> Vec<u64> {
        let of_kind = events.iter().filter(|event| event["event"] == kind);
        let mut pids: Vec<u64> = of_kind
            .map(|event| event["pid"].as_u64().unwrap())
            .collect();
        pids.sort_unstable();
        pids
    };
    assert_eq!(of("started"), of("exited"));
    let signalled = of("signalled");
    assert!(signalled.iter().all(|pid| of("started").contains(pid)));
}

#[test]
fn every_start_signal_exit_and_restart_is_explained() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 1);
    let mut follower = world.poc(["events", "-f", "--format", "jsonl"]).spawn();
    follower.wait_until_said("ready");

    // Neither a Python nor the admin helper is needed to say how things are.
    let status = world
        .poc(["status", "--format", "json"])
        .env("POC_PYTHON", "/no/such/python");
    assert_eq!(status.success().data()["state"], "running");
    let helpers = || {
        world
            .processes()
            .into_iter()
            .filter(|one| one.command.contains(" poc-admin "))
    };
    assert_eq!(helpers().count(), 0);

    let killed = world.signal("site-1", Signal::KILL);
    world.wait_again("site-1", killed, 2 * SHORT);
    world.poc(["stop", "-p", "site-1"]).success();
    world.poc(["start", "-p", "site-1"]).success();
    world.poc(["stop"]).success();
    follower.wait_until_said("supervisor_leaving");
    follower.signal(Signal::INT);
    let followed = lines(&follower.wait().stdout);

    let events = lines(&world.poc(["events", "--format", "jsonl"]).success().stdout);
    let life = |end: &[&str]| {
        let begin = ["started", "ready"].iter();
        begin
            .chain(end)
            .map(|it| (*it).to_owned())
            .collect::<Vec<_>>()
    };
    let stopped = [
        "stopping: request",
        "signalled: SIGTERM",
        "exited: signal 15 (SIGTERM)",
        "stopped",
    ];
    let killed = ["exited: signal 9 (SIGKILL)", "restarting: 1"];
    assert_eq!(story(&events, "server"), life(&stopped));
    let site = [life(&killed), life(&stopped), life(&stopped)].concat();
    assert_eq!(story(&events, "site-1"), site);
    check_processes(&events);
    let requests = events.iter().filter(|event| event["event"] == "request");
    let requests: Vec<&Value> = requests.map(|event| &event["op"]).collect();
    assert_eq!(requests, ["start", "stop", "start", "stop"]);
    let times: Vec<&str> = events
        .iter()
        .map(|it| it["time"].as_str().unwrap())
        .collect();
    assert!(times.iter().all(|time| time.ends_with('Z')), "{times:?}");
    // Who follows is told the same.
    for event in &events {
        assert!(followed.contains(event), "{event}");
    }
    world.assert_nothing_left();
    wait_for("no helper", SHORT, || {
        (helpers().count() == 0).then_some(())
    });
}
