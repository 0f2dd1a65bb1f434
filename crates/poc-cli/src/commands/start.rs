//! `poc start`: participants from a prepared workspace, watched over, and the FLARE console at last.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use camino::Utf8PathBuf;
use poc_core::settings::Settings;
use poc_core::workspace::{Kit, Prepared};
use poc_gpu::Request;
use poc_launch::plan::{self, LaunchPlan, PlanRequest, SiteGpus};
use poc_launch::runtime::{self, Runtime};
use poc_launch::{Federation, LaunchEvent, StartOptions, Started};
use serde::Serialize;

use crate::args::{Format, Spawn, seconds};
use crate::commands::{console, gpus, logs, plan_text, stop};
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::{GpuRef, Progress, style, words};
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
    #[arg(long, value_name = "HOW", default_value = "auto", hide_default_value = true)]
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
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    args.services.check(context)?;
    let settings = context.settings()?;
    let prepared = context.prepared_in(&settings)?;
    let selection = select(&prepared.project, args.services.service.as_deref(), args.services.exclude.as_deref())?;
    let console = console_kit(context, &prepared, &selection)?;
    let runtime = find_runtime(context, &settings, &prepared)?;
    if selection.services.is_empty() {
        return console_alone(context, &prepared, console.as_ref(), &runtime, args);
    }
    if args.dry_run {
        let (plan, warnings) = plan(context, &prepared, &runtime, &selection, &args.services)?;
        return plan_text::print(context, &plan, &warnings);
    }
    let data = start(context, &prepared, &runtime, &selection, &args.services)?;
    if args.services.foreground {
        return foreground(context, &prepared, &data);
    }
    let opens = console.is_some() && data.ready && at_a_terminal(context) && !args.services.no_wait;
    context.printer.result(&data, |data| text(data, opens))?;
    match console {
        Some(kit) if opens => console::open(context, &prepared, &kit, &runtime, args.study.as_deref()),
        _ => Ok(0),
    }
}

/// Whether a console would have a person before it who did not ask for something else.
fn at_a_terminal(context: &Context) -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && !context.format_given
}

/// The admin whose console this call is to end with: the one that `-p` names, or the project's own
/// where everybody is started.
fn console_kit(context: &Context, prepared: &Prepared, selection: &Selection) -> Result<Option<Kit>, CliError> {
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
            return Err(CliError::new(ErrorCode::InvalidArgs, format!("{} are FLARE consoles, of which one can be open in a terminal", words::list(&selection.admins)))
                .hint(format!("open one with `poc start -p {first}`, and another in another terminal")));
        }
    };
    let explicit = !selection.admins.is_empty();
    if explicit && selection.services.is_empty() && !context.printer.is_for_people() {
        return Err(CliError::new(ErrorCode::InvalidArgs, format!("the FLARE console of {name} is interactive: it has no JSON output"))
            .hint("leave out `--format`"));
    }
    match prepared.kit(name) {
        Some(kit) => Ok(Some(kit)),
        None if explicit => Err(CliError::new(ErrorCode::NotAPoc, format!("the startup kit of {name} is missing from {}", prepared.prod_dir))
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
        let plan = plan::console(prepared, kit, runtime, args.study.as_deref(), context.debug, &context.env)?;
        return plan_text::print_console(context, &plan);
    }
    let status = Federation::open(prepared).status()?;
    let server = &prepared.project.server().name;
    let runs = status.participants.iter().any(|participant| participant.name == *server && participant.pid.is_some());
    if !runs {
        return Err(CliError::new(ErrorCode::ServerUnreachable, format!("the FLARE console of {} needs the server, which is not running", kit.name))
            .hint("start it first with `poc start`"));
    }
    console::open(context, prepared, kit, runtime, args.study.as_deref())
}

/// The Python for kits that are there already.
///
/// # Errors
///
/// When there is none, with how to get one.
pub(crate) fn find_runtime(context: &Context, settings: &Settings, prepared: &Prepared) -> Result<Runtime, CliError> {
    let data_dir = runtime::managed::data_dir(&context.env)?;
    let found = runtime::find(prepared.line, settings.python.as_ref(), &context.env, &data_dir)?;
    context.printer.debug(&format!("NVFlare {} of {}", found.flare_version, found.python));
    Ok(found)
}

