//! Doing what the core says.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use poc_core::env;
use poc_core::project::Role;

use super::admin::{Access, Task, Worker};
use super::record::{Record, Recorded, replace};
use super::rotate::Pace;
use super::watch::Attention;
use super::{Child, Driver, notice};
use crate::Error;
use crate::plan::ParticipantPlan;
use crate::process::pid_file;
use crate::process::{Cgroup, Found, Identity, Kind, Scope, Sign};
use crate::ready::{self, Progress};
use crate::supervisor::state::{Action, Event, Phase};
use crate::supervisor::{Happening, event_log, of_participant};

/// How much of a log the report of a death shows.
const TAIL: usize = 40;

impl Driver<'_> {
    /// Tells the core, and does what it says, until nothing more follows.
    pub(super) fn feed(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            if let Event::Launched { name, .. } = &event
                && self.is_hidden(name)
            {
                // It will not tell, and others are not to wait for that.
                let name = name.clone();
                events.push_back(Event::Underway { name });
            }
            let state = std::mem::take(&mut self.state);
            let (state, actions) = crate::supervisor::step(state, event, self.now());
            self.state = state;
            for action in actions {
                events.extend(self.carry_out(action));
            }
        }
        self.record_is_stale = true;
    }

    fn carry_out(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Launch { name } => self.launch(name),
            Action::Signal { name, pid, kill } => {
                self.signal(&name, pid, kill);
                None
            }
            Action::AbortJobs { patience } => self.abort_jobs(patience),
            Action::Sweep { name } => {
                let left = self.sweep(&name);
                Some(Event::Swept { name, left })
            }
            Action::SweepAll => {
                let left = self.sweep_all();
                Some(Event::SweptAll { left })
            }
            Action::ForgetProcess { name } => {
                self.forget(&name, false);
                None
            }
            Action::Forget { name } => {
                self.forget(&name, true);
                None
            }
            Action::Tell(happening) => {
                self.tell(happening);
                None
            }
            Action::Leave { mut survivors } => {
                // 0 stands for one whose number is not known (see `sweep_all`, `Cgroup::members`).
                survivors.retain(|pid| *pid != 0);
                self.survivors = Some(survivors);
                None
            }
        }
    }

    /// Writes it down and tells whoever watches.
    pub(super) fn tell(&mut self, mut happening: Happening) {
        match &mut happening {
            Happening::Exited { name, tail, .. } | Happening::GaveUp { name, tail } => {
                // Last words matter where nobody asked it to end.
                if let Some(Phase::Waiting { .. } | Phase::Failed) = self.state.phase(name) {
                    *tail = self.last_words(name);
                }
            }
            Happening::Ready { name } => self.has_become_ready(&name.clone()),
            _ => {}
        }
        self.log.write(&event_log::Entry::now(happening.clone()));
        (self.observer)(&happening);
        self.connections
            .tell(&crate::supervisor::control::Line::Happening(happening));
    }

    pub(super) fn trouble(&mut self, message: impl std::fmt::Display) {
        self.tell(Happening::Trouble {
            message: message.to_string(),
        });
    }

    // Starting

    /// Takes over what an earlier supervisor had started and what still runs, and ends what those left
    /// that do not run any more: nobody has seen them die.
    pub(super) fn adopt(&mut self) -> Result<(), Error> {
        let record = Record::load(&self.workspace);
        let known = record.identities();
        let found = self.scope_of_plan().find()?;
        for plan in self.plan.participants.clone() {
            let scope = self.scope_of(&plan);
            let there = its_process(&found, &plan);
            let recorded = record.participants.get(&plan.name);
            let identity = match recorded.filter(|recorded| recorded.identity.is_alive()) {
                Some(recorded) => Some(recorded.identity.clone()),
                None => match pid_file::judge(&plan.kit().pid_file(), &known, &scope)? {
                    pid_file::Judgement::Ours { identity, .. } => Some(identity),
                    // Its supervisor may have died before it could put down that it was there. One that
                    // is not of this POC, by its cookie, is not taken over.
                    _ => there
                        .filter(|it| it.sign == Sign::Cookie)
                        .map(|it| it.identity.clone()),
                },
            };
            let process = identity
                .as_ref()
                .map(|identity| self.backend.adopt(&plan, identity))
                .transpose()?;
            let (Some(identity), Some(process)) = (identity, process.flatten()) else {
                let left = of_participant(found.clone(), Some(&plan.directory), &plan.name);
                if there.is_none() && !left.is_empty() {
                    self.sweep(&plan.name);
                }
                continue;
            };
            let ready = recorded.is_some_and(|recorded| recorded.ready)
                || ready::has_become_ready(&plan.log, &plan.name, plan.role);
            let restarts = recorded.map_or(0, |recorded| recorded.restarts);
            self.take_over(&plan, identity, process, ready, restarts);
        }
        Ok(())
    }

    fn take_over(
        &mut self,
        plan: &ParticipantPlan,
        identity: Identity,
        process: Box<dyn crate::backend::Process>,
        ready: bool,
        restarts: u32,
    ) {
        let kit = plan.kit();
        let pid = identity.pid;
        let earlier = Cgroup::of(pid, &self.cookie);
        self.hold(pid);
        // That of a supervisor that was started elsewhere has no use any more.
        if let Some(earlier) = earlier.filter(|it| !self.sweeper.uses(it)) {
            earlier.remove();
        }
        let daemon = format!("{}\n", std::process::id());
        if let Err(error) = replace(&kit.daemon_pid_file(), daemon.as_bytes(), 0o644) {
            self.trouble(format_args!(
                "cannot write {}: {error}",
                kit.daemon_pid_file()
            ));
        }
        let uptime = identity.uptime().unwrap_or_default();
        let child = Child {
            identity: Some(identity),
            process,
            launched: SystemTime::now() - uptime,
            since: Instant::now(),
            log_start: 0,
            pace: Pace::default(),
            hidden: ready::log_hides(&kit),
            progress: (!ready).then(|| Progress::from_now(&plan.name, plan.role, &plan.log)),
            been_ready: ready,
        };
        self.children.insert(plan.name.clone(), child);
        self.watcher.kit(&kit);
        let attention = if ready {
            Attention::Once
        } else {
            Attention::Full
        };
        self.watcher.log(&plan.name, &plan.log, attention);
        self.feed(Event::Adopted {
            entry: entry(plan),
            pid,
            ready,
            restarts,
        });
        if !ready && plan.role != Role::Server {
            self.read_server_log();
        }
        self.plan_asking(&plan.name);
        // What was asked while nobody listened.
        self.notice_request_files(&plan.name);
    }

    // Ending

    fn signal(&mut self, name: &str, pid: u32, kill: bool) {
        let sent = self
            .children
            .get(name)
            .filter(|child| child.process.pid() == pid)
            .map(|child| child.process.signal(kill));
        if let Some(Err(error)) = sent {
            self.trouble(format_args!("cannot signal {name} (PID {pid}): {error}"));
        }
    }

    fn abort_jobs(&mut self, patience: Duration) -> Option<Event> {
        match self.admin_worker() {
            Ok(worker) => {
                worker.ask(Task::AbortJobs { limit: patience });
                None
            }
            Err(error) => {
                self.tell(Happening::JobsAborted {
                    ids: Vec::new(),
                    error: Some(error.to_string()),
                });
                Some(Event::JobsAborted)
            }
        }
    }

    fn sweep(&mut self, name: &str) -> Vec<u32> {
        let Some(plan) = self.plan.participant(name) else {
            return Vec::new();
        };
        let scope = self.scope_of(plan);
        let swept = self.sweeper.sweep_participant(&scope, name);
        let mut left = self.report_swept(swept);
        left.extend(self.sweep_containers(Some(name)));
        left
    }

    /// Removes containers, a participant's or all, and with all of them their network. A container has
    /// no number here: what is left counts as 0, as helpers do whose number is not known.
    fn sweep_containers(&mut self, name: Option<&str>) -> Vec<u32> {
        let Some(containers) = self.plan.containers.clone() else {
            return Vec::new();
        };
        let left = containers.remove(name).and_then(|left| {
            if name.is_none() && left.is_empty() {
                containers.remove_network()?;
            }
            Ok(left.len())
        });
        match left {
            Ok(count) => vec![0; count],
            Err(error) => {
                self.trouble(error);
                vec![0]
            }
        }
    }

    fn sweep_all(&mut self) -> Vec<u32> {
        // What it has not answered is not wanted any more.
        self.backend.close();
        // The helper is counted like everything else. Idle, it ends at once; in the middle of a call,
        // the sweep ends it and the call with it.
        if let Some(admin) = &self.admin {
            admin.close();
            if admin.is_idle() {
                self.admin = None;
            }
        }
        let swept = self.sweeper.sweep(&self.scope());
        let mut left = self.report_swept(swept);
        if left.is_empty() {
            left.extend(self.sweep_containers(None));
        }
        if self.admin.is_some() {
            // A call is under way, with a helper that may not have a number yet.
            left.push(0);
        }
        left
    }

    fn report_swept(&mut self, swept: Result<super::sweep::Swept, Error>) -> Vec<u32> {
        match swept {
            Ok(swept) => {
                if !swept.new.is_empty() {
                    self.tell(Happening::Swept { pids: swept.new });
                }
                swept.left
            }
            Err(error) => {
                self.trouble(format_args!("cannot look for processes: {error}"));
                Vec::new()
            }
        }
    }

    fn scope_of(&self, plan: &ParticipantPlan) -> Scope {
        Scope {
            workspace: self.workspace.root().to_owned(),
            kits: vec![plan.directory.clone()],
            cookie: Some(self.cookie.clone()),
        }
    }

    /// Everything that this supervisor may have to do with.
    fn scope_of_plan(&self) -> Scope {
        let participants = self.plan.participants.iter();
        Scope {
            workspace: self.workspace.root().to_owned(),
            kits: participants.map(|plan| plan.directory.clone()).collect(),
            cookie: Some(self.cookie.clone()),
        }
    }

    /// Everything that this supervisor has to do with.
    pub(super) fn scope(&self) -> Scope {
        let kits = self.plan.participants.iter();
        Scope {
            workspace: self.workspace.root().to_owned(),
            kits: kits
                .filter(|plan| self.state.phase(&plan.name).is_some())
                .map(|plan| plan.directory.clone())
                .chain(self.plan.admin.iter().map(|admin| admin.kit.clone()))
                .collect(),
            cookie: Some(self.cookie.clone()),
        }
    }

    fn forget(&mut self, name: &str, for_good: bool) {
        let Some(plan) = self.plan.participant(name) else {
            return;
        };
        let kit = plan.kit();
        let mut files = vec![kit.pid_file(), kit.restart_file()];
        if for_good {
            files.extend([kit.daemon_pid_file(), kit.shutdown_file()]);
        }
        for file in files {
            if let Err(error) = pid_file::remove(&file)
                && kit.dir.exists()
            {
                self.trouble(format_args!("cannot remove {file}: {error}"));
            }
        }
        self.children.remove(name);
        self.log_checks.remove(name);
    }

    /// The socket goes first: whoever is told that all is over finds none.
    pub(super) fn leave(&mut self, survivors: &[u32]) {
        self.admin = None;
        self.reap();
        self.listener = None;
        self.sweeper.finish();
        if survivors.is_empty() {
            Record::remove(&self.workspace);
        }
        self.tell(Happening::SupervisorLeaving {
            survivors: survivors.to_vec(),
        });
        self.connections.finish();
    }

    // Small change

    pub(super) fn admin_worker(&mut self) -> Result<&Worker, Error> {
        let worker = match self.admin.take() {
            Some(worker) => Ok(worker),
            None => self.new_admin_worker(),
        };
        Ok(self.admin.insert(worker?))
    }

    fn new_admin_worker(&self) -> Result<Worker, Error> {
        let Some(admin) = self.plan.admin.clone() else {
            let reason = "the project admin has no startup kit".to_owned();
            return Err(Error::ServerUnreachable { reason });
        };
        let cookie = (env::POC_INSTANCE.name.to_owned(), self.cookie.clone());
        let worker = Worker::start(Access {
            python: self.plan.python.clone(),
            admin,
            environment: vec![cookie],
        })?;
        Ok(worker)
    }

    pub(super) fn save_record(&mut self) {
        if !std::mem::take(&mut self.record_is_stale) || self.survivors.is_some() {
            return;
        }
        let participants = self.children.iter().filter_map(|(name, child)| {
            let participant = self.state.participants.get(name)?;
            let recorded = Recorded {
                identity: child.identity.clone()?,
                restarts: participant.restarts,
                ready: participant.ready,
            };
            Some((name.clone(), recorded))
        });
        let record = Record {
            supervisor: Identity::of_this_process().ok(),
            participants: participants.collect(),
        };
        // The next change tries again; and pid files say nearly as much.
        let _ = record.save(&self.workspace);
    }

    fn has_become_ready(&mut self, name: &str) {
        let Some(child) = self.children.get_mut(name) else {
            return;
        };
        child.been_ready = true;
        self.attend(name);
        // The last site to register is the last that the server's log was read for.
        let servers = self.plan.participants.iter();
        let servers = servers.filter(|plan| plan.role == Role::Server && plan.name != name);
        for server in servers.map(|plan| plan.name.clone()).collect::<Vec<_>>() {
            self.attend(&server);
        }
    }

    fn last_words(&self, name: &str) -> Vec<String> {
        match (self.plan.participant(name), self.children.get(name)) {
            (Some(plan), Some(child)) => notice::last_words(&plan.log, child.log_start, TAIL),
            _ => Vec::new(),
        }
    }
}

/// The process of a participant's kit, whoever started it.
fn its_process<'a>(found: &'a [Found], plan: &ParticipantPlan) -> Option<&'a Found> {
    found.iter().find(|it| {
        matches!(it.kind, Kind::Server | Kind::Client) && it.kit.as_ref() == Some(&plan.directory)
    })
}

/// A participant as the core knows it.
pub(super) fn entry(plan: &ParticipantPlan) -> crate::supervisor::Entry {
    crate::supervisor::Entry {
        name: plan.name.clone(),
        role: plan.role,
        policy: plan.restart,
    }
}

/// How long a site may take to say that it has registered before the server is asked.
pub(super) const fn before_asking(hidden: bool) -> Duration {
    if hidden {
        Duration::from_millis(500)
    } else {
        Duration::from_secs(20)
    }
}
