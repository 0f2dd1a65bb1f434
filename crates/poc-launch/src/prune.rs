//! What earlier POCs of this user left running, wherever their workspaces are or were.
//!
//! A POC is told by the cookie that its processes carry; which workspace it is of, by the kits that
//! their command lines name. What nothing but a kit's path tells (NVFlare's own `nvflare poc start`
//! gives no cookie) counts as left behind only where that kit is gone: with the kit still there it may
//! well be meant to run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::Cancel;
use poc_core::fsio::FileLock;
use poc_core::workspace::{Recognised, Workspace};

use crate::process::{
    Found, Grace, Kind, LadderEvent, Scope, Survivor, Trace, end_with_cgroups, traces,
};
use crate::stop;
use crate::supervisor::load_instance;
use crate::{Error, Federation, LaunchEvent, StopOptions};

/// For another `poc` that is at work on the workspace.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// For the stop of a POC whose supervisor died.
const STOP: Duration = Duration::from_secs(30);

/// Why something counts as left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The workspace, or the startup kits in it, were removed.
    WorkspaceGone,
    /// There is another POC in its workspace now, or something else.
    WorkspaceReplaced,
    /// Its supervisor died.
    SupervisorGone,
    /// Its processes do not tell their workspace, and no supervisor knows them.
    Unknown,
}

/// What a POC left behind.
#[derive(Clone, Debug)]
pub struct Remains {
    /// The workspace, as far as known.
    pub workspace: Option<Utf8PathBuf>,
    /// Why it counts as left behind.
    pub why: Why,
    /// Its processes, in the order in which they started; consoles are not among them.
    pub processes: Vec<Found>,
    /// FLARE consoles. They are the user's own, and are left alone.
    pub consoles: Vec<Found>,
    cookies: BTreeSet<String>,
    kits: BTreeSet<Utf8PathBuf>,
}

/// A POC that runs, and is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its workspace.
    pub workspace: Utf8PathBuf,
    /// Whether it has a supervisor; where not, NVFlare's own tools have started it.
    pub supervised: bool,
    /// Its supervisor's process ID, where that can be told.
    pub supervisor: Option<u32>,
}

/// What runs of this user's POCs.
#[derive(Clone, Debug, Default)]
pub struct Outlook {
    /// What was left behind.
    pub remains: Vec<Remains>,
    /// What runs as it should.
    pub running: Vec<Running>,
}

/// How the end of one POC's remains came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// What has ended.
    pub ended: Vec<Found>,
    /// What has not.
    pub survivors: Vec<Survivor>,
}

/// Looks for what POCs of this user left behind, in one workspace or in all.
///
/// # Errors
///
/// [`Error::Io`] where /proc or a workspace cannot be looked at.
pub fn look(only: Option<&Utf8Path>) -> Result<Outlook, Error> {
    let mut outlook = Outlook::default();
    let groups = groups(&traces()?);
    for ((workspace, why, _), group) in groups.remains {
        let mut remains = Remains {
            workspace,
            why,
            processes: Vec::new(),
            consoles: Vec::new(),
            cookies: group.cookies,
            kits: group.kits,
        };
        (remains.consoles, remains.processes) = remains
            .find()?
            .into_iter()
            .partition(|found| found.kind == Kind::Console);
        outlook.remains.push(remains);
    }
    outlook.running = groups.running.into_values().collect();
    if let Some(only) = only {
        let only = crate::process::real(only);
        let is_it = |workspace: &Utf8Path| crate::process::real(workspace) == only;
        let remains = &mut outlook.remains;
        remains.retain(|remains| remains.workspace.as_deref().is_some_and(is_it));
        outlook.running.retain(|running| is_it(&running.workspace));
    }
    outlook
        .remains
        .retain(|remains| !remains.processes.is_empty());
    Ok(outlook)
}

impl Remains {
    /// Ends the processes, whatever they do, and makes sure. Of a POC whose workspace is still there,
    /// running jobs are aborted first and pid files removed. A POC that has got a supervisor since
    /// [`look`] is left alone: nothing is ended then.
    ///
    /// # Errors
    ///
    /// [`poc_core::Error::Busy`] where another `poc` is at work on the workspace, [`Error::Io`] where
    /// the system cannot be looked at, and as [`Federation::stop`].
    pub fn end(
        &self,
        python: Option<&Utf8Path>,
        cancel: &Cancel,
        events: &mut dyn FnMut(LaunchEvent),
    ) -> Result<Pruned, Error> {
        let workspace = self.workspace.as_ref().map(Workspace::new);
        let Some(workspace) = workspace.filter(|_| self.why == Why::SupervisorGone) else {
            return self.end_processes(events);
        };
        // Nobody may start it again in the meantime.
        let _lock = workspace.lock(LOCK_WAIT)?;
        if FileLock::is_held(&workspace.supervisor_lock())? {
            return Ok(Pruned::default());
        }
        let Ok(prepared) = workspace.load() else {
            let pruned = self.end_processes(events)?;
            stop::tidy_workspace(&workspace)?;
            return Ok(pruned);
        };
        let before = self.find()?;
        let options = StopOptions {
            names: None,
            wait: true,
            timeout: STOP,
            python: python.map(Utf8Path::to_owned),
            cancel,
        };
        let stopped = Federation::open(&prepared).stop(&options, events)?;
        let why = |pid| stopped.survivors.iter().find(|it| it.pid == Some(pid));
        let (alive, ended) = before
            .into_iter()
            .filter(|found| found.kind != Kind::Console)
            .partition(|found| found.identity.is_alive());
        let survivors = Vec::into_iter(alive).map(|found: Found| Survivor {
            reason: why(found.identity.pid).map_or_else(String::new, |it| it.why.clone()),
            found,
        });
        Ok(Pruned {
            ended,
            survivors: survivors.collect(),
        })
    }

