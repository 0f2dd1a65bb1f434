//! A POC that gets one participant more, and one less, while it runs.

use poc_tests::{Federation, Job, PocTest, poc_test};
use serde_json::Value;

/// The sites that the server knows, asked by that user.
#[track_caller]
fn clients_as(world: &PocTest, user: &str) -> Value {
    let kit = world.kit(user);
    let answer = world
        .python("flare_api.py", [kit.as_str(), "clients"])
        .success();
    serde_json::from_str(&answer.stdout).unwrap()
}

#[test]
fn a_running_federation_gets_a_site_and_a_user_and_loses_them_again() {
    let world = poc_test!().with_flare();
    let federation = Federation::start(&world, 1);
    let pid = |name: &str| {
        let status = world.poc(["status", "--format", "json"]).success().data();
        let participants = status["participants"].as_array().unwrap().clone();
        participants
            .into_iter()
            .find(|it| it["name"] == name)
            .map(|it| it["pid"].clone())
    };
    let (server, first) = (pid("server"), pid("site-1"));

    let added = world.poc(["add-site", "site-2"]).success();
    assert!(
        added.text().contains("`poc start -p site-2`"),
        "{}",
        added.transcript()
    );
    assert_eq!(federation.clients(), ["site-1"]);
    world.poc(["start", "-p", "site-2"]).success();
    assert_eq!(federation.clients(), ["site-1", "site-2"]);
    // It needs two sites: it reaches the new one.
    let job = federation.submit(Job::Counting);
    federation.wait_completed(&[&job]);
    federation.assert_counted(&job);
    assert!(world.kit("site-2").join(&job).is_dir());
    assert_eq!(
        (pid("server"), pid("site-1")),
        (server, first),
        "the others went on running"
    );

    let added = world
        .poc([
            "add-user",
            "lead",
            "mia@example.org",
            "--org",
            "nvidia",
            "--format",
            "json",
        ])
        .success()
        .data();
    assert_eq!(added["admin_role"], "lead");
    assert_eq!(added["registered_as"], "mia@example.org");
    assert_eq!(
        clients_as(&world, "mia@example.org"),
        serde_json::json!(["site-1", "site-2"])
    );
    let kits = world
        .nvflare(["--format", "json", "config", "list"])
        .success()
        .data();
    let known = |kits: &Value| {
        kits.as_array()
            .unwrap()
            .iter()
            .any(|kit| kit["id"] == "mia@example.org" && kit["status"] == "ok")
    };
    assert!(known(&kits), "{kits}");

    // One that runs is not pulled from under its process; one that was stopped first is.
    let refused = world.poc(["remove", "site-2", "--format", "json"]);
    let refused = refused.code(4);
    assert!(refused.error_code() == "INVALID_ARGS" || refused.error_code() == "STILL_RUNNING");
    assert!(pid("site-2").is_some_and(|pid| pid.is_u64()));
    let removed = world.poc(["remove", "site-2", "--force"]).success();
    for word in ["stopped first", "not revoked", "removed/site-2"] {
        assert!(removed.text().contains(word), "{}", removed.transcript());
    }
    let kept = world.workspace().join("example_project/removed/site-2");
    assert!(kept.join(&job).is_dir(), "the results of the job are kept");
    assert_eq!(pid("site-2"), None);
    assert_eq!(federation.clients(), ["site-1"]);
    world.poc(["remove", "mia@example.org"]).success();
    let kits = world
        .nvflare(["--format", "json", "config", "list"])
        .success()
        .data();
    assert!(!known(&kits), "{kits}");

    // The name can come back, with another key.
    world.poc(["add-site", "site-2"]).success();
    world.poc(["start", "-p", "site-2"]).success();
    assert_eq!(federation.clients(), ["site-1", "site-2"]);
    world.poc(["stop"]).success();
    world.assert_nothing_left();
    world.poc(["start"]).success();
    assert_eq!(federation.clients(), ["site-1", "site-2"]);
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}

