//! The files of a startup kit.
//!
//! Each role has a writer that says what is in its kit, as [`File`]s; nothing here touches the disk. A
//! kit comes in two parts, what can be written before there are keys, and what the keys are needed for.

mod admin;
mod client;
mod local;
mod script;
mod server;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::project::{Kind, Participant, Project};

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

/// Certificates and key.
pub(crate) fn credentials(
    participant: &Participant,
    identity: &Identity,
    root_certificate: &str,
) -> Result<Vec<File>, Error> {
    let base = match participant.kind {
        Kind::Server(_) => server::BASE,
        Kind::Client(_) | Kind::Admin(_) | Kind::Relay(_) => client::BASE,
    };
    Ok(vec![
        File::plain("startup/rootCA.pem", root_certificate),
        File::plain(
            format!("startup/{base}.crt"),
            identity.certificate_pem.as_str(),
        ),
        File::secret(format!("startup/{base}.key"), identity.key.to_pem()?),
    ])
}

/// The names of key and certificates in a role file, relative to `startup/`.
#[derive(serde::Serialize)]
#[expect(clippy::struct_field_names, reason = "NVFlare's names")]
struct Tls {
    ssl_private_key: String,
    ssl_cert: String,
    ssl_root_cert: &'static str,
}

impl Tls {
    fn of(base: &str) -> Self {
        Self {
            ssl_private_key: format!("{base}.key"),
            ssl_cert: format!("{base}.crt"),
            ssl_root_cert: "rootCA.pem",
        }
    }
}

/// `mtls`, unless the participant or the project says otherwise.
fn connection_security(federation: &Federation<'_>, own: Option<&str>) -> String {
    let general = federation
        .project
        .extra
        .get("connection_security")
        .and_then(|value| value.as_text());
    own.or(general).unwrap_or("mtls").to_lowercase()
}

/// Fills the `@KEY@`s of a template.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |text, (key, value)| {
            text.replace(&format!("@{key}@"), value)
        })
}
