//! Certificates, as the `openssl` command and the real NVFlare see them.

use poc_tests::{Federation, Job, PocTest, poc_test};
use serde_json::Value;

/// What `openssl verify` says of a participant's certificate under its kit's root; `None` where this
/// machine has no such command.
fn openssl_verify(world: &PocTest, name: &str) -> Option<String> {
    let startup = world.kit(name).join("startup");
    let leaf = if name == "server" {
        "server.crt"
    } else {
        "client.crt"
    };
    let run = std::process::Command::new("openssl")
        .args(["verify", "-x509_strict", "-CAfile"])
        .args([startup.join("rootCA.pem"), startup.join(leaf)])
        .output();
    match run {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    }
}

fn certs(world: &PocTest) -> Value {
    world.poc(["certs", "--format", "json"]).success().data()
}

#[test]
fn renewed_certificates_work() {
    let world = poc_test!().with_flare();
    let federation = Federation::start(&world, 2);
    let before = certs(&world);
    let names: Vec<&str> = before["certificates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "example_project",
            "server",
            "admin@nvidia.com",
            "org-admin@nvidia.com",
            "lead@nvidia.com",
            "site-1",
            "site-2"
        ]
    );
    // Who runs goes on with what it has: that is said, and nothing is changed.
    let output = world.poc(["certs", "renew", "--format", "json"]).code(4);
    assert_eq!(output.error_code(), "STILL_RUNNING");
    assert_eq!(certs(&world)["certificates"], before["certificates"]);
    world.poc(["stop"]).success();

    let output = world.poc(["certs", "renew"]).success();
    assert!(output.text().contains("site-2"), "{}", output.transcript());
    let after = certs(&world);
    assert_eq!(after["problems"], serde_json::json!([]));
    for (old, new) in before["certificates"]
        .as_array()
        .unwrap()
        .iter()
        .zip(after["certificates"].as_array().unwrap())
    {
        assert_eq!(old["name"], new["name"]);
        assert_ne!(old["fingerprint"], new["fingerprint"]);
    }
    for name in ["server", "site-1", "admin@nvidia.com"] {
        let verdict = openssl_verify(&world, name);
        assert!(
            verdict.as_ref().is_none_or(|said| said.ends_with(": OK")),
            "{verdict:?}"
        );
    }
    world.poc(["start"]).success();
    assert_eq!(federation.clients(), ["site-1", "site-2"]);
    let job = federation.submit(Job::Counting);
    federation.wait_completed(&[&job]);
    federation.assert_counted(&job);
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}

/// What the user asks to keep is kept, and what went is named.
#[test]
fn preparing_again_says_what_it_kept_and_what_it_replaced() {
    let world = poc_test!();
    world.poc(["prepare", "-n", "3"]).success();
    let root = || fs_err::read_to_string(world.kit("server").join("startup/rootCA.pem")).unwrap();
    let old = root();
    let output = world
        .poc(["prepare", "-n", "1", "--force", "--keep-ca"])
        .success();
    for word in [
        "a POC (example_project with 3 sites)",
        "of the authority that was there",
    ] {
        assert!(output.text().contains(word), "{}", output.transcript());
    }
    assert_eq!(root(), old);
    let data = world
        .poc(["prepare", "--force", "--format", "json"])
        .success()
        .data();
    assert_eq!(data["authority_kept"], false);
    assert_eq!(data["replaced"], "a POC (example_project with 1 site)");
    assert_ne!(root(), old);
}
