//! Stopping.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::Cancel;
use poc_core::fsio::FileLock;
use poc_core::project::Role;
use poc_core::workspace::Kit;

use super::survey::{Survey, scope};
use super::{ANSWER, Console, Federation, LaunchEvent, unexpected};
use crate::Error;
use crate::plan;
use crate::process::{Found, Kind, LadderEvent};
use crate::stop::{self, Targets};
use crate::supervisor::Happening;
use crate::supervisor::control::{Client, Next, Reply, Request};

/// The longest that aborting running jobs may take.
const ABORT: Duration = Duration::from_secs(20);

/// How to stop.
#[derive(Clone, Debug)]
pub struct StopOptions<'a> {
    /// The participants; `None` for everything.
    pub names: Option<Vec<String>>,
    /// Wait until all has ended, and make sure.
    pub wait: bool,
    /// How long to wait. The supervisor goes on without the caller.
    pub timeout: Duration,
    /// A Python with NVFlare, for aborting the jobs of a POC that `poc` did not start.
    pub python: Option<Utf8PathBuf>,
    /// Set to return early. The supervisor goes on without the caller.
    pub cancel: &'a Cancel,
}

/// What a stop came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stopped {
    /// Participants that ran and are stopped.
    pub stopped: Vec<String>,
    /// Jobs that were aborted.
    pub aborted_jobs: Vec<String>,
    /// Jobs that ran at those that are stopped and were not aborted. Where their server goes on, they
    /// may not complete; where it does not, NVFlare may list them as running for ever.
    pub interrupted_jobs: Vec<String>,
    /// Processes that are still there.
    pub survivors: Vec<Survivor>,
    /// FLARE consoles that are open. They are the user's own.
    pub consoles: Vec<Console>,
    /// There was nothing to stop.
    pub nothing_ran: bool,
    /// Participants that were not asked to stop and go on.
    pub remaining: Vec<String>,
}

/// A process, or a container, that a stop could not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// Its process ID; `None` for a container.
    pub pid: Option<u32>,
    /// Its command line.
    pub command: String,
    /// Why it is still there.
    pub why: String,
}

impl Survivor {
    /// Its number and command line, or which container it is.
    pub fn who(&self) -> String {
        let number = self.pid.map(|pid| format!("{pid} ")).unwrap_or_default();
        format!("{number}{}", self.command)
    }
}

impl Federation {
    /// Stops participants, whoever started them: through the supervisor, else by itself. Running jobs
    /// are aborted before their server goes. Then makes sure that nothing of them is left, job
    /// processes and helpers included, and no pid file and no socket; what survives is in the result.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownParticipant`], [`Error::Interrupted`] (the supervisor then goes on),
    /// [`Error::SupervisorUnreachable`] where some participants are to stop and the supervisor that
    /// keeps them does not answer, [`Error::DockerUnavailable`] where nobody can say whether a container
    /// is left, [`Error::Io`] where the system cannot be looked at.
    pub fn stop(
        &self,
        options: &StopOptions<'_>,
        events: &mut dyn FnMut(LaunchEvent),
    ) -> Result<Stopped, Error> {
        self.check_names(options.names.as_deref().unwrap_or_default())?;
        let survey = Survey::look(&self.prepared)?;
        if let (Some(pid), Some(_)) = (survey.silent, &options.names) {
            let reason = format!("it (PID {pid}) does not answer");
            return Err(Error::SupervisorUnreachable { reason });
        }
        let kits: Vec<Kit> = survey
            .kits
            .iter()
            .filter(|kit| {
                options
                    .names
                    .as_ref()
                    .is_none_or(|names| names.contains(&kit.name))
            })
            .cloned()
            .collect();
        let ran: Vec<String> = kits
            .iter()
            .filter(|kit| survey.running(kit).is_some())
            .map(|kit| kit.name.clone())
            .collect();
        let targets = Targets {
            scope: scope(&self.prepared),
            kits: options.names.is_some().then_some(&kits),
            containers: stop::plan_of(&self.prepared.workspace).and_then(|plan| plan.containers),
        };
        let mut result = Stopped {
            consoles: survey.consoles(),
            nothing_ran: ran.is_empty()
                && not_consoles(targets.find()?).is_empty()
                && targets.find_containers().is_ok_and(|it| it.is_empty()),
            ..Stopped::default()
        };
        let jobs = jobs(&survey.found, &kits);
        for Console { pid, user } in result.consoles.clone() {
            events(LaunchEvent::Console { pid, user });
        }
        // Later on nobody could tell them from what this stop itself has left over.
        for kit in kits.iter().filter(|kit| survey.running(kit).is_none()) {
            self.remove_stale(kit, &survey, events)?;
        }
        if survey.supervisor.is_some() {
            let asked = self.stop_by_supervisor(options, &ran, &mut result, events);
            if !options.wait && matches!(asked, Ok(true)) {
                // Which of them will be aborted is not known yet where the server ends too.
                if kits.iter().all(|kit| kit.role != Role::Server) {
                    result.interrupted_jobs = jobs;
                }
                return Ok(result);
            }
            self.is_left_alone(asked, options)?;
        }
        let mut removed = Ok(());
        if result.survivors.is_empty() {
            self.stop_the_rest(&targets, &kits, options, &mut result, events)?;
            removed = targets.remove_containers();
        }
        let aborted = &result.aborted_jobs;
        let interrupted = jobs.into_iter().filter(|job| !aborted.contains(job));
        result.interrupted_jobs = interrupted.collect();
        let result = self.conclude(&kits, ran, &targets, result)?;
        // Said last: a daemon that does not answer keeps nobody from ending the rest.
        removed.map(|()| result)
    }

