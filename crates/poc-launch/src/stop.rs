//! Ending a POC that no supervisor of ours keeps: what a killed supervisor left, and what NVFlare's own
//! `nvflare poc start` made.

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::fsio::FileLock;
use poc_core::workspace::{Kit, Workspace};

use crate::Error;
use crate::admin::{AdminOps, Link};
use crate::docker::{Container, Containers};
use crate::plan::{AdminPlan, LaunchPlan};
use crate::process::pid_file::{self, Judgement};
use crate::process::{
    Cgroup, Ended, Found, Grace, Identity, Kind, LadderEvent, Scope, end_with_cgroups,
};
use crate::supervisor::{Record, load_instance, of_participant};

/// Whose processes are to end.
pub(crate) struct Targets<'a> {
    /// Where to look.
    pub(crate) scope: Scope,
    /// The kits of participants that are to end; `None`: everything in the scope.
    pub(crate) kits: Option<&'a [Kit]>,
    /// For participants in containers.
    pub(crate) containers: Option<Containers>,
}

impl Targets<'_> {
    /// What there is of them now. Watchdogs are among them: they end before what they would start
    /// again.
    pub(crate) fn find(&self) -> Result<Vec<Found>, Error> {
        let found = self.scope.find()?;
        let Some(kits) = self.kits else {
            return Ok(found);
        };
        let mut its: Vec<Found> = Vec::new();
        for kit in kits {
            for one in of_participant(found.clone(), Some(&kit.dir), &kit.name) {
                if its.iter().all(|other| other.identity != one.identity) {
                    its.push(one);
                }
            }
        }
        Ok(its)
    }

    /// Whether job processes are among them.
    pub(crate) fn jobs_run(&self) -> Result<bool, Error> {
        if let Some(containers) = &self.containers
            && containers.jobs_run()?
        {
            return Ok(true);
        }
        Ok(self.find()?.iter().any(|found| found.kind == Kind::Job))
    }

    /// Ends them, and makes sure.
    pub(crate) fn end(&self, events: &mut dyn FnMut(LadderEvent)) -> Result<Ended, Error> {
        let cookie = self.scope.cookie.as_deref().filter(|_| self.kits.is_none());
        let cookies: Vec<&str> = cookie.into_iter().collect();
        end_with_cgroups(&mut || self.find(), &cookies, Grace::default(), events)
    }

    /// What there is of containers that are to end.
    pub(crate) fn find_containers(&self) -> Result<Vec<Container>, Error> {
        let Some(containers) = &self.containers else {
            return Ok(Vec::new());
        };
        let mut found = containers.list(None)?;
        if let Some(kits) = self.kits {
            found.retain(|it| kits.iter().any(|kit| kit.name == it.participant));
        }
        Ok(found)
    }

    /// Removes them, and with all of them their network.
    pub(crate) fn remove_containers(&self) -> Result<(), Error> {
        let Some(containers) = &self.containers else {
            return Ok(());
        };
        if let Some(kits) = self.kits {
            for kit in kits {
                containers.remove(Some(&kit.name))?;
            }
            return Ok(());
        }
        containers.remove(None)?;
        containers.remove_network()
    }
}

/// How often a job that was aborted is asked for.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Aborts the running jobs through a helper of its own, within about `limit`, and says which.
pub(crate) fn abort_jobs(
    python: &Utf8Path,
    admin: &AdminPlan,
    limit: Duration,
) -> Result<Vec<String>, Error> {
    let mut link = Link::start(python, &admin.kit, &admin.user, [])?;
    abort_running(&mut link, limit)
}

