//! The test's world itself: that it sees what a test leaves behind, and that its terminal is one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use poc_tests::{PocTest, SHORT, processes_of};
use poc_tests::{poc_test, wait_for};

/// What dropping a world says, if it fails.
fn fate(world: PocTest) -> String {
    match catch_unwind(AssertUnwindSafe(|| drop(world))) {
        Ok(()) => String::new(),
        Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
    }
}

#[test]
fn a_process_left_behind_is_seen_and_killed() {
    let world = poc_test!();
    let root = world.root().to_owned();
    // In a session of its own, with an environment of its own but for one variable, and orphaned.
    let line = "setsid env -i HOME=\"$HOME\" sleep 1000 </dev/null >/dev/null 2>&1 &";
    world
        .program("/bin/sh")
        .env("PATH", "/usr/bin:/bin")
        .args(["-c", line])
        .success();
    wait_for("it sleeps", SHORT, || {
        processes_of(&root)
            .iter()
            .any(|one| one.command == "sleep 1000")
            .then_some(())
    });
    let said = fate(world);
    assert!(said.contains("sleep 1000"), "{said}");
    assert!(processes_of(&root).is_empty());
    assert!(!root.exists());
}

#[test]
fn a_pid_file_or_a_socket_left_behind_is_seen() {
    let world = poc_test!();
    let kit = world.workspace().join("example_project/prod_00/site-1");
    fs_err::create_dir_all(&kit).unwrap();
    fs_err::write(kit.join("daemon_pid.fl"), "1").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.root().join("s")).unwrap();
    let said = fate(world);
    assert!(
        said.contains("daemon_pid.fl") && said.contains("/s\n"),
        "{said}"
    );
}

#[test]
fn a_world_that_is_clean_says_nothing() {
    let world = poc_test!();
    world.program("/bin/true").success();
    assert_eq!(fate(world), "");
}

#[test]
fn the_terminal_is_a_terminal() {
    let world = poc_test!();
    let script = "tty; stty size; trap 'echo interrupted; exit 7' INT; read -r word; echo \"read $word\"; read -r word";
    let shell = world
        .program("/bin/sh")
        .env("PATH", "/usr/bin:/bin")
        .args(["-c", script]);
    let mut terminal = world.on_terminal(shell);
    terminal.expect("/dev/pts/", SHORT);
    terminal.expect("40 120", SHORT);
    terminal.type_in("é\n");
    terminal.expect("read é", SHORT);
    terminal.type_in("\x03");
    let (code, shown) = terminal.wait(SHORT);
    assert_eq!(code, 7, "{shown}");
    assert!(shown.contains("interrupted"), "{shown}");
}

/// A decoy is no process of the world; one that is touched is noticed.
#[test]
fn a_stranger_that_is_harmed_is_seen() {
    let world = poc_test!();
    let mut decoys = world.decoys();
    world.assert_is_over(None, &mut decoys);
    let pids = decoys.pids();
    poc_tests::send(pids[0], rustix::process::Signal::KILL);
    poc_tests::send(pids[1], rustix::process::Signal::STOP);
    let harmed = wait_for("both are seen", SHORT, || {
        Some(decoys.harmed()).filter(|harmed| harmed.len() == 2)
    });
    assert!(harmed[0].contains("server_train") && harmed[0].ends_with("was ended by signal 9"));
    assert!(harmed[1].contains("client_train") && harmed[1].ends_with("was halted"));
}
