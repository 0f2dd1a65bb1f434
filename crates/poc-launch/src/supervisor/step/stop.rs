//! Stopping, one participant or everything.

use std::time::Duration;

use super::Machine;
use crate::supervisor::Happening;
use crate::supervisor::state::{Action, Ending, Phase, RequestFile, Stage, Then};

/// For a process that says it is shutting down by itself. NVFlare's takes 3 to 4 s.
const LEAVING: Duration = Duration::from_secs(6);
/// From SIGTERM to SIGKILL.
const TERMINATING: Duration = Duration::from_secs(5);
/// From SIGKILL until a process counts as stuck (in the kernel, on a dead file system say).
const KILLING: Duration = Duration::from_secs(5);

impl Machine {
    pub(super) fn terminating(&self) -> Stage {
        Stage::Terminating {
            until: self.now + TERMINATING,
        }
    }

    pub(super) fn stop(&mut self, names: Option<Vec<String>>, jobs: Option<Duration>) {
        let targets = names.unwrap_or_else(|| {
            self.state.ending.get_or_insert(Ending::Participants);
            self.state.participants.keys().cloned().collect()
        });
        let aborting = self.aborts_jobs();
        let stage = match jobs {
            Some(patience) => Stage::Jobs {
                until: self.now + patience,
            },
            None => self.terminating(),
        };
        for name in &targets {
            self.stop_one(name, stage, Then::Stop, "request");
        }
        if let Some(patience) = jobs.filter(|_| !aborting && self.aborts_jobs()) {
            self.tell(Happening::AbortingJobs);
            self.actions.push(Action::AbortJobs { patience });
        }
    }

    pub(super) fn asked(&mut self, name: &str, file: RequestFile, leaving: bool) {
        if let Some(Phase::Stopped | Phase::Failed) = self.phase(name) {
            // Nobody is there to be asked: the file is a leftover.
            self.actions.push(Action::Forget {
                name: name.to_owned(),
            });
            return;
        }
        if let (Some(Phase::Stuck { .. }), RequestFile::Restart) = (self.phase(name), file) {
            // It was to be stopped, and has not got so far yet.
            return;
        }
        let stage = if leaving {
            Stage::Leaving {
                until: self.now + LEAVING,
            }
        } else {
            self.terminating()
        };
        match file {
            RequestFile::Shutdown => self.stop_one(name, stage, Then::Stop, "shutdown.fl"),
            RequestFile::Restart => self.stop_one(name, stage, Then::Start, "restart.fl"),
        }
    }

    pub(super) fn stop_one(&mut self, name: &str, first: Stage, wanted: Then, reason: &str) {
        if wanted == Then::Start && self.state.ending.is_some() {
            return;
        }
        let Some(phase) = self.phase(name) else {
            return;
        };
        match phase {
            Phase::Stopped if wanted == Then::Stop => {}
            Phase::Stopped | Phase::Failed | Phase::Held | Phase::Waiting { .. } => match wanted {
                Then::Stop => self.rest(name),
                Then::Start => {
                    if let Some(participant) = self.state.participants.get_mut(name) {
                        participant.recent.brought_forward(self.now);
                    }
                    self.launch(name);
                }
            },
            Phase::Launching => {
                self.tell_stopping(name, reason);
                let stage = Stage::Unborn;
                self.set_phase(
                    name,
                    Phase::Stopping {
                        pid: None,
                        stage,
                        then: wanted,
                    },
                );
            }
            Phase::Alive { pid } => {
                self.tell_stopping(name, reason);
                self.enter(name, pid, first, wanted);
            }
            Phase::Stuck { pid } => {
                self.tell_stopping(name, reason);
                self.kill(name, pid, wanted);
            }
            Phase::Stopping { pid, stage, then } => {
                // A stop is never taken back by a restart.
                let then = if wanted == Then::Stop { wanted } else { then };
                match (pid, stage, first) {
                    // Whoever asks for more than "when you are ready" gets it.
                    (Some(pid), Stage::Leaving { .. }, Stage::Terminating { .. }) => {
                        self.enter(name, pid, first, then);
                    }
                    _ => self.set_phase(name, Phase::Stopping { pid, stage, then }),
                }
            }
        }
    }

