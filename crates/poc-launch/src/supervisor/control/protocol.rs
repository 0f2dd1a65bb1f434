//! What is said over the control socket.

use camino::Utf8PathBuf;
use poc_core::project::Role;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::admin::{Failure, Op};
use crate::plan::ParticipantPlan;
use crate::supervisor::{Happening, Refusal};

/// What one can ask a supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// How things are.
    Status {},
    /// Send every happening from now on.
    Watch {},
    /// Start these, as far as they do not run.
    Start {
        /// Their plans; a plan replaces the one that the supervisor has.
        participants: Vec<ParticipantPlan>,
        /// The environment that they inherit; without it the supervisor's own.
        environment: Option<Vec<(String, String)>>,
    },
    /// Stop these, or everything.
    Stop {
        /// `None`: everything, the supervisor included.
        names: Option<Vec<String>>,
        /// How long the abort of running jobs may take, in seconds; 0: jobs are not aborted first.
        abort_s: f64,
    },
    /// Stop this one and start it again.
    Restart {
        /// The participant.
        name: String,
    },
    /// Carry out an admin operation on the server.
    Admin {
        /// Which.
        operation: Op,
        /// Its time limit in seconds.
        limit_s: f64,
    },
}

/// One line from the supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The answer to a request; answers come in the order of the requests, those to
    /// [`Request::Admin`] excepted, which come when they are there.
    Reply(Reply),
    /// Something happened (after [`Request::Watch`]).
    Happening(Happening),
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Request::Status`] and [`Request::Watch`].
    Status(Snapshot),
    /// To [`Request::Start`]: what is being started and what is not.
    Start {
        /// Those that are being started.
        started: Vec<String>,
        /// Those that are not, and why.
        refused: Vec<(String, Refusal)>,
    },
    /// To [`Request::Stop`] and [`Request::Restart`]: it is being done.
    Accepted,
    /// To [`Request::Admin`]: what the server said.
    Admin(Value),
    /// To [`Request::Admin`]: why it did not work.
    AdminFailed(Failure),
    /// The request was not understood.
    NotUnderstood(String),
}

/// How things are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The supervisor's process ID.
    pub supervisor: u32,
    /// Whether everything is being stopped.
    pub ending: bool,
    /// The server first, then the sites in the plan's order.
    pub participants: Vec<ParticipantSnapshot>,
}

/// How one participant is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParticipantSnapshot {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Where it is in its life.
    pub state: ParticipantState,
    /// Its process.
    pub pid: Option<u32>,
    /// When that was started: clock ticks since boot.
    pub start_time: Option<u64>,
    /// Automatic restarts since the user started it.
    pub restarts: u32,
    /// Whether the server is up, or the site registered.
    pub ready: bool,
    /// Its GPUs.
    pub gpus: Vec<String>,
    /// Its console log.
    pub log: Utf8PathBuf,
}

/// Where a participant is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParticipantState {
    /// It does not run and is not meant to.
    Stopped,
    /// It is on its way: not up, or not registered yet.
    Starting,
    /// It runs.
    Running,
    /// It died and will be started again.
    Restarting,
    /// It is being stopped.
    Stopping,
    /// It runs, but was halted by a signal (SIGSTOP).
    Suspended,
    /// It died too often and was given up.
    Failed,
    /// It does not run, and cannot: its startup kit is not there.
    #[serde(rename = "missing kit")]
    MissingKit,
}

impl ParticipantState {
    /// The word in the status table and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Suspended => "suspended",
            Self::Failed => "failed",
            Self::MissingKit => "missing kit",
        }
    }

    /// Whether there is, or will shortly be, a process.
    pub const fn is_active(self) -> bool {
        !matches!(self, Self::Stopped | Self::Failed | Self::MissingKit)
    }
}

impl std::fmt::Display for ParticipantState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_look_like_this() {
        let requests = [
            Request::Status {},
            Request::Stop {
                names: None,
                abort_s: 15.0,
            },
            Request::Admin {
                operation: Op::Jobs {},
                limit_s: 10.0,
            },
        ];
        let lines = [
            Line::Reply(Reply::Accepted),
            Line::Reply(Reply::Start {
                started: vec!["site-1".to_owned()],
                refused: vec![
                    ("server".to_owned(), Refusal::Running { pid: Some(7) }),
                    ("site-2".to_owned(), Refusal::Stopping),
                ],
            }),
            Line::Happening(Happening::Ready {
                name: "site-1".to_owned(),
            }),
        ];
        let requests = requests.map(|it| serde_json::to_string(&it).unwrap());
        let written = lines.clone().map(|it| serde_json::to_string(&it).unwrap());
        insta::assert_snapshot!(requests.join("\n"), @r#"
        {"ask":"status"}
        {"ask":"stop","names":null,"abort_s":15.0}
        {"ask":"admin","operation":{"op":"jobs"},"limit_s":10.0}
        "#);
        insta::assert_snapshot!(written.join("\n"), @r#"
        {"reply":"accepted"}
        {"reply":{"start":{"started":["site-1"],"refused":[["server",{"why":"running","pid":7}],["site-2",{"why":"stopping"}]]}}}
        {"happening":{"event":"ready","name":"site-1"}}
        "#);
        for (line, text) in lines.iter().zip(&written) {
            assert_eq!(serde_json::from_str::<Line>(text).unwrap(), *line);
        }
    }
}
