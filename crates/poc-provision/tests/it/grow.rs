//! One participant more, one less, in a POC that is there.

use std::time::Duration;

use camino::Utf8PathBuf;
use poc_core::project::{Participant, Project};
use poc_core::workspace::Prepared;
use poc_core::{Hint, Line};
use poc_provision::{Added, Addition, Error, Removed, add, remove};

use crate::support::{Scene, listing, project};

const PROD: &str = "example_project/prod_00";

fn prepared(scene: &Scene) -> Prepared {
    scene.workspace.load().unwrap()
}

fn grow(scene: &Scene, participant: Participant, replace: bool) -> Result<Added, Error> {
    let lock = scene.workspace.lock(Duration::from_secs(5)).unwrap();
    let addition = Addition {
        prepared: &prepared(scene),
        participant,
        replace,
        cancel: &scene.cancel,
    };
    add(&addition, &lock)
}

fn shrink(scene: &Scene, name: &str, set_aside: bool) -> Result<Removed, Error> {
    let lock = scene.workspace.lock(Duration::from_secs(5)).unwrap();
    remove(&prepared(scene), name, set_aside, &lock)
}

fn names(scene: &Scene) -> Vec<String> {
    let prepared = prepared(scene);
    let participants = prepared.project.participants();
    participants.iter().map(|it| it.name.clone()).collect()
}

/// Everything but what says who takes part.
fn others(scene: &Scene) -> Vec<(String, Vec<u8>)> {
    let root = scene.workspace.root();
    let changing = [
        "project.yml",
        "example_project/state/cert.json",
        ".poc/manifest.json",
    ];
    let files = listing(root).into_iter().filter_map(|line| {
        let (_, path) = line.split_once(' ')?;
        let is_file = !path.ends_with('/') && !changing.contains(&path);
        is_file.then(|| (line.clone(), fs_err::read(root.join(path)).unwrap()))
    });
    files.collect()
}

#[test]
fn a_site_and_an_admin_come_and_go() {
    let (scene, _) = Scene::prepared();
    let before = others(&scene);
    let site = grow(&scene, Participant::client("site-2", "hospital"), false).unwrap();
    let user = Participant::admin("mia@example.org", "nvidia", "member");
    let user = grow(&scene, user, false).unwrap();
    assert!(!site.replaced && !user.replaced);
    assert_eq!(
        site.kit.dir,
        scene.workspace.kit("example_project", "site-2")
    );
    assert!(names(&scene).ends_with(&["site-2".to_owned(), "mia@example.org".to_owned()]));

    // The kits are those that `prepare` would have made.
    let kit_of = |name: &str| listing(&scene.workspace.kit("example_project", name));
    assert_eq!(kit_of("site-2"), kit_of("site-1"));
    assert_eq!(kit_of("mia@example.org"), kit_of("lead@nvidia.com"));
    let settings = |name: &str, file: &str| {
        scene
            .read(&format!("{PROD}/{name}/{file}"))
            .replace(name, "NAME")
            .replace("hospital", "nvidia")
    };
    for file in [
        "startup/fed_client.json",
        "startup/sub_start.sh",
        "startup/rootCA.pem",
    ] {
        assert_eq!(settings("site-2", file), settings("site-1", file), "{file}");
    }
    // Nobody else's file has changed.
    let after = others(&scene);
    assert!(before.iter().all(|file| after.contains(file)));
    // Nothing of it counts as the user's, so nothing is kept of it when it is replaced.
    let again = scene
        .provision(&project(), |request| request.replace = true)
        .unwrap();
    assert_eq!((again.previous, again.foreign_files), (None, vec![]));

    let (scene, _) = Scene::prepared();
    let before = (others(&scene), scene.read("project.yml"));
    grow(&scene, Participant::client("site-2", "nvidia"), false).unwrap();
    let removed = shrink(&scene, "site-2", false).unwrap();
    assert_eq!(removed.set_aside, None);
    assert_eq!((others(&scene), scene.read("project.yml")), before);
    let state = scene.read("example_project/state/cert.json");
    assert!(state.contains("site-1") && !state.contains("site-2"));
}

#[test]
fn the_certificate_is_of_the_same_authority_and_no_longer_than_it() {
    let (scene, made) = Scene::prepared();
    let added = grow(&scene, Participant::client("site-2", "nvidia"), false).unwrap();
    assert_eq!(added.certificate_until, made.certificates_until);
    let certificates = poc_provision::certificates(&prepared(&scene)).unwrap();
    assert_eq!(certificates.flaws, []);
    let of = |name: &str| {
        certificates
            .issued
            .iter()
            .find(|it| it.name == name)
            .unwrap()
    };
    assert_eq!(of("site-2").org.as_deref(), Some("nvidia"));
    assert_ne!(of("site-2").fingerprint, of("site-1").fingerprint);
}

