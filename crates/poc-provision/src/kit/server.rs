//! The server's kit.

use poc_core::project::{Participant, Server};
use serde::Serialize;

use super::{Federation, File, Tls, connection_security, local, script};
use crate::{Error, json};

pub(super) const BASE: &str = "server";
pub(super) const ROLE_FILE: &str = "fed_server.json";

/// fed_server.json
#[derive(Serialize)]
struct FedServer<'a> {
    format_version: u32,
    servers: [Listening<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    require_signed_jobs: Option<bool>,
}

#[derive(Serialize)]
struct Listening<'a> {
    /// NVFlare means the project's name.
    name: &'a str,
    service: Service<'a>,
    /// For people: nothing reads it.
    admin_server: &'a str,
    admin_port: u16,
    #[serde(flatten)]
    tls: Tls,
    connection_security: String,
}

#[derive(Serialize)]
struct Service<'a> {
    target: String,
    scheme: &'a str,
}

pub(super) fn settings(
    federation: &Federation<'_>,
    participant: &Participant,
    server: &Server,
) -> Result<Vec<File>, Error> {
    let role_file = FedServer {
        format_version: 2,
        servers: [Listening {
            name: &federation.project.name,
            service: Service {
                target: format!("{}:{}", federation.listen_host, federation.fed_learn_port),
                scheme: &federation.scheme,
            },
            admin_server: &participant.name,
            admin_port: federation.admin_port,
            tls: Tls::of(BASE),
            connection_security: connection_security(
                federation,
                server.connection_security.as_deref(),
            ),
        }],
        require_signed_jobs: federation.require_signed_jobs,
    };
    let mut files = vec![File::plain(
        format!("startup/{ROLE_FILE}"),
        json::to_ascii(&role_file)?,
    )];
    files.extend(script::participant(federation, participant));
    files.extend(local::server(federation)?);
    Ok(files)
}
