//! What one can ask of the server.

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::Cancel;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Failure, Job, SystemInfo};
use crate::Error;

/// How often a job is asked for while it is waited for.
const POLL: Duration = Duration::from_millis(200);

/// An admin operation, as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// The server's state and the registered clients.
    SystemInfo {},
    /// All jobs.
    Jobs {},
    /// All that is known of one job.
    Job {
        /// Its ID.
        job: String,
    },
    /// Submits a job.
    Submit {
        /// The job's directory, absolute.
        directory: Utf8PathBuf,
    },
    /// Aborts a job.
    Abort {
        /// Its ID.
        job: String,
    },
    /// Downloads the result of a job.
    Download {
        /// Its ID.
        job: String,
        /// Where to put it, absolute; a path that does not exist yet. Without it the result stays in
        /// the admin kit's transfer directory.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        into: Option<Utf8PathBuf>,
    },
    /// Shuts participants down. The server refuses while a job runs.
    Shutdown {
        /// Whom.
        target: Target,
        /// With [`Target::Client`]: which; empty means all.
        #[serde(default)]
        clients: Vec<String>,
    },
    /// Has the server forget a client that does not run any more; it would list it until it has been
    /// silent for ten minutes. One that runs registers again.
    RemoveClient {
        /// Its name.
        client: String,
    },
}

/// Whom a shutdown is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Server and clients.
    All,
    /// The server. It refuses while clients are connected.
    Server,
    /// Clients.
    Client,
}

impl Op {
    /// The operation in words, for messages.
    pub fn words(&self) -> &'static str {
        match self {
            Self::SystemInfo {} => "asking the server for its state",
            Self::Jobs {} => "listing the jobs",
            Self::Job { .. } => "asking the server for the job",
            Self::Submit { .. } => "submitting the job",
            Self::Abort { .. } => "aborting the job",
            Self::Download { .. } => "downloading the job's result",
            Self::Shutdown { .. } => "shutting down",
            Self::RemoveClient { .. } => "having the server forget the client",
        }
    }
}

/// Admin operations on a running POC, each within a time limit.
///
/// Every method fails with [`Error::ServerUnreachable`] where nobody answers, with
/// [`Error::AdminRefused`] where NVFlare says no, with [`Error::AdminTimeout`] at the limit, and with
/// [`Error::AdminHelper`] where the Python behind it does not work.
pub trait AdminOps {
    /// Carries out an operation and returns what the server said.
    ///
    /// # Errors
    ///
    /// See [`AdminOps`].
    fn call(&mut self, op: &Op, limit: Duration) -> Result<Value, Error>;

    /// The server's state and the registered clients.
    ///
    /// # Errors
    ///
    /// See [`AdminOps`].
    fn system_info(&mut self, limit: Duration) -> Result<SystemInfo, Error> {
        self.ask(&Op::SystemInfo {}, limit)
    }

    /// All jobs that the server knows.
    ///
    /// # Errors
    ///
    /// See [`AdminOps`].
    fn jobs(&mut self, limit: Duration) -> Result<Vec<Job>, Error> {
        self.ask(&Op::Jobs {}, limit)
    }

    /// One job.
    ///
    /// # Errors
    ///
    /// See [`AdminOps`].
    fn job(&mut self, id: &str, limit: Duration) -> Result<Job, Error> {
        self.ask(&Op::Job { job: id.to_owned() }, limit)
    }

    /// Submits a job directory (an absolute path) and returns the job's ID.
    ///
    /// # Errors
    ///
    /// See [`AdminOps`].
    fn submit(&mut self, directory: &Utf8Path, limit: Duration) -> Result<String, Error> {
        self.ask(
            &Op::Submit {
                directory: directory.to_owned(),
            },
            limit,
        )
    }

    /// Aborts a job; returns once the server has acknowledged it, and the job ends a little later.
    ///
    /// # Errors
    ///
    /// See [`AdminOps`].
    fn abort(&mut self, id: &str, limit: Duration) -> Result<(), Error> {
        self.call(&Op::Abort { job: id.to_owned() }, limit)
            .map(drop)
    }

    /// Downloads a job's result to `into`, a path that does not exist yet, and returns where it is.
    ///
    /// # Errors
    ///
    /// See [`AdminOps`].
    fn download(
        &mut self,
        id: &str,
        into: Option<&Utf8Path>,
        limit: Duration,
    ) -> Result<Utf8PathBuf, Error> {
        self.ask(
            &Op::Download {
                job: id.to_owned(),
                into: into.map(Utf8Path::to_owned),
            },
            limit,
        )
    }

    /// Shuts down the server and all clients.
    ///
    /// # Errors
    ///
    /// See [`AdminOps`].
    fn shutdown(&mut self, limit: Duration) -> Result<(), Error> {
        self.call(
            &Op::Shutdown {
                target: Target::All,
                clients: Vec::new(),
            },
            limit,
        )
        .map(drop)
    }

