//! One Python that imports NVFlare once, and from which participants are forked.
//!
//! Why, what had to be minded and what it brings is told in docs/design/fork-server.md.

mod comm_config;
mod origin;
mod server;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};

use self::origin::Origin;
use self::server::Server;
use super::Process;
use crate::plan::ParticipantPlan;

/// The fork servers of a supervisor: mostly one, started when first needed and again when it died.
/// There are two where a later start came with another environment, which has to be there when Python
/// starts, and the first one has not yet answered all that it was asked.
pub(super) struct ForkServers {
    directory: Utf8PathBuf,
    /// The last one is asked.
    servers: Vec<Server>,
    /// Why there is none, and will be none.
    unusable: Option<String>,
    outcomes: Vec<Outcome>,
}

/// A participant that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) participant: ParticipantPlan,
    pub(super) environment: Vec<(OsString, OsString)>,
}

/// What came of it.
pub(super) enum Outcome {
    /// A fork server was started.
    Started { pid: u32 },
    /// One is gone, or cannot serve.
    Lost { pid: u32, reason: String },
    /// A participant was forked, or the system would not do it.
    Forked {
        name: String,
        process: io::Result<Box<dyn Process>>,
    },
    /// A participant was not forked, and will not be by this request.
    Dropped { wanted: Box<Wanted>, reason: String },
}

/// Why a participant cannot be forked.
pub(super) enum Refusal {
    /// None can.
    Unusable(String),
    /// This one cannot.
    Unsuited(String),
}

impl ForkServers {
    pub(super) fn new(directory: &Utf8Path) -> Self {
        Self {
            directory: directory.to_owned(),
            servers: Vec::new(),
            unusable: None,
            outcomes: Vec::new(),
        }
    }

    /// Asks for a participant; [`ForkServers::hear`] tells what came of it.
    pub(super) fn start(
        &mut self,
        participant: &ParticipantPlan,
        environment: &[(OsString, OsString)],
    ) -> Result<(), Refusal> {
        if let Some(reason) = &self.unusable {
            return Err(Refusal::Unusable(reason.clone()));
        }
        if let Some(reason) = unsuited(participant) {
            return Err(Refusal::Unsuited(reason));
        }
        let origin = Origin::new(&participant.argv[0], environment);
        let wanted = Wanted {
            participant: participant.clone(),
            environment: environment.to_vec(),
        };
        let suits = |server: &&mut Server| server.suits(&origin, &wanted);
        if let Some(server) = self.servers.last_mut().filter(suits) {
            server.ask(wanted);
            return Ok(());
        }
        match Server::start(&self.directory, origin, &wanted) {
            Ok(mut server) => {
                self.outcomes.push(Outcome::Started { pid: server.pid() });
                server.ask(wanted);
                self.servers.push(server);
                Ok(())
            }
            Err(error) => Err(Refusal::Unsuited(format!(
                "a fork server cannot be started: {error}"
            ))),
        }
    }

    /// What has come of it since.
    pub(super) fn hear(&mut self) -> Vec<Outcome> {
        let mut outcomes = std::mem::take(&mut self.outcomes);
        let last = self.servers.len().saturating_sub(1);
        let mut kept = Vec::new();
        for (index, mut server) in std::mem::take(&mut self.servers).into_iter().enumerate() {
            let lost = server.hear(&mut outcomes).err();
            match lost {
                None if index < last && !server.is_asked() => {}
                None => kept.push(server),
                Some(reason) => {
                    if !server.was_ready() {
                        self.unusable = Some(reason.clone());
                    }
                    let pid = server.pid();
                    let dropped = server.into_asked().into_iter().map(|wanted| {
                        let reason = reason.clone();
                        Outcome::Dropped {
                            wanted: Box::new(wanted),
                            reason,
                        }
                    });
                    let reason = reason.clone();
                    outcomes.push(Outcome::Lost { pid, reason });
                    outcomes.extend(dropped);
                }
            }
        }
        self.servers = kept;
        outcomes
    }

    pub(super) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        self.servers.iter().map(Server::fd).collect()
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.servers.iter().filter_map(Server::due).min()
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.servers.iter().map(Server::pid).collect()
    }

    pub(super) fn is_starting(&self) -> bool {
        self.servers.iter().any(Server::is_asked)
    }

    /// Takes back what no server has been sent yet.
    pub(super) fn recall(&mut self, names: Option<&[String]>) {
        for server in &mut self.servers {
            for name in server.recall(names) {
                let process = Err(io::Error::other("it is to be stopped"));
                self.outcomes.push(Outcome::Forked { name, process });
            }
        }
        // One that still imports, perhaps for ever, is not waited for.
        self.servers
            .retain(|server| server.was_ready() || server.is_asked());
    }

    pub(super) fn close(&mut self) {
        self.servers.clear();
    }
}

/// Why this participant needs a Python of its own.
fn unsuited(participant: &ParticipantPlan) -> Option<String> {
    let words: Vec<&str> = participant.argv.iter().map(String::as_str).collect();
    if !matches!(words[..], [_, "-u", "-m" | "-c", _, ..]) {
        return Some("its command is not `PYTHON -u -m MODULE`".to_owned());
    }
    comm_config::find(&participant.directory).map(|file| {
        format!("its kit has {file}, which NVFlare takes into account only while it is imported")
    })
}
