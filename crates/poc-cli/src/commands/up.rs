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
    let settings = context.settings()?;
    let workspace = Workspace::new(&settings.workspace.value);
    let prepared = match workspace.recognise()? {
        Recognised::Poc(prepared) => Some(*prepared),
        Recognised::Absent | Recognised::Empty | Recognised::Broken { .. } | Recognised::Foreign { .. } => None,
    };
    let wanted = wanted_version(&args.project, prepared.as_ref());
    let runtime = runtime::find_or_install(context, &settings, wanted.as_ref())?;
    let done = match &prepared {
        Some(prepared) if is_as_described(context, args, prepared, &runtime)? => None,
        _ => Some(prepare_anew(context, &settings, args, &runtime)?),
    };
    let prepared = workspace.load()?;
    let selection = select(&prepared.project, args.services.service.as_deref(), args.services.exclude.as_deref())?;
    let start = start::start(context, &prepared, &runtime, &selection, &args.services)?;
    if args.services.in_foreground() {
        return start::foreground(context, &prepared, &start);
    }
    context.printer.result(&Data { prepare: done, start }, |data| {
        let prepared = data.prepare.as_ref().map(prepare::headline).unwrap_or_default();
        prepared + &start::text(&data.start, false)
    })?;
    Ok(0)
}

/// The NVFlare that is needed: as asked, else that of the kits.
fn wanted_version(args: &prepare::ProjectArgs, prepared: Option<&Prepared>) -> Option<FlareVersion> {
    args.flare_version().cloned().or_else(|| prepared?.line?.to_string().parse().ok())
}

/// Whether the POC that is there is the one that the flags describe. Flags that say nothing of the
/// project describe any.
///
/// # Errors
///
/// When it is another one, and `--force` is not given.
fn is_as_described(context: &Context, args: &Args, prepared: &Prepared, runtime: &Runtime) -> Result<bool, CliError> {
    if !args.project.describes_a_project() {
        return Ok(true);
    }
    let described = prepare::plan(context, &args.project, Some(runtime))?;
    let differences = differences(&described, prepared, args.project.has_automatic_ports());
    if differences.is_empty() {
        return Ok(true);
    }
    if args.force {
        return Ok(false);
    }
    Err(CliError::new(
        ErrorCode::WorkspaceExists,
        format!("the POC in {} is another one than the flags describe: {}", prepared.workspace.root(), differences.join(", ")),
    )
    .hint("leave the flags out to start the one that is there")
    .hint("or replace it with `--force`"))
}

/// In what the described POC differs from the prepared one, in words.
fn differences(described: &prepare::Plan, prepared: &Prepared, any_ports: bool) -> Vec<String> {
    let sites = |project: &Project| project.clients().map(|client| client.name.clone()).collect::<Vec<_>>();
    let mut differences = Vec::new();
    let mut compare = |what: &str, there: String, described: String| {
        if there != described {
            differences.push(format!("{what} {there} there, {described} described"));
        }
    };
    let (there, wanted) = (&prepared.project, &described.project);
    compare("sites", sites(there).join(" "), sites(wanted).join(" "));
    compare("project", there.name.clone(), wanted.name.clone());
    compare("NVFlare", prepared.line.map_or_else(|| "unknown".to_owned(), |line| line.to_string()), described.line.to_string());
    if !any_ports {
        let ports = |project: &Project| format!("{}:{}", project.fed_learn_port(), project.admin_port(described.line));
        compare("ports", ports(there), ports(wanted));
    }
    if let Some(manifest) = &prepared.manifest {
        let listens = manifest.listen.parse::<Listen>().map_or_else(|_| manifest.listen.clone(), |listen| listen.to_string());
        compare("listening on", listens, described.listen.to_string());
    }
    if differences.is_empty() && participants(there) != participants(wanted) {
        differences.push("participants".to_owned());
    }
    differences
}

/// Names, organisations and roles: what a project is made of for those who take part.
fn participants(project: &Project) -> Vec<(String, String, String)> {
    let mut all: Vec<_> = project
        .participants()
        .iter()
        .map(|participant| (participant.name.clone(), participant.org.clone(), participant.role().to_string()))
        .collect();
    all.sort_unstable();
    all
}

fn prepare_anew(context: &Context, settings: &Settings, args: &Args, runtime: &Runtime) -> Result<prepare::Data, CliError> {
    let plan = prepare::plan(context, &args.project, Some(runtime))?;
    prepare::prepare(context, settings, &plan, &args.project, args.force, true)
}
