//! The hidden command that `poc start` runs detached: the supervisor.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the supervisor until everything that it watches has ended.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    poc_launch::supervisor::main(arguments)
}
