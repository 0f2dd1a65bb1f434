//! The server's kit.

use poc_core::project::{Participant, Server};
use serde_json::Value;

use super::template;
use super::{Federation, File, local, script, security};
use crate::{Error, json};

pub(super) const BASE: &str = "server";
pub(super) const ROLE_FILE: &str = "fed_server.json";

pub(super) fn settings(
    federation: &Federation<'_>,
    participant: &Participant,
    server: &Server,
) -> Result<Vec<File>, Error> {
    let values = security(
        federation.values(),
        federation,
        server.connection_security.as_deref(),
    )
    .with("REQUIRE_SIGNED_JOBS", federation.require_signed_jobs)
    .with("AUTH_IDENTITY", Value::Null)
    .with("AUTH_IDENTITY_MAP", Value::Null);
    let role_file = template::fill(federation.profile.fed_server, &values)?;
    let mut files = vec![File::plain(
        format!("startup/{ROLE_FILE}"),
        json::to_ascii(&role_file)?,
    )];
    files.extend(script::participant(federation, participant));
    files.extend(local::server(federation)?);
    Ok(files)
}
