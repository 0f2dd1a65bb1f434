//! What is to be prepared: a project, for an NVFlare.

use camino::Utf8Path;
use poc_core::docker::{SHARED_NETWORK, is_own_network};
use poc_core::project::Project;
use poc_core::settings::Settings;
use poc_core::{FlareVersion, Line, Listen};
use poc_launch::runtime::{self, Runtime};

use super::flags::{DEFAULT_CLIENTS, ProjectArgs};
use crate::args::Ports;
use crate::context::{Context, absolute};
use crate::error::{CliError, ErrorCode};

/// What is to be prepared: the project with its NVFlare.
pub(crate) struct Plan {
    pub(crate) project: Project,
    pub(crate) line: Line,
    pub(crate) flare_version: Option<FlareVersion>,
    pub(crate) listen: Listen,
}

/// Works out what the flags describe. Touches nothing.
///
/// # Errors
///
/// For a project that cannot be, and for what this version cannot make.
pub(crate) fn plan(
    context: &Context,
    args: &ProjectArgs,
    runtime: Option<&Runtime>,
) -> Result<Plan, CliError> {
    args.refuse_unsupported()?;
    let (line, flare_version) = version(args.flare_version(), runtime);
    let mut project = if let Some(path) = &args.input {
        read_project(context, path)?
    } else {
        let clients = match args.named_clients() {
            Some(names) => names.to_vec(),
            None => Project::default_client_names(args.number.unwrap_or(DEFAULT_CLIENTS)),
        };
        Project::poc_default(line, &clients)?
    };
    if let Some(image) = args.docker_image() {
        project.docker_image = Some(image.to_owned());
    }
    // The file of another POC names the network that is that one's alone, or one that all POCs share.
    let others = |network: &mut String| is_own_network(network) || network == SHARED_NETWORK;
    project.docker_network.take_if(others);
    if project.he {
        return Err(CliError::new(
            ErrorCode::NotSupported,
            "the project asks for homomorphic encryption, which this version of poc cannot prepare yet",
        )
        .hint("take it out of the project file, then prepare again"));
    }
    match args.ports {
        None => {}
        Some(Ports::Fixed { fed_learn, admin }) => project.set_ports(fed_learn, admin),
        Some(Ports::Auto) => {
            // Up to 2.6 admins have a listener of their own.
            let count = if line <= Line::V2_6 { 2 } else { 1 };
            let free = poc_launch::ports::free(count)?;
            project.set_ports(free[0], free.get(1).copied());
        }
    }
    Ok(Plan {
        project,
        line,
        flare_version,
        listen: args.listen.clone().unwrap_or(Listen::Loopback),
    })
}

/// The line that kits are made for, with the exact version where it is known: what was asked for,
/// else what the runtime has, else the newest.
fn version(
    asked: Option<&FlareVersion>,
    runtime: Option<&Runtime>,
) -> (Line, Option<FlareVersion>) {
    let found = runtime.map(|runtime| (runtime.line, Some(runtime.flare_version.clone())));
    match asked.and_then(|version| Some((version.line()?, version))) {
        // `2.9` names the line alone; the runtime, if it is of that line, knows the rest.
        Some((line, version)) if version.as_str().matches('.').count() < 2 => match found {
            Some((found_line, exact)) if found_line == line => (line, exact),
            _ => (line, None),
        },
        Some((line, version)) => (line, Some(version.clone())),
        None => found.unwrap_or((Line::NEWEST, None)),
    }
}

fn read_project(context: &Context, path: &Utf8Path) -> Result<Project, CliError> {
    let path = absolute(path)?;
    if !path.is_file() {
        let what = if path.exists() {
            "is no file"
        } else {
            "does not exist"
        };
        return Err(CliError::new(
            ErrorCode::InvalidArgs,
            format!("the project file {path} {what}"),
        )
        .hint("`-i` takes a project.yml, such as the one in a prepared workspace"));
    }
    let loaded = Project::load(&path)?;
    for warning in &loaded.warnings {
        context.printer.warning(&format!("{path}: {warning}"));
    }
    Ok(loaded.project)
}

/// The Python that the kits will be run by. That none is there is no reason not to make kits. One that
/// the settings name and that does not work is a reason, unless the version was given: then nothing
/// has to be asked of it, and it is only warned about.
///
/// # Errors
///
/// For a Python that the settings name and that cannot be used.
pub(super) fn find_runtime(
    context: &Context,
    settings: &Settings,
    version: Option<&FlareVersion>,
) -> Result<Option<Runtime>, CliError> {
    let data_dir = runtime::managed::data_dir(&context.env)?;
    let want = version.and_then(FlareVersion::line);
    match runtime::find(want, settings.python.as_ref(), &context.env, &data_dir) {
        Ok(found) => {
            context.printer.debug(&format!(
                "NVFlare {} of {}",
                found.flare_version, found.python
            ));
            Ok(Some(found))
        }
        Err(poc_launch::Error::RuntimeMissing { .. }) => Ok(None),
        Err(error) if version.is_some() => {
            context
                .printer
                .warning(&format!("`poc start` will need another Python: {error}"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_what_was_asked_else_what_the_runtime_has_else_the_newest() {
        let runtime = |version: &str| Runtime {
            python: "/venv/bin/python".into(),
            flare_version: version.parse().unwrap(),
            line: version.parse().unwrap(),
            python_version: (3, 11),
            origin: runtime::Origin::Path,
            site_packages: "/venv/lib".into(),
        };
        let asked = |text: &str| text.parse::<FlareVersion>().unwrap();
        let exact = |text: &str| Some(asked(text));
        assert_eq!(version(None, None), (Line::NEWEST, None));
        assert_eq!(
            version(None, Some(&runtime("2.8.3"))),
            (Line::V2_8, exact("2.8.3"))
        );
        assert_eq!(
            version(Some(&asked("2.7.2")), Some(&runtime("2.8.3"))),
            (Line::V2_7, exact("2.7.2"))
        );
        assert_eq!(
            version(Some(&asked("2.8")), Some(&runtime("2.8.3"))),
            (Line::V2_8, exact("2.8.3"))
        );
        assert_eq!(
            version(Some(&asked("2.7")), Some(&runtime("2.8.3"))),
            (Line::V2_7, None)
        );
    }
}