/// Deals the GPUs and builds the launch plan. Starts nothing.
///
/// # Errors
///
/// For GPUs that are not there, and for kits of another NVFlare than the runtime has.
pub(crate) fn plan(
    context: &Context,
    prepared: &Prepared,
    runtime: &Runtime,
    selection: &Selection,
    args: &ServiceArgs,
) -> Result<(LaunchPlan, Vec<String>), CliError> {
    let (gpus, warnings) = deal(context, prepared, selection, args.gpu.as_deref())?;
    let plan = plan::build(&PlanRequest {
        prepared,
        runtime,
        selected: &selection.services,
        gpus: &gpus,
        env: &context.env,
        spawn: args.spawn.into(),
    })?;
    Ok((plan, warnings))
}

fn deal(
    context: &Context,
    prepared: &Prepared,
    selection: &Selection,
    words: Option<&[String]>,
) -> Result<(BTreeMap<String, SiteGpus>, Vec<String>), CliError> {
    let request = Request::parse(words.unwrap_or_default())?;
    let all: Vec<String> = prepared.project.clients().map(|client| client.name.clone()).collect();
    let selected: Vec<String> = all.iter().filter(|name| selection.services.contains(name)).cloned().collect();
    let host = gpus::host(context);
    let dealt = poc_gpu::deal(&request, &all, &selected, &host)?;
    let mut warnings = host.warnings();
    warnings.extend(dealt.warnings.iter().cloned());
    let gpus = dealt
        .iter()
        .map(|(site, share)| {
            let ids = share.gpus().iter().map(ToString::to_string).collect();
            (site.to_owned(), SiteGpus { ids, environment: share.environment() })
        })
        .collect();
    Ok((gpus, warnings))
}

/// What `start` did.
#[derive(Debug, Serialize)]
pub(crate) struct Data {
    status: &'static str,
    pub(crate) ready: bool,
    server_address: String,
    admin_address: String,
    clients: Vec<String>,
    participants: Vec<Participant>,
    already_running: Vec<String>,
    /// Sites that had not registered in time.
    missing: Vec<String>,
    pub(crate) warnings: Vec<String>,
    #[serde(skip)]
    project: String,
    #[serde(skip)]
    admin: String,
}

