//! project.yml: who takes part in a federation.
//!
//! A [`Project`] is what the file says, checked: exactly one server and one project admin, names that
//! NVFlare takes and that are safe to make directories of, ports in range. Reading names every
//! problem at once with its line; keys that `poc` does not know are kept and warned about. Writing
//! gives the file that NVFlare itself would write.

mod builder;
mod builder_args;
mod check;
mod default;
mod fields;
mod hierarchy;
pub mod names;
mod of_kits;
mod participant;
mod read;
mod role;
mod study;
mod write;

use std::collections::BTreeMap;

pub use builder::{Builder, BuilderKind};
pub use participant::{
    Admin, Capacity, Client, ConnectTo, Extra, Kind, ListeningHost, Participant, Relay, Server,
};
pub use role::{Role, RoleError};
pub use study::Study;

use crate::error::{Error, Problem};
use crate::version::Line;
use crate::yaml::Place;
pub use crate::yaml::Value;
use check::{Fault, Members, is_project_admin};

/// NVFlare's own port for the sites.
pub const DEFAULT_FED_LEARN_PORT: u16 = 8002;

/// NVFlare's own port for the admins, up to 2.6 (from 2.7 on they share the sites' port).
pub const DEFAULT_ADMIN_PORT: u16 = 8003;

/// The role of the one admin that a POC cannot do without.
pub const PROJECT_ADMIN: &str = "project_admin";

/// A project: what project.yml says. It always has exactly one server and one project admin, and
/// every participant in it has been checked.
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
    /// The network that these containers share, from NVFlare 2.8 on.
    pub docker_network: Option<String>,
    /// Whether the kits hold keys for homomorphic encryption.
    pub he: bool,
    /// Further keys, kept as they are.
    pub extra: Extra,
    participants: Vec<Participant>,
    /// Where in `participants` the server is.
    server: usize,
    /// Where in `participants` the project admin is.
    lead_admin: usize,
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

    /// The builders that the file names, in its order; none means the line's own.
    pub fn builders(&self) -> &[Builder] {
        &self.builders
    }

    /// The server.
    pub fn server(&self) -> &Participant {
        &self.participants[self.server]
    }

    /// The project admin.
    pub fn project_admin(&self) -> &Participant {
        &self.participants[self.lead_admin]
    }

    /// What the server has beyond a name.
    pub fn server_spec(&self) -> &Server {
        match &self.server().kind {
            Kind::Server(server) => server,
            _ => unreachable!("`server` is where the server is"),
        }
    }

    fn server_spec_mut(&mut self) -> &mut Server {
        match &mut self.participants[self.server].kind {
            Kind::Server(server) => server,
            _ => unreachable!("`server` is where the server is"),
        }
    }

    /// The sites.
    pub fn clients(&self) -> impl Iterator<Item = &Participant> {
        self.of_role(Role::Client)
    }

    /// The admins, the project admin among them.
    pub fn admins(&self) -> impl Iterator<Item = &Participant> {
        self.of_role(Role::Admin)
    }

    /// The relays.
    pub fn relays(&self) -> impl Iterator<Item = &Participant> {
        self.of_role(Role::Relay)
    }

    fn of_role(&self, role: Role) -> impl Iterator<Item = &Participant> {
        self.participants
            .iter()
            .filter(move |participant| participant.role() == role)
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

    /// Where the admins connect: what the file says, else 8003 up to NVFlare 2.6 and the sites' port
    /// from 2.7 on.
    pub fn admin_port(&self, line: Line) -> u16 {
        let server = self.server_spec();
        server.admin_port.unwrap_or(if line <= Line::V2_6 {
            DEFAULT_ADMIN_PORT
        } else {
            server.fed_learn_port
        })
    }

    /// Sets the server's ports; without an `admin` port the line's default applies.
    pub fn set_ports(&mut self, fed_learn: u16, admin: Option<u16>) {
        let server = self.server_spec_mut();
        server.fed_learn_port = fed_learn;
        server.admin_port = admin;
    }

    /// Sets the host name by which the server is reached. A POC sets `localhost`, whatever the file
    /// says, as NVFlare does.
    pub fn set_default_host(&mut self, host: impl Into<String>) {
        self.server_spec_mut().default_host = Some(host.into());
    }

    /// Adds a participant, last.
    ///
    /// # Errors
    ///
    /// [`Error::ProjectImpossible`] where its name or another property cannot be; the project is then
    /// as it was.
    pub fn add(&mut self, participant: Participant) -> Result<(), Error> {
        let mut parts = Parts::from(self.clone());
        parts.participants.push(participant);
        *self = parts.assemble_or_error()?;
        Ok(())
    }

    /// Takes a participant out, also out of the studies; `None` where there is none of that name.
    ///
    /// # Errors
    ///
    /// [`Error::ProjectImpossible`] for the server and the project admin, which a POC needs.
    pub fn remove(&mut self, name: &str) -> Result<Option<Participant>, Error> {
        let Some(index) = self
            .participants
            .iter()
            .position(|participant| participant.name == name)
        else {
            return Ok(None);
        };
        let mut parts = Parts::from(self.clone());
        let removed = parts.participants.remove(index);
        for study in parts.studies.values_mut() {
            study.admins.retain(|admin| admin != name);
            study
                .site_orgs
                .values_mut()
                .for_each(|sites| sites.retain(|site| site != name));
            study.site_orgs.retain(|_, sites| !sites.is_empty());
        }
        *self = parts.assemble_or_error()?;
        Ok(Some(removed))
    }

    /// Checks what only some lines of NVFlare take.
    ///
    /// # Errors
    ///
    /// [`Error::ProjectImpossible`] with everything that this line cannot do.
    pub fn check_line(&self, line: Line) -> Result<(), Error> {
        let mut faults = Vec::new();
        let mut fault = |at: &str, message: String| {
            faults.push(Problem {
                line: None,
                at: at.to_owned(),
                message,
            });
        };
        if self.api_version == 4 && line < Line::V2_8 {
            fault(
                "api_version",
                format!("NVFlare {line} knows 3 alone; 4 came with 2.8"),
            );
        }
        if line <= Line::V2_6 && self.admin_port(line) == self.fed_learn_port() {
            let port = self.fed_learn_port();
            fault(
                "admin_port",
                format!("NVFlare {line} needs two ports, but both are {port}"),
            );
        }
        for relay in self.relays().filter(|_| line < Line::V2_6) {
            fault(
                &relay.name,
                format!("NVFlare {line} has no relays; they came with 2.6"),
            );
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Error::ProjectImpossible { problems: faults })
        }
    }
}

