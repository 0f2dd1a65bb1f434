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
            }),
        )
    }

    pub(super) fn new(name: impl Into<String>, org: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            org: org.into(),
            kind,
            extra: Extra::new(),
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
}

impl Default for Server {
    fn default() -> Self {
        Self {
            fed_learn_port: super::DEFAULT_FED_LEARN_PORT,
            admin_port: None,
            default_host: None,
            host_names: Vec::new(),
            connection_security: None,
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
}

/// What an admin has.
#[derive(Clone, Debug, PartialEq)]
pub struct Admin {
    /// What NVFlare lets it do: `project_admin`, `org_admin`, `lead`, `member`, or a role of your own.
    pub role: String,
    /// Where it connects, in place of the server's own address.
    pub connect_to: Option<ConnectTo>,
}

/// What a relay has: nothing that `poc` knows more of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Relay {
    /// Where it connects, in place of the server's own address.
    pub connect_to: Option<ConnectTo>,
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
