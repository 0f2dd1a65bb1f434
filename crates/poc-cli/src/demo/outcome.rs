//! What a demo came to: the value behind both its JSON object and its text.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use poc_launch::admin;
use serde::Serialize;

use super::data::DataSet;
use super::progress::Round;
use super::split::Split;
use crate::error::{CliError, ErrorCode};

/// A demo that is over.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    #[serde(flatten)]
    pub(crate) training: Training,
    pub(crate) workspace: Utf8PathBuf,
    /// Whether the workspace is still there, with the POC running in it.
    pub(crate) kept: bool,
    pub(crate) flare_version: String,
    pub(crate) duration_s: f64,
}

/// A job that was completed, and what its model is worth. Accuracies are shares of the held-out
/// records, 0 to 1.
#[derive(Debug, Serialize)]
pub(crate) struct Training {
    pub(crate) job: Job,
    pub(crate) rounds: Vec<RoundOutcome>,
    /// Of the downloaded global model, computed by `poc` itself.
    pub(crate) accuracy: f64,
    pub(crate) held_out: Records,
    pub(crate) sites: Vec<Site>,
    pub(crate) result: ResultFiles,
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
    /// Of the model that the round made.
    accuracy: f64,
    /// Of each site's model before the averaging.
    sites: BTreeMap<String, f64>,
    /// Of what each site had trained by itself.
    alone: BTreeMap<String, f64>,
}

/// How many records there are in a part of the data.
#[derive(Debug, Serialize)]
pub(crate) struct Records {
    pub(crate) records: usize,
    pub(crate) malignant: usize,
}

/// A site, and how far it comes by itself.
#[derive(Debug, Serialize)]
pub(crate) struct Site {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) own: Records,
    /// Accuracy of the model that it trained on its own records alone, with as many steps.
    pub(crate) alone: f64,
}

/// What outlasts the workspace: enough to compute the accuracy again without `poc`.
#[derive(Debug, Serialize)]
pub(crate) struct ResultFiles {
    pub(crate) model: Utf8PathBuf,
    pub(crate) held_out: Utf8PathBuf,
}

impl Records {
    fn of(data: &DataSet<'_>, part: &[usize]) -> Self {
        Self {
            records: part.len(),
            malignant: data.select(part).filter(|record| record.malignant).count(),
        }
    }
}

impl From<&admin::Job> for Job {
    fn from(job: &admin::Job) -> Self {
        Self {
            id: job.id.clone(),
            name: job.name.clone(),
            status: job.status.to_string(),
        }
    }
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

impl Training {
    /// How well the sites do by themselves, from the worst to the best.
    pub(crate) fn alone_ascending(&self) -> Vec<f64> {
        let mut alone: Vec<f64> = self.sites.iter().map(|site| site.alone).collect();
        alone.sort_by(f64::total_cmp);
        alone
    }
}

/// Puts together what is known: the job and its rounds, and how many held-out records its model has
/// right.
///
/// # Errors
///
/// When the job did not tell of every site.
pub(crate) fn gather(
    job: &admin::Job,
    rounds: Vec<Round>,
    data: &DataSet<'_>,
    split: &Split,
    sites: &[String],
    right: usize,
    result: ResultFiles,
) -> Result<Training, CliError> {
    let alone = rounds
        .last()
        .map(|round| round.alone.clone())
        .unwrap_or_default();
    let sites = sites
        .iter()
        .zip(&split.sites)
        .map(|(name, part)| {
            Some(Site {
                name: name.clone(),
                own: Records::of(data, part),
                alone: *alone.get(name)?,
            })
        })
        .collect::<Option<_>>()
        .ok_or_else(|| {
            CliError::new(
                ErrorCode::JobFailed,
                "the job's report does not tell of every site",
            )
        })?;
    let held_out = Records::of(data, &split.held_out);
    #[expect(clippy::cast_precision_loss, reason = "hundreds of records")]
    let accuracy = right as f64 / held_out.records as f64;
    Ok(Training {
        job: job.into(),
        rounds: rounds.into_iter().map(RoundOutcome::from).collect(),
        accuracy,
        held_out,
        sites,
        result,
    })
}

/// A result for tests of texts: sites named site-1, site-2, … that reach so much alone.
#[cfg(test)]
pub(crate) fn sample(accuracy: f64, alone: &[f64]) -> Training {
    let names = || (1..).map(|number| format!("site-{number}"));
    let by_site: BTreeMap<String, f64> = names().zip(alone.iter().copied()).collect();
    let round = Round {
        number: 1,
        total: 1,
        global: accuracy,
        sites: by_site.clone(),
        alone: by_site,
    };
    Training {
        job: Job {
            id: "ccfe3c1d".into(),
            name: "poc-demo".into(),
            status: "FINISHED:COMPLETED".into(),
        },
        rounds: vec![round.into()],
        accuracy,
        held_out: Records {
            records: 170,
            malignant: 63,
        },
        sites: names()
            .zip(alone)
            .map(|(name, &alone)| Site {
                name,
                own: Records {
                    records: 166,
                    malignant: 103,
                },
                alone,
            })
            .collect(),
        result: ResultFiles {
            model: "/home/me/.local/share/poc/demo/global-model.json".into(),
            held_out: "/home/me/.local/share/poc/demo/held-out.csv".into(),
        },
    }
}
