//! Replacing a POC: what is kept, what goes, and what an interruption leaves.

use std::time::Duration;

use poc_core::fsio;
use poc_core::workspace::Manifest;
use poc_provision::{Error, Event};

use crate::support::{Scene, listing, project};

#[test]
fn an_untouched_poc_leaves_nothing_behind() {
    let (scene, _) = Scene::prepared();
    let old = scene.read("example_project/state/cert.json");
    let made = scene
        .provision(&project(), |request| request.replace = true)
        .unwrap();
    assert_eq!((made.previous, made.foreign_files), (None, vec![]));
    assert_ne!(scene.read("example_project/state/cert.json"), old);
    let (beside, inside) = scene.names();
    assert_eq!(beside, ["ws"]);
    assert_eq!(inside, [".poc", "data", "example_project", "project.yml"]);
}

#[test]
fn logs_and_pid_files_are_nobodys() {
    let (scene, _) = Scene::prepared();
    let kit = "example_project/prod_00/site-1";
    for name in [
        "log.txt",
        "log.txt.1",
        "audit.log",
        "poc_console.log",
        "pid.fl",
        "_process_rc.txt",
    ] {
        scene.write(&format!("{kit}/{name}"), "x");
    }
    scene.write(".poc/events.jsonl", "{}");
    fs_err::create_dir(scene.workspace.root().join("jobs-storage")).unwrap();
    let made = scene
        .provision(&project(), |request| request.replace = true)
        .unwrap();
    assert_eq!((made.previous, made.foreign_files), (None, vec![]));
}

