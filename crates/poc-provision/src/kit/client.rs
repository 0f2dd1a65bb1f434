//! A site's kit.

use poc_core::project::{Client, Participant};

use super::{Federation, File, local, relay, script, security, template};
use crate::{Error, json};

pub(super) const BASE: &str = "client";
pub(super) const ROLE_FILE: &str = "fed_client.json";

pub(super) fn settings(
    federation: &Federation<'_>,
    participant: &Participant,
    client: &Client,
) -> Result<Vec<File>, Error> {
    let (host, port) = target(federation, participant, federation.fed_learn_port);
    let project = federation.project;
    let values = security::with(federation.values(), federation, participant)
        .with(
            "SCHEME",
            federation.scheme_of(participant, &federation.scheme),
        )
        .with("HOST", host)
        .with("PORT", port)
        .with("FQSN", project.site_path(participant))
        .with("IS_LEAF", project.is_leaf(participant))
        .with("REQUIRE_SIGNED_JOBS", federation.require_signed_jobs)
        .with("AUTH_IDENTITY", participant.auth_identity.as_deref())
        .with("AUTH_IDENTITY_MAP", federation.identities_below(None));
    let role_file = template::fill(federation.profile.fed_client, &values)?;
    let mut files = vec![File::plain(
        format!("startup/{ROLE_FILE}"),
        json::to_ascii(&role_file)?,
    )];
    files.extend(script::participant(federation, participant));
    files.extend(local::client(federation, client)?);
    files.extend(relay::of_a_site(federation, participant)?);
    Ok(files)
}

/// Where a participant connects: the server, unless its `connect_to` says otherwise. Where that is a
/// relay, the address here is the server's all the same, as NVFlare has it; the relay's is elsewhere.
pub(super) fn target<'a>(
    federation: &'a Federation<'_>,
    participant: &'a Participant,
    port: u16,
) -> (&'a str, u16) {
    let own = participant
        .connect_to()
        .filter(|_| federation.profile.hierarchy.is_some());
    let host = own
        .filter(|_| federation.project.relay_of(participant).is_none())
        .and_then(|own| own.host.as_deref())
        .unwrap_or(&federation.server_host);
    (host, own.and_then(|own| own.port).unwrap_or(port))
}
