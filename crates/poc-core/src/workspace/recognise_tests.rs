use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use camino::Utf8Path;

use super::*;

/// A directory with a workspace in it that is not made yet.
struct Place {
    _dir: tempfile::TempDir,
    workspace: Workspace,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(Utf8Path::from_path(dir.path()).unwrap().join("a poc"));
        Self {
            _dir: dir,
            workspace,
        }
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.workspace.root().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }

    /// What NVFlare 2.9's `poc prepare -n 1` leaves, as far as it is looked at.
    fn nvflare_s_own(&self) {
        self.write(
            "project.yml",
            include_str!("../../tests/data/project-2.9.yml"),
        );
        let prod = "example_project/prod_00";
        for (name, role) in [
            ("server", "server"),
            ("admin@nvidia.com", "admin"),
            ("org-admin@nvidia.com", "admin"),
            ("lead@nvidia.com", "admin"),
            ("site-1", "client"),
        ] {
            self.write(
                &format!("{prod}/{name}/startup/fed_{role}.json"),
                r#"{"servers":[{"name":"p"}]}"#,
            );
        }
        self.write(
            &format!("{prod}/server/local/authorization.json.default"),
            r#"{"permissions":{"lead":{"server-predeployed-flwr":"none"}}}"#,
        );
        self.write("example_project/state/cert.json", "{}");
        fs_err::create_dir_all(self.workspace.data_dir()).unwrap();
    }

    fn found(&self) -> String {
        match self.workspace.recognise().unwrap() {
            Recognised::Absent => "absent".to_owned(),
            Recognised::Empty => "empty".to_owned(),
            Recognised::Poc(prepared) => format!(
                "poc of line {:?}",
                prepared.line.map(|line| line.to_string())
            ),
            Recognised::Broken { error } => format!("broken: {error}"),
            Recognised::Foreign { reason } => format!("foreign: {reason}"),
        }
        .replace(self.workspace.root().as_str(), "<ws>")
    }
}

fn manifest() -> Manifest {
    Manifest {
        schema: 1,
        poc_version: "0.1.0".to_owned(),
        line: Line::V2_8,
        flare_version: Some("2.8.3".to_owned()),
        files: vec!["project.yml".into()],
        listen: "127.0.0.1".to_owned(),
        server_host: "localhost".to_owned(),
        fed_learn_port: 8002,
        admin_port: 8002,
        config_written: true,
        docker_image: None,
        docker_network: None,
        he: false,
    }
}

#[test]
fn nothing_and_nearly_nothing() {
    let place = Place::new();
    assert_eq!(place.found(), "absent");
    assert!(matches!(
        place.workspace.load(),
        Err(Error::NotPrepared { .. })
    ));
    fs_err::create_dir(place.workspace.root()).unwrap();
    assert_eq!(place.found(), "empty");
    let error = place.workspace.load().unwrap_err().to_string();
    assert!(
        error.ends_with("/project.yml is missing, make sure you have first run 'poc prepare'"),
        "{error}"
    );
}

#[test]
fn what_is_no_poc_is_left_alone_for_a_reason() {
    let place = Place::new();
    for name in ["thesis.tex", "figures/1.png", "b", "c", "d"] {
        place.write(name, "");
    }
    assert_eq!(
        place.found(),
        "foreign: it holds `b`, `c`, `d` and 2 more, and no project.yml"
    );
    assert!(matches!(
        place.workspace.load(),
        Err(Error::NotPrepared { .. })
    ));

    let place = Place::new();
    place.write("project.yml", "name: my ansible project\n");
    assert!(place.found().starts_with(
        "foreign: there are no startup kits, and <ws>/project.yml is not a valid project"
    ));
    assert!(matches!(place.workspace.load(), Err(Error::Foreign { .. })));

    let place = Place::new();
    place.write(
        "project.yml",
        include_str!("../../tests/data/project-2.9.yml"),
    );
    assert_eq!(
        place.found(),
        "foreign: there is a project.yml, but nothing that was made from it"
    );
    place.write("notes.txt", "");
    assert_eq!(
        place.found(),
        "foreign: there are no startup kits, but `notes.txt`"
    );

    let place = Place::new();
    fs_err::write(place.workspace.root(), "").unwrap();
    assert_eq!(place.found(), "foreign: it is a file");

    let place = Place::new();
    fs_err::os::unix::fs::symlink("nowhere", place.workspace.root()).unwrap();
    assert_eq!(
        place.found(),
        "foreign: it is a symbolic link that leads nowhere"
    );
}

