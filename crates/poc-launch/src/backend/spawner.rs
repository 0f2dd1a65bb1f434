//! Which back end a participant gets.

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use camino::Utf8Path;

use super::adopted::Adopted;
use super::docker::Boxes;
use super::fork_server::{ForkServers, Outcome, Refusal};
use super::{Backend, Process, Report, exec};
use crate::docker::Containers;
use crate::plan::{LaunchPlan, ParticipantPlan, Spawn};
use crate::process::Identity;

/// Starts each participant as its plan says: in a container, forked where that works and nothing else
/// is asked for, else as a Python of its own.
pub(crate) struct Spawner {
    forks: ForkServers,
    boxes: Boxes,
    containers: Option<Containers>,
    reports: Vec<Report>,
}

impl Spawner {
    /// Fork servers work in `directory`, which holds nothing that NVFlare would read.
    pub(crate) fn new(directory: &Utf8Path, plan: &LaunchPlan) -> io::Result<Self> {
        Ok(Self {
            forks: ForkServers::new(directory),
            boxes: Boxes::new()?,
            containers: plan.containers.clone(),
            reports: Vec::new(),
        })
    }

    /// How these participants will be started, for the log.
    pub(crate) fn describe(participants: &[ParticipantPlan]) -> String {
        let contained = participants.iter().any(|it| it.container.is_some());
        let forks = participants.iter().any(|it| it.spawn != Spawn::Exec);
        if contained {
            "docker: a container for each participant"
        } else if forks {
            "fork server: one Python imports NVFlare, and participants are forked from it"
        } else {
            "exec: a Python of its own for each participant"
        }
        .to_owned()
    }

    fn report(&mut self, outcome: Outcome) {
        let report = match outcome {
            Outcome::Started { pid } => Report::ForkServerStarted { pid },
            Outcome::Lost { pid, reason } => Report::ForkServerLost {
                pid: Some(pid),
                reason,
            },
            Outcome::Forked { name, process } => Report::Came { name, process },
            Outcome::Dropped { wanted, reason } => {
                let name = wanted.participant.name.clone();
                let process = if wanted.participant.spawn == Spawn::Fork {
                    Err(io::Error::other(reason))
                } else {
                    let name = name.clone();
                    self.reports.push(Report::NotForked { name, reason });
                    exec::start(&wanted.participant, &wanted.environment)
                };
                Report::Came { name, process }
            }
        };
        self.reports.push(report);
    }
}

impl Backend for Spawner {
    fn start(
        &mut self,
        participant: &ParticipantPlan,
        environment: &[(OsString, OsString)],
    ) -> io::Result<Option<Box<dyn Process>>> {
        if let (Some(_), Some(containers)) = (&participant.container, &self.containers) {
            self.boxes.start(containers, participant, environment)?;
            return Ok(None);
        }
        // One that somebody else had started has no command; exec says so.
        if participant.spawn == Spawn::Exec || participant.argv.is_empty() {
            return exec::start(participant, environment).map(Some);
        }
        let refusal = match self.forks.start(participant, environment) {
            Ok(()) => return Ok(None),
            Err(refusal) => refusal,
        };
        match (refusal, participant.spawn) {
            (Refusal::Unusable(reason) | Refusal::Unsuited(reason), Spawn::Fork) => {
                return Err(io::Error::other(reason));
            }
            // Told when it was found out.
            (Refusal::Unusable(_), _) => {}
            (Refusal::Unsuited(reason), _) => self.reports.push(Report::NotForked {
                name: participant.name.clone(),
                reason,
            }),
        }
        exec::start(participant, environment).map(Some)
    }

    fn reports(&mut self) -> Vec<Report> {
        for outcome in self.forks.hear() {
            self.report(outcome);
        }
        for (name, process) in self.boxes.hear() {
            self.reports.push(Report::Came { name, process });
        }
        std::mem::take(&mut self.reports)
    }

    fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let mut fds = self.forks.fds();
        fds.push(self.boxes.fd());
        fds
    }

    fn due(&self) -> Option<Instant> {
        self.forks.due()
    }

    fn helpers(&self) -> Vec<u32> {
        self.forks.pids()
    }

    fn is_starting(&self) -> bool {
        self.forks.is_starting() || self.boxes.is_busy()
    }

    fn recall(&mut self, names: Option<&[String]>) {
        self.forks.recall(names);
    }

    fn close(&mut self) {
        self.forks.close();
    }

    fn adopt(
        &mut self,
        participant: &ParticipantPlan,
        identity: &Identity,
    ) -> io::Result<Option<Box<dyn Process>>> {
        if let (Some(_), Some(containers)) = (&participant.container, &self.containers) {
            return self.boxes.adopt(containers, participant, identity);
        }
        let adopted = Adopted::take(identity)?;
        Ok(adopted.map(|it| Box::new(it) as Box<dyn Process>))
    }
}
