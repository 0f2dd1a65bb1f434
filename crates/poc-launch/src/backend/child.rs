//! What all children of this process have in common, however they were made.

use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, pidfd_send_signal};

/// Signals a child that is not reaped yet, and its process group.
pub(super) fn signal(group: Pid, pidfd: &OwnedFd, kill: bool) -> io::Result<()> {
    let signals: &[Signal] = if kill {
        &[Signal::KILL]
    } else {
        // One that is halted gets to see SIGTERM only when it goes on.
        &[Signal::TERM, Signal::CONT]
    };
    for signal in signals {
        // It is not reaped yet, so the group's number is still its own.
        match kill_process_group(group, *signal) {
            // It may have left for a group of its own.
            Err(Errno::SRCH) => match pidfd_send_signal(pidfd, *signal) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(errno) => return Err(errno.into()),
            },
            Ok(()) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// `exit status 1`, `signal 9 (SIGKILL)`.
pub(super) fn words(status: ExitStatus) -> String {
    status.to_string().replacen(": ", " ", 1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn statuses_in_words() {
        assert_eq!(words(ExitStatus::from_raw(256)), "exit status 1");
        assert_eq!(words(ExitStatus::from_raw(9)), "signal 9 (SIGKILL)");
    }
}