    pub(super) fn enter(&mut self, name: &str, pid: u32, stage: Stage, then: Then) {
        if let Stage::Terminating { .. } = stage {
            self.terminate(name, pid, then);
        } else {
            self.set_phase(name, Phase::stopping(pid, stage, then));
        }
    }

    pub(super) fn terminate(&mut self, name: &str, pid: u32, then: Then) {
        let stage = self.terminating();
        self.set_phase(name, Phase::stopping(pid, stage, then));
        self.signal(name, pid, false);
    }

    pub(super) fn kill(&mut self, name: &str, pid: u32, then: Then) {
        let stage = Stage::Killing {
            until: self.now + KILLING,
        };
        self.set_phase(name, Phase::stopping(pid, stage, then));
        self.signal(name, pid, true);
    }

    pub(super) fn aborts_jobs(&self) -> bool {
        self.state.participants.values().any(|participant| {
            matches!(
                participant.phase,
                Phase::Stopping {
                    stage: Stage::Jobs { .. },
                    ..
                }
            )
        })
    }

    pub(super) fn jobs_aborted(&mut self) {
        for name in self.state.participants.keys().cloned().collect::<Vec<_>>() {
            if let Some(Phase::Stopping {
                pid: Some(pid),
                stage: Stage::Jobs { .. },
                then,
            }) = self.phase(&name)
            {
                self.terminate(&name, pid, then);
            }
        }
    }

    pub(super) fn swept(&mut self, name: &str, left: &[u32]) {
        if let Some(Phase::Stopping {
            stage: Stage::Sweeping { until, .. },
            then,
            ..
        }) = self.phase(name)
            && (left.is_empty() || self.now >= until)
        {
            self.finish(name, then);
        }
    }

    /// The stop of one participant is through.
    pub(super) fn finish(&mut self, name: &str, then: Then) {
        self.forget_registrations(name);
        if then == Then::Start && self.state.ending.is_none() {
            self.actions.push(Action::ForgetProcess {
                name: name.to_owned(),
            });
            self.launch(name);
        } else {
            self.rest(name);
        }
    }

    pub(super) fn rest(&mut self, name: &str) {
        if let Some(participant) = self.state.participants.get_mut(name) {
            participant.phase = Phase::Stopped;
            participant.ready = false;
            self.actions.push(Action::Forget {
                name: name.to_owned(),
            });
            self.tell(Happening::Stopped {
                name: name.to_owned(),
            });
        }
    }

    pub(super) fn settle(&mut self) {
        let all = |wanted: fn(Phase) -> bool| {
            self.state
                .participants
                .values()
                .all(|participant| wanted(participant.phase))
        };
        if self.state.ending.is_none()
            && self.state.begun
            && all(|phase| matches!(phase, Phase::Stopped))
        {
            self.state.ending = Some(Ending::Participants);
        }
        if self.state.ending == Some(Ending::Participants) && all(Phase::is_at_rest) {
            let (until, again) = self.sweeping();
            self.state.ending = Some(Ending::Sweeping { until, again });
            self.actions.push(Action::SweepAll);
        }
    }

    pub(super) fn swept_all(&mut self, mut left: Vec<u32>) {
        if let Some(Ending::Sweeping { until, .. }) = self.state.ending
            && (left.is_empty() || self.now >= until)
        {
            let stuck = self
                .state
                .participants
                .values()
                .filter_map(|participant| participant.phase.pid());
            left.extend(stuck);
            left.sort_unstable();
            left.dedup();
            self.state.ending = Some(Ending::Over);
            self.actions.push(Action::Leave { survivors: left });
        }
    }
}
