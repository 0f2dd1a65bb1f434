//! `state/cert.json`: the authority and all that it issued, in NVFlare's own form, so that
//! `nvflare poc add-site` and `add-user` can go on from it.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::{Line, fsio};
use serde_json::{Map, Value};

use super::{Authority, Identity, PrivateKey};
use crate::Error;

const ROOT_CERTIFICATE: &str = "root_cert";
const ROOT_KEY: &str = "root_pri_key";

/// The text of cert.json. Participants are keyed by the common name of their certificate.
pub(crate) fn to_json(
    authority: &Authority,
    issued: &[(String, Identity)],
) -> Result<String, Error> {
    let mut document = Map::new();
    document.insert(
        ROOT_CERTIFICATE.to_owned(),
        authority.certificate_pem()?.into(),
    );
    document.insert(ROOT_KEY.to_owned(), authority.key().to_pem()?.into());
    for (common_name, identity) in issued {
        document.insert(common_name.clone(), entry(identity)?);
    }
    Ok(serde_json::to_string(&document)?)
}

/// cert.json as it is: the authority and all that it issued. What is not touched is kept as it was.
#[derive(Debug)]
pub(crate) struct State {
    path: Utf8PathBuf,
    document: Map<String, Value>,
}

impl State {
    /// Reads cert.json, ours or NVFlare's.
    pub(crate) fn load(path: &Utf8Path) -> Result<Self, Error> {
        let unusable = |reason: String| Error::AuthorityUnusable {
            path: path.to_owned(),
            reason,
            expired: false,
        };
        let text = fs_err::read_to_string(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => unusable("there is no such file".to_owned()),
            io::ErrorKind::InvalidData => unusable("it is not UTF-8".to_owned()),
            _ => error.into(),
        })?;
        let document = serde_json::from_str(&text)
            .map_err(|error| unusable(format!("it is not what NVFlare writes: {error}")))?;
        Ok(Self {
            path: path.to_owned(),
            document,
        })
    }

    /// The authority, if it can issue certificates at `now` that NVFlare of that line accepts.
    pub(crate) fn authority(&self, now: i64, line: Line) -> Result<Authority, Error> {
        let authority = self.authority_of_any_age()?;
        authority
            .check(now, line)
            .map_err(|flaw| self.unusable(flaw.reason, flaw.expired))?;
        Ok(authority)
    }

    /// The authority, though it may have expired.
    pub(crate) fn authority_of_any_age(&self) -> Result<Authority, Error> {
        let unusable = |reason: &str| self.unusable(reason.to_owned(), false);
        let field = |key: &str| {
            let text = self.document.get(key).and_then(Value::as_str);
            text.ok_or_else(|| unusable(&format!("it has no `{key}`")))
        };
        let certificate = field(ROOT_CERTIFICATE)?;
        let key = PrivateKey::from_pem(field(ROOT_KEY)?)
            .map_err(|_| unusable("its private key does not read"))?;
        Authority::from_parts(certificate, key).map_err(unusable)
    }

    fn unusable(&self, reason: String, expired: bool) -> Error {
        Error::AuthorityUnusable {
            path: self.path.clone(),
            reason,
            expired,
        }
    }

    /// Takes in the root certificate of an authority that goes on under its old key.
    pub(crate) fn set_root(&mut self, authority: &Authority) -> Result<(), Error> {
        let certificate = authority.certificate_pem()?;
        self.document
            .insert(ROOT_CERTIFICATE.to_owned(), certificate.into());
        Ok(())
    }

    /// Takes in what was issued, in place of what was under that name.
    pub(crate) fn put(&mut self, common_name: &str, identity: &Identity) -> Result<(), Error> {
        self.document
            .insert(common_name.to_owned(), entry(identity)?);
        Ok(())
    }

    /// Takes out what was issued to that name. The certificate stays valid: NVFlare knows no
    /// revocation.
    pub(crate) fn remove(&mut self, common_name: &str) {
        if ![ROOT_CERTIFICATE, ROOT_KEY].contains(&common_name) {
            self.document.remove(common_name);
        }
    }

    /// Writes the file, whole or not at all.
    pub(crate) fn save(&self) -> Result<(), Error> {
        let text = serde_json::to_string(&self.document)?;
        Ok(fsio::write_atomic(&self.path, text.as_bytes(), 0o600)?)
    }
}

fn entry(identity: &Identity) -> Result<Value, Error> {
    let certificate = Value::from(identity.certificate_pem.as_str());
    let key = Value::from(identity.key.to_pem()?);
    let entry = Map::from_iter([
        ("cert".to_owned(), certificate),
        ("pri_key".to_owned(), key),
    ]);
    Ok(entry.into())
}