/// Aborts the running jobs within about `limit`, and says which. It waits until the server has put
/// down that they are: NVFlare acknowledges an abort after some 3 s and writes it into its job store
/// after some 4 more, and a server that ends in between says for ever after that the job is running.
pub(crate) fn abort_running(
    admin: &mut impl AdminOps,
    limit: Duration,
) -> Result<Vec<String>, Error> {
    let deadline = Instant::now() + limit;
    let left = || deadline.saturating_duration_since(Instant::now());
    let mut aborted = Vec::new();
    for job in admin.jobs(left())? {
        if !job.status.is_running() {
            continue;
        }
        match admin.abort(&job.id, left()) {
            Ok(()) => aborted.push(job.id),
            // Running by the job store alone: the server was killed once, while the job ran.
            Err(Error::AdminRefused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let mut unfinished = aborted.clone();
    while !unfinished.is_empty() && !left().is_zero() {
        std::thread::sleep(ASK_AGAIN.min(left()));
        // They are aborted, whatever comes of asking.
        unfinished.retain(|id| {
            admin
                .job(id, left())
                .is_ok_and(|job| job.status.is_running())
        });
    }
    Ok(aborted)
}

/// Removes what stands for processes that are gone: pid files and request files of these kits.
pub(crate) fn tidy_kits(kits: &[Kit], known: &[Identity], scope: &Scope) -> Result<(), Error> {
    for kit in kits {
        let mut all_gone = true;
        for file in [kit.pid_file(), kit.daemon_pid_file()] {
            match pid_file::judge(&file, known, scope)? {
                Judgement::Absent => {}
                Judgement::Stale { .. } => pid_file::remove(&file)?,
                Judgement::Ours { .. } => all_gone = false,
            }
        }
        if all_gone {
            for file in [kit.shutdown_file(), kit.restart_file()] {
                pid_file::remove(&file)?;
            }
        }
    }
    Ok(())
}

/// Removes the socket, the record and the empty cgroup of a supervisor that is gone.
pub(crate) fn tidy_workspace(workspace: &Workspace) -> Result<(), Error> {
    if !FileLock::is_held(&workspace.supervisor_lock())? {
        pid_file::remove(&workspace.control_socket())?;
        Record::remove(workspace);
        // Where nobody was left to be found in it.
        let cgroup = load_instance(workspace).and_then(|cookie| Cgroup::left_here(&cookie));
        if let Some(cgroup) = cgroup {
            cgroup.remove();
        }
    }
    Ok(())
}

/// The plan that the workspace's last supervisor worked by.
pub(crate) fn plan_of(workspace: &Workspace) -> Option<LaunchPlan> {
    let text = fs_err::read(workspace.plan_file()).ok()?;
    serde_json::from_slice(&text).ok()
}

/// A Python that can run the admin helper: what the plan says, else what runs the participants.
pub(crate) fn python_of(workspace: &Workspace, found: &[Found]) -> Option<Utf8PathBuf> {
    plan_of(workspace).map(|plan| plan.python).or_else(|| {
        let ours = found
            .iter()
            .filter(|found| matches!(found.kind, Kind::Server | Kind::Client));
        // Only an absolute path: a name would be looked up in another PATH than theirs.
        ours.filter_map(|found| found.identity.command_line()?.into_iter().next())
            .map(Utf8PathBuf::from)
            .find(|python| python.is_absolute())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::admin::{Op, Refusal};

    /// A server with three jobs: one that ends when it is aborted, after a while; one that only the
    /// store calls running; one that is over.
    #[derive(Default)]
    struct Server {
        asked: Vec<Op>,
    }

    impl AdminOps for Server {
        fn call(&mut self, op: &Op, _: Duration) -> Result<Value, Error> {
            self.asked.push(op.clone());
            let job = |id: &str, status: &str| json!({"job_id": id, "status": status});
            match op {
                Op::Jobs {} => Ok(json!([
                    job("a", "RUNNING"),
                    job("b", "RUNNING"),
                    job("c", "FINISHED:COMPLETED")
                ])),
                Op::Abort { job } if job == "a" => Ok(Value::Null),
                Op::Job { job: id } if self.asked.len() < 6 => Ok(job(id, "RUNNING")),
                Op::Job { job: id } => Ok(job(id, "FINISHED:ABORTED")),
                _ => Err(Error::AdminRefused {
                    operation: op.words(),
                    refusal: Refusal::Other,
                    message: "not running".to_owned(),
                }),
            }
        }
    }

    #[test]
    fn running_jobs_are_aborted_and_awaited_and_others_are_not() {
        let mut server = Server::default();
        let aborted = abort_running(&mut server, Duration::from_secs(20)).unwrap();
        assert_eq!(aborted, ["a"]);
        let of = |wanted: fn(&Op) -> bool| server.asked.iter().filter(|op| wanted(op)).count();
        assert_eq!(of(|op| matches!(op, Op::Abort { .. })), 2);
        assert_eq!(of(|op| matches!(op, Op::Job { job } if job == "a")), 3);
    }

    #[test]
    fn the_wait_ends_at_the_limit() {
        let mut server = Server::default();
        assert_eq!(abort_running(&mut server, Duration::ZERO).unwrap(), ["a"]);
    }
}
