//! The hidden command that `poc start` runs detached: the supervisor.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::error::FAILED;

/// Runs the supervisor until everything that it watches has ended. What goes wrong it tells whoever
/// started it, and its log.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    // Its arguments come from `poc start`, which only knows paths that are UTF-8.
    let arguments: Vec<String> = arguments
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    match poc_launch::supervisor::main(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}
