//! Who has which certificate, until when, and what is wrong with it.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::Line;
use poc_core::project::Role;
use poc_core::workspace::{Kit, Prepared};

use super::{certificate_file, key_file, root_file};
use crate::Error;
use crate::authority::state::State;
use crate::authority::{Authority, Held, PrivateKey, rfc3339};
use crate::provision::unix_time;

/// The certificates of a POC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The root.
    pub authority: Certificate,
    /// One for each kit, in the project's order. One that does not read is only among the flaws.
    pub issued: Vec<Certificate>,
    /// What keeps participants from trusting one another.
    pub flaws: Vec<Flaw>,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The participant; of the root, what its certificate says.
    pub name: String,
    /// What the participant is; `None` for the root.
    pub role: Option<Role>,
    /// The organisation that the certificate names.
    pub org: Option<String>,
    /// What NVFlare lets the admin do, by the certificate.
    pub admin_role: Option<String>,
    /// From when it is valid, RFC 3339.
    pub not_before: String,
    /// Until when, RFC 3339.
    pub not_after: String,
    /// How many seconds are left of it; negative when it has expired.
    pub seconds_left: i64,
    /// SHA-256, as OpenSSL shows it: `5F:1C:…`.
    pub fingerprint: String,
    /// Where it was read.
    pub file: Utf8PathBuf,
}

/// What is wrong with somebody's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The participant.
    pub name: String,
    /// What.
    pub kind: FlawKind,
}

/// What can be wrong with a certificate, besides its age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlawKind {
    /// A file is missing or does not read.
    Unreadable {
        /// Which, and what the matter is.
        reason: String,
    },
    /// The POC's authority did not sign it.
    OtherAuthority,
    /// The kit trusts another root.
    OtherRoot,
    /// It is for another key than the kit has.
    OtherKey,
    /// It names another participant.
    OtherName {
        /// The name in it.
        name: String,
    },
    /// NVFlare takes an admin's role from the certificate, and project.yml says another.
    OtherRole {
        /// The role in it.
        role: String,
    },
}

impl fmt::Display for FlawKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { reason } => f.write_str(reason),
            Self::OtherAuthority => {
                f.write_str("the certificate is not signed by this POC's authority")
            }
            Self::OtherRoot => f.write_str("the kit trusts another certificate authority"),
            Self::OtherKey => f.write_str("the certificate is for another key than the kit has"),
            Self::OtherName { name } => write!(f, "the certificate is for `{name}`"),
            Self::OtherRole { role } => {
                write!(f, "the certificate says `{role}`, project.yml another role")
            }
        }
    }
}

/// Reads the certificates where they are used, in the kits, and the root in cert.json.
///
/// # Errors
///
/// [`Error::AuthorityUnusable`] where cert.json does not read; what is wrong with a kit is in the
/// result.
pub fn certificates(prepared: &Prepared) -> Result<Certificates, Error> {
    let now = unix_time();
    let file = prepared.workspace.ca_file(&prepared.project.name);
    let authority = State::load(&file)?.authority_of_any_age()?;
    let mut found = Certificates {
        authority: describe(&authority.held(), None, &file, now)?,
        issued: Vec::new(),
        flaws: Vec::new(),
    };
    for kit in prepared.kits() {
        let mut flaw = |kind| {
            found.flaws.push(Flaw {
                name: kit.name.clone(),
                kind,
            });
        };
        let file = certificate_file(&kit);
        let held = match read(&file) {
            Ok(held) => held,
            Err(reason) => {
                flaw(FlawKind::Unreadable { reason });
                continue;
            }
        };
        flaws_of(prepared, &kit, &held, &authority)
            .into_iter()
            .for_each(flaw);
        let mut certificate = describe(&held, Some(kit.role), &file, now)?;
        certificate.name.clone_from(&kit.name);
        found.issued.push(certificate);
    }
    Ok(found)
}

fn read(file: &Utf8Path) -> Result<Held, String> {
    let bytes = fs_err::read(file).map_err(|error| error.to_string())?;
    Held::from_pem(&bytes).map_err(|_| format!("{file} does not read as a certificate"))
}

fn flaws_of(prepared: &Prepared, kit: &Kit, held: &Held, authority: &Authority) -> Vec<FlawKind> {
    use poc_core::project::Kind;

    let mut flaws = Vec::new();
    if !authority.has_issued(held) {
        flaws.push(FlawKind::OtherAuthority);
    }
    match read(&root_file(kit)) {
        Ok(root) if authority.is_same(&root) => {}
        Ok(_) => flaws.push(FlawKind::OtherRoot),
        Err(reason) => flaws.push(FlawKind::Unreadable { reason }),
    }
    match read_key(kit) {
        Ok(key) if held.is_for(&key) => {}
        Ok(_) => flaws.push(FlawKind::OtherKey),
        Err(reason) => flaws.push(FlawKind::Unreadable { reason }),
    }
    let name = held.common_name();
    // Up to 2.5 sites know a POC's server by its address.
    let is_old_server =
        kit.role == Role::Server && prepared.line.is_some_and(|it| it <= Line::V2_5);
    if name != kit.name && !is_old_server {
        flaws.push(FlawKind::OtherName { name });
    }
    if let (Some(Kind::Admin(admin)), Some(role)) = (
        prepared.project.find(&kit.name).map(|it| &it.kind),
        held.role(),
    ) && admin.role != role
    {
        flaws.push(FlawKind::OtherRole { role });
    }
    flaws
}

/// The key of a kit; the error is for a person.
pub(super) fn read_key(kit: &Kit) -> Result<PrivateKey, String> {
    let file = key_file(kit);
    let text = fs_err::read_to_string(&file).map_err(|error| error.to_string())?;
    PrivateKey::from_pem(&text).map_err(|_| format!("{file} does not read as a private key"))
}

fn describe(
    held: &Held,
    role: Option<Role>,
    file: &Utf8Path,
    now: i64,
) -> Result<Certificate, Error> {
    let (not_before, not_after) = held.validity()?;
    Ok(Certificate {
        name: held.common_name(),
        role,
        org: held.organisation(),
        admin_role: held.role(),
        not_before: rfc3339(not_before),
        not_after: rfc3339(not_after),
        seconds_left: not_after - now,
        fingerprint: held.fingerprint()?,
        file: file.to_owned(),
    })
}