    /// A supervisor that went away meanwhile, or cannot be spoken to any more where everything is to
    /// end, itself included, is no reason to leave the stop half done.
    fn is_left_alone(
        &self,
        asked: Result<bool, Error>,
        options: &StopOptions<'_>,
    ) -> Result<(), Error> {
        match asked {
            Ok(_) => Ok(()),
            Err(Error::SupervisorUnreachable { .. })
                if options.names.is_none()
                    || !FileLock::is_held(&self.prepared.workspace.supervisor_lock())? =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Has the supervisor stop them; `false` where there is none.
    fn stop_by_supervisor(
        &self,
        options: &StopOptions<'_>,
        ran: &[String],
        result: &mut Stopped,
        events: &mut dyn FnMut(LaunchEvent),
    ) -> Result<bool, Error> {
        let Some(mut client) = Client::connect(&self.prepared.workspace)? else {
            return Ok(false);
        };
        let deadline = Instant::now() + options.timeout;
        let watched = client.ask(&Request::Watch {}, ANSWER)?;
        let Reply::Status(snapshot) = watched else {
            return Err(unexpected(&watched));
        };
        let mut left: BTreeSet<String> = snapshot
            .participants
            .into_iter()
            .filter(|it| it.state.is_active() && ran.contains(&it.name))
            .map(|it| it.name)
            .collect();
        let request = Request::Stop {
            names: options.names.clone(),
            abort_s: ABORT.min(options.timeout).as_secs_f64(),
        };
        match client.ask(&request, ANSWER)? {
            Reply::Accepted => {}
            other => return Err(unexpected(&other)),
        }
        let everything = options.names.is_none();
        while options.wait && (everything || !left.is_empty()) {
            match client.next(deadline, options.cancel)? {
                Next::Happening(happening) => {
                    match &happening {
                        Happening::Stopped { name } | Happening::Stuck { name, .. } => {
                            left.remove(name);
                        }
                        Happening::JobsAborted { ids, .. } => {
                            result.aborted_jobs.extend(ids.iter().cloned());
                        }
                        _ => {}
                    }
                    self.pass_on(happening, events);
                }
                Next::Nothing => {
                    let still = self.survivors(options, "it is still being stopped")?;
                    result.survivors.extend(still);
                    return Ok(true);
                }
                Next::TheEnd => break,
            }
        }
        if options.wait {
            self.await_departure(&mut client, deadline);
        }
        Ok(true)
    }

    /// Ends what no supervisor keeps.
    fn stop_the_rest(
        &self,
        targets: &Targets<'_>,
        kits: &[Kit],
        options: &StopOptions<'_>,
        result: &mut Stopped,
        events: &mut dyn FnMut(LaunchEvent),
    ) -> Result<(), Error> {
        let found = not_consoles(targets.find()?);
        if found.is_empty() {
            return Ok(());
        }
        options.cancel.check()?;
        let server = found.iter().any(|found| found.kind == Kind::Server);
        if server && targets.jobs_run()? {
            self.abort_jobs(&found, options, result, events);
        }
        let name_of = |found: &Found| {
            let kit = kits.iter().find(|kit| Some(&kit.dir) == found.kit.as_ref());
            kit.map(|kit| kit.name.clone())
        };
        let mut told = BTreeSet::new();
        let ended = targets.end(&mut |event| match event {
            LadderEvent::Terminating(found) => {
                // A watchdog, its Python and its jobs are one participant.
                if let Some(name) = name_of(&found).filter(|name| told.insert(name.clone())) {
                    events(LaunchEvent::Stopping { name });
                }
            }
            LadderEvent::Killing(found) => events(LaunchEvent::Killing {
                name: name_of(&found).unwrap_or_else(|| found.command.clone()),
                pid: found.identity.pid,
            }),
            LadderEvent::Gone(_) => {}
        })?;
        result
            .survivors
            .extend(ended.survivors.into_iter().map(|it| Survivor {
                pid: Some(it.found.identity.pid),
                command: it.found.command,
                why: it.reason,
            }));
        for name in told {
            events(LaunchEvent::Stopped { name });
        }
        Ok(())
    }

    fn abort_jobs(
        &self,
        found: &[Found],
        options: &StopOptions<'_>,
        result: &mut Stopped,
        events: &mut dyn FnMut(LaunchEvent),
    ) {
        let workspace = &self.prepared.workspace;
        let python = options
            .python
            .clone()
            .or_else(|| stop::python_of(workspace, found));
        let admin = plan::admin(&self.prepared);
        let (Some(python), Some(admin)) = (python, admin) else {
            events(LaunchEvent::Warning(
                "running jobs are not aborted first: no Python with NVFlare is known".to_owned(),
            ));
            return;
        };
        events(LaunchEvent::AbortingJobs);
        match stop::abort_jobs(&python, &admin, ABORT.min(options.timeout)) {
            Ok(ids) => {
                result.aborted_jobs.extend(ids.iter().cloned());
                events(LaunchEvent::JobsAborted { ids });
            }
            Err(error) => {
                let warning = format!("running jobs could not be aborted: {error}");
                events(LaunchEvent::Warning(warning));
            }
        }
    }

    /// Proof: looks at what there is, and clears away what stands for processes that are gone.
    fn conclude(
        &self,
        kits: &[Kit],
        ran: Vec<String>,
        targets: &Targets<'_>,
        mut result: Stopped,
    ) -> Result<Stopped, Error> {
        let survey = Survey::look(&self.prepared)?;
        for found in not_consoles(targets.find()?) {
            let pid = found.identity.pid;
            if result
                .survivors
                .iter()
                .all(|survivor| survivor.pid != Some(pid))
            {
                result.survivors.push(Survivor {
                    pid: Some(pid),
                    command: found.command,
                    why: "it appeared while the others were being stopped".to_owned(),
                });
            }
        }
        // A daemon that cannot be asked was an error before.
        let left = targets.find_containers().unwrap_or_default();
        result
            .survivors
            .extend(left.into_iter().map(|container| Survivor {
                pid: None,
                command: format!("container {} ({})", container.name, container.state),
                why: "docker has not removed it".to_owned(),
            }));
        stop::tidy_kits(kits, &survey.record.identities(), &targets.scope)?;
        stop::tidy_workspace(&self.prepared.workspace)?;
        let runs = |kit: &&Kit| survey.running(kit).is_some();
        result.stopped = ran;
        result
            .stopped
            .retain(|name| !survey.kits.iter().filter(runs).any(|kit| kit.name == *name));
        result.remaining = survey
            .kits
            .iter()
            .filter(runs)
            .filter(|kit| !kits.iter().any(|it| it.name == kit.name))
            .map(|kit| kit.name.clone())
            .collect();
        Ok(result)
    }

    fn survivors(&self, options: &StopOptions<'_>, why: &str) -> Result<Vec<Survivor>, Error> {
        let survey = Survey::look(&self.prepared)?;
        let wanted = |dir: &Utf8Path| {
            options.names.as_ref().is_none_or(|names| {
                dir.file_name()
                    .is_some_and(|name| names.iter().any(|it| it == name))
            })
        };
        Ok(not_consoles(survey.found)
            .into_iter()
            .filter(|found| found.kit.as_deref().is_some_and(wanted))
            .map(|found| Survivor {
                pid: Some(found.identity.pid),
                command: found.command,
                why: why.to_owned(),
            })
            .collect())
    }
}

/// The jobs that have a process at these participants.
fn jobs(found: &[Found], kits: &[Kit]) -> Vec<String> {
    let theirs = found.iter().filter(|found| {
        found.kind == Kind::Job && kits.iter().any(|kit| Some(&kit.dir) == found.kit.as_ref())
    });
    let jobs: BTreeSet<String> = theirs.filter_map(Found::job).collect();
    jobs.into_iter().collect()
}

fn not_consoles(mut found: Vec<Found>) -> Vec<Found> {
    found.retain(|found| found.kind != Kind::Console);
    found
}
