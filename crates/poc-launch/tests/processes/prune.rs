//! What earlier POCs left behind is found and ended, and nothing else.

use std::process::{Command, Stdio};

use camino::Utf8PathBuf;
use poc_core::Cancel;
use poc_launch::process::Signal;
use poc_launch::prune::{self, Pruned, Remains, Why};

use crate::poc::{Poc, Stranger, is_alive, signal_pid, wait_for};

crate::tests![
    what_a_removed_workspace_left_is_ended,
    what_a_dead_supervisor_left_is_ended,
    a_new_poc_in_the_same_place_is_left_alone,
    a_cookie_alone_is_enough,
    a_kit_that_is_there_and_no_poc_is_nobodys_business,
];

fn workspace(poc: &Poc) -> Utf8PathBuf {
    poc.prepared.workspace.root().canonicalize_utf8().unwrap()
}

fn kill_supervisor(poc: &Poc) {
    let supervisor = poc.supervisor();
    signal_pid(supervisor, Signal::KILL);
    wait_for("its end", || (!is_alive(supervisor)).then_some(()));
}

/// What is found of this workspace. Others may have left something behind too.
fn remains(root: &Utf8PathBuf) -> Vec<Remains> {
    let outlook = prune::look(Some(root)).unwrap();
    for remains in &outlook.remains {
        assert_eq!(remains.workspace.as_ref(), Some(root));
    }
    outlook.remains
}

fn end(remains: &Remains) -> Pruned {
    let pruned = remains.end(None, &Cancel::new(), &mut |_| {}).unwrap();
    assert_eq!(pruned.survivors, []);
    pruned
}

fn what_a_removed_workspace_left_is_ended() {
    let poc = Poc::new(2);
    poc.start().unwrap();
    let pids = ["server", "site-1", "site-2"].map(|name| poc.pid(name));
    let root = workspace(&poc);
    let log = poc.kit("site-1").console_log();
    let mut reader = Stranger(Command::new("tail").arg("-f").arg(&log).spawn().unwrap());
    let running = prune::look(Some(&root)).unwrap();
    assert!(running.remains.is_empty());
    assert_eq!(running.running[0].supervisor, Some(poc.supervisor()));
    kill_supervisor(&poc);
    poc_core::fsio::remove_tree(&root).unwrap();

    let [left] = &remains(&root)[..] else {
        panic!("one POC");
    };
    assert_eq!(left.why, Why::WorkspaceGone);
    let found: Vec<u32> = left.processes.iter().map(|it| it.identity.pid).collect();
    assert!(pids.iter().all(|pid| found.contains(pid)), "{found:?}");
    // Each is a shell, and the `sleep` that it runs.
    assert_eq!(found.len(), 6);
    assert_eq!(end(left).ended.len(), 6);
    assert!(pids.iter().all(|pid| !is_alive(*pid)));
    assert!(remains(&root).is_empty());
    assert!(reader.0.try_wait().unwrap().is_none(), "a reader lives on");
}

fn what_a_dead_supervisor_left_is_ended() {
    let poc = Poc::new(1);
    poc.start().unwrap();
    kill_supervisor(&poc);
    let [left] = &remains(&workspace(&poc))[..] else {
        panic!("one POC");
    };
    assert_eq!(left.why, Why::SupervisorGone);
    // A start that comes first has it: nothing is ended then.
    poc.start().unwrap();
    let pid = poc.pid("site-1");
    assert_eq!(end(left), Pruned::default());
    assert!(is_alive(pid));
    assert!(remains(&workspace(&poc)).is_empty());

    kill_supervisor(&poc);
    assert_eq!(end(left).ended.len(), 4);
    assert_eq!(poc.processes(), []);
}

fn a_new_poc_in_the_same_place_is_left_alone() {
    let poc = Poc::new(2);
    poc.start_with(poc.only(&["server", "site-1"]), false, true)
        .0
        .unwrap();
    let old = [poc.pid("server"), poc.pid("site-1")];
    kill_supervisor(&poc);
    let root = workspace(&poc);
    poc_core::fsio::remove_tree(&root).unwrap();
    // What runs in its kits counts as running, so only site-2 is started.
    let again = poc.prepared_again();
    again.start().unwrap();
    let new = [again.pid("site-2"), again.supervisor()];

    let outlook = prune::look(Some(&root)).unwrap();
    assert_eq!(outlook.running.len(), 1);
    let [left] = &outlook.remains[..] else {
        panic!("one POC");
    };
    assert_eq!(left.why, Why::WorkspaceReplaced);
    assert!(old.iter().all(|pid| is_alive(*pid)), "they are not its own");
    end(left);
    assert!(old.iter().all(|pid| !is_alive(*pid)));
    assert!(new.iter().all(|pid| is_alive(*pid)));
    again.stop_all();
}

fn a_cookie_alone_is_enough() {
    let cookie = fs_err::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    let mut orphan = Command::new("sleep")
        .arg("600")
        .env("POC_INSTANCE", cookie.trim())
        .spawn()
        .unwrap();
    let mut stranger = Stranger::new();
    let outlook = prune::look(None).unwrap();
    let its = |remains: &&Remains| {
        let pids = remains.processes.iter().map(|it| it.identity.pid);
        pids.eq([orphan.id()])
    };
    let left = outlook.remains.iter().find(its).unwrap();
    assert_eq!((left.why, &left.workspace), (Why::Unknown, &None));
    let reaper = std::thread::spawn(move || orphan.wait().unwrap());
    assert_eq!(end(left).ended.len(), 1);
    assert!(!reaper.join().unwrap().success());
    assert!(stranger.0.try_wait().unwrap().is_none());
}

/// An NVFlare that somebody runs for other purposes than a POC.
fn a_kit_that_is_there_and_no_poc_is_nobodys_business() {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
    let kit = root.join("project/prod_00/site-1");
    fs_err::create_dir_all(kit.join("startup")).unwrap();
    let client = |kit: &str| {
        let module = "nvflare.private.fed.app.client.client_train";
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "read line; :", "python3", "-m", module, "-m", kit]);
        shell.stdin(Stdio::piped());
        Stranger(shell.spawn().unwrap())
    };
    let production = client(kit.as_str());
    let elsewhere = client("/opt/nvflare/site-1");
    let seen = |pid| {
        let outlook = prune::look(None).unwrap();
        let mut processes = outlook.remains.iter().flat_map(|it| &it.processes);
        processes.any(|it| it.identity.pid == pid)
    };
    assert!(!seen(production.0.id()) && !seen(elsewhere.0.id()));
    assert!(prune::look(Some(&root)).unwrap().running.is_empty());
    // As NVFlare's own `poc clean` leaves it.
    poc_core::fsio::remove_tree(&kit).unwrap();
    let [left] = &remains(&root)[..] else {
        panic!("one POC");
    };
    assert_eq!(left.why, Why::WorkspaceGone);
    assert_eq!(left.processes[0].identity.pid, production.0.id());
    assert!(!seen(elsewhere.0.id()));
}
