//! The other side of the socket.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use poc_core::Cancel;
use poc_core::workspace::Workspace;
use rustix::event::{PollFd, PollFlags};

use super::{Line, Reply, Request, ShortPath};
use crate::Error;
use crate::process::poll_until;
use crate::supervisor::Happening;

/// How soon a cancelled wait is noticed.
const CANCEL: Duration = Duration::from_millis(50);

/// A connection to a running supervisor.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    received: Vec<u8>,
    /// Happenings that came while a reply was waited for.
    earlier: std::collections::VecDeque<Happening>,
}

impl Client {
    /// Connects to the workspace's supervisor; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`Error::SupervisorUnreachable`] where there is one that cannot be spoken to.
    pub fn connect(workspace: &Workspace) -> Result<Option<Self>, Error> {
        let connected = ShortPath::of(workspace)
            .and_then(|place| UnixStream::connect(place.path().as_std_path()));
        match connected {
            Ok(stream) => Ok(Some(Self {
                stream,
                received: Vec::new(),
                earlier: std::collections::VecDeque::new(),
            })),
            Err(error) if is_nobody(&error) => Ok(None),
            Err(error) => Err(unreachable(&error)),
        }
    }

    /// Every request is sent by [`Client::ask`]: an answer that nobody waits for would be taken for the
    /// answer to the next one.
    fn send(&mut self, request: &Request) -> Result<(), Error> {
        let mut line = serde_json::to_vec(request).map_err(io::Error::from)?;
        line.push(b'\n');
        self.stream
            .write_all(&line)
            .map_err(|error| unreachable(&error))
    }

    /// Sends a request and waits for its answer. Happenings that come in between are kept.
    ///
    /// # Errors
    ///
    /// [`Error::SupervisorUnreachable`] where none comes within `limit`.
    pub fn ask(&mut self, request: &Request, limit: Duration) -> Result<Reply, Error> {
        self.send(request)?;
        let deadline = Instant::now() + limit;
        loop {
            match self.read_line(deadline, None)? {
                Heard::Line(Line::Reply(reply)) => return Ok(reply),
                Heard::Line(Line::Happening(happening)) => self.earlier.push_back(happening),
                Heard::Nothing => {
                    let reason = format!("it did not answer within {} s", limit.as_secs_f64());
                    return Err(Error::SupervisorUnreachable { reason });
                }
                Heard::TheEnd => {
                    let reason = "it went away".to_owned();
                    return Err(Error::SupervisorUnreachable { reason });
                }
            }
        }
    }

    /// The next happening, after [`Request::Watch`].
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] once `cancel` is set.
    pub fn next(&mut self, deadline: Instant, cancel: &Cancel) -> Result<Next, Error> {
        if let Some(happening) = self.earlier.pop_front() {
            return Ok(Next::Happening(happening));
        }
        loop {
            match self.read_line(deadline, Some(cancel))? {
                Heard::Line(Line::Happening(happening)) => return Ok(Next::Happening(happening)),
                // One that came too late.
                Heard::Line(Line::Reply(_)) => {}
                Heard::Nothing => return Ok(Next::Nothing),
                Heard::TheEnd => return Ok(Next::TheEnd),
            }
        }
    }

    fn read_line(&mut self, deadline: Instant, cancel: Option<&Cancel>) -> Result<Heard, Error> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                // A line of a newer supervisor that says something unknown is passed over.
                match serde_json::from_slice(&line) {
                    Ok(line) => return Ok(Heard::Line(line)),
                    Err(_) => continue,
                }
            }
            if let Some(cancel) = cancel {
                cancel.check()?;
            }
            let soon = match cancel {
                Some(_) => deadline.min(Instant::now() + CANCEL),
                None => deadline,
            };
            let mut fds = [PollFd::new(&self.stream, PollFlags::IN)];
            if !poll_until(&mut fds, soon)? {
                if Instant::now() >= deadline {
                    return Ok(Heard::Nothing);
                }
                continue;
            }
            let mut piece = [0; 16 * 1024];
            match self.stream.read(&mut piece) {
                Ok(0) => return Ok(Heard::TheEnd),
                Ok(length) => self.received.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok(Heard::TheEnd);
                }
                Err(error) => return Err(unreachable(&error)),
            }
        }
    }
}

enum Heard {
    Line(Line),
    Nothing,
    TheEnd,
}

/// What a wait for a happening came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Something happened.
    Happening(Happening),
    /// Nothing did until the deadline.
    Nothing,
    /// The supervisor has gone.
    TheEnd,
}

/// No directory, no socket, or nobody behind it.
fn is_nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory
    )
}

fn unreachable(error: &io::Error) -> Error {
    Error::SupervisorUnreachable {
        reason: error.to_string(),
    }
}
