//! `poc start`: participants from a prepared workspace, watched over, and the FLARE console at last.

mod console;
mod dry_run;
mod foreground;
mod offer;
mod plan;
mod report;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use camino::Utf8Path;
use poc_core::settings::{Settings, Source};
use poc_core::workspace::{Kit, Prepared};
use poc_launch::runtime::Runtime;
use poc_launch::{Federation, StartOptions};

pub(crate) use self::foreground::run as foreground;
pub(crate) use self::report::{Data, text};

use self::plan::{find_runtime, plan};
use self::report::{data, not_ready, show};
use crate::args::{Format, Spawn, seconds};
use crate::commands::logs;
use crate::commands::stale::StaleFiles;
use crate::context::{Context, prepared_in};
use crate::error::{CliError, ErrorCode};
use crate::output::{Progress, words};
use crate::run::SUPERVISE;
use crate::selection::{Selection, select};

/// Arguments of `poc start`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) services: ServiceArgs,

    /// Print the launch plan, and start nothing
    #[arg(long, conflicts_with = "foreground")]
    dry_run: bool,

    /// The study that the FLARE console opens in
    #[arg(long, value_name = "NAME")]
    study: Option<String>,
}

/// The flags that say what is started and how; `poc up` has them too.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ServiceArgs {
    /// Start these participants [default, and for a bare -p or `all`: server and sites]
    #[arg(short = 'p', long, value_name = "NAME", num_args = 0..)]
    pub(crate) service: Option<Vec<String>>,

    /// But not these [also: -ex]
    #[arg(long, value_name = "NAME", num_args = 0..)]
    pub(crate) exclude: Option<Vec<String>>,

    /// GPUs to deal to the sites: ids in a row, site=id,id, or `none` [also: -gpu; default: all]
    #[arg(long, value_name = "ID", num_args = 0.., allow_negative_numbers = true)]
    gpu: Option<Vec<String>>,

    /// Return as soon as the processes run
    #[arg(long)]
    no_wait: bool,

    /// Seconds to wait for the sites [default: 30, or 1 for each site if that is more]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Option<Duration>,

    /// Stay in the foreground with the logs of all, until Ctrl-C, then stop
    #[arg(long, conflicts_with = "no_wait")]
    foreground: bool,

    /// How processes are started
    #[arg(
        long,
        value_name = "HOW",
        default_value = "auto",
        hide_default_value = true
    )]
    spawn: Spawn,
}

impl ServiceArgs {
    /// Refuses what cannot be shown, before anything is started.
    ///
    /// # Errors
    ///
    /// For `--foreground` with `--format json`.
    pub(crate) fn check(&self, context: &Context) -> Result<(), CliError> {
        if self.foreground && context.printer.format() == Format::Json {
            return Err(logs::not_one_object("`--foreground`"));
        }
        Ok(())
    }

    /// Whether the logs stay in the foreground.
    pub(crate) const fn in_foreground(&self) -> bool {
        self.foreground
    }

    /// How to start what is selected; `supervisor` is the command that becomes the supervisor.
    pub(super) fn options<'a>(
        &self,
        context: &'a Context,
        selection: &Selection,
        supervisor: &'a [String],
    ) -> StartOptions<'a> {
        StartOptions {
            wait: !self.no_wait,
            timeout: self.timeout,
            supervisor,
            named: selection.named,
            cancel: &context.cancel,
        }
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    args.services.check(context)?;
    let settings = context.settings()?;
    let prepared = prepared_in(&settings)?;
    warn_of_other_kit(context, &settings, &prepared);
    let selection = select(
        &prepared.project,
        args.services.service.as_deref(),
        args.services.exclude.as_deref(),
    )?;
    let console = console_kit(context, &prepared, &selection)?;
    let runtime = find_runtime(context, &settings, &prepared)?;
    if selection.services.is_empty() {
        return console_alone(context, &prepared, console.as_ref(), &runtime, args);
    }
    if args.dry_run {
        let (plan, warnings) = plan(context, &prepared, &runtime, &selection, &args.services)?;
        return dry_run::print(context, &plan, &warnings);
    }
    if args.services.foreground {
        return foreground(context, &prepared, &runtime, &selection, &args.services);
    }
    let data = start(context, &prepared, &runtime, &selection, &args.services)?;
    let opens = console.is_some() && data.ready && at_a_terminal(context) && !args.services.no_wait;
    context.printer.result(&data, |data| text(data, opens))?;
    match console {
        Some(kit) if opens => {
            console::open(context, &prepared, &kit, &runtime, args.study.as_deref())
        }
        _ => Ok(0),
    }
}

