//! The documented default project.

use std::collections::BTreeMap;

use super::{Extra, Kind, PROJECT_ADMIN, Participant, Parts, Project, Server, builder};
use crate::Error;
use crate::version::Line;

const ORG: &str = "nvidia";

impl Project {
    /// The default project of NVFlare's documentation: `example_project` with `server`,
    /// `admin@nvidia.com` (from 2.8 on also `org-admin@nvidia.com` and `lead@nvidia.com`) and these
    /// clients, all of the organisation `nvidia`, on the ports 8002 (and 8003 up to 2.7).
    ///
    /// ```
    /// use poc_core::Line;
    /// use poc_core::project::Project;
    /// let project = Project::poc_default(Line::V2_9, &Project::default_client_names(2))?;
    /// let names: Vec<&str> = project.clients().map(|client| client.name.as_str()).collect();
    /// assert_eq!(names, ["site-1", "site-2"]);
    /// assert_eq!(project.admin_port(Line::V2_9), 8002);
    /// # Ok::<(), poc_core::Error>(())
    /// ```
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
        let parts = Parts {
            api_version: 3,
            name: "example_project".to_owned(),
            description: Some("NVIDIA FLARE proof of concept on one machine".to_owned()),
            participants,
            studies: BTreeMap::new(),
            docker_image: None,
            docker_network: None,
            he: false,
            extra: Extra::new(),
            builders: builder::defaults(line),
        };
        parts.assemble_or_error()
    }

    /// `site-1` … `site-N`.
    pub fn default_client_names(n: u32) -> Vec<String> {
        (1..=n).map(|number| format!("site-{number}")).collect()
    }
}
