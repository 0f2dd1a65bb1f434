//! The core: what happened, and what is to be done about it. Pure.

use std::time::Duration;

use poc_core::project::Role;

use super::Happening;
use super::restart::Recent;
use super::state::{
    Action, Ending, Entry, Event, Participant, Phase, RequestFile, Stage, State, Then,
};

/// What the server gets ahead of the sites that start with it. A site that knocks before the server
/// listens tries again only after a second or two. Measured with NVFlare 2.9 on two cores, until two
/// sites had registered: all at once 1.7 s, but 3.6 s in every third start; with this head start
/// 1.9 s each time; one after the other 2.7 s.
const HEAD_START: Duration = Duration::from_millis(250);
/// For a process that says it is shutting down by itself. NVFlare's takes 3 to 4 s.
const LEAVING: Duration = Duration::from_secs(6);
/// From SIGTERM to SIGKILL.
const TERMINATING: Duration = Duration::from_secs(5);
/// From SIGKILL until a process counts as stuck (in the kernel, on a dead file system say).
const KILLING: Duration = Duration::from_secs(5);
/// For what participants left behind.
const SWEEPING: Duration = Duration::from_secs(5);
/// Between two looks at what is left.
const SWEEP_AGAIN: Duration = Duration::from_millis(25);

/// Takes one event and says what is to be done. Nothing is done here: no process, file or clock is
/// touched, and equal arguments give equal results.
///
/// `now` counts from when the supervisor started, and never goes back.
#[must_use]
pub fn step(state: State, event: Event, now: Duration) -> (State, Vec<Action>) {
    let mut machine = Machine {
        state,
        now,
        actions: Vec::new(),
    };
    if !machine.state.is_over() {
        machine.take(event);
        machine.pass_time();
        machine.settle();
    }
    (machine.state, machine.actions)
}

struct Machine {
    state: State,
    now: Duration,
    actions: Vec<Action>,
}

impl Machine {
    fn take(&mut self, event: Event) {
        match event {
            Event::Start(entries) => self.start(entries),
            Event::Adopted {
                entry,
                pid,
                ready,
                restarts,
            } => self.adopt(entry, pid, ready, restarts),
            Event::Stop { names, jobs } => self.stop(names, jobs),
            Event::Restart { name } => {
                let until = self.now + TERMINATING;
                self.stop_one(&name, Stage::Terminating { until }, Then::Start, "request");
            }
            Event::Asked {
                name,
                file,
                leaving,
            } => self.asked(&name, file, leaving),
            Event::Launched { name, pid } => self.launched(&name, pid),
            Event::LaunchFailed { name, error } => self.launch_failed(&name, error),
            Event::Ready { name } => self.ready(&name),
            Event::Exited { name, pid, status } => self.exited(&name, pid, status),
            Event::JobsAborted => self.jobs_aborted(),
            Event::Swept { name, left } => self.swept(&name, &left),
            Event::SweptAll { left } => self.swept_all(left),
            Event::WorkspaceGone => {
                self.tell(Happening::WorkspaceGone);
                self.stop(None, None);
            }
            Event::Tick => {}
        }
    }

    // Starting

    fn start(&mut self, mut entries: Vec<Entry>) {
        // The server first: the sites look whether it is on its way.
        entries.sort_by_key(|entry| entry.role != Role::Server);
        for Entry { name, role, policy } in entries {
            if self.state.refusal(&name).is_some() {
                continue;
            }
            self.state.begun = true;
            let participant = Participant {
                role,
                policy,
                phase: Phase::Stopped,
                ready: false,
                restarts: 0,
                recent: Recent::default(),
            };
            self.state.participants.insert(name.clone(), participant);
            if role != Role::Server && self.server_is_coming() {
                let until = self.now + HEAD_START;
                self.set_phase(&name, Phase::Held { until });
            } else {
                self.launch(&name);
            }
        }
    }

