//! `poc prepare`: from flags to a project, from a project to a workspace.

mod flags;
mod plan;
mod replace;
mod report;

use camino::Utf8PathBuf;
use poc_core::config_file::{ConfigFile, Pointed};
use poc_core::project::Role;
use poc_core::settings::Settings;
use poc_core::workspace::{Manifest, Workspace};
use poc_provision::{Event, Provisioned, Request};

pub(crate) use self::flags::ProjectArgs;
pub(crate) use self::plan::{Plan, plan};
pub(crate) use self::replace::{owns_config_path, refuse_running, refuse_supervised};
pub(crate) use self::report::{Data, headline};

use self::plan::find_runtime;
use self::replace::{may_replace, what_is_there};
use self::report::{data, text};
use crate::commands::LOCK_WAIT;
use crate::context::{Context, absolute};
use crate::error::CliError;
use crate::output::{Progress, words};

/// Arguments of `poc prepare`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) project: ProjectArgs,

    /// Replace the POC that is there without asking
    #[arg(long)]
    pub(crate) force: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let settings = context.settings()?;
    args.project.refuse_unsupported()?;
    args.project.announce(context);
    let runtime = find_runtime(context, &settings, args.project.flare_version())?;
    let plan = plan(context, &args.project, runtime.as_ref())?;
    let data = prepare(
        context,
        &settings,
        &plan,
        &args.project,
        args.force,
        runtime.is_some(),
    )?;
    context.printer.result(&data, text)?;
    Ok(0)
}

/// Writes the workspace and points config.conf at it.
///
/// # Errors
///
/// When the workspace is taken, runs, or cannot be written; nothing is changed then.
pub(crate) fn prepare(
    context: &Context,
    settings: &Settings,
    plan: &Plan,
    args: &ProjectArgs,
    force: bool,
    runtime_found: bool,
) -> Result<Data, CliError> {
    // Read before anything is written: a config.conf that does not parse must stop it. It is read again
    // when it is changed, since others may change it meanwhile.
    context.config_file()?;
    let workspace = Workspace::new(&settings.workspace.value);
    // Before the lock, which would make the directory: a foreign one is not to be touched at all.
    what_is_there(&workspace)?;
    let mut lock = workspace.lock_create(LOCK_WAIT)?;
    let there = what_is_there(&workspace)?;
    let owns_path = there.as_ref().is_some_and(|there| there.owns_config_path);
    let replace = may_replace(context, &workspace, there.as_ref(), force)?;
    let input = args.input.as_deref().map(absolute).transpose()?;
    let request = Request {
        project: &plan.project,
        workspace: &workspace,
        line: plan.line,
        flare_version: plan.flare_version.as_ref().map(ToString::to_string),
        listen: plan.listen.clone(),
        replace,
        input: input.as_deref(),
        keep_ca: args.keep_ca,
        examples: settings
            .examples
            .as_ref()
            .map(|examples| examples.value.as_path()),
        cancel: &context.cancel,
    };
    let provisioned = {
        let progress = Progress::spinner(&context.printer, "making keys");
        poc_provision::provision(&request, &mut lock, &mut |event| {
            show(context, &progress, event);
        })?
    };
    let (was_named, pointed) = ConfigFile::edit(&settings.config_path, |config| {
        let was_named = names_workspace(config, &workspace);
        Ok((
            was_named,
            point_config(config, &workspace, plan, &provisioned),
        ))
    })?;
    if owns_path || !was_named {
        remember_config(&workspace)?;
    }
    drop(lock);
    for (name, id) in &pointed.renamed {
        context.printer.warning(&format!(
            "config.conf has a startup kit of {name} already, of another place; this one is {id} there"
        ));
    }
    Ok(data(
        settings,
        plan,
        provisioned,
        runtime_found,
        pointed.previous,
        there.map(|there| there.what),
        args.keep_ca,
    ))
}

fn show(context: &Context, progress: &Progress<'_>, event: Event) {
    match event {
        Event::Keys { done, total } => progress.at(done, total),
        Event::Kit { name } => progress.say(format!("writing the kit of {name}")),
        Event::Warning(text) => progress.warning(&text),
        Event::Recovered { what } => progress.note(&what),
        Event::KeptAuthority { until } => {
            progress.note(&format!(
                "the certificate authority is kept; it is valid until {}",
                words::day(&until)
            ));
        }
        // Both are told at the end.
        Event::Swapped | Event::KeptPrevious { .. } => context.printer.debug(&format!("{event:?}")),
    }
}

/// Whether config.conf names the workspace, in the key of either generation.
fn names_workspace(config: &ConfigFile, workspace: &Workspace) -> bool {
    [["poc", "workspace"], ["poc_workspace", "path"]]
        .iter()
        .any(|key| {
            config
                .get(key)
                .is_some_and(|value| value.text == workspace.root().as_str())
        })
}

/// Points config.conf at the new kits.
fn point_config(
    config: &mut ConfigFile,
    workspace: &Workspace,
    plan: &Plan,
    provisioned: &Provisioned,
) -> Pointed {
    let admins: Vec<(String, Utf8PathBuf)> = provisioned
        .kits
        .iter()
        .filter(|kit| kit.role == Role::Admin)
        .map(|kit| (kit.name.clone(), kit.dir.clone()))
        .collect();
    config.point_at(
        workspace.root(),
        &provisioned.prod_dir,
        &admins,
        &plan.project.project_admin().name,
    )
}

/// Notes in the workspace that its path in config.conf is ours: `clean` takes it out again.
fn remember_config(workspace: &Workspace) -> Result<(), CliError> {
    let file = workspace.manifest_file();
    if let Some(manifest) = Manifest::load(&file)? {
        Manifest {
            config_written: true,
            ..manifest
        }
        .save(&file)?;
    }
    Ok(())
}
