//! Files of a POC that runs are damaged: it can be looked at and ended all the same.

use poc_tests::{Decoys, PocTest, poc_test};
use serde_json::Value;

const NAMES: [&str; 3] = ["server", "site-1", "site-2"];

/// project.yml is cut short, and config.conf does not parse.
fn damage(world: &PocTest) {
    let project = world.workspace().join("project.yml");
    let text = fs_err::read(&project).unwrap();
    fs_err::write(&project, &text[..60]).unwrap();
    fs_err::write(world.config(), "poc { workspace = \"").unwrap();
}

fn names(data: &Value) -> Vec<&str> {
    let participants = data["participants"].as_array().unwrap().iter();
    participants
        .map(|one| one["name"].as_str().unwrap())
        .collect()
}

/// Everything that only looks works, and says what is wrong.
#[track_caller]
fn assert_can_be_looked_at(world: &PocTest) {
    let status = world.poc(["status", "--format", "json"]).success();
    let data = status.data();
    assert_eq!(data["state"], "running", "{data}");
    assert_eq!(names(&data), NAMES);
    for told in ["config.conf", "project.yml"] {
        assert!(status.stderr.contains(told), "{}", status.stderr);
    }
    let logs = world.poc(["logs", "site-2"]).success();
    assert!(!logs.stdout.is_empty());
    let events = world.poc(["events"]).success();
    assert!(events.stdout.contains("site-2"), "{}", events.stdout);
    // What changes something does not guess.
    let prepare = world.poc(["prepare", "--force"]).code(4);
    assert_eq!(prepare.stdout, "");
}

#[track_caller]
fn start(world: &PocTest) -> Decoys {
    world.poc(["clean"]).success();
    world.prepare(2);
    world.poc(["start"]).success();
    world.decoys()
}

#[test]
fn of_project_and_config() {
    let world = poc_test!().with_flare();
    world.prepare(2);
    let mut decoys = start(&world);
    damage(&world);
    assert_can_be_looked_at(&world);
    let stopped = world.stop_leaves_nothing(&mut decoys);
    assert!(stopped.stdout.contains("Stopped server, site-1 and site-2"));

    // Without a supervisor, whose plan is still there.
    fs_err::remove_file(world.config()).unwrap();
    let mut decoys = start(&world);
    world.kill_supervisor();
    damage(&world);
    let stopped = world.stop_leaves_nothing(&mut decoys);
    assert!(stopped.stdout.contains("Stopped server, site-1 and site-2"));

    // `down --clean` and `clean --force` end it and remove it.
    for line in [["down", "--clean"], ["clean", "--force"]] {
        fs_err::remove_file(world.config()).unwrap();
        let mut decoys = start(&world);
        let cookie = world.cookie();
        damage(&world);
        let output = world.poc(line).success();
        assert!(output.stdout.contains("Removed"), "{}", output.transcript());
        assert!(!world.workspace().exists());
        world.assert_is_over(cookie.as_deref(), &mut decoys);
        // A file that does not parse is never overwritten.
        let config = fs_err::read_to_string(world.config()).unwrap();
        assert_eq!(config, "poc { workspace = \"");
    }

    // Nobody names the workspace but config.conf, which does not parse.
    let stop = world
        .poc(["stop", "--format", "json"])
        .env_remove("NVFLARE_POC_WORKSPACE")
        .code(4);
    assert_eq!(stop.error_code(), "CONFIG_INVALID");
}

#[test]
fn of_a_kit_that_is_gone() {
    let world = poc_test!().with_flare();
    world.prepare(2);
    let (kit, elsewhere) = (world.kit("site-2"), world.root().join("elsewhere"));
    fs_err::rename(&kit, &elsewhere).unwrap();
    let status = world.poc(["status", "--format", "json"]).success();
    let data = status.data();
    assert_eq!(names(&data), NAMES);
    assert_eq!(data["participants"][2]["state"], "missing kit");
    for line in [&["start"][..], &["start", "-p", "site-2"]] {
        let start = world.poc(line).code(4);
        let told = format!("error: site-2's startup kit is missing in {}", world.prod());
        assert!(start.stderr.contains(&told), "{}", start.stderr);
        assert!(start.stderr.contains("poc add-site site-2"));
    }
    // The others can go without it, and the remedy is one.
    let mut decoys = world.decoys();
    world.poc(["start", "-ex", "site-2"]).success();
    let state = world.poc(["status", "--format", "json"]).success().data();
    assert_eq!(state["state"], "partial");
    world.poc(["add-site", "site-2"]).success();
    world.poc(["start", "-p", "site-2"]).success();
    let state = world.poc(["status", "--format", "json"]).success().data();
    assert_eq!(state["state"], "running");
    world.stop_leaves_nothing(&mut decoys);
}
