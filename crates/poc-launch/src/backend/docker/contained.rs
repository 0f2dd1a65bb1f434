//! A container as a process.

use std::io::{self, PipeReader};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustix::process::Signal;

use super::work::Busy;
use crate::backend::Process;
use crate::docker::{Containers, conclude_container};
use crate::plan::ParticipantPlan;
use crate::process::{Handle, Identity};

/// The init process of a running container.
pub(super) struct Contained {
    handle: Handle,
    containers: Containers,
    participant: ParticipantPlan,
    busy: Busy,
    /// Once it has ended, docker is asked how.
    inquest: Option<Inquest>,
}

struct Inquest {
    /// Closed when the answer is there.
    over: PipeReader,
    answer: Arc<OnceLock<String>>,
}

impl Contained {
    pub(super) fn take(
        containers: &Containers,
        participant: &ParticipantPlan,
        identity: &Identity,
        busy: Busy,
    ) -> io::Result<Option<Self>> {
        Ok(Handle::open(identity)?.map(|handle| Self {
            handle,
            containers: containers.clone(),
            participant: participant.clone(),
            busy,
            inquest: None,
        }))
    }

    fn ask(&self) -> io::Result<Inquest> {
        let (over, done) = io::pipe()?;
        let answer = Arc::new(OnceLock::new());
        let (containers, participant) = (self.containers.clone(), self.participant.clone());
        let (told, call) = (Arc::clone(&answer), self.busy.begin());
        std::thread::Builder::new()
            .name("docker".to_owned())
            .spawn(move || {
                let _ = told.set(conclude_container(&containers, &participant));
                drop(call);
                drop(done);
            })?;
        Ok(Inquest { over, answer })
    }
}

impl Process for Contained {
    fn pid(&self) -> u32 {
        self.handle.identity().pid
    }

    fn ended_fd(&self) -> BorrowedFd<'_> {
        match &self.inquest {
            None => self.handle.as_fd(),
            Some(inquest) => inquest.over.as_fd(),
        }
    }

    /// The init hands SIGTERM on to the program; SIGKILL takes the whole container.
    fn signal(&self, kill: bool) -> io::Result<()> {
        let signals: &[Signal] = if kill {
            &[Signal::KILL]
        } else {
            &[Signal::TERM, Signal::CONT]
        };
        for signal in signals {
            self.handle.send(*signal)?;
        }
        Ok(())
    }

    fn ended(&mut self) -> io::Result<Option<String>> {
        if let Some(inquest) = &self.inquest {
            return Ok(inquest.answer.get().cloned());
        }
        if self.handle.wait(Instant::now())? {
            self.inquest = Some(self.ask()?);
        }
        Ok(None)
    }
}
