//! Every line of NVFlare, from end to end, on the newest release that it has on PyPI. For 2.9, which
//! all the other tests are about, this says that it is one line among others.

use poc_tests::{Federation, Job, PocTest, SHORT, poc_test, wait_for};

/// A world with that release. NVFlare's own preflight check cannot take a path with a space.
fn world(release: &str) -> PocTest {
    poc_test!().with_release(release).with_workspace("poc")
}

/// The ports as `--ports` takes them: up to 2.6 admins have one of their own.
fn ports(world: &PocTest, release: &str) -> String {
    let port = world.port();
    match release {
        "2.5.2" | "2.6.3" => format!("{port}:{}", world.admin_port()),
        _ => port.to_string(),
    }
}

/// What somebody does with a POC, from the first command to the last.
fn a_line_from_end_to_end(release: &str) {
    let world = world(release);
    let ports = ports(&world, release);
    let prepared = world
        .poc(["prepare", "-n", "2", "--ports", &ports, "--format", "json"])
        .success()
        .data();
    assert_eq!(prepared["flare_version"], release, "{prepared}");
    preflight(&world, release, "server");

    // site-2 stays away: its check logs in as site-2, which would break the one that runs.
    world.poc(["start", "-p", "server", "site-1"]).success();
    preflight(&world, release, "site-2");
    preflight(&world, release, "admin@nvidia.com");

    // The one that is missing joins those that run.
    let started = world
        .poc(["start", "-p", "site-2", "--format", "json"])
        .success()
        .data();
    assert_eq!(started["ready"], true, "{started}");
    let federation = Federation::running(&world);
    assert_eq!(federation.clients(), ["site-1", "site-2"]);
    let status = world.poc(["status", "--format", "json"]).success().data();
    assert_eq!(status["state"], "running", "{status}");

    // By the FLARE API, and by NVFlare's own command, which finds the kit through config.conf.
    let by_api = federation.submit(Job::Counting);
    let folder = Job::Counting.directory(&world);
    world
        .nvflare(["job", "submit", "-j", folder.as_str()])
        .success();
    let jobs = federation.jobs();
    let jobs: Vec<&str> = jobs
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(jobs.len(), 2, "{jobs:?}");
    federation.wait_completed(&jobs);
    federation.assert_counted(&by_api);

    // A stop in the middle of a job.
    let job = federation.submit(Job::Waiting);
    federation.wait_running(&job);
    // The server says so before the processes are there.
    wait_for("the job's processes", 3 * SHORT, || {
        let processes = world.processes();
        let count = |module: &str| {
            let with = processes.iter().filter(|one| one.command.contains(module));
            with.count()
        };
        (count("runner_process") == 1 && count("worker_process") == 2).then_some(())
    });
    let stopped = world.poc(["stop", "--format", "json"]).success().data();
    assert!(stopped.to_string().contains(&job), "{stopped}");
    world.assert_nothing_left();
    assert!(world.workspace().join("jobs-storage").is_dir());
}

/// NVFlare's own check of a kit passes.
fn preflight(world: &PocTest, release: &str, kit: &str) {
    let command = match release {
        "2.5.2" | "2.6.3" | "2.7.3" => "preflight_check",
        _ => "preflight-check",
    };
    let package = world.kit(kit);
    let check = || world.nvflare([command, "-p", package.as_str()]).success();
    let mut output = check();
    // NVFlare up to 2.6 forks for its dry run while threads of gRPC are at work, and now and then the
    // new process dies before it has begun: there is a failure then, without a word of output.
    for _ in 0..2 {
        let silent =
            "| Check dry run                                  | Can't start successfully:   ";
        if output.stdout.contains(silent) {
            output = check();
        }
    }
    let results: Vec<&str> = output
        .stdout
        .lines()
        .filter(|line| line.starts_with("| Check "))
        .collect();
    assert!(results.len() >= 2, "{}", output.transcript());
    assert!(
        results.iter().all(|line| line.contains("| PASSED ")),
        "{}",
        output.transcript()
    );
}

#[test]
fn line_2_5() {
    a_line_from_end_to_end("2.5.2");
}

#[test]
fn line_2_6() {
    a_line_from_end_to_end("2.6.3");
}

#[test]
fn line_2_7() {
    a_line_from_end_to_end("2.7.3");
}

#[test]
fn line_2_8() {
    a_line_from_end_to_end("2.8.3");
}

#[test]
fn line_2_9() {
    a_line_from_end_to_end("2.9.0");
}

/// A job goes through two relays, one behind the other, on the first line that has them and the newest.
#[test]
fn relays() {
    for release in ["2.6.3", "2.9.0"] {
        let world = world(release);
        let project = format!(
            "api_version: 3
name: example_project
participants:
- {{name: server, type: server, org: nvidia, fed_learn_port: {}, admin_port: {}}}
- {{name: admin@nvidia.com, type: admin, org: nvidia, role: project_admin}}
- {{name: near, type: relay, org: nvidia, listening_host: {{port: {}, connection_security: mtls}}}}
- {{name: far, type: relay, org: nvidia, listening_host: {{scheme: http, port: {}}}, connect_to: {{name: near}}}}
- {{name: site-1, type: client, org: nvidia, connect_to: {{name: far}}}}
- {{name: site-2, type: client, org: nvidia}}
",
            world.port(),
            world.admin_port(),
            world.further_port(),
            world.further_port(),
        );
        fs_err::write(world.root().join("relays.yml"), project).unwrap();
        world.poc(["prepare", "-i", "relays.yml"]).success();
        world.poc(["start"]).success();
        let status = world.poc(["status", "--format", "json"]).success().data();
        let running = status["participants"].as_array().unwrap().iter();
        let running = running.filter(|one| one["state"] == "running");
        assert_eq!(running.count(), 5, "{status}");
        let federation = Federation::running(&world);
        assert_eq!(federation.clients(), ["site-1", "site-2"]);
        let job = federation.submit(Job::Counting);
        federation.wait_completed(&[&job]);
        federation.assert_counted(&job);
        // Both had been let in; without them site-1 would have been cut off.
        let connected = |relay: &str| {
            let log = fs_err::read_to_string(world.kit(relay).join("poc_console.log"));
            log.unwrap().contains("Started relay")
        };
        assert!(connected("near") && connected("far"));
        world.poc(["stop"]).success();
        world.assert_nothing_left();
    }
}

/// However the processes are started, and whatever the path: a job runs. Newer lines are tested for
/// this with every other test.
#[test]
fn the_oldest_line_in_a_path_with_a_space() {
    for spawn in ["exec", "fork"] {
        let world = poc_test!().with_release("2.5.2");
        let ports = ports(&world, "2.5.2");
        world
            .poc(["prepare", "-n", "2", "--ports", &ports])
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

/// Kits of one line, and a Python of another: refused before anything starts, with both named.
#[test]
fn kits_of_another_line() {
    let world = world("2.8.3");
    for line in ["2.5", "2.6", "2.7", "2.9"] {
        world
            .poc(["prepare", "--force", "--flare-version", line])
            .success();
        let output = world.poc(["start", "--format", "json"]).code(4);
        assert_eq!(output.error_code(), "RUNTIME_MISMATCH");
        let said = format!("{} {}", output.json()["message"], output.json()["hint"]);
        assert!(said.contains("2.8.3") && said.contains(line), "{said}");
        assert!(
            said.contains("poc runtime install") && said.contains("poc prepare --force"),
            "{said}"
        );
        world.assert_nothing_left();
    }
}
