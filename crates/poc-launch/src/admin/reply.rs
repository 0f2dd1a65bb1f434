//! What the server answers.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The state of the server and who is connected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SystemInfo {
    /// The server.
    pub server: ServerState,
    /// The clients that have registered.
    pub clients: Vec<Site>,
}

impl SystemInfo {
    /// Whether a client of that name has registered.
    pub fn has_client(&self, name: &str) -> bool {
        self.clients.iter().any(|site| site.name == name)
    }
}

/// The server as it describes itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerState {
    /// NVFlare's word: `started` while a job runs, else `stopped`.
    pub status: String,
    /// When it started, in seconds since 1970.
    pub started: Option<f64>,
}

/// A registered client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// When it was last heard of, in seconds since 1970.
    pub last_connect: Option<f64>,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its ID.
    #[serde(rename = "job_id")]
    pub id: String,
    /// Its name.
    #[serde(default, alias = "job_name")]
    pub name: String,
    /// How far it has come.
    pub status: JobStatus,
    /// All else that the server tells: `submit_time`, `duration`, `submitter_name`, …
    #[serde(flatten)]
    pub details: Map<String, Value>,
}

/// NVFlare's word for the state of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobStatus(String);

impl JobStatus {
    /// The word itself, such as `FINISHED:COMPLETED`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has come to an end, good or bad.
    pub fn is_finished(&self) -> bool {
        self.0.starts_with("FINISHED")
    }

    /// Whether it has come to a good end.
    pub fn is_completed(&self) -> bool {
        self.0 == "FINISHED:COMPLETED"
    }

    /// Whether processes run for it.
    pub fn is_running(&self) -> bool {
        matches!(self.0.as_str(), "RUNNING" | "DISPATCHED")
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_job_are_read() {
        let listed = r#"{"job_id":"ccfe","job_name":"np","status":"RUNNING","duration":"0:00:09"}"#;
        let meta = r#"{"name":"np","min_clients":2,"job_id":"ccfe","status":"FINISHED:ABORTED"}"#;
        let listed: Job = serde_json::from_str(listed).unwrap();
        let meta: Job = serde_json::from_str(meta).unwrap();
        assert_eq!((listed.id.as_str(), listed.name.as_str()), ("ccfe", "np"));
        assert_eq!((meta.id.as_str(), meta.name.as_str()), ("ccfe", "np"));
        assert!(listed.status.is_running() && !listed.status.is_finished());
        assert!(meta.status.is_finished() && !meta.status.is_completed());
        assert_eq!(listed.details["duration"], "0:00:09");
        assert_eq!(meta.details["min_clients"], 2);
    }
}
