//! Signals as something to poll for.

use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::SigId;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::{pipe, unregister};

/// Signals of this process, while it is held.
pub(super) struct Signals {
    stop: UnixStream,
    child: UnixStream,
    registered: Vec<SigId>,
}

impl Signals {
    /// Takes SIGCHLD, and those that ask for an orderly end: SIGTERM, SIGINT, SIGHUP.
    pub(super) fn take() -> io::Result<Self> {
        let (stop, to_stop) = UnixStream::pair()?;
        let (child, to_child) = UnixStream::pair()?;
        stop.set_nonblocking(true)?;
        child.set_nonblocking(true)?;
        let mut registered = Vec::new();
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            registered.push(pipe::register(signal, to_stop.try_clone()?)?);
        }
        registered.push(pipe::register(SIGCHLD, to_child)?);
        Ok(Self {
            stop,
            child,
            registered,
        })
    }

    pub(super) fn fds(&self) -> [BorrowedFd<'_>; 2] {
        [self.stop.as_fd(), self.child.as_fd()]
    }

    /// Whether an end was asked for since.
    pub(super) fn stop_asked(&mut self) -> bool {
        drain(&mut self.stop)
    }

    /// Whether a child changed since.
    pub(super) fn child_changed(&mut self) -> bool {
        drain(&mut self.child)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            unregister(id);
        }
    }
}

fn drain(pipe: &mut UnixStream) -> bool {
    let mut buffer = [0; 256];
    let mut any = false;
    while matches!(pipe.read(&mut buffer), Ok(1..)) {
        any = true;
    }
    any
}
