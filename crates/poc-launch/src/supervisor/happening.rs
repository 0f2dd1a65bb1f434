//! What happened, in the words of the event log.

use serde::{Deserialize, Serialize};

/// Something worth telling: a line of the event log, and what those who watch are told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happening {
    /// A supervisor took up its work.
    SupervisorStarted {
        /// Its process ID.
        pid: u32,
        /// The version of this library.
        version: String,
        /// How it starts participants.
        backend: String,
        /// The cgroup in which it keeps them; or `none` and why there is none to be had.
        #[serde(default)]
        cgroup: String,
    },
    /// The supervisor is about to leave.
    SupervisorLeaving {
        /// Processes that could not be ended.
        survivors: Vec<u32>,
    },
    /// Somebody asked for something.
    Request {
        /// What: `start`, `stop`, `restart`.
        op: String,
        /// For whom; empty for everybody.
        names: Vec<String>,
        /// The process that asked, or the supervisor itself for a signal.
        by: Option<u32>,
    },
    /// A fork server was started: participants are forked from it.
    ForkServerStarted {
        /// The process.
        pid: u32,
    },
    /// A fork server died, or cannot serve.
    ForkServerLost {
        /// The process, where there was one.
        pid: Option<u32>,
        /// Why.
        reason: String,
    },
    /// A participant is not forked, but gets a Python of its own.
    NotForked {
        /// The participant.
        name: String,
        /// Why.
        reason: String,
    },
    /// A process was started.
    Started {
        /// The participant.
        name: String,
        /// The process.
        pid: u32,
    },
    /// A process could not be started.
    StartFailed {
        /// The participant.
        name: String,
        /// What the system said.
        error: String,
    },
    /// A process that already ran was taken over.
    Adopted {
        /// The participant.
        name: String,
        /// The process.
        pid: u32,
    },
    /// The server is up, or a site has registered.
    Ready {
        /// The participant.
        name: String,
    },
    /// A process ended.
    Exited {
        /// The participant.
        name: String,
        /// The process.
        pid: u32,
        /// `exit status 1`, `signal 9 (SIGKILL)`.
        status: String,
        /// What it printed last; empty where that does not matter.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tail: Vec<String>,
    },
    /// A participant will be started again.
    Restarting {
        /// The participant.
        name: String,
        /// In so many seconds.
        in_s: f64,
        /// The how-manieth restart of the window this is.
        attempt: u32,
    },
    /// A participant died too often and is left alone.
    GaveUp {
        /// The participant.
        name: String,
        /// What it printed last.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tail: Vec<String>,
    },
    /// A participant is being stopped.
    Stopping {
        /// The participant.
        name: String,
        /// Why: `request`, `shutdown.fl`, `restart.fl`, `workspace gone`.
        reason: String,
    },
    /// A signal was sent.
    Signalled {
        /// The participant.
        name: String,
        /// The process.
        pid: u32,
        /// `SIGTERM` or `SIGKILL`.
        signal: String,
    },
    /// Running jobs are being aborted.
    AbortingJobs,
    /// The server acknowledged that jobs were aborted, or could not be asked.
    JobsAborted {
        /// The jobs.
        ids: Vec<String>,
        /// Why it did not work.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// Processes that participants had left behind were ended.
    Swept {
        /// The processes.
        pids: Vec<u32>,
    },
    /// A participant is stopped: no process, no pid file.
    Stopped {
        /// The participant.
        name: String,
    },
    /// A process outlives SIGKILL.
    Stuck {
        /// The participant.
        name: String,
        /// The process.
        pid: u32,
    },
    /// The workspace was removed or moved away.
    WorkspaceGone,
    /// A console log reached its cap; what it held was moved to a second file.
    LogRotated {
        /// The participant.
        name: String,
        /// Bytes that were moved.
        bytes: u64,
    },
    /// Something went wrong that does not stop the supervisor.
    Trouble {
        /// What.
        message: String,
    },
}
