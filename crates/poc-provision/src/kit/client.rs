//! A site's kit.

use poc_core::project::{Client, ConnectTo, Participant};
use serde::Serialize;

use super::{Federation, File, Tls, connection_security, local, script};
use crate::{Error, json};

pub(super) const BASE: &str = "client";
pub(super) const ROLE_FILE: &str = "fed_client.json";

/// fed_client.json
#[derive(Serialize)]
struct FedClient<'a> {
    format_version: u32,
    servers: [ServerToFind<'a>; 1],
    client: Itself<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    require_signed_jobs: Option<bool>,
}

#[derive(Serialize)]
struct ServerToFind<'a> {
    /// NVFlare means the project's name.
    name: &'a str,
    service: Service<'a>,
    /// The common name that the server's certificate must have.
    identity: &'a str,
}

#[derive(Serialize)]
struct Service<'a> {
    target: String,
    scheme: &'a str,
}

#[derive(Serialize)]
struct Itself<'a> {
    #[serde(flatten)]
    tls: Tls,
    /// Its place in the tree of processes: without relays, its name.
    fqsn: &'a str,
    is_leaf: bool,
    connection_security: String,
}

pub(super) fn settings(
    federation: &Federation<'_>,
    participant: &Participant,
    client: &Client,
) -> Result<Vec<File>, Error> {
    let (host, port) = target(
        federation,
        client.connect_to.as_ref(),
        federation.fed_learn_port,
    );
    let role_file = FedClient {
        format_version: 2,
        servers: [ServerToFind {
            name: &federation.project.name,
            service: Service {
                target: format!("{host}:{port}"),
                scheme: &federation.scheme,
            },
            identity: &federation.project.server().name,
        }],
        client: Itself {
            tls: Tls::of(BASE),
            fqsn: &participant.name,
            is_leaf: true,
            connection_security: connection_security(
                federation,
                client.connection_security.as_deref(),
            ),
        },
        require_signed_jobs: federation.require_signed_jobs,
    };
    let mut files = vec![File::plain(
        format!("startup/{ROLE_FILE}"),
        json::to_ascii(&role_file)?,
    )];
    files.extend(script::participant(federation, participant));
    files.extend(local::client(federation, client)?);
    Ok(files)
}

/// Where a participant connects: the server, unless its `connect_to` says otherwise.
pub(super) fn target<'a>(
    federation: &'a Federation<'_>,
    own: Option<&'a ConnectTo>,
    port: u16,
) -> (&'a str, u16) {
    let host = own
        .and_then(|own| own.host.as_deref())
        .unwrap_or(&federation.server_host);
    (host, own.and_then(|own| own.port).unwrap_or(port))
}
