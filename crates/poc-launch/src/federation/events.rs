//! What happens during a start or a stop, as a caller is told.

use poc_core::project::Role;

use super::Federation;
use crate::process::pid_file::Stale;
use crate::supervisor::Happening;

/// A step on the way.
#[derive(Clone, Debug, PartialEq)]
pub enum LaunchEvent {
    /// A supervisor was started.
    Supervisor {
        /// Its process ID.
        pid: u32,
    },
    /// A process was started.
    Starting {
        /// The participant.
        name: String,
        /// The process.
        pid: u32,
    },
    /// A process was taken over from a supervisor that had died.
    Adopted {
        /// The participant.
        name: String,
        /// The process.
        pid: u32,
    },
    /// The server is up.
    Ready {
        /// The server.
        name: String,
    },
    /// A site has registered with the server.
    Registered {
        /// The site.
        name: String,
    },
    /// Still waiting.
    Waiting {
        /// For these.
        names: Vec<String>,
        /// Since so many seconds.
        seconds: f64,
    },
    /// A process ended.
    Exited {
        /// The participant.
        name: String,
        /// How, in words.
        status: String,
        /// What it printed last, where nobody had asked it to end.
        tail: Vec<String>,
    },
    /// A participant that died will be started again.
    Restarting {
        /// The participant.
        name: String,
        /// In so many seconds.
        in_seconds: f64,
    },
    /// A participant died too often and is left alone.
    GaveUp {
        /// The participant.
        name: String,
        /// What it printed last.
        tail: Vec<String>,
    },
    /// A pid file that meant nothing any more was removed.
    StaleRemoved {
        /// The file.
        file: camino::Utf8PathBuf,
        /// The number in it, where there was one.
        pid: Option<u32>,
        /// Why it meant nothing.
        reason: Stale,
    },
    /// A participant that was to be started runs already.
    AlreadyRunning {
        /// The participant.
        name: String,
        /// Its process, where there is one at the moment.
        pid: Option<u32>,
    },
    /// Running jobs are being aborted.
    AbortingJobs,
    /// They are aborted.
    JobsAborted {
        /// Their IDs.
        ids: Vec<String>,
    },
    /// A participant is being stopped.
    Stopping {
        /// The participant.
        name: String,
    },
    /// A process did not end when asked to, and is killed.
    Killing {
        /// The participant, or the command line of a process that is none.
        name: String,
        /// The process.
        pid: u32,
    },
    /// A participant is stopped.
    Stopped {
        /// The participant.
        name: String,
    },
    /// A FLARE console is open. It is the user's own, and left alone.
    Console {
        /// Its process.
        pid: u32,
        /// The admin who uses it.
        user: String,
    },
    /// Something that the user should know.
    Warning(String),
}

impl Federation {
    /// The event that a happening is to a caller; `None` for what is only of interest to the log.
    pub(super) fn event(&self, happening: Happening) -> Option<LaunchEvent> {
        Some(match happening {
            Happening::Started { name, pid } => LaunchEvent::Starting { name, pid },
            Happening::Adopted { name, pid } => LaunchEvent::Adopted { name, pid },
            Happening::Ready { name } if self.is_server(&name) => LaunchEvent::Ready { name },
            Happening::Ready { name } => LaunchEvent::Registered { name },
            Happening::Exited {
                name, status, tail, ..
            } => LaunchEvent::Exited { name, status, tail },
            Happening::StartFailed { name, error } => LaunchEvent::Exited {
                name,
                status: error,
                tail: Vec::new(),
            },
            Happening::Restarting { name, in_s, .. } => LaunchEvent::Restarting {
                name,
                in_seconds: in_s,
            },
            Happening::GaveUp { name, tail } => LaunchEvent::GaveUp { name, tail },
            Happening::AbortingJobs => LaunchEvent::AbortingJobs,
            Happening::JobsAborted { ids, error: None } => LaunchEvent::JobsAborted { ids },
            Happening::JobsAborted {
                error: Some(error), ..
            } => LaunchEvent::Warning(format!("running jobs could not be aborted: {error}")),
            Happening::Stopping { name, .. } => LaunchEvent::Stopping { name },
            Happening::Signalled { name, pid, signal } if signal == "SIGKILL" => {
                LaunchEvent::Killing { name, pid }
            }
            Happening::Stopped { name } => LaunchEvent::Stopped { name },
            Happening::Trouble { message } => LaunchEvent::Warning(message),
            Happening::WorkspaceGone => {
                LaunchEvent::Warning("the workspace was removed; everything is ended".to_owned())
            }
            Happening::SupervisorStarted { .. }
            | Happening::SupervisorLeaving { .. }
            | Happening::Request { .. }
            | Happening::Signalled { .. }
            | Happening::Swept { .. }
            | Happening::ForkServerStarted { .. }
            | Happening::ForkServerLost { .. }
            | Happening::NotForked { .. }
            | Happening::Stuck { .. }
            | Happening::LogRotated { .. } => return None,
        })
    }

    pub(super) fn pass_on(&self, happening: Happening, events: &mut dyn FnMut(LaunchEvent)) {
        if let Some(event) = self.event(happening) {
            events(event);
        }
    }

    fn is_server(&self, name: &str) -> bool {
        let participant = self.prepared.project.find(name);
        participant.is_some_and(|participant| participant.role() == Role::Server)
    }
}
