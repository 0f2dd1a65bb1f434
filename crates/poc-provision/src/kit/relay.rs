//! A relay's kit, and what a site needs to connect to one.

use poc_core::project::{ListeningHost, Participant, Role};
use serde_json::Value;

use super::template::{self, Values};
use super::{Federation, File, script, security};
use crate::line::Hierarchy;
use crate::{Error, json};

pub(super) const ROLE_FILE: &str = "fed_relay.json";

/// The name by which every cell knows the server, whatever its own name.
const ROOT: &str = "server";
/// What listens for others does so in this way where it says nothing.
const SCHEME: &str = "tcp";
const SECURITY: &str = "clear";
const HOST: &str = "localhost";

/// Who makes the connections between cells: cells of the second generation connect to the server, those
/// of the first to the cell above them.
#[derive(Clone, Copy)]
enum Generation {
    First = 1,
    Second = 2,
}

pub(super) fn settings(
    federation: &Federation<'_>,
    relay: &Participant,
) -> Result<Vec<File>, Error> {
    let hierarchy = hierarchy(federation, relay)?;
    let values = above(federation.values(), federation, relay)
        .with("NAME", relay.name.as_str())
        .with("AUTH_IDENTITY", relay.auth_identity.as_deref())
        .with(
            "AUTH_IDENTITY_MAP",
            federation.identities_below(Some(relay)),
        );
    let role_file = template::fill(hierarchy.fed_relay, &values)?;
    let mut files = vec![File::plain(
        format!("startup/{ROLE_FILE}"),
        json::to_ascii(&role_file)?,
    )];
    files.extend(script::participant(federation, relay));
    files.push(File::plain(
        format!("local/{}", federation.profile.log_config_name),
        federation.profile.log_config,
    ));
    files.extend(communication(federation, relay)?);
    Ok(files)
}

/// What a site's kit has besides, where it connects to a relay or listens for others.
pub(super) fn of_a_site(
    federation: &Federation<'_>,
    site: &Participant,
) -> Result<Vec<File>, Error> {
    let Some(hierarchy) = federation.profile.hierarchy else {
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    if federation.project.relay_of(site).is_some() {
        let values = above(federation.values(), federation, site);
        let resources = template::fill(hierarchy.relay_resources, &values)?;
        files.push(File::plain(
            "local/relay__resources.json",
            json::to_ascii(&resources)?,
        ));
    }
    files.extend(communication(federation, site)?);
    Ok(files)
}

/// `local/comm_config.json`, for whoever needs one.
pub(super) fn communication(
    federation: &Federation<'_>,
    participant: &Participant,
) -> Result<Option<File>, Error> {
    let Some(hierarchy) = federation.profile.hierarchy else {
        return Ok(None);
    };
    let listening = participant.listening_host();
    let below_a_relay = federation.project.relay_of(participant).is_some();
    if listening.is_none() && !below_a_relay {
        return Ok(None);
    }
    let generation = if below_a_relay || participant.role() == Role::Relay {
        Generation::First
    } else {
        Generation::Second
    };
    let nothing = ListeningHost::default();
    let listening = listening.unwrap_or(&nothing);
    let scheme = listening.scheme.as_deref().unwrap_or(SCHEME);
    let values = Values::default()
        .with("GENERATION", generation as u8)
        .with(
            "OWN_SCHEME",
            match participant.role() {
                Role::Relay => federation.scheme_of(participant, scheme),
                _ => scheme,
            },
        )
        .with(
            "OWN_HOST",
            listening_host(federation, participant, listening),
        )
        .with("OWN_PORT", listening.port)
        .with(
            "LISTENING_SECURITY",
            listening.connection_security.as_deref().unwrap_or(SECURITY),
        );
    let document = template::fill(hierarchy.comm_config, &values)?;
    Ok(Some(File::plain(
        "local/comm_config.json",
        json::to_ascii(&document)?,
    )))
}

fn listening_host<'a>(
    federation: &'a Federation<'_>,
    participant: &Participant,
    listening: &'a ListeningHost,
) -> &'a str {
    let otherwise = match participant.role() {
        Role::Server => federation.server_host.as_str(),
        _ => HOST,
    };
    listening.default_host.as_deref().unwrap_or(otherwise)
}

/// What a relay, or a site that connects to one, must know of the one above it.
fn above(values: Values, federation: &Federation<'_>, below: &Participant) -> Values {
    let project = federation.project;
    let connect_to = below.connect_to();
    let relay = project.relay_of(below);
    let nothing = ListeningHost::default();
    let (name, path, scheme, host, port, said, identity) = match relay {
        Some(relay) => {
            let listening = relay.listening_host().unwrap_or(&nothing);
            (
                relay.name.as_str(),
                project.connection_path(relay),
                listening.scheme.as_deref().unwrap_or(SCHEME),
                listening.default_host.as_deref().unwrap_or(HOST),
                listening.port.unwrap_or_default(),
                listening.connection_security.as_deref().unwrap_or(SECURITY),
                relay.auth_identity.as_deref(),
            )
        }
        None => (
            project.server().name.as_str(),
            ROOT.to_owned(),
            federation.scheme.as_str(),
            federation.server_host.as_str(),
            federation.fed_learn_port,
            security::of(federation, project.server()),
            project.server().auth_identity.as_deref(),
        ),
    };
    let host = connect_to.and_then(|it| it.host.as_deref()).unwrap_or(host);
    let port = connect_to.and_then(|it| it.port).unwrap_or(port);
    let said = connect_to
        .and_then(|it| it.connection_security.as_deref())
        .unwrap_or(said);
    let identity = connect_to
        .and_then(|it| it.auth_identity.as_deref())
        .or(identity)
        .filter(|identity| *identity != name);
    values
        .with("ABOVE", name)
        .with("ABOVE_PATH", path)
        .with("ABOVE_SCHEME", scheme)
        .with("ABOVE_ADDRESS", format!("{host}:{port}"))
        .with("ABOVE_SECURITY", said.to_lowercase())
        .with("ABOVE_AUTH_IDENTITY", identity)
}

fn hierarchy(federation: &Federation<'_>, relay: &Participant) -> Result<Hierarchy, Error> {
    // The project was checked for its line before this.
    federation
        .profile
        .hierarchy
        .ok_or_else(|| Error::Unsupported {
            what: format!("the relay `{}`", relay.name),
        })
}

impl Federation<'_> {
    /// Whose certificate is known by another name than the first of the path that messages name it by
    /// (`auth_identity_map` of NVFlare 2.9): those below a relay, or everybody.
    pub(super) fn identities_below(&self, relay: Option<&Participant>) -> Option<Value> {
        let project = self.project;
        let prefix = relay.map(|relay| project.connection_path(relay) + ".");
        let mut identities = serde_json::Map::new();
        for participant in project.relays().chain(project.clients()) {
            let path = project.connection_path(participant);
            let rest = match &prefix {
                None => Some(path.as_str()),
                Some(prefix) => path.strip_prefix(prefix.as_str()),
            };
            let Some(rest) = rest else { continue };
            let expected = rest.split('.').next().unwrap_or(rest);
            let identity = self.identity(participant);
            if identity != expected {
                identities.insert(path, identity.into());
            }
        }
        (!identities.is_empty()).then_some(Value::Object(identities))
    }
}
