//! Swapping, on both ways, and recovery from a crash at every moment.

use super::*;

/// A workspace with an old POC of two entries, to be replaced.
struct Scene {
    _directory: tempfile::TempDir,
    above: Utf8PathBuf,
    place: Place,
}

impl Scene {
    fn new(how: How) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let above =
            Utf8PathBuf::from_path_buf(fs_err::canonicalize(directory.path()).unwrap()).unwrap();
        let root = above.join("ws");
        fill(&root, "old");
        Self {
            _directory: directory,
            above,
            place: Place { root, how },
        }
    }

    fn staged(&self) -> Staging<'_> {
        let staging = self.place.stage().unwrap();
        fill(staging.root(), "new");
        staging
    }

    fn at(&self, path: &str) -> Option<String> {
        fs_err::read_to_string(self.above.join(path)).ok()
    }

    /// What the workspace says it is, from each of its entries.
    fn shows(&self) -> Vec<String> {
        ["project.yml", "project/kit"]
            .iter()
            .filter_map(|entry| self.at(&format!("ws/{entry}")))
            .collect()
    }

    /// Everything but the workspace's own two entries, and what is kept of the old one.
    fn litter(&self) -> Vec<String> {
        let beside = fsio::entries(&self.above)
            .unwrap()
            .into_iter()
            .filter(|name| name != "ws");
        let inside = fsio::entries(&self.place.root).unwrap().into_iter();
        beside
            .chain(inside.filter(|name| name != "project.yml" && name != "project"))
            .collect()
    }
}

fn fill(root: &Utf8Path, text: &str) {
    fs_err::create_dir_all(root.join("project")).unwrap();
    fs_err::write(root.join("project.yml"), text).unwrap();
    fs_err::write(root.join("project/kit"), text).unwrap();
}

const BOTH: [How; 2] = [How::Beside, How::Inside];

#[test]
fn the_new_one_comes_in_and_the_old_one_is_kept_whole() {
    for how in BOTH {
        let scene = Scene::new(how);
        scene.staged().install().unwrap();
        assert_eq!(scene.shows(), ["new", "new"], "{how:?}");
        let old = scene.place.old_root();
        assert_eq!(
            fs_err::read_to_string(old.join("project/kit")).unwrap(),
            "old"
        );
        assert_eq!(scene.litter(), [old.file_name().unwrap()], "{how:?}");
        // Looking again changes nothing.
        assert_eq!(scene.place.recover().unwrap(), None);
        assert_eq!(scene.shows(), ["new", "new"]);
        assert!(old.is_dir());
    }
}

#[test]
fn giving_up_leaves_the_old_one_and_nothing_else() {
    for how in BOTH {
        let scene = Scene::new(how);
        drop(scene.staged());
        assert_eq!(scene.shows(), ["old", "old"]);
        assert_eq!(scene.litter(), [""; 0], "{how:?}");
    }
}

#[test]
fn a_file_system_that_cannot_exchange_gets_two_renames() {
    for kind in [io::ErrorKind::Unsupported, io::ErrorKind::InvalidInput] {
        let scene = Scene::new(How::Beside);
        let mut staging = scene.staged();
        staging.exchange(|_, _| Err(kind.into())).unwrap();
        staging.installed = true;
        assert_eq!(scene.shows(), ["new", "new"]);
        assert_eq!(scene.litter(), [".ws.poc-old"]);
        assert_eq!(scene.at(".ws.poc-old/project.yml").unwrap(), "old");
    }
}

#[test]
fn a_failed_exchange_undoes_itself() {
    let scene = Scene::new(How::Beside);
    let mut staging = scene.staged();
    let error = staging
        .exchange(|_, _| Err(io::ErrorKind::ResourceBusy.into()))
        .unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error}");
    drop(staging);
    assert_eq!(scene.shows(), ["old", "old"]);
    assert_eq!(scene.litter(), [""; 0]);
}

