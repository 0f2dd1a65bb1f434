//! New certificates for everybody, root included, before the old ones expire.
//!
//! The root expires together with what it issued, so new leaves alone would be no help. All keys stay,
//! the root's too, and all names: old and new certificates vouch for each other, and an interruption
//! between two files leaves a POC that works. Only where a kit has a `signature.json` (NVFlare up to
//! 2.7, and kits with keys for homomorphic encryption) it may be refused until the command is run
//! again.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use openssl::base64;
use poc_core::workspace::{Kit, Prepared, WorkspaceLock};
use poc_core::{Cancel, fsio};
use serde_json::{Map, Value};

use super::list::read_key;
use super::{certificate_file, root_file};
use crate::authority::state::State;
use crate::authority::{Authority, Held, rfc3339};
use crate::kit::Access;
use crate::ours::{Foreign, update_manifest};
use crate::provision::plan::root_days;
use crate::provision::unix_time;
use crate::{Error, json};

/// What has been renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// When the first of the new certificates expires, RFC 3339.
    pub until: String,
    /// Who has a new certificate, in the project's order.
    pub names: Vec<String>,
}

/// Issues the root certificate anew, with the same key and name, and then the certificate of every kit,
/// with its own key, name and hosts; in the kits and in cert.json.
///
/// Whether the POC runs is the caller's to know: who runs goes on with the certificates that it read
/// when it started.
///
/// # Errors
///
/// [`Error::AuthorityUnusable`], [`Error::CertificateUnusable`], [`Error::Cancelled`]: nothing is
/// changed then. [`Error::Io`]: run it again.
pub fn renew_certificates(
    prepared: &Prepared,
    cancel: &Cancel,
    _lock: &WorkspaceLock,
) -> Result<Renewed, Error> {
    let now = unix_time();
    let mut state = State::load(&prepared.workspace.ca_file(&prepared.project.name))?;
    let old = state.authority_of_any_age()?;
    let kits = prepared.kits();
    let held = kits
        .iter()
        .map(|kit| held_by(kit, &old))
        .collect::<Result<Vec<_>, _>>()?;

    let authority = old.renew(now, root_days(&prepared.project))?;
    let root = authority.certificate_pem()?;
    state.set_root(&authority)?;
    let mut until = authority.not_after();
    let mut files = Vec::new();
    for (kit, held) in kits.iter().zip(held) {
        cancel.check()?;
        let (held, key) = held;
        let identity = authority.reissue(&held, key, now)?;
        until = until.min(identity.not_after);
        state.put(&held.common_name(), &identity)?;
        let mut fresh = BTreeMap::from([(root_file(kit), root.clone().into_bytes())]);
        for file in certificate_files(kit)? {
            fresh.insert(file, identity.certificate_pem.clone().into_bytes());
        }
        let signatures = signed_again(kit, &fresh, &authority)?;
        files.extend(fresh);
        files.extend(signatures);
    }

    let foreign = Foreign::find(prepared)?;
    // The state first: with it, a kit can be made again whatever happens to the rest.
    state.save()?;
    for (file, bytes) in files {
        fsio::write_atomic(&file, &bytes, Access::Plain.mode())?;
    }
    update_manifest(prepared, &foreign, None, Vec::new())?;
    Ok(Renewed {
        until: rfc3339(until),
        names: kits.into_iter().map(|kit| kit.name).collect(),
    })
}

/// The certificate and the key of a kit.
fn held_by(
    kit: &Kit,
    authority: &Authority,
) -> Result<(Held, crate::authority::PrivateKey), Error> {
    let file = certificate_file(kit);
    let unusable = |reason: String| Error::CertificateUnusable {
        name: kit.name.clone(),
        reason,
    };
    let bytes = fs_err::read(&file).map_err(|error| unusable(error.to_string()))?;
    let held = Held::from_pem(&bytes)
        .map_err(|_| unusable(format!("{file} does not read as a certificate")))?;
    let key = read_key(kit).map_err(unusable)?;
    if !held.is_for(&key) {
        return Err(unusable(
            "it is for another key than the kit has".to_owned(),
        ));
    }
    if !authority.has_issued(&held) {
        return Err(unusable("another authority signed it".to_owned()));
    }
    Ok((held, key))
}

/// Where the certificate of a kit lies: a relay, and a site that listens for others, has it twice.
fn certificate_files(kit: &Kit) -> Result<Vec<Utf8PathBuf>, Error> {
    let own = certificate_file(kit);
    let further = kit.startup().join("server.crt");
    let mut files = vec![own.clone()];
    // NVFlare gives its own such kits a second key; what is of that is not this certificate.
    if further != own && further.is_file() && fs_err::read(&further)? == fs_err::read(&own)? {
        files.push(further);
    }
    Ok(files)
}

/// The `signature.json` beside the files that change, where there is one, with new signatures of those
/// that it lists.
fn signed_again(
    kit: &Kit,
    fresh: &BTreeMap<Utf8PathBuf, Vec<u8>>,
    authority: &Authority,
) -> Result<Option<(Utf8PathBuf, Vec<u8>)>, Error> {
    let file = kit.startup().join("signature.json");
    let text = match fs_err::read(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut signatures: Map<String, Value> =
        serde_json::from_slice(&text).map_err(|error| Error::CertificateUnusable {
            name: kit.name.clone(),
            reason: format!("{file} does not read: {error}"),
        })?;
    for (path, bytes) in fresh {
        if let Some(signature) = path.file_name().and_then(|name| signatures.get_mut(name)) {
            *signature = base64::encode_block(&authority.sign(bytes)?).into();
        }
    }
    Ok(Some((file, json::to_ascii(&signatures)?)))
}
