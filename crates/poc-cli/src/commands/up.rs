//! `poc up`: prepare if needed, then start.

use poc_core::project::Project;
use poc_core::settings::Settings;
use poc_core::workspace::{Prepared, Recognised, Workspace};
use poc_core::{FlareVersion, Listen};
use poc_launch::runtime::Runtime;
use serde::Serialize;

use crate::commands::{prepare, runtime, start};
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::words;
use crate::selection::select;

/// Arguments of `poc up`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: prepare::ProjectArgs,

    #[command(flatten)]
    services: start::ServiceArgs,

    /// Replace a POC that is prepared in another way
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Data {
    /// `None` where the POC was prepared already.
    prepare: Option<prepare::Data>,
    #[serde(flatten)]
    start: start::Data,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    args.services.check(context)?;
    args.project.refuse_unsupported()?;
    args.project.announce(context);
    let settings = context.settings()?;
    let workspace = Workspace::new(&settings.workspace.value);
    // Whatever speaks against it is found before a runtime is installed.
    let prepared = match workspace.recognise()? {
        Recognised::Poc(prepared) if is_as_described(context, args, &prepared)? => Some(*prepared),
        Recognised::Poc(_) | Recognised::Broken { .. } | Recognised::Absent | Recognised::Empty => {
            None
        }
        Recognised::Foreign { reason } => {
            let workspace = workspace.root().to_owned();
            return Err(poc_core::Error::Foreign { workspace, reason }.into());
        }
    };
    let wanted = wanted_version(&args.project, prepared.as_ref());
    let runtime = runtime::find_or_install(context, &settings, wanted.as_ref())?;
    let (prepared, done) = if let Some(prepared) = prepared {
        (prepared, None)
    } else {
        let done = prepare_anew(context, &settings, args, &runtime)?;
        (workspace.load()?, Some(done))
    };
    let selection = select(
        &prepared.project,
        args.services.service.as_deref(),
        args.services.exclude.as_deref(),
    )?;
    if args.services.in_foreground() {
        return start::foreground(context, &prepared, &runtime, &selection, &args.services);
    }
    let start = start::start(context, &prepared, &runtime, &selection, &args.services)?;
    context.printer.result(
        &Data {
            prepare: done,
            start,
        },
        |data| {
            let prepared = data
                .prepare
                .as_ref()
                .map(prepare::headline)
                .unwrap_or_default();
            prepared + &start::text(&data.start, false)
        },
    )?;
    Ok(0)
}

/// The NVFlare that is needed: as asked, else that of the kits.
fn wanted_version(
    args: &prepare::ProjectArgs,
    prepared: Option<&Prepared>,
) -> Option<FlareVersion> {
    args.flare_version()
        .cloned()
        .or_else(|| prepared?.line?.to_string().parse().ok())
}

/// Whether the POC that is there is the one that the flags describe. Flags that say nothing of the
/// project describe any.
///
/// # Errors
///
/// When it is another one, and `--force` is not given.
fn is_as_described(context: &Context, args: &Args, prepared: &Prepared) -> Result<bool, CliError> {
    if !args.project.describes_a_project() {
        return Ok(true);
    }
    let described = prepare::plan(context, &args.project, None)?;
    let differences = differences(&args.project, &described, prepared);
    if differences.is_empty() {
        return Ok(true);
    }
    if args.force {
        return Ok(false);
    }
    Err(CliError::new(
        ErrorCode::WorkspaceExists,
        format!(
            "the POC in {} is another one than the flags describe: {}",
            prepared.workspace.root(),
            differences.join(", ")
        ),
    )
    .hint("leave the flags out to start the one that is there")
    .hint("or replace it with `--force`"))
}