/// Warns where NVFlare's own job and system commands would go to another federation than this one:
/// they go by the startup kit that config.conf calls active. Where there is no such file nobody uses
/// them by it.
fn warn_of_other_kit(context: &Context, settings: &Settings, prepared: &Prepared) {
    let root = prepared.workspace.root();
    let real = |path: &Utf8Path| path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned());
    let points_to = match &settings.startup_kit_dir {
        Some(kit) if !matches!(kit.source, Source::ConfigFile { .. }) => return,
        Some(kit) if real(&kit.value).starts_with(real(root)) => return,
        Some(kit) => format!("points to {}", kit.value),
        None if !settings.config_path.exists() => return,
        None => "points to no startup kit".to_owned(),
    };
    let kit = prepared.project_admin_kit().dir;
    context.printer.warning(&format!(
        "config.conf {points_to}, so `nvflare job` and its like do not go to this POC; \
         `poc config -d '{kit}'` has them do so"
    ));
}

/// Whether a console would have a person before it who did not ask for something else.
fn at_a_terminal(context: &Context) -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && !context.format_given
}

/// The admin whose console this call is to end with: the one that `-p` names, or the project's own
/// where everybody is started.
fn console_kit(
    context: &Context,
    prepared: &Prepared,
    selection: &Selection,
) -> Result<Option<Kit>, CliError> {
    let name = match selection.admins.as_slice() {
        [] if selection.named => return Ok(None),
        [] => {
            let admin = &prepared.project.project_admin().name;
            if selection.excluded_admins.contains(admin) {
                return Ok(None);
            }
            admin
        }
        [only] => only,
        [first, ..] => {
            return Err(CliError::new(
                ErrorCode::InvalidArgs,
                format!(
                    "{} are FLARE consoles, of which one can be open in a terminal",
                    words::list(&selection.admins)
                ),
            )
            .hint(format!(
                "open one with `poc start -p {first}`, and another in another terminal"
            )));
        }
    };
    let explicit = !selection.admins.is_empty();
    if explicit && selection.services.is_empty() && !context.printer.is_for_people() {
        return Err(CliError::new(
            ErrorCode::InvalidArgs,
            format!("the FLARE console of {name} is interactive: it has no JSON output"),
        )
        .hint("leave out `--format`"));
    }
    match prepared.kit(name) {
        Some(kit) => Ok(Some(kit)),
        None if explicit => Err(CliError::new(
            ErrorCode::NotAPoc,
            format!(
                "the startup kit of {name} is missing from {}",
                prepared.prod_dir
            ),
        )
        .hint("make the workspace anew with `poc prepare --force`")),
        None => Ok(None),
    }
}

/// `poc start -p admin@nvidia.com`.
fn console_alone(
    context: &Context,
    prepared: &Prepared,
    kit: Option<&Kit>,
    runtime: &Runtime,
    args: &Args,
) -> Result<u8, CliError> {
    let Some(kit) = kit else {
        return Err(CliError::new(ErrorCode::Internal, "nothing is selected"));
    };
    if args.dry_run {
        let plan = poc_launch::plan::console(
            prepared,
            kit,
            runtime,
            args.study.as_deref(),
            context.debug,
            &context.env,
        )?;
        return dry_run::print_console(context, &plan);
    }
    let status = Federation::open(prepared).status()?;
    let server = &prepared.project.server().name;
    let runs = status
        .participants
        .iter()
        .any(|participant| participant.name == *server && participant.pid.is_some());
    if !runs {
        return Err(CliError::new(
            ErrorCode::ServerUnreachable,
            format!(
                "the FLARE console of {} needs the server, which is not running",
                kit.name
            ),
        )
        .hint("start it first with `poc start`"));
    }
    console::open(context, prepared, kit, runtime, args.study.as_deref())
}

/// Starts what is selected, and waits.
///
/// # Errors
///
/// When something runs already, a port is taken, a participant dies, or not everybody is ready in
/// time.
pub(crate) fn start(
    context: &Context,
    prepared: &Prepared,
    runtime: &Runtime,
    selection: &Selection,
    args: &ServiceArgs,
) -> Result<Data, CliError> {
    let (plan, mut warnings) = plan(context, prepared, runtime, selection, args)?;
    for warning in &warnings {
        context.printer.warning(warning);
    }
    let (server_address, admin_address) = (plan.server_address.clone(), plan.admin_address.clone());
    let supervisor = ["/proc/self/exe".to_owned(), SUPERVISE.to_owned()];
    let options = args.options(context, selection, &supervisor);
    let started = {
        let progress = Progress::spinner(
            &context.printer,
            format!("starting {}", words::list(&selection.services)),
        );
        let mut stale = StaleFiles::default();
        let started = Federation::open(prepared).start(plan, &options, &mut |event| {
            if !stale.keeps(&progress, &event) {
                show(context, &progress, &event);
            }
        });
        stale.tell(&progress);
        started?
    };
    for warning in &started.warnings {
        context.printer.warning(warning);
    }
    warnings.extend(started.warnings.iter().cloned());
    let data = data(prepared, started, server_address, admin_address, warnings);
    if options.wait && !data.ready {
        return Err(not_ready(&data));
    }
    Ok(data)
}
