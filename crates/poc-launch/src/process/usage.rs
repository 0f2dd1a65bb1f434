//! What a process uses.

use std::time::Duration;

use super::Identity;
use super::identity::{process, ticks};

/// What a process has used and uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time so far, in user and kernel mode, of all its threads.
    pub cpu: Duration,
    /// Memory in bytes: its proportional share (PSS), which counts what several processes share
    /// only once over all of them; where the system does not tell that, its resident set.
    pub memory: u64,
}

impl Usage {
    /// What the process uses; `None` where it has ended.
    pub fn of(identity: &Identity) -> Option<Self> {
        let share = proportional(identity.pid);
        // Read before this comparison, so that it is this process's memory.
        let stat = identity.stat()?;
        let resident = stat.rss.saturating_mul(procfs::page_size());
        Some(Self {
            cpu: ticks(stat.utime + stat.stime),
            memory: share.unwrap_or(resident),
        })
    }
}

fn proportional(pid: u32) -> Option<u64> {
    let rollup = process(pid)?.smaps_rollup().ok()?;
    rollup
        .memory_map_rollup
        .0
        .first()?
        .extension
        .map
        .get("Pss")
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let me = Identity::of_this_process().unwrap();
        let before = Usage::of(&me).unwrap();
        assert!(before.memory > 100_000);
        let mut sum = 0_u64;
        while Usage::of(&me).unwrap().cpu == before.cpu {
            sum = (0..100_000).fold(sum, u64::wrapping_add);
        }
        let gone = Identity {
            start_time: me.start_time + 1,
            ..me
        };
        assert_eq!(Usage::of(&gone), None);
    }
}
