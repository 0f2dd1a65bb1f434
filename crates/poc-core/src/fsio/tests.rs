use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::{Duration, Instant};

use super::*;

struct Place {
    _dir: tempfile::TempDir,
    path: Utf8PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().to_owned();
        Self { _dir: dir, path }
    }

    fn at(&self, name: &str) -> Utf8PathBuf {
        self.path.join(name)
    }
}

fn mode(path: &Utf8Path) -> u32 {
    fs_err::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn read(path: &Utf8Path) -> String {
    fs_err::read_to_string(path).unwrap()
}

#[test]
fn an_atomic_write_replaces_with_exactly_the_mode() {
    let place = Place::new();
    let file = place.at("plan é.json");
    for (content, wanted) in [("one", 0o600), ("two", 0o755), ("", 0o644)] {
        write_atomic(&file, content.as_bytes(), wanted).unwrap();
        assert_eq!((read(&file).as_str(), mode(&file)), (content, wanted));
    }
    assert_eq!(
        entries(&place.path).unwrap(),
        ["plan é.json"],
        "no temporary file is left"
    );
}

#[test]
fn a_reader_never_sees_half() {
    let place = Place::new();
    let file = place.at("f");
    let contents = ["a".repeat(100_000), "b".repeat(100_000)];
    write_atomic(&file, contents[0].as_bytes(), 0o600).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..40 {
                write_atomic(&file, contents[round % 2].as_bytes(), 0o600).unwrap();
            }
        });
        while !writer.is_finished() {
            assert!(contents.contains(&read(&file)));
        }
    });
}

#[test]
fn a_failed_write_leaves_the_old_file_and_names_the_path() {
    let place = Place::new();
    let error = write_atomic(&place.at("no/such/f"), b"x", 0o600).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot write `{}/no/such/f`: ", place.path)),
        "{error}"
    );

    // A directory stands where the file should go: the rename fails, after the writing.
    let taken = place.at("taken");
    fs_err::create_dir(&taken).unwrap();
    write_atomic(&taken, b"x", 0o600).unwrap_err();
    assert_eq!(entries(&place.path).unwrap(), ["taken"]);
}

#[test]
fn an_atomic_write_replaces_a_link_and_not_what_it_leads_to() {
    let place = Place::new();
    write_atomic(&place.at("target"), b"target", 0o600).unwrap();
    symlink("target", place.at("link")).unwrap();
    write_atomic(&place.at("link"), b"new", 0o600).unwrap();
    assert_eq!(
        (
            read(&place.at("target")).as_str(),
            read(&place.at("link")).as_str()
        ),
        ("target", "new")
    );
}

#[test]
fn a_new_file_must_be_new() {
    let place = Place::new();
    let file = place.at("key");
    write_new(&file, b"secret", 0o600).unwrap();
    assert_eq!((read(&file).as_str(), mode(&file)), ("secret", 0o600));
    assert_eq!(
        write_new(&file, b"x", 0o600).unwrap_err().kind(),
        io::ErrorKind::AlreadyExists
    );
    symlink("elsewhere", place.at("link")).unwrap();
    assert_eq!(
        write_new(&place.at("link"), b"x", 0o600)
            .unwrap_err()
            .kind(),
        io::ErrorKind::AlreadyExists
    );
    assert!(!place.at("elsewhere").exists());
    write_new(&place.at("start.sh"), b"", 0o755).unwrap();
    assert_eq!(mode(&place.at("start.sh")), 0o755);
}

#[test]
fn private_directories_are_made_with_their_parents_and_left_as_they_are() {
    let place = Place::new();
    create_dir_private(&place.at("a/b")).unwrap();
    assert_eq!(
        (mode(&place.at("a")), mode(&place.at("a/b"))),
        (0o700, 0o700)
    );
    fs_err::set_permissions(place.at("a"), std::fs::Permissions::from_mode(0o755)).unwrap();
    create_dir_private(&place.at("a")).unwrap();
    assert_eq!(mode(&place.at("a")), 0o755);
    write_new(&place.at("f"), b"", 0o600).unwrap();
    assert!(create_dir_private(&place.at("f/x")).is_err());
    assert!(create_dir_private(&place.at("f")).is_err());
}

