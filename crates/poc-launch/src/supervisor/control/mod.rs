//! The control socket: how other processes speak to a running supervisor.
//!
//! A Unix socket in the workspace, for its owner alone (mode 0600, and the peer's user is checked).
//! One JSON object a line each way. A Unix socket's address holds 108 bytes and a workspace's path can
//! be longer, so both sides reach the socket through a descriptor of its directory:
//! `/proc/self/fd/7/control.sock`.

mod client;
mod protocol;
mod server;

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;

use camino::Utf8PathBuf;
use poc_core::workspace::Workspace;
use rustix::fs::OFlags;

pub use client::{Client, Next};
pub use protocol::{Line, ParticipantSnapshot, ParticipantState, Reply, Request, Snapshot};
pub(crate) use server::{Connections, Listener};

/// The socket under a path that is short enough, whatever the workspace's is. Good for as long as
/// the directory is held.
struct ShortPath {
    directory: File,
    name: String,
}

impl ShortPath {
    fn of(workspace: &Workspace) -> io::Result<Self> {
        let socket = workspace.control_socket();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = File::options()
            .read(true)
            .custom_flags(i32::from_ne_bytes(flags.bits().to_ne_bytes()))
            .open(workspace.poc_dir())?;
        let name = socket.file_name().unwrap_or("control.sock").to_owned();
        Ok(Self { directory, name })
    }

    fn path(&self) -> Utf8PathBuf {
        Utf8PathBuf::from(format!(
            "/proc/self/fd/{}/{}",
            self.directory.as_raw_fd(),
            self.name
        ))
    }
}
