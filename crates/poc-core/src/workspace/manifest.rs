//! `.poc/manifest.json`: what prepare wrote.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::version::Line;
use crate::{Error, fsio};

/// What `poc prepare` made, for which line: written last, so a workspace that has it is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this file: 1.
    pub schema: u32,
    /// The version of `poc` that wrote it.
    pub poc_version: String,
    /// The line of NVFlare that the kits are for.
    pub line: Line,
    /// The exact version of the runtime found then, if any.
    pub flare_version: Option<String>,
    /// Every file written, relative to the workspace, sorted.
    pub files: Vec<Utf8PathBuf>,
    /// Where the server listens, as given.
    pub listen: String,
    /// The host that sites and admins connect to.
    pub server_host: String,
    /// The port for sites.
    pub fed_learn_port: u16,
    /// The port for admins.
    pub admin_port: u16,
    /// Whether config.conf was pointed at this workspace.
    pub config_written: bool,
    /// The image, for participants in containers.
    pub docker_image: Option<String>,
    /// The name of these containers' network, with which their own names begin as well.
    #[serde(default)]
    pub docker_network: Option<String>,
    /// Whether the kits have keys for homomorphic encryption.
    pub he: bool,
}

impl Manifest {
    /// The form that this version writes and reads.
    pub const SCHEMA: u32 = 1;

    /// Reads a manifest; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] where it cannot be understood, [`Error::Io`] where it cannot be read.
    pub fn load(path: &Utf8Path) -> Result<Option<Self>, Error> {
        let text = match fs_err::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let broken = |reason: String| Error::Manifest {
            path: path.to_owned(),
            reason,
        };
        let manifest: Self =
            serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        if manifest.schema > Self::SCHEMA {
            let newer = format!("it was written by a newer poc ({})", manifest.poc_version);
            return Err(broken(newer));
        }
        Ok(Some(manifest))
    }

    /// The text of the file.
    ///
    /// # Errors
    ///
    /// None that can happen with these fields; serde's signature has one.
    pub fn to_json(&self) -> Result<String, Error> {
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::from)?;
        Ok(text + "\n")
    }

    /// Writes the manifest, atomically.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn save(&self, path: &Utf8Path) -> Result<(), Error> {
        Ok(fsio::write_atomic(path, self.to_json()?.as_bytes(), 0o600)?)
    }
}
