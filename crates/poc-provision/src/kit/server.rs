//! The server's kit.

use poc_core::project::Participant;

use super::{Federation, File, local, relay, script, security, template};
use crate::{Error, json};

pub(super) const BASE: &str = "server";
pub(super) const ROLE_FILE: &str = "fed_server.json";

pub(super) fn settings(
    federation: &Federation<'_>,
    participant: &Participant,
) -> Result<Vec<File>, Error> {
    let values = security::with(federation.values(), federation, participant)
        .with(
            "SCHEME",
            federation.scheme_of(participant, &federation.scheme),
        )
        .with("REQUIRE_SIGNED_JOBS", federation.require_signed_jobs)
        .with("AUTH_IDENTITY", participant.auth_identity.as_deref())
        .with("AUTH_IDENTITY_MAP", federation.identities_below(None));
    let role_file = template::fill(federation.profile.fed_server, &values)?;
    let mut files = vec![File::plain(
        format!("startup/{ROLE_FILE}"),
        json::to_ascii(&role_file)?,
    )];
    files.extend(script::participant(federation, participant));
    files.extend(local::server(federation)?);
    files.extend(relay::communication(federation, participant)?);
    Ok(files)
}
