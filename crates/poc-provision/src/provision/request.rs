//! What is asked for, what is told on the way, what comes of it.

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::project::Project;
use poc_core::workspace::{Kit, Workspace};
use poc_core::{Cancel, Line, Listen};

/// What to provision, and where.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Who takes part.
    pub project: &'a Project,
    /// Where the POC goes. The lock given to [`provision`](crate::provision()) must be this one's.
    pub workspace: &'a Workspace,
    /// The line of NVFlare that the kits are for.
    pub line: Line,
    /// The exact version of the runtime, where there is one: releases of a line differ in where they can
    /// listen. It is kept in the manifest.
    pub flare_version: Option<String>,
    /// On which addresses the server listens.
    pub listen: Listen,
    /// Whether a POC that is there already may be replaced.
    pub replace: bool,
    /// The project file that the user named. A workspace that holds it is not replaced.
    pub input: Option<&'a Utf8Path>,
    /// Whether the new kits are to be trusted by the old ones: the certificate authority of the POC
    /// that is replaced goes on, with new keys for the participants.
    pub keep_ca: bool,
    /// A directory to link as the project admin's transfer directory.
    pub examples: Option<&'a Utf8Path>,
    /// Asks for a stop.
    pub cancel: &'a Cancel,
}

impl<'a> Request<'a> {
    /// A request that replaces nothing and listens on this machine alone, for the newest line.
    pub fn new(project: &'a Project, workspace: &'a Workspace, cancel: &'a Cancel) -> Self {
        Self {
            project,
            workspace,
            line: Line::NEWEST,
            flare_version: None,
            listen: Listen::Loopback,
            replace: false,
            input: None,
            keep_ca: false,
            examples: None,
            cancel,
        }
    }
}

/// What happens while a POC is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An earlier run was interrupted at a bad moment, and what it left has been put in order.
    Recovered {
        /// What was done.
        what: String,
    },
    /// The certificate authority goes on.
    KeptAuthority {
        /// Until when it is valid, RFC 3339.
        until: String,
    },
    /// Another key is made.
    Keys {
        /// How many there are.
        done: usize,
        /// How many there will be.
        total: usize,
    },
    /// A participant's kit is written.
    Kit {
        /// The participant.
        name: String,
    },
    /// The new workspace is in place; from here on nothing is undone.
    Swapped,
    /// The old workspace held files that `prepare` did not write, and has been kept.
    KeptPrevious {
        /// Where.
        path: Utf8PathBuf,
    },
    /// Something that the user should know.
    Warning(String),
}

/// A POC that has been made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// Where the kits lie.
    pub prod_dir: Utf8PathBuf,
    /// The kits, in the project's order.
    pub kits: Vec<Kit>,
    /// When the first of the certificates expires, RFC 3339.
    pub certificates_until: String,
    /// Where the old workspace has been kept, if it was.
    pub previous: Option<Utf8PathBuf>,
    /// Files and directories of the old workspace that `prepare` had not written, relative to it.
    pub foreign_files: Vec<Utf8PathBuf>,
    /// The port for sites.
    pub fed_learn_port: u16,
    /// The port for admins.
    pub admin_port: u16,
    /// The host that sites and admins connect to.
    pub server_host: String,
    /// Where the server will listen. NVFlare up to 2.8.1 always listens on every interface.
    pub listens: Listen,
}
