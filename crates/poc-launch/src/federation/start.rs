//! Starting.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use poc_core::Cancel;
use poc_core::project::Role;
use poc_core::workspace::{Kit, WorkspaceLock};

use super::survey::{Keeper, Running, Survey};
use super::wait::Wait;
use super::{ANSWER, Federation, LaunchEvent, ParticipantStatus, unexpected};
use crate::Error;
use crate::kit_check;
use crate::plan::{LaunchPlan, ParticipantPlan, Spawn};
use crate::ports;
use crate::process::pid_file;
use crate::room;
use crate::stop;
use crate::supervisor::control::{Client, ParticipantState, Reply, Request, Snapshot};
use crate::supervisor::{Refusal, spawn};

/// The least that a start may take, whatever the number of sites.
const SHORTEST: Duration = Duration::from_secs(30);
/// How soon a lock that somebody holds is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// How to start.
#[derive(Clone, Copy, Debug)]
pub struct StartOptions<'a> {
    /// Wait until the server is up and the sites have registered.
    pub wait: bool,
    /// How long; `None` for the larger of 30 s and 1 s a site.
    pub timeout: Option<Duration>,
    /// The program and its first arguments that end up in
    /// [`supervisor::main`](crate::supervisor::main): `["/proc/self/exe", "__supervise"]`, say.
    pub supervisor: &'a [String],
    /// The user named the participants: one that runs already is then an error.
    pub named: bool,
    /// Set to undo what was begun and return.
    pub cancel: &'a Cancel,
}

/// What a start came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Started {
    /// Whether the server is up and all selected sites have registered. Always `false` where that was
    /// not waited for.
    pub ready: bool,
    /// The selected participants.
    pub participants: Vec<ParticipantStatus>,
    /// Those that ran before.
    pub already_running: Vec<String>,
    /// Those that are not up, or not registered. They are left running.
    pub missing: Vec<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// The selected participants, sorted by what there is to do.
pub(super) struct Selection {
    pub(super) missing: Vec<ParticipantPlan>,
    pub(super) running: Vec<(Kit, Running)>,
}

impl Selection {
    /// Names those that run, and says whether the new supervisor has taken them over: it did so before
    /// anybody could hear it.
    fn tell_running(&self, events: &mut dyn FnMut(LaunchEvent)) {
        for (kit, running) in &self.running {
            let name = kit.name.clone();
            let pid = running.identity.as_ref().map(|identity| identity.pid);
            events(match (running.keeper, pid) {
                (Keeper::Nobody, Some(pid)) => LaunchEvent::Adopted { name, pid },
                _ => LaunchEvent::AlreadyRunning { name, pid },
            });
        }
    }
}

