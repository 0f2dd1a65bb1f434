//! What is measured, and what came of it.

use std::time::Duration;

use serde::Serialize;

/// One thing that users feel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Prepare,
    /// Until every site has registered.
    Start,
    /// The proportional share (PSS) of every process that runs then, in megabytes.
    Memory,
    /// The time that 95 of 100 calls stay under.
    Status,
    /// Until nothing is left, for `poc`; until the command returns, for NVFlare's own.
    Stop,
}

impl Step {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Start => "start until registered",
            Self::Memory => "memory (PSS)",
            Self::Status => "status, 95th percentile",
            Self::Stop => "stop",
        }
    }

    pub(crate) fn value(self, number: f64) -> String {
        match self {
            Self::Memory => format!("{number:.0} MB"),
            _ => format!("{number:.3} s"),
        }
    }

    /// The number that stands for all of a row.
    pub(crate) fn summary(self, values: &[f64]) -> f64 {
        let rank = match self {
            Self::Status => 0.95,
            _ => 0.5,
        };
        percentile(values, rank)
    }
}

/// The values of both sides, in the order in which they were taken: seconds, or megabytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Values {
    pub(crate) poc: Vec<f64>,
    pub(crate) upstream: Vec<f64>,
}

impl Values {
    pub(crate) fn poc(&mut self, time: Duration) {
        self.poc.push(time.as_secs_f64());
    }

    pub(crate) fn upstream(&mut self, time: Duration) {
        self.upstream.push(time.as_secs_f64());
    }
}

/// The smallest value that at least this share of them does not exceed (the nearest rank).
fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = (1..=sorted.len()).find(|&place| {
        let (place, all) = (count(place), count(sorted.len()));
        place >= share * all
    });
    place.map_or(f64::NAN, |place| sorted[place - 1])
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles_by_nearest_rank() {
        assert!((percentile(&[3.0, 1.0, 2.0], 0.5) - 2.0).abs() < 1e-9);
        assert!((percentile(&[4.0, 1.0, 2.0, 3.0], 0.5) - 2.0).abs() < 1e-9);
        let fifty: Vec<f64> = (1..=50).map(f64::from).collect();
        assert!((percentile(&fifty, 0.95) - 48.0).abs() < 1e-9);
        assert!((percentile(&[7.0], 0.95) - 7.0).abs() < 1e-9);
        assert!(percentile(&[], 0.5).is_nan());
    }
}
