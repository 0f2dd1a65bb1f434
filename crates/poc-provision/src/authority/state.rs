//! `state/cert.json`: the authority and all that it issued, in NVFlare's own form, so that
//! `nvflare poc add-site` and `add-user` can go on from it.

use camino::Utf8Path;
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
        let entry = Map::from_iter([
            (
                "cert".to_owned(),
                Value::from(identity.certificate_pem.as_str()),
            ),
            ("pri_key".to_owned(), Value::from(identity.key.to_pem()?)),
        ]);
        document.insert(common_name.clone(), entry.into());
    }
    Ok(serde_json::to_string(&document)?)
}

/// Reads the authority back from cert.json, ours or NVFlare's.
pub(crate) fn load(path: &Utf8Path, now: i64) -> Result<Authority, Error> {
    let unusable = |reason: String| Error::AuthorityUnusable {
        path: path.to_owned(),
        reason,
    };
    let text = fs_err::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => unusable("there is no such file".to_owned()),
        _ => error.into(),
    })?;
    let document: Map<String, Value> = serde_json::from_str(&text)
        .map_err(|error| unusable(format!("it is not what NVFlare writes: {error}")))?;
    let field = |key: &str| {
        document
            .get(key)
            .and_then(Value::as_str)
            .ok_or_else(|| unusable(format!("it has no `{key}`")))
    };
    let certificate = field(ROOT_CERTIFICATE)?;
    let key = PrivateKey::from_pem(field(ROOT_KEY)?)
        .map_err(|_| unusable("its private key does not read".to_owned()))?;
    Authority::from_parts(certificate, key, now).map_err(unusable)
}
