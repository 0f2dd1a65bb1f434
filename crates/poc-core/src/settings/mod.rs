//! What applies, and why: command line > environment > config.conf > default.

use camino::{Utf8Path, Utf8PathBuf};

use crate::Error;
use crate::config_file::ConfigFile;
use crate::env::Env;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    CommandLine(&'static str),
    /// An environment variable.
    Environment(&'static str),
    /// A key of config.conf.
    ConfigFile {
        /// The file.
        path: Utf8PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, dotted.
        key: String,
    },
    /// Found by looking; says how.
    Discovered(String),
    /// Built in.
    Default,
}

/// A value with where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub source: Source,
}

/// What the command line gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--workspace`.
    pub workspace: Option<Utf8PathBuf>,
    /// `--startup_kit_dir`.
    pub startup_kit_dir: Option<Utf8PathBuf>,
    /// `--jobs_dir`.
    pub jobs_dir: Option<Utf8PathBuf>,
    /// `--python`.
    pub python: Option<Utf8PathBuf>,
}

/// Every setting, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The user's home directory.
    pub home: Utf8PathBuf,
    /// config.conf.
    pub config_path: Utf8PathBuf,
    /// The POC workspace: absolute, without `.` and `..`.
    pub workspace: Resolved<Utf8PathBuf>,
    /// The startup kit for NVFlare's own commands.
    pub startup_kit_dir: Option<Resolved<Utf8PathBuf>>,
    /// Examples to link at prepare.
    pub examples: Option<Resolved<Utf8PathBuf>>,
    /// The Python that runs the participants.
    pub python: Option<Resolved<Utf8PathBuf>>,
    /// What looked odd.
    pub warnings: Vec<String>,
}

impl Settings {
    /// NVFlare's own default.
    pub const DEFAULT_WORKSPACE: &'static str = "/tmp/nvflare/poc";

    /// Resolves every setting.
    pub fn resolve(
        overrides: &Overrides,
        env: &Env,
        file: &ConfigFile,
        cwd: &Utf8Path,
    ) -> Result<Self, Error> {
        let _ = (overrides, env, file, cwd);
        todo!()
    }
}
