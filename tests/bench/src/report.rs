use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use serde::Serialize;

use crate::{
    bench::{Step, Times},
    keys,
};

/// `prepare` is to be so many times as fast as NVFlare's.
const PREPARE_RATIO: f64 = 3.5;

/// The result, as a table for people or as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    rows: Vec<Row>,
    /// Seconds for one RSA key on one core.
    one_key: f64,
    keys: u32,
    /// Seconds that `prepare` may take at most, by the time of a key.
    prepare_budget: f64,
}

#[derive(Debug, Serialize)]
struct Row {
    step: &'static str,
    #[serde(skip)]
    kind: Step,
    /// Median, in seconds.
    poc: f64,
    upstream: f64,
    /// How many times as long the other takes.
    ratio: f64,
    poc_times: Vec<f64>,
    upstream_times: Vec<f64>,
}

impl Report {
    pub(crate) fn new(times: &BTreeMap<Step, Times>, one_key: Duration) -> Self {
        let seconds =
            |times: &[Duration]| times.iter().map(Duration::as_secs_f64).collect::<Vec<_>>();
        let rows = times.iter().map(|(&kind, times)| {
            let (poc, upstream) = (median(&times.poc), median(&times.upstream));
            Row {
                step: kind.name(),
                kind,
                poc,
                upstream,
                ratio: upstream / poc,
                poc_times: seconds(&times.poc),
                upstream_times: seconds(&times.upstream),
            }
        });
        Self {
            rows: rows.collect(),
            one_key: one_key.as_secs_f64(),
            keys: keys::KEYS,
            prepare_budget: keys::budget(one_key).as_secs_f64(),
        }
    }

    /// Whether what the project promises of a step holds here; what it promises nothing of holds.
    pub(crate) fn keeps_promise(&self, step: Step) -> bool {
        let row = self.rows.iter().find(|row| row.kind == step);
        row.is_none_or(|row| {
            step != Step::Prepare || (row.ratio >= PREPARE_RATIO && row.poc <= self.prepare_budget)
        })
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{:<24}{:>10}{:>10}{:>8}\n",
            "median", "poc", "NVFlare", "ratio"
        );
        for row in &self.rows {
            let _ = writeln!(
                text,
                "{:<24}{:>8.3} s{:>8.3} s{:>7.1}×",
                row.step, row.poc, row.upstream, row.ratio
            );
        }
        let verdict = if self.keeps_promise(Step::Prepare) {
            "kept"
        } else {
            "NOT kept"
        };
        let _ = write!(
            text,
            "\nprepare: {} keys at {:.1} ms each allow {:.3} s; at least {PREPARE_RATIO}× as fast: {verdict}",
            self.keys,
            self.one_key * 1000.0,
            self.prepare_budget,
        );
        text
    }
}

/// In seconds; of an even number, the lower of the middle two.
fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    let middle = times.len().saturating_sub(1) / 2;
    times.get(middle).map_or(f64::NAN, Duration::as_secs_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(poc: &[u64], upstream: &[u64], one_key: u64) -> (BTreeMap<Step, Times>, Duration) {
        let times = |list: &[u64]| list.iter().copied().map(Duration::from_millis).collect();
        let times = Times {
            poc: times(poc),
            upstream: times(upstream),
        };
        (
            BTreeMap::from([(Step::Prepare, times)]),
            Duration::from_millis(one_key),
        )
    }

    #[test]
    fn medians_and_the_promise() {
        let (times, key) = report(&[300, 100, 200], &[900, 1000, 950], 1000);
        let fast = Report::new(&times, key);
        assert!((fast.rows[0].ratio - 4.75).abs() < 1e-9);
        assert!(fast.keeps_promise(Step::Prepare));
        let (times, key) = report(&[300], &[900], 1000);
        assert!(
            !Report::new(&times, key).keeps_promise(Step::Prepare),
            "only three times as fast"
        );
        let (times, key) = report(&[100], &[1000], 0);
        assert!(
            !Report::new(&times, key).keeps_promise(Step::Prepare),
            "slower than its keys allow"
        );
    }
}
