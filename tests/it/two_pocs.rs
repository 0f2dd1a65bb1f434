//! Two POCs at once share nothing.

use poc_tests::{Federation, PocTest, Run, poc_test};
use serde_json::Value;

/// `poc` on one of two workspaces.
fn poc(world: &PocTest, workspace: &str, args: &[&str]) -> Run {
    world.poc(args).args(["--workspace", workspace])
}

#[test]
fn side_by_side() {
    let world = poc_test!().with_flare();
    let mut ports = Vec::new();
    for workspace in ["un", "deux é"] {
        let prepared = poc(
            &world,
            workspace,
            &["prepare", "-n", "1", "--ports", "auto", "--format", "json"],
        )
        .success();
        ports.push(prepared.data()["ports"]["fed_learn"].as_u64().unwrap());
        poc(&world, workspace, &["start"]).success();
    }
    assert_ne!(ports[0], ports[1]);

    let status = |workspace: &str| -> Value {
        poc(&world, workspace, &["status", "--format", "json"])
            .success()
            .data()
    };
    for workspace in ["un", "deux é"] {
        assert_eq!(status(workspace)["state"], "running");
        let job = poc(&world, workspace, &["config", "--format", "json"]).success();
        assert!(job.stdout.contains(workspace));
    }
    // Each with its own site, although both sites have the same name.
    let pids = |status: &Value| -> Vec<u64> {
        status["participants"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| one["pid"].as_u64())
            .collect()
    };
    let (one, two) = (pids(&status("un")), pids(&status("deux é")));
    assert_eq!((one.len(), two.len()), (2, 2));
    assert!(one.iter().all(|pid| !two.contains(pid)), "{one:?} {two:?}");

    // Stopping one leaves the other as it was.
    poc(&world, "un", &["stop"]).success();
    assert_eq!(status("un")["state"], "stopped");
    assert_eq!(pids(&status("deux é")), two);
    poc(&world, "un", &["clean"]).success();
    assert_eq!(pids(&status("deux é")), two);
    poc(&world, "deux é", &["stop"]).success();
    world.assert_nothing_left();
}

#[test]
fn a_port_that_is_taken_is_found_before_anything_starts() {
    let world = poc_test!().with_flare();
    let port = world.port();
    world
        .poc(["prepare", "--ports", &port.to_string()])
        .success();
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();

    let output = world.poc(["start", "--format", "json"]).code(4);
    assert_eq!(output.error_code(), "PORT_IN_USE");
    let message = output.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&port.to_string()), "{message}");
    // Its holder is this test.
    assert!(
        message.contains(&std::process::id().to_string()),
        "{message}"
    );
    world.assert_nothing_left();
    assert!(!world.kit("server").join("poc_console.log").exists());

    // Only a listening socket counts: not one that has just been closed with a connection in it.
    let client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (server_side, _) = listener.accept().unwrap();
    drop((listener, server_side));
    drop(client);
    world.poc(["start", "-p", "server"]).success();
    assert!(Federation::running(&world).clients().is_empty());
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}
