//! What starts itself again faster than anybody can look for it does not outrun a stop, where there is
//! a cgroup to be had.

use std::path::PathBuf;

use poc_launch::process::Signal;
use poc_launch::supervisor::Happening;

use crate::poc::{Poc, STAY, Stranger, comes_up, is_alive, signal, signal_pid, wait_for};

crate::tests![
    a_runaway_does_not_outrun_a_stop,
    a_runaway_does_not_outrun_a_stop_without_a_supervisor,
    no_cgroup_is_left_where_nobody_is_in_it,
];

/// Ignores SIGTERM, and is another process every few milliseconds, each in a session of its own. It
/// ends with its file, so that no failed test leaves it behind.
const RUNAWAY: &str = "trap '' TERM; sleep 0.005; [ ! -e \"$0\" ] || setsid sh \"$0\" & exit";

/// The POC, and its cgroup; `None` where none is to be had.
fn poc() -> Option<(Poc, PathBuf)> {
    let poc = Poc::new(1);
    let site = poc.kit("site-1");
    fs_err::write(site.dir.join("runaway.sh"), RUNAWAY).unwrap();
    let wait = "until [ -e go ]; do sleep 0.01; done";
    let script = format!("{}; {wait}; sh ./runaway.sh & {STAY}", comes_up(&site));
    let poc = poc.script("site-1", &script);
    poc.start().unwrap();
    let events = poc.federation().events().unwrap();
    let cgroup = events.into_iter().find_map(|entry| match entry.happening {
        Happening::SupervisorStarted { cgroup, .. } => Some(cgroup),
        _ => None,
    });
    let cgroup = cgroup.unwrap();
    if let Some(reason) = cgroup.strip_prefix("none: ") {
        crate::skip(format!("there is no cgroup to be had here: {reason}"));
        fs_err::remove_file(site.dir.join("runaway.sh")).unwrap();
        poc.stop_all();
        return None;
    }
    // By now it is in the cgroup. A shell could have been faster than that, a Python could not.
    fs_err::write(site.dir.join("go"), "").unwrap();
    wait_for("the runaway", || {
        let mut found = poc.processes().into_iter();
        found
            .any(|it| it.command.contains("runaway.sh"))
            .then_some(())
    });
    Some((poc, cgroup.into()))
}

fn a_runaway_does_not_outrun_a_stop() {
    let mut stranger = Stranger::new();
    let Some((poc, cgroup)) = poc() else {
        return;
    };
    let inside = fs_err::read_to_string(cgroup.join("cgroup.procs")).unwrap();
    for name in ["server", "site-1"] {
        let pid = poc.pid(name).to_string();
        assert!(inside.lines().any(|line| line == pid), "{inside}");
    }
    // Only what was started is in it: not its supervisor, and nobody else.
    for pid in [poc.supervisor(), std::process::id(), stranger.0.id()] {
        assert!(!inside.lines().any(|line| line == pid.to_string()));
    }
    poc.stop_all();
    assert!(!cgroup.exists());
    assert!(stranger.0.try_wait().unwrap().is_none());
}

fn a_runaway_does_not_outrun_a_stop_without_a_supervisor() {
    let Some((poc, cgroup)) = poc() else {
        return;
    };
    let supervisor = poc.supervisor();
    signal_pid(supervisor, Signal::KILL);
    wait_for("its end", || (!is_alive(supervisor)).then_some(()));
    assert!(cgroup.exists());
    poc.stop_all();
    assert!(!cgroup.exists());
}

fn no_cgroup_is_left_where_nobody_is_in_it() {
    let Some((poc, cgroup)) = poc() else {
        return;
    };
    poc.stop_all();
    // A supervisor that cannot begin.
    let socket = poc.prepared.workspace.control_socket();
    fs_err::create_dir(&socket).unwrap();
    assert!(poc.start().is_err());
    assert!(!cgroup.exists());
    fs_err::remove_dir(&socket).unwrap();

    // One that is killed, and then all of its participants, before anybody looks.
    fs_err::remove_file(poc.kit("site-1").dir.join("runaway.sh")).unwrap();
    poc.start().unwrap();
    signal_pid(poc.supervisor(), Signal::KILL);
    wait_for("their end", || {
        let found = poc.processes();
        for one in &found {
            signal(&one.identity, Signal::KILL);
        }
        found.is_empty().then_some(())
    });
    assert!(cgroup.exists());
    poc.stop_all();
    assert!(!cgroup.exists());
}
