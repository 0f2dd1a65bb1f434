//! What goes wrong, and what must hold then.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use poc_core::Cancel;
use poc_launch::plan::RestartPolicy;
use poc_launch::process::Signal;
use poc_launch::{LaunchEvent, ParticipantState, PocState, StopOptions};

use crate::poc::{Poc, STAY, Stranger, comes_up, is_alive, signal_pid, wait_for};

crate::tests![
    one_that_is_killed_is_started_again,
    one_that_cannot_live_is_given_up,
    a_killed_supervisor_takes_nobody_with_it,
    a_killed_supervisor_can_be_stopped_after,
    one_of_whom_nothing_was_put_down_is_taken_over,
    a_halted_supervisor_is_stopped_too,
    a_supervisor_that_is_lost_during_a_stop_does_not_spoil_it,
    one_that_ignores_sigterm_is_killed,
    a_halted_site_is_seen_and_stopped,
    what_a_site_leaves_behind_is_found,
    a_flood_is_capped,
    a_removed_workspace_takes_everything_with_it,
    stale_pid_files_are_removed_and_strangers_live,
    nvflares_own_watchdogs_are_seen_and_stopped,
    orphans_are_reaped,
];

fn one_that_is_killed_is_started_again() {
    let poc = Poc::new(2);
    poc.start().unwrap();
    for name in ["site-1", "server"] {
        let before = poc.pid(name);
        signal_pid(before, Signal::KILL);
        wait_for("another process", || {
            poc.of(name).pid.filter(|pid| *pid != before)
        });
        let status = poc.wait_for_state(name, ParticipantState::Running);
        assert_eq!(status.restarts, 1);
        let pid = fs_err::read_to_string(poc.kit(name).pid_file()).unwrap();
        assert_eq!(pid.trim().parse(), Ok(status.pid.unwrap()));
    }
    let history = poc.history();
    for event in [
        "exited site-1",
        "restarting site-1",
        "exited server",
        "restarting server",
    ] {
        assert!(
            history.iter().any(|line| line == event),
            "{event} in {history:?}"
        );
    }
    poc.stop_all();
}

fn one_that_cannot_live_is_given_up() {
    let poc = Poc::new(1);
    let come_up = comes_up(&poc.kit("site-1"));
    let poc = poc.script(
        "site-1",
        &format!("{come_up}; [ -e calm ] && {STAY}; echo no more; exit 3"),
    );
    fs_err::write(poc.kit("site-1").dir.join("calm"), "").unwrap();
    poc.start().unwrap();
    fs_err::remove_file(poc.kit("site-1").dir.join("calm")).unwrap();
    signal_pid(poc.pid("site-1"), Signal::KILL);
    let status = poc.wait_for_state("site-1", ParticipantState::Failed);
    assert_eq!((status.restarts, status.pid), (5, None));
    assert!(!poc.kit("site-1").pid_file().exists());
    assert!(!poc.kit("site-1").daemon_pid_file().exists());
    let events = poc.federation().events().unwrap();
    let gave_up = events.iter().rev().find_map(|it| match &it.happening {
        poc_launch::supervisor::Happening::GaveUp { tail, .. } => Some(tail.clone()),
        _ => None,
    });
    assert_eq!(gave_up.unwrap().last().unwrap(), "no more");
    // The user may try again; and a stop ends what is failed, too.
    fs_err::write(poc.kit("site-1").dir.join("calm"), "").unwrap();
    let (started, _) = poc.start_with(poc.only(&["site-1"]), true, true);
    assert!(started.unwrap().ready);
    poc.stop_all();
}

