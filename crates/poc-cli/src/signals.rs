//! Ctrl-C and its kin: they set a flag, and the work that is under way undoes what it had begun.

use std::io;

use poc_core::Cancel;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Lets SIGINT, SIGTERM and SIGHUP set the flag instead of ending the process. A second one sets it
/// again, which changes nothing: an orderly retreat is not abandoned halfway.
///
/// SIGHUP keeps being ignored where it is (`nohup poc start`).
///
/// # Errors
///
/// When the system refuses a handler.
pub(crate) fn watch(cancel: &Cancel) -> io::Result<()> {
    let ignored = ignored_signals();
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        if signal == SIGHUP && ignored & (1 << (signal - 1)) != 0 {
            continue;
        }
        signal_hook::flag::register(signal, cancel.flag())?;
    }
    Ok(())
}

/// The set of signals that this process ignores, bit `n - 1` for signal `n`; empty where the system
/// does not tell.
fn ignored_signals() -> u64 {
    fs_err::read_to_string("/proc/self/status")
        .map(|status| ignored_in(&status))
        .unwrap_or_default()
}

fn ignored_in(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ignored_set() {
        assert_eq!(
            ignored_in("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"),
            0x1001
        );
        assert_eq!(ignored_in("Name:\tpoc\n"), 0);
        // Rust ignores SIGPIPE (13) in every program.
        assert_ne!(ignored_signals() & (1 << 12), 0);
    }
}
