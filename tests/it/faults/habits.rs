//! Participants that do not behave.

use std::time::Duration;

use poc_tests::{PocTest, SHORT, poc_test, wait_for};

/// What a console log holds at most once it was looked at, and what is moved aside of it.
const CAP: u64 = 16 * 1024 * 1024;
/// What may be written of a flood of 200 MiB until it is looked at, on a machine that is busy otherwise.
const MORE: u64 = 128 * 1024 * 1024;

/// The processes that `strays` leaves.
fn strays(world: &PocTest) -> usize {
    let processes = world.processes().into_iter();
    processes.filter(|one| one.command == "sleep 3600").count()
}

/// One ignores SIGTERM, one has left processes in sessions of their own, of which one ignores SIGTERM,
/// and one floods its log.
#[test]
fn deaf_strays_and_a_flood() {
    let world = poc_test!().with_flare();
    world.prepare(3);
    let mut decoys = world.decoys();
    for (site, habit) in [
        ("site-1", "deaf"),
        ("site-2", "strays"),
        ("site-3", "flood"),
    ] {
        world.misbehaves(site, habit);
    }
    world.poc(["start"]).success();

    // The flood goes on while it is capped, and so does who makes it.
    let log = world.kit("site-3").join("poc_console.log");
    let aside = format!("{log}.1");
    let size = |path: &str| fs_err::metadata(path).map_or(0, |it| it.len());
    wait_for("the flood is over", 3 * SHORT, || {
        let sizes = (size(log.as_str()), size(&aside));
        assert!(sizes.0 < CAP + MORE && sizes.1 < CAP + MORE, "{sizes:?}");
        let text = world.poc(["logs", "-n", "5", "site-3"]).success().stdout;
        text.contains("end of the flood").then_some(())
    });
    wait_for("its log is cut", SHORT, || {
        (size(log.as_str()) <= CAP).then_some(())
    });
    let rotations = world.told("log_rotated");
    assert!(rotations.len() > 2, "{rotations:?}");
    assert!(rotations.iter().all(|it| it["name"] == "site-3"));
    assert_eq!(world.participant("site-3")["registered"], true);

    assert_eq!(strays(&world), 2);
    let deaf = world.pid("site-1");
    let stopped = world.stop_leaves_nothing(&mut decoys);
    let killed = format!("killing site-1 (process {deaf}): it did not end in time");
    assert!(stopped.stderr.contains(&killed), "{}", stopped.transcript());
    assert!(stopped.elapsed < SHORT, "{:?}", stopped.elapsed);
    let swept: Vec<_> = world.told("swept");
    let pids = swept.iter().map(|it| it["pids"].as_array().unwrap().len());
    assert_eq!(pids.sum::<usize>(), 2, "{swept:?}");

    // The same where there is no supervisor to do it.
    world.habits("site-3", "");
    world.poc(["start"]).success();
    assert_eq!(strays(&world), 2);
    world.kill_supervisor();
    let stopped = world.stop_leaves_nothing(&mut decoys);
    assert!(
        stopped.stderr.contains("it did not end in time"),
        "{}",
        stopped.transcript()
    );
}

/// One that crashes while it starts fails the start, with its last words.
#[test]
fn a_crash_at_once() {
    let world = poc_test!().with_flare();
    world.prepare(2);
    let mut decoys = world.decoys();
    world.misbehaves("site-2", "crash");
    let output = world.poc(["start", "--format", "json"]).code(1);
    assert_eq!(output.error_code(), "START_FAILED");
    assert!(
        output.elapsed < Duration::from_secs(15),
        "{:?}",
        output.elapsed
    );
    let text = output.text();
    assert!(
        text.contains("site-2") && text.contains("crashing on purpose"),
        "{text}"
    );
    world.assert_is_over(world.cookie().as_deref(), &mut decoys);
    world.stop_leaves_nothing(&mut decoys);
}
