//! The files of a startup kit.
//!
//! Each role has a writer that says what is in its kit, as [`File`]s; nothing here touches the disk. A
//! kit comes in two parts, what can be written before there are keys, and what the keys are needed for.

mod admin;
mod client;
mod local;
mod script;
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
            .with("SERVER_IDENTITY", server.name.as_str())
            .with("SERVER_HOST", self.server_host.as_str())
            .with("LISTEN_HOST", self.listen_host.as_str())
            .with("FED_LEARN_PORT", self.fed_learn_port)
            .with("ADMIN_PORT", self.admin_port)
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
    fn plain(path: impl Into<Utf8PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            bytes: bytes.into(),
            access: Access::Plain,
        }
    }

    fn script(path: impl Into<Utf8PathBuf>, text: String) -> Self {
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
    match &participant.kind {
        Kind::Server(server) => server::settings(federation, participant, server),
        Kind::Client(client) => client::settings(federation, participant, client),
        Kind::Admin(admin) => admin::settings(federation, participant, admin),
        Kind::Relay(_) => Err(Error::Unsupported {
            what: format!("the relay `{}`", participant.name),
        }),
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
    let base = base(participant.role());
    Ok(vec![
        File::plain("startup/rootCA.pem", root_certificate),
        File::plain(
            format!("startup/{base}.crt"),
            identity.certificate_pem.as_str(),
        ),
        File::secret(format!("startup/{base}.key"), identity.key.to_pem()?),
    ])
}

/// How a participant's connections are secured: `mtls`, unless the participant or the project says
/// otherwise. Some lines leave the key out of the role file where nobody does.
fn security(values: Values, federation: &Federation<'_>, own: Option<&str>) -> Values {
    let general = federation
        .project
        .extra
        .get("connection_security")
        .and_then(|value| value.as_text());
    let said = own.or(general).map(str::to_lowercase);
    values
        .with("SECURITY", said.as_deref().unwrap_or("mtls"))
        .with("OWN_SECURITY", said)
}

/// Fills the `@KEY@`s of a template.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |text, (key, value)| {
            text.replace(&format!("@{key}@"), value)
        })
}
