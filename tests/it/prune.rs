//! `poc prune`: what earlier POCs left behind is shown and ended, and what runs is left alone.
//!
//! Other tests run, and kill supervisors, at the same time: so nothing here is ended but with
//! `--workspace`.

use std::process::{Child, Command, Stdio};

use camino::Utf8Path;
use poc_tests::{Federation, Job, PocTest, SHORT, poc_test, wait_for};
use serde_json::{Value, json};

/// Kills the supervisor, and waits until the fork server has ended with it.
fn kill_supervisor(world: &PocTest) {
    world.kill_supervisor();
    wait_for("the fork server has left", SHORT, || {
        let fork_server = |command: &str| command.contains(" poc-fork-server");
        let mut processes = world.processes().into_iter();
        (!processes.any(|one| fork_server(&one.command))).then_some(())
    });
}

/// Removes the workspace under participants that go on writing into it.
fn remove(workspace: &Utf8Path) {
    wait_for("the workspace is gone", SHORT, || {
        fs_err::remove_dir_all(workspace).ok();
        (!workspace.exists()).then_some(())
    });
}

fn pids(world: &PocTest) -> Vec<u32> {
    world.processes().into_iter().map(|one| one.pid).collect()
}

/// What is told of this world's workspace.
fn of<'a>(data: &'a Value, list: &str, world: &PocTest) -> Vec<&'a Value> {
    let all = data[list].as_array().unwrap().iter();
    all.filter(|one| one["workspace"] == world.workspace().as_str())
        .collect()
}

/// Somebody else's process, whose command line is that of a site.
struct Decoy(Child);

impl Decoy {
    fn new(kit: &str) -> Self {
        let module = "nvflare.private.fed.app.client.client_train";
        let mut shell = Command::new("/bin/sh");
        shell.args([
            "-c",
            "read line; :",
            "python3",
            "-u",
            "-m",
            module,
            "-m",
            kit,
        ]);
        Self(shell.stdin(Stdio::piped()).spawn().unwrap())
    }

    fn assert_lives(&mut self) {
        assert!(self.0.try_wait().unwrap().is_none());
    }
}

impl Drop for Decoy {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn what_was_left_behind_is_shown_and_ended_and_what_runs_is_not() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 2);
    let other = poc_test!().with_flare();
    Federation::start(&other, 1);
    let (others, mut decoy) = (pids(&other), Decoy::new("/opt/nvflare/site-1"));
    kill_supervisor(&world);
    remove(world.workspace());
    let left = pids(&world);
    assert!(left.len() >= 3, "{:?}", world.processes());

    // Without somebody to ask it is only shown.
    let shown = world.poc(["prune", "--format", "json"]).code(4);
    assert_eq!(shown.error_code(), "STILL_RUNNING");
    let found = shown.json()["data"].clone();
    assert_eq!(of(&found, "running", &other).len(), 1, "{found}");
    let [ours] = of(&found, "left_behind", &world)[..] else {
        panic!("{found}");
    };
    assert_eq!(ours["why"], "workspace_gone");
    let mut told: Vec<u32> = serde_json::from_value(
        ours["processes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["pid"].clone())
            .collect(),
    )
    .unwrap();
    told.sort_unstable();
    assert_eq!(told, left);

    let workspace = world.workspace().as_str();
    let prune = || world.poc(["prune", "--workspace", workspace]);
    let mut terminal = world.on_terminal(prune());
    terminal.expect("[y/N]", SHORT);
    terminal.type_in("n\n");
    let (code, said) = terminal.wait(SHORT);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("which was removed"), "{said}");
    assert_eq!(pids(&world), left, "a no is a no");

    let mut terminal = world.on_terminal(prune());
    terminal.expect("[y/N]", SHORT);
    terminal.type_in("y\n");
    let (code, said) = terminal.wait(SHORT);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("Ended 3 processes"), "{said}");
    world.assert_nothing_left();
    prune().success();
    assert_eq!(pids(&other), others, "who runs is left alone");
    decoy.assert_lives();
    other.poc(["stop"]).success();
}

/// With the workspace still there it is a stop: the running job is aborted first, so that the next start
/// does not find it running for ever, and no pid file is left.
#[test]
fn a_poc_whose_supervisor_died_is_stopped_in_order() {
    let world = poc_test!().with_flare();
    let federation = Federation::start(&world, 2);
    let job = federation.submit(Job::Waiting);
    federation.wait_running(&job);
    kill_supervisor(&world);
    let workspace = world.workspace().as_str();
    let prune = || world.poc(["prune", "--workspace", workspace, "--format", "json"]);
    let found = prune().code(4).json()["data"].clone();
    assert_eq!(found["left_behind"][0]["why"], "supervisor_gone");
    assert!(
        found["left_behind"][0]["processes"]
            .as_array()
            .unwrap()
            .len()
            >= 4
    );
    let pruned = world
        .poc([
            "prune",
            "--workspace",
            workspace,
            "--force",
            "--format",
            "json",
        ])
        .success()
        .data();
    assert_eq!(pruned["status"], "pruned");
    let processes = pruned["left_behind"][0]["processes"].as_array().unwrap();
    assert!(
        processes.iter().all(|one| one["state"] == "ended"),
        "{pruned}"
    );
    world.assert_nothing_left();
    let clean = prune().success().data();
    assert_eq!(
        clean,
        json!({"status": "clean", "left_behind": [], "running": []})
    );
}
