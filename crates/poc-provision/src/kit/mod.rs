//! The files of a startup kit.
//!
//! Each role has a writer that says what is in its kit, as [`File`]s; nothing here touches the disk. A
//! kit comes in two parts, what can be written before there are keys, and what the keys are needed for.

mod admin;
mod client;
mod local;
mod relay;
mod script;
mod security;
mod server;
mod signature;
mod template;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::project::{Kind, Participant, Project, Role};

pub(crate) use script::start_all;
pub(crate) use signature::Signatures;
use template::Values;

use crate::Error;
use crate::authority::Identity;
use crate::docker::Containers;
use crate::line::Profile;

/// What all kits of a project have in common.
#[derive(Debug)]
pub(crate) struct Federation<'a> {
    pub(crate) project: &'a Project,
    pub(crate) profile: &'static Profile,
    /// How the processes talk: `http`, `grpc` or `tcp`.
    pub(crate) scheme: String,
    /// The host of the server's own target: decides on which addresses it listens.
    pub(crate) listen_host: String,
    /// The host that sites and admins connect to.
    pub(crate) server_host: String,
    pub(crate) fed_learn_port: u16,
    pub(crate) admin_port: u16,
    /// Whether jobs must be signed, where the project says.
    pub(crate) require_signed_jobs: Option<bool>,
    /// For participants in containers.
    pub(crate) containers: Option<Containers>,
    /// Where the workspace will lie when it is in place.
    pub(crate) workspace: &'a Utf8Path,
}

impl Federation<'_> {
    /// What all role files have in common.
    fn values(&self) -> Values {
        let server = self.project.server();
        Values::default()
            .with("PROJECT", self.project.name.as_str())
            .with("SCHEME", self.scheme.as_str())
            .with("SERVER", server.name.as_str())
            .with("SERVER_IDENTITY", self.identity(server))
            .with("SERVER_HOST", self.server_host.as_str())
            .with("LISTEN_HOST", self.listen_host.as_str())
            .with("FED_LEARN_PORT", self.fed_learn_port)
            .with("ADMIN_PORT", self.admin_port)
    }

    /// The name by which a participant's certificate is known.
    fn identity<'p>(&self, participant: &'p Participant) -> &'p str {
        match &participant.auth_identity {
            Some(identity) if self.profile.has_place("@AUTH_IDENTITY@") => identity,
            _ => &participant.name,
        }
    }

    /// How a participant talks: asynchronously, where it says so and NVFlare has a driver for that.
    fn scheme_of<'s>(&self, participant: &Participant, scheme: &'s str) -> &'s str {
        match scheme {
            "tcp" if self.uses_aio(participant) => "atcp",
            "grpc" if self.uses_aio(participant) => "agrpc",
            other => other,
        }
    }

    fn uses_aio(&self, participant: &Participant) -> bool {
        self.profile.has_aio && participant.use_aio == Some(true)
    }

    /// The directories of a participant's kit that have a `signature.json`.
    pub(crate) fn signed(&self, participant: &Participant) -> &'static [&'static str] {
        let signed = if self.project.he {
            self.profile.signed_with_he
        } else {
            self.profile.signed
        };
        match participant.role() {
            Role::Admin => signed.admins,
            Role::Server | Role::Client | Role::Relay => signed.nodes,
        }
    }
}

/// A file of a kit.
pub(crate) struct File {
    /// Relative to the kit.
    pub(crate) path: Utf8PathBuf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) access: Access,
}

/// Who may do what with a file. The directories above are the owner's alone in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Plain,
    Secret,
    Script,
}

impl Access {
    pub(crate) const fn mode(self) -> u32 {
        match self {
            Self::Plain => 0o644,
            Self::Secret => 0o600,
            Self::Script => 0o755,
        }
    }
}

impl File {
    pub(crate) fn plain(path: impl Into<Utf8PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            bytes: bytes.into(),
            access: Access::Plain,
        }
    }

    pub(crate) fn script(path: impl Into<Utf8PathBuf>, text: String) -> Self {
        Self {
            path: path.into(),
            bytes: text.into_bytes(),
            access: Access::Script,
        }
    }

    fn secret(path: impl Into<Utf8PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            bytes: bytes.into(),
            access: Access::Secret,
        }
    }
}

/// Where files for jobs lie. For an admin it may be a link to a directory of the user's.
pub(crate) const TRANSFER: &str = "transfer";

/// The directories of every kit.
pub(crate) const DIRECTORIES: [&str; 3] = ["startup", "local", TRANSFER];

/// What can be written before there are keys.
pub(crate) fn settings(
    federation: &Federation<'_>,
    participant: &Participant,
) -> Result<Vec<File>, Error> {
    let files = match &participant.kind {
        Kind::Server(_) => server::settings(federation, participant),
        Kind::Client(client) => client::settings(federation, participant, client),
        Kind::Admin(_) => admin::settings(federation, participant),
        Kind::Relay(_) => relay::settings(federation, participant),
    }?;
    match &federation.containers {
        Some(containers) => containers.adapt(federation, participant, files),
        None => Ok(files),
    }
}

/// The name of key and certificate, without `.key` and `.crt`.
pub(crate) const fn base(role: Role) -> &'static str {
    match role {
        Role::Server => server::BASE,
        Role::Client | Role::Admin | Role::Relay => client::BASE,
    }
}

/// Certificates and key.
pub(crate) fn credentials(
    participant: &Participant,
    identity: &Identity,
    root_certificate: &str,
) -> Result<Vec<File>, Error> {
    let listens_for_others = participant.listening_host().is_some();
    let base = base(participant.role());
    let mut files = vec![File::plain("startup/rootCA.pem", root_certificate)];
    let mut pair = |base: &str| {
        let certificate = identity.certificate_pem.as_str();
        files.push(File::plain(format!("startup/{base}.crt"), certificate));
        let key = identity.key.to_pem()?;
        files.push(File::secret(format!("startup/{base}.key"), key));
        Ok::<(), Error>(())
    };
    pair(base)?;
    // Whoever listens for others is their server; its certificate names the hosts for that.
    if listens_for_others && base != server::BASE {
        pair(server::BASE)?;
    }
    Ok(files)
}

/// Fills the `@KEY@`s of a template.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |text, (key, value)| {
            text.replace(&format!("@{key}@"), value)
        })
}
