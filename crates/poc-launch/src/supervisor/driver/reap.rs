//! Ended processes that were not started here.
//!
//! The supervisor is a child subreaper: a process whose parent died (a job process whose site did,
//! say) becomes its child, and stays a zombie until it is reaped. `waitpid(-1)` would take the exit
//! status of the supervisor's own children away from those who wait for it, so only strangers are
//! reaped, by number.

use rustix::process::{Pid, WaitOptions, waitpid};

/// Reaps ended children of this process that are not among `known`. The caller makes sure that no
/// child is being started meanwhile that it does not know yet.
pub(super) fn reap_strangers(known: &[u32]) {
    for pid in strangers(children(), known) {
        reap(pid);
    }
}

fn strangers(mut children: Vec<u32>, known: &[u32]) -> Vec<u32> {
    children.retain(|pid| !known.contains(pid));
    children
}

/// One that lives is none of this function's business: NOHANG leaves it alone.
fn reap(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

/// The children of all threads of this process.
fn children() -> Vec<u32> {
    let me = std::process::id();
    let listed: Option<Vec<u32>> = procfs::process::Process::myself()
        .and_then(|process| process.tasks())
        .ok()
        .map(|tasks| {
            tasks
                .flatten()
                .filter_map(|task| task.children().ok())
                .flatten()
                .collect()
        });
    // Kernels without /proc/PID/task/TID/children: look at every process.
    listed.unwrap_or_else(|| {
        let all = procfs::process::all_processes().into_iter().flatten();
        all.flatten()
            .filter_map(|process| process.stat().ok())
            .filter(|stat| u32::try_from(stat.ppid) == Ok(me))
            .filter_map(|stat| u32::try_from(stat.pid).ok())
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    fn is_zombie(pid: u32) -> bool {
        procfs::process::Process::new(i32::try_from(pid).unwrap())
            .and_then(|process| process.stat())
            .is_ok_and(|stat| stat.state == 'Z')
    }

    fn wait_for(mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    // Not through `reap_strangers`: other tests of this process have children too.
    #[test]
    fn what_has_ended_is_reaped_and_what_lives_is_left_alone() {
        let mut ended = Command::new("true").spawn().unwrap();
        let mut alive = Command::new("sleep").arg("600").spawn().unwrap();
        assert!(children().contains(&alive.id()));
        wait_for(|| is_zombie(ended.id()));
        reap(ended.id());
        reap(alive.id());
        assert!(!is_zombie(ended.id()) && !children().contains(&ended.id()));
        assert!(ended.wait().is_err(), "somebody else had its status");
        assert!(alive.try_wait().unwrap().is_none());
        alive.kill().unwrap();
        alive.wait().unwrap();
    }

    #[test]
    fn acquaintances_are_no_strangers() {
        assert_eq!(strangers(vec![1, 2, 3], &[2]), [1, 3]);
    }
}
