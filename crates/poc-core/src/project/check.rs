//! What must hold for a project as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::builder_args::SCHEMES;
use super::names::{self, NameError};
use super::{Kind, PROJECT_ADMIN, Participant, Role, Study};
use crate::yaml::Place;

/// What is wrong, and where.
pub(super) type Fault = (Place, String);

/// The roles that NVFlare knows (`DEFINED_ROLES` in `nvflare/lighter/constants.py`); others work with
/// an authorization policy of one's own.
pub(super) const KNOWN_ROLES: [&str; 4] = [PROJECT_ADMIN, "org_admin", "lead", "member"];

/// The values of `connection_security`.
const SECURITY: [&str; 4] = ["mtls", "tls", "clear", "insecure"];

/// The name by which every cell knows the server, whatever its own name.
const ROOT_CELL: &str = "server";

/// Participants with their places in the file.
pub(super) struct Members<'p> {
    pub(super) participants: &'p [Participant],
    pub(super) places: &'p [Place],
    /// Some could not be read at all: what is missing may be among them.
    pub(super) incomplete: bool,
}

impl Members<'_> {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Participant, &Place)> {
        self.participants.iter().zip(self.places)
    }

    /// Everything that is wrong with the participants.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (participant, place) in self.iter() {
            check_participant(participant, place, &mut faults);
        }
        self.check_unique(&mut faults);
        self.check_census(&mut faults);
        faults.extend(self.hierarchy_faults());
        faults
    }

    fn check_unique(&self, faults: &mut Vec<Fault>) {
        let mut seen: BTreeMap<&str, &Participant> = BTreeMap::new();
        for (participant, place) in self.iter() {
            let name = participant.name.as_str();
            if seen.insert(name, participant).is_some() {
                faults.push((place.key("name"), format!("the name `{name}` comes twice")));
            }
        }
    }

    /// Exactly one server, exactly one project admin.
    fn check_census(&self, faults: &mut Vec<Fault>) {
        let top = Place::default().key("participants");
        let servers: Vec<_> = self
            .iter()
            .filter(|(participant, _)| participant.role() == Role::Server)
            .collect();
        let admins: Vec<_> = self
            .iter()
            .filter(|(participant, _)| is_project_admin(participant))
            .collect();
        for (found, what) in [
            (&servers, "server"),
            (&admins, "admin of role project_admin"),
        ] {
            match found.as_slice() {
                [] if !self.incomplete => faults.push((
                    top.clone(),
                    format!("there is no {what}, and a POC needs one"),
                )),
                [] | [_] => {}
                [_, second, ..] => {
                    let names: Vec<String> = found
                        .iter()
                        .map(|(other, _)| format!("`{}`", other.name))
                        .collect();
                    let count = format!(
                        "a POC has one {what}, but there are {}: {}",
                        found.len(),
                        names.join(", ")
                    );
                    faults.push((second.1.clone(), count));
                }
            }
        }
    }

    /// Everything that is wrong with the studies (rules of `nvflare/lighter/provision.py`).
    pub(super) fn study_faults(
        &self,
        studies: &BTreeMap<String, Study>,
        api_version: u32,
    ) -> Vec<Fault> {
        let mut faults = Vec::new();
        let top = Place::default().key("studies");
        if !studies.is_empty() && api_version != 4 {
            faults.push((top.clone(), "studies need api_version 4".to_owned()));
        }
        let find = |name: &str, role: Role| {
            self.participants
                .iter()
                .find(|participant| participant.name == name && participant.role() == role)
        };
        let orgs: BTreeSet<&str> = self
            .participants
            .iter()
            .map(|participant| participant.org.as_str())
            .collect();
        for (name, study) in studies {
            let place = top.key(name);
            if let Err(error) = names::check_study(name) {
                faults.push((place.clone(), error.to_string()));
            }
            let mut seen = BTreeSet::new();
            for (org, sites) in &study.site_orgs {
                let at = place.key("site_orgs").key(org);
                if !orgs.contains(org.as_str()) {
                    faults.push((
                        at.clone(),
                        format!("nobody in the project is of the organisation `{org}`"),
                    ));
                }
                for (index, site) in sites.iter().enumerate() {
                    let at = at.index(index);
                    match find(site, Role::Client) {
                        None => faults.push((at, format!("`{site}` is no client of the project"))),
                        Some(client) if client.org != *org => {
                            faults.push((
                                at,
                                format!(
                                    "`{site}` is of the organisation `{}`, not `{org}`",
                                    client.org
                                ),
                            ));
                        }
                        Some(_) if !seen.insert(site) => {
                            faults.push((at, format!("`{site}` comes twice")));
                        }
                        Some(_) => {}
                    }
                }
            }
            for (index, admin) in study.admins.iter().enumerate() {
                if find(admin, Role::Admin).is_none() {
                    let at = place.key("admins").index(index);
                    faults.push((at, format!("`{admin}` is no admin of the project")));
                }
            }
        }
        faults
    }
}

