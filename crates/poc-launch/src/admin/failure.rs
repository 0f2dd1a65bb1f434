//! How an admin operation can fail.

use serde::{Deserialize, Serialize};

use super::Op;
use crate::Error;

/// What kind of refusal an admin command met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// There is no job of that ID.
    NoSuchJob,
    /// The job definition is not valid.
    InvalidJob,
    /// A job is running.
    JobRunning,
    /// The job is not running.
    JobNotRunning,
    /// Clients are still connected.
    ClientsRunning,
    /// No client is connected.
    NoClients,
    /// There is no such client.
    NoSuchClient,
    /// The user may not do that, or was not let in.
    Denied,
    /// Something else; the message says what.
    Other,
}

impl Refusal {
    /// What the user can do about it.
    pub(crate) fn hint(self) -> Option<&'static str> {
        match self {
            Self::NoSuchJob => Some("`nvflare job list` shows the jobs"),
            Self::InvalidJob => {
                Some("a job is a directory with meta.json and an app directory for each app in it")
            }
            Self::JobRunning => Some("abort the running jobs first, or wait until they are done"),
            Self::ClientsRunning => Some("stop the clients first"),
            Self::NoClients | Self::NoSuchClient => {
                Some("`poc status` shows which clients have registered")
            }
            Self::Denied => {
                Some("use the startup kit of a user who may do that, such as the project admin")
            }
            Self::JobNotRunning | Self::Other => None,
        }
    }

    /// From the name of the exception's class in NVFlare's `flare_api.api_spec`.
    fn of_exception(class: &str) -> Self {
        match class {
            "JobNotFound" => Self::NoSuchJob,
            "InvalidJobDefinition" => Self::InvalidJob,
            "JobNotDone" => Self::JobRunning,
            "JobNotRunning" => Self::JobNotRunning,
            "ClientsStillRunning" => Self::ClientsRunning,
            "NoClientsAvailable" => Self::NoClients,
            "InvalidTarget" => Self::NoSuchClient,
            "AuthenticationError" | "AuthorizationError" => Self::Denied,
            _ => Self::Other,
        }
    }
}

/// A failed admin operation as plain data, for passing it on to another process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "failure", rename_all = "snake_case")]
pub enum Failure {
    /// The server does not answer.
    Unreachable {
        /// What NVFlare or the system says.
        reason: String,
    },
    /// NVFlare refused.
    Refused {
        /// What kind of refusal it is.
        refusal: Refusal,
        /// NVFlare's words.
        message: String,
    },
    /// It took too long.
    TimedOut {
        /// The limit.
        seconds: f64,
    },
    /// The helper process could not be started, or died.
    Helper {
        /// Its Python.
        python: String,
        /// What happened to it.
        what: String,
        /// What it printed last.
        tail: Vec<String>,
    },
    /// Anything else.
    Other {
        /// What.
        message: String,
    },
}

impl Failure {
    /// From the helper's own report.
    pub(super) fn of_exception(class: &str, message: String, seconds: f64) -> Self {
        match class {
            "Unreachable"
            | "NoConnection"
            | "FLCommunicationError"
            | "SessionClosed"
            | "SessionExpired" => Self::Unreachable { reason: message },
            "OutOfTime" | "TimeoutError" => Self::TimedOut { seconds },
            _ => Self::Refused {
                refusal: Refusal::of_exception(class),
                message,
            },
        }
    }

    /// The error that it is, of that operation.
    pub fn into_error(self, op: &Op) -> Error {
        let operation = op.words();
        match self {
            Self::Unreachable { reason } => Error::ServerUnreachable { reason },
            Self::Refused { refusal, message } => Error::AdminRefused {
                operation,
                refusal,
                message,
            },
            Self::TimedOut { seconds } => Error::AdminTimeout { operation, seconds },
            Self::Helper { python, what, tail } => Error::AdminHelper {
                python: python.into(),
                what,
                tail,
            },
            Self::Other { message } => Error::AdminRefused {
                operation,
                refusal: Refusal::Other,
                message,
            },
        }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        match error {
            Error::ServerUnreachable { reason } => Self::Unreachable {
                reason: reason.clone(),
            },
            Error::AdminRefused {
                refusal, message, ..
            } => Self::Refused {
                refusal: *refusal,
                message: message.clone(),
            },
            Error::AdminTimeout { seconds, .. } => Self::TimedOut { seconds: *seconds },
            Error::AdminHelper { python, what, tail } => Self::Helper {
                python: python.to_string(),
                what: what.clone(),
                tail: tail.clone(),
            },
            other => Self::Other {
                message: other.to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_become_what_the_caller_can_act_on() {
        let of = |class: &str| Failure::of_exception(class, "m".into(), 2.0);
        assert_eq!(
            of("NoConnection"),
            Failure::Unreachable { reason: "m".into() }
        );
        assert_eq!(of("OutOfTime"), Failure::TimedOut { seconds: 2.0 });
        for (class, refusal) in [
            ("JobNotFound", Refusal::NoSuchJob),
            ("JobNotDone", Refusal::JobRunning),
            ("InvalidTarget", Refusal::NoSuchClient),
            ("AuthorizationError", Refusal::Denied),
            ("KeyError", Refusal::Other),
        ] {
            assert_eq!(
                of(class),
                Failure::Refused {
                    refusal,
                    message: "m".into()
                }
            );
        }
    }

    #[test]
    fn a_failure_survives_the_way_through_another_process() {
        for failure in [
            Failure::Unreachable { reason: "r".into() },
            Failure::Refused {
                refusal: Refusal::JobRunning,
                message: "m".into(),
            },
            Failure::TimedOut { seconds: 1.5 },
            Failure::Helper {
                python: "/p".into(),
                what: "died".into(),
                tail: vec!["x".into()],
            },
        ] {
            let json = serde_json::to_string(&failure).unwrap();
            let read: Failure = serde_json::from_str(&json).unwrap();
            let error = read.into_error(&Op::Jobs {});
            assert_eq!(Failure::from(&error), failure);
        }
    }
}