#[test]
fn a_failed_second_rename_puts_the_first_one_back() {
    let scene = Scene::new(How::Beside);
    let staging = scene.staged();
    // Nothing to rename into place.
    fsio::remove_tree(staging.root()).unwrap();
    staging.rename_both(&scene.place.old_root()).unwrap_err();
    drop(staging);
    assert_eq!(scene.shows(), ["old", "old"]);
    assert_eq!(scene.litter(), [""; 0]);
}

#[test]
fn a_half_built_one_is_swept_away() {
    for how in BOTH {
        let scene = Scene::new(how);
        std::mem::forget(scene.staged());
        assert_eq!(scene.place.recover().unwrap(), None);
        assert_eq!(scene.shows(), ["old", "old"]);
        assert_eq!(scene.litter(), [""; 0], "{how:?}");
    }
}

#[test]
fn killed_between_two_renames_the_old_one_comes_back() {
    let scene = Scene::new(How::Beside);
    std::mem::forget(scene.staged());
    fs_err::rename(&scene.place.root, scene.place.old_root()).unwrap();
    // The next run makes a directory to lock.
    fs_err::create_dir(&scene.place.root).unwrap();
    assert!(scene.place.recover().unwrap().is_some());
    assert_eq!(scene.shows(), ["old", "old"]);
    assert_eq!(scene.litter(), [""; 0]);
}

#[test]
fn killed_before_the_exchange_nothing_has_happened() {
    let scene = Scene::new(How::Beside);
    let staging = scene.staged();
    fs_err::rename(staging.root(), scene.place.old_root()).unwrap();
    std::mem::forget(staging);
    assert_eq!(scene.place.recover().unwrap(), None);
    assert_eq!(scene.shows(), ["old", "old"]);
    // Complete and never used: looked through and removed like an old one.
    assert_eq!(scene.litter(), [".ws.poc-old"]);
}

#[test]
fn killed_while_the_old_entries_leave_they_come_back() {
    for moved in 0..=2 {
        let scene = Scene::new(How::Inside);
        std::mem::forget(scene.staged());
        let old = scene.place.old_root();
        fs_err::create_dir(&old).unwrap();
        for entry in ["project", "project.yml"].iter().take(moved) {
            fs_err::rename(scene.place.root.join(entry), old.join(entry)).unwrap();
        }
        assert!(scene.place.recover().unwrap().is_some());
        assert_eq!(scene.shows(), ["old", "old"], "after {moved}");
        assert_eq!(scene.litter(), [""; 0]);
    }
}

#[test]
fn killed_while_the_new_entries_enter_the_rest_follows() {
    for moved in 0..=2 {
        let scene = Scene::new(How::Inside);
        let staging = scene.staged();
        scene.place.leave().unwrap();
        let entering = scene.place.root.join(ENTERING);
        fs_err::rename(staging.root(), &entering).unwrap();
        for entry in ["project", "project.yml"].iter().take(moved) {
            fs_err::rename(entering.join(entry), scene.place.root.join(entry)).unwrap();
        }
        std::mem::forget(staging);
        assert!(scene.place.recover().unwrap().is_some());
        assert_eq!(scene.shows(), ["new", "new"], "after {moved}");
        assert_eq!(scene.litter(), [OLD], "after {moved}");
    }
}

#[test]
fn a_link_is_followed_to_what_is_replaced() {
    let scene = Scene::new(How::Beside);
    let link = scene.above.join("link");
    std::os::unix::fs::symlink(&scene.place.root, &link).unwrap();
    let place = Place::of(&link).unwrap();
    assert_eq!(place.root, scene.place.root);
    assert_eq!(place.how, How::Beside);
    assert_eq!(place.previous(), scene.above.join("ws.previous"));
}

#[test]
fn a_mount_point_is_replaced_from_within() {
    // Wherever tests run, this is one.
    assert_eq!(Place::of(Utf8Path::new("/proc")).unwrap().how, How::Inside);
}
