//! What this project promises, on two cores and beside NVFlare 2.9.0.

use std::time::Duration;

use crate::{keys, measure::Step};

/// A promise about one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// So many times as fast as NVFlare's own command.
    Ratio(f64),
    /// At most so many seconds or megabytes.
    AtMost(f64),
}

impl Goal {
    /// What is promised of a step with so many sites; `one_key` is the time for one RSA key.
    pub(crate) fn of(step: Step, sites: u32, one_key: Duration) -> Vec<Self> {
        let prepare = Self::AtMost(keys::budget(sites, one_key).as_secs_f64());
        match (step, sites) {
            (Step::Prepare, 2) => vec![Self::Ratio(3.5), prepare],
            (Step::Prepare, 100..) => vec![Self::Ratio(2.2), prepare],
            (Step::Prepare, _) => vec![prepare],
            (Step::Start | Step::Stop, 2) => vec![Self::Ratio(5.0)],
            (Step::Start, 20 | 50) => vec![Self::Ratio(6.0)],
            (Step::Memory, 20) => vec![Self::AtMost(550.0)],
            (Step::Memory, 50) => vec![Self::AtMost(1200.0)],
            (Step::Status, _) => vec![Self::AtMost(0.020)],
            _ => Vec::new(),
        }
    }

    /// Whether these numbers keep it. What was not measured breaks no promise.
    pub(crate) fn is_kept(self, poc: f64, upstream: Option<f64>) -> bool {
        match self {
            Self::Ratio(least) => upstream.is_none_or(|upstream| upstream / poc >= least),
            Self::AtMost(most) => poc <= most,
        }
    }

    pub(crate) fn words(self, step: Step) -> String {
        match self {
            Self::Ratio(least) => format!("{least}×"),
            Self::AtMost(most) => format!("at most {}", step.value(most)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_needs_the_other_side() {
        let goal = Goal::Ratio(5.0);
        assert!(goal.is_kept(2.0, Some(10.0)));
        assert!(!goal.is_kept(2.0, Some(9.9)));
        assert!(goal.is_kept(2.0, None));
        assert!(Goal::AtMost(0.5).is_kept(0.5, None));
        assert!(!Goal::AtMost(0.5).is_kept(0.51, Some(100.0)));
    }

    #[test]
    fn prepare_may_take_what_its_keys_take() {
        let goals = Goal::of(Step::Prepare, 2, Duration::from_millis(40));
        assert!(goals.contains(&Goal::Ratio(3.5)));
        assert!(
            goals
                .iter()
                .any(|goal| matches!(goal, Goal::AtMost(most) if *most > 0.06))
        );
    }
}
