//! RSA keys, made on every core.

use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use poc_core::Cancel;

use crate::Error;
use crate::error::crypto;

/// NVFlare slices signed messages at the 256 bytes of a signature by exactly this key size; another
/// size signs well and then fails to verify.
const BITS: u32 = 2048;

/// A private key. It is shown nowhere: not by `Debug`, and there is no `Display`.
#[derive(Clone)]
pub(crate) struct PrivateKey(PKey<Private>);

impl PrivateKey {
    fn generate() -> Result<Self, Error> {
        let rsa = Rsa::generate(BITS).map_err(crypto("make an RSA key"))?;
        Ok(Self(
            PKey::from_rsa(rsa).map_err(crypto("make an RSA key"))?,
        ))
    }

    /// Reads an unencrypted key, PKCS#1 or PKCS#8.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, Error> {
        PKey::private_key_from_pem(pem.as_bytes())
            .map(Self)
            .map_err(crypto("read a private key"))
    }

    /// The key as NVFlare writes it: PKCS#1, unencrypted.
    pub(crate) fn to_pem(&self) -> Result<String, Error> {
        let action = "write a private key";
        let rsa = self.0.rsa().map_err(crypto(action))?;
        let pem = rsa.private_key_to_pem().map_err(crypto(action))?;
        // PEM is ASCII.
        Ok(String::from_utf8_lossy(&pem).into_owned())
    }

    pub(super) fn key(&self) -> &PKey<Private> {
        &self.0
    }

    /// Whether it is of the one kind that NVFlare's own signatures work with.
    pub(super) fn is_usable(&self) -> bool {
        self.0.rsa().is_ok() && self.0.bits() == BITS
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// Makes that many keys, one core a thread, and reports how many are done after each. `meanwhile` runs
/// on the caller's thread while the others work.
///
/// The keys are taken from a common queue one by one, for the time that a key takes varies widely.
///
/// # Errors
///
/// [`Error::Cancelled`] within the time of a key; what OpenSSL says; what `meanwhile` says.
pub(crate) fn generate(
    count: usize,
    cancel: &Cancel,
    progress: &mut dyn FnMut(usize),
    meanwhile: impl FnOnce() -> Result<(), Error>,
) -> Result<Vec<PrivateKey>, Error> {
    let threads = std::thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(count);
    let taken = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();

    std::thread::scope(|scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            let taken = &taken;
            scope.spawn(move || {
                while taken.fetch_add(1, Ordering::Relaxed) < count {
                    let key = cancel
                        .check()
                        .map_err(Error::from)
                        .and_then(|()| PrivateKey::generate());
                    let failed = key.is_err();
                    // The receiver is gone once one key has failed.
                    if sender.send(key).is_err() || failed {
                        return;
                    }
                }
            });
        }
        // With the last worker's sender gone the receiver ends.
        drop(sender);

        let aside = meanwhile();
        if aside.is_err() {
            taken.store(count, Ordering::Relaxed);
        }
        aside?;

        let mut keys = Vec::with_capacity(count);
        for key in receiver {
            let key = key.inspect_err(|_| taken.store(count, Ordering::Relaxed))?;
            keys.push(key);
            progress(keys.len());
        }
        Ok(keys)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_distinct_keys_and_counts_them() {
        let mut seen = Vec::new();
        let keys = generate(
            3,
            &Cancel::default(),
            &mut |done| seen.push(done),
            || Ok(()),
        )
        .unwrap();
        assert_eq!(seen, [1, 2, 3]);
        assert!(keys.iter().all(PrivateKey::is_usable));
        let mut pems: Vec<String> = keys.iter().map(|key| key.to_pem().unwrap()).collect();
        pems.sort();
        pems.dedup();
        assert_eq!(pems.len(), 3);
    }

    #[test]
    fn none_is_quickly_made() {
        assert!(
            generate(0, &Cancel::default(), &mut |_| (), || Ok(()))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_cancelled_run_makes_nothing() {
        let cancel = Cancel::default();
        cancel.cancel();
        let outcome = generate(4, &cancel, &mut |_| (), || Ok(()));
        assert!(matches!(outcome, Err(Error::Cancelled)));
    }

    #[test]
    fn what_runs_meanwhile_can_end_it() {
        let outcome = generate(1000, &Cancel::default(), &mut |_| (), || {
            Err(Error::Cancelled)
        });
        assert!(matches!(outcome, Err(Error::Cancelled)));
    }

    #[test]
    fn written_as_pkcs1_and_read_back() {
        let key = PrivateKey::generate().unwrap();
        let pem = key.to_pem().unwrap();
        assert!(
            pem.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"),
            "{}",
            &pem[..40]
        );
        assert_eq!(PrivateKey::from_pem(&pem).unwrap().to_pem().unwrap(), pem);
    }

    #[test]
    fn debug_does_not_show_the_key() {
        let key = PrivateKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(..)");
    }
}