#[test]
fn what_is_the_users_is_named_and_kept_once() {
    let (scene, _) = Scene::prepared();
    let prod = "example_project/prod_00";
    scene.write("data/deep/down/train.csv", "1,2");
    scene.write("data/test.csv", "3,4");
    scene.write("jobs-storage/5cb1/workspace", "a model");
    scene.write(&format!("{prod}/site-1/5cb1/app/model.npy"), "a model");
    scene.write(&format!("{prod}/site-1/local/privacy.json"), "{}");
    scene.write(
        &format!("{prod}/admin@nvidia.com/transfer/result.txt"),
        "0.93",
    );

    let mut events = Vec::new();
    let made = scene
        .provision_with(&project(), |request| request.replace = true, &mut |event| {
            events.push(event);
        })
        .unwrap();
    insta::assert_snapshot!(made.foreign_files.iter().map(|path| path.as_str()).collect::<Vec<_>>().join("\n"), @r#"
    data
    example_project/prod_00/admin@nvidia.com/transfer
    example_project/prod_00/site-1/5cb1
    example_project/prod_00/site-1/local/privacy.json
    jobs-storage
    "#);
    let previous = scene.above.join("ws.previous");
    assert_eq!(made.previous.as_ref(), Some(&previous));
    assert!(events.contains(&Event::KeptPrevious {
        path: previous.clone()
    }));
    assert_eq!(
        fs_err::read_to_string(previous.join("data/test.csv")).unwrap(),
        "3,4"
    );
    assert_eq!(scene.names().0, ["ws", "ws.previous"]);

    // Kept once: the next one takes its place.
    scene.write("data/other.csv", "5,6");
    scene
        .provision(&project(), |request| request.replace = true)
        .unwrap();
    assert_eq!(scene.names().0, ["ws", "ws.previous"]);
    assert_eq!(
        fsio::entries(&previous.join("data")).unwrap(),
        ["other.csv"]
    );

    // And stays when there is nothing new to keep.
    scene
        .provision(&project(), |request| request.replace = true)
        .unwrap();
    assert!(previous.join("data/other.csv").is_file());
}

#[test]
fn an_edited_setting_is_the_users() {
    let (scene, _) = Scene::prepared();
    let setting = "example_project/prod_00/site-1/local/resources.json.default";
    let path = scene.workspace.root().join(setting);
    let manifest = scene
        .workspace
        .manifest_file()
        .metadata()
        .unwrap()
        .modified()
        .unwrap();
    fs_err::write(&path, "{}").unwrap();
    // The clock of some file systems is coarse.
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(manifest + Duration::from_secs(1))
        .unwrap();
    let made = scene
        .provision(&project(), |request| request.replace = true)
        .unwrap();
    assert_eq!(made.foreign_files, [setting]);
}

#[test]
fn a_linked_directory_of_jobs_is_neither_kept_nor_lost() {
    let (scene, _) = Scene::prepared();
    let jobs = scene.above.join("jobs");
    fs_err::create_dir(&jobs).unwrap();
    fs_err::write(jobs.join("job.json"), "{}").unwrap();
    let link = |request: &mut poc_provision::Request<'_>| request.replace = true;
    let linked = scene
        .provision(&project(), |request| {
            request.replace = true;
            request.examples = Some(&jobs);
        })
        .unwrap();
    let transfer = linked.prod_dir.join("admin@nvidia.com/transfer");
    assert_eq!(fs_err::read_link(&transfer).unwrap(), jobs);
    assert!(
        !linked
            .prod_dir
            .join("lead@nvidia.com/transfer")
            .is_symlink()
    );

    let made = scene.provision(&project(), link).unwrap();
    assert_eq!((made.previous, made.foreign_files), (None, vec![]));
    assert!(jobs.join("job.json").is_file());
    assert!(!transfer.is_symlink());
}

#[test]
fn examples_that_are_not_there_are_a_warning() {
    let scene = Scene::new();
    let nowhere = scene.above.join("nowhere");
    let mut warnings = Vec::new();
    let made = scene
        .provision_with(
            &project(),
            |request| request.examples = Some(&nowhere),
            &mut |event| {
                if let Event::Warning(text) = event {
                    warnings.push(text.replace(scene.above.as_str(), "[above]"));
                }
            },
        )
        .unwrap();
    insta::assert_snapshot!(warnings.join("\n"), @r#"
    [above]/nowhere cannot be the directory of jobs: it does not exist; it is not linked as the project admin's transfer directory
    "#);
    assert!(made.prod_dir.join("admin@nvidia.com/transfer").is_dir());
}

#[test]
fn an_authority_goes_on_when_asked_to() {
    let (scene, _) = Scene::prepared();
    let root = "example_project/prod_00/server/startup/rootCA.pem";
    let (old_root, old_site) = (
        scene.read(root),
        scene.read("example_project/prod_00/site-1/startup/client.crt"),
    );
    let mut kept = false;
    scene
        .provision_with(
            &project(),
            |request| {
                request.replace = true;
                request.keep_ca = true;
            },
            &mut |event| kept |= matches!(event, Event::KeptAuthority { .. }),
        )
        .unwrap();
    assert!(kept);
    assert_eq!(scene.read(root), old_root);
    assert_ne!(
        scene.read("example_project/prod_00/site-1/startup/client.crt"),
        old_site
    );

    scene
        .provision(&project(), |request| request.replace = true)
        .unwrap();
    assert_ne!(scene.read(root), old_root);
}

#[test]
fn a_stop_midway_leaves_the_old_one_whole() {
    let (scene, _) = Scene::prepared();
    scene.write("data/train.csv", "1,2");
    let before = listing(&scene.above);
    let old = scene.read("example_project/state/cert.json");
    for stop_after in [1, 3, 5, 6] {
        let outcome =
            scene.provision_with(&project(), |request| request.replace = true, &mut |event| {
                if matches!(event, Event::Keys { done, .. } if done == stop_after) {
                    scene.cancel.cancel();
                }
            });
        // The stop is seen before the next key, or before the swap.
        assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
        assert_eq!(listing(&scene.above), before);
        assert_eq!(scene.read("example_project/state/cert.json"), old);
    }
}

#[test]
fn a_stop_midway_leaves_no_new_one() {
    let scene = Scene::new();
    let outcome = scene.provision_with(&project(), |_| (), &mut |event| {
        if matches!(event, Event::Kit { .. }) {
            scene.cancel.cancel();
        }
    });
    assert!(matches!(outcome, Err(Error::Cancelled)));
    assert_eq!(scene.names().0, [""; 0]);
}

#[test]
fn a_swap_that_was_cut_short_is_put_right_first() {
    let (scene, _) = Scene::prepared();
    let old = scene.read("example_project/state/cert.json");
    // As a crash between two renames leaves it.
    let aside = scene.above.join(".ws.poc-old");
    fs_err::rename(scene.workspace.root(), &aside).unwrap();
    fs_err::create_dir(scene.above.join(".ws.poc-new")).unwrap();

    let mut recovered = false;
    let outcome = scene.provision_with(&project(), |_| (), &mut |event| {
        recovered |= matches!(event, Event::Recovered { .. });
    });
    // The old POC is back, and nobody allowed to replace it.
    assert!(matches!(outcome, Err(Error::Exists { .. })), "{outcome:?}");
    assert!(recovered);
    assert_eq!(scene.names().0, ["ws"]);
    assert_eq!(scene.read("example_project/state/cert.json"), old);
}

#[test]
fn an_old_one_left_by_a_crash_is_looked_through() {
    let (scene, _) = Scene::prepared();
    scene.write("data/train.csv", "1,2");
    // As a crash after the exchange leaves it.
    fs_err::rename(scene.workspace.root(), scene.above.join(".ws.poc-old")).unwrap();
    fs_err::create_dir(scene.workspace.root()).unwrap();
    fs_err::write(scene.workspace.root().join("x"), "").unwrap();
    let outcome = scene.provision(&project(), |request| request.replace = true);
    assert!(
        matches!(outcome, Err(Error::Core(poc_core::Error::Foreign { .. }))),
        "{outcome:?}"
    );
    assert_eq!(scene.names().0, ["ws", "ws.previous"]);
    assert!(scene.above.join("ws.previous/data/train.csv").is_file());
}

#[test]
fn the_lock_covers_the_new_workspace() {
    let (scene, _) = Scene::prepared();
    let project = project();
    let mut request = poc_provision::Request::new(&project, &scene.workspace, &scene.cancel);
    request.replace = true;
    let mut lock = scene.workspace.lock_create(Duration::ZERO).unwrap();
    poc_provision::provision(&request, &mut lock, &mut |_| ()).unwrap();
    assert!(lock.is_current().unwrap());
    assert!(matches!(
        scene.workspace.lock(Duration::ZERO),
        Err(poc_core::Error::Busy { .. })
    ));
    drop(lock);
    let _lock = scene.workspace.lock(Duration::ZERO).unwrap();
}

#[test]
fn the_manifest_lists_every_file() {
    let (scene, made) = Scene::prepared();
    let manifest = Manifest::load(&scene.workspace.manifest_file())
        .unwrap()
        .unwrap();
    let on_disk: Vec<String> = listing(scene.workspace.root())
        .into_iter()
        .filter(|line| !line.ends_with('/'))
        .map(|line| line[5..].to_owned())
        .collect();
    let mut listed: Vec<String> = manifest.files.iter().map(ToString::to_string).collect();
    listed.sort();
    let mut on_disk = on_disk;
    on_disk.sort();
    assert_eq!(listed, on_disk);
    assert_eq!(
        (manifest.fed_learn_port, manifest.admin_port),
        (made.fed_learn_port, made.admin_port)
    );
    assert_eq!(manifest.listen, "127.0.0.1");
}

#[test]
fn a_workspace_behind_a_link_is_replaced_where_it_is() {
    let (scene, _) = Scene::prepared();
    let real = scene.above.join("elsewhere");
    fs_err::rename(scene.workspace.root(), &real).unwrap();
    std::os::unix::fs::symlink(&real, scene.workspace.root()).unwrap();
    let old = scene.read("example_project/state/cert.json");
    scene
        .provision(&project(), |request| request.replace = true)
        .unwrap();
    assert!(scene.workspace.root().is_symlink());
    assert_ne!(scene.read("example_project/state/cert.json"), old);
    assert_eq!(scene.names().0, ["elsewhere", "ws"]);
}

#[test]
fn a_workspace_that_nvflare_made_is_known_by_its_names() {
    let (scene, _) = Scene::prepared();
    let nvflares = || fsio::remove_tree(&scene.workspace.poc_dir()).unwrap();
    nvflares();
    let made = scene
        .provision(&project(), |request| request.replace = true)
        .unwrap();
    assert_eq!((made.previous, made.foreign_files), (None, vec![]));

    nvflares();
    let own = "example_project/prod_00/site-1/local/custom.py";
    scene.write(own, "print()");
    scene.write("example_project/prod_00/site-1/log.txt", "x");
    let made = scene
        .provision(&project(), |request| request.replace = true)
        .unwrap();
    assert_eq!(made.foreign_files, [own]);
}

#[test]
fn a_damaged_poc_is_kept_whatever_is_in_it() {
    let (scene, _) = Scene::prepared();
    scene.write("project.yml", "participants: [");
    let refused = scene.provision(&project(), |_| ()).unwrap_err();
    assert!(matches!(refused, Error::Exists { .. }), "{refused}");
    let made = scene
        .provision(&project(), |request| request.replace = true)
        .unwrap();
    assert_eq!(made.previous, Some(scene.above.join("ws.previous")));
    assert!(scene.read("project.yml").contains("example_project"));
}
