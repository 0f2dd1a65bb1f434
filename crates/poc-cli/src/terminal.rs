//! The person at the terminal: questions, and waiting that Ctrl-C ends.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use poc_core::Cancel;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::style;

/// Moves to the top left of the screen and clears it (ECMA-48: CUP, ED).
pub(crate) const HOME_AND_CLEAR: &str = "\x1b[H\x1b[2J";

/// Waits until the time has come or the flag is set, whichever is first.
pub(crate) fn pause(cancel: &Cancel, until: Instant) {
    const LOOK: Duration = Duration::from_millis(50);
    while !cancel.is_cancelled() {
        let rest = until.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return;
        }
        std::thread::sleep(rest.min(LOOK));
    }
}

/// Whether there is somebody to ask, who expects text.
pub(crate) fn can_ask(context: &Context) -> bool {
    context.printer.is_for_people() && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a yes-or-no question; anything but a yes is a no.
///
/// # Errors
///
/// [`ErrorCode::Interrupted`] on Ctrl-C, [`ErrorCode::Io`] when the terminal cannot be read.
pub(crate) fn confirm(context: &Context, question: &str) -> Result<bool, CliError> {
    context
        .printer
        .prompt(&format!("{question} {} ", style::dim("[y/N]")));
    let mut answer = Vec::new();
    let mut byte = [0_u8; 1];
    loop {
        wait_for_input(context)?;
        // Not through std's buffer: what it had read ahead, `poll` would not see.
        match rustix::io::read(io::stdin(), &mut byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => answer.push(byte[0]),
            Err(Errno::INTR) => {}
            Err(error) => return Err(unreadable(error.into())),
        }
    }
    Ok(is_yes(&String::from_utf8_lossy(&answer)))
}

/// Waits until there is something to read. A plain read would be restarted after Ctrl-C, so the flag
/// would go unseen.
fn wait_for_input(context: &Context) -> Result<(), CliError> {
    const LOOK_AGAIN: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    let stdin = io::stdin();
    loop {
        if let Err(cancelled) = context.cancel.check() {
            context.printer.note("");
            return Err(cancelled.into());
        }
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut fds, Some(&LOOK_AGAIN)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(unreadable(error.into())),
        }
    }
}

fn unreadable(error: io::Error) -> CliError {
    CliError::new(ErrorCode::Io, "cannot read the answer").because(error)
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        for answer in ["y", "Y", "yes", " YES \r"] {
            assert!(is_yes(answer), "{answer}");
        }
        for answer in ["", "n", "no", "yep", "ja", "yes please", "y y"] {
            assert!(!is_yes(answer), "{answer}");
        }
    }
}