    /// Shuts down one client, so that the server no longer counts on it.
    ///
    /// # Errors
    ///
    /// See [`AdminOps`].
    fn shutdown_client(&mut self, name: &str, limit: Duration) -> Result<(), Error> {
        self.call(
            &Op::Shutdown {
                target: Target::Client,
                clients: vec![name.to_owned()],
            },
            limit,
        )
        .map(drop)
    }

    /// Has the server forget a client that does not run any more (see [`Op::RemoveClient`]).
    ///
    /// # Errors
    ///
    /// See [`AdminOps`]; [`Refusal::NoSuchClient`](super::Refusal::NoSuchClient) for one that it does
    /// not know.
    fn remove_client(&mut self, name: &str, limit: Duration) -> Result<(), Error> {
        let client = name.to_owned();
        self.call(&Op::RemoveClient { client }, limit).map(drop)
    }

    /// Waits until a job has come to an end, good or bad. `seen` is told of every state in between.
    ///
    /// # Errors
    ///
    /// [`Error::AdminTimeout`] where it does not within `limit`, [`Error::Interrupted`] when `cancel`
    /// is set, else see [`AdminOps`].
    fn wait_for_job(
        &mut self,
        id: &str,
        limit: Duration,
        cancel: &Cancel,
        seen: &mut dyn FnMut(&Job),
    ) -> Result<Job, Error> {
        let deadline = Instant::now() + limit;
        loop {
            cancel.check()?;
            let job = self.job(id, Duration::from_secs(10))?;
            seen(&job);
            if job.status.is_finished() {
                return Ok(job);
            }
            if Instant::now() >= deadline {
                return Err(Error::AdminTimeout {
                    operation: "waiting for the job",
                    seconds: limit.as_secs_f64(),
                });
            }
            std::thread::sleep(POLL);
        }
    }

    #[doc(hidden)]
    fn ask<T: DeserializeOwned>(&mut self, op: &Op, limit: Duration) -> Result<T, Error> {
        let value = self.call(op, limit)?;
        serde_json::from_value(value).map_err(|error| {
            let message = format!("the answer was not understood: {error}");
            Failure::Other { message }.into_error(op)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scripted(Vec<&'static str>);

    impl AdminOps for Scripted {
        fn call(&mut self, _: &Op, _: Duration) -> Result<Value, Error> {
            Ok(serde_json::from_str(self.0.remove(0)).unwrap())
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn operations_look_like_this_on_the_wire() {
        let ops = [
            Op::SystemInfo {},
            Op::Job { job: "1".into() },
            Op::Download {
                job: "1".into(),
                into: None,
            },
            Op::Shutdown {
                target: Target::Client,
                clients: vec!["site-1".into()],
            },
            Op::RemoveClient {
                client: "site-1".into(),
            },
        ];
        let lines: Vec<String> = ops
            .iter()
            .map(|op| serde_json::to_string(op).unwrap())
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"op":"system_info"}
        {"op":"job","job":"1"}
        {"op":"download","job":"1"}
        {"op":"shutdown","target":"client","clients":["site-1"]}
        {"op":"remove_client","client":"site-1"}
        "#);
        for (op, line) in ops.iter().zip(lines) {
            assert_eq!(serde_json::from_str::<Op>(&line).unwrap(), *op);
        }
    }

    #[test]
    fn a_job_is_waited_for_to_its_end() {
        let mut admin = Scripted(vec![
            r#"{"job_id":"1","status":"SUBMITTED"}"#,
            r#"{"job_id":"1","status":"RUNNING"}"#,
            r#"{"job_id":"1","status":"FINISHED:COMPLETED"}"#,
        ]);
        let mut seen = Vec::new();
        let job = admin
            .wait_for_job("1", 60 * SECOND, &Cancel::new(), &mut |job| {
                seen.push(job.status.to_string());
            })
            .unwrap();
        assert!(job.status.is_completed());
        assert_eq!(seen, ["SUBMITTED", "RUNNING", "FINISHED:COMPLETED"]);
    }

    #[test]
    fn waiting_ends_at_the_limit_and_when_cancelled() {
        let running = r#"{"job_id":"1","status":"RUNNING"}"#;
        let error =
            Scripted(vec![running]).wait_for_job("1", Duration::ZERO, &Cancel::new(), &mut |_| {});
        assert!(matches!(error, Err(Error::AdminTimeout { .. })));
        let cancel = Cancel::new();
        cancel.cancel();
        let error = Scripted(vec![]).wait_for_job("1", SECOND, &cancel, &mut |_| {});
        assert!(matches!(error, Err(Error::Interrupted(_))));
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_an_error() {
        let error = Scripted(vec!["[1]"]).system_info(SECOND).unwrap_err();
        assert!(matches!(error, Error::AdminRefused { .. }), "{error}");
    }
}
