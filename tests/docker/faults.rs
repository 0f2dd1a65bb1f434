//! What goes wrong with containers, and what holds then.

use std::time::Duration;

use poc_tests::{DockerEngine, Federation, Job, poc_test, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::life::{participants, prepared};

crate::tests![
    a_container_that_dies_is_started_again,
    without_a_supervisor_containers_are_adopted_and_stopped_with_their_jobs,
    an_image_that_is_not_there_is_an_error_before_anything_starts,
    an_image_without_nvflare_says_so,
    without_a_daemon_that_is_the_error,
    what_is_not_ours_is_left_alone,
];

fn kill(pid: &Value) {
    let pid = i32::try_from(pid.as_i64().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

fn a_container_that_dies_is_started_again(engine: &DockerEngine) {
    let (world, docker) = prepared(engine, 1);
    world.poc(["start", "--timeout", "120"]).success();
    let before = participants(&world)[1]["pid"].clone();
    kill(&before);
    wait_for("it has registered again", Duration::from_secs(60), || {
        let now = &participants(&world)[1];
        (now["pid"] != before && now["registered"] == true && now["restarts"] == 1).then_some(())
    });
    let events = world.poc(["events"]).success().stdout;
    assert!(events.contains("exit status 137"), "{events}");
    assert_eq!(docker.containers(true).len(), 2);
    world.poc(["stop"]).success();
    docker.assert_nothing_left();
}

fn without_a_supervisor_containers_are_adopted_and_stopped_with_their_jobs(engine: &DockerEngine) {
    let (world, docker) = prepared(engine, 2);
    world.poc(["start", "--timeout", "120"]).success();
    let federation = Federation::running(&world);
    let job = federation.submit(Job::Waiting);
    federation.wait_running(&job);
    wait_for("the job has containers", Duration::from_secs(60), || {
        (docker.containers(false).len() == 6).then_some(())
    });
    let before = participants(&world);
    kill(&before[0]["daemon_pid"]);
    let status = world.poc(["status"]).success();
    assert!(
        status.text().contains("the supervisor is gone"),
        "{}",
        status.transcript()
    );
    world.poc(["start", "--timeout", "120"]).success();
    let after = participants(&world);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before["pid"], after["pid"]);
        assert_ne!(before["daemon_pid"], after["daemon_pid"]);
    }
    assert_eq!(docker.containers(false).len(), 6, "the job goes on");
    kill(&after[0]["daemon_pid"]);
    // Nobody keeps them now; stop does it by itself, and the job's containers go too.
    world.poc(["stop"]).success();
    docker.assert_nothing_left();
    world.assert_nothing_left();
}

fn an_image_that_is_not_there_is_an_error_before_anything_starts(_: &DockerEngine) {
    let world = poc_test!().with_flare();
    let port = world.port().to_string();
    world
        .poc([
            "prepare",
            "-n",
            "1",
            "--ports",
            &port,
            "-d",
            "poc-test/no-such-image:1",
        ])
        .success();
    let docker = poc_tests::InDocker::of(&world);
    let start = world.poc(["start", "--format", "json"]).code(4);
    assert_eq!(start.error_code(), "IMAGE_MISSING");
    assert!(
        start
            .text()
            .contains("docker build -t poc-test/no-such-image:1"),
        "{}",
        start.transcript()
    );
    docker.assert_nothing_left();
    world.assert_nothing_left();
}

fn an_image_without_nvflare_says_so(engine: &DockerEngine) {
    let (world, docker) = prepared(engine, 1);
    // The same image, but NVFlare is gone from it.
    let name = docker.container("image");
    let image = format!("{name}:bare");
    let docker_cli = |arguments: &[&str]| {
        let status = std::process::Command::new("docker")
            .args(arguments)
            .output()
            .unwrap();
        assert!(status.status.success(), "{status:?}");
    };
    let remove = "import nvflare, shutil; shutil.rmtree(nvflare.__path__[0])";
    docker_cli(&[
        "run",
        "--name",
        &name,
        engine.image(),
        "python3",
        "-c",
        remove,
    ]);
    docker_cli(&["commit", &name, &image]);
    docker_cli(&["rm", &name]);
    world
        .poc([
            "prepare",
            "--force",
            "-n",
            "1",
            "--ports",
            &world.port().to_string(),
            "-d",
            &image,
        ])
        .success();
    let docker = poc_tests::InDocker::of(&world);
    let start = world.poc(["start", "--timeout", "60"]).run();
    docker_cli(&["rmi", &image]);
    assert_eq!(start.exit, Some(1), "{}", start.transcript());
    assert!(
        start.text().contains("No module named"),
        "{}",
        start.transcript()
    );
    docker.assert_nothing_left();
    world.assert_nothing_left();
}

fn without_a_daemon_that_is_the_error(engine: &DockerEngine) {
    let (world, _docker) = prepared(engine, 1);
    let start = world
        .poc(["start", "--format", "json"])
        .env("DOCKER_HOST", "unix:///no/such/docker.sock")
        .code(2);
    assert_eq!(start.error_code(), "DOCKER_UNAVAILABLE");
    assert!(
        start.text().contains("/no/such/docker.sock"),
        "{}",
        start.transcript()
    );
    world.assert_nothing_left();
}

fn what_is_not_ours_is_left_alone(engine: &DockerEngine) {
    let (world, docker) = prepared(engine, 1);
    world.poc(["start", "--timeout", "120"]).success();
    let stranger = docker.container("strangers-own");
    let network = stranger.trim_end_matches("-strangers-own");
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new("docker")
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // Of nearly the same name, and in the same network.
    run(&[
        "run",
        "--detach",
        "--name",
        &stranger,
        "--network",
        network,
        engine.image(),
        "sleep",
        "600",
    ]);
    let stop = world.poc(["stop"]).run();
    let left = run(&[
        "ps",
        "--filter",
        &format!("name={stranger}"),
        "--format",
        "{{.Names}}",
    ]);
    run(&["rm", "--force", &stranger]);
    assert_eq!(left.trim(), stranger, "{}", stop.transcript());
    // The network cannot go while it is in use, and that is said in docker's words.
    assert_ne!(stop.exit, Some(0), "{}", stop.transcript());
    assert!(
        stop.text().contains("has active endpoints"),
        "{}",
        stop.transcript()
    );
    assert!(docker.containers(true).is_empty());
    world.poc(["stop"]).run();
    docker.assert_nothing_left();
}
