//! Waiting for what a start has begun, and undoing it where it fails.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use poc_core::Cancel;

use super::start::StartOptions;
use super::{ANSWER, Federation, LaunchEvent, unexpected};
use crate::Error;
use crate::logs;
use crate::supervisor::Happening;
use crate::supervisor::control::{Client, Next, Reply, Request};

/// Undoing a start that failed.
const ROLLBACK: Duration = Duration::from_secs(20);
/// While nothing happens, whoever waits is told so often.
const STILL_WAITING: Duration = Duration::from_secs(5);

fn gone() -> Error {
    Error::SupervisorUnreachable {
        reason: "it went away while participants were starting".to_owned(),
    }
}

/// Waiting for a start to come off.
pub(super) struct Wait<'a> {
    pub(super) federation: &'a Federation,
    pub(super) client: Client,
    /// What this call has started.
    pub(super) started: BTreeSet<String>,
    /// The user wants them forked, or not at all.
    pub(super) forced: bool,
    /// Why they cannot be.
    pub(super) no_fork_server: Option<String>,
    /// Who is not ready yet.
    pub(super) pending: BTreeSet<String>,
    pub(super) begun: Instant,
    pub(super) deadline: Instant,
    pub(super) options: &'a StartOptions<'a>,
}

impl Wait<'_> {
    /// Until everybody is ready or the time is up.
    pub(super) fn until_ready(&mut self, events: &mut dyn FnMut(LaunchEvent)) -> Result<(), Error> {
        let mut say_so = Instant::now() + STILL_WAITING;
        while !self.pending.is_empty() {
            match self
                .client
                .next(self.deadline.min(say_so), self.options.cancel)
            {
                Ok(Next::Happening(happening)) => self.take(happening, events)?,
                Ok(Next::Nothing) if Instant::now() >= self.deadline => break,
                Ok(Next::Nothing) => {
                    say_so += STILL_WAITING;
                    events(LaunchEvent::Waiting {
                        names: self.pending.iter().cloned().collect(),
                        seconds: self.begun.elapsed().as_secs_f64(),
                    });
                }
                Ok(Next::TheEnd) => return Err(gone()),
                Err(error) => {
                    self.roll_back(events);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Until every process has been started, which is soon: sites wait for their turns, some of them a
    /// tenth of a second each. Where it is not, the supervisor is left to it.
    pub(super) fn until_launched(
        &mut self,
        events: &mut dyn FnMut(LaunchEvent),
    ) -> Result<(), Error> {
        let mut unborn = self.started.clone();
        // What was started before the answer came is among what was heard.
        let deadline = Instant::now() + ANSWER;
        while !unborn.is_empty() {
            match self.client.next(deadline, self.options.cancel)? {
                Next::Happening(happening) => {
                    if let Happening::Started { name, .. } = &happening {
                        unborn.remove(name);
                    }
                    self.take(happening, events)?;
                }
                Next::Nothing => break,
                Next::TheEnd => return Err(gone()),
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        happening: Happening,
        events: &mut dyn FnMut(LaunchEvent),
    ) -> Result<(), Error> {
        self.federation.pass_on(happening.clone(), events);
        match happening {
            Happening::Ready { name } => {
                self.pending.remove(&name);
                Ok(())
            }
            Happening::Exited {
                name, status, tail, ..
            } if self.is_vital(&name) => Err(self.failed(name, status, &tail, events)),
            Happening::ForkServerLost { reason, .. } => {
                self.no_fork_server = Some(reason);
                Ok(())
            }
            Happening::StartFailed { name, error } if self.is_vital(&name) => {
                Err(self.failed(name, error, &[], events))
            }
            Happening::Stopping { name, .. } | Happening::Stopped { name }
                if self.started.contains(&name) =>
            {
                Err(self.lost())
            }
            _ => Ok(()),
        }
    }

    /// Started by this call, and not up yet: its death is this call's failure.
    fn is_vital(&self, name: &str) -> bool {
        self.started.contains(name) && self.pending.contains(name)
    }

    fn failed(
        &mut self,
        name: String,
        status: String,
        tail: &[String],
        events: &mut dyn FnMut(LaunchEvent),
    ) -> Error {
        self.roll_back(events);
        if let Some(reason) = self.no_fork_server.take().filter(|_| self.forced) {
            return Error::SpawnUnavailable {
                wanted: "a fork server",
                reason,
            };
        }
        let reason = logs::reason_in(tail, tail.len());
        Error::StartFailed {
            name,
            status,
            cause: reason.cause,
            tail: reason.tail,
        }
    }

    fn lost(&self) -> Error {
        Error::StopWon {
            names: self.started.iter().cloned().collect(),
        }
    }

    /// Stops what this call has started, as well as it can be done.
    fn roll_back(&mut self, events: &mut dyn FnMut(LaunchEvent)) {
        let mut left = self.started.clone();
        if left.is_empty() {
            return;
        }
        let request = Request::Stop {
            names: Some(left.iter().cloned().collect()),
            abort_s: 0.0,
        };
        // Not to be interrupted a second time: half undone would be worse than slow.
        let (deadline, patient) = (Instant::now() + ROLLBACK, Cancel::new());
        // Its answer may come after the first things that it brings about, and must not be taken for
        // the answer to a later request.
        match self.client.ask(&request, ROLLBACK) {
            Ok(Reply::Accepted) => {}
            Ok(other) => return events(LaunchEvent::Warning(unexpected(&other).to_string())),
            Err(error) => return events(LaunchEvent::Warning(error.to_string())),
        }
        while !left.is_empty() {
            match self.client.next(deadline, &patient) {
                Ok(Next::Happening(happening)) => {
                    if let Happening::Stopped { name } = &happening {
                        left.remove(name);
                    }
                    self.federation.pass_on(happening, events);
                }
                Ok(Next::TheEnd) => return,
                Ok(Next::Nothing) | Err(_) => {
                    let names: Vec<String> = left.into_iter().collect();
                    let names = names.join(", ");
                    events(LaunchEvent::Warning(format!(
                        "{names} could not be stopped again"
                    )));
                    return;
                }
            }
        }
        self.federation.await_departure(&mut self.client, deadline);
    }
}

impl Federation {
    /// Where nothing runs any more, the supervisor leaves; that is waited for, so that whoever looks
    /// next finds nothing.
    pub(super) fn await_departure(&self, client: &mut Client, deadline: Instant) {
        let nothing_runs = match client.ask(&Request::Status {}, ANSWER) {
            Ok(Reply::Status(snapshot)) => {
                snapshot.ending || snapshot.participants.iter().all(|it| !it.state.is_active())
            }
            // Gone already, or of another version.
            Err(_) => true,
            Ok(_) => false,
        };
        let patient = Cancel::new();
        while nothing_runs && matches!(client.next(deadline, &patient), Ok(Next::Happening(_))) {}
        if nothing_runs {
            let lock = self.prepared.workspace.supervisor_lock();
            let held = || poc_core::fsio::FileLock::is_held(&lock).unwrap_or(false);
            while held() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}
