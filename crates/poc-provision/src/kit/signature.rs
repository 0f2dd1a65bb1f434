//! `signature.json`: what the authority says of the other files of a directory.
//!
//! NVFlare up to 2.7 starts nothing from a kit without it, and every line wants it where a kit holds
//! keys for homomorphic encryption. The file is a JSON object of file names and signatures
//! (`nvflare/lighter/utils.py`, `sign_folders`).

use std::collections::BTreeMap;

use openssl::base64;
use openssl::sha::sha256;

use super::File;
use crate::authority::Authority;
use crate::{Error, json};

/// Signs, and signs the same bytes only once: most files of two sites are the same.
pub(crate) struct Signatures<'a> {
    authority: &'a Authority,
    known: BTreeMap<[u8; 32], String>,
}

impl<'a> Signatures<'a> {
    /// The name of the file.
    pub(crate) const NAME: &'static str = "signature.json";

    pub(crate) fn of(authority: &'a Authority) -> Self {
        Self {
            authority,
            known: BTreeMap::new(),
        }
    }

    /// The signature file of a directory of a kit that holds these files.
    pub(crate) fn file(
        &mut self,
        directory: &str,
        files: &[(String, Vec<u8>)],
    ) -> Result<File, Error> {
        let mut signatures = BTreeMap::new();
        for (name, bytes) in files {
            signatures.insert(name.as_str(), self.sign(bytes)?);
        }
        Ok(File::plain(
            format!("{directory}/{}", Self::NAME),
            json::to_ascii(&signatures)?,
        ))
    }

    fn sign(&mut self, bytes: &[u8]) -> Result<String, Error> {
        let digest = sha256(bytes);
        if let Some(signature) = self.known.get(&digest) {
            return Ok(signature.clone());
        }
        let signature = base64::encode_block(&self.authority.sign(bytes)?);
        self.known.insert(digest, signature.clone());
        Ok(signature)
    }
}
