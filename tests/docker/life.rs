//! What a POC in containers can do.

use std::os::unix::fs::MetadataExt as _;

use poc_tests::{DockerEngine, Federation, InDocker, Job, PocTest, poc_test};
use serde_json::Value;

crate::tests![
    a_job_is_trained_in_containers_and_nothing_is_left,
    two_pocs_at_once_have_nothing_to_do_with_each_other,
    some_of_the_participants,
    up_and_down,
];

pub(crate) fn prepared(engine: &DockerEngine, sites: u32) -> (PocTest, InDocker) {
    let world = poc_test!().with_flare();
    let (sites, port) = (sites.to_string(), world.port().to_string());
    world
        .poc([
            "prepare",
            "-n",
            &sites,
            "--ports",
            &port,
            "-d",
            engine.image(),
        ])
        .success();
    let docker = InDocker::of(&world);
    (world, docker)
}

pub(crate) fn participants(world: &PocTest) -> Vec<Value> {
    let status = world.poc(["status", "--format", "json"]).success().data();
    status["participants"].as_array().unwrap().clone()
}

fn a_job_is_trained_in_containers_and_nothing_is_left(engine: &DockerEngine) {
    let (world, docker) = prepared(engine, 2);
    let started = world
        .poc(["start", "--timeout", "120", "--format", "json"])
        .success();
    assert_eq!(started.data()["ready"], true);
    let names = ["server", "site-1", "site-2"];
    assert_eq!(
        docker.containers(false),
        names.map(|name| docker.container(name))
    );
    for (participant, name) in participants(&world).iter().zip(names) {
        // The init of the container, by its number on this machine, in pid.fl too.
        let pid = docker.inspect(name, "{{.State.Pid}}");
        assert_eq!(participant["pid"].to_string(), pid);
        let file = fs_err::read_to_string(world.kit(name).join("pid.fl")).unwrap();
        assert_eq!(file.trim(), pid);
        // It is the program in the container that uses memory, not the init.
        assert!(
            participant["memory_bytes"].as_u64().unwrap() > 20_000_000,
            "{participant}"
        );
    }
    // Only this machine is let in.
    let addresses = world.listeners();
    assert!(
        addresses.is_empty(),
        "docker listens, no process of ours: {addresses:?}"
    );
    let ports = docker.inspect("server", "{{json .HostConfig.PortBindings}}");
    assert!(
        ports.contains("127.0.0.1") && ports.contains(&world.port().to_string()),
        "{ports}"
    );
    let log = world.poc(["logs", "site-2"]).success();
    assert!(
        log.stdout.contains("Successfully registered client:site-2"),
        "{}",
        log.transcript()
    );

    let federation = Federation::running(&world);
    let job = federation.submit(Job::Counting);
    federation.wait_completed(&[&job]);
    federation.assert_counted(&job);

    let stop = world.poc(["stop"]).success();
    assert!(stop.text().contains("Stopped"), "{}", stop.transcript());
    docker.assert_nothing_left();
    world.assert_nothing_left();
    // What containers wrote is the user's.
    let user = rustix::process::geteuid().as_raw();
    for entry in ["poc_console.log", "log.txt", &job] {
        let owner = fs_err::metadata(world.kit("site-1").join(entry))
            .unwrap()
            .uid();
        assert_eq!(owner, user, "{entry}");
    }
    world.poc(["clean"]).success();
}

fn two_pocs_at_once_have_nothing_to_do_with_each_other(engine: &DockerEngine) {
    let pocs = [prepared(engine, 2), prepared(engine, 2)];
    for (world, _) in &pocs {
        world.poc(["start", "--timeout", "120"]).success();
    }
    for (world, docker) in &pocs {
        assert_eq!(Federation::running(world).clients(), ["site-1", "site-2"]);
        assert_eq!(docker.containers(false).len(), 3);
    }
    let [(first, in_first), (second, in_second)] = &pocs;
    first.poc(["stop"]).success();
    in_first.assert_nothing_left();
    let before = participants(second);
    assert!(
        before
            .iter()
            .all(|one| one["state"] == "running" && one["restarts"] == 0),
        "{before:?}"
    );
    let job = Federation::running(second).submit(Job::Counting);
    Federation::running(second).wait_completed(&[&job]);
    second.poc(["stop"]).success();
    in_second.assert_nothing_left();
}

fn some_of_the_participants(engine: &DockerEngine) {
    let (world, docker) = prepared(engine, 2);
    world
        .poc(["start", "-p", "server", "site-2", "--timeout", "120"])
        .success();
    assert_eq!(
        docker.containers(true),
        ["server", "site-2"].map(|it| docker.container(it))
    );
    world.poc(["start", "--timeout", "120"]).success();
    assert_eq!(docker.containers(true).len(), 3);
    let again = world
        .poc(["start", "-p", "site-1", "--format", "json"])
        .code(4);
    assert_eq!(again.error_code(), "ALREADY_RUNNING");
    world.poc(["stop", "-p", "site-1"]).success();
    assert_eq!(
        docker.containers(true),
        ["server", "site-2"].map(|it| docker.container(it))
    );
    let clean = world.poc(["clean", "--format", "json"]).code(4);
    assert_eq!(clean.error_code(), "STILL_RUNNING");
    world.poc(["clean", "--force"]).success();
    docker.assert_nothing_left();
}

fn up_and_down(engine: &DockerEngine) {
    let world = poc_test!().with_flare();
    let port = world.port().to_string();
    let up = |image| {
        world.poc([
            "up",
            "-n",
            "1",
            "--ports",
            &port,
            "-d",
            image,
            "--timeout",
            "120",
        ])
    };
    up(engine.image()).success();
    let docker = InDocker::of(&world);
    let other = up("another/image").code(4);
    assert!(
        other.text().contains("another/image"),
        "{}",
        other.transcript()
    );
    world.poc(["down", "--clean"]).success();
    docker.assert_nothing_left();
}
