//! What applies, and why: command line > environment > config.conf > default.
//!
//! Each place gives a layer of optional settings; layers are laid on one another without looking at
//! anything else, and only then are defaults filled in and paths made absolute. Every value keeps its
//! [`Source`], so that `poc config` can show it and an error can name it.
//!
//! ```
//! use camino::Utf8Path;
//! use poc_core::config_file::ConfigFile;
//! use poc_core::env::Env;
//! use poc_core::settings::{Overrides, Settings, Source};
//!
//! let env = Env::from_pairs([("HOME", "/home/mia")]);
//! let file = ConfigFile::parse(Utf8Path::new("/home/mia/.nvflare/config.conf"), "poc { workspace = \"~/poc\" }")?;
//! let settings = Settings::resolve(&Overrides::default(), &env, &file, Utf8Path::new("/"))?;
//! assert_eq!(settings.workspace.value, "/home/mia/poc");
//! assert!(matches!(settings.workspace.source, Source::ConfigFile { line: 1, .. }));
//! # Ok::<(), poc_core::Error>(())
//! ```

mod layer;
mod source;

use camino::{Utf8Path, Utf8PathBuf};

pub use source::{Resolved, Source};

use crate::Error;
use crate::config_file::ConfigFile;
use crate::env::Env;
use crate::paths;
use layer::Layer;

/// What the command line gave, if anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--workspace`
    pub workspace: Option<Utf8PathBuf>,
    /// `--startup_kit_dir`
    pub startup_kit_dir: Option<Utf8PathBuf>,
    /// `--jobs_dir`
    pub jobs_dir: Option<Utf8PathBuf>,
    /// `--python`
    pub python: Option<Utf8PathBuf>,
}

/// Every setting, resolved. Paths are absolute and without `.` and `..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The user's home directory.
    pub home: Utf8PathBuf,
    /// config.conf, whether or not it exists.
    pub config_path: Utf8PathBuf,
    /// The POC workspace.
    pub workspace: Resolved<Utf8PathBuf>,
    /// The startup kit that NVFlare's own job and system commands use.
    pub startup_kit_dir: Option<Resolved<Utf8PathBuf>>,
    /// The directory of jobs to link as the project admin's transfer directory.
    pub examples: Option<Resolved<Utf8PathBuf>>,
    /// The Python that runs the participants; a bare name such as `python3` is looked for in PATH.
    pub python: Option<Resolved<Utf8PathBuf>>,
    /// What looked odd in config.conf.
    pub warnings: Vec<String>,
}

impl Settings {
    /// NVFlare's own default (`DEFAULT_WORKSPACE` in `nvflare/tool/poc/poc_commands.py`).
    pub const DEFAULT_WORKSPACE: &'static str = "/tmp/nvflare/poc";

    /// Resolves every setting. Relative paths are taken from `cwd`, wherever they were given (as
    /// NVFlare does); `~` from the home directory.
    ///
    /// # Errors
    ///
    /// [`Error::NoHome`], [`Error::NotUtf8`] for a variable, [`Error::ConfigValue`] for a value of
    /// config.conf that cannot be worked out.
    pub fn resolve(
        overrides: &Overrides,
        env: &Env,
        file: &ConfigFile,
        cwd: &Utf8Path,
    ) -> Result<Self, Error> {
        let home = env.home()?;
        let (from_file, warnings) = Layer::config_file(file, env)?;
        let settings = Layer::command_line(overrides)
            .over(Layer::environment(env)?)
            .over(from_file);

        let absolute = |given: Resolved<Utf8PathBuf>| {
            given.map(|path| {
                paths::absolute(
                    &paths::expand_home(Utf8Path::new(path.as_str().trim()), &home),
                    cwd,
                )
            })
        };
        let default = || Resolved::new(Utf8PathBuf::from(Self::DEFAULT_WORKSPACE), Source::Default);
        Ok(Self {
            config_path: ConfigFile::path_in(&home),
            workspace: absolute(settings.workspace.unwrap_or_else(default)),
            startup_kit_dir: settings.startup_kit_dir.map(absolute),
            examples: settings.examples.map(absolute),
            python: settings.python.map(|python| {
                if python.value.as_str().contains('/') {
                    absolute(python)
                } else {
                    python
                }
            }),
            warnings,
            home,
        })
    }
}

#[cfg(test)]
mod tests;
