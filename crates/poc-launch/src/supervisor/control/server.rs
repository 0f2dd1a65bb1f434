//! The supervisor's side of the socket. Nothing here waits.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};

use poc_core::workspace::Workspace;
use rustix::event::PollFlags;
use rustix::net::sockopt::socket_peercred;
use serde::Serialize;

use super::ShortPath;

/// A longer request is none of ours.
const LONGEST_REQUEST: usize = 16 * 1024 * 1024;
/// Whoever does not read what it asked for is cut off.
const MOST_UNREAD: usize = 8 * 1024 * 1024;
/// More at a time would be a fault of somebody's.
const MOST_CONNECTIONS: usize = 256;

/// The listening socket. Removed when dropped.
pub(crate) struct Listener {
    place: ShortPath,
    listener: UnixListener,
}

impl Listener {
    /// Binds the workspace's socket. The caller holds the supervisor's lock, so a socket that is
    /// there is a leftover.
    pub(crate) fn bind(workspace: &Workspace) -> io::Result<Self> {
        let place = ShortPath::of(workspace)?;
        let path = place.path();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path.as_std_path())?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self { place, listener })
    }

    fn accept(&self) -> io::Result<Option<UnixStream>> {
        match self.listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                Ok(Some(stream))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Gone already where the workspace is.
        let _ = std::fs::remove_file(self.place.path());
    }
}

/// A connection.
pub(crate) struct Connection {
    /// Tells connections apart, those that are over included.
    pub(crate) id: u64,
    /// The process at the other end.
    pub(crate) peer: u32,
    /// Whether it wants to be told of every happening.
    pub(crate) watching: bool,
    stream: UnixStream,
    received: Vec<u8>,
    to_send: Vec<u8>,
    over: bool,
}

impl Connection {
    /// Queues a line.
    pub(crate) fn say(&mut self, line: &impl Serialize) {
        if let Ok(mut text) = serde_json::to_vec(line) {
            text.push(b'\n');
            self.to_send.extend(text);
            self.flush();
            self.over |= self.to_send.len() > MOST_UNREAD;
        }
    }

    /// What to wait for.
    pub(crate) fn interest(&self) -> PollFlags {
        if self.to_send.is_empty() {
            PollFlags::IN
        } else {
            PollFlags::IN | PollFlags::OUT
        }
    }

    /// Sends what can be sent now.
    pub(crate) fn flush(&mut self) {
        while !self.to_send.is_empty() && !self.over {
            match self.stream.write(&self.to_send) {
                Ok(0) => self.over = true,
                Ok(sent) => drop(self.to_send.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.over = true,
            }
        }
    }

    /// Whole lines that have come in.
    fn lines(&mut self) -> Vec<Vec<u8>> {
        let mut piece = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => {
                    self.over = true;
                    break;
                }
                Ok(length) => self.received.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.over = true;
                    break;
                }
            }
            self.over |= self.received.len() > LONGEST_REQUEST;
            if self.over {
                break;
            }
        }
        let mut lines = Vec::new();
        while let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
            lines.push(self.received.drain(..=end).collect());
        }
        lines
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// All connections.
#[derive(Default)]
pub(crate) struct Connections {
    all: Vec<Connection>,
    last_id: u64,
}

impl Connections {
    /// Takes in who knocked. Whoever is not this user (or root, who could do anything anyway) is
    /// turned away.
    pub(crate) fn accept(&mut self, listener: &Listener) -> io::Result<()> {
        while let Some(stream) = listener.accept()? {
            let peer = socket_peercred(&stream)?;
            let uid = peer.uid.as_raw();
            let welcome = uid == 0 || uid == rustix::process::geteuid().as_raw();
            if !welcome || self.all.len() >= MOST_CONNECTIONS {
                continue;
            }
            self.last_id += 1;
            self.all.push(Connection {
                id: self.last_id,
                peer: u32::try_from(peer.pid.as_raw_nonzero().get()).unwrap_or(0),
                watching: false,
                stream,
                received: Vec::new(),
                to_send: Vec::new(),
                over: false,
            });
        }
        Ok(())
    }

    /// Every connection, for waiting on.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.all.iter()
    }

    /// Requests that have come in, with the connection that they came by. Sends on the way what can
    /// be sent, and drops connections that are over.
    pub(crate) fn exchange(&mut self) -> Vec<(u64, Vec<u8>)> {
        let mut requests = Vec::new();
        for connection in &mut self.all {
            let id = connection.id;
            requests.extend(connection.lines().into_iter().map(|line| (id, line)));
            connection.flush();
        }
        self.all.retain(|connection| !connection.over);
        requests
    }

    /// The connection of that number, if it is still there.
    pub(crate) fn get(&mut self, id: u64) -> Option<&mut Connection> {
        self.all.iter_mut().find(|connection| connection.id == id)
    }

    /// Queues a line for everybody who watches.
    pub(crate) fn tell(&mut self, line: &impl Serialize) {
        for connection in self.all.iter_mut().filter(|connection| connection.watching) {
            connection.say(line);
        }
    }

    /// Waits a moment for what is still to be sent, before the end.
    pub(crate) fn finish(&mut self) {
        for connection in &mut self.all {
            let patience = std::time::Duration::from_millis(500);
            if connection.stream.set_nonblocking(false).is_ok()
                && connection.stream.set_write_timeout(Some(patience)).is_ok()
            {
                // Whoever does not listen any more misses the end.
                let _ = connection.stream.write_all(&connection.to_send);
            }
        }
        self.all.clear();
    }
}