#[test]
fn what_cannot_be_changes_nothing() {
    let (scene, _) = Scene::prepared();
    let before = listing(scene.workspace.root());
    let why = |participant: Participant, replace: bool| {
        let error = grow(&scene, participant, replace).unwrap_err();
        format!("{error}\n    ({})", error.hints().join("; "))
    };
    let gone = |name: &str| {
        let error = shrink(&scene, name, true).unwrap_err();
        format!("{error}\n    ({})", error.hints().join("; "))
    };
    let texts = [
        why(Participant::client("../x", "nvidia"), false),
        why(Participant::client("all", "nvidia"), false),
        why(Participant::client("site-2", "no such org!"), false),
        why(Participant::admin("mia", "nvidia", "lead"), false),
        why(
            Participant::admin("boss@nvidia.com", "nvidia", "project_admin"),
            false,
        ),
        why(Participant::client("site-1", "nvidia"), false),
        why(Participant::client("server", "nvidia"), true),
        why(
            Participant::admin("lead@nvidia.com", "nvidia", "lead"),
            false,
        ),
        why(
            Participant::admin("admin@nvidia.com", "nvidia", "lead"),
            true,
        ),
        gone("server"),
        gone("admin@nvidia.com"),
        gone("site1"),
    ];
    insta::assert_snapshot!(texts.join("\n"));
    assert_eq!(listing(scene.workspace.root()), before);
}

#[test]
fn with_force_there_is_a_new_key_and_what_was_the_users_is_set_aside() {
    let (scene, _) = Scene::prepared();
    let key = || scene.read(&format!("{PROD}/site-1/startup/client.key"));
    let old = key();
    let replaced = grow(&scene, Participant::client("site-1", "nvidia"), true).unwrap();
    assert_eq!((replaced.replaced, replaced.set_aside), (true, None));
    assert_ne!(key(), old);
    assert_eq!(
        names(&scene)
            .iter()
            .filter(|name| *name == "site-1")
            .count(),
        1
    );

    scene.write(&format!("{PROD}/site-1/5cb1/model.npy"), "a model");
    let replaced = grow(&scene, Participant::client("site-1", "nvidia"), true).unwrap();
    let aside = scene
        .workspace
        .root()
        .join("example_project/removed/site-1");
    assert_eq!(replaced.set_aside, Some(aside.clone()));
    assert_eq!(
        fs_err::read_to_string(aside.join("5cb1/model.npy")).unwrap(),
        "a model"
    );

    // The same on the way out, and nothing that is kept is ever overwritten.
    scene.write(&format!("{PROD}/site-1/local/privacy.json"), "{}");
    let refused = shrink(&scene, "site-1", false).unwrap_err();
    let Error::KitInUse { files, .. } = &refused else {
        panic!("{refused}");
    };
    assert_eq!(
        files,
        &[Utf8PathBuf::from(format!(
            "{PROD}/site-1/local/privacy.json"
        ))]
    );
    let removed = shrink(&scene, "site-1", true).unwrap();
    assert_eq!(removed.set_aside, Some(aside.with_file_name("site-1.2")));
    assert!(aside.join("5cb1/model.npy").exists());
    assert!(!names(&scene).contains(&"site-1".to_owned()));
}

#[test]
fn what_the_user_changed_before_stays_the_users() {
    let (scene, _) = Scene::prepared();
    let resources = format!("{PROD}/site-1/local/resources.json.default");
    // A file's time has to tell: some file systems' clocks are coarse.
    crate::support::wait_for("a later time", || {
        scene.write(&resources, "{}");
        let time = |path: &str| {
            scene
                .workspace
                .root()
                .join(path)
                .metadata()
                .unwrap()
                .modified()
                .unwrap()
        };
        (time(&resources) > time(".poc/manifest.json")).then_some(())
    });
    grow(&scene, Participant::client("site-2", "nvidia"), false).unwrap();
    let again = scene
        .provision(&project(), |request| request.replace = true)
        .unwrap();
    assert_eq!(again.foreign_files, [Utf8PathBuf::from(resources)]);
}

