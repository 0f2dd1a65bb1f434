//! What every command is given.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::config_file::ConfigFile;
use poc_core::env::Env;
use poc_core::settings::{Overrides, Settings};
use poc_core::workspace::{Prepared, Workspace};
use poc_core::{Cancel, env};

use crate::args::Global;
use crate::error::{CliError, ErrorCode};
use crate::output::Printer;
use crate::setting::Setting;

/// The world of one run: where output goes, the environment, and the flag that Ctrl-C sets.
pub(crate) struct Context {
    pub(crate) printer: Printer,
    pub(crate) env: Env,
    /// Set by Ctrl-C, SIGTERM and SIGHUP.
    pub(crate) cancel: Cancel,
    /// `--workspace`.
    workspace: Option<Utf8PathBuf>,
    /// Whether `--format` was given, whatever it says.
    pub(crate) format_given: bool,
    pub(crate) debug: bool,
}

impl Context {
    pub(crate) fn new(printer: Printer, env: Env, cancel: Cancel, global: Global) -> Self {
        Self {
            printer,
            env,
            cancel,
            workspace: global.workspace,
            format_given: global.format.is_some(),
            debug: global.debug,
        }
    }

    /// config.conf as it is now.
    ///
    /// # Errors
    ///
    /// When it cannot be read or does not parse.
    pub(crate) fn config_file(&self) -> Result<ConfigFile, CliError> {
        let path = ConfigFile::path_in(&self.env.home()?);
        ConfigFile::load(&path).map_err(|error| config_error(error, &path))
    }

    /// Every setting, with `--workspace` and what the command itself overrides.
    ///
    /// # Errors
    ///
    /// As [`Context::config_file`], and for a setting that cannot be worked out.
    pub(crate) fn settings_with(&self, overrides: Overrides) -> Result<Settings, CliError> {
        let overrides = Overrides {
            workspace: self.workspace.clone(),
            ..overrides
        };
        let settings = Settings::resolve(
            &overrides,
            &self.env,
            &self.config_file()?,
            &current_directory()?,
        )?;
        for warning in &settings.warnings {
            self.printer.warning(warning);
        }
        let workspace = Setting::from(&settings.workspace);
        self.printer.debug(&format!(
            "workspace {} ({})",
            workspace.value,
            workspace.origin()
        ));
        Ok(settings)
    }

    /// Every setting, with `--workspace`.
    ///
    /// # Errors
    ///
    /// As [`Context::settings_with`].
    pub(crate) fn settings(&self) -> Result<Settings, CliError> {
        self.settings_with(Overrides::default())
    }

    /// The workspace that the command line names, where it names one.
    ///
    /// # Errors
    ///
    /// As [`absolute`].
    pub(crate) fn named_workspace(&self) -> Result<Option<Utf8PathBuf>, CliError> {
        self.workspace.as_deref().map(absolute).transpose()
    }

    /// The prepared POC of the settings.
    ///
    /// # Errors
    ///
    /// When there is none; as [`Context::settings`].
    pub(crate) fn prepared(&self) -> Result<Prepared, CliError> {
        prepared_in(&self.settings()?)
    }

    /// Every setting, for commands that only look at a POC, or end it: config.conf does not matter to
    /// them where the command line or the environment names the workspace, so that one that cannot be
    /// used is only warned of.
    ///
    /// # Errors
    ///
    /// As [`Context::settings`], where nothing else names the workspace.
    pub(crate) fn settings_to_look(&self) -> Result<Settings, CliError> {
        let error = match self.settings() {
            Ok(settings) => return Ok(settings),
            Err(error) => error,
        };
        let named = self.workspace.is_some()
            || self
                .env
                .utf8_path(env::NVFLARE_POC_WORKSPACE.name)?
                .is_some();
        if !named {
            return Err(error);
        }
        self.printer.warning(&format!(
            "config.conf is left out of account: {}",
            error.full_message()
        ));
        let overrides = Overrides {
            workspace: self.workspace.clone(),
            ..Overrides::default()
        };
        let empty = ConfigFile::parse(&ConfigFile::path_in(&self.env.home()?), "")?;
        Ok(Settings::resolve(
            &overrides,
            &self.env,
            &empty,
            &current_directory()?,
        )?)
    }

    /// The prepared POC, or what is left of a damaged one: for looking at it and for ending it.
    ///
    /// # Errors
    ///
    /// When there is none; as [`Context::settings_to_look`].
    pub(crate) fn salvaged(&self) -> Result<Prepared, CliError> {
        let settings = self.settings_to_look()?;
        self.salvaged_in(&Workspace::new(&settings.workspace.value))
    }

    /// The same, of that workspace.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(crate) fn salvaged_in(&self, workspace: &Workspace) -> Result<Prepared, CliError> {
        let salvaged = workspace.salvage()?;
        if let Some(damage) = salvaged.damage {
            self.printer.warning(&format!(
                "the POC is damaged, and known by its startup kits: {}",
                CliError::from(damage).full_message()
            ));
        }
        Ok(salvaged.prepared)
    }

    /// A path as people like to read it: `~` for the home directory.
    pub(crate) fn short(&self, path: &Utf8Path) -> String {
        match self
            .env
            .path(env::HOME.name)
            .and_then(|home| path.strip_prefix(home).ok().map(ToString::to_string))
        {
            Some(below) if below.is_empty() => "~".to_owned(),
            Some(below) => format!("~/{below}"),
            None => path.to_string(),
        }
    }
}

/// Why config.conf cannot be had.
fn config_error(error: poc_core::Error, path: &Utf8Path) -> CliError {
    match error {
        // Another workspace would not help.
        poc_core::Error::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            CliError::new(ErrorCode::Io, error.to_string())
                .hint(format!("`chmod u+rw {path}` lets you read and write it"))
        }
        error => error.into(),
    }
}

/// The prepared POC of these settings.
///
/// # Errors
///
/// When there is none.
pub(crate) fn prepared_in(settings: &Settings) -> Result<Prepared, CliError> {
    Ok(Workspace::new(&settings.workspace.value).load()?)
}

/// The current directory.
///
/// # Errors
///
/// When it is gone, or is not UTF-8.
pub(crate) fn current_directory() -> Result<Utf8PathBuf, CliError> {
    let directory = std::env::current_dir().map_err(|error| {
        CliError::new(ErrorCode::Io, "the current directory cannot be found")
            .because(error)
            .hint("`cd` to one that exists")
    })?;
    Utf8PathBuf::try_from(directory).map_err(|error| {
        CliError::new(
            ErrorCode::InvalidArgs,
            "the current directory's name is not valid UTF-8",
        )
        .because(error)
    })
}

/// A path of the command line as an absolute one.
///
/// # Errors
///
/// As [`current_directory`].
pub(crate) fn absolute(path: &Utf8Path) -> Result<Utf8PathBuf, CliError> {
    if path.is_absolute() {
        Ok(path.to_owned())
    } else {
        Ok(current_directory()?.join(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_that_may_not_be_read_is_no_matter_of_the_workspace() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = config_error(
            denied.into(),
            Utf8Path::new("/home/mia/.nvflare/config.conf"),
        );
        assert_eq!(
            error.hints(),
            ["`chmod u+rw /home/mia/.nvflare/config.conf` lets you read and write it"]
        );
    }
}
