//! Kits against the real thing: somebody else's verifier, and kits that NVFlare itself made from the
//! same project.yml.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use poc_tests::{Federation, PocTest, SHORT, Tree, poc_test, wait_for};
use serde_json::Value;

/// One server, two sites and three admins, as NVFlare 2.9 writes its default project.
fn project(port: u16) -> String {
    format!(
        "api_version: 3
name: example_project
description: the same for both
participants:
- {{name: server, type: server, org: nvidia, fed_learn_port: {port}, admin_port: {port}, default_host: localhost}}
- {{name: admin@nvidia.com, type: admin, org: nvidia, role: project_admin}}
- {{name: org-admin@nvidia.com, type: admin, org: nvidia, role: org_admin}}
- {{name: lead@nvidia.com, type: admin, org: nvidia, role: lead}}
- {{name: site-1, type: client, org: nvidia}}
- {{name: site-2, type: client, org: hospital}}
builders:
- {{path: nvflare.lighter.impl.workspace.WorkspaceBuilder, args: {{template_file: [master_template.yml]}}}}
- {{path: nvflare.lighter.impl.static_file.StaticFileBuilder, args: {{config_folder: config}}}}
- {{path: nvflare.lighter.impl.cert.CertBuilder}}
- {{path: nvflare.lighter.impl.signature.SignatureBuilder}}
"
    )
}

/// A world where `poc` has prepared `ours` and NVFlare `theirs`, both from one file.
fn both() -> (PocTest, Utf8PathBuf, Utf8PathBuf) {
    let world = poc_test!().with_flare();
    fs_err::write(world.root().join("same.yml"), project(world.port())).unwrap();
    let (ours, theirs) = (world.root().join("ours"), world.root().join("theirs"));
    world
        .poc(["prepare", "-i", "same.yml"])
        .env("NVFLARE_POC_WORKSPACE", &ours)
        .success();
    world
        .nvflare(["poc", "prepare", "-i", "same.yml"])
        .env("NVFLARE_POC_WORKSPACE", &theirs)
        .success();
    (world, ours, theirs)
}

/// Every path of a JSON value, as `a.b[].c`, with `"path"` values, since these name Python classes.
fn shape(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let at = format!("{at}.{key}");
                if key == "path" {
                    into.insert(format!("{at} = {value}"));
                }
                into.insert(at.clone());
                shape(value, &at, into);
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| shape(item, &format!("{at}[]"), into)),
        _ => {}
    }
}

#[test]
fn names_and_json_keys_are_those_of_nvflares_own_kits() {
    let (_world, ours, theirs) = both();
    let names = |workspace: &Utf8Path| -> BTreeSet<Utf8PathBuf> {
        let tree = Tree::of(workspace);
        tree.paths()
            .filter(|path| !path.starts_with(".poc"))
            .map(Into::into)
            .collect()
    };
    assert_eq!(names(&ours), names(&theirs));

    for name in names(&theirs)
        .iter()
        // The CA's file has names for keys, see below; a notebook's metadata are its editor's.
        .filter(|name| !name.as_str().ends_with("cert.json") && name.extension() != Some("ipynb"))
    {
        let parse = |workspace: &Utf8Path| {
            let text = fs_err::read_to_string(workspace.join(name)).unwrap_or_default();
            let mut keys = BTreeSet::new();
            serde_json::from_str(&text).ok().map(|value| {
                shape(&value, "", &mut keys);
                keys
            })
        };
        assert_eq!(parse(&ours), parse(&theirs), "{name}");
    }
    // The CA's file has one entry for each certificate.
    let keys = |workspace: &Utf8Path| -> BTreeSet<String> {
        let text =
            fs_err::read_to_string(workspace.join("example_project/state/cert.json")).unwrap();
        let value: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
        value.into_keys().collect()
    };
    assert_eq!(keys(&ours), keys(&theirs));
}

#[test]
fn the_project_that_both_keep_means_the_same() {
    let (world, ours, theirs) = both();
    let load = |workspace: &Utf8Path| {
        let file = workspace.join("project.yml");
        world
            .python("yaml_as_json.py", [file.as_str()])
            .success()
            .stdout
    };
    assert_eq!(load(&ours), load(&theirs));
}

#[test]
fn modes_keep_keys_private_and_scripts_executable() {
    let world = poc_test!();
    world.poc(["prepare"]).success();
    let tree = Tree::of(world.workspace());
    for (path, mode) in tree.modes() {
        let expected: &[u32] = if world.workspace().join(path).is_dir() {
            &[0o700]
        } else if path.extension() == Some("key") || path.ends_with("cert.json") {
            &[0o600]
        } else if path.extension() == Some("sh") {
            &[0o700, 0o755]
        } else {
            &[0o600, 0o644]
        };
        assert!(expected.contains(&mode), "{path} has mode {mode:o}");
    }
}

