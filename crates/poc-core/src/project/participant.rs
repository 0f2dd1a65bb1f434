//! The members of a project.

use std::collections::BTreeMap;

use super::role::Role;
use crate::yaml::Value;

/// Keys of project.yml that `poc` keeps without knowing what they mean.
pub type Extra = BTreeMap<String, Value>;

/// A member of a project: the server, a site, an admin or a relay.
#[derive(Clone, Debug, PartialEq)]
pub struct Participant {
    /// Its name; its startup kit's directory has the same.
    pub name: String,
    /// The organisation that it belongs to.
    pub org: String,
    /// What it is, with what only such a participant has.
    pub kind: Kind,
    /// The name by which its certificate is known, where that is not its own (NVFlare 2.9).
    pub auth_identity: Option<String>,
    /// Whether its connections use NVFlare's asynchronous drivers (`use_aio`).
    pub use_aio: Option<bool>,
    /// Further keys, kept as they are.
    pub extra: Extra,
}

impl Participant {
    /// A site.
    pub fn client(name: impl Into<String>, org: impl Into<String>) -> Self {
        Self::new(name, org, Kind::Client(Client::default()))
    }

    /// An admin; `role` is one of NVFlare's, such as `lead`.
    pub fn admin(name: impl Into<String>, org: impl Into<String>, role: impl Into<String>) -> Self {
        Self::new(
            name,
            org,
            Kind::Admin(Admin {
                role: role.into(),
                connect_to: None,
                connection_security: None,
            }),
        )
    }

    pub(super) fn new(name: impl Into<String>, org: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            org: org.into(),
            kind,
            auth_identity: None,
            use_aio: None,
            extra: Extra::new(),
        }
    }

    /// Where it connects, in place of the server's own address.
    pub const fn connect_to(&self) -> Option<&ConnectTo> {
        match &self.kind {
            Kind::Server(_) => None,
            Kind::Client(client) => client.connect_to.as_ref(),
            Kind::Admin(admin) => admin.connect_to.as_ref(),
            Kind::Relay(relay) => relay.connect_to.as_ref(),
        }
    }

    /// Where it listens for others: for the server, beside its own ports.
    pub const fn listening_host(&self) -> Option<&ListeningHost> {
        match &self.kind {
            Kind::Server(server) => server.listening_host.as_ref(),
            Kind::Client(client) => client.listening_host.as_ref(),
            Kind::Admin(_) => None,
            Kind::Relay(relay) => relay.listening_host.as_ref(),
        }
    }

    /// How its connections are secured, where it says so: `mtls`, `tls` or `clear`.
    pub fn connection_security(&self) -> Option<&str> {
        match &self.kind {
            Kind::Server(server) => server.connection_security.as_deref(),
            Kind::Client(client) => client.connection_security.as_deref(),
            Kind::Admin(admin) => admin.connection_security.as_deref(),
            Kind::Relay(relay) => relay.connection_security.as_deref(),
        }
    }

    /// What it is.
    pub const fn role(&self) -> Role {
        match self.kind {
            Kind::Server(_) => Role::Server,
            Kind::Client(_) => Role::Client,
            Kind::Admin(_) => Role::Admin,
            Kind::Relay(_) => Role::Relay,
        }
    }
}

/// What a participant is, with the keys that only such a participant has.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// The server.
    Server(Server),
    /// A site.
    Client(Client),
    /// A user.
    Admin(Admin),
    /// A relay.
    Relay(Relay),
}

/// What a server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where the sites connect.
    pub fed_learn_port: u16,
    /// Where the admins connect; without it the line's default (see [`super::Project::admin_port`]).
    pub admin_port: Option<u16>,
    /// The host name by which it is reached; without it, its own name.
    pub default_host: Option<String>,
    /// Further host names for its certificate.
    pub host_names: Vec<String>,
    /// `mtls`, `tls` or `clear`.
    pub connection_security: Option<String>,
    /// Where it listens for its own job processes, and for relays.
    pub listening_host: Option<ListeningHost>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            fed_learn_port: super::DEFAULT_FED_LEARN_PORT,
            admin_port: None,
            default_host: None,
            host_names: Vec::new(),
            connection_security: None,
            listening_host: None,
        }
    }
}

/// What a site has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Client {
    /// Where it connects, in place of the server's own address.
    pub connect_to: Option<ConnectTo>,
    /// What NVFlare's resource manager may promise to jobs.
    pub capacity: Option<Capacity>,
    /// `mtls`, `tls` or `clear`.
    pub connection_security: Option<String>,
    /// Whether it may send its error log to the server (NVFlare 2.8 and later).
    pub allow_log_streaming: Option<bool>,
    /// The same in NVFlare 2.6 and 2.7.
    pub allow_error_sending: Option<bool>,
    /// Where it listens for its own job processes.
    pub listening_host: Option<ListeningHost>,
    /// The client above it in the hierarchy of sites; without one, the server (NVFlare 2.6 and later).
    pub parent: Option<String>,
}

/// What an admin has.
#[derive(Clone, Debug, PartialEq)]
pub struct Admin {
    /// What NVFlare lets it do: `project_admin`, `org_admin`, `lead`, `member`, or a role of your own.
    pub role: String,
    /// Where it connects, in place of the server's own address.
    pub connect_to: Option<ConnectTo>,
    /// `mtls`, `tls` or `clear`.
    pub connection_security: Option<String>,
}

/// What a relay has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Relay {
    /// Where it connects: the server, or another relay.
    pub connect_to: Option<ConnectTo>,
    /// Where it listens. A relay without it is refused.
    pub listening_host: Option<ListeningHost>,
    /// `mtls`, `tls` or `clear`.
    pub connection_security: Option<String>,
}

/// Where a participant listens for others (NVFlare's `listening_host`: a host name, or a mapping).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListeningHost {
    /// How they talk: `tcp`, `grpc` or `http`; without it `tcp`.
    pub scheme: Option<String>,
    /// Further host names for the certificate.
    pub host_names: Vec<String>,
    /// The host by which it is reached; without it `localhost`, of the server its own.
    pub default_host: Option<String>,
    /// The port; without it any.
    pub port: Option<u16>,
    /// `mtls`, `tls` or `clear`; without it `clear`.
    pub connection_security: Option<String>,
}

/// Where a participant connects (NVFlare's `connect_to`: a host name, or a mapping).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectTo {
    /// The relay's or server's name.
    pub name: Option<String>,
    /// The host.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// `mtls`, `tls` or `clear`.
    pub connection_security: Option<String>,
    /// The identity to expect in the certificate there (NVFlare 2.9).
    pub auth_identity: Option<String>,
}

/// What a site's resource manager has to give (NVFlare's `capacity`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// GPUs.
    pub num_of_gpus: u32,
    /// Memory of each in GiB.
    pub mem_per_gpu_in_gib: u32,
}
