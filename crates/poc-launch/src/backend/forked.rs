//! A process that a fork server made, and that is this process's child nevertheless.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, waitpid};

use super::{Process, child};

/// Its first parent has ended, so it belongs to the nearest child subreaper, which is this process.
#[derive(Debug)]
pub(super) struct Forked {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Forked {
    /// Takes hold of it. It leads a process group of its own.
    pub(super) fn take(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("the process has no number"))?;
        // A child keeps its number until it is reaped, so this is the right one even where it has
        // ended already.
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self { pid, pidfd })
    }
}

impl Process for Forked {
    fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    fn ended_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    fn signal(&self, kill: bool) -> io::Result<()> {
        child::signal(self.pid, &self.pidfd, kill)
    }

    fn ended(&mut self) -> io::Result<Option<String>> {
        loop {
            match waitpid(Some(self.pid), WaitOptions::NOHANG) {
                Ok(None) => return Ok(None),
                Ok(Some((_, status))) => {
                    let status = ExitStatus::from_raw(status.as_raw());
                    return Ok(Some(child::words(status)));
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}