fn a_killed_supervisor_takes_nobody_with_it() {
    let poc = Poc::new(2);
    let come_up = comes_up(&poc.kit("site-2"));
    let orphan = "(setsid sleep 600 & echo $! > orphan)";
    let mut poc = poc.script("site-2", &format!("{orphan}; {come_up}; {STAY}"));
    poc.start().unwrap();
    let pids = ["server", "site-1", "site-2"].map(|name| poc.pid(name));
    let orphan = fs_err::read_to_string(poc.kit("site-2").dir.join("orphan")).unwrap();
    let orphan = orphan.trim().parse().unwrap();
    let supervisor = poc.supervisor();
    signal_pid(supervisor, Signal::KILL);
    wait_for("its end", || (!is_alive(supervisor)).then_some(()));
    assert!(is_alive(orphan));
    let status = poc.status();
    assert_eq!(status.state, PocState::Running);
    assert_eq!(status.supervisor, None);
    assert_eq!(status.warnings.len(), 1);
    assert!(status.participants.iter().all(|it| it.daemon_pid.is_none()));
    assert_eq!(status.participants[1].registered, Some(true));

    // One that died meanwhile is started, the others are taken over.
    signal_pid(pids[2], Signal::KILL);
    wait_for("its end", || (!is_alive(pids[2])).then_some(()));
    let (started, events) = poc.start_with(poc.plan.clone(), false, true);
    let started = started.unwrap();
    assert!(started.ready, "{started:?}");
    assert_eq!([poc.pid("server"), poc.pid("site-1")], pids[..2]);
    assert_ne!(poc.pid("site-2"), pids[2]);
    // What it had left behind goes before it comes back.
    wait_for("its end", || (!is_alive(orphan)).then_some(()));
    let history = poc.history();
    assert!(
        history.iter().any(|line| line == "adopted server"),
        "{history:?} {events:?}"
    );
    let daemon = fs_err::read_to_string(poc.kit("server").daemon_pid_file()).unwrap();
    assert_eq!(daemon.trim().parse(), Ok(poc.supervisor()));
    assert_eq!(poc.status().warnings, [""; 0]);

    // It restarts what it took over, as its own.
    poc.edit("site-1").restart = RestartPolicy::default();
    signal_pid(pids[1], Signal::KILL);
    wait_for("another process", || {
        poc.of("site-1").pid.filter(|pid| *pid != pids[1])
    });
    poc.wait_for_state("site-1", ParticipantState::Running);
    poc.stop_all();
}

fn a_killed_supervisor_can_be_stopped_after() {
    let poc = Poc::new(2);
    poc.start().unwrap();
    let supervisor = poc.supervisor();
    signal_pid(supervisor, Signal::KILL);
    wait_for("its end", || (!is_alive(supervisor)).then_some(()));
    let stopped = poc.stop(Some(&["site-1"])).0.unwrap();
    assert_eq!(stopped.stopped, ["site-1"]);
    assert_eq!(stopped.remaining, ["server", "site-2"]);
    let stopped = poc.stop_all();
    assert_eq!(stopped.stopped, ["server", "site-2"]);
}

/// The supervisor may die between the birth of a process and the moment that puts it down.
fn one_of_whom_nothing_was_put_down_is_taken_over() {
    let poc = Poc::new(1);
    poc.start().unwrap();
    let (pids, supervisor) = ([poc.pid("server"), poc.pid("site-1")], poc.supervisor());
    signal_pid(supervisor, Signal::KILL);
    wait_for("its end", || (!is_alive(supervisor)).then_some(()));
    fs_err::remove_file(poc.prepared.workspace.poc_dir().join("state.json")).unwrap();
    fs_err::remove_file(poc.kit("site-1").pid_file()).unwrap();
    assert!(poc.start().unwrap().ready);
    assert_eq!([poc.pid("server"), poc.pid("site-1")], pids);
    assert_eq!(poc.of("site-1").daemon_pid, Some(poc.supervisor()));
    poc.stop_all();
}

fn a_halted_supervisor_is_stopped_too() {
    let poc = Poc::new(1);
    poc.start().unwrap();
    signal_pid(poc.supervisor(), Signal::STOP);
    let status = poc.status();
    assert_eq!(status.state, PocState::Running);
    assert_eq!(status.warnings.len(), 1);
    poc.stop_all();
}

fn a_supervisor_that_is_lost_during_a_stop_does_not_spoil_it() {
    let poc = Poc::new(2);
    poc.start_with(poc.only(&["server", "site-1"]), false, true)
        .0
        .unwrap();
    let supervisor = poc.supervisor();
    // A stop tells of this after it has found the supervisor, and before it asks it.
    fs_err::write(poc.kit("site-2").pid_file(), "garbage").unwrap();
    let halted = std::cell::Cell::new(false);
    let cancel = Cancel::new();
    let options = StopOptions {
        names: None,
        wait: true,
        timeout: Duration::from_secs(60),
        python: None,
        cancel: &cancel,
    };
    let stopped = poc.federation().stop(&options, &mut |event| {
        if matches!(event, LaunchEvent::StaleRemoved { .. }) && !halted.replace(true) {
            signal_pid(supervisor, Signal::STOP);
        }
    });
    assert!(halted.get());
    assert_eq!(stopped.unwrap().stopped, ["server", "site-1"]);
    assert!(!is_alive(supervisor));
    poc.check_nothing_is_left();
}

