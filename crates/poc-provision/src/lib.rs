//! Startup kits for NVIDIA FLARE, made without NVFlare: a certificate authority, a key and a certificate
//! for each participant, and the files that the server, the sites and the admins start from.
//!
//! ```
//! use std::time::Duration;
//!
//! use poc_core::project::Project;
//! use poc_core::workspace::Workspace;
//! use poc_core::{Cancel, Line};
//! use poc_provision::{Event, Request, provision};
//!
//! # let directory = tempfile::tempdir()?;
//! # let directory = camino::Utf8Path::from_path(directory.path()).ok_or("not UTF-8")?;
//! // The documented project: a server, three admins, and here one site.
//! let project = Project::poc_default(Line::V2_9, &["site-1".to_owned()])?;
//! let workspace = Workspace::new(directory.join("poc"));
//! let cancel = Cancel::new();
//!
//! let mut lock = workspace.lock_create(Duration::from_secs(5))?;
//! let made = provision(&Request::new(&project, &workspace, &cancel), &mut lock, &mut |event| {
//!     if let Event::Keys { done, total } = event {
//!         println!("{done} of {total} keys");
//!     }
//! })?;
//!
//! let site = made.kits.iter().find(|kit| kit.name == "site-1").ok_or("no kit")?;
//! assert!(site.startup().join("fed_client.json").is_file());
//! assert_eq!(made.server_host, "localhost");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What comes of it
//!
//! A *workspace* in the layout of NVFlare's own `nvflare poc prepare`, which its tools therefore read,
//! start, and grow (`nvflare poc add-site`):
//!
//! ```text
//! <workspace>/project.yml                        the project as provisioned
//! <workspace>/data/                              for data; empty
//! <workspace>/<project>/prod_00/<participant>/   a startup kit: startup/ local/ transfer/
//! <workspace>/<project>/state/cert.json          the authority and all that it issued
//! <workspace>/.poc/manifest.json                 what was written, for which line of NVFlare
//! ```
//!
//! Directories are their owner's alone (0700), private keys and `cert.json` as well (0600). The scripts in
//! `startup/` run the kit without `poc`. NVFlare stores jobs and snapshots in the workspace.
//!
//! # Lines
//!
//! Kits are not portable between minor versions of NVFlare, so a [`Request`] says for which one they are.
//! What differs is data: a profile a line, from 2.5 to 2.9.
//!
//! # Whole or absent
//!
//! [`provision()`] checks all that can be checked before it makes anything, builds the new workspace
//! aside, makes it durable and swaps it in. An error, a stop asked for through
//! [`Cancel`](poc_core::Cancel), even a power failure leave the old workspace or the new one, never a
//! mixture and never neither. A directory that is no POC is not replaced, and an old POC that holds files
//! of the user's (data, job results, edited settings) is kept beside as `<workspace>.previous`.
//!
//! # Time
//!
//! Nearly all of the time goes into RSA keys, one for the authority and one for each participant. They
//! are made on every core, while the calling thread writes what does not need them.
//!
//! # What it leaves to others
//!
//! Whether the old POC is running, and `~/.nvflare/config.conf`, are the caller's. Nothing is printed:
//! progress comes as [`Event`]s.

mod authority;
mod certs;
mod clean;
mod docker;
mod error;
mod grow;
mod jobs_dir;
mod json;
mod kit;
mod line;
mod ours;
mod provision;

pub use certs::{
    Certificate, Certificates, Flaw, FlawKind, Renewed, certificates, renew_certificates,
};
pub use clean::{Cleaned, clean};
pub use error::Error;
pub use grow::{Added, Addition, Removed, add, check_removal, remove};
pub use jobs_dir::{Linked, link_jobs_dir};
pub use provision::{Event, Provisioned, Request, provision};
