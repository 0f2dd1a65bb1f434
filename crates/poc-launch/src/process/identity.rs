//! Which process a process ID means.

use std::sync::OnceLock;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use procfs::Current as _;
use procfs::process::{FDTarget, Process, Stat};
use serde::{Deserialize, Serialize};

use crate::Error;

/// One process, told apart from every other that has or had its ID: no two processes of one boot
/// have the same ID and start time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The process ID.
    pub pid: u32,
    /// When it started, in clock ticks since boot (field 22 of /proc/PID/stat).
    pub start_time: u64,
    /// The boot in which it runs (/proc/sys/kernel/random/boot_id).
    pub boot_id: String,
}

impl Identity {
    /// The living process that has this ID now; `None` where there is none. A zombie counts as dead:
    /// it does nothing any more and holds nothing but its number.
    pub fn of(pid: u32) -> Option<Self> {
        Self::from_stat(&stat(pid)?)
    }

    /// This process.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where /proc cannot be read.
    pub fn of_this_process() -> Result<Self, Error> {
        Self::of(std::process::id())
            .ok_or_else(|| Error::Io(std::io::Error::other("/proc cannot be read")))
    }

    pub(super) fn from_stat(stat: &Stat) -> Option<Self> {
        if is_over(stat) {
            return None;
        }
        let pid = u32::try_from(stat.pid).ok()?;
        Some(Self {
            pid,
            start_time: stat.starttime,
            boot_id: boot_id().ok()?,
        })
    }

    /// Whether this very process is alive: not ended, not a zombie, and its ID not handed out again.
    pub fn is_alive(&self) -> bool {
        Self::of(self.pid).is_some_and(|there| there == *self)
    }

    /// How long it has been running, asleep or not.
    pub fn uptime(&self) -> Option<Duration> {
        let now = procfs::Uptime::current().ok()?.uptime_duration();
        Some(now.saturating_sub(ticks(self.start_time)))
    }

    /// Its parent's process ID, while it is alive.
    pub fn parent(&self) -> Option<u32> {
        u32::try_from(self.stat()?.ppid).ok()
    }

    /// Its command line, while it is alive. Bytes that are not UTF-8 are replaced.
    pub fn command_line(&self) -> Option<Vec<String>> {
        let process = process(self.pid)?;
        let arguments = arguments(&process);
        // Read first, compared after: a process that took over the ID in between is noticed.
        self.is_alive().then_some(arguments)
    }

    /// What /proc says of it, while it is alive.
    pub(super) fn stat(&self) -> Option<Stat> {
        let stat = stat(self.pid)?;
        (Self::from_stat(&stat)? == *self).then_some(stat)
    }
}

/// The boot that this machine is in.
///
/// # Errors
///
/// [`Error::Io`] where /proc cannot be read.
pub fn boot_id() -> Result<String, Error> {
    // It does not change while this process runs.
    static BOOT: OnceLock<String> = OnceLock::new();
    if let Some(boot) = BOOT.get() {
        return Ok(boot.clone());
    }
    let boot = procfs::sys::kernel::random::boot_id()
        .map_err(|error| Error::Io(std::io::Error::other(error)))?;
    Ok(BOOT.get_or_init(|| boot.trim().to_owned()).clone())
}

/// Dead, or as good as: zombies and what the kernel is about to forget.
pub(super) fn is_over(stat: &Stat) -> bool {
    matches!(stat.state, 'Z' | 'X' | 'x')
}

pub(super) fn process(pid: u32) -> Option<Process> {
    Process::new(i32::try_from(pid).ok()?).ok()
}

fn stat(pid: u32) -> Option<Stat> {
    process(pid)?.stat().ok()
}

/// The living processes of this user whose program, as their command line names it, lies under a
/// directory.
///
/// # Errors
///
/// [`Error::Io`] where /proc cannot be read.
pub(crate) fn running_from(directory: &Utf8Path) -> Result<Vec<u32>, Error> {
    let runs_from = |process: &Process| {
        arguments(process)
            .first()
            .is_some_and(|program| Utf8Path::new(program).starts_with(directory))
    };
    let uid = rustix::process::geteuid().as_raw();
    let mine = all()?.filter(|process| process.uid().ok() == Some(uid));
    Ok(mine
        .filter(runs_from)
        .filter_map(|process| u32::try_from(process.pid).ok())
        .collect())
}

