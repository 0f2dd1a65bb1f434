//! The embedding API: one prepared POC as something that can be started, looked at and stopped.

mod admin;
mod events;
mod foreground;
mod start;
mod status;
mod stop;
mod survey;
mod wait;

use std::io;
use std::time::Duration;

use camino::Utf8PathBuf;
use poc_core::Cancel;
use poc_core::workspace::Prepared;

pub use self::events::LaunchEvent;
pub use self::start::{StartOptions, Started};
pub use self::status::{Console, ParticipantStatus, PocState, Status};
pub use self::stop::{StopOptions, Stopped, Survivor};

use crate::Error;
use crate::plan::services;
use crate::supervisor::control::{Client, Next, Reply, Request};
use crate::supervisor::event_log;

/// For an answer that the supervisor gives at once.
const ANSWER: Duration = Duration::from_secs(5);

/// The server and sites of a prepared POC.
///
/// Cheap to make; it holds nothing. Every method looks at what is there now, so several programs can
/// use one POC at the same time.
#[derive(Clone, Debug)]
pub struct Federation {
    prepared: Prepared,
}

impl Federation {
    /// The federation of a prepared POC, running or not.
    pub fn open(prepared: &Prepared) -> Self {
        Self {
            prepared: prepared.clone(),
        }
    }

    /// Names and console logs, for reading. No names: everybody's, the server's first.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownParticipant`].
    pub fn log_files(&self, names: &[String]) -> Result<Vec<(String, Utf8PathBuf)>, Error> {
        self.check_names(names)?;
        Ok(services(&self.prepared)
            .into_iter()
            .filter(|kit| names.is_empty() || names.contains(&kit.name))
            .map(|kit| (kit.name.clone(), kit.console_log()))
            .collect())
    }

    /// What happened so far, oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], with the path.
    pub fn events(&self) -> Result<Vec<event_log::Entry>, Error> {
        Ok(event_log::read(&self.prepared.workspace.events_file())?)
    }

    /// Passes everything that happens on to `events` until the supervisor leaves (`Ok`) or `cancel` is
    /// set.
    ///
    /// # Errors
    ///
    /// [`Error::SupervisorUnreachable`] where no supervisor runs, [`Error::Interrupted`].
    pub fn watch(&self, cancel: &Cancel, events: &mut dyn FnMut(LaunchEvent)) -> Result<(), Error> {
        let mut client = self.client()?;
        match client.ask(&Request::Watch {}, ANSWER)? {
            Reply::Status(_) => {}
            other => return Err(unexpected(&other)),
        }
        loop {
            let deadline = std::time::Instant::now() + Duration::from_secs(3600);
            match client.next(deadline, cancel)? {
                Next::Happening(happening) => {
                    self.pass_on(happening, events);
                }
                Next::Nothing => {}
                Next::TheEnd => return Ok(()),
            }
        }
    }

    /// Stops one participant and starts it again, through the running supervisor. Returns once that is
    /// under way.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownParticipant`], [`Error::SupervisorUnreachable`].
    pub fn restart(&self, name: &str) -> Result<(), Error> {
        self.check_names(std::slice::from_ref(&name.to_owned()))?;
        let name = name.to_owned();
        match self.client()?.ask(&Request::Restart { name }, ANSWER)? {
            Reply::Accepted => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn client(&self) -> Result<Client, Error> {
        Client::connect(&self.prepared.workspace)?.ok_or_else(|| Error::SupervisorUnreachable {
            reason: "it does not run".to_owned(),
        })
    }

    fn check_names(&self, names: &[String]) -> Result<(), Error> {
        let known: Vec<String> = services(&self.prepared)
            .into_iter()
            .map(|kit| kit.name)
            .collect();
        match names.iter().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(unknown) => Err(Error::UnknownParticipant {
                name: unknown.clone(),
                known,
            }),
        }
    }
}

fn unexpected(reply: &Reply) -> Error {
    let reason = match reply {
        Reply::NotUnderstood(reason) => format!("it is of another version ({reason})"),
        _ => "it answered something else".to_owned(),
    };
    Error::Io(io::Error::other(format!("the supervisor: {reason}")))
}
