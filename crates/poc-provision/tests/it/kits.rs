//! What is in the kits.

use camino::Utf8Path;
use poc_core::project::{Kind, Project};
use poc_core::{Line, Listen};
use serde_json::Value;

use crate::support::{Scene, listing, project};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_workspace_is_its_owners_alone() {
    let (scene, _) = Scene::prepared();
    insta::assert_snapshot!(listing(scene.workspace.root()).join("\n"), @r#"
    0700 .poc/
    0600 .poc/manifest.json
    0700 data/
    0700 example_project/
    0700 example_project/prod_00/
    0700 example_project/prod_00/admin@nvidia.com/
    0700 example_project/prod_00/admin@nvidia.com/local/
    0644 example_project/prod_00/admin@nvidia.com/local/resources.json.default
    0700 example_project/prod_00/admin@nvidia.com/startup/
    0644 example_project/prod_00/admin@nvidia.com/startup/client.crt
    0600 example_project/prod_00/admin@nvidia.com/startup/client.key
    0644 example_project/prod_00/admin@nvidia.com/startup/fed_admin.json
    0755 example_project/prod_00/admin@nvidia.com/startup/fl_admin.sh
    0644 example_project/prod_00/admin@nvidia.com/startup/readme.txt
    0644 example_project/prod_00/admin@nvidia.com/startup/rootCA.pem
    0644 example_project/prod_00/admin@nvidia.com/startup/system_info.ipynb
    0700 example_project/prod_00/admin@nvidia.com/transfer/
    0700 example_project/prod_00/lead@nvidia.com/
    0700 example_project/prod_00/lead@nvidia.com/local/
    0644 example_project/prod_00/lead@nvidia.com/local/resources.json.default
    0700 example_project/prod_00/lead@nvidia.com/startup/
    0644 example_project/prod_00/lead@nvidia.com/startup/client.crt
    0600 example_project/prod_00/lead@nvidia.com/startup/client.key
    0644 example_project/prod_00/lead@nvidia.com/startup/fed_admin.json
    0755 example_project/prod_00/lead@nvidia.com/startup/fl_admin.sh
    0644 example_project/prod_00/lead@nvidia.com/startup/readme.txt
    0644 example_project/prod_00/lead@nvidia.com/startup/rootCA.pem
    0644 example_project/prod_00/lead@nvidia.com/startup/system_info.ipynb
    0700 example_project/prod_00/lead@nvidia.com/transfer/
    0700 example_project/prod_00/org-admin@nvidia.com/
    0700 example_project/prod_00/org-admin@nvidia.com/local/
    0644 example_project/prod_00/org-admin@nvidia.com/local/resources.json.default
    0700 example_project/prod_00/org-admin@nvidia.com/startup/
    0644 example_project/prod_00/org-admin@nvidia.com/startup/client.crt
    0600 example_project/prod_00/org-admin@nvidia.com/startup/client.key
    0644 example_project/prod_00/org-admin@nvidia.com/startup/fed_admin.json
    0755 example_project/prod_00/org-admin@nvidia.com/startup/fl_admin.sh
    0644 example_project/prod_00/org-admin@nvidia.com/startup/readme.txt
    0644 example_project/prod_00/org-admin@nvidia.com/startup/rootCA.pem
    0644 example_project/prod_00/org-admin@nvidia.com/startup/system_info.ipynb
    0700 example_project/prod_00/org-admin@nvidia.com/transfer/
    0700 example_project/prod_00/server/
    0700 example_project/prod_00/server/local/
    0644 example_project/prod_00/server/local/authorization.json.default
    0644 example_project/prod_00/server/local/log_config.json.default
    0644 example_project/prod_00/server/local/privacy.json.sample
    0644 example_project/prod_00/server/local/resources.json
    0644 example_project/prod_00/server/local/resources.json.default
    0644 example_project/prod_00/server/readme.txt
    0700 example_project/prod_00/server/startup/
    0644 example_project/prod_00/server/startup/fed_server.json
    0644 example_project/prod_00/server/startup/rootCA.pem
    0644 example_project/prod_00/server/startup/server.crt
    0600 example_project/prod_00/server/startup/server.key
    0755 example_project/prod_00/server/startup/start.sh
    0755 example_project/prod_00/server/startup/stop_fl.sh
    0755 example_project/prod_00/server/startup/sub_start.sh
    0700 example_project/prod_00/server/transfer/
    0700 example_project/prod_00/site-1/
    0700 example_project/prod_00/site-1/local/
    0644 example_project/prod_00/site-1/local/authorization.json.default
    0644 example_project/prod_00/site-1/local/log_config.json.default
    0644 example_project/prod_00/site-1/local/privacy.json.sample
    0644 example_project/prod_00/site-1/local/resources.json.default
    0644 example_project/prod_00/site-1/readme.txt
    0700 example_project/prod_00/site-1/startup/
    0644 example_project/prod_00/site-1/startup/client.crt
    0600 example_project/prod_00/site-1/startup/client.key
    0644 example_project/prod_00/site-1/startup/fed_client.json
    0644 example_project/prod_00/site-1/startup/rootCA.pem
    0755 example_project/prod_00/site-1/startup/start.sh
    0755 example_project/prod_00/site-1/startup/stop_fl.sh
    0755 example_project/prod_00/site-1/startup/sub_start.sh
    0700 example_project/prod_00/site-1/transfer/
    0700 example_project/state/
    0600 example_project/state/cert.json
    0644 project.yml
    "#);
}

#[test]
fn jobs_and_snapshots_are_stored_in_the_workspace() {
    let (scene, made) = Scene::prepared();
    let local = made.prod_dir.join("server/local");
    let mut active = json(&fs_err::read_to_string(local.join("resources.json")).unwrap());
    let default = json(&fs_err::read_to_string(local.join("resources.json.default")).unwrap());
    let root = scene.workspace.root();
    for (pointer, name) in [
        (
            "/snapshot_persistor/args/storage/args/root_dir",
            "snapshot-storage",
        ),
        ("/components/1/args/uri_root", "jobs-storage"),
    ] {
        let found = active.pointer_mut(pointer).unwrap();
        assert_eq!(*found, root.join(name).as_str());
        *found = default.pointer(pointer).unwrap().clone();
    }
    // Nothing else differs.
    assert_eq!(active, default);
}

#[test]
fn every_json_is_ascii_whatever_the_path() {
    let (scene, made) = Scene::prepared();
    assert!(!scene.workspace.root().as_str().is_ascii());
    let mut seen = 0;
    for line in listing(&made.prod_dir) {
        let bytes = fs_err::read(made.prod_dir.join(&line[5..])).unwrap_or_default();
        if bytes.starts_with(b"{") {
            assert!(bytes.is_ascii(), "{line}");
            seen += 1;
        }
    }
    assert!(seen > 10);
}

#[test]
fn a_capacity_reaches_the_resource_manager() {
    let scene = Scene::new();
    let text = r"
api_version: 3
name: capacity
participants:
  - {name: server, type: server, org: nvidia, fed_learn_port: 8102}
  - {name: admin@nvidia.com, type: admin, org: nvidia, role: project_admin}
  - {name: a, type: client, org: nvidia, capacity: {num_of_gpus: 2, mem_per_gpu_in_GiB: 16}}
builders:
  - {path: nvflare.lighter.impl.workspace.WorkspaceBuilder, args: {template_file: [master_template.yml]}}
  - {path: nvflare.lighter.impl.static_file.StaticFileBuilder, args: {config_folder: config, scheme: grpc}}
  - {path: nvflare.lighter.impl.cert.CertBuilder}
  - {path: nvflare.lighter.impl.signature.SignatureBuilder}
";
    let project = Project::parse(text, Utf8Path::new("project.yml"))
        .unwrap()
        .project;
    let made = scene.provision(&project, |_| ()).unwrap();
    let resources = json(
        &fs_err::read_to_string(made.prod_dir.join("a/local/resources.json.default")).unwrap(),
    );
    assert_eq!(resources["components"][0]["args"]["num_of_gpus"], 2);
    assert_eq!(resources["components"][0]["args"]["mem_per_gpu_in_GiB"], 16);

    let client =
        json(&fs_err::read_to_string(made.prod_dir.join("a/startup/fed_client.json")).unwrap());
    assert_eq!(
        client["servers"][0]["service"],
        serde_json::json!({"target": "localhost:8102", "scheme": "grpc"})
    );
    let admin = json(
        &fs_err::read_to_string(
            made.prod_dir
                .join("admin@nvidia.com/startup/fed_admin.json"),
        )
        .unwrap(),
    );
    assert_eq!(
        (&admin["admin"]["port"], &admin["admin"]["scheme"]),
        (&8102.into(), &"grpc".into())
    );
}

#[test]
fn listening_everywhere_changes_the_servers_target_alone() {
    let scene = Scene::new();
    let made = scene
        .provision(&project(), |request| request.listen = Listen::All)
        .unwrap();
    let server = json(
        &fs_err::read_to_string(made.prod_dir.join("server/startup/fed_server.json")).unwrap(),
    );
    assert_eq!(server["servers"][0]["service"]["target"], "server:8002");
    let client = json(
        &fs_err::read_to_string(made.prod_dir.join("site-1/startup/fed_client.json")).unwrap(),
    );
    assert_eq!(client["servers"][0]["service"]["target"], "localhost:8002");
}

#[test]
fn the_project_can_be_read_back() {
    let (scene, _) = Scene::prepared();
    let path = scene.workspace.project_file();
    let back = Project::load(&path).unwrap();
    assert_eq!(
        back.project
            .clients()
            .map(|site| site.name.as_str())
            .collect::<Vec<_>>(),
        ["site-1"]
    );
    assert_eq!(back.warnings, [""; 0]);
    let Kind::Server(server) = &back.project.server().kind else {
        panic!("no server")
    };
    // NVFlare's own `poc add-site` takes it from here.
    assert_eq!(server.default_host.as_deref(), Some("localhost"));
}

#[test]
fn a_hundred_participants_are_no_problem() {
    let scene = Scene::new();
    let project = Project::poc_default(Line::V2_9, &Project::default_client_names(100)).unwrap();
    // The keys are what takes time; this is about files and their sync.
    let made = scene.provision(&project, |_| ()).unwrap();
    assert_eq!(made.kits.len(), 104);
    assert!(
        made.kits
            .iter()
            .all(|kit| kit.startup().join("rootCA.pem").is_file())
    );
}

#[test]
fn the_scripts_and_readmes_are_filled_in() {
    let (scene, made) = Scene::prepared();
    for line in listing(scene.workspace.root()) {
        let text =
            fs_err::read_to_string(scene.workspace.root().join(&line[5..])).unwrap_or_default();
        let left = text
            .match_indices('@')
            .any(|(at, _)| text[at + 1..].starts_with(|c: char| c.is_ascii_uppercase()));
        assert!(!left, "{line}:\n{text}");
    }
    // This is how `nvflare preflight_check` finds a site's name.
    let script = fs_err::read_to_string(made.prod_dir.join("site-1/startup/sub_start.sh")).unwrap();
    let uid = script
        .split("uid=")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next();
    assert_eq!(uid, Some("site-1"));
    let script = fs_err::read_to_string(made.prod_dir.join("server/startup/sub_start.sh")).unwrap();
    assert!(!script.contains("uid="));
}
