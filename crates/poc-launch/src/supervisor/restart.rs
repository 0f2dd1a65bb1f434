//! When a participant that died is started again, and when it is given up.

use std::collections::VecDeque;
use std::time::Duration;

use crate::plan::RestartPolicy;

/// The automatic restarts of one participant that still count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recent(VecDeque<Duration>);

impl Recent {
    /// When to start again after a death at `now`, or `None` for never. `salt` spreads participants
    /// that die together, so that fifty sites do not come back in one instant.
    pub(crate) fn next(
        &mut self,
        policy: &RestartPolicy,
        now: Duration,
        salt: u64,
    ) -> Option<Duration> {
        let window = policy.window();
        self.0.retain(|begun| *begun + window > now);
        let count = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        if count >= policy.limit {
            return None;
        }
        let again = now + jittered(delay(policy, count), salt.wrapping_add(u64::from(count)));
        self.0.push_back(again);
        Some(again)
    }

    /// How many restarts count at the moment.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// The last restart came sooner than planned (somebody asked): count it from when it came.
    pub(crate) fn brought_forward(&mut self, now: Duration) {
        if let Some(last) = self.0.back_mut() {
            *last = now.min(*last);
        }
    }
}

/// Doubles with each restart that still counts.
fn delay(policy: &RestartPolicy, earlier: u32) -> Duration {
    let doubled = u64::from(policy.first_delay_ms).saturating_mul(1 << earlier.min(20));
    Duration::from_millis(doubled.min(u64::from(policy.longest_delay_ms)))
}

/// Between three quarters and five quarters of the delay.
fn jittered(delay: Duration, salt: u64) -> Duration {
    delay.mul_f64(0.75 + 0.5 * fraction(salt))
}

/// A number in [0, 1) from a salt: the mixing step of SplitMix64, all that is needed here.
fn fraction(salt: u64) -> f64 {
    let mut z = salt.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let bits = u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(u32::MAX);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn delays_grow_to_their_limit() {
        let policy = RestartPolicy::default();
        let delays: Vec<u128> = (0..8)
            .map(|count| delay(&policy, count).as_millis())
            .collect();
        assert_eq!(delays, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        assert_eq!(delay(&policy, u32::MAX), Duration::from_secs(30));
    }

    #[test]
    fn the_sixth_death_within_the_window_is_the_last() {
        let (policy, mut recent) = (RestartPolicy::default(), Recent::default());
        let mut now = Duration::ZERO;
        for _ in 0..5 {
            now = recent.next(&policy, now, 7).expect("a restart");
        }
        assert_eq!(recent.next(&policy, now, 7), None);
        assert!(recent.next(&policy, now + policy.window(), 7).is_some());
        assert_eq!(Recent::default().next(&RestartPolicy::NEVER, now, 7), None);
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_quarter(millis in 0_u64..100_000, salt: u64) {
            let delay = Duration::from_millis(millis);
            let jittered = jittered(delay, salt);
            prop_assert!(jittered >= delay.mul_f64(0.75) && jittered <= delay.mul_f64(1.25));
        }

        #[test]
        fn no_window_holds_more_than_the_limit(deaths in prop::collection::vec(0_u64..200_000, 0..60), salt: u64) {
            let (policy, mut recent) = (RestartPolicy::default(), Recent::default());
            let (mut now, mut starts) = (Duration::ZERO, Vec::new());
            for pause in deaths {
                now += Duration::from_millis(pause);
                if let Some(again) = recent.next(&policy, now, salt) {
                    now = again;
                    starts.push(again);
                }
            }
            for first in &starts {
                let within = starts.iter().filter(|start| *start >= first && **start < *first + policy.window());
                prop_assert!(within.count() <= 5);
            }
        }
    }
}
