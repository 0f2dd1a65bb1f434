//! A startup kit on disk.

use camino::Utf8PathBuf;

use crate::project::Role;

/// A participant's startup kit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kit {
    /// The participant.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its organisation.
    pub org: String,
    /// The kit's directory, absolute.
    pub dir: Utf8PathBuf,
}

impl Kit {
    /// Certificates, role file, scripts.
    pub fn startup(&self) -> Utf8PathBuf {
        self.dir.join("startup")
    }

    /// The file in `startup` that NVFlare starts the participant from.
    pub fn role_file(&self) -> Utf8PathBuf {
        self.startup().join(format!("fed_{}.json", self.role))
    }

    /// Resources, authorization, logging.
    pub fn local(&self) -> Utf8PathBuf {
        self.dir.join("local")
    }

    /// What admins upload from and download to.
    pub fn transfer(&self) -> Utf8PathBuf {
        self.dir.join("transfer")
    }

    /// The participant's process ID while it runs.
    pub fn pid_file(&self) -> Utf8PathBuf {
        self.dir.join("pid.fl")
    }

    /// Its supervisor's process ID.
    pub fn daemon_pid_file(&self) -> Utf8PathBuf {
        self.dir.join("daemon_pid.fl")
    }

    /// Asks for a stop.
    pub fn shutdown_file(&self) -> Utf8PathBuf {
        self.dir.join("shutdown.fl")
    }

    /// Asks for a restart.
    pub fn restart_file(&self) -> Utf8PathBuf {
        self.dir.join("restart.fl")
    }

    /// What the participant prints.
    pub fn console_log(&self) -> Utf8PathBuf {
        self.dir.join("poc_console.log")
    }
}