#[test]
fn an_interrupted_run_is_taken_up_again() {
    let (scene, _) = Scene::prepared();
    grow(&scene, Participant::client("site-2", "nvidia"), false).unwrap();
    // Cut between project.yml and the kit.
    let kit = scene.workspace.kit("example_project", "site-2");
    scene.write(".poc/aside/new/startup/client.key", "half");
    fs_err::remove_dir_all(&kit).unwrap();
    let added = grow(&scene, Participant::client("site-2", "nvidia"), false).unwrap();
    assert!(!added.replaced && kit.join("startup/client.key").exists());
    assert!(!scene.workspace.poc_dir().join("aside").exists());

    fs_err::remove_dir_all(&kit).unwrap();
    shrink(&scene, "site-2", false).unwrap();
    assert!(!names(&scene).contains(&"site-2".to_owned()));
}

#[test]
fn an_authority_that_the_server_does_not_trust_is_refused() {
    let (scene, _) = Scene::prepared();
    let (other, _) = Scene::prepared();
    let foreign = other.read("example_project/state/cert.json");
    scene.write("example_project/state/cert.json", &foreign);
    let error = grow(&scene, Participant::client("site-2", "nvidia"), false).unwrap_err();
    assert!(
        error.to_string().contains("the server trusts another one"),
        "{error}"
    );

    fs_err::remove_file(scene.workspace.ca_file("example_project")).unwrap();
    let error = grow(&scene, Participant::client("site-2", "nvidia"), false).unwrap_err();
    assert!(
        error.to_string().contains("there is no such file"),
        "{error}"
    );
    assert_eq!(names(&scene).len(), 5);
    assert_eq!(prepared(&scene).line, Some(Line::V2_9));
}

#[test]
fn a_study_is_told_about_who_leaves() {
    let scene = Scene::new();
    let text = "\
api_version: 4
name: example_project
participants:
- {name: server, type: server, org: nvidia, fed_learn_port: 8002}
- {name: admin@nvidia.com, type: admin, org: nvidia, role: project_admin}
- {name: lead@nvidia.com, type: admin, org: nvidia, role: lead}
- {name: site-1, type: client, org: nvidia}
studies:
  lungs: {site_orgs: {nvidia: [site-1]}, admins: [lead@nvidia.com]}
";
    let project = Project::parse(text, "project.yml".into()).unwrap().project;
    scene.provision(&project, |_| ()).unwrap();
    grow(&scene, Participant::client("site-2", "nvidia"), false).unwrap();
    assert_eq!(
        shrink(&scene, "site-2", false).unwrap().studies,
        Vec::<String>::new()
    );
    assert_eq!(
        shrink(&scene, "lead@nvidia.com", false).unwrap().studies,
        ["lungs"]
    );
    assert!(prepared(&scene).project.studies["lungs"].admins.is_empty());
}

#[test]
fn every_line_can_grow() {
    for line in Line::ALL {
        let scene = Scene::new();
        let project = Project::poc_default(line, &["site-1".to_owned()]).unwrap();
        scene
            .provision(&project, |request| request.line = line)
            .unwrap();
        let script =
            || fs_err::read_to_string(scene.workspace.root().join(PROD).join("start_all.sh")).ok();
        let before = script();
        grow(&scene, Participant::client("site-2", "nvidia"), false).unwrap();
        let user = Participant::admin("mia@example.org", "nvidia", "lead");
        grow(&scene, user, false).unwrap();
        let kit_of = |name: &str| listing(&scene.workspace.kit("example_project", name));
        assert_eq!(kit_of("site-2"), kit_of("site-1"), "{line}");
        assert_eq!(
            kit_of("mia@example.org"),
            kit_of("admin@nvidia.com"),
            "{line}"
        );
        // Who is listed by name is signed: a stranger's signatures would be a copy's.
        let signatures = |name: &str| {
            let file = format!("{PROD}/{name}/startup/signature.json");
            scene
                .workspace
                .root()
                .join(&file)
                .exists()
                .then(|| scene.read(&file))
        };
        let (old, new) = (signatures("site-1"), signatures("site-2"));
        assert_eq!(old.is_some(), new.is_some(), "{line}");
        assert!(old.is_none() || old != new, "{line}");
        assert!(
            script().is_none_or(|text| text.contains("site-2/startup")),
            "{line}"
        );
        assert_eq!(
            poc_provision::certificates(&prepared(&scene))
                .unwrap()
                .flaws,
            [],
            "{line}"
        );
        shrink(&scene, "site-2", false).unwrap();
        shrink(&scene, "mia@example.org", false).unwrap();
        assert_eq!(script(), before, "{line}");
        let again = scene.provision(&project, |request| {
            request.line = line;
            request.replace = true;
        });
        assert_eq!(
            again.unwrap().foreign_files,
            Vec::<Utf8PathBuf>::new(),
            "{line}"
        );
    }
}
