//! Starting.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use poc_core::Cancel;
use poc_core::project::Role;
use poc_core::workspace::{Kit, WorkspaceLock};

use super::survey::{Keeper, Running, Survey};
use super::{ANSWER, Federation, LaunchEvent, ParticipantStatus, unexpected};
use crate::Error;
use crate::logs;
use crate::plan::{LaunchPlan, ParticipantPlan, Spawn};
use crate::ports;
use crate::process::pid_file;
use crate::supervisor::control::{Client, Next, ParticipantState, Reply, Request, Snapshot};
use crate::supervisor::{Happening, Refusal, spawn};

/// The least that a start may take, whatever the number of sites.
const SHORTEST: Duration = Duration::from_secs(30);
/// Undoing a start that failed.
const ROLLBACK: Duration = Duration::from_secs(20);
/// While nothing happens, whoever waits is told so often.
const STILL_WAITING: Duration = Duration::from_secs(5);
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

impl Federation {
    /// Starts the plan's participants as far as they do not run, all at the same time, under the
    /// workspace's supervisor, which is started where there is none.
    ///
    /// A participant that dies while starting ends the start at once: what this call had started is
    /// stopped again. Those that are merely late are left running, and named in the result.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyRunning`], [`Error::AllRunning`] and [`Error::PortInUse`] before anything is
    /// started; [`Error::StartFailed`], [`Error::StopWon`] and [`Error::Interrupted`] after it was
    /// undone; [`Error::Core`] with `Busy` where another command is at work on the workspace.
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
        for (kit, running) in &selection.running {
            events(LaunchEvent::AlreadyRunning {
                name: kit.name.clone(),
                pid: running.identity.as_ref().map(|identity| identity.pid),
            });
        }
        let selected: Vec<String> = plan.participants.iter().map(|it| it.name.clone()).collect();
        let forced = plan.participants.iter().any(|it| it.spawn == Spawn::Fork);
        let (mut client, fresh) = self.supervisor(plan, &survey, &selection, options, events)?;
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

    /// Removes pid files that mean nothing any more, and sees that the server's ports are free.
    pub(super) fn make_way(
        &self,
        selection: &Selection,
        survey: &Survey,
        plan: &LaunchPlan,
        events: &mut dyn FnMut(LaunchEvent),
    ) -> Result<(), Error> {
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
            for (file, pid, reason) in survey.stale_files(&self.prepared, &participant.kit())? {
                pid_file::remove(&file)?;
                events(LaunchEvent::StaleRemoved { file, pid, reason });
            }
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
        let earlier = fs_err::read(self.prepared.workspace.plan_file())
            .ok()
            .and_then(|text| serde_json::from_slice::<LaunchPlan>(&text).ok())
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
        if server_runs {
            return Vec::new();
        }
        vec!["the server does not run; sites keep trying to connect until it does".to_owned()]
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

fn gone() -> Error {
    Error::SupervisorUnreachable {
        reason: "it went away while participants were starting".to_owned(),
    }
}

/// Waiting for a start to come off.
struct Wait<'a> {
    federation: &'a Federation,
    client: Client,
    /// What this call has started.
    started: BTreeSet<String>,
    /// The user wants them forked, or not at all.
    forced: bool,
    /// Why they cannot be.
    no_fork_server: Option<String>,
    /// Who is not ready yet.
    pending: BTreeSet<String>,
    begun: Instant,
    deadline: Instant,
    options: &'a StartOptions<'a>,
}

impl Wait<'_> {
    /// Until everybody is ready or the time is up.
    fn until_ready(&mut self, events: &mut dyn FnMut(LaunchEvent)) -> Result<(), Error> {
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
    fn until_launched(&mut self, events: &mut dyn FnMut(LaunchEvent)) -> Result<(), Error> {
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
        if let Err(error) = self.client.send(&request) {
            events(LaunchEvent::Warning(error.to_string()));
            return;
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
            _ => true,
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
