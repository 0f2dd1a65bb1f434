//! What a demo came to: the value behind both its JSON object and its text.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde::Serialize;

use super::progress::Round;

/// A demo that ran to its end.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) job: Job,
    pub(crate) rounds: Vec<RoundOutcome>,
    /// Of the downloaded global model on the held-out records, 0 to 1, computed by `poc` itself.
    pub(crate) accuracy: f64,
    pub(crate) held_out: HeldOut,
    pub(crate) sites: Vec<Site>,
    pub(crate) result: ResultFiles,
    pub(crate) workspace: Utf8PathBuf,
    /// Whether the workspace is still there, with the POC running in it.
    pub(crate) kept: bool,
    pub(crate) flare_version: String,
    pub(crate) duration_s: f64,
}

/// The job as NVFlare knows it.
#[derive(Debug, Serialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) name: String,
    /// NVFlare's own word.
    pub(crate) status: String,
}

/// One round, as the job's server side told it.
#[derive(Debug, Serialize)]
pub(crate) struct RoundOutcome {
    round: u32,
    accuracy: f64,
    sites: BTreeMap<String, f64>,
    alone: BTreeMap<String, f64>,
}

/// The records that nobody trained on.
#[derive(Debug, Serialize)]
pub(crate) struct HeldOut {
    pub(crate) records: usize,
    pub(crate) malignant: usize,
}

/// A site, and how far it comes by itself.
#[derive(Debug, Serialize)]
pub(crate) struct Site {
    pub(crate) name: String,
    pub(crate) records: usize,
    pub(crate) malignant: usize,
    /// Accuracy of the model that it trained on its own records alone, with as many steps.
    pub(crate) alone: f64,
}

/// What outlasts the workspace: enough to compute the accuracy again without `poc`.
#[derive(Debug, Serialize)]
pub(crate) struct ResultFiles {
    pub(crate) model: Utf8PathBuf,
    pub(crate) held_out: Utf8PathBuf,
}

impl From<Round> for RoundOutcome {
    fn from(round: Round) -> Self {
        Self {
            round: round.number,
            accuracy: round.global,
            sites: round.sites,
            alone: round.alone,
        }
    }
}

impl Outcome {
    /// Sites from the worst alone to the best.
    pub(crate) fn alone_ascending(&self) -> Vec<f64> {
        let mut alone: Vec<f64> = self.sites.iter().map(|site| site.alone).collect();
        alone.sort_by(f64::total_cmp);
        alone
    }
}
