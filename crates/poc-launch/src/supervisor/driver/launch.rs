//! From a plan to a process.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Instant, SystemTime};

use camino::Utf8Path;
use poc_core::env;
use poc_core::project::Role;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::record::replace;
use super::rotate::Pace;
use super::watch::Attention;
use super::{Child, Driver};
use crate::backend::{Process, Report};
use crate::plan::ParticipantPlan;
use crate::process::Identity;
use crate::ready::{self, Progress};
use crate::supervisor::state::Event;
use crate::supervisor::{Happening, PARTICIPANT};

/// A participant that a back end is still starting.
pub(super) struct Launching {
    log_start: u64,
    progress: Progress,
}

impl Driver<'_> {
    /// Starts a process; `None` where that takes a while (see [`Driver::notice_backend`]).
    pub(super) fn launch(&mut self, name: String) -> Option<Event> {
        match self.start_process(&name) {
            Ok(None) => None,
            Ok(Some(process)) => Some(self.begin(name, process)),
            Err(error) => Some(self.cannot_begin(name, &error)),
        }
    }

    fn start_process(&mut self, name: &str) -> io::Result<Option<Box<dyn Process>>> {
        let plan = self.plan.participant(name).cloned();
        let plan = plan.ok_or_else(|| io::Error::other("there is no plan for it"))?;
        let kit = plan.kit();
        // Left over from an earlier life; they would end this one.
        for file in [kit.shutdown_file(), kit.restart_file()] {
            let _ = fs_err::remove_file(file);
        }
        self.settle_offer(&plan);
        write_marker(&plan.log)?;
        let launching = Launching {
            log_start: fs_err::metadata(&plan.log)?.len(),
            progress: Progress::from_now(name, plan.role, &plan.log),
        };
        self.launching.insert(name.to_owned(), launching);
        if plan.role != Role::Server {
            self.read_server_log();
        }
        // Before it can write its first line.
        self.watcher.log(name, &plan.log, Attention::Full);
        let environment = self.environment(&plan);
        self.backend.start(&plan, &environment)
    }

    /// Takes note of a new process.
    fn begin(&mut self, name: String, process: Box<dyn Process>) -> Event {
        let pid = process.pid();
        self.hold(pid);
        let (Some(plan), Some(launching)) =
            (self.plan.participant(&name), self.launching.remove(&name))
        else {
            // Its plan cannot have gone while it was being started; if it has, so must the process.
            let _ = process.signal(true);
            return self.cannot_begin(name, &io::Error::other("there is no plan for it"));
        };
        let kit = plan.kit();
        // A file that cannot be written (full disk) is no reason to let the process go.
        for (file, number) in [
            (kit.pid_file(), pid),
            (kit.daemon_pid_file(), std::process::id()),
        ] {
            if let Err(error) = replace(&file, format!("{number}\n").as_bytes(), 0o644) {
                self.trouble(format_args!("cannot write {file}: {error}"));
            }
        }
        let child = Child {
            identity: Identity::of(pid),
            process,
            launched: SystemTime::now(),
            since: Instant::now(),
            log_start: launching.log_start,
            pace: Pace::default(),
            hidden: ready::log_hides(&kit),
            progress: Some(launching.progress),
            been_ready: false,
        };
        self.children.insert(name.clone(), child);
        self.watcher.kit(&kit);
        self.plan_asking(&name);
        Event::Launched { name, pid }
    }

    fn cannot_begin(&mut self, name: String, error: &io::Error) -> Event {
        self.launching.remove(&name);
        let error = error.to_string();
        Event::LaunchFailed { name, error }
    }

    /// Whether a participant's log keeps to itself how far it has come.
    pub(super) fn is_hidden(&self, name: &str) -> bool {
        self.children.get(name).is_some_and(|child| child.hidden)
    }

    /// What has come of starts that took a while, and what else the back end has to tell.
    pub(super) fn notice_backend(&mut self) {
        loop {
            let reports = self.backend.reports();
            if reports.is_empty() {
                return;
            }
            for report in reports {
                self.notice(report);
            }
            // Nothing was reaped while there may have been a participant without a number.
            self.reap();
        }
    }

    fn notice(&mut self, report: Report) {
        match report {
            Report::Came { name, process } => {
                let event = match process {
                    Ok(process) => self.begin(name.clone(), process),
                    Err(error) => self.cannot_begin(name.clone(), &error),
                };
                self.feed(event);
                // What it wrote before it was known here.
                self.notice_log(&name);
            }
            Report::ForkServerStarted { pid } => {
                self.hold(pid);
                self.tell(Happening::ForkServerStarted { pid });
            }
            Report::ForkServerLost { pid, reason } => {
                self.tell(Happening::ForkServerLost { pid, reason });
            }
            Report::NotForked { name, reason } => self.tell(Happening::NotForked { name, reason }),
        }
    }

    /// Before it has started anything: a Python takes milliseconds to get so far.
    pub(super) fn hold(&mut self, pid: u32) {
        if let Err(error) = self.sweeper.hold(pid)
            // One that has ended already belongs nowhere.
            && Identity::of(pid).is_some()
        {
            self.trouble(format_args!(
                "cannot put process {pid} into the cgroup: {error}"
            ));
        }
    }

    /// Exactly what the participant is to see.
    fn environment(&self, plan: &ParticipantPlan) -> Vec<(OsString, OsString)> {
        let inherited = self.environments.get(&plan.name);
        let set = plan
            .environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain([
                (env::POC_INSTANCE.name, self.cookie.as_str()),
                (PARTICIPANT, plan.name.as_str()),
            ]);
        let is_set = |name: &OsStr| {
            plan.unset.iter().any(|unset| OsStr::new(unset) == name)
                || plan.environment.keys().any(|set| OsStr::new(set) == name)
                || name == env::POC_INSTANCE.name
                || name == PARTICIPANT
        };
        inherited
            .unwrap_or(&self.inherited)
            .iter()
            .filter(|(name, _)| !is_set(name))
            .cloned()
            .chain(set.clone().map(|(name, value)| (name.into(), value.into())))
            .collect()
    }
}

/// Begins a new chapter of the log, for whoever reads it.
fn write_marker(log: &Utf8Path) -> io::Result<()> {
    let now = OffsetDateTime::now_utc();
    let now = now.replace_nanosecond(0).unwrap_or(now);
    let mut file = std::fs::File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(log)?;
    let time = now.format(&Rfc3339).unwrap_or_default();
    // Decoration: not being able to write it says nothing about the participant.
    let _ = writeln!(file, "--- poc start {time} ---");
    Ok(())
}
