//! Docker, through its command line: the engine, images, networks, and the containers of one POC.
//!
//! Every call has a deadline, since a daemon can hang, and an error has the daemon's own words. Which
//! containers and networks are a POC's is told by their labels ([`poc_core::docker`]), and nothing else
//! is touched. Podman works through the same command where `DOCKER_HOST` names its socket.

mod command;
mod containers;
mod engine;
mod participant;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

pub use containers::{Container, Containers};
pub(crate) use engine::Engine;
pub(crate) use participant::{conclude as conclude_container, start as start_container};

/// The `docker` command, and whom it speaks to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Docker {
    /// The command, an absolute path.
    pub program: Utf8PathBuf,
    /// The daemon's socket on this machine, without links. Containers that start others get it too.
    pub socket: Utf8PathBuf,
}

/// The variable by which docker's own command line is told whom to speak to.
pub(crate) const DOCKER_HOST: &str = "DOCKER_HOST";

impl Docker {
    /// The daemon as `DOCKER_HOST` has it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket)
    }
}
