//! The certificate authority of a POC: keys, certificates, and the file that keeps them.

mod certificate;
mod held;
mod keys;
pub(crate) mod state;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Signer};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509StoreContext};
use poc_core::Line;

pub(crate) use certificate::{Subject, Validity};
pub(crate) use held::Held;
pub(crate) use keys::{PrivateKey, generate};

use crate::Error;
use crate::error::crypto;

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// How long certificates are valid, in days. NVFlare 2.9 refuses to go on with a root of any other
/// length than the one that its project says, which is this one where it says nothing.
pub(crate) const VALID_DAYS: u32 = 360;

/// A root certificate and its key.
#[derive(Debug)]
pub(crate) struct Authority {
    certificate: X509,
    key: PrivateKey,
    not_after: i64,
}

/// What keeps an authority from issuing.
#[derive(Debug)]
struct Flaw {
    reason: String,
    expired: bool,
}

/// A participant's key and certificate.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) certificate_pem: String,
    pub(crate) key: PrivateKey,
    /// Seconds since 1970.
    pub(crate) not_after: i64,
}

impl Authority {
    /// A new authority that is valid from `now` (seconds since 1970) for that many days.
    pub(crate) fn create(
        common_name: &str,
        key: PrivateKey,
        now: i64,
        days: u32,
    ) -> Result<Self, Error> {
        let not_after = now + i64::from(days) * SECONDS_A_DAY;
        let validity = Validity {
            not_before: now,
            not_after,
        };
        let certificate = certificate::root(common_name, &key, validity)
            .map_err(crypto("make the root certificate"))?;
        Ok(Self {
            certificate,
            key,
            not_after,
        })
    }