impl Federation {
    /// Starts the plan's participants as far as they do not run, all at the same time, under the
    /// workspace's supervisor, which is started where there is none.
    ///
    /// A participant that dies while starting ends the start at once: what this call had started is
    /// stopped again. Those that are merely late are left running, and named in the result.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyRunning`], [`Error::AllRunning`], [`Error::KitDamaged`], [`Error::PortInUse`] and
    /// [`Error::DiskFull`] before anything is started; [`Error::StartFailed`], [`Error::StopWon`] and
    /// [`Error::Interrupted`] after it was undone; [`Error::Core`] with `Busy` where another command is
    /// at work on the workspace.
    pub fn start(
        &self,
        plan: LaunchPlan,
        options: &StartOptions<'_>,
        events: &mut dyn FnMut(LaunchEvent),
    ) -> Result<Started, Error> {
        let begun = Instant::now();
        let deadline = begun + options.timeout.unwrap_or_else(|| default_timeout(&plan));
        let lock = self.lock(deadline, options.cancel, events)?;
        let survey = self.settled_survey(deadline, options.cancel)?;
        let selection = Self::select(&plan, &survey, options.named)?;
        self.make_way(&selection, &survey, &plan, events)?;
        if selection.missing.is_empty() && selection.running.is_empty() {
            return Ok(Started::default());
        }
        let already_running: Vec<String> = selection
            .running
            .iter()
            .map(|(kit, _)| kit.name.clone())
            .collect();
        let selected: Vec<String> = plan.participants.iter().map(|it| it.name.clone()).collect();
        let forced = plan.participants.iter().any(|it| it.spawn == Spawn::Fork);
        let (mut client, fresh) = self.supervisor(plan, &survey, &selection, options, events)?;
        selection.tell_running(events);
        let snapshot = match client.ask(&Request::Watch {}, ANSWER)? {
            Reply::Status(snapshot) => snapshot,
            other => return Err(unexpected(&other)),
        };
        let started = ask_to_start(&mut client, selection.missing, fresh)?;
        // From here on the supervisor decides who comes first.
        drop(lock);
        let mut wait = Wait {
            federation: self,
            client,
            pending: pending(&snapshot, &selected, &started),
            started,
            forced,
            no_fork_server: None,
            begun,
            deadline,
            options,
        };
        if options.wait {
            wait.until_ready(events)?;
        } else {
            wait.until_launched(events)?;
        }
        let pending: Vec<String> = wait.pending.into_iter().collect();
        let mut status = self.status()?;
        status.participants.retain(|it| selected.contains(&it.name));
        Ok(Started {
            ready: options.wait && pending.is_empty(),
            warnings: self.start_warnings(&status.participants),
            participants: status.participants,
            already_running,
            missing: pending,
        })
    }

