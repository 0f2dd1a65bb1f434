//! NVFlare's own tools on a POC of ours, and `poc` on a POC of theirs.

use poc_tests::{Federation, Job, SHORT, poc_test, wait_for};

#[test]
fn nvflares_tools_on_a_poc_of_ours() {
    let world = poc_test!().with_flare().with_workspace("poc");
    let port = world.port().to_string();
    world
        .poc(["prepare", "-n", "3", "--ports", &port])
        .success();
    let preflight = |kit: &str| {
        let package = world.kit(kit);
        let output = world
            .nvflare([
                "--format",
                "json",
                "preflight-check",
                "-p",
                package.as_str(),
            ])
            .run();
        let answer = output
            .stdout
            .lines()
            .find(|line| line.starts_with('{'))
            .unwrap_or_default();
        let answer: serde_json::Value = serde_json::from_str(answer).unwrap_or_default();
        assert_eq!(
            answer["data"]["overall"],
            "pass",
            "{kit}: {}",
            output.transcript()
        );
    };
    // The server's check wants its ports free; the others' want a server.
    preflight("server");

    // site-3 stays away: its check logs in as site-3, which would break the one that runs.
    world.poc(["start", "-ex", "site-3"]).success();
    preflight("admin@nvidia.com");
    preflight("site-3");

    let status = world
        .nvflare(["--format", "json", "system", "status"])
        .success()
        .data();
    let mut names: Vec<_> = status["clients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|client| client["client_name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert!(names.starts_with(&["site-1", "site-2"]), "{status}");
    let kits = world
        .nvflare(["--format", "json", "config", "list"])
        .success()
        .data();
    assert!(
        kits.as_array()
            .unwrap()
            .iter()
            .all(|kit| kit["status"] == "ok"),
        "{kits}"
    );

    // And NVFlare's own stop, while a job runs.
    let folder = Job::Waiting.directory(&world);
    let submitted = world
        .nvflare(["--format", "json", "job", "submit", "-j", folder.as_str()])
        .success()
        .data();
    Federation::running(&world).wait_running(submitted["job_id"].as_str().unwrap());
    let stopped = world
        .nvflare(["--format", "json", "poc", "stop"])
        .success()
        .data();
    assert_eq!(stopped["status"], "stopped", "{stopped}");
    assert_eq!(
        stopped["active_job_ids"][0], submitted["job_id"],
        "{stopped}"
    );
    wait_for("everything ends after NVFlare's stop", SHORT, || {
        world.processes().is_empty().then_some(())
    });
    let status = world.poc(["status", "--format", "json"]).success().data();
    assert_eq!(status["state"], "stopped", "{status}");
    world.assert_nothing_left();
}

#[test]
fn poc_on_what_nvflare_prepared_and_started() {
    let world = poc_test!().with_flare().with_workspace("poc");
    let port = world.port();
    let project = format!(
        "api_version: 3
name: example_project
description: NVFlare's own
participants:
- {{name: server, type: server, org: nvidia, fed_learn_port: {port}, admin_port: {port}, default_host: localhost}}
- {{name: admin@nvidia.com, type: admin, org: nvidia, role: project_admin}}
- {{name: site-1, type: client, org: nvidia}}
- {{name: site-2, type: client, org: nvidia}}
builders:
- {{path: nvflare.lighter.impl.workspace.WorkspaceBuilder}}
- {{path: nvflare.lighter.impl.static_file.StaticFileBuilder, args: {{config_folder: config}}}}
- {{path: nvflare.lighter.impl.cert.CertBuilder}}
- {{path: nvflare.lighter.impl.signature.SignatureBuilder}}
"
    );
    fs_err::write(world.root().join("project.yml"), project).unwrap();
    world
        .nvflare(["poc", "prepare", "-i", "project.yml"])
        .success();
    // Its scripts go on writing where NVFlare's start was told to write.
    let before = world.poc(["status", "--format", "json"]).success().data();
    assert_eq!(before["state"], "stopped", "{before}");
    world
        .nvflare(["--format", "json", "poc", "start"])
        .success();

    let status = world.poc(["status", "--format", "json"]).success().data();
    assert_eq!(status["state"], "running", "{status}");
    for participant in status["participants"].as_array().unwrap() {
        if participant["role"] != "admin" {
            assert_eq!(participant["state"], "running", "{status}");
            assert!(
                participant["pid"].is_u64() && participant["daemon_pid"].is_u64(),
                "{status}"
            );
        }
    }
    world.poc(["prepare", "--force"]).code(4);
    world.poc(["clean"]).code(4);
    let logs = world.poc(["logs", "server"]).success().stdout;
    assert!(logs.contains("Server started"), "{logs}");

    let job = Federation::running(&world).submit(Job::Waiting);
    Federation::running(&world).wait_running(&job);
    let stopped = world.poc(["stop", "--format", "json"]).success().data();
    assert!(
        stopped.to_string().contains(&job),
        "the job's end is not reported: {stopped}"
    );
    world.assert_nothing_left();

    // Its kits run under our supervisor as well.
    world.poc(["start"]).success();
    assert_eq!(Federation::running(&world).clients(), ["site-1", "site-2"]);
    world.poc(["stop"]).success();
    world.assert_nothing_left();

    world.poc(["clean"]).success();
    assert!(!world.workspace().exists());
    let config = fs_err::read_to_string(world.config()).unwrap_or_default();
    assert!(!config.contains("admin@nvidia.com"), "{config}");
}
