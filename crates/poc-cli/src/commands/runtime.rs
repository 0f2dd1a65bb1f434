//! `poc runtime`: Python environments with NVFlare in them.

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::FlareVersion;
use poc_core::config_file::ConfigFile;
use poc_core::settings::{Settings, Source};
use poc_launch::runtime::managed::{self, InstallEvent};
use poc_launch::runtime::{self, Origin, Runtime};
use serde::Serialize;

use crate::context::{Context, absolute};
use crate::error::CliError;
use crate::output::{Look, Progress, Table, style, words};
use crate::setting::Setting;

/// Arguments of `poc runtime`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Install NVFlare from PyPI into a virtual environment of its own
    Install {
        /// The version, such as 2.9.0 or 2.9 [default: the newest that poc knows]
        #[arg(value_parser = version)]
        version: Option<String>,
    },
    /// Show the managed runtimes, and which Python is in use
    List,
    /// Use this Python, by config.conf
    Use {
        /// A Python, or the virtual environment that it is in
        path: Utf8PathBuf,
    },
    /// Remove a managed runtime
    Remove {
        /// The version, as `list` shows it
        version: String,
    },
}

fn version(text: &str) -> Result<String, String> {
    text.parse::<FlareVersion>()
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    match &args.action {
        Action::Install { version } => {
            let installed = install(context, version.as_deref())?;
            context.printer.result(&Data::from(&installed), |data| {
                format!(
                    "{} NVFlare {} is installed in {}\n",
                    style::good("✓"),
                    data.flare_version,
                    style::literal(&data.python)
                )
            })?;
        }
        Action::List => list(context)?,
        Action::Use { path } => use_python(context, path)?,
        Action::Remove { version } => {
            let version = managed::remove(version, &managed::data_dir(&context.env)?)?.to_string();
            context.printer.result(&Removed { version }, |removed| {
                format!(
                    "{} Removed the managed runtime {}\n",
                    style::good("✓"),
                    removed.version
                )
            })?;
        }
    }
    Ok(0)
}

/// A Python with NVFlare.
#[derive(Debug, Serialize)]
struct Data {
    python: Utf8PathBuf,
    flare_version: String,
    python_version: String,
    /// How it was found.
    origin: String,
}

impl From<&Runtime> for Data {
    fn from(runtime: &Runtime) -> Self {
        let (major, minor) = runtime.python_version;
        Self {
            python: runtime.python.clone(),
            flare_version: runtime.flare_version.to_string(),
            python_version: format!("{major}.{minor}"),
            origin: Setting::from(runtime).origin(),
        }
    }
}

#[derive(Serialize)]
struct Removed {
    version: String,
}

#[derive(Serialize)]
struct Listed {
    /// `None` where no Python with NVFlare was found.
    in_use: Option<Data>,
    managed: Vec<Installed>,
}

/// A managed runtime.
#[derive(Serialize)]
struct Installed {
    flare_version: String,
    directory: Utf8PathBuf,
    /// `None` where the Python that it was made with is gone.
    runtime: Option<Data>,
}

/// Installs a managed runtime, with a display of how far it is.
///
/// # Errors
///
/// When there is no Python to install it with, or the installer fails; nothing of it is left then.
pub(crate) fn install(context: &Context, version: Option<&str>) -> Result<Runtime, CliError> {
    let progress = Progress::spinner(&context.printer, "installing NVFlare");
    let data_dir = managed::data_dir(&context.env)?;
    Ok(managed::install(
        version,
        &[],
        &data_dir,
        &context.env,
        &context.cancel,
        &mut |event| show(&progress, event),
    )?)
}

fn show(progress: &Progress<'_>, event: InstallEvent) {
    match event {
        InstallEvent::Waiting => progress.step("waiting for another installation to end"),
        InstallEvent::Environment { directory, .. } => {
            progress.step(format!("making a virtual environment in {directory}"));
        }
        InstallEvent::Collecting { package } => progress.say(format!("collecting {package}")),
        InstallEvent::Downloading { package, size } => {
            let size = size.map(|size| format!(" ({size})")).unwrap_or_default();
            progress.say(format!("downloading {package}{size}"));
        }
        InstallEvent::Installing { packages } => {
            progress.step(format!("installing {}", words::count(packages, "package")));
        }
        InstallEvent::FellBack { reason } => {
            progress.note(&format!("uv failed ({reason}); pip takes over"));
        }
        InstallEvent::Checking => progress.say("trying it out"),
    }
}

/// The runtime of the settings, installed where there is none.
///
/// # Errors
///
/// For a Python that the settings name and that cannot be used; as [`install`].
pub(crate) fn find_or_install(
    context: &Context,
    settings: &Settings,
    wanted: Option<&FlareVersion>,
) -> Result<Runtime, CliError> {
    let data_dir = managed::data_dir(&context.env)?;
    let line = wanted.and_then(FlareVersion::line);
    match runtime::find(line, settings.python.as_ref(), &context.env, &data_dir) {
        Err(poc_launch::Error::RuntimeMissing { .. }) => {
            context
                .printer
                .note("No Python with NVFlare was found: installing one");
            install(context, wanted.map(FlareVersion::as_str))
        }
        found => Ok(found?),
    }
}

