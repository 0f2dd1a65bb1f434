//! Who is above whom: relays between the server and what connects to them, and clients above clients.
//!
//! The two trees are independent (NVFlare's documentation, "Hierarchical Communication"): `connect_to`
//! names the relay that messages go through, `parent` the client that results go to.

use super::check::{Fault, Members};
use super::{Kind, Participant, Project, Role};

impl Project {
    /// The relay that a participant connects to; `None` where that is the server.
    pub fn relay_of(&self, participant: &Participant) -> Option<&Participant> {
        let name = participant.connect_to()?.name.as_deref()?;
        self.relays().find(|relay| relay.name == name)
    }

    /// A participant's place in the tree of connections, as NVFlare writes it: the relays between it and
    /// the server and its own name, with dots between.
    pub fn connection_path(&self, participant: &Participant) -> String {
        path(participant, |below| self.relay_of(below))
    }

    /// A client's place in the tree of clients: those above it and its own name, with dots between.
    pub fn site_path(&self, client: &Participant) -> String {
        path(client, |below| {
            let name = parent(below)?;
            self.clients().find(|other| other.name == name)
        })
    }

    /// Whether no client has this one for its parent.
    pub fn is_leaf(&self, client: &Participant) -> bool {
        !self
            .clients()
            .any(|other| parent(other) == Some(&client.name))
    }
}

fn parent(participant: &Participant) -> Option<&str> {
    match &participant.kind {
        Kind::Client(client) => client.parent.as_deref(),
        _ => None,
    }
}

/// Names from the top down. A project has no circles, see [`Members::hierarchy_faults`].
fn path<'p>(
    participant: &'p Participant,
    above: impl Fn(&'p Participant) -> Option<&'p Participant>,
) -> String {
    let mut names = vec![participant.name.as_str()];
    let mut below = participant;
    while let Some(next) = above(below) {
        names.push(&next.name);
        below = next;
    }
    names.reverse();
    names.join(".")
}

impl Members<'_> {
    /// Everything that is wrong with who is above whom.
    pub(super) fn hierarchy_faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        // An admin's `connect_to` names no relay that counts: it is the server that it connects to.
        let others = self
            .iter()
            .filter(|(participant, _)| participant.role() != Role::Admin);
        for (participant, place) in others {
            if let Kind::Relay(relay) = &participant.kind {
                match &relay.listening_host {
                    None => faults.push((
                        place.clone(),
                        "`listening_host` is missing, and a relay needs one".to_owned(),
                    )),
                    Some(listening) if listening.port.is_none() => faults.push((
                        place.key("listening_host"),
                        "`port` is missing, and a relay needs one".to_owned(),
                    )),
                    Some(_) => {}
                }
            }
            let relay = participant
                .connect_to()
                .and_then(|connect_to| connect_to.name.as_deref());
            for (key, name, role, what) in [
                ("connect_to", relay, Role::Relay, "relay"),
                ("parent", parent(participant), Role::Client, "client"),
            ] {
                let Some(name) = name.filter(|name| !self.is(name, Role::Server)) else {
                    continue;
                };
                let message = if !self.is(name, role) {
                    // It may be one that could not be read.
                    if self.incomplete {
                        continue;
                    }
                    format!("`{name}` is neither the server nor a {what} of the project")
                } else if self.is_in_a_circle(participant, role) {
                    "it never leads to the server".to_owned()
                } else {
                    continue;
                };
                faults.push((place.key(key), message));
            }
        }
        faults
    }

    fn is(&self, name: &str, role: Role) -> bool {
        self.find(name, role).is_some()
    }

    fn find(&self, name: &str, role: Role) -> Option<&Participant> {
        self.participants
            .iter()
            .find(|participant| participant.name == name && participant.role() == role)
    }

    /// Whether the way up from a participant comes to itself, or never ends.
    fn is_in_a_circle(&self, participant: &Participant, role: Role) -> bool {
        let mut below = participant;
        for _ in 0..=self.participants.len() {
            let name = match role {
                Role::Relay => below
                    .connect_to()
                    .and_then(|connect_to| connect_to.name.as_deref()),
                _ => parent(below),
            };
            match name.and_then(|name| self.find(name, role)) {
                None => return false,
                Some(next) => below = next,
            }
        }
        true
    }
}
