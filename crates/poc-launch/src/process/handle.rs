//! Signals that reach the process they are meant for, and no other.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::Identity;
use crate::Error;

/// A descriptor of one process (Linux 5.3 and later). While it is held, signals through it reach that
/// process or nobody, whatever becomes of its ID.
#[derive(Debug)]
pub struct Handle {
    identity: Identity,
    pidfd: OwnedFd,
}

impl Handle {
    /// Takes hold of a process; `None` where it has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], where the system cannot make such descriptors.
    pub fn open(identity: &Identity) -> Result<Option<Self>, Error> {
        let Some(pid) = i32::try_from(identity.pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(Errno::SRCH | Errno::INVAL) => return Ok(None),
            Err(errno) => return Err(failed("open a descriptor of", identity.pid, errno)),
        };
        // Compared once the descriptor is there: the ID may have changed hands just before, and
        // cannot mean another process behind the descriptor's back any more.
        Ok(identity.is_alive().then(|| Self {
            identity: identity.clone(),
            pidfd,
        }))
    }

    /// Which process it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Sends a signal; `false` where the process has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where it may not be signalled (it changed its user).
    pub fn send(&self, signal: Signal) -> Result<bool, Error> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(errno) => Err(failed("signal", self.identity.pid, errno)),
        }
    }

    /// Waits until the process has ended (it may still be a zombie, which its parent must reap);
    /// `false` where the deadline came first.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the system cannot wait.
    pub fn wait(&self, deadline: Instant) -> Result<bool, Error> {
        Ok(wait_all(&[self], deadline)?.is_empty())
    }
}

impl AsFd for Handle {
    /// For a poll loop: readable once the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// Waits until all have ended or the deadline has come, and returns the indices of those that are
/// still alive then.
///
/// # Errors
///
/// [`Error::Io`] where the system cannot wait.
pub fn wait_all(handles: &[&Handle], deadline: Instant) -> Result<Vec<usize>, Error> {
    let mut alive: Vec<usize> = (0..handles.len()).collect();
    while !alive.is_empty() {
        let mut fds: Vec<PollFd<'_>> = alive
            .iter()
            .map(|&i| PollFd::new(handles[i], PollFlags::IN))
            .collect();
        let ready = poll_until(&mut fds, deadline)?;
        let ended: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut ended = ended.into_iter();
        alive.retain(|_| !ended.next().unwrap_or(false));
        if !ready {
            break;
        }
    }
    Ok(alive)
}

/// Waits until one of the descriptors is ready; `false` where the deadline came first. Signals that
/// interrupt the wait do not end it.
pub(crate) fn poll_until(fds: &mut [PollFd<'_>], deadline: Instant) -> Result<bool, Error> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // A far deadline beyond what the kernel can take is no deadline.
        let timeout = Timespec::try_from(left).ok();
        match poll(fds, timeout.as_ref()) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::Io(errno.into())),
        }
    }
}

fn failed(what: &str, pid: u32, errno: Errno) -> Error {
    let cause = io::Error::from(errno);
    Error::Io(io::Error::new(
        cause.kind(),
        format!("cannot {what} process {pid}: {cause}"),
    ))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};
    use std::time::Duration;

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").spawn().unwrap()
    }

    fn in_seconds(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[test]
    fn a_signal_ends_it_and_a_second_one_finds_nobody() {
        let mut child = sleeper();
        let handle = Handle::open(&Identity::of(child.id()).unwrap())
            .unwrap()
            .unwrap();
        assert!(!handle.wait(Instant::now()).unwrap());
        assert!(handle.send(Signal::TERM).unwrap());
        assert!(handle.wait(in_seconds(10)).unwrap());
        child.wait().unwrap();
        assert!(!handle.send(Signal::TERM).unwrap());
    }

    #[test]
    fn another_process_with_the_same_id_is_not_taken_hold_of() {
        let mut child = sleeper();
        let real = Identity::of(child.id()).unwrap();
        let before = Identity {
            start_time: real.start_time.wrapping_sub(1),
            ..real.clone()
        };
        assert!(Handle::open(&before).unwrap().is_none());
        assert!(real.is_alive());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Handle::open(&real).unwrap().is_none());
    }

    #[test]
    fn waiting_for_several_names_those_that_stay() {
        let mut children: Vec<Child> = (0..3).map(|_| sleeper()).collect();
        let handles: Vec<Handle> = children
            .iter()
            .map(|child| {
                Handle::open(&Identity::of(child.id()).unwrap())
                    .unwrap()
                    .unwrap()
            })
            .collect();
        handles[0].send(Signal::KILL).unwrap();
        handles[2].send(Signal::KILL).unwrap();
        let handles: Vec<&Handle> = handles.iter().collect();
        assert_eq!(
            wait_all(&handles, Instant::now() + Duration::from_millis(300)).unwrap(),
            [1]
        );
        handles[1].send(Signal::KILL).unwrap();
        assert!(wait_all(&handles, in_seconds(10)).unwrap().is_empty());
        for child in &mut children {
            child.wait().unwrap();
        }
    }
}