#[test]
fn two_directories_are_swapped_at_once() {
    let place = Place::new();
    for name in ["old", "new"] {
        create_dir_private(&place.at(name)).unwrap();
        write_new(&place.at(name).join("f"), name.as_bytes(), 0o600).unwrap();
    }
    exchange(&place.at("new"), &place.at("old")).unwrap();
    assert_eq!(
        (
            read(&place.at("old/f")).as_str(),
            read(&place.at("new/f")).as_str()
        ),
        ("new", "old")
    );
    let error = exchange(&place.at("new"), &place.at("absent")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("cannot swap"), "{error}");
    sync_tree(&place.path).unwrap();
    sync_dir(&place.path).unwrap();
    assert!(sync_tree(&place.at("absent")).is_err());
}

#[test]
fn a_tree_is_removed_without_following_links() {
    let place = Place::new();
    let (tree, kept) = (place.at("tree"), place.at("kept"));
    create_dir_private(&tree.join("a/b/c")).unwrap();
    create_dir_private(&kept).unwrap();
    write_new(&kept.join("thesis"), b"", 0o600).unwrap();
    write_new(&tree.join("a/f"), b"", 0o400).unwrap();
    symlink(&kept, tree.join("a/link")).unwrap();
    symlink("nowhere", tree.join("dangling")).unwrap();
    // Directories that even their owner may not write to or look into.
    for (name, bits) in [("a/b", 0o500), ("a/b/c", 0o000)] {
        fs_err::set_permissions(tree.join(name), std::fs::Permissions::from_mode(bits)).unwrap();
    }
    remove_tree(&tree).unwrap();
    assert!(!tree.exists());
    assert_eq!(entries(&kept).unwrap(), ["thesis"]);
    remove_tree(&tree).unwrap();

    symlink(&kept, place.at("link")).unwrap();
    remove_tree(&place.at("link")).unwrap();
    assert_eq!(entries(&place.path).unwrap(), ["kept"]);
    remove_tree(&kept.join("thesis")).unwrap();
    assert_eq!(entries(&kept).unwrap(), Vec::<String>::new());
}

#[test]
fn names_that_are_not_utf8_are_removed_too() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let tree = place.at("tree");
    create_dir_private(&tree).unwrap();
    let odd = tree
        .as_std_path()
        .join(std::ffi::OsStr::from_bytes(b"\xff\xfe"));
    fs_err::create_dir(&odd).unwrap();
    fs_err::File::create(odd.join("f")).unwrap();
    remove_tree(&tree).unwrap();
    assert!(!tree.exists());
}

#[test]
fn another_file_system_is_seen_for_what_it_is() {
    // /proc is mounted on every Linux; removing would stop there. (Nothing is removed here.)
    let seen = tree::look(rustix::fs::CWD, "/proc", Utf8Path::new("/proc"))
        .unwrap()
        .unwrap();
    assert!(seen.is_mount);
    let place = Place::new();
    let seen = tree::look(rustix::fs::CWD, place.path.as_std_path(), &place.path)
        .unwrap()
        .unwrap();
    assert!(!seen.is_mount);
}

#[test]
fn a_file_lock_is_exclusive_and_ends_with_its_holder() {
    let place = Place::new();
    let file = place.at("supervisor.lock");
    assert!(!FileLock::is_held(&file).unwrap());
    assert!(!file.exists(), "looking makes no file");
    let lock = FileLock::try_exclusive(&file).unwrap().unwrap();
    assert_eq!((lock.path(), mode(&file)), (file.as_path(), 0o600));
    assert!(FileLock::is_held(&file).unwrap());
    assert!(FileLock::try_exclusive(&file).unwrap().is_none());
    assert_eq!(FileLock::holder(&file), Some(std::process::id()));
    let begun = Instant::now();
    assert!(
        FileLock::exclusive(&file, Duration::from_millis(50))
            .unwrap()
            .is_none()
    );
    assert!(begun.elapsed() >= Duration::from_millis(50));
    drop(lock);
    assert!(!FileLock::is_held(&file).unwrap());
    assert_eq!(FileLock::holder(&file), None);
    assert!(
        FileLock::exclusive(&file, Duration::ZERO)
            .unwrap()
            .is_some()
    );
    assert!(FileLock::try_exclusive(&place.at("no/such/lock")).is_err());
}

#[test]
fn a_lock_on_a_removed_file_guards_nothing_and_is_not_taken_for_one() {
    let place = Place::new();
    let file = place.at("lock");
    let old = FileLock::try_exclusive(&file).unwrap().unwrap();
    fs_err::remove_file(&file).unwrap();
    let new = FileLock::try_exclusive(&file).unwrap().unwrap();
    assert_ne!(fs_err::metadata(&file).unwrap().ino(), 0);
    drop(old);
    assert!(FileLock::is_held(&file).unwrap());
    drop(new);
}
