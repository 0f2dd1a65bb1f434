//! A certificate that somebody holds, to look at.

use std::fmt;

use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::x509::X509;

use super::{PrivateKey, seconds};
use crate::Error;
use crate::error::crypto;

/// A certificate as it was found.
pub(crate) struct Held(X509);

impl Held {
    pub(super) fn of(certificate: X509) -> Self {
        Self(certificate)
    }

    /// Reads a certificate in PEM.
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        X509::from_pem(pem)
            .map(Self)
            .map_err(crypto("read a certificate"))
    }

    pub(super) fn x509(&self) -> &X509 {
        &self.0
    }

    /// Whom it is for; empty where it names nobody.
    pub(crate) fn common_name(&self) -> String {
        self.subject(Nid::COMMONNAME).unwrap_or_default()
    }

    /// The organisation.
    pub(crate) fn organisation(&self) -> Option<String> {
        self.subject(Nid::ORGANIZATIONNAME)
    }

    /// What NVFlare lets an admin do.
    pub(crate) fn role(&self) -> Option<String> {
        self.subject(Nid::PKCS9_UNSTRUCTUREDNAME)
    }

    fn subject(&self, part: Nid) -> Option<String> {
        let entry = self.0.subject_name().entries_by_nid(part).next()?;
        entry.data().to_string().ok()
    }

    /// From when and until when it is valid, in seconds since 1970.
    pub(crate) fn validity(&self) -> Result<(i64, i64), Error> {
        let read = || Ok((seconds(self.0.not_before())?, seconds(self.0.not_after())?));
        read().map_err(crypto("read a certificate's dates"))
    }

    /// The SHA-256 fingerprint as `openssl x509 -fingerprint -sha256` shows it: `5F:1C:…`.
    pub(crate) fn fingerprint(&self) -> Result<String, Error> {
        let digest = self
            .0
            .digest(MessageDigest::sha256())
            .map_err(crypto("work out a certificate's fingerprint"))?;
        let bytes: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(bytes.join(":"))
    }

    /// Whether it is for that key.
    pub(crate) fn is_for(&self, key: &PrivateKey) -> bool {
        self.0
            .public_key()
            .is_ok_and(|public| public.public_eq(key.key()))
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({})", self.common_name())
    }
}
