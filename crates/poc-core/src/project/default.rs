//! The documented default project.

use super::{Kind, PROJECT_ADMIN, Participant, Project, Server, builder};
use crate::Error;
use crate::version::Line;

const ORG: &str = "nvidia";

impl Project {
    /// The default project of NVFlare's documentation: `example_project` with `server`,
    /// `admin@nvidia.com` (from 2.8 on also `org-admin@nvidia.com` and `lead@nvidia.com`) and these
    /// clients, all of the organisation `nvidia`, on the ports 8002 (and 8003 up to 2.7).
    ///
    /// # Errors
    ///
    /// [`Error::ProjectImpossible`] with every client name that cannot be.
    pub fn poc_default(line: Line, clients: &[String]) -> Result<Self, Error> {
        let server = Server {
            admin_port: (line <= Line::V2_7).then_some(super::DEFAULT_ADMIN_PORT),
            default_host: (line >= Line::V2_6).then(|| "localhost".to_owned()),
            ..Server::default()
        };
        let mut participants = vec![
            Participant::new("server", ORG, Kind::Server(server)),
            Participant::admin("admin@nvidia.com", ORG, PROJECT_ADMIN),
        ];
        if line >= Line::V2_8 {
            participants.push(Participant::admin("org-admin@nvidia.com", ORG, "org_admin"));
            participants.push(Participant::admin("lead@nvidia.com", ORG, "lead"));
        }
        participants.extend(clients.iter().map(|name| Participant::client(name, ORG)));
        Ok(Self {
            api_version: 3,
            name: "example_project".to_owned(),
            description: Some("proof of concept on one machine".to_owned()),
            studies: std::collections::BTreeMap::new(),
            docker_image: None,
            he: false,
            extra: super::Extra::new(),
            participants,
            server: 0,
            project_admin: 1,
            builders: builder::defaults(line),
        })
    }

    /// `site-1` … `site-N`.
    pub fn default_client_names(n: u32) -> Vec<String> {
        (1..=n).map(|number| format!("site-{number}")).collect()
    }
}
