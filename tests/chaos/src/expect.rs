//! What must hold: for each participant what it does, as which process, and how often it was restarted.

use std::collections::{BTreeMap, BTreeSet};

use crate::seen::Status;

/// What is expected of everybody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) participants: BTreeMap<String, Participant>,
    /// `None` where it was killed, or is not known yet.
    pub(crate) supervisor: Option<u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Participant {
    pub(crate) does: Does,
    /// The very process, where it is to be the same as before.
    pub(crate) pid: Option<u32>,
    /// Processes that it must not be any more.
    pub(crate) dead: BTreeSet<u32>,
    /// `None` where two answers are right.
    pub(crate) restarts: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// It runs, and a site is registered.
    Run,
    /// It is halted by a signal.
    Halt,
    /// It does not run and is not meant to.
    Rest,
    /// It was given up.
    Fail,
}

impl Expected {
    /// Everybody as `status` shows it now.
    pub(crate) fn now(status: &Status) -> Self {
        let participants = status.participants.iter().map(|(name, seen)| {
            let participant = Participant {
                does: Does::Run,
                pid: seen.pid,
                dead: BTreeSet::new(),
                restarts: Some(seen.restarts),
            };
            (name.clone(), participant)
        });
        Self {
            participants: participants.collect(),
            supervisor: status.supervisor,
        }
    }

    pub(crate) fn of(&mut self, name: &str) -> &mut Participant {
        self.participants.get_mut(name).unwrap()
    }

    /// What differs, in words.
    pub(crate) fn compare(&self, status: &Status) -> Result<(), String> {
        if let Some(supervisor) = self.supervisor
            && status.supervisor != Some(supervisor)
        {
            let seen = status.supervisor;
            return Err(format!("the supervisor is {seen:?}, not {supervisor}"));
        }
        for (name, expected) in &self.participants {
            let seen = &status.participants[name];
            let state = match expected.does {
                Does::Run => "running",
                Does::Halt => "suspended",
                Does::Rest => "stopped",
                Does::Fail => "failed",
            };
            if seen.state != state {
                return Err(format!("{name} is {}, not {state}", seen.state));
            }
            let lives = matches!(expected.does, Does::Run | Does::Halt);
            match seen.pid {
                Some(pid) if !lives => return Err(format!("{name} still has process {pid}")),
                None if lives => return Err(format!("{name} has no process")),
                Some(pid) if expected.pid.is_some_and(|it| it != pid) => {
                    let expected = expected.pid;
                    return Err(format!("{name} is process {pid}, not {expected:?}"));
                }
                Some(pid) if expected.dead.contains(&pid) => {
                    return Err(format!("{name} is said to be process {pid}, which is dead"));
                }
                _ => {}
            }
            if expected.restarts.is_some_and(|it| it != seen.restarts) {
                let (seen, expected) = (seen.restarts, expected.restarts);
                return Err(format!("{name} has {seen} restarts, not {expected:?}"));
            }
            if expected.does == Does::Run && name != "server" && !seen.registered {
                return Err(format!("{name} has not registered"));
            }
        }
        Ok(())
    }

    /// Whom a comparison that came out well has seen.
    pub(crate) fn remember(&mut self, status: &Status) {
        self.supervisor = status.supervisor;
        for (name, expected) in &mut self.participants {
            expected.pid = status.participants[name].pid;
            expected.restarts = Some(status.participants[name].restarts);
        }
    }
}
