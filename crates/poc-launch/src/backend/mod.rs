//! How a participant becomes a process.
//!
//! A back end starts a participant; what it returns can be signalled and asked whether it has ended.
//! The supervisor knows no more of it than that, so that a plain `exec`, a fork server and a
//! container differ nowhere else.

mod adopted;
mod exec;

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;

pub(crate) use adopted::Adopted;
pub(crate) use exec::Exec;

use crate::plan::ParticipantPlan;

/// Starts participants.
pub(crate) trait Backend {
    /// What it is, for the log.
    fn describe(&self) -> String;

    /// Starts a participant in exactly this environment, its output going to its console log.
    fn start(
        &mut self,
        participant: &ParticipantPlan,
        environment: &[(OsString, OsString)],
    ) -> io::Result<Box<dyn Process>>;
}

/// A process that was started, or taken over.
pub(crate) trait Process {
    /// Its number.
    fn pid(&self) -> u32;

    /// Readable once it has ended.
    fn ended_fd(&self) -> BorrowedFd<'_>;

    /// Asks it, and what it started in its own group, to end; or ends them. One that has ended
    /// already is a success.
    fn signal(&self, kill: bool) -> io::Result<()>;

    /// How it ended, in words; `None` while it lives. Reaps it where that is this process's to do.
    fn ended(&mut self) -> io::Result<Option<String>>;
}
