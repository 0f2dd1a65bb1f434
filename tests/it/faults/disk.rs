//! The disk that holds the workspace fills up while the POC runs.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use poc_tests::{Federation, NO_SMALL_DISK, Output, PocTest, SHORT, poc_test, wait_for};

/// The files below a directory that hold something, and how much.
fn sizes(directory: &Utf8Path) -> BTreeMap<Utf8PathBuf, u64> {
    let mut found = BTreeMap::new();
    for entry in directory.read_dir_utf8().unwrap() {
        let path = entry.unwrap().into_path();
        let metadata = fs_err::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            found.extend(sizes(&path));
        } else if metadata.is_file() && metadata.len() > 0 {
            found.insert(path, metadata.len());
        }
    }
    found
}

/// No file that held something holds nothing now. What is gone stood for what ran: a pid file, or the
/// supervisor's record.
#[track_caller]
fn assert_nothing_cut(before: &BTreeMap<Utf8PathBuf, u64>) {
    for path in before.keys() {
        match fs_err::metadata(path) {
            Ok(metadata) => assert!(metadata.len() > 0, "{path} is empty"),
            Err(error) => assert!(
                path.extension() == Some("fl") || path.ends_with(".poc/state.json"),
                "{error}"
            ),
        }
    }
}

#[track_caller]
fn assert_says_full(output: &Output) {
    let text = output.text();
    assert!(
        text.contains("the disk that holds") && text.contains(" is full: "),
        "{}",
        output.transcript()
    );
}

fn pids(world: &PocTest) -> [u32; 2] {
    ["server", "site-1"].map(|name| world.pid(name))
}

#[test]
fn full_while_running() {
    let world = poc_test!().with_flare().with_small_disk("12m");
    let world = world.unwrap_or_else(|| panic!("{NO_SMALL_DISK}"));
    Federation::start(&world, 2);
    let mut decoys = world.decoys();
    let (before, files) = (pids(&world), sizes(&world.seen(world.workspace())));
    world.fill_disk();

    // Everybody goes on, and looking says what is wrong.
    let status = world.poc(["status"]).success();
    assert_says_full(&status);
    assert_eq!(world.status()["state"], "running");
    let logs = world.poc(["logs", "-n", "1"]).success();
    assert!(logs.stdout.contains("site-1"), "{}", logs.transcript());
    world.poc(["events"]).success();

    // One can be stopped, and not started again before there is room.
    world.poc(["stop", "-p", "site-2"]).success();
    let start = world
        .poc(["start", "-p", "site-2", "--format", "json"])
        .code(1);
    assert_says_full(&start);
    assert_eq!(start.error_code(), "IO_ERROR");
    assert!(start.elapsed < SHORT, "{:?}", start.elapsed);
    let again = world.poc(["prepare", "--force"]).code(4);
    assert!(
        again.stderr.contains("is running"),
        "{}",
        again.transcript()
    );
    assert_eq!(pids(&world), before);
    assert_nothing_cut(&files);

    // With room again, all is as it was, and what happens is told again.
    world.empty_disk();
    assert_eq!(world.poc(["status"]).success().stderr, "");
    world.poc(["start", "-p", "site-2"]).success();
    assert_eq!(pids(&world), before);
    let clients = wait_for("the server knows both", SHORT, || {
        Some(Federation::running(&world).clients()).filter(|all| all.len() == 2)
    });
    assert_eq!(clients, ["site-1", "site-2"]);
    let ready = world.told("ready");
    assert_eq!(ready.last().unwrap()["name"], "site-2", "{ready:?}");

    // Full once more, and nobody left to supervise: a stop needs no room.
    world.fill_disk();
    world.kill_supervisor();
    world.stop_leaves_nothing(&mut decoys);
    assert_nothing_cut(&files);
}
