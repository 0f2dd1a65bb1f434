//! What is kept of a round: a file of JSON lines.

use std::{fs::File, io::Write as _, time::Instant};

use camino::Utf8Path;
use serde_json::{Value, json};

use crate::draw::Draw;

/// The file of one round, written as the round goes on.
pub(crate) struct Journal {
    file: File,
    begun: Instant,
}

impl Journal {
    pub(crate) fn begin(directory: &Utf8Path, seed: u64, round: u32, draw: &Draw) -> Self {
        let path = directory.join(format!("round-{round:04}.jsonl"));
        let mut journal = Self {
            file: File::create(&path).unwrap(),
            begun: Instant::now(),
        };
        let faults: Vec<String> = draw.faults.iter().map(ToString::to_string).collect();
        journal.line(&json!({
            "round": round, "seed": seed, "sites": draw.sites, "spawn": draw.spawn,
            "job": draw.job, "at_once": draw.at_once, "faults": faults,
        }));
        journal
    }

    /// Something was done.
    pub(crate) fn did(&mut self, what: impl Into<String>) {
        self.line(&json!({"at_s": self.at(), "did": what.into()}));
    }

    /// Something was seen.
    pub(crate) fn saw(&mut self, what: &str, value: impl Into<Value>) {
        self.line(&json!({"at_s": self.at(), "saw": what, "value": value.into()}));
    }

    /// An entry of `poc`'s own event log.
    pub(crate) fn poc(&mut self, entry: &Value) {
        self.line(&json!({"poc": entry}));
    }

    pub(crate) fn result(&mut self, failure: Option<&str>) {
        self.line(&json!({"at_s": self.at(), "result": failure.map_or("ok", |_| "failed"), "why": failure}));
    }

    fn at(&self) -> f64 {
        (self.begun.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
    }

    fn line(&mut self, value: &Value) {
        writeln!(self.file, "{value}").unwrap();
    }
}