/// In what the described POC differs from the prepared one, in words: as far as flags say anything.
fn differences(
    args: &prepare::ProjectArgs,
    described: &prepare::Plan,
    prepared: &Prepared,
) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, there: String, wanted: String| {
        if there != wanted {
            differences.push(format!("{what} {wanted} instead of {there}"));
        }
    };
    let (there, wanted) = (&prepared.project, &described.project);
    let (file, said) = (args.input.is_some(), args.said());
    if file {
        compare("project", there.name.clone(), wanted.name.clone());
        compare("participants", participants(there), participants(wanted));
    } else if said.sites {
        let sites = |project: &Project| {
            let names: Vec<&str> = project
                .clients()
                .map(|client| client.name.as_str())
                .collect();
            words::list(&names)
        };
        compare("sites", sites(there), sites(wanted));
    }
    if said.image || file {
        let image = |project: &Project| match &project.docker_image {
            Some(image) => format!("containers of {image}"),
            None => "plain processes".to_owned(),
        };
        compare("running", image(there), image(wanted));
    }
    if said.version {
        let line = prepared
            .line
            .map_or_else(|| "an unknown one".to_owned(), |line| line.to_string());
        compare("NVFlare", line, described.line.to_string());
    }
    if said.ports || (file && !said.any_ports) {
        let ports = |project: &Project| {
            let admin = project.admin_port(described.line);
            format!("{}:{admin}", project.fed_learn_port())
        };
        compare("ports", ports(there), ports(wanted));
    }
    if let Some(manifest) = prepared.manifest.as_ref().filter(|_| said.listen) {
        // Both through the same spelling: `all` and `0.0.0.0` are one.
        let listen = manifest.listen.parse::<Listen>();
        let listen = listen.map_or_else(|_| manifest.listen.clone(), |listen| listen.to_string());
        compare("listening on", listen, described.listen.to_string());
    }
    differences
}

/// Names, organisations and roles: what a project is made of for those who take part.
fn participants(project: &Project) -> String {
    let mut all: Vec<String> = project
        .participants()
        .iter()
        .map(|participant| {
            format!(
                "{} ({} of {})",
                participant.name,
                participant.role(),
                participant.org
            )
        })
        .collect();
    all.sort_unstable();
    all.join(", ")
}

fn prepare_anew(
    context: &Context,
    settings: &Settings,
    args: &Args,
    runtime: &Runtime,
) -> Result<prepare::Data, CliError> {
    let plan = prepare::plan(context, &args.project, Some(runtime))?;
    prepare::prepare(context, settings, &plan, &args.project, args.force, true)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use poc_core::Line;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Words {
        #[command(flatten)]
        args: Args,
    }

    fn prepared() -> Prepared {
        let project = Project::poc_default(Line::V2_9, &Project::default_client_names(2)).unwrap();
        Prepared {
            workspace: Workspace::new("/w"),
            project,
            manifest: None,
            prod_dir: "/w/example_project/prod_00".into(),
            line: Some(Line::V2_9),
        }
    }

    /// What `poc up` of these words finds to differ from two default sites.
    fn found(words: &[&str], clients: u32, fed_learn: u16) -> Vec<String> {
        let args = Words::try_parse_from([&["up"], words].concat())
            .unwrap()
            .args;
        let mut project =
            Project::poc_default(Line::V2_9, &Project::default_client_names(clients)).unwrap();
        project.set_ports(fed_learn, None);
        let plan = prepare::Plan {
            project,
            line: Line::V2_9,
            flare_version: None,
            listen: Listen::Loopback,
        };
        differences(&args.project, &plan, &prepared())
    }

    #[test]
    fn only_what_is_said_is_compared() {
        assert_eq!(found(&["-n", "2"], 2, 9999), [""; 0]);
        assert_eq!(found(&["--ports", "auto"], 7, 9999), [""; 0]);
        assert_eq!(
            found(&["-n", "3"], 3, 8002),
            ["sites site-1, site-2 and site-3 instead of site-1 and site-2"]
        );
        assert_eq!(
            found(&["--ports", "8102"], 2, 8102),
            ["ports 8102:8102 instead of 8002:8002"]
        );
        assert_eq!(found(&["-i", "p.yml"], 2, 8002), [""; 0]);
        assert_eq!(found(&["-i", "p.yml"], 1, 8102).len(), 2);
    }
}