    /// The workspace's lock. Another command that holds it is waited for: two starts at once come one
    /// after the other, and the second finds what the first has started.
    pub(super) fn lock(
        &self,
        deadline: Instant,
        cancel: &Cancel,
        events: &mut dyn FnMut(LaunchEvent),
    ) -> Result<WorkspaceLock, Error> {
        let mut told = false;
        loop {
            cancel.check()?;
            match self.prepared.workspace.lock(TRY_AGAIN) {
                Ok(lock) => return Ok(lock),
                Err(poc_core::Error::Busy { holder, .. }) if Instant::now() < deadline => {
                    if !std::mem::replace(&mut told, true) {
                        let who = holder
                            .map(|pid| format!(" (PID {pid})"))
                            .unwrap_or_default();
                        events(LaunchEvent::Warning(format!(
                            "waiting for another command{who} that is at work on the workspace"
                        )));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What runs, once a supervisor that is about to leave has left.
    fn settled_survey(&self, deadline: Instant, cancel: &Cancel) -> Result<Survey, Error> {
        loop {
            let survey = Survey::look(&self.prepared)?;
            if let Some(pid) = survey.silent {
                let reason = format!("it (PID {pid}) does not answer");
                return Err(Error::SupervisorUnreachable { reason });
            }
            let ending = survey.supervisor.as_ref().is_some_and(|it| it.ending);
            let stopping = |name: &str| {
                survey
                    .snapshot(name)
                    .is_some_and(|it| it.state == ParticipantState::Stopping)
            };
            if !ending && !survey.kits.iter().any(|kit| stopping(&kit.name)) {
                return Ok(survey);
            }
            if Instant::now() >= deadline {
                let names = survey.kits.into_iter().map(|kit| kit.name).collect();
                return Err(Error::StopWon { names });
            }
            cancel.check()?;
            std::thread::sleep(TRY_AGAIN);
        }
    }

    /// Sorts the selected participants into those that run and those that do not.
    pub(super) fn select(
        plan: &LaunchPlan,
        survey: &Survey,
        named: bool,
    ) -> Result<Selection, Error> {
        let mut selection = Selection {
            missing: Vec::new(),
            running: Vec::new(),
        };
        for participant in &plan.participants {
            let kit = participant.kit();
            match survey.running(&kit) {
                Some(running) => selection.running.push((kit, running)),
                None => selection.missing.push(participant.clone()),
            }
        }
        // What nobody keeps is taken over, and that is something to do.
        let kept = |(_, running): &&(Kit, Running)| running.keeper != Keeper::Nobody;
        let first = selection.running.iter().find(kept);
        let Some((kit, running)) = first else {
            return Ok(selection);
        };
        let daemon_pid_file = kit.daemon_pid_file().exists();
        let pid = match (running.keeper, &running.identity) {
            (Keeper::Supervisor(pid) | Keeper::Watchdog(pid), _) if daemon_pid_file => pid,
            (Keeper::Supervisor(pid) | Keeper::Watchdog(pid), identity) => {
                identity.as_ref().map_or(pid, |identity| identity.pid)
            }
            (Keeper::Nobody, _) => return Ok(selection),
        };
        let all_kept = selection.running.iter().all(|it| kept(&it));
        if named {
            return Err(Error::AlreadyRunning {
                name: kit.name.clone(),
                pid,
                kit: kit.dir.clone(),
                daemon_pid_file,
            });
        }
        if selection.missing.is_empty() && all_kept {
            return Err(Error::AllRunning {
                names: plan.participants.iter().map(|it| it.name.clone()).collect(),
                pid,
                kit: kit.dir.clone(),
                daemon_pid_file,
            });
        }
        Ok(selection)
    }

    /// Removes pid files that mean nothing any more, and sees that the server's ports are free, that there
    /// is room for logs, and that the kits are whole.
    pub(super) fn make_way(
        &self,
        selection: &Selection,
        survey: &Survey,
        plan: &LaunchPlan,
        events: &mut dyn FnMut(LaunchEvent),
    ) -> Result<(), Error> {
        let workspace = self.prepared.workspace.root();
        if let Some(bytes) = room::shortage(workspace).filter(|_| !selection.missing.is_empty()) {
            let workspace = workspace.to_owned();
            return Err(Error::DiskFull { workspace, bytes });
        }
        let server = selection.missing.iter().any(|it| it.role == Role::Server);
        if server {
            let addresses = [&plan.server_address, &plan.admin_address];
            for port in addresses
                .iter()
                .filter_map(|it| it.rsplit(':').next()?.parse().ok())
            {
                if let Some(holder) = ports::holder(port)? {
                    let holder = Box::new(holder);
                    return Err(Error::PortInUse { port, holder });
                }
            }
        }
        for participant in &selection.missing {
            self.remove_stale(&participant.kit(), survey, events)?;
        }
        for participant in &selection.missing {
            kit_check::check(&participant.kit(), self.prepared.line)?;
        }
        if let Some(containers) = &plan.containers {
            containers.prepare()?;
        }
        Ok(())
    }

    /// Removes the pid files of a participant that does not run, and says so.
    pub(super) fn remove_stale(
        &self,
        kit: &Kit,
        survey: &Survey,
        events: &mut dyn FnMut(LaunchEvent),
    ) -> Result<(), Error> {
        for (file, pid, reason) in survey.stale_files(&self.prepared, kit)? {
            pid_file::remove(&file)?;
            events(LaunchEvent::StaleRemoved { file, pid, reason });
        }
        Ok(())
    }

    /// The plan for a new supervisor: what is to be started, and what it takes over.
    pub(super) fn plan_for(
        &self,
        mut plan: LaunchPlan,
        survey: &Survey,
        missing: &[ParticipantPlan],
    ) -> LaunchPlan {
        let earlier = stop::plan_of(&self.prepared.workspace)
            .map(|plan| plan.participants)
            .unwrap_or_default();
        let selected = std::mem::take(&mut plan.participants);
        for kit in &survey.kits {
            let running = survey.running(kit);
            let orphan = running.is_some_and(|running| running.keeper == Keeper::Nobody);
            let is_it = |it: &&ParticipantPlan| it.name == kit.name;
            let known = if orphan {
                // As it was started, so that it is the same when it is started again.
                earlier
                    .iter()
                    .find(is_it)
                    .or_else(|| selected.iter().find(is_it))
                    .cloned()
            } else {
                missing.iter().find(is_it).cloned()
            };
            let foreign = || ParticipantPlan::foreign(&kit.name, kit.role, &kit.dir);
            plan.participants
                .extend(known.or_else(|| orphan.then(foreign)));
        }
        plan
    }

    /// A connection to the supervisor, which is started where there is none, and whether it was.
    fn supervisor(
        &self,
        plan: LaunchPlan,
        survey: &Survey,
        selection: &Selection,
        options: &StartOptions<'_>,
        events: &mut dyn FnMut(LaunchEvent),
    ) -> Result<(Client, bool), Error> {
        let workspace = &self.prepared.workspace;
        if survey.supervisor.is_some()
            && let Some(client) = Client::connect(workspace)?
        {
            return Ok((client, false));
        }
        let plan = self.plan_for(plan, survey, &selection.missing);
        poc_core::fsio::create_dir_private(&workspace.poc_dir())?;
        let text = serde_json::to_vec_pretty(&plan).map_err(std::io::Error::from)?;
        poc_core::fsio::write_atomic(&workspace.plan_file(), &text, 0o600)?;
        options.cancel.check()?;
        let pid = spawn(options.supervisor, workspace)?;
        events(LaunchEvent::Supervisor { pid });
        Ok((self.client()?, true))
    }

    fn start_warnings(&self, participants: &[ParticipantStatus]) -> Vec<String> {
        let server_kit = self.prepared.server_kit();
        let server = participants.iter().any(|it| it.role == Role::Server);
        let server_runs = server
            || Survey::look(&self.prepared)
                .is_ok_and(|survey| survey.running(&server_kit).is_some());
        let alone = (!server_runs).then(|| {
            "the server does not run; sites keep trying to connect until it does".to_owned()
        });
        alone.into_iter().chain(self.disk_warning()).collect()
    }
}

fn ask_to_start(
    client: &mut Client,
    participants: Vec<ParticipantPlan>,
    fresh: bool,
) -> Result<BTreeSet<String>, Error> {
    if participants.is_empty() {
        return Ok(BTreeSet::new());
    }
    let names: Vec<String> = participants.iter().map(|it| it.name.clone()).collect();
    let request = Request::Start {
        participants,
        // A supervisor that this call has started has this environment already, as it is.
        environment: (!fresh).then(inherited),
    };
    match client.ask(&request, ANSWER.max(Duration::from_secs(30)))? {
        Reply::Start { started, refused } => {
            // Between the look and the request somebody else was at work.
            let stopping = refused.iter().any(|(_, why)| *why == Refusal::Stopping);
            if stopping {
                return Err(Error::StopWon { names });
            }
            Ok(started.into_iter().collect())
        }
        other => Err(unexpected(&other)),
    }
}

/// This process's environment, for participants that a supervisor starts which was started earlier,
/// with another one. What is not UTF-8 cannot be sent.
fn inherited() -> Vec<(String, String)> {
    poc_core::env::Env::from_process()
        .iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.to_str()?.to_owned())))
        .collect()
}

/// Who is to be waited for: what this call starts, and what is starting already.
fn pending(
    snapshot: &Snapshot,
    selected: &[String],
    started: &BTreeSet<String>,
) -> BTreeSet<String> {
    let unready = snapshot
        .participants
        .iter()
        .filter(|it| selected.contains(&it.name) && it.state.is_active() && !it.ready);
    unready
        .map(|it| it.name.clone())
        .chain(started.iter().cloned())
        .collect()
}

fn default_timeout(plan: &LaunchPlan) -> Duration {
    let sites = plan
        .participants
        .iter()
        .filter(|it| it.role == Role::Client)
        .count();
    SHORTEST.max(Duration::from_secs(sites as u64))
}