fn list(context: &Context) -> Result<(), CliError> {
    let settings = context.settings()?;
    let data_dir = managed::data_dir(&context.env)?;
    let in_use = match runtime::find(None, settings.python.as_ref(), &context.env, &data_dir) {
        Ok(runtime) => Some(Data::from(&runtime)),
        Err(poc_launch::Error::RuntimeMissing { .. }) => None,
        Err(error) => {
            context.printer.warning(&error.to_string());
            None
        }
    };
    let managed = managed::list(&data_dir)?
        .into_iter()
        .map(|managed| Installed {
            flare_version: managed.version.to_string(),
            directory: managed.directory,
            runtime: managed.runtime.as_ref().map(Data::from),
        })
        .collect();
    let listed = Listed { in_use, managed };
    context
        .printer
        .result(&listed, |listed| text(listed, context.printer.width()))
}

fn use_python(context: &Context, path: &Utf8Path) -> Result<(), CliError> {
    let path = absolute(path)?;
    // Whatever is wrong with it shows now, not at the next start.
    let runtime = runtime::examine(
        &path,
        Origin::Setting(Source::CommandLine("runtime use")),
        &context.env,
    )
    .map_err(|error| {
        // The library's hints are for a Python that the settings name.
        CliError::from(error)
            .without_hints()
            .hint("name a Python, or a virtual environment, that has NVFlare")
            .hint("or `poc runtime install` installs NVFlare into one of its own")
    })?;
    let config = ConfigFile::path_in(&context.env.home()?);
    ConfigFile::edit(&config, |config| {
        config.set_python(&runtime.python);
        Ok(())
    })?;
    if context.env.get(poc_core::env::POC_PYTHON.name).is_some() {
        context
            .printer
            .warning("POC_PYTHON is set, and beats what was just written");
    }
    context.printer.result(&Data::from(&runtime), |data| {
        format!(
            "{} {} with NVFlare {} is used from now on\n",
            style::good("✓"),
            style::literal(&data.python),
            data.flare_version
        )
    })
}

fn text(listed: &Listed, width: Option<u16>) -> String {
    if listed.managed.is_empty() && listed.in_use.is_none() {
        return format!(
            "No Python with NVFlare was found; {} installs one\n",
            style::literal("`poc runtime install`")
        );
    }
    let mut table = Table::new(&["NVFlare", "Python", "path", ""], width);
    let used = listed.in_use.as_ref();
    let is_used = |data: &Data| used.is_some_and(|used| used.python == data.python);
    let mut row = |data: &Data| {
        let remark = if is_used(data) {
            ("in use", Look::Good)
        } else {
            ("", Look::Plain)
        };
        table.styled_row([
            (data.flare_version.as_str(), Look::Plain),
            (data.python_version.as_str(), Look::Plain),
            (data.python.as_str(), Look::Plain),
            remark,
        ]);
    };
    // One that is not managed comes first.
    used.filter(|used| {
        !listed
            .managed
            .iter()
            .filter_map(|managed| managed.runtime.as_ref())
            .any(|data| data.python == used.python)
    })
    .iter()
    .for_each(|data| row(data));
    listed
        .managed
        .iter()
        .filter_map(|managed| managed.runtime.as_ref())
        .for_each(&mut row);
    for broken in listed
        .managed
        .iter()
        .filter(|managed| managed.runtime.is_none())
    {
        table.styled_row([
            (broken.flare_version.as_str(), Look::Plain),
            ("", Look::Plain),
            (broken.directory.as_str(), Look::Plain),
            ("its Python is gone: install it again", Look::Bad),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(path: &str, flare_version: &str) -> Data {
        Data {
            python: path.into(),
            flare_version: flare_version.into(),
            python_version: "3.11".into(),
            origin: "managed runtime".into(),
        }
    }

    #[test]
    fn the_one_in_use_is_marked_and_listed_even_where_it_is_not_managed() {
        let installed = |version: &str, works: bool| Installed {
            flare_version: version.into(),
            directory: format!("/d/{version}").into(),
            runtime: works.then(|| data(&format!("/d/{version}/bin/python3"), version)),
        };
        let managed = || {
            vec![
                installed("2.9.0", true),
                installed("2.8.3", true),
                installed("2.7.3", false),
            ]
        };
        let one = Listed {
            in_use: Some(data("/d/2.9.0/bin/python3", "2.9.0")),
            managed: managed(),
        };
        let other = Listed {
            in_use: Some(data("/venv/bin/python", "2.9.0")),
            managed: managed(),
        };
        let all = text(&one, None) + "\n" + &text(&other, None);
        insta::assert_snapshot!(anstream::adapter::strip_str(&all), @r"
        NVFlare  Python  path
        2.9.0    3.11    /d/2.9.0/bin/python3  in use
        2.8.3    3.11    /d/2.8.3/bin/python3
        2.7.3            /d/2.7.3              its Python is gone: install it again

        NVFlare  Python  path
        2.9.0    3.11    /venv/bin/python      in use
        2.9.0    3.11    /d/2.9.0/bin/python3
        2.8.3    3.11    /d/2.8.3/bin/python3
        2.7.3            /d/2.7.3              its Python is gone: install it again
        ");
    }
}
