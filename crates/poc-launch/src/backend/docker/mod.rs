//! A container for each participant.
//!
//! `docker run` and what it takes to look into a container that ended are calls of some tenths of a
//! second, of which each has a thread; the supervisor's loop is woken through a pipe. A participant's
//! process is its container's init: with it ends everything in the container.

mod contained;
mod work;

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;

use self::contained::Contained;
use self::work::Work;
use super::Process;
use crate::docker::{Containers, start_container};
use crate::plan::ParticipantPlan;
use crate::process::Identity;

/// Starts containers.
pub(super) struct Boxes {
    work: Work<Came>,
}

/// What has come of a start.
struct Came {
    name: String,
    process: io::Result<Contained>,
}

impl Boxes {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { work: Work::new()? })
    }

    /// Starts a participant's container; [`Boxes::hear`] tells what came of it.
    pub(super) fn start(
        &mut self,
        containers: &Containers,
        participant: &ParticipantPlan,
        environment: &[(OsString, OsString)],
    ) -> io::Result<()> {
        let (containers, participant) = (containers.clone(), participant.clone());
        let environment = environment.to_vec();
        let busy = self.work.busy();
        self.work.begin(move || Came {
            process: start_container(&containers, &participant, &environment)
                .map_err(io::Error::from)
                .and_then(|identity| {
                    Contained::take(&containers, &participant, &identity, busy)?
                        .ok_or_else(|| io::Error::other("its container ended at once"))
                }),
            name: participant.name,
        })
    }

    /// Takes hold of a container that an earlier supervisor had started; `None` where it has ended.
    pub(super) fn adopt(
        &self,
        containers: &Containers,
        participant: &ParticipantPlan,
        identity: &Identity,
    ) -> io::Result<Option<Box<dyn Process>>> {
        let taken = Contained::take(containers, participant, identity, self.work.busy())?;
        Ok(taken.map(boxed))
    }

    /// The participants whose start is through.
    pub(super) fn hear(&mut self) -> Vec<(String, io::Result<Box<dyn Process>>)> {
        let came = self.work.hear().into_iter();
        came.map(|came| (came.name, came.process.map(boxed)))
            .collect()
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.work.fd()
    }

    /// Whether a call is under way: its process is a child of this one that must not be reaped by
    /// anybody else.
    pub(super) fn is_busy(&self) -> bool {
        self.work.is_busy()
    }
}

fn boxed(contained: Contained) -> Box<dyn Process> {
    Box::new(contained)
}