pub(super) fn is_project_admin(participant: &Participant) -> bool {
    matches!(&participant.kind, Kind::Admin(admin) if admin.role == PROJECT_ADMIN)
}

fn check_participant(participant: &Participant, place: &Place, faults: &mut Vec<Fault>) {
    let mut check = |key: &str, result: Result<(), NameError>| {
        if let Err(error) = result {
            faults.push((place.key(key), error.to_string()));
        }
    };
    let name = participant.name.as_str();
    check(
        "name",
        match participant.role() {
            Role::Server => names::check_server(name),
            Role::Client | Role::Relay => names::check_site(name),
            Role::Admin => names::check_admin(name),
        },
    );
    check("org", names::check_org(&participant.org));
    if participant.role() != Role::Server && name == ROOT_CELL {
        check(
            "name",
            Err(NameError::Reserved {
                name: name.to_owned(),
            }),
        );
    }
    match &participant.kind {
        Kind::Server(server) => {
            if let Some(host) = &server.default_host {
                check("default_host", names::check_host(host));
            }
            for host in &server.host_names {
                check("host_names", names::check_host(host));
            }
        }
        Kind::Admin(admin) => check("role", names::check_role(&admin.role)),
        Kind::Client(_) | Kind::Relay(_) => {}
    }
    if let Some(identity) = &participant.auth_identity {
        // It is a common name in a certificate that somebody else made.
        check("auth_identity", names::check_identity(identity));
    }
    let connect_to = participant.connect_to();
    let listening = participant.listening_host();
    let hosts = connect_to
        .and_then(|it| it.host.as_ref())
        .map(|host| ("connect_to", host))
        .into_iter()
        .chain(listening.into_iter().flat_map(|it| {
            let hosts = it.default_host.iter().chain(&it.host_names);
            hosts.map(|host| ("listening_host", host))
        }));
    for (key, host) in hosts {
        check(key, names::check_host(host));
    }
    for (key, said) in [
        ("connection_security", participant.connection_security()),
        (
            "connect_to",
            connect_to.and_then(|it| it.connection_security.as_deref()),
        ),
        (
            "listening_host",
            listening.and_then(|it| it.connection_security.as_deref()),
        ),
    ] {
        if let Some(Err(message)) = said.map(security) {
            faults.push((place.key(key), message));
        }
    }
    if let Some(scheme) = listening
        .and_then(|it| it.scheme.as_deref())
        .filter(|scheme| !SCHEMES.contains(scheme))
    {
        faults.push((
            place.key("listening_host"),
            format!("`{scheme}` is not one of {}", SCHEMES.join(", ")),
        ));
    }
}

/// Checks a value of `connection_security`; the error says what is wrong with it.
pub(super) fn security(said: &str) -> Result<(), String> {
    if SECURITY.contains(&said.to_lowercase().as_str()) {
        Ok(())
    } else {
        Err(format!("`{said}` is not one of mtls, tls, clear"))
    }
}
