//! What is to be started, as one plain value.
//!
//! A [`LaunchPlan`] says all that the supervisor needs: for each participant its command line,
//! environment, directory, log and restart policy. It is built in one place ([`build()`]), handed on
//! whole, and written to the workspace, so that a dry run can print it and a test compare it.

mod build;
mod container;
mod environment;
mod quoting;

use std::collections::BTreeMap;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::gpu_offer::GpuOffer;
use poc_core::project::Role;
use poc_core::workspace::Kit;
use serde::{Deserialize, Serialize};

use crate::docker::Containers;

pub use build::{PlanRequest, SiteGpus, build, console, offers_gpus};
pub(crate) use build::{addresses, admin, services};

/// How participants become processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spawn {
    /// Forked where that works, else a Python of its own.
    #[default]
    Auto,
    /// A Python of its own, which works always.
    Exec,
    /// Forked from a Python that has imported NVFlare, or not started at all.
    Fork,
}

/// Everything that is to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchPlan {
    /// The workspace.
    pub workspace: Utf8PathBuf,
    /// The project's name.
    pub project: String,
    /// Where the sites connect, as `host:port`.
    pub server_address: String,
    /// Where the admins connect, as `host:port`.
    pub admin_address: String,
    /// The runtime: an absolute path, links left as they are (a virtual environment *is* its link).
    pub python: Utf8PathBuf,
    /// The version of NVFlare in it.
    pub flare_version: String,
    /// For admin commands; `None` where the project admin's kit is missing.
    pub admin: Option<AdminPlan>,
    /// For participants in containers.
    #[serde(default)]
    pub containers: Option<Containers>,
    /// The server first, then the sites in the project's order.
    pub participants: Vec<ParticipantPlan>,
}

impl LaunchPlan {
    /// The participant of that name.
    pub fn participant(&self, name: &str) -> Option<&ParticipantPlan> {
        self.participants
            .iter()
            .find(|participant| participant.name == name)
    }
}

/// As whom, and with which kit, admin commands are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminPlan {
    /// The user's name, an e-mail address.
    pub user: String,
    /// The user's startup kit.
    pub kit: Utf8PathBuf,
}

/// One participant to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantPlan {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// The command line; the first word is an absolute path.
    pub argv: Vec<String>,
    /// Variables set on top of the inherited environment.
    pub environment: BTreeMap<String, String>,
    /// Variables taken out of the inherited environment.
    pub unset: Vec<String>,
    /// Where it runs: its startup kit.
    pub directory: Utf8PathBuf,
    /// Where its standard output and error go.
    pub log: Utf8PathBuf,
    /// Its GPUs, for people and for JSON; `environment` holds what takes effect.
    pub gpus: Vec<String>,
    /// The GPUs that it is to offer to jobs; `None` where its kit is to stay as it is.
    #[serde(default)]
    pub offer: Option<GpuOffer>,
    /// How it becomes a process.
    #[serde(default)]
    pub spawn: Spawn,
    /// The name of the container that it runs in; `argv` is then what starts that.
    #[serde(default)]
    pub container: Option<String>,
    /// What happens when it dies.
    pub restart: RestartPolicy,
}

impl ParticipantPlan {
    /// The startup kit, for the paths in it.
    pub fn kit(&self) -> Kit {
        Kit {
            name: self.name.clone(),
            role: self.role,
            org: String::new(),
            dir: self.directory.clone(),
        }
    }

    /// A participant that was started by somebody else and is only watched and stopped: it cannot
    /// be started from this plan.
    pub(crate) fn foreign(name: &str, role: Role, kit: &Utf8Path) -> Self {
        Self {
            name: name.to_owned(),
            role,
            argv: Vec::new(),
            environment: BTreeMap::new(),
            unset: Vec::new(),
            directory: kit.to_owned(),
            log: kit.join("poc_console.log"),
            gpus: Vec::new(),
            offer: None,
            spawn: Spawn::Exec,
            container: None,
            restart: RestartPolicy::NEVER,
        }
    }
}

/// When a participant that died is started again, and when it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartPolicy {
    /// So many restarts within the window, and the next death is the last.
    pub limit: u32,
    /// The window in seconds.
    pub window_s: u32,
    /// The delay before the first restart, in milliseconds; it doubles with each further one.
    pub first_delay_ms: u32,
    /// The longest delay, in milliseconds.
    pub longest_delay_ms: u32,
}

impl RestartPolicy {
    /// No restart at all.
    pub const NEVER: Self = Self {
        limit: 0,
        window_s: 300,
        first_delay_ms: 0,
        longest_delay_ms: 0,
    };

    /// The window.
    pub const fn window(&self) -> Duration {
        Duration::from_secs(self.window_s as u64)
    }
}

impl Default for RestartPolicy {
    /// 5 restarts within 300 s, the numbers of NVFlare's own start scripts. Those wait 5 s each
    /// time; here the wait grows from half a second, so that a single crash costs little and a
    /// participant that cannot live does not burn a core.
    fn default() -> Self {
        Self {
            limit: 5,
            window_s: 300,
            first_delay_ms: 500,
            longest_delay_ms: 30_000,
        }
    }
}
