//! What the passing of time brings about.

use std::time::Duration;

use super::Machine;
use crate::supervisor::Happening;
use crate::supervisor::state::{Action, Ending, Phase, Stage};

/// For what participants left behind.
const SWEEPING: Duration = Duration::from_secs(5);
/// Between two looks at what is left.
const SWEEP_AGAIN: Duration = Duration::from_millis(25);

impl Machine {
    /// Until when something is swept, and when it is swept again.
    pub(super) fn sweeping(&self) -> (Duration, Duration) {
        (self.now + SWEEPING, self.now + SWEEP_AGAIN)
    }

    pub(super) fn pass_time(&mut self) {
        self.forget_the_slow();
        for name in self.state.participants.keys().cloned().collect::<Vec<_>>() {
            self.pass_time_for(&name);
        }
        if let Some(Ending::Sweeping { until, again }) = self.state.ending
            && self.now >= again
        {
            self.state.ending = Some(Ending::Sweeping {
                until,
                again: self.now + SWEEP_AGAIN,
            });
            self.actions.push(Action::SweepAll);
        }
    }

    pub(super) fn pass_time_for(&mut self, name: &str) {
        match self.phase(name) {
            Some(Phase::Waiting { until }) if self.now >= until => {
                if let Some(participant) = self.state.participants.get_mut(name) {
                    participant.restarts += 1;
                }
                self.launch(name);
            }
            Some(Phase::Stopping {
                pid: Some(pid),
                stage,
                then,
            }) => match stage {
                Stage::Leaving { until } | Stage::Jobs { until } if self.now >= until => {
                    self.terminate(name, pid, then);
                }
                Stage::Terminating { until } if self.now >= until => self.kill(name, pid, then),
                Stage::Killing { until } if self.now >= until => {
                    if let Some(participant) = self.state.participants.get_mut(name) {
                        participant.phase = Phase::Stuck { pid };
                        participant.ready = false;
                    }
                    self.tell(Happening::Stuck {
                        name: name.to_owned(),
                        pid,
                    });
                }
                _ => {}
            },
            Some(Phase::Stopping {
                pid: None,
                stage: Stage::Sweeping { until, again },
                then,
            }) if self.now >= again => {
                let stage = Stage::Sweeping {
                    until,
                    again: self.now + SWEEP_AGAIN,
                };
                self.set_phase(
                    name,
                    Phase::Stopping {
                        pid: None,
                        stage,
                        then,
                    },
                );
                self.sweep(name);
            }
            _ => {}
        }
    }
}