fn one_that_ignores_sigterm_is_killed() {
    let poc = Poc::new(1);
    let come_up = comes_up(&poc.kit("site-1"));
    let poc = poc.script("site-1", &format!("trap '' TERM; {come_up}; {STAY}"));
    poc.start().unwrap();
    let (stopped, events) = poc.stop(None);
    assert_eq!(stopped.unwrap().survivors, []);
    let killed = |event: &LaunchEvent| matches!(event, LaunchEvent::Killing { name, .. } if name == "site-1");
    assert!(events.iter().any(killed), "{events:?}");
    poc.check_nothing_is_left();
}

fn a_halted_site_is_seen_and_stopped() {
    let poc = Poc::new(1);
    poc.start().unwrap();
    signal_pid(poc.pid("site-1"), Signal::STOP);
    poc.wait_for_state("site-1", ParticipantState::Suspended);
    let (stopped, events) = poc.stop(None);
    assert_eq!(stopped.unwrap().survivors, []);
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, LaunchEvent::Killing { .. })),
        "{events:?}"
    );
    poc.check_nothing_is_left();
}

/// Job processes have sessions of their own, and may lose their parent.
fn what_a_site_leaves_behind_is_found() {
    for one_by_one in [false, true] {
        let poc = Poc::new(2);
        let orphan =
            "(setsid sleep 600 &) ; (setsid sh -c 'trap \"\" TERM; while :; do sleep 600; done' &)";
        let come_up = comes_up(&poc.kit("site-1"));
        let poc = poc.script("site-1", &format!("{orphan}; {come_up}; {STAY}"));
        poc.start().unwrap();
        wait_for("the orphans", || (poc.processes().len() >= 8).then_some(()));
        if one_by_one {
            let stopped = poc.stop(Some(&["site-1"])).0.unwrap();
            assert_eq!(stopped.survivors, []);
            assert_eq!(poc.processes().len(), 4, "{:?}", poc.processes());
        }
        poc.stop_all();
        assert!(poc.history().iter().any(|line| line.starts_with("swept")));
    }
}

fn a_flood_is_capped() {
    let poc = Poc::new(1);
    let come_up = comes_up(&poc.kit("site-1"));
    let flood = "head -c 30000000 /dev/zero | tr '\\0' x";
    let poc = poc.script(
        "site-1",
        &format!("{come_up}; {flood}; echo; echo end; {STAY}"),
    );
    poc.start().unwrap();
    let log = poc.kit("site-1").console_log();
    wait_for("the log to be cut", || {
        let cut = poc
            .history()
            .iter()
            .any(|line| line == "log_rotated site-1");
        (cut && fs_err::metadata(&log).unwrap().len() < 20_000_000).then_some(())
    });
    assert!(fs_err::metadata(format!("{log}.1")).unwrap().len() > 15_000_000);
    poc.stop_all();
}

fn a_removed_workspace_takes_everything_with_it() {
    let poc = Poc::new(2);
    poc.start().unwrap();
    let all = ["server", "site-1", "site-2"].map(|name| poc.pid(name));
    let (scope, supervisor) = (poc.scope(), poc.supervisor());
    fs_err::remove_dir_all(poc.prepared.workspace.root()).unwrap();
    wait_for("everybody's end", || {
        let alive = all.iter().chain([&supervisor]).any(|pid| is_alive(*pid));
        (!alive).then_some(())
    });
    assert_eq!(scope.find().unwrap(), []);
}

