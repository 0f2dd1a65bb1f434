//! NVFlare's users type flags as they learned them: with one dash, with underscores, with hyphens.

use poc_tests::{PocTest, poc_test};

/// The sites that `poc prepare` made of these words.
#[track_caller]
fn sites(world: &PocTest, words: &[&str]) -> Vec<String> {
    let output = world
        .poc(["prepare", "--force", "--format", "json"])
        .args(words)
        .success();
    let data = output.data();
    data["clients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn prepare() {
    let world = poc_test!();
    for words in [
        &["-n", "1"][..],
        &["-n1"],
        &["-n=1"],
        &["--number_of_clients", "1"],
        &["--number-of-clients=1"],
        &["--number_of_clients=1", "-debug"],
    ] {
        assert_eq!(sites(&world, words), ["site-1"], "{words:?}");
    }
    for words in [
        &["-c", "a", "b"][..],
        &["-c", "a", "-c", "b"],
        &["--clients", "a", "b"],
        &["-n", "7", "-c", "a", "b"],
        &["--clients=a", "--clients=b"],
    ] {
        assert_eq!(sites(&world, words), ["a", "b"], "{words:?}");
    }
    assert_eq!(sites(&world, &[]), ["site-1", "site-2"]);

    // What -i ignores, it says.
    let input = world.root().join("mine.yml");
    fs_err::copy(world.workspace().join("project.yml"), &input).unwrap();
    for flag in ["-i", "--project_input", "--project-input"] {
        let output = world
            .poc([
                "prepare",
                "--force",
                flag,
                input.as_str(),
                "-n",
                "5",
                "-c",
                "x",
            ])
            .success();
        assert!(
            output.stderr.contains("-n") && output.stderr.contains("-c"),
            "{}",
            output.transcript()
        );
        assert!(!world.kit("x").exists() && world.kit("site-2").exists());
    }
}

#[test]
fn start() {
    let world = poc_test!().with_flare();
    world.poc(["prepare", "-n", "3"]).success();
    let plan = |words: &[&str]| -> Vec<String> {
        let output = world
            .poc(["start", "--dry-run", "--format", "json"])
            .args(words)
            .success();
        let data = output.data();
        data["participants"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = ["server", "site-1", "site-2", "site-3"];
    for words in [
        &[][..],
        &["-p"],
        &["-p", "all"],
        &["-p=all"],
        &["--service", "all"],
        &["-ex"],
        &["--exclude", "admin@nvidia.com"],
        &["-ex", "admin@nvidia.com"],
    ] {
        assert_eq!(plan(words), all, "{words:?}");
    }
    for words in [
        &["-ex", "site-3"][..],
        &["--exclude=site-3"],
        &["-ex=site-3"],
        &["-p", "server", "site-1", "site-2"],
        &["-p", "server", "-p", "site-1", "-p", "site-2"],
        &["--service", "all", "-ex", "site-3"],
    ] {
        assert_eq!(plan(words), ["server", "site-1", "site-2"], "{words:?}");
    }
    for words in [
        &["-gpu"][..],
        &["-gpu", "none"],
        &["--gpu=none"],
        &["-gpu=none", "-debug"],
    ] {
        assert_eq!(plan(words), all, "{words:?}");
    }
    world.assert_nothing_left();
}

#[test]
fn config_and_jobs_dir() {
    let world = poc_test!();
    world.poc(["prepare"]).success();
    let kit = world.kit("lead@nvidia.com");
    for words in [
        &["-pw", "there"][..],
        &["--pw", "there"],
        &["--poc_workspace_dir", "there"],
        &["--poc-workspace-dir=there"],
        &["-d", kit.as_str()],
        &["--startup_kit_dir", kit.as_str()],
        &["--startup-kit-dir", kit.as_str()],
    ] {
        world.poc(["config"]).args(words).success();
    }
    let text = fs_err::read_to_string(world.config()).unwrap();
    assert!(
        text.contains(&format!("\"{}\"", world.root().join("there"))),
        "{text}"
    );

    fs_err::create_dir_all(world.root().join("jobs/one")).unwrap();
    for words in [
        &["-j", "jobs"][..],
        &["--jobs_dir", "jobs"],
        &["--jobs-dir=jobs"],
    ] {
        world
            .poc(["prepare-jobs-dir", "--force"])
            .args(words)
            .success();
        assert!(world.kit("admin@nvidia.com").join("transfer/one").exists());
    }
}

/// `$NVFLARE_HOME/examples` is linked at prepare, and by prepare-jobs-dir; -j wins.
#[test]
fn nvflare_home() {
    let world = poc_test!();
    for name in ["checkout/examples/hello", "mine/job"] {
        fs_err::create_dir_all(world.root().join(name)).unwrap();
    }
    let checkout = world.root().join("checkout");
    let transfer = world.kit("admin@nvidia.com").join("transfer");
    world
        .poc(["prepare"])
        .env("NVFLARE_HOME", &checkout)
        .success();
    assert!(transfer.join("hello").exists());
    world
        .poc(["prepare-jobs-dir", "-j", "mine"])
        .env("NVFLARE_HOME", &checkout)
        .success();
    assert!(transfer.join("job").exists());
    world
        .poc(["prepare-jobs-dir"])
        .env("NVFLARE_HOME", &checkout)
        .success();
    assert!(transfer.join("hello").exists());
    world.poc(["clean"]).success();
    assert!(
        world.root().join("checkout/examples/hello").exists()
            && world.root().join("mine/job").exists()
    );
}