#[test]
fn nvflare_s_own_workspace_is_a_poc_and_its_line_is_judged() {
    let place = Place::new();
    place.nvflare_s_own();
    assert_eq!(place.found(), r#"poc of line Some("2.9")"#);
    let prepared = place.workspace.load().unwrap();
    assert_eq!(prepared.manifest, None);
    let names: Vec<String> = prepared.kits().into_iter().map(|kit| kit.name).collect();
    // site-2 is in the project, but has no kit.
    assert_eq!(
        names,
        [
            "server",
            "admin@nvidia.com",
            "org-admin@nvidia.com",
            "lead@nvidia.com",
            "site-1"
        ]
    );
    assert_eq!(prepared.client_kits().len(), 1);
    assert_eq!(prepared.admin_kits().len(), 3);
    assert_eq!(prepared.kit("site-2"), None);
    assert_eq!(prepared.kit("site-1").unwrap().org, "nvidia");
    assert_eq!(
        prepared.server_kit().role_file(),
        prepared.prod_dir.join("server/startup/fed_server.json")
    );
    assert_eq!(prepared.project_admin_kit().name, "admin@nvidia.com");
}

#[test]
fn a_link_to_a_workspace_is_that_workspace() {
    let place = Place::new();
    place.nvflare_s_own();
    let link = place.workspace.root().with_file_name("link");
    fs_err::os::unix::fs::symlink(place.workspace.root(), &link).unwrap();
    let prepared = Workspace::new(&link).load().unwrap();
    assert_eq!(
        prepared.prod_dir,
        link.join("example_project/prod_00"),
        "the path stays the one that was named"
    );
}

#[test]
fn our_manifest_says_the_line() {
    let place = Place::new();
    place.nvflare_s_own();
    fs_err::create_dir(place.workspace.poc_dir()).unwrap();
    manifest().save(&place.workspace.manifest_file()).unwrap();
    assert_eq!(place.found(), r#"poc of line Some("2.8")"#);
    assert_eq!(place.workspace.load().unwrap().manifest, Some(manifest()));

    fs_err::write(place.workspace.manifest_file(), "{").unwrap();
    assert!(
        place
            .found()
            .starts_with("broken: <ws>/.poc/manifest.json cannot be read: EOF"),
        "{}",
        place.found()
    );
    let newer = Manifest {
        schema: 2,
        poc_version: "9.0.0".to_owned(),
        ..manifest()
    };
    newer.save(&place.workspace.manifest_file()).unwrap();
    assert_eq!(
        place.found(),
        "broken: <ws>/.poc/manifest.json cannot be read: it was written by a newer poc (9.0.0)"
    );
}

#[test]
fn damage_is_told_from_something_else() {
    let place = Place::new();
    place.nvflare_s_own();
    place.write("project.yml", "name: [\n");
    assert!(
        place
            .found()
            .starts_with("broken: <ws>/project.yml is not a valid project"),
        "{}",
        place.found()
    );

    fs_err::remove_file(place.workspace.project_file()).unwrap();
    assert_eq!(
        place.found(),
        "broken: the POC in <ws> is incomplete: project.yml is missing"
    );

    place.nvflare_s_own();
    fs_err::remove_dir_all(place.workspace.kit("example_project", "server")).unwrap();
    assert_eq!(
        place.found(),
        "broken: the POC in <ws> is incomplete: example_project/prod_00/server/startup/fed_server.json is missing"
    );

    // NVFlare's prepare failed halfway: there is nothing but what it makes.
    fs_err::remove_dir_all(
        place
            .workspace
            .project_dir("example_project")
            .join("prod_00"),
    )
    .unwrap();
    assert_eq!(
        place.found(),
        "broken: the POC in <ws> is incomplete: example_project/prod_00 is missing"
    );
}

#[test]
fn the_newest_kits_count() {
    let place = Place::new();
    place.nvflare_s_own();
    for name in ["prod_01", "prod_10", "prod_9", "prod_x", "prod_"] {
        fs_err::create_dir(place.workspace.project_dir("example_project").join(name)).unwrap();
    }
    assert_eq!(
        place.workspace.prod_dir("example_project").file_name(),
        Some("prod_10")
    );
    assert_eq!(
        place.workspace.prod_dir("other"),
        place.workspace.root().join("other/prod_00")
    );
}

#[test]
fn a_directory_that_cannot_be_read_is_an_error_not_a_guess() {
    let place = Place::new();
    place.nvflare_s_own();
    fs_err::set_permissions(place.workspace.root(), Permissions::from_mode(0o000)).unwrap();
    let found = place.workspace.recognise();
    let is_root = rustix::process::geteuid().is_root();
    assert!(matches!(found, Err(Error::Io(_))) != is_root, "{found:?}");
    fs_err::set_permissions(place.workspace.root(), Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn the_manifest_s_file() {
    insta::assert_snapshot!(manifest().to_json().unwrap(), @r#"
    {
      "schema": 1,
      "poc_version": "0.1.0",
      "line": "2.8",
      "flare_version": "2.8.3",
      "files": [
        "project.yml"
      ],
      "listen": "127.0.0.1",
      "server_host": "localhost",
      "fed_learn_port": 8002,
      "admin_port": 8002,
      "config_written": true,
      "docker_image": null,
      "docker_network": null,
      "he": false
    }
    "#);
}