fn stale_pid_files_are_removed_and_strangers_live() {
    let poc = Poc::new(3);
    let mut stranger = Stranger::new();
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    fs_err::write(
        poc.kit("server").pid_file(),
        format!("{}\n", stranger.0.id()),
    )
    .unwrap();
    fs_err::write(poc.kit("site-1").pid_file(), "").unwrap();
    fs_err::write(poc.kit("site-2").daemon_pid_file(), "garbage").unwrap();
    fs_err::write(
        poc.kit("site-3").daemon_pid_file(),
        format!("{}\n", gone.id()),
    )
    .unwrap();
    fs_err::write(poc.kit("site-3").shutdown_file(), "").unwrap();
    assert_eq!(poc.status().state, PocState::Stopped);
    let (started, events) = poc.start_with(poc.plan.clone(), false, true);
    assert!(started.unwrap().ready);
    let removed = events
        .iter()
        .filter(|it| matches!(it, LaunchEvent::StaleRemoved { .. }));
    assert_eq!(removed.count(), 4, "{events:?}");
    poc.stop_all();
    fs_err::write(
        poc.kit("server").pid_file(),
        format!("{}\n", stranger.0.id()),
    )
    .unwrap();
    let stopped = poc.stop_all();
    assert!(stopped.nothing_ran);
    assert!(
        stranger.0.try_wait().unwrap().is_none(),
        "the stranger lives"
    );
}

/// What `nvflare poc start` makes: a shell for each participant that starts it, again and again.
fn nvflares_own_watchdogs_are_seen_and_stopped() {
    let poc = Poc::new(2);
    let mut shells = Vec::new();
    for name in ["server", "site-1"] {
        let kit = poc.kit(name);
        let script = kit.startup().join("sub_start.sh");
        let argv = poc.plan.participant(name).unwrap().argv.clone();
        let quoted: Vec<String> = argv
            .iter()
            .map(|it| format!("'{}'", it.replace('\'', "'\\''")))
            .collect();
        let text = format!(
            "cd '{0}'; echo $$ > daemon_pid.fl\nwhile :; do {1} >> poc_console.log & echo $! > pid.fl; wait; done\n",
            kit.dir,
            quoted.join(" ")
        );
        fs_err::write(&script, text).unwrap();
        let shell = Command::new("bash")
            .arg(&script)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn();
        shells.push(shell.unwrap());
    }
    for name in ["server", "site-1"] {
        poc.wait_for_state(name, ParticipantState::Running);
    }
    let status = poc.status();
    assert_eq!(status.state, PocState::Partial);
    assert_eq!(status.participants[0].daemon_pid, Some(shells[0].id()));
    wait_for("its registration", || {
        poc.of("site-1").registered.filter(|it| *it)
    });
    // They are left to their watchdogs; what is missing is started beside them.
    let (named, _) = poc.start_with(poc.only(&["server"]), true, true);
    let error = named.unwrap_err().to_string();
    assert!(
        error.contains(&format!("pid={}, running", shells[0].id())),
        "{error}"
    );
    let (started, _) = poc.start_with(poc.plan.clone(), false, true);
    assert_eq!(started.unwrap().already_running, ["server", "site-1"]);
    assert_eq!(poc.of("site-1").daemon_pid, Some(shells[1].id()));
    let stopped = poc.stop_all();
    assert_eq!(stopped.stopped, ["server", "site-1", "site-2"]);
    for mut shell in shells {
        shell.wait().unwrap();
    }
}

/// The supervisor is a subreaper: orphans become its children, and must not stay as zombies.
fn orphans_are_reaped() {
    let poc = Poc::new(1);
    let come_up = comes_up(&poc.kit("site-1"));
    let orphans = "for i in 1 2 3; do (setsid sleep 0.2 &); done";
    let poc = poc.script("site-1", &format!("{orphans}; {come_up}; {STAY}"));
    poc.start().unwrap();
    let supervisor = poc.supervisor();
    let zombies = || {
        let all = procfs::process::all_processes().unwrap();
        let stats = all.flatten().filter_map(|process| process.stat().ok());
        let mine = stats.filter(|it| it.ppid == i32::try_from(supervisor).unwrap());
        let (dead, alive): (Vec<_>, Vec<_>) = mine.partition(|it| it.state == 'Z');
        (dead.len(), alive.len())
    };
    // Server and site stay; what else was adopted has ended, and is gone.
    wait_for("the orphans to be reaped", || {
        (zombies() == (0, 2)).then_some(())
    });
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(zombies(), (0, 2));
    poc.stop_all();
}
