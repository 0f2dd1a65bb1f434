//! project.yml: who takes part in a federation.

mod builder;
mod default;
pub mod names;
mod participant;
mod role;
mod study;

use std::collections::BTreeMap;

use camino::Utf8Path;

pub use builder::{Builder, BuilderKind};
pub use participant::{
    Admin, Capacity, Client, ConnectTo, Extra, Kind, Participant, Relay, Server,
};
pub use role::{Role, RoleError};
pub use study::Study;

use crate::Error;
use crate::version::Line;
pub use crate::yaml::Value;

/// NVFlare's own port for the sites.
pub const DEFAULT_FED_LEARN_PORT: u16 = 8002;

/// NVFlare's own port for the admins, up to 2.6 (from 2.7 on they share the sites' port).
pub const DEFAULT_ADMIN_PORT: u16 = 8003;

/// The role of the one admin that a POC cannot do without.
pub const PROJECT_ADMIN: &str = "project_admin";

/// A project: what project.yml says. It always has exactly one server and one project admin, and
/// every name in it has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    /// 3, or 4 for a project with studies.
    pub api_version: u32,
    /// The name: of the directory beside project.yml, and of the certificate authority.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Studies by name.
    pub studies: BTreeMap<String, Study>,
    /// The image for participants in containers.
    pub docker_image: Option<String>,
    /// Whether the kits hold keys for homomorphic encryption.
    pub he: bool,
    /// Further keys, kept as they are.
    pub extra: Extra,
    participants: Vec<Participant>,
    /// Where in `participants` the server is.
    server: usize,
    /// Where in `participants` the project admin is.
    project_admin: usize,
    builders: Vec<Builder>,
}

/// A project as read, with what looked odd but did not stop it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The project.
    pub project: Project,
    /// Unknown keys and the like, each with its line.
    pub warnings: Vec<String>,
}

impl Project {
    /// Every participant, in the order of the file.
    pub fn participants(&self) -> &[Participant] {
        &self.participants
    }

    /// The builders, in the order of the file.
    pub fn builders(&self) -> &[Builder] {
        &self.builders
    }

    /// The server.
    pub fn server(&self) -> &Participant {
        &self.participants[self.server]
    }

    /// The project admin.
    pub fn project_admin(&self) -> &Participant {
        &self.participants[self.project_admin]
    }

    /// What the server has beyond a name.
    pub fn server_spec(&self) -> &Server {
        todo!()
    }

    /// Sites.
    pub fn clients(&self) -> impl Iterator<Item = &Participant> {
        self.participants
            .iter()
            .filter(|participant| participant.role() == Role::Client)
    }

    /// Admins.
    pub fn admins(&self) -> impl Iterator<Item = &Participant> {
        self.participants
            .iter()
            .filter(|participant| participant.role() == Role::Admin)
    }

    /// Relays.
    pub fn relays(&self) -> impl Iterator<Item = &Participant> {
        self.participants
            .iter()
            .filter(|participant| participant.role() == Role::Relay)
    }

    /// The participant of that name.
    pub fn find(&self, name: &str) -> Option<&Participant> {
        self.participants
            .iter()
            .find(|participant| participant.name == name)
    }

    /// Where the sites connect.
    pub fn fed_learn_port(&self) -> u16 {
        self.server_spec().fed_learn_port
    }

    /// Where the admins connect.
    pub fn admin_port(&self, line: Line) -> u16 {
        let spec = self.server_spec();
        spec.admin_port.unwrap_or(if line <= Line::V2_6 {
            DEFAULT_ADMIN_PORT
        } else {
            spec.fed_learn_port
        })
    }

    /// Sets the server's ports.
    pub fn set_ports(&mut self, fed_learn: u16, admin: Option<u16>) {
        let _ = (fed_learn, admin);
        todo!()
    }

    /// Reads project.yml.
    pub fn load(path: &Utf8Path) -> Result<Loaded, Error> {
        Self::parse(&fs_err::read_to_string(path)?, path)
    }

    /// Reads the text of a project.yml; `path` is for messages.
    pub fn parse(text: &str, path: &Utf8Path) -> Result<Loaded, Error> {
        let _ = (text, path);
        todo!()
    }

    /// The text of project.yml, as NVFlare of that line reads it.
    pub fn to_yaml(&self, line: Line) -> String {
        let _ = line;
        todo!()
    }
}
