//! The directory of jobs.

use camino::Utf8PathBuf;
use poc_core::workspace::Kit;
use poc_provision::{Error, link_jobs_dir};

use crate::support::Scene;

struct Jobs {
    scene: Scene,
    kit: Kit,
    directory: Utf8PathBuf,
}

impl Jobs {
    fn new() -> Self {
        let (scene, made) = Scene::prepared();
        let kit = made
            .kits
            .into_iter()
            .find(|kit| kit.name == "admin@nvidia.com")
            .unwrap();
        let directory = scene.above.join("my jobs");
        fs_err::create_dir(&directory).unwrap();
        Self {
            scene,
            kit,
            directory,
        }
    }

    fn link(&self, force: bool) -> Result<Option<Utf8PathBuf>, Error> {
        link_jobs_dir(&self.kit, &self.directory, force).map(|linked| linked.set_aside)
    }

    fn download(&self, name: &str) {
        fs_err::write(self.kit.transfer().join(name), "0.93").unwrap();
    }
}

#[test]
fn an_empty_transfer_directory_becomes_a_link() {
    let jobs = Jobs::new();
    assert_eq!(jobs.link(false).unwrap(), None);
    assert_eq!(
        fs_err::read_link(jobs.kit.transfer()).unwrap(),
        jobs.directory
    );
    // Again, and to another place: a link holds nothing.
    assert_eq!(jobs.link(false).unwrap(), None);
    let other = jobs.scene.above.join("other");
    fs_err::create_dir(&other).unwrap();
    link_jobs_dir(&jobs.kit, &other, false).unwrap();
    assert_eq!(fs_err::read_link(jobs.kit.transfer()).unwrap(), other);
}

#[test]
fn files_are_set_aside_only_when_forced_and_never_lost() {
    let jobs = Jobs::new();
    jobs.download("result.txt");
    let error = jobs.link(false).unwrap_err();
    assert!(
        matches!(&error, Error::TransferInUse { entries, .. } if entries == &["result.txt"]),
        "{error}"
    );
    assert!(jobs.kit.transfer().join("result.txt").is_file());

    let aside = jobs.link(true).unwrap().unwrap();
    assert_eq!(aside, jobs.kit.dir.join("transfer.previous"));
    assert!(aside.join("result.txt").is_file());

    // A second time both are kept.
    fs_err::remove_file(jobs.kit.transfer()).unwrap();
    fs_err::create_dir(jobs.kit.transfer()).unwrap();
    jobs.download("result.txt");
    let second = jobs.link(true).unwrap().unwrap();
    assert_eq!(second, jobs.kit.dir.join("transfer.previous.2"));
    assert!(aside.join("result.txt").is_file() && second.join("result.txt").is_file());
}

#[test]
fn what_is_no_directory_is_refused() {
    let jobs = Jobs::new();
    let file = jobs.scene.above.join("file");
    fs_err::write(&file, "").unwrap();
    let message = |path: &camino::Utf8Path| {
        let error = link_jobs_dir(&jobs.kit, path, true).unwrap_err();
        error
            .to_string()
            .replace(jobs.scene.above.as_str(), "[above]")
    };
    insta::assert_snapshot!(message(&file), @r#"
    [above]/file cannot be the directory of jobs: it is not a directory
    "#);
    insta::assert_snapshot!(message(&jobs.scene.above.join("nowhere")), @r#"
    [above]/nowhere cannot be the directory of jobs: it does not exist
    "#);
    insta::assert_snapshot!(message(&jobs.scene.above), @r#"
    [above] cannot be the directory of jobs: the POC itself lies in it, and would be uploaded with the jobs
    "#);
    assert!(jobs.kit.transfer().is_dir() && !jobs.kit.transfer().is_symlink());
}
