//! The certificates of a POC that is there: who has which until when, and new ones before they expire.

mod list;
mod renew;

use camino::Utf8PathBuf;
use poc_core::workspace::Kit;

pub use list::{Certificate, Certificates, Flaw, FlawKind, certificates};
pub use renew::{Renewed, renew_certificates};

use crate::kit;

/// Where a kit has the root certificate.
const ROOT: &str = "rootCA.pem";

fn root_file(kit: &Kit) -> Utf8PathBuf {
    kit.startup().join(ROOT)
}

fn certificate_file(kit: &Kit) -> Utf8PathBuf {
    kit.startup().join(format!("{}.crt", kit::base(kit.role)))
}

fn key_file(kit: &Kit) -> Utf8PathBuf {
    kit.startup().join(format!("{}.key", kit::base(kit.role)))
}
