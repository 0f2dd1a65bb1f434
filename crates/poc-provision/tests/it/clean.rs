//! Removing a workspace.

use std::time::Duration;

use poc_provision::{Cleaned, Error, clean};

use crate::support::{Scene, listing};

fn cleaned(scene: &Scene) -> Result<Cleaned, Error> {
    let lock = scene.workspace.lock(Duration::ZERO).ok();
    clean(&scene.workspace, lock.as_ref())
}

#[test]
fn a_poc_goes_with_all_that_is_in_it_but_not_what_it_links_to() {
    let (scene, made) = Scene::prepared();
    let jobs = scene.above.join("jobs");
    fs_err::create_dir(&jobs).unwrap();
    fs_err::write(jobs.join("job.json"), "{}").unwrap();
    let kit = made
        .kits
        .iter()
        .find(|kit| kit.name == "admin@nvidia.com")
        .unwrap();
    poc_provision::link_jobs_dir(kit, &jobs, false).unwrap();
    scene.write("data/train.csv", "1,2");

    assert_eq!(
        cleaned(&scene).unwrap(),
        Cleaned {
            removed: true,
            previous: None
        }
    );
    assert_eq!(scene.names().0, ["jobs"]);
    assert!(jobs.join("job.json").is_file());
}

#[test]
fn nothing_there_is_nothing_to_do() {
    let scene = Scene::new();
    assert_eq!(
        cleaned(&scene).unwrap(),
        Cleaned {
            removed: false,
            previous: None
        }
    );
}

#[test]
fn what_is_no_poc_stays() {
    let scene = Scene::new();
    scene.write("thesis.tex", "years of work");
    let before = listing(&scene.above);
    let error = cleaned(&scene).unwrap_err();
    assert!(
        matches!(error, Error::Core(poc_core::Error::Foreign { .. })),
        "{error}"
    );
    assert_eq!(listing(&scene.above), before);
}
