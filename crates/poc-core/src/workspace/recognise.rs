//! What a directory is, before anything is done to it.

use camino::Utf8PathBuf;

use super::{Kit, Manifest, Workspace};
use crate::Error;
use crate::project::{Participant, Project, Role};
use crate::version::Line;

/// What lies at a workspace's path.
#[derive(Debug)]
pub enum Recognised {
    /// Nothing.
    Absent,
    /// An empty directory.
    Empty,
    /// A prepared POC, ours or NVFlare's own.
    Poc(Box<Prepared>),
    /// A POC by its kits, but damaged: project.yml does not read, or a part is missing.
    Broken {
        /// What is wrong.
        error: Error,
    },
    /// Something else, which `poc` must leave alone.
    Foreign {
        /// How that was told.
        reason: String,
    },
}

/// A prepared POC.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// Where.
    pub workspace: Workspace,
    /// The project as provisioned.
    pub project: Project,
    /// What `poc prepare` wrote; `None` where NVFlare itself made it.
    pub manifest: Option<Manifest>,
    /// Where the kits lie.
    pub prod_dir: Utf8PathBuf,
    /// The line that the kits are for: the manifest's, else judged by what is in the kits.
    pub line: Option<Line>,
}

impl Workspace {
    /// Looks at what is there.
    pub fn recognise(&self) -> Result<Recognised, Error> {
        todo!()
    }

    /// The prepared POC.
    pub fn load(&self) -> Result<Prepared, Error> {
        todo!()
    }
}

impl Prepared {
    /// Every kit that exists, in the project's order.
    pub fn kits(&self) -> Vec<Kit> {
        self.project
            .participants()
            .iter()
            .map(|participant| self.kit_of(participant))
            .filter(|kit| kit.dir.is_dir())
            .collect()
    }

    /// The kit of that participant.
    pub fn kit(&self, name: &str) -> Option<Kit> {
        self.kits().into_iter().find(|kit| kit.name == name)
    }

    /// The server's kit.
    pub fn server_kit(&self) -> Kit {
        self.kit_of(self.project.server())
    }

    /// The project admin's kit.
    pub fn project_admin_kit(&self) -> Kit {
        self.kit_of(self.project.project_admin())
    }

    /// The sites' kits.
    pub fn client_kits(&self) -> Vec<Kit> {
        self.kits()
            .into_iter()
            .filter(|kit| kit.role == Role::Client)
            .collect()
    }

    /// The admins' kits.
    pub fn admin_kits(&self) -> Vec<Kit> {
        self.kits()
            .into_iter()
            .filter(|kit| kit.role == Role::Admin)
            .collect()
    }

    fn kit_of(&self, participant: &Participant) -> Kit {
        Kit {
            name: participant.name.clone(),
            role: participant.role(),
            org: participant.org.clone(),
            dir: self.prod_dir.join(&participant.name),
        }
    }
}