    fn end_processes(&self, events: &mut dyn FnMut(LaunchEvent)) -> Result<Pruned, Error> {
        let mut told = |event| {
            if let LadderEvent::Killing(found) = event {
                let (name, pid) = (found.command, found.identity.pid);
                events(LaunchEvent::Killing { name, pid });
            }
        };
        let cookies: Vec<&str> = self.cookies.iter().map(String::as_str).collect();
        let find = &mut || self.find();
        let ended = end_with_cgroups(find, &cookies, Grace::default(), &mut told)?;
        Ok(Pruned {
            ended: ended.gone,
            survivors: ended.survivors,
        })
    }

    /// Its processes now. What a path tells counts only as long as nothing is there: a new POC in the
    /// same place is not this one.
    fn find(&self) -> Result<Vec<Found>, Error> {
        let mut scope = Scope::default();
        match (&self.workspace, self.why) {
            (Some(workspace), Why::WorkspaceGone) => {
                if !Workspace::new(workspace).poc_dir().exists() {
                    scope.workspace.clone_from(workspace);
                }
                let gone = self.kits.iter().filter(|kit| !kit.exists());
                scope.kits = gone.cloned().collect();
            }
            (Some(workspace), Why::SupervisorGone) => {
                scope.workspace.clone_from(workspace);
                scope.kits = self.kits.iter().cloned().collect();
            }
            _ => {}
        }
        let mut found = scope.find()?;
        for cookie in &self.cookies {
            scope.cookie = Some(cookie.clone());
            found.extend(scope.find()?);
        }
        found.sort_by_key(|found| (found.identity.start_time, found.identity.pid));
        found.dedup_by(|later, earlier| later.identity == earlier.identity);
        Ok(found)
    }
}

/// What belongs together.
#[derive(Debug, Default)]
struct Group {
    cookies: BTreeSet<String>,
    kits: BTreeSet<Utf8PathBuf>,
}

#[derive(Debug, Default)]
struct Groups {
    /// Of those that tell no workspace, a cookie is a POC.
    remains: BTreeMap<(Option<Utf8PathBuf>, Why, Option<String>), Group>,
    running: BTreeMap<Utf8PathBuf, Running>,
}

fn groups(traces: &[Trace]) -> Groups {
    let mut workspaces: BTreeMap<&str, &Utf8Path> = BTreeMap::new();
    for trace in traces {
        if let (Some(cookie), Some(workspace)) = (&trace.cookie, trace.workspace()) {
            workspaces.insert(cookie, workspace);
        }
    }
    // A supervisor has no cookie in its own environment, but knows which one it gives.
    let supervised: BTreeMap<String, &Utf8Path> = traces
        .iter()
        .filter_map(Trace::workspace)
        .filter_map(|workspace| Some((load_instance(&Workspace::new(workspace))?, workspace)))
        .collect();
    let mut groups = Groups::default();
    for trace in traces {
        let workspace = match &trace.cookie {
            Some(cookie) => supervised
                .get(cookie)
                .or_else(|| workspaces.get(cookie.as_str()))
                .copied(),
            None => trace.workspace(),
        };
        groups.put(trace, workspace);
    }
    groups
}

impl Groups {
    fn put(&mut self, trace: &Trace, workspace: Option<&Utf8Path>) {
        let kit = match &trace.claim {
            Some((Kind::Supervisor, _)) | None => None,
            Some((_, kit)) => Some(kit),
        };
        let why = match workspace {
            None if trace.cookie.is_none() => return,
            None => Why::Unknown,
            Some(path) => {
                let workspace = Workspace::new(path);
                let gone = match (&trace.cookie, kit) {
                    (Some(cookie), _) => load_instance(&workspace).as_ref() != Some(cookie),
                    (None, Some(kit)) => !kit.exists(),
                    (None, None) => !workspace.poc_dir().exists(),
                };
                // A lock that cannot be looked at may be held.
                let held = || FileLock::is_held(&workspace.supervisor_lock()).unwrap_or(true);
                match &trace.cookie {
                    Some(_) if gone && path.exists() => Why::WorkspaceReplaced,
                    _ if gone => Why::WorkspaceGone,
                    Some(_) if !held() => Why::SupervisorGone,
                    _ => return self.runs(&workspace, held()),
                }
            }
        };
        let alone = trace.cookie.clone().filter(|_| workspace.is_none());
        let key = (workspace.map(Utf8Path::to_owned), why, alone);
        let group = self.remains.entry(key).or_default();
        group.cookies.extend(trace.cookie.clone());
        group.kits.extend(kit.cloned());
    }

    fn runs(&mut self, workspace: &Workspace, supervised: bool) {
        let path = workspace.root();
        // An NVFlare that somebody runs for other purposes is none of our business.
        let ours = supervised || matches!(workspace.recognise(), Ok(Recognised::Poc(_)));
        if ours && !self.running.contains_key(path) {
            let running = Running {
                workspace: path.to_owned(),
                supervised,
                supervisor: FileLock::holder(&workspace.supervisor_lock()),
            };
            self.running.insert(path.to_owned(), running);
        }
    }
}
