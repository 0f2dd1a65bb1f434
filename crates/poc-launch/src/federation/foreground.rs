//! Supervising in the caller's own process.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use super::survey::Survey;
use super::{Federation, LaunchEvent, StartOptions, Stopped, Survivor};
use crate::Error;
use crate::logs;
use crate::plan::LaunchPlan;
use crate::supervisor::{Happening, run_here};

impl Federation {
    /// Starts the plan's participants and supervises them in this process until `options.cancel` is
    /// set, a SIGTERM, SIGINT or SIGHUP comes, or another process asks for a stop; then stops
    /// everything in order. `options.wait`, `timeout` and `supervisor` do not matter here.
    ///
    /// Meanwhile other processes can do all that they can do with a detached supervisor. The calling
    /// program must not have children of its own at the same time: it becomes a child subreaper.
    ///
    /// # Errors
    ///
    /// As [`Federation::start`].
    pub fn run_in_foreground(
        &self,
        plan: LaunchPlan,
        options: &StartOptions<'_>,
        events: &mut dyn FnMut(LaunchEvent),
    ) -> Result<Stopped, Error> {
        let now = std::time::Instant::now();
        let lock = self.lock(
            now + std::time::Duration::from_secs(30),
            options.cancel,
            events,
        )?;
        let survey = Survey::look(&self.prepared)?;
        if let Some(pid) = survey
            .supervisor
            .as_ref()
            .map(|it| it.supervisor)
            .or(survey.silent)
        {
            return Err(Error::Core(poc_core::Error::Busy {
                workspace: self.prepared.workspace.root().to_owned(),
                holder: Some(pid),
            }));
        }
        let selection = Self::select(&plan, &survey, options.named)?;
        self.make_way(&selection, &survey, &plan, events)?;
        let plan = self.plan_for(plan, &survey, &selection.missing);
        let names: Vec<String> = plan.participants.iter().map(|it| it.name.clone()).collect();
        let unready = RefCell::new(names.iter().cloned().collect::<BTreeSet<_>>());
        let failure: RefCell<Option<Error>> = RefCell::new(None);
        let aborted_jobs = RefCell::new(Vec::new());
        let lock = Cell::new(Some(lock));
        let mut observer = |happening: &Happening| {
            match happening {
                // The supervisor's own lock is held from here on.
                Happening::Started { .. } | Happening::Adopted { .. } => drop(lock.take()),
                // An end that was asked for is no failure to start.
                Happening::Ready { name } | Happening::Stopping { name, .. } => {
                    unready.borrow_mut().remove(name);
                }
                Happening::Exited {
                    name, status, tail, ..
                } if unready.borrow().contains(name) => {
                    note(&failure, name, status, tail);
                }
                Happening::StartFailed { name, error } => note(&failure, name, error, &[]),
                Happening::JobsAborted { ids, .. } => {
                    aborted_jobs.borrow_mut().extend(ids.iter().cloned());
                }
                _ => {}
            }
            self.pass_on(happening.clone(), events);
        };
        let stop_asked = || options.cancel.is_cancelled() || failure.borrow().is_some();
        let survivors = run_here(plan, &stop_asked, &mut observer)?;
        if let Some(error) = failure.take() {
            return Err(error);
        }
        let survivors: Vec<Survivor> = survivors
            .into_iter()
            .map(|pid| Survivor {
                pid: Some(pid),
                command: String::new(),
                why: "it did not end after SIGKILL".to_owned(),
            })
            .collect();
        Ok(Stopped {
            interrupted_jobs: Vec::new(),
            stopped: names,
            aborted_jobs: aborted_jobs.take(),
            survivors,
            consoles: Survey::look(&self.prepared)?.consoles(),
            nothing_ran: false,
            remaining: Vec::new(),
        })
    }
}

/// A participant died before it was up: the first such death is why everything ends.
fn note(failure: &RefCell<Option<Error>>, name: &str, status: &str, tail: &[String]) {
    let reason = logs::reason_in(tail, tail.len());
    failure
        .borrow_mut()
        .get_or_insert_with(|| Error::StartFailed {
            name: name.to_owned(),
            status: status.to_owned(),
            cause: reason.cause,
            tail: reason.tail,
        });
}