/// Whether a process of the group lives. (A signal to the group would reach zombies as well.)
pub(crate) fn group_lives(leader: u32) -> bool {
    let is_alive = |stat: Stat| u32::try_from(stat.pgrp) == Ok(leader) && !is_over(&stat);
    all().is_ok_and(|mut all| all.any(|process| process.stat().is_ok_and(is_alive)))
}

/// Every process that is there; those that end meanwhile are left out.
pub(super) fn all() -> Result<impl Iterator<Item = Process>, Error> {
    let all = procfs::process::all_processes()
        .map_err(|error| Error::Io(std::io::Error::other(error)))?;
    Ok(all.flatten())
}

/// The inodes of the sockets that a process holds; empty where that cannot be seen.
pub(crate) fn sockets(pid: u32) -> Vec<u64> {
    let fds = process(pid).and_then(|process| process.fd().ok());
    fds.into_iter()
        .flatten()
        .flatten()
        .filter_map(|fd| match fd.target {
            FDTarget::Socket(inode) => Some(inode),
            _ => None,
        })
        .collect()
}

/// The command line of a process; empty for a zombie or a kernel thread.
pub(super) fn arguments(process: &Process) -> Vec<String> {
    process.cmdline().unwrap_or_default()
}

/// The working directory of a process; of one that was removed, where it was.
pub(super) fn directory(process: &Process) -> Option<Utf8PathBuf> {
    let path = Utf8PathBuf::from_path_buf(process.cwd().ok()?).ok()?;
    match path.as_str().strip_suffix(" (deleted)") {
        Some(removed) if !path.exists() => Some(removed.into()),
        _ => Some(path),
    }
}

/// Clock ticks as time.
pub(super) fn ticks(ticks: u64) -> Duration {
    let a_second = procfs::ticks_per_second().max(1);
    Duration::from_secs(ticks / a_second)
        + Duration::from_secs(ticks % a_second) / u32::try_from(a_second).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn this_process_is_alive_and_knows_its_parent() {
        let me = Identity::of_this_process().unwrap();
        assert!(me.is_alive());
        assert_eq!(me.parent(), Some(std::os::unix::process::parent_id()));
        assert!(me.uptime().unwrap() < Duration::from_secs(24 * 3600));
        assert!(!me.command_line().unwrap().is_empty());
    }

    #[test]
    fn another_start_time_or_boot_is_another_process() {
        let me = Identity::of_this_process().unwrap();
        let earlier = Identity {
            start_time: me.start_time - 1,
            ..me.clone()
        };
        let before_reboot = Identity {
            boot_id: "another boot".into(),
            ..me
        };
        for other in [earlier, before_reboot] {
            assert!(!other.is_alive());
            assert_eq!(other.parent(), None);
            assert_eq!(other.command_line(), None);
        }
    }

    #[test]
    fn a_zombie_is_dead() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        assert!(identity.is_alive());
        let handle = super::super::Handle::open(&identity).unwrap().unwrap();
        child.kill().unwrap();
        assert!(
            handle
                .wait(std::time::Instant::now() + Duration::from_secs(10))
                .unwrap()
        );
        // Not waited for yet: the number is still taken.
        assert!(process(child.id()).is_some());
        assert!(!identity.is_alive());
        assert_eq!(Identity::of(child.id()), None);
        child.wait().unwrap();
        assert!(!identity.is_alive());
    }

    #[test]
    fn a_command_name_with_parentheses_is_read_right() {
        let dir = tempfile::tempdir().unwrap();
        let tricky = dir.path().join("a) R 1 (b");
        std::os::unix::fs::symlink(which::which("sleep").unwrap(), &tricky).unwrap();
        let mut child = Command::new(&tricky).arg("600").spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        assert_eq!(identity.parent(), Some(std::process::id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn ticks_become_time() {
        let a_second = procfs::ticks_per_second();
        assert_eq!(ticks(a_second * 3 / 2), Duration::from_millis(1500));
    }
}
