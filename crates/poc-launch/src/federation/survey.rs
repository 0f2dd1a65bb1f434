//! What runs at the moment, whoever started it.

use std::time::{Duration, Instant};

use camino::Utf8Path;
use poc_core::fsio::FileLock;
use poc_core::workspace::{Kit, Prepared};

use super::status::Console;
use crate::Error;
use crate::plan::services;
use crate::process::pid_file::{self, Judgement};
use crate::process::{Found, Identity, Kind, Scope};
use crate::supervisor::control::{Client, ParticipantSnapshot, Reply, Request, Snapshot};
use crate::supervisor::{Record, load_instance};

/// A supervisor that does not answer by then is stuck, or halted.
const ANSWER: Duration = Duration::from_secs(1);
/// What a supervisor takes between its lock and its socket, with a lot to spare.
const MOMENT: Duration = Duration::from_millis(500);

/// One look at everything.
#[derive(Debug)]
pub(super) struct Survey {
    /// What the supervisor says.
    pub(super) supervisor: Option<Snapshot>,
    /// There is a supervisor, by its lock, that does not answer.
    pub(super) silent: Option<u32>,
    /// What the last supervisor recorded.
    pub(super) record: Record,
    /// Processes of the workspace.
    pub(super) found: Vec<Found>,
    /// The server first, then the sites; also those that are missing.
    pub(super) kits: Vec<Kit>,
}

/// A participant that runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    /// Its process, where there is one at the moment.
    pub(super) identity: Option<Identity>,
    pub(super) keeper: Keeper,
}

/// Who starts a participant again when it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeper {
    /// The supervisor of `poc`.
    Supervisor(u32),
    /// A shell that runs the kit's start script.
    Watchdog(u32),
    /// Nobody: its supervisor died.
    Nobody,
}

impl Survey {
    /// Looks at everything.
    pub(super) fn look(prepared: &Prepared) -> Result<Self, Error> {
        Self::with_scope(prepared, &scope(prepared))
    }

    /// Looks at participants and consoles only, by their command lines: the environments of all
    /// processes, where the cookie would be, take longer to read than all the rest.
    pub(super) fn glance(prepared: &Prepared) -> Result<Self, Error> {
        let scope = Scope {
            cookie: None,
            ..scope(prepared)
        };
        Self::with_scope(prepared, &scope)
    }

    fn with_scope(prepared: &Prepared, scope: &Scope) -> Result<Self, Error> {
        let workspace = &prepared.workspace;
        let supervisor = match Client::connect(workspace)? {
            Some(mut client) => match client.ask(&Request::Status {}, ANSWER) {
                Ok(Reply::Status(snapshot)) => Some(snapshot),
                // It went away meanwhile, or is stuck; the lock tells which.
                _ => None,
            },
            None => None,
        };
        let silent = match supervisor {
            None => still_held(&workspace.supervisor_lock())?,
            Some(_) => None,
        };
        Ok(Self {
            supervisor,
            silent,
            record: Record::load(workspace),
            found: scope.find()?,
            kits: services(prepared),
        })
    }

    /// What the supervisor says of that participant.
    pub(super) fn snapshot(&self, name: &str) -> Option<&ParticipantSnapshot> {
        let participants = &self.supervisor.as_ref()?.participants;
        participants.iter().find(|it| it.name == name)
    }

    /// Whether, and by whose care, the participant runs.
    pub(super) fn running(&self, kit: &Kit) -> Option<Running> {
        let watchdog = self.of_kit(kit, |kind| kind == Kind::Watchdog).next();
        if let (Some(supervisor), Some(snapshot)) = (&self.supervisor, self.snapshot(&kit.name))
            && snapshot.state.is_active()
        {
            let identity = snapshot.pid.and_then(Identity::of);
            let identity = identity.filter(|it| snapshot.start_time == Some(it.start_time));
            return Some(Running {
                identity,
                keeper: Keeper::Supervisor(supervisor.supervisor),
            });
        }
        let recorded = self.record.participants.get(&kit.name);
        let recorded = recorded.map(|recorded| recorded.identity.clone());
        let found = || {
            let found = self.of_kit(kit, |kind| matches!(kind, Kind::Server | Kind::Client));
            found.map(|found| found.identity.clone()).next()
        };
        let identity = recorded.filter(Identity::is_alive).or_else(found);
        let keeper = match (watchdog, self.silent) {
            (Some(watchdog), _) => Keeper::Watchdog(watchdog.identity.pid),
            (None, Some(supervisor)) => Keeper::Supervisor(supervisor),
            (None, None) => Keeper::Nobody,
        };
        (identity.is_some() || watchdog.is_some()).then_some(Running { identity, keeper })
    }

    /// Consoles that are open.
    pub(super) fn consoles(&self) -> Vec<Console> {
        let consoles = self.found.iter().filter(|it| it.kind == Kind::Console);
        let mut consoles: Vec<Console> = consoles
            .filter_map(|found| {
                let kit = found.kit.as_ref()?;
                Some(Console {
                    pid: found.identity.pid,
                    user: kit.file_name()?.to_owned(),
                })
            })
            .collect();
        // The start script and the Python that it runs are one console.
        consoles.dedup_by(|later, earlier| later.user == earlier.user);
        consoles
    }

    /// Pid files of a kit that mean nothing any more.
    pub(super) fn stale_files(
        &self,
        prepared: &Prepared,
        kit: &Kit,
    ) -> Result<Vec<(camino::Utf8PathBuf, Option<u32>, pid_file::Stale)>, Error> {
        let (known, scope) = (self.record.identities(), scope(prepared));
        let mut stale = Vec::new();
        for file in [kit.pid_file(), kit.daemon_pid_file()] {
            if let Judgement::Stale { pid, reason } = pid_file::judge(&file, &known, &scope)? {
                stale.push((file, pid, reason));
            }
        }
        Ok(stale)
    }

    fn of_kit<'a>(
        &'a self,
        kit: &'a Kit,
        wanted: impl Fn(Kind) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Found> + 'a {
        self.found
            .iter()
            .filter(move |found| found.kit.as_ref() == Some(&kit.dir) && wanted(found.kind))
    }
}

/// Who holds the supervisor's lock without listening to its socket. One that is just coming or just
/// leaving does so for a moment.
fn still_held(lock: &Utf8Path) -> Result<Option<u32>, Error> {
    let deadline = Instant::now() + MOMENT;
    while FileLock::is_held(lock)? {
        if Instant::now() >= deadline {
            return Ok(Some(FileLock::holder(lock).unwrap_or_default()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(None)
}

/// Whatever belongs to the workspace: by every kit, consoles' included, and by the cookie.
pub(super) fn scope(prepared: &Prepared) -> Scope {
    Scope {
        workspace: prepared.workspace.root().to_owned(),
        kits: prepared.all_kits().into_iter().map(|kit| kit.dir).collect(),
        cookie: load_instance(&prepared.workspace),
    }
}
