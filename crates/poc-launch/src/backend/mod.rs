//! How a participant becomes a process.
//!
//! A back end starts a participant; what it returns can be signalled and asked whether it has ended.
//! The supervisor knows no more of it than that, so that a plain `exec`, a fork server and a
//! container differ nowhere else. Which one it is to be is said by each participant's plan, and is
//! decided in one place: [`Spawner`].

mod adopted;
mod child;
mod docker;
mod exec;
mod fork_server;
mod forked;
mod spawner;

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

pub(crate) use spawner::Spawner;

use crate::plan::ParticipantPlan;
use crate::process::Identity;

/// Starts participants.
pub(crate) trait Backend {
    /// Starts a participant in exactly this environment, its output going to its console log. `None`
    /// where that takes a while: [`Backend::reports`] will tell.
    fn start(
        &mut self,
        participant: &ParticipantPlan,
        environment: &[(OsString, OsString)],
    ) -> io::Result<Option<Box<dyn Process>>>;

    /// What has come of it, and what else is worth telling. To be asked after each start, when one of
    /// [`Backend::fds`] is readable, and when [`Backend::due`] has come.
    fn reports(&mut self) -> Vec<Report>;

    /// Readable when there is news.
    fn fds(&self) -> Vec<BorrowedFd<'_>>;

    /// When there will be news at the latest.
    fn due(&self) -> Option<Instant>;

    /// Child processes of this process that the back end keeps, and reaps, for itself.
    fn helpers(&self) -> Vec<u32>;

    /// Whether there may be a participant already whose number is not known yet.
    fn is_starting(&self) -> bool;

    /// Takes back starts that are not through and have certainly not made a process, of these
    /// participants or of all; [`Backend::reports`] tells that they failed. A helper that has nothing
    /// else to do and does not answer is ended.
    fn recall(&mut self, names: Option<&[String]>);

    /// Ends the helpers. Participants live on.
    fn close(&mut self);

    /// Takes hold of a participant that an earlier supervisor, or somebody else, had started; `None`
    /// where it has ended.
    fn adopt(
        &mut self,
        participant: &ParticipantPlan,
        identity: &Identity,
    ) -> io::Result<Option<Box<dyn Process>>>;
}

/// What a back end has to tell.
pub(crate) enum Report {
    /// A start that took a while is through.
    Came {
        name: String,
        process: io::Result<Box<dyn Process>>,
    },
    /// A fork server was started.
    ForkServerStarted { pid: u32 },
    /// A fork server died, or cannot serve.
    ForkServerLost { pid: Option<u32>, reason: String },
    /// A participant is not forked but gets a Python of its own.
    NotForked { name: String, reason: String },
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
