//! The result, as a table for people or as JSON.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use serde::Serialize;

use crate::{
    goal::Goal,
    measure::{Step, Values},
};

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Processor cores of this machine.
    cores: usize,
    /// Seconds for one RSA key on one core.
    one_key: f64,
    /// Whether every promise was kept.
    kept: bool,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    sites: u32,
    step: Step,
    poc: f64,
    upstream: Option<f64>,
    /// How many times as much NVFlare's own takes.
    ratio: Option<f64>,
    goals: Vec<String>,
    kept: bool,
    values: Values,
}

impl Report {
    /// Of everything that was measured, by number of sites.
    pub(crate) fn new(measured: &BTreeMap<u32, BTreeMap<Step, Values>>, one_key: Duration) -> Self {
        let rows: Vec<Row> = measured
            .iter()
            .flat_map(|(&sites, steps)| {
                steps
                    .iter()
                    .map(move |(&step, values)| Row::new(sites, step, values, one_key))
            })
            .collect();
        Self {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            one_key: one_key.as_secs_f64(),
            kept: rows.iter().all(|row| row.kept),
            rows,
        }
    }

    pub(crate) const fn kept(&self) -> bool {
        self.kept
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// In Markdown, as docs/benchmarks.md shows it.
    pub(crate) fn table(&self) -> String {
        let mut text = String::from(
            "| sites | | `poc` | NVFlare | ratio | promised | |\n| ---: | --- | ---: | ---: | ---: | --- | --- |\n",
        );
        for row in &self.rows {
            let number = |number: Option<f64>| {
                number.map_or_else(|| "-".to_owned(), |number| row.step.value(number))
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} |",
                row.sites,
                row.step.name(),
                number(Some(row.poc)),
                number(row.upstream),
                row.ratio
                    .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1}×")),
                row.goals.join(", "),
                match (row.goals.is_empty(), row.kept) {
                    (true, _) => "",
                    (false, true) => "kept",
                    (false, false) => "**not kept**",
                },
            );
        }
        let _ = write!(
            text,
            "\n{} cores; an RSA-2048 key takes {:.1} ms on one of them.",
            self.cores,
            self.one_key * 1000.0,
        );
        text
    }
}

impl Row {
    fn new(sites: u32, step: Step, values: &Values, one_key: Duration) -> Self {
        let poc = step.summary(&values.poc);
        let upstream = (!values.upstream.is_empty()).then(|| step.summary(&values.upstream));
        let goals = Goal::of(step, sites, one_key);
        Self {
            sites,
            step,
            poc,
            upstream,
            ratio: upstream.map(|upstream| upstream / poc),
            kept: goals.iter().all(|goal| goal.is_kept(poc, upstream)),
            goals: goals.iter().map(|goal| goal.words(step)).collect(),
            values: values.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(sites: u32, step: Step, poc: &[f64], upstream: &[f64], key_ms: u64) -> Report {
        let values = Values {
            poc: poc.to_vec(),
            upstream: upstream.to_vec(),
        };
        Report::new(
            &BTreeMap::from([(sites, BTreeMap::from([(step, values)]))]),
            Duration::from_millis(key_ms),
        )
    }

    #[test]
    fn promises_are_judged() {
        let (poc, upstream) = (&[0.3, 0.1, 0.2], &[0.9, 1.0, 0.95]);
        assert!(report(2, Step::Prepare, poc, upstream, 1000).kept());
        assert!(
            !report(2, Step::Prepare, &[0.3], &[0.9], 1000).kept(),
            "three times as fast"
        );
        assert!(
            !report(2, Step::Prepare, &[0.1], &[1.0], 0).kept(),
            "slower than its keys allow"
        );
        assert!(!report(20, Step::Memory, &[551.0], &[1100.0], 0).kept());
        assert!(
            report(10, Step::Start, &[3.0], &[3.0], 0).kept(),
            "nothing is promised"
        );
    }

    #[test]
    fn a_side_that_was_not_measured_is_a_dash() {
        let table = report(2, Step::Start, &[1.8], &[], 40).table();
        assert!(
            table.contains("| 2 | start until registered | 1.800 s | - | - | 5× | kept |"),
            "{table}"
        );
    }
}