/// A participant that runs.
#[derive(Debug, Serialize)]
struct Participant {
    name: String,
    role: String,
    pid: Option<u32>,
    gpus: Vec<GpuRef>,
    log: Utf8PathBuf,
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
    let options = StartOptions {
        wait: !args.no_wait,
        timeout: args.timeout,
        supervisor: &supervisor,
        named: selection.named,
        cancel: &context.cancel,
    };
    let started = {
        let progress = Progress::spinner(&context.printer, format!("starting {}", words::list(&selection.services)));
        Federation::open(prepared).start(plan, &options, &mut |event| show(context, &progress, &event))?
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

fn data(prepared: &Prepared, started: Started, server_address: String, admin_address: String, warnings: Vec<String>) -> Data {
    let participants: Vec<Participant> = started
        .participants
        .into_iter()
        .filter(|participant| participant.pid.is_some())
        .map(|participant| Participant {
            gpus: participant.gpus.iter().map(|id| GpuRef::from(id.as_str())).collect(),
            name: participant.name,
            role: participant.role.to_string(),
            pid: participant.pid,
            log: participant.log,
        })
        .collect();
    let runs = |name: &str| participants.iter().any(|participant| participant.name == name);
    let services = 1 + prepared.project.clients().count();
    Data {
        status: if participants.len() == services { "running" } else { "partial" },
        ready: started.ready,
        server_address,
        admin_address,
        clients: prepared.project.clients().filter(|client| runs(&client.name)).map(|client| client.name.clone()).collect(),
        participants,
        already_running: started.already_running,
        missing: started.missing,
        warnings,
        project: prepared.project.name.clone(),
        admin: prepared.project.project_admin().name.clone(),
    }
}

fn not_ready(data: &Data) -> CliError {
    CliError::new(
        ErrorCode::StartTimeout,
        format!("{} not registered in time; everything was left running", has_or_have(&data.missing)),
    )
    .hint("`poc status` shows whether it still comes, `poc logs NAME` why not")
    .hint("`--timeout S` waits longer")
    .with_data(data)
}

fn has_or_have(names: &[String]) -> String {
    format!("{} {}", words::list(names), if names.len() == 1 { "has" } else { "have" })
}

/// What happens meanwhile: in the spinner on a terminal, else line by line.
fn show(context: &Context, progress: &Progress<'_>, event: &LaunchEvent) {
    let text = match event {
        LaunchEvent::Supervisor { pid } => return context.printer.debug(&format!("supervisor is process {pid}")),
        LaunchEvent::Warning(text) => return progress.warning(text),
        LaunchEvent::StaleRemoved { file, pid, reason } => {
            return progress.note(&format!("removed a stale {file} (process {pid}: {reason})"));
        }
        LaunchEvent::AlreadyRunning { name, pid } => return progress.note(&format!("{name} is running already (process {pid})")),
        LaunchEvent::Starting { name, pid } => format!("{name} started (process {pid})"),
        LaunchEvent::Ready { name } => format!("{name} is up"),
        LaunchEvent::Registered { name } => format!("{name} has registered"),
        LaunchEvent::Waiting { names, seconds } => {
            return progress.say(format!("waiting for {} ({seconds:.0} s)", words::list(names)));
        }
        LaunchEvent::Exited { name, status, .. } => return progress.note(&format!("{name} ended: {status}")),
        LaunchEvent::Restarting { name, in_seconds } => {
            return progress.note(&format!("{name} is started again in {in_seconds:.1} s"));
        }
        LaunchEvent::GaveUp { name, .. } => return progress.note(&format!("{name} is given up")),
        other => return stop::show(context, progress, other),
    };
    progress.step(text);
}

/// Logs of all until Ctrl-C, or until nothing runs any more; then the stop.
pub(crate) fn foreground(context: &Context, prepared: &Prepared, data: &Data) -> Result<u8, CliError> {
    context.printer.note(&format!("{}Ctrl-C stops it\n", summary(data)));
    logs::follow_while_running(context, prepared)?;
    let stopped = stop::all(context, prepared)?;
    context.printer.note(stop::text(&stopped).trim_end());
    Ok(0)
}

fn summary(data: &Data) -> String {
    let sites = words::count(data.clients.len(), "site");
    let server = data.participants.len() > data.clients.len();
    let who = match (server, data.clients.is_empty()) {
        (true, true) => "the server runs".to_owned(),
        (true, false) => format!("the server and {sites} run"),
        (false, _) => format!("{sites} run{}", if data.clients.len() == 1 { "s" } else { "" }),
    };
    let state = if data.ready { "" } else { " (not yet ready)" };
    format!("{} {}: {who}{state}\n", style::good("✓"), data.project)
}

pub(crate) fn text(data: &Data, console_opens: bool) -> String {
    let mut text = summary(data);
    for participant in &data.participants {
        let pid = participant.pid.map_or_else(String::new, |pid| format!("process {pid}"));
        let gpus: Vec<String> = participant.gpus.iter().map(ToString::to_string).collect();
        let gpus = if gpus.is_empty() { String::new() } else { format!(", GPU {}", gpus.join(",")) };
        text += &format!("  {:<12} {}\n", participant.name, style::dim(format_args!("{pid}{gpus}")));
    }
    let admin = if data.admin_address == data.server_address { String::new() } else { format!(", admins at {}", data.admin_address) };
    text += &format!("  sites connect to {}{admin}\n", data.server_address);
    if !console_opens {
        text += &format!(
            "\nNext: {} opens the FLARE console; {} and {} show how it goes; {} ends it\n",
            style::literal(format_args!("`poc start -p {}`", data.admin)),
            style::literal("`poc status`"),
            style::literal("`poc logs -f`"),
            style::literal("`poc stop`")
        );
    }
    text
}
