//! A process that an earlier supervisor had started.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Instant;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, getpgid, kill_process_group};

use super::Process;
use crate::Error;
use crate::process::{Handle, Identity};

/// It is not this process's child: that it ended can be seen, how it ended cannot.
#[derive(Debug)]
pub(super) struct Adopted {
    handle: Handle,
}

impl Adopted {
    /// Takes hold of it; `None` where it has ended.
    pub(super) fn take(identity: &Identity) -> Result<Option<Self>, Error> {
        Ok(Handle::open(identity)?.map(|handle| Self { handle }))
    }
}

impl Process for Adopted {
    fn pid(&self) -> u32 {
        self.handle.identity().pid
    }

    fn ended_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    fn signal(&self, kill: bool) -> io::Result<()> {
        let signals: &[Signal] = if kill {
            &[Signal::KILL]
        } else {
            &[Signal::TERM, Signal::CONT]
        };
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        // Only a group that it leads is its own.
        let group = pid.filter(|pid| getpgid(Some(*pid)) == Ok(*pid));
        for signal in signals {
            let alive = self.handle.send(*signal).map_err(into_io)?;
            if let Some(group) = group.filter(|_| alive) {
                match kill_process_group(group, *signal) {
                    Ok(()) | Err(Errno::SRCH | Errno::PERM) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
        }
        Ok(())
    }

    fn ended(&mut self) -> io::Result<Option<String>> {
        let ended = self.handle.wait(Instant::now()).map_err(into_io)?;
        Ok(ended.then(|| "an earlier supervisor had started it, so how is not known".to_owned()))
    }
}

fn into_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        other => io::Error::other(other),
    }
}
