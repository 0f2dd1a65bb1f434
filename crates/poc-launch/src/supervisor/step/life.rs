//! Starting, and ending by itself.

use poc_core::project::Role;

use super::Machine;
use crate::supervisor::Happening;
use crate::supervisor::restart::Recent;
use crate::supervisor::state::{Action, Entry, Participant, Phase, Stage, Then};

impl Machine {
    pub(super) fn start(&mut self, mut entries: Vec<Entry>) {
        entries.sort_by_key(|entry| entry.role != Role::Server);
        for Entry { name, role, policy } in entries {
            if self.state.refusal(&name).is_some() {
                continue;
            }
            self.state.begun = true;
            let participant = Participant {
                role,
                policy,
                phase: Phase::Held,
                busy: None,
                ready: false,
                restarts: 0,
                recent: Recent::default(),
            };
            self.state.participants.insert(name.clone(), participant);
            if role == Role::Server {
                self.launch(&name);
            }
        }
    }

    pub(super) fn adopt(&mut self, entry: Entry, pid: u32, ready: bool, restarts: u32) {
        if self.state.refusal(&entry.name).is_some() {
            return;
        }
        self.state.begun = true;
        let participant = Participant {
            role: entry.role,
            policy: entry.policy,
            phase: Phase::Alive { pid },
            busy: None,
            ready,
            restarts,
            recent: Recent::default(),
        };
        self.state
            .participants
            .insert(entry.name.clone(), participant);
        self.tell(Happening::Adopted {
            name: entry.name,
            pid,
        });
    }

    pub(super) fn launched(&mut self, name: &str, pid: u32) {
        match self.phase(name) {
            Some(Phase::Launching) => {
                self.set_phase(name, Phase::Alive { pid });
                self.tell(Happening::Started {
                    name: name.to_owned(),
                    pid,
                });
            }
            Some(Phase::Stopping {
                stage: Stage::Unborn,
                then,
                ..
            }) => self.terminate(name, pid, then),
            // Nobody waits for it: a process too many.
            _ => self.signal(name, pid, true),
        }
    }

    pub(super) fn launch_failed(&mut self, name: &str, error: String) {
        let phase = self.phase(name);
        if matches!(
            phase,
            Some(
                Phase::Launching
                    | Phase::Stopping {
                        stage: Stage::Unborn,
                        ..
                    }
            )
        ) {
            self.tell(Happening::StartFailed {
                name: name.to_owned(),
                error,
            });
        }
        match phase {
            Some(Phase::Launching) => self.died(name),
            Some(Phase::Stopping {
                stage: Stage::Unborn,
                then,
                ..
            }) => self.finish(name, then),
            _ => {}
        }
    }

    pub(super) fn ready(&mut self, name: &str) {
        let Some(participant) = self.state.participants.get_mut(name) else {
            return;
        };
        if participant.ready || !matches!(participant.phase, Phase::Alive { .. }) {
            return;
        }
        participant.busy = None;
        participant.ready = true;
        self.tell(Happening::Ready {
            name: name.to_owned(),
        });
    }

    pub(super) fn exited(&mut self, name: &str, pid: u32, status: String) {
        let Some(phase) = self.phase(name).filter(|phase| phase.pid() == Some(pid)) else {
            return;
        };
        self.tell(Happening::Exited {
            name: name.to_owned(),
            pid,
            status,
            tail: Vec::new(),
        });
        match phase {
            Phase::Alive { .. } => {
                // Its jobs are to go before it comes back.
                self.sweep(name);
                self.died(name);
            }
            Phase::Stopping { then, .. } => self.left(name, then),
            Phase::Stuck { .. } => self.left(name, Then::Stop),
            _ => {}
        }
    }

    /// It has ended as it was to; what it left behind is next.
    fn left(&mut self, name: &str, then: Then) {
        if self.state.ending.is_some() {
            // At the end everything is swept together.
            return self.finish(name, then);
        }
        let (until, again) = self.sweeping();
        let stage = Stage::Sweeping { until, again };
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

    pub(super) fn died(&mut self, name: &str) {
        let salt = self.salt(name);
        let Some(participant) = self.state.participants.get_mut(name) else {
            return;
        };
        participant.ready = false;
        let next = participant.recent.next(&participant.policy, self.now, salt);
        let attempt = participant.recent.count();
        let owned = || name.to_owned();
        if let Some(until) = next {
            participant.phase = Phase::Waiting { until };
            self.tell(Happening::Restarting {
                name: owned(),
                in_s: until.saturating_sub(self.now).as_secs_f64(),
                attempt,
            });
            self.actions.push(Action::ForgetProcess { name: owned() });
        } else {
            participant.phase = Phase::Failed;
            // Told before the process is forgotten: its last words go into the report.
            self.tell(Happening::GaveUp {
                name: owned(),
                tail: Vec::new(),
            });
            self.actions.push(Action::Forget { name: owned() });
        }
        self.forget_registrations(name);
    }

    /// Whoever was registered was so with a server that is gone, where it is that.
    pub(super) fn forget_registrations(&mut self, gone: &str) {
        let participants = &mut self.state.participants;
        let server = participants
            .get(gone)
            .is_some_and(|it| it.role == Role::Server);
        if server {
            for participant in participants.values_mut() {
                participant.ready = false;
            }
        }
    }
}
