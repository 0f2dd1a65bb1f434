//! What happens outside, told to the core.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant, SystemTime};

use camino::Utf8Path;
use poc_core::project::Role;
use poc_core::workspace::Workspace;

use super::act::before_asking;
use super::admin::{Outcome, Task};
use super::rotate;
use super::watch::{Attention, Seen};
use super::{Asking, Driver};
use crate::logs::redact;
use crate::process::Kind;
use crate::ready::{self, News, Progress};
use crate::supervisor::control::{Line, Reply};
use crate::supervisor::state::{Event, Participant, Phase};
use crate::supervisor::{Happening, RequestFile};

/// How long the abort of running jobs may take when nobody says otherwise.
pub(super) const ABORT: Duration = Duration::from_secs(20);
/// Between two questions to the server, at first and at most.
const ASKING: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How much of a log's end is read for a report.
const END: u64 = 64 * 1024;

impl Driver<'_> {
    // Processes

    pub(super) fn notice_exits(&mut self) {
        let mut ended = Vec::new();
        for (name, child) in &mut self.children {
            match child.process.ended() {
                Ok(None) => {}
                Ok(Some(status)) => ended.push((name.clone(), child.process.pid(), status)),
                // Somebody else reaped it: gone it is.
                Err(error) => ended.push((
                    name.clone(),
                    child.process.pid(),
                    format!("ended ({error})"),
                )),
            }
        }
        for (name, pid, status) in ended {
            // On purpose, or to be started again? It may have said so in its last moment.
            self.notice_request_files(&name);
            let server = self.role(&name) == Some(Role::Server);
            self.feed(Event::Exited { name, pid, status });
            if server {
                self.await_registrations();
            }
        }
    }

    fn role(&self, name: &str) -> Option<Role> {
        Some(self.state.participants.get(name)?.role)
    }

    /// After the server's death the sites come back to the next one; that is in its log, which is
    /// read from its beginning.
    fn await_registrations(&mut self) {
        for child in self.children.values_mut() {
            child.since = Instant::now();
        }
        for name in self.children.keys().cloned().collect::<Vec<_>>() {
            self.plan_asking(&name);
        }
    }

    /// Ends everything in order; running jobs are aborted first.
    pub(super) fn stop_all(&mut self, by: Option<u32>) {
        self.tell(Happening::Request {
            op: "stop".to_owned(),
            names: Vec::new(),
            by,
        });
        let jobs = self.jobs_to_abort(ABORT);
        self.backend.recall(None);
        self.feed(Event::Stop { names: None, jobs });
    }

    /// The time that aborting jobs may take, where there is anything to abort and a way to do it.
    pub(super) fn jobs_to_abort(&self, patience: Duration) -> Option<Duration> {
        let server_lives = self.state.participants.values().any(|participant| {
            participant.role == Role::Server && matches!(participant.phase, Phase::Alive { .. })
        });
        (server_lives && self.plan.admin.is_some() && !patience.is_zero() && self.jobs_run())
            .then_some(patience)
    }

    fn jobs_run(&self) -> bool {
        let contained = self.plan.containers.as_ref();
        if contained.is_some_and(|containers| containers.jobs_run().unwrap_or(false)) {
            return true;
        }
        let found = self.scope().find().unwrap_or_default();
        found.iter().any(|found| found.kind == Kind::Job)
    }

    // Files

    pub(super) fn notice_files(&mut self) {
        let mut seen = self.watcher.read();
        if self.watcher.is_blind() {
            seen.extend(self.watcher.look());
            seen.push(Seen::Workspace);
            let logs = self.children.keys().cloned();
            seen.extend(logs.map(|name| Seen::Log { name }));
        }
        for seen in seen {
            match seen {
                Seen::Request { name, .. } => self.notice_request_files(&name),
                Seen::Log { name } => self.notice_log(&name),
                Seen::Workspace => self.notice_workspace(),
            }
        }
    }

    /// Obeys the request files that lie in a kit.
    pub(super) fn notice_request_files(&mut self, name: &str) {
        let Some(plan) = self.plan.participant(name) else {
            return;
        };
        let (kit, log) = (plan.kit(), plan.log.clone());
        for (path, file) in [
            (kit.shutdown_file(), RequestFile::Shutdown),
            (kit.restart_file(), RequestFile::Restart),
        ] {
            let unheard = match self.state.phase(name) {
                None | Some(Phase::Stopping { .. }) => false,
                Some(_) => true,
            };
            if unheard && path.exists() {
                // One whose process has ended needs no time to leave, and no signal either.
                let leaving = ready::is_leaving(&log);
                let name = name.to_owned();
                self.feed(Event::Asked {
                    name,
                    file,
                    leaving,
                });
            }
        }
    }

    pub(super) fn notice_log(&mut self, name: &str) {
        let news = match self.children.get_mut(name) {
            Some(child) => child.progress.as_mut().map(Progress::read),
            None => return,
        };
        let News {
            ready,
            is_underway,
            cannot_listen,
            is_flood,
        } = news.unwrap_or_default();
        if is_underway {
            let name = name.to_owned();
            self.feed(Event::Underway { name });
        }
        for name in ready {
            self.feed(Event::Ready { name });
        }
        if let Some(reason) = cannot_listen {
            self.trouble(format_args!("{name} cannot listen: {reason}"));
            // It would go on trying for ever, with nobody able to reach it.
            let killed = self.children.get(name).map(|it| it.process.signal(true));
            if let Some(Err(error)) = killed {
                self.trouble(format_args!("cannot end {name}: {error}"));
            }
        }
        if is_flood && let Some(child) = self.children.get_mut(name) {
            // Only the server can tell now.
            child.progress = None;
            child.hidden = true;
            self.plan_asking(name);
            self.log_checks.insert(name.to_owned(), Instant::now());
        }
        self.attend(name);
        let pace = self.children.get(name).map(|child| child.pace);
        let patience = pace.unwrap_or_default().patience();
        self.log_checks
            .entry(name.to_owned())
            .or_insert_with(|| Instant::now() + patience);
    }

    /// Reads a log as long as something is to be expected of it: of the server's, as long as a site
    /// has not registered.
    pub(super) fn attend(&mut self, name: &str) {
        let wanted = self.is_awaited(name);
        let (Some(child), Some(plan)) = (self.children.get_mut(name), self.plan.participant(name))
        else {
            return;
        };
        if !wanted {
            child.progress = None;
        }
        let attention = match child.progress {
            Some(_) => Attention::Full,
            None => Attention::Once,
        };
        self.watcher.log(name, &plan.log, attention);
    }

    fn is_awaited(&self, name: &str) -> bool {
        let unready = |participant: &Participant| {
            !participant.ready && matches!(participant.phase, Phase::Alive { .. })
        };
        match self.state.participants.get(name) {
            Some(server) if server.role == Role::Server => {
                unready(server) || self.state.participants.values().any(unready)
            }
            Some(site) => unready(site),
            None => false,
        }
    }

    /// Begins to read the log of a server again, for the sake of a site that is started later.
    pub(super) fn read_server_log(&mut self) {
        for plan in &self.plan.participants {
            if plan.role == Role::Server
                && let Some(child) = self.children.get_mut(&plan.name)
                && child.progress.is_none()
            {
                self.watcher.log(&plan.name, &plan.log, Attention::Full);
                child.progress = Some(Progress::from_now(&plan.name, plan.role, &plan.log));
            }
        }
    }

    /// Keeps logs under their cap, and listens for the next change of those that were looked at.
    pub(super) fn check_logs(&mut self) {
        let now = Instant::now();
        let due: Vec<String> = self
            .log_checks
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.log_checks.remove(&name);
            let Some(log) = self.plan.participant(&name).map(|plan| plan.log.clone()) else {
                continue;
            };
            let length = rotate::length(&log).unwrap_or_default();
            let rotated = rotate::rotate(&log, rotate::CAP);
            if let Some(child) = self.children.get_mut(&name) {
                child.pace.seen(length, matches!(rotated, Ok(Some(_))));
            }
            match rotated {
                Ok(Some(bytes)) => {
                    if let Some(child) = self.children.get_mut(&name) {
                        child.log_start = 0;
                    }
                    self.tell(Happening::LogRotated {
                        name: name.clone(),
                        bytes,
                    });
                }
                Ok(None) => {}
                Err(error) => self.trouble(format_args!("cannot cap the log of {name}: {error}")),
            }
            self.attend(&name);
        }
    }

    fn notice_workspace(&mut self) {
        if self.state.is_ending() {
            return;
        }
        if place(&self.workspace) != self.place {
            self.feed(Event::WorkspaceGone);
            return;
        }
        let homeless: Vec<String> = self
            .plan
            .participants
            .iter()
            .filter(|plan| self.children.contains_key(&plan.name) && !plan.directory.exists())
            .map(|plan| plan.name.clone())
            .collect();
        if !homeless.is_empty() {
            self.feed(Event::Stop {
                names: Some(homeless),
                jobs: None,
            });
        }
    }

    // The server

    /// Makes sure that the server is asked about a participant whose log does not tell.
    pub(super) fn plan_asking(&mut self, name: &str) {
        let Some(child) = self.children.get(name) else {
            return;
        };
        let at = child.since + before_asking(child.hidden);
        let sooner = self.next_asking.is_none_or(|next| at < next.at);
        if sooner && self.plan.admin.is_some() {
            let pause = ASKING.0;
            self.next_asking = Some(Asking { at, pause });
        }
    }

    pub(super) fn ask_the_server(&mut self) {
        let Some(asking) = self.next_asking.filter(|next| next.at <= Instant::now()) else {
            return;
        };
        let waits = self.state.participants.values().any(|participant| {
            matches!(participant.phase, Phase::Alive { .. }) && !participant.ready
        });
        let server_lives = self.state.participants.values().any(|participant| {
            participant.role == Role::Server && matches!(participant.phase, Phase::Alive { .. })
        });
        if !waits || !server_lives || self.state.is_ending() {
            self.next_asking = None;
            return;
        }
        // The answer plans the next question; until then there is none.
        self.next_asking = Some(Asking {
            at: Instant::now() + ASKING.1,
            pause: asking.pause,
        });
        if let Ok(worker) = self.admin_worker() {
            worker.ask(Task::Clients);
        }
    }

    pub(super) fn notice_admin(&mut self) {
        let outcomes = self.admin.as_ref().map(super::Worker::outcomes);
        for outcome in outcomes.into_iter().flatten() {
            match outcome {
                Outcome::JobsAborted(result) => {
                    let (ids, error) = match result {
                        Ok(ids) => (ids, None),
                        Err(error) => (Vec::new(), Some(error)),
                    };
                    self.tell(Happening::JobsAborted { ids, error });
                    self.feed(Event::JobsAborted);
                }
                Outcome::Clients(clients) => self.notice_clients(clients),
                Outcome::Operation { connection, result } => {
                    let reply = match result {
                        Ok(value) => Reply::Admin(value),
                        Err(failure) => Reply::AdminFailed(failure),
                    };
                    if let Some(connection) = self.connections.get(connection) {
                        connection.say(&Line::Reply(reply));
                    }
                }
            }
            self.reap();
        }
    }

    fn notice_clients(&mut self, clients: Option<Vec<(String, Option<f64>)>>) {
        let up = clients.is_some();
        let clients = clients.unwrap_or_default();
        let mut ready = Vec::new();
        for (name, child) in &self.children {
            let registered = clients
                .iter()
                .any(|(client, seen)| client == name && is_since(*seen, child.launched));
            if registered || (up && self.role(name) == Some(Role::Server)) {
                ready.push(name.clone());
            }
        }
        for name in ready {
            self.feed(Event::Ready { name });
        }
        if let Some(asking) = &mut self.next_asking {
            asking.at = Instant::now() + asking.pause;
            asking.pause = (asking.pause * 3 / 2).min(ASKING.1);
        }
    }
}