#[test]
fn openssl_verifies_every_certificate_strictly() {
    let (world, ours, _) = both();
    let mut verified = 0;
    for kit in ours
        .join("example_project/prod_00")
        .read_dir_utf8()
        .unwrap()
    {
        let startup = kit.unwrap().into_path().join("startup");
        for role in ["server", "client"] {
            let (certificate, key) = (
                startup.join(format!("{role}.crt")),
                startup.join(format!("{role}.key")),
            );
            if !certificate.exists() {
                continue;
            }
            let openssl = |args: &[&str]| world.program("openssl").args(args).success().stdout;
            let root = startup.join("rootCA.pem");
            openssl(&[
                "verify",
                "-x509_strict",
                "-purpose",
                "any",
                "-CAfile",
                root.as_str(),
                certificate.as_str(),
            ]);
            // The key is this certificate's, RSA with 2048 bits, and well made.
            let public = openssl(&["x509", "-in", certificate.as_str(), "-noout", "-pubkey"]);
            assert_eq!(openssl(&["pkey", "-in", key.as_str(), "-pubout"]), public);
            openssl(&["rsa", "-in", key.as_str(), "-check", "-noout"]);
            let text = openssl(&["x509", "-in", certificate.as_str(), "-noout", "-text"]);
            assert!(text.contains("Public-Key: (2048 bit)"), "{text}");
            assert!(text.contains("sha256WithRSAEncryption"), "{text}");
            verified += 1;
        }
    }
    assert_eq!(verified, 6, "one server, two sites, three admins");
}

#[test]
fn subjects_and_names_are_those_of_nvflares_own_certificates() {
    let (world, ours, theirs) = both();
    let describe = |workspace: &Utf8Path, certificate: &str| {
        let file = workspace.join("example_project/prod_00").join(certificate);
        world
            .python("certificate.py", [file.as_str()])
            .success()
            .stdout
    };
    for certificate in [
        "server/startup/rootCA.pem",
        "site-2/startup/client.crt",
        "admin@nvidia.com/startup/client.crt",
        "lead@nvidia.com/startup/client.crt",
    ] {
        assert_eq!(
            describe(&ours, certificate),
            describe(&theirs, certificate),
            "{certificate}"
        );
    }
    // The server's names: NVFlare's, and the loopback's, so that strict clients find it too.
    let server = "server/startup/server.crt";
    let (ours, theirs) = (describe(&ours, server), describe(&theirs, server));
    for line in theirs.lines().filter(|line| !line.starts_with("name")) {
        assert!(ours.contains(line), "{line} is missing:\n{ours}");
    }
    for name in ["name DNS localhost", "name DNS server"] {
        assert!(ours.contains(name), "{ours}");
    }
}

#[test]
fn the_authority_is_new_each_time_unless_it_is_kept() {
    let world = poc_test!();
    let authority =
        || fs_err::read_to_string(world.kit("site-1").join("startup/rootCA.pem")).unwrap();
    world.poc(["prepare"]).success();
    let first = authority();
    world
        .poc(["prepare", "-n", "3", "--force", "--keep-ca"])
        .success();
    assert_eq!(authority(), first);
    world.poc(["prepare", "--force"]).success();
    assert_ne!(authority(), first);
}

#[test]
fn jobs_and_snapshots_lie_in_the_workspace() {
    let world = poc_test!();
    world.poc(["prepare"]).success();
    let server = world.kit("server").join("local");
    let text = fs_err::read_to_string(server.join("resources.json")).unwrap();
    let resources: Value = serde_json::from_str(&text).unwrap();
    let jobs = resources["components"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["id"] == "job_manager")
        .unwrap();
    assert_eq!(
        jobs["args"]["uri_root"],
        world.workspace().join("jobs-storage").as_str()
    );
    assert_eq!(
        resources["snapshot_persistor"]["args"]["storage"]["args"]["root_dir"],
        world.workspace().join("snapshot-storage").as_str()
    );
}

/// The scripts of a kit work without `poc`, as NVFlare's do; and `poc` sees, and can stop, what they
/// started.
#[test]
fn scripts_started_by_hand() {
    let world = poc_test!().with_flare();
    let port = world.port().to_string();
    world
        .poc(["prepare", "-n", "1", "--ports", &port])
        .success();
    // As somebody would who has activated the virtual environment.
    let path = format!("{}:/usr/bin:/bin", world.python_path().parent().unwrap());
    let script = |kit: &str, name: &str| {
        // In the background it goes on writing to the terminal that it was started from.
        let script = world.kit(kit).join("startup").join(name);
        let line = ["-c", "\"$0\" >/dev/null 2>&1", script.as_str()];
        world
            .program("/bin/sh")
            .args(line)
            .env("PATH", &path)
            .env_remove("POC_PYTHON")
    };
    for kit in ["server", "site-1"] {
        script(kit, "start.sh").success();
    }
    wait_for("the site registers", 3 * SHORT, || {
        let log = fs_err::read_to_string(world.kit("server").join("log.txt")).unwrap_or_default();
        log.contains("New client site-1").then_some(())
    });
    assert_eq!(Federation::running(&world).clients(), ["site-1"]);

    let status = world.poc(["status", "--format", "json"]).success().data();
    assert_eq!(status["state"], "running", "{status}");
    let message = world.poc(["start", "-p", "site-1"]).code(4).stderr;
    assert!(
        message.contains("There seems to be one instance, pid="),
        "{message}"
    );

    script("site-1", "stop_fl.sh").input("y\n").success();
    wait_for("the site has gone", 3 * SHORT, || {
        let alive = world
            .processes()
            .iter()
            .any(|process| process.command.contains("prod_00/site-1"));
        (!alive).then_some(())
    });
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}