/// A project in the making, unchecked.
struct Parts {
    api_version: u32,
    name: String,
    description: Option<String>,
    participants: Vec<Participant>,
    studies: BTreeMap<String, Study>,
    docker_image: Option<String>,
    docker_network: Option<String>,
    he: bool,
    extra: Extra,
    builders: Vec<Builder>,
}

impl From<Project> for Parts {
    fn from(project: Project) -> Self {
        let Project {
            api_version,
            name,
            description,
            studies,
            docker_image,
            docker_network,
            he,
            extra,
            participants,
            builders,
            ..
        } = project;
        Self {
            api_version,
            name,
            description,
            participants,
            studies,
            docker_image,
            docker_network,
            he,
            extra,
            builders,
        }
    }
}

impl Parts {
    /// Checks the parts and puts them together. `places` are those of the participants in the file;
    /// `incomplete` says that there are more, which could not be read.
    fn assemble(self, places: &[Place], incomplete: bool) -> Result<Project, Vec<Fault>> {
        let members = Members {
            participants: &self.participants,
            places,
            incomplete,
        };
        let mut faults = Vec::new();
        if let Err(error) = names::check_project(&self.name) {
            faults.push((Place::default().key("name"), error.to_string()));
        }
        faults.extend(members.faults());
        faults.extend(members.study_faults(&self.studies, self.api_version));
        let server = self
            .participants
            .iter()
            .position(|participant| participant.role() == Role::Server);
        let lead_admin = self.participants.iter().position(is_project_admin);
        match (server, lead_admin) {
            (Some(server), Some(lead_admin)) if faults.is_empty() => {
                let Self {
                    api_version,
                    name,
                    description,
                    participants,
                    studies,
                    docker_image,
                    docker_network,
                    he,
                    extra,
                    builders,
                } = self;
                Ok(Project {
                    api_version,
                    name,
                    description,
                    studies,
                    docker_image,
                    docker_network,
                    he,
                    extra,
                    participants,
                    server,
                    lead_admin,
                    builders,
                })
            }
            _ => Err(faults),
        }
    }

    /// The same for a project that stands in no file.
    fn assemble_or_error(self) -> Result<Project, Error> {
        let top = Place::default().key("participants");
        let places: Vec<Place> = (0..self.participants.len())
            .map(|index| top.index(index))
            .collect();
        self.assemble(&places, false)
            .map_err(|faults| Error::ProjectImpossible {
                problems: faults
                    .into_iter()
                    .map(|(_, message)| Problem::whole(message))
                    .collect(),
            })
    }
}

#[cfg(test)]
mod tests;
