//! The workspace goes while the POC runs.

use std::{
    io,
    time::{Duration, Instant},
};

use camino::Utf8Path;
use poc_tests::{Decoys, Federation, Job, PocTest, poc_test, wait_for};

/// Within which everything has ended.
const ENDED: Duration = Duration::from_secs(10);

/// Everything ends by itself, and a stop finds nothing to stop.
#[track_caller]
fn assert_ends(world: &PocTest, cookie: Option<&str>, decoys: &mut Decoys) {
    let begun = Instant::now();
    wait_for("everything has ended", ENDED, || {
        world.processes().is_empty().then_some(())
    });
    assert!(begun.elapsed() < ENDED, "{:?}", begun.elapsed());
    let stopped = world.poc(["stop", "--format", "json"]).code(4);
    assert_eq!(stopped.error_code(), "NOT_PREPARED");
    world.assert_is_over(cookie, decoys);
}

/// As `rm -r` does, again where somebody wrote a file meanwhile.
fn remove(directory: &Utf8Path) {
    wait_for("it is removed", ENDED, || {
        match fs_err::remove_dir_all(directory) {
            Ok(()) => Some(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(()),
            Err(_) => None,
        }
    });
}

#[test]
fn is_moved_away_or_deleted() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 2);
    let (cookie, mut decoys) = (world.cookie(), world.decoys());
    let elsewhere = world.root().join("elsewhere");
    fs_err::rename(world.workspace(), &elsewhere).unwrap();
    assert_ends_moved(&world, &elsewhere, cookie.as_deref(), &mut decoys);

    // And deleted, while a job runs.
    let federation = Federation::start(&world, 2);
    let cookie = world.cookie();
    let job = federation.submit(Job::Waiting);
    federation.wait_running(&job);
    remove(world.workspace());
    assert_ends(&world, cookie.as_deref(), &mut decoys);
    assert!(!world.workspace().exists(), "something has made it again");
}

/// What has moved keeps the pid files that nobody could find any more; they mean nothing there.
#[track_caller]
fn assert_ends_moved(
    world: &PocTest,
    elsewhere: &Utf8Path,
    cookie: Option<&str>,
    decoys: &mut Decoys,
) {
    wait_for("everything has ended", ENDED, || {
        world.processes().is_empty().then_some(())
    });
    let stopped = world
        .poc(["stop", "--workspace", elsewhere.as_str()])
        .success();
    assert!(
        stopped.stdout.contains("Nothing was running"),
        "{}",
        stopped.transcript()
    );
    assert_ends(world, cookie, decoys);
    fs_err::remove_dir_all(elsewhere).unwrap();
}