#[test]
fn nvflares_own_commands_add_to_a_poc_of_ours() {
    let world = poc_test!().with_flare().with_workspace("poc");
    let port = world.port().to_string();
    world
        .poc(["prepare", "-n", "1", "--ports", &port])
        .success();
    // New certificates make no difference to them: the root lives exactly as long as they ask for.
    world.poc(["certs", "renew"]).success();
    let added = world
        .nvflare(["--format", "json", "poc", "add-site", "theirs"])
        .success()
        .data();
    assert_eq!(added["status"], "added", "{added}");
    let added = world
        .nvflare([
            "--format",
            "json",
            "poc",
            "add-user",
            "member",
            "eve@example.org",
        ])
        .success()
        .data();
    assert_eq!(added["status"], "added", "{added}");
    // And ours go on from there.
    world.poc(["add-site", "ours"]).success();
    let output = world
        .poc(["add-site", "theirs", "--format", "json"])
        .code(4);
    assert!(
        output.text().contains("takes part already"),
        "{}",
        output.transcript()
    );

    let certs = world.poc(["certs", "--format", "json"]).success().data();
    assert_eq!(certs["problems"], serde_json::json!([]));
    world.poc(["start"]).success();
    let federation = Federation::running(&world);
    assert_eq!(federation.clients(), ["ours", "site-1", "theirs"]);
    assert_eq!(
        clients_as(&world, "eve@example.org"),
        serde_json::json!(["ours", "site-1", "theirs"])
    );
    world.poc(["stop"]).success();
    world.assert_nothing_left();
    world.poc(["remove", "theirs", "--force"]).success();
    let added = world
        .nvflare(["--format", "json", "poc", "add-site", "theirs"])
        .success()
        .data();
    assert_eq!(added["status"], "added", "{added}");
}

#[test]
fn ours_add_to_a_poc_of_nvflares() {
    let world = poc_test!().with_flare().with_workspace("poc");
    let port = world.port();
    let project = format!(
        "api_version: 3
name: example_project
participants:
- {{name: server, type: server, org: nvidia, fed_learn_port: {port}, admin_port: {port}, default_host: localhost}}
- {{name: admin@nvidia.com, type: admin, org: nvidia, role: project_admin}}
- {{name: site-1, type: client, org: nvidia}}
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
    world.poc(["add-site", "site-2"]).success();
    world
        .poc(["add-user", "org_admin", "otto@example.org"])
        .success();
    let kits = world
        .nvflare(["--format", "json", "config", "list"])
        .success()
        .data();
    assert!(kits.to_string().contains("otto@example.org"), "{kits}");
    assert_eq!(
        world.poc(["certs", "--format", "json"]).success().data()["problems"],
        serde_json::json!([])
    );
    world.poc(["certs", "renew"]).success();

    // NVFlare reads the project that was written, and adds to it.
    let added = world
        .nvflare(["--format", "json", "poc", "add-site", "site-3"])
        .success()
        .data();
    assert_eq!(added["status"], "added", "{added}");
    world.poc(["start"]).success();
    let names = serde_json::json!(["site-1", "site-2", "site-3"]);
    assert_eq!(clients_as(&world, "otto@example.org"), names);
    world.poc(["stop"]).success();
    world.assert_nothing_left();
    world.poc(["remove", "site-2", "--force"]).success();
    world.poc(["clean"]).success();
}

#[test]
fn what_cannot_be_added_or_removed_is_said_at_once() {
    let world = poc_test!();
    let output = world
        .poc(["add-site", "site-3", "--format", "json"])
        .code(4);
    assert_eq!(output.error_code(), "NOT_PREPARED");
    world.poc(["prepare"]).success();
    for (args, word) in [
        (&["add-site", "../site-3"][..], "begins with"),
        (&["add-site", "site 3"], "is not a name"),
        (&["add-site", "site-1"], "--force"),
        (&["add-site", "server", "--force"], "as the server"),
        (
            &["add-user", "project_admin", "mia@example.org"],
            "org_admin",
        ),
        (&["add-user", "lead", "mia"], "e-mail address"),
        (&["remove", "server"], "cannot do without"),
        (&["remove", "admin@nvidia.com"], "cannot do without"),
        (&["remove", "site1"], "did you mean `site-1`?"),
        (
            &["remove", "site-1", "--org", "acme"],
            "is of the organisation nvidia",
        ),
    ] {
        let output = world.poc(args).code(4);
        assert!(
            output.text().contains(word),
            "{args:?}: {}",
            output.transcript()
        );
    }
}