    fn adopt(&mut self, entry: Entry, pid: u32, ready: bool, restarts: u32) {
        if self.state.refusal(&entry.name).is_some() {
            return;
        }
        self.state.begun = true;
        let participant = Participant {
            role: entry.role,
            policy: entry.policy,
            phase: Phase::Alive { pid },
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

    /// Whether a server is on its way that is not up yet.
    fn server_is_coming(&self) -> bool {
        self.state.participants.values().any(|participant| {
            participant.role == Role::Server
                && !participant.ready
                && matches!(participant.phase, Phase::Launching | Phase::Alive { .. })
        })
    }

    fn launch(&mut self, name: &str) {
        if let Some(participant) = self.state.participants.get_mut(name) {
            participant.phase = Phase::Launching;
            participant.ready = false;
            self.actions.push(Action::Launch {
                name: name.to_owned(),
            });
        }
    }

    fn launched(&mut self, name: &str, pid: u32) {
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

    fn launch_failed(&mut self, name: &str, error: String) {
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

    fn ready(&mut self, name: &str) {
        let Some(participant) = self.state.participants.get_mut(name) else {
            return;
        };
        if participant.ready || !matches!(participant.phase, Phase::Alive { .. }) {
            return;
        }
        participant.ready = true;
        let server = participant.role == Role::Server;
        self.tell(Happening::Ready {
            name: name.to_owned(),
        });
        if server {
            for held in self.names_where(|phase| matches!(phase, Phase::Held { .. })) {
                self.launch(&held);
            }
        }
    }

    // Ending by itself

    fn exited(&mut self, name: &str, pid: u32, status: String) {
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
            // At the end everything is swept together.
            Phase::Stopping { then, .. } if self.state.ending.is_some() => self.finish(name, then),
            Phase::Stopping { then, .. } => {
                let stage = Stage::Sweeping {
                    until: self.now + SWEEPING,
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
            Phase::Stuck { .. } => self.rest(name),
            _ => {}
        }
    }

    fn died(&mut self, name: &str) {
        let salt = self.salt(name);
        let Some(participant) = self.state.participants.get_mut(name) else {
            return;
        };
        participant.ready = false;
        let next = participant.recent.next(&participant.policy, self.now, salt);
        let attempt = participant.recent.count();
        let server = participant.role == Role::Server;
        let name = name.to_owned();
        if let Some(until) = next {
            participant.phase = Phase::Waiting { until };
            self.tell(Happening::Restarting {
                name: name.clone(),
                in_s: until.saturating_sub(self.now).as_secs_f64(),
                attempt,
            });
            self.actions.push(Action::ForgetProcess { name });
        } else {
            participant.phase = Phase::Failed;
            // Told before the process is forgotten: its last words go into the report.
            self.tell(Happening::GaveUp {
                name: name.clone(),
                tail: Vec::new(),
            });
            self.actions.push(Action::Forget { name });
        }
        if server {
            // Whoever was registered was so with a server that is gone.
            for participant in self.state.participants.values_mut() {
                participant.ready = false;
            }
        }
    }

    // Stopping

    fn stop(&mut self, names: Option<Vec<String>>, jobs: Option<Duration>) {
        let targets = names.unwrap_or_else(|| {
            self.state.ending.get_or_insert(Ending::Participants);
            self.state.participants.keys().cloned().collect()
        });
        let aborting = self.aborts_jobs();
        let stage = match jobs {
            Some(patience) => Stage::Jobs {
                until: self.now + patience,
            },
            None => Stage::Terminating {
                until: self.now + TERMINATING,
            },
        };
        for name in &targets {
            self.stop_one(name, stage, Then::Stop, "request");
        }
        if let Some(patience) = jobs.filter(|_| !aborting && self.aborts_jobs()) {
            self.tell(Happening::AbortingJobs);
            self.actions.push(Action::AbortJobs { patience });
        }
    }

    fn asked(&mut self, name: &str, file: RequestFile, leaving: bool) {
        if let Some(Phase::Stopped | Phase::Failed) = self.phase(name) {
            // Nobody is there to be asked: the file is a leftover.
            self.actions.push(Action::Forget {
                name: name.to_owned(),
            });
            return;
        }
        let stage = if leaving {
            Stage::Leaving {
                until: self.now + LEAVING,
            }
        } else {
            Stage::Terminating {
                until: self.now + TERMINATING,
            }
        };
        match file {
            RequestFile::Shutdown => self.stop_one(name, stage, Then::Stop, "shutdown.fl"),
            RequestFile::Restart => self.stop_one(name, stage, Then::Start, "restart.fl"),
        }
    }

    fn stop_one(&mut self, name: &str, first: Stage, wanted: Then, reason: &str) {
        if wanted == Then::Start && self.state.ending.is_some() {
            return;
        }
        let Some(phase) = self.phase(name) else {
            return;
        };
        match phase {
            Phase::Stopped if wanted == Then::Stop => {}
            Phase::Stopped | Phase::Failed | Phase::Held { .. } | Phase::Waiting { .. } => {
                match wanted {
                    Then::Stop => self.rest(name),
                    Then::Start => {
                        if let Some(participant) = self.state.participants.get_mut(name) {
                            participant.recent.brought_forward(self.now);
                        }
                        self.launch(name);
                    }
                }
            }
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

    fn enter(&mut self, name: &str, pid: u32, stage: Stage, then: Then) {
        if let Stage::Terminating { .. } = stage {
            self.terminate(name, pid, then);
        } else {
            self.set_phase(
                name,
                Phase::Stopping {
                    pid: Some(pid),
                    stage,
                    then,
                },
            );
        }
    }

    fn terminate(&mut self, name: &str, pid: u32, then: Then) {
        let stage = Stage::Terminating {
            until: self.now + TERMINATING,
        };
        self.set_phase(
            name,
            Phase::Stopping {
                pid: Some(pid),
                stage,
                then,
            },
        );
        self.signal(name, pid, false);
    }

    fn kill(&mut self, name: &str, pid: u32, then: Then) {
        let stage = Stage::Killing {
            until: self.now + KILLING,
        };
        self.set_phase(
            name,
            Phase::Stopping {
                pid: Some(pid),
                stage,
                then,
            },
        );
        self.signal(name, pid, true);
    }

    fn aborts_jobs(&self) -> bool {
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

    fn jobs_aborted(&mut self) {
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

    fn swept(&mut self, name: &str, left: &[u32]) {
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
    fn finish(&mut self, name: &str, then: Then) {
        if then == Then::Start && self.state.ending.is_none() {
            self.actions.push(Action::ForgetProcess {
                name: name.to_owned(),
            });
            self.launch(name);
        } else {
            self.rest(name);
        }
    }

    fn rest(&mut self, name: &str) {
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

    // Time

    fn pass_time(&mut self) {
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

    fn pass_time_for(&mut self, name: &str) {
        match self.phase(name) {
            Some(Phase::Held { until }) if self.now >= until => self.launch(name),
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
                    self.set_phase(name, Phase::Stuck { pid });
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

    // The end

    fn settle(&mut self) {
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
            self.state.ending = Some(Ending::Sweeping {
                until: self.now + SWEEPING,
                again: self.now + SWEEP_AGAIN,
            });
            self.actions.push(Action::SweepAll);
        }
    }

    fn swept_all(&mut self, mut left: Vec<u32>) {
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

    // Small change

    fn phase(&self, name: &str) -> Option<Phase> {
        Some(self.state.participants.get(name)?.phase)
    }

    fn set_phase(&mut self, name: &str, phase: Phase) {
        if let Some(participant) = self.state.participants.get_mut(name) {
            participant.phase = phase;
        }
    }

    fn names_where(&self, wanted: fn(Phase) -> bool) -> Vec<String> {
        self.state
            .participants
            .iter()
            .filter(|(_, participant)| wanted(participant.phase))
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn salt(&self, name: &str) -> u64 {
        // FNV-1a: small, and stable from run to run.
        name.bytes()
            .fold(self.state.seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            })
    }

    fn tell(&mut self, happening: Happening) {
        self.actions.push(Action::Tell(happening));
    }

    fn tell_stopping(&mut self, name: &str, reason: &str) {
        self.tell(Happening::Stopping {
            name: name.to_owned(),
            reason: reason.to_owned(),
        });
    }

    fn signal(&mut self, name: &str, pid: u32, kill: bool) {
        self.actions.push(Action::Signal {
            name: name.to_owned(),
            pid,
            kill,
        });
        self.tell(Happening::Signalled {
            name: name.to_owned(),
            pid,
            signal: if kill { "SIGKILL" } else { "SIGTERM" }.to_owned(),
        });
    }

    fn sweep(&mut self, name: &str) {
        self.actions.push(Action::Sweep {
            name: name.to_owned(),
        });
    }
}
