//! The supervisor: one process a workspace that starts participants, watches them and ends them.
//!
//! Its core is [`step`], a pure function from a state and an event to a state and actions; `driver` is
//! the loop around it that has processes, files and a clock. Others speak to it through the
//! [`control`] socket, and what it does is written to the [`event_log`].
//!
//! It detaches itself completely ([`main`]): a session of its own, `/` as its directory, and no
//! descriptor of whoever started it, so that a `poc start` in a pipe or a notebook returns.
//!
//! Killed, it takes nobody with it: participants write their logs themselves, and the next supervisor
//! takes them over by what this one recorded.

pub mod control;
mod detach;
mod driver;
pub mod event_log;
mod happening;
#[cfg(test)]
mod history;
mod instance;
mod restart;
#[cfg(test)]
mod simulation;
mod state;
mod step;

pub use detach::main;
pub(crate) use detach::spawn;
pub(crate) use driver::Record;
pub use happening::Happening;
pub(crate) use instance::{PARTICIPANT, load as load_instance, of_participant};
pub use state::{Action, Entry, Event, Refusal, RequestFile, State};
pub use step::step;

use crate::Error;
use crate::plan::LaunchPlan;

/// Supervises in this process: starts the plan's participants as far as they do not run, and returns
/// when everything has ended, with the processes that could not be ended. `observer` is told of
/// everything that happens. SIGTERM, SIGINT and SIGHUP, `stop_asked` and a request through the control
/// socket bring about an orderly end.
///
/// While it runs, this process is a child subreaper and its ended children that nobody here knows of
/// are reaped: an embedding program must not have children of its own at the same time.
pub(crate) fn run_here(
    plan: LaunchPlan,
    stop_asked: &dyn Fn() -> bool,
    observer: &mut dyn FnMut(&Happening),
) -> Result<Vec<u32>, Error> {
    let was_subreaper = rustix::process::child_subreaper().ok().flatten();
    let mut driver = driver::Driver::open(plan, observer)?;
    driver.start_all();
    let survivors = driver.run(Some(stop_asked));
    // As it was before; where that fails nothing depends on it any more.
    let _ = rustix::process::set_child_subreaper(was_subreaper);
    survivors
}
