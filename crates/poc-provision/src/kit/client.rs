//! A site's kit.

use poc_core::project::{Client, ConnectTo, Participant};
use serde_json::Value;

use super::template;
use super::{Federation, File, local, script, security};
use crate::{Error, json};

pub(super) const BASE: &str = "client";
pub(super) const ROLE_FILE: &str = "fed_client.json";

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
    let values = security(
        federation.values(),
        federation,
        client.connection_security.as_deref(),
    )
    .with("HOST", host)
    .with("PORT", port)
    // Its place in the tree of sites: its name.
    .with("FQSN", participant.name.as_str())
    .with("IS_LEAF", true)
    .with("REQUIRE_SIGNED_JOBS", federation.require_signed_jobs)
    .with("AUTH_IDENTITY", Value::Null)
    .with("AUTH_IDENTITY_MAP", Value::Null);
    let role_file = template::fill(federation.profile.fed_client, &values)?;
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
