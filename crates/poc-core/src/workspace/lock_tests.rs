use super::*;
use crate::fsio;

fn place() -> (tempfile::TempDir, Workspace) {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::new(Utf8Path::from_path(dir.path()).unwrap().join("deep/poc"));
    (dir, workspace)
}

const NOW: Duration = Duration::ZERO;

#[test]
fn one_at_a_time_and_the_other_is_told_who() {
    let (_dir, workspace) = place();
    let lock = workspace.lock_create(NOW).unwrap();
    match workspace.lock(NOW) {
        Err(Error::Busy { holder, .. }) => assert_eq!(holder, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    assert!(lock.is_current().unwrap());
    drop(lock);
    drop(workspace.lock_create(NOW).unwrap());
}

#[test]
fn what_was_made_to_be_locked_goes_again_as_far_as_it_is_empty() {
    let (_dir, workspace) = place();
    drop(workspace.lock_create(NOW).unwrap());
    let deep = workspace.root().parent().unwrap();
    assert!(!deep.exists());

    let lock = workspace.lock_create(NOW).unwrap();
    fs_err::write(deep.join("other"), "").unwrap();
    drop(lock);
    assert!(!workspace.root().exists() && deep.exists());

    let lock = workspace.lock_create(NOW).unwrap();
    fs_err::write(workspace.project_file(), "").unwrap();
    drop(lock);
    assert!(workspace.project_file().exists());

    // One that was there before stays, empty or not.
    fs_err::remove_file(workspace.project_file()).unwrap();
    drop(workspace.lock_create(NOW).unwrap());
    assert!(workspace.root().exists());
    assert_eq!(
        fsio::entries(workspace.root()).unwrap(),
        Vec::<String>::new(),
        "no lock file is left"
    );
}

#[test]
fn nothing_to_lock_is_not_prepared() {
    let (_dir, workspace) = place();
    assert!(matches!(
        workspace.lock(NOW),
        Err(Error::NotPrepared { .. })
    ));
}

#[test]
fn a_file_in_its_place_is_an_error() {
    let (_dir, workspace) = place();
    fs_err::create_dir_all(workspace.root().parent().unwrap()).unwrap();
    fs_err::write(workspace.root(), "").unwrap();
    assert!(matches!(workspace.lock(NOW), Err(Error::Io(_))));
    assert!(matches!(workspace.lock_create(NOW), Err(Error::Io(_))));
    assert!(workspace.root().is_file());
}

#[test]
fn the_lock_holds_through_a_swap() {
    let (_dir, workspace) = place();
    let staged = workspace.root().with_file_name("staged");
    let mut lock = workspace.lock_create(NOW).unwrap();
    create_dir_private(&staged).unwrap();
    lock.also(&staged).unwrap();
    assert!(matches!(
        Workspace::new(&staged).lock(NOW),
        Err(Error::Busy { .. })
    ));
    fsio::exchange(&staged, workspace.root()).unwrap();
    assert!(lock.is_current().unwrap());
    assert!(matches!(workspace.lock(NOW), Err(Error::Busy { .. })));
    fsio::remove_tree(&staged).unwrap();
    fs_err::write(workspace.project_file(), "").unwrap();
    drop(lock);
    drop(workspace.lock(NOW).unwrap());
}

#[test]
fn a_lock_on_what_was_swapped_away_is_not_the_workspace_s() {
    let (_dir, workspace) = place();
    let lock = workspace.lock_create(NOW).unwrap();
    let aside = workspace.root().with_file_name("aside");
    fs_err::rename(workspace.root(), &aside).unwrap();
    create_dir_private(workspace.root()).unwrap();
    assert!(!lock.is_current().unwrap());
    // The new directory is free, whoever holds the old one.
    let second = workspace.lock(NOW).unwrap();
    assert!(second.is_current().unwrap());
}

#[test]
fn waiting_ends_when_the_other_lets_go() {
    let (_dir, workspace) = place();
    let lock = workspace.lock_create(NOW).unwrap();
    fs_err::write(workspace.project_file(), "").unwrap();
    let (waiting, started) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            waiting.send(()).unwrap();
            workspace
                .lock(Duration::from_secs(30))
                .map(|lock| lock.is_current().unwrap())
        });
        started.recv().unwrap();
        drop(lock);
        assert!(other.join().unwrap().unwrap());
    });
}

#[test]
fn one_that_waits_is_not_put_off_by_the_directory_going_away() {
    let (_dir, workspace) = place();
    let lock = workspace.lock_create(NOW).unwrap();
    let (waiting, started) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            waiting.send(()).unwrap();
            workspace
                .lock_create(Duration::from_secs(30))
                .map(|lock| lock.is_current().unwrap())
        });
        started.recv().unwrap();
        // Nothing was put into it: it goes with the lock.
        drop(lock);
        assert!(other.join().unwrap().unwrap());
    });
    assert!(!workspace.root().exists());
}