/// Whether the server heard of a client after its process was started: one that died is listed for
/// minutes.
fn is_since(seen: Option<f64>, launched: SystemTime) -> bool {
    let launched = launched
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    seen.is_none_or(|seen| seen >= launched.as_secs_f64())
}

/// What tells this workspace from another of its name; `None` where it is gone.
pub(super) fn place(workspace: &Workspace) -> Option<(u64, u64)> {
    let metadata = fs_err::metadata(workspace.poc_dir()).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// The last lines of a log from a place on, tokens redacted.
pub(super) fn last_words(log: &Utf8Path, from: u64, lines: usize) -> Vec<String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = fs_err::File::open(log)?;
        let length = file.metadata()?.len();
        // A log that was cut off since holds nothing of before.
        let from = if length < from { 0 } else { from };
        file.seek(SeekFrom::Start(from.max(length.saturating_sub(END))))?;
        let mut bytes = Vec::new();
        file.take(END).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..]
        .iter()
        .map(|line| redact(line).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_those_of_this_life() {
        let dir = tempfile::tempdir().unwrap();
        let log = Utf8Path::from_path(dir.path()).unwrap().join("log");
        assert!(last_words(&log, 0, 5).is_empty());
        fs_err::write(&log, "earlier\none\ntwo\nthree").unwrap();
        assert_eq!(last_words(&log, 8, 2), ["two", "three"]);
        assert_eq!(last_words(&log, 8, 9), ["one", "two", "three"]);
        assert_eq!(last_words(&log, 10_000, 1), ["three"]);
    }

    #[test]
    fn a_client_seen_before_it_was_started_is_another_life() {
        let launched = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        assert!(is_since(Some(1000.5), launched));
        assert!(!is_since(Some(999.0), launched));
        assert!(is_since(None, launched));
    }
}
