//! `poc demo`: a real training, and the same sums done again by somebody else.

use std::time::Duration;

use poc_tests::{PocTest, SHORT, poc_test};
use serde_json::Value;

/// The limit that the project set itself on two cores, with the runtime in place; and as much again
/// for the other test that runs beside this one.
const LIMIT: Duration = Duration::from_secs(180);

/// What Python makes of the files that the demo left: see the script.
fn again(world: &PocTest, demo: &Value) -> Value {
    let files = ["model", "held_out"].map(|name| demo["result"][name].as_str().unwrap());
    let workspace = demo["workspace"].as_str().unwrap();
    let output = world
        .python("accuracy.py", [files[0], files[1], workspace])
        .success();
    serde_json::from_str(&output.stdout).unwrap()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn the_result_holds_outside_poc() {
    let world = poc_test!().with_flare();
    // NVFLARE_POC_WORKSPACE is not the demo's business, nor is config.conf.
    let demo = world
        .poc(["demo", "--keep", "--format", "json"])
        .limit(LIMIT)
        .success()
        .data();
    assert!(!world.workspace().exists());
    assert!(!world.config().exists());
    assert_eq!(demo["job"]["status"], "FINISHED:COMPLETED");
    assert_eq!(demo["kept"], true);

    let computed = again(&world, &demo);
    let accuracy = number(&computed["accuracy"]);
    assert!(
        (accuracy - number(&demo["accuracy"])).abs() < 1e-9,
        "{computed} {}",
        demo["accuracy"]
    );
    assert_eq!(computed["held_out"], 170);
    assert_eq!(computed["trained_on_held_out"], 0);
    let mut alone: Vec<_> = demo["sites"]
        .as_array()
        .unwrap()
        .iter()
        .map(|site| number(&site["alone"]))
        .collect();
    alone.sort_by(f64::total_cmp);
    assert_eq!(alone.len(), 3);
    assert!(accuracy >= 0.93, "{accuracy}");
    assert!(
        accuracy >= alone[1],
        "federated {accuracy}, alone {alone:?}"
    );

    // What is kept is a POC like any other; NVFlare's own word on the job comes from there.
    let workspace = demo["workspace"].as_str().unwrap();
    let status = world
        .poc(["status", "--workspace", workspace, "--format", "json"])
        .success()
        .data();
    assert_eq!(status["state"], "running", "{status}");
    let kit = camino::Utf8Path::new(workspace).join("example_project/prod_00/admin@nvidia.com");
    let jobs = world
        .python("flare_api.py", [kit.as_str(), "jobs"])
        .success();
    let jobs: Value = serde_json::from_str(&jobs.stdout).unwrap();
    assert_eq!(
        jobs[demo["job"]["id"].as_str().unwrap()],
        "FINISHED:COMPLETED",
        "{jobs}"
    );

    world
        .poc(["down", "--clean", "--workspace", workspace])
        .success();
    world.assert_nothing_left();
    assert!(!camino::Utf8Path::new(workspace).exists());
}

#[test]
fn nothing_is_left_but_the_result() {
    let world = poc_test!().with_flare();
    let demo = world
        .poc(["demo", "--rounds", "2", "--sites", "2", "--format", "json"])
        .limit(LIMIT)
        .success()
        .data();
    world.assert_nothing_left();
    assert_eq!(demo["rounds"].as_array().unwrap().len(), 2);
    assert_eq!(demo["sites"].as_array().unwrap().len(), 2);
    assert_eq!(demo["kept"], false);
    assert!(!camino::Utf8Path::new(demo["workspace"].as_str().unwrap()).exists());
    let computed = again(&world, &demo);
    assert!((number(&computed["accuracy"]) - number(&demo["accuracy"])).abs() < 1e-9);
}

#[test]
fn ctrl_c_in_the_middle_stops_all_that_it_started() {
    let world = poc_test!().with_flare();
    let mut terminal = world.on_terminal(world.poc(["demo", "--rounds", "500"]));
    // A line a round, so training is under way.
    terminal.expect("round", 4 * SHORT);
    terminal.expect("%", 4 * SHORT);
    assert!(!world.processes().is_empty());
    terminal.type_in("\x03");
    let (code, shown) = terminal.wait(2 * SHORT);
    assert_eq!(code, 130, "{shown}");
    world.assert_nothing_left();
}

#[test]
fn numbers_that_cannot_be() {
    let world = poc_test!();
    for args in [
        ["--rounds", "0"],
        ["--rounds", "x"],
        ["--sites", "0"],
        ["--sites", "33"],
        ["--sites", "-1"],
    ] {
        let output = world.poc(["demo", "--format", "json"]).args(args).code(4);
        assert_eq!(
            output.error_code(),
            "INVALID_ARGS",
            "{}",
            output.transcript()
        );
    }
}