    /// An authority that exists already; the error says why it is none.
    fn from_parts(certificate_pem: &str, key: PrivateKey) -> Result<Self, &'static str> {
        let broken = |_| "its certificate does not read";
        let certificate = X509::from_pem(certificate_pem.as_bytes()).map_err(broken)?;
        if !key.is_usable() {
            return Err("its key is not RSA with 2048 bits");
        }
        let public_key = certificate.public_key().map_err(broken)?;
        if !public_key.public_eq(key.key()) {
            return Err("its key and its certificate do not belong together");
        }
        let not_after = seconds(certificate.not_after()).map_err(broken)?;
        Ok(Self {
            certificate,
            key,
            not_after,
        })
    }

    /// Whether what it issues at `now` is accepted by NVFlare of that line.
    fn check(&self, now: i64, line: Line) -> Result<(), Flaw> {
        if self.not_after <= now {
            return Err(Flaw {
                reason: format!("it expired on {}", rfc3339(self.not_after)),
                expired: true,
            });
        }
        let broken = |reason| Flaw {
            reason,
            expired: false,
        };
        // Up to 2.8 the signature is all that is looked at.
        if line < Line::V2_9 {
            return Ok(());
        }
        match self.flaw(now) {
            Ok(None) => Ok(()),
            // Roots of NVFlare up to 2.6 end here: their basic constraints are not critical.
            Ok(Some(flaw)) => Err(broken(format!(
                "NVFlare {line} would not accept it: {flaw}"
            ))),
            Err(error) => Err(broken(error.to_string())),
        }
    }

    /// The same authority, of the same key and name, with a certificate that is valid from `now` for
    /// that many days.
    pub(crate) fn renew(self, now: i64, days: u32) -> Result<Self, Error> {
        let common_name = self.held().common_name();
        Self::create(&common_name, self.key, now, days)
    }

    /// Issues the certificate that somebody holds anew, for the same key and of the same content but for
    /// its dates.
    pub(crate) fn reissue(
        &self,
        held: &Held,
        key: PrivateKey,
        now: i64,
    ) -> Result<Identity, Error> {
        let not_after = self.leaf_until(now);
        let validity = Validity {
            not_before: now,
            not_after,
        };
        let certificate =
            certificate::again(held.x509(), &key, validity, &self.certificate, &self.key)
                .map_err(crypto("issue a certificate"))?;
        Ok(Identity {
            certificate_pem: pem(&certificate)?,
            key,
            not_after,
        })
    }

    /// Until when a certificate is valid that is issued now.
    fn leaf_until(&self, now: i64) -> i64 {
        self.not_after
            .min(now + i64::from(VALID_DAYS) * SECONDS_A_DAY)
    }

    /// The root certificate, as one to look at.
    pub(crate) fn held(&self) -> Held {
        Held::of(self.certificate.clone())
    }

    /// Whether that certificate is of this authority: of the same name and the same key.
    pub(crate) fn is_same(&self, certificate: &Held) -> bool {
        let same_name = certificate
            .x509()
            .subject_name()
            .try_cmp(self.certificate.subject_name())
            .is_ok_and(std::cmp::Ordering::is_eq);
        same_name && certificate.is_for(&self.key)
    }

    /// Whether this authority has signed that certificate.
    pub(crate) fn has_issued(&self, certificate: &Held) -> bool {
        certificate.x509().verify(self.key.key()).unwrap_or(false)
    }

    /// What keeps a certificate of this authority from being accepted: one is issued and put through
    /// OpenSSL's strict path validation, of the same rules as NVFlare's.
    fn flaw(&self, now: i64) -> Result<Option<String>, ErrorStack> {
        let subject = Subject {
            common_name: "trial".to_owned(),
            organisation: None,
            role: None,
            hosts: vec!["trial".to_owned()],
        };
        let validity = Validity {
            not_before: now,
            not_after: self.not_after,
        };
        let trial = certificate::leaf(&subject, &self.key, validity, &self.certificate, &self.key)?;
        self.flaw_of(&trial, now)
    }

    fn flaw_of(&self, leaf: &X509, now: i64) -> Result<Option<String>, ErrorStack> {
        let mut rules = X509VerifyParam::new()?;
        rules.set_time(now);
        rules.set_flags(X509VerifyFlags::X509_STRICT)?;
        let mut store = X509StoreBuilder::new()?;
        store.set_param(&rules)?;
        store.add_cert(self.certificate.clone())?;
        let store = store.build();
        let between = Stack::new()?;
        X509StoreContext::new()?.init(&store, leaf, &between, |context| {
            let valid = context.verify_cert()?;
            Ok((!valid).then(|| context.error().error_string().to_owned()))
        })
    }

    /// Issues a certificate for that key: valid from `now` for the usual time, but no longer than the
    /// authority itself.
    pub(crate) fn issue(
        &self,
        subject: &Subject,
        key: PrivateKey,
        now: i64,
    ) -> Result<Identity, Error> {
        let action = "issue a certificate";
        let not_after = self.leaf_until(now);
        let validity = Validity {
            not_before: now,
            not_after,
        };
        let certificate = certificate::leaf(subject, &key, validity, &self.certificate, &self.key)
            .map_err(crypto(action))?;
        Ok(Identity {
            certificate_pem: pem(&certificate)?,
            key,
            not_after,
        })
    }

    /// Signs as NVFlare's `signature.json` has it: RSA-PSS over SHA-256, with the longest salt that the
    /// key allows (222 bytes), since NVFlare on an older `cryptography` takes no other.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let sign = || -> Result<Vec<u8>, ErrorStack> {
            let mut signer = Signer::new(MessageDigest::sha256(), self.key.key())?;
            signer.set_rsa_padding(Padding::PKCS1_PSS)?;
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::MAXIMUM_LENGTH)?;
            signer.set_rsa_mgf1_md(MessageDigest::sha256())?;
            signer.sign_oneshot_to_vec(bytes)
        };
        sign().map_err(crypto("sign a file"))
    }

    /// The root certificate.
    pub(crate) fn certificate_pem(&self) -> Result<String, Error> {
        pem(&self.certificate)
    }

    /// Until when it is valid, in seconds since 1970.
    pub(crate) fn not_after(&self) -> i64 {
        self.not_after
    }

    fn key(&self) -> &PrivateKey {
        &self.key
    }
}

/// An instant in seconds since 1970, as RFC 3339 writes it in UTC.
pub(crate) fn rfc3339(seconds: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|instant| {
            instant
                .format(&time::format_description::well_known::Rfc3339)
                .ok()
        })
        .unwrap_or_else(|| format!("{seconds} s after 1970"))
}

fn pem(certificate: &X509) -> Result<String, Error> {
    let pem = certificate
        .to_pem()
        .map_err(crypto("write a certificate"))?;
    // PEM is ASCII.
    Ok(String::from_utf8_lossy(&pem).into_owned())
}

fn seconds(time: &Asn1TimeRef) -> Result<i64, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(time)?;
    Ok(i64::from(since.days) * SECONDS_A_DAY + i64::from(since.secs))
}

#[cfg(test)]
mod tests;
