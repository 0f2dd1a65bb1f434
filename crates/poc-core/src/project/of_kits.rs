//! A project by what is left of it.

use std::collections::BTreeMap;

use super::participant::{Client, Kind, Relay, Server};
use super::{Extra, PROJECT_ADMIN, Participant, Project, Role};

/// For what only project.yml could tell.
const UNKNOWN: &str = "unknown";

impl Project {
    /// The project of a POC whose project.yml does not read, by the names and parts of its startup
    /// kits. Good for finding, looking at and ending what runs, and for nothing else: what only the
    /// file could tell is made up, and so are a server and a project admin (`lead` by name) where no
    /// kit of theirs is left.
    pub(crate) fn of_kits(name: &str, kits: Vec<(String, Role)>, lead: Option<&str>) -> Self {
        let mut participants: Vec<Participant> = kits
            .into_iter()
            .map(|(name, role)| match role {
                Role::Server => Participant::new(name, UNKNOWN, Kind::Server(Server::default())),
                Role::Client => Participant::new(name, UNKNOWN, Kind::Client(Client::default())),
                Role::Relay => Participant::new(name, UNKNOWN, Kind::Relay(Relay::default())),
                Role::Admin => Participant::admin(name, UNKNOWN, PROJECT_ADMIN),
            })
            .collect();
        let place = |participants: &[Participant], role, name: Option<&str>| {
            participants
                .iter()
                .position(|it| it.role() == role && name.is_none_or(|name| it.name == name))
        };
        let server = place(&participants, Role::Server, None).unwrap_or_else(|| {
            participants.push(Participant::new(
                "server",
                UNKNOWN,
                Kind::Server(Server::default()),
            ));
            participants.len() - 1
        });
        let lead_admin = place(&participants, Role::Admin, lead)
            .or_else(|| place(&participants, Role::Admin, None))
            .unwrap_or_else(|| {
                let name = lead.unwrap_or("admin@nvidia.com");
                participants.push(Participant::admin(name, UNKNOWN, PROJECT_ADMIN));
                participants.len() - 1
            });
        Self {
            api_version: 3,
            name: name.to_owned(),
            description: None,
            studies: BTreeMap::new(),
            docker_image: None,
            docker_network: None,
            he: false,
            extra: Extra::new(),
            participants,
            server,
            lead_admin,
            builders: Vec::new(),
        }
    }
}
