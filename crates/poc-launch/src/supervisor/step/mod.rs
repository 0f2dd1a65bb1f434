//! The core: what happened, and what is to be done about it. Pure.

mod life;
mod stop;
mod time;
mod turn;

use std::time::Duration;

use super::Happening;
use super::state::{Action, Event, Phase, State, Then};

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
        machine.admit();
        machine.settle();
    }
    (machine.state, machine.actions)
}

/// A state on its way to the next.
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
                let first = self.terminating();
                self.stop_one(&name, first, Then::Start, "request");
            }
            Event::Asked {
                name,
                file,
                leaving,
            } => self.asked(&name, file, leaving),
            Event::Launched { name, pid } => self.launched(&name, pid),
            Event::LaunchFailed { name, error } => self.launch_failed(&name, error),
            Event::Underway { name } => self.underway(&name),
            Event::Ready { name } => self.ready(&name),
            Event::Exited { name, pid, status } => self.exited(&name, pid, status),
            Event::JobsAborted => self.jobs_aborted(),
            Event::Swept { name, left } => self.swept(&name, &left),
            Event::SweptAll { left } => self.swept_all(left),
            Event::WorkspaceGone => {
                self.tell(Happening::WorkspaceGone);
                self.stop(None, None);
                // Aborting jobs, if that was under way, has lost its point.
                self.jobs_aborted();
            }
            Event::Tick => {}
        }
    }

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
