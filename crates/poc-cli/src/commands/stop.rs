//! `poc stop`: a graceful stop, and the proof that nothing is left.

use std::time::Duration;

use poc_core::workspace::Prepared;
use poc_launch::runtime;
use poc_launch::{Federation, LaunchEvent, StopOptions, Stopped};
use serde::Serialize;

use crate::args::seconds;
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::{Progress, style, words};
use crate::selection::{Selection, select};

/// How long a stop may take before what still runs is killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Arguments of `poc stop`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Stop these participants [default, and for a bare -p or `all`: all that run]
    #[arg(short = 'p', long, value_name = "NAME", num_args = 0..)]
    service: Option<Vec<String>>,

    /// But not these [also: -ex]
    #[arg(long, value_name = "NAME", num_args = 0..)]
    exclude: Option<Vec<String>>,

    /// Return as soon as the stop is asked for
    #[arg(long)]
    no_wait: bool,

    /// Seconds until what still runs is killed [default: 30]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Option<Duration>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let prepared = context.prepared()?;
    let data = stop(context, &prepared, args)?;
    context.printer.result(&data, text)?;
    Ok(0)
}

/// What `stop` did.
#[derive(Debug, Serialize)]
pub(crate) struct Data {
    /// `stopped`, `partial` where participants stay, or `stopping` with `--no-wait`.
    status: &'static str,
    pub(crate) stopped: Vec<String>,
    aborted_jobs: Vec<String>,
    /// Participants that still run, because they were not to be stopped.
    remaining: Vec<String>,
    survivors: Vec<Survivor>,
    /// FLARE consoles that are open: they are the user's own.
    consoles: Vec<Console>,
    nothing_ran: bool,
}

#[derive(Debug, Serialize)]
struct Survivor {
    pid: u32,
    command: String,
    why: String,
}

#[derive(Debug, Serialize)]
struct Console {
    pid: u32,
    user: String,
}

/// Stops everything of a POC.
///
/// # Errors
///
/// When something survives.
pub(crate) fn all(context: &Context, prepared: &Prepared) -> Result<Data, CliError> {
    stop(context, prepared, &Args::default())
}

/// Stops what the arguments select.
///
/// # Errors
///
/// For names that cannot be, and when something survives.
pub(crate) fn stop(context: &Context, prepared: &Prepared, args: &Args) -> Result<Data, CliError> {
    let selection = select(&prepared.project, args.service.as_deref(), args.exclude.as_deref())?;
    refuse_consoles(&selection)?;
    // For the admin commands. That no Python is there must not keep anything from being stopped.
    let python = context.settings().ok().and_then(|settings| {
        let data_dir = runtime::managed::data_dir(&context.env).ok()?;
        runtime::find(prepared.line, settings.python.as_ref(), &context.env, &data_dir).ok()
    });
    let options = StopOptions {
        names: (!selection.everything).then(|| selection.services.clone()),
        wait: !args.no_wait,
        timeout: args.timeout.unwrap_or(PATIENCE),
        python: python.map(|runtime| runtime.python),
        // Ctrl-C during a stop must not leave it half done: it goes on in the background, or here.
        cancel: &context.cancel,
    };
    let stopped = {
        let progress = Progress::spinner(&context.printer, "stopping");
        Federation::open(prepared).stop(&options, &mut |event| show(context, &progress, &event))?
    };
    let data = data(stopped, args.no_wait);
    if data.survivors.is_empty() { Ok(data) } else { Err(incomplete(&data)) }
}

/// A console that is named alone cannot be stopped; beside services it is passed over.
fn refuse_consoles(selection: &Selection) -> Result<(), CliError> {
    if !selection.services.is_empty() {
        return Ok(());
    }
    Err(CliError::new(ErrorCode::InvalidArgs, format!("{} is an admin: a FLARE console is closed where it is open", words::list(&selection.admins)))
        .hint("type `bye` in the console"))
}

fn data(stopped: Stopped, no_wait: bool) -> Data {
    Data {
        status: match () {
            () if no_wait && !stopped.nothing_ran => "stopping",
            () if stopped.remaining.is_empty() => "stopped",
            () => "partial",
        },
        stopped: stopped.stopped,
        aborted_jobs: stopped.aborted_jobs,
        remaining: stopped.remaining,
        survivors: stopped
            .survivors
            .into_iter()
            .map(|survivor| Survivor { pid: survivor.pid, command: survivor.command, why: survivor.why.to_string() })
            .collect(),
        consoles: stopped.consoles.into_iter().map(|console| Console { pid: console.pid, user: console.user }).collect(),
        nothing_ran: stopped.nothing_ran,
    }
}

fn incomplete(data: &Data) -> CliError {
    let lines = data.survivors.iter().map(|survivor| format!("{} {} ({})", survivor.pid, survivor.command, survivor.why)).collect();
    CliError::new(ErrorCode::StopIncomplete, format!("{} still there after the stop", words::are(data.survivors.len(), "process")))
        .excerpt("What is left:", lines)
        .hint("run `poc stop` again, or end them with `kill`")
        .with_data(data)
}

/// What happens meanwhile; `start` shows these too when it takes back what it had begun.
pub(crate) fn show(context: &Context, progress: &Progress<'_>, event: &LaunchEvent) {
    match event {
        LaunchEvent::Warning(text) => progress.warning(text),
        LaunchEvent::AbortingJobs { ids } => progress.note(&format!("aborting {}: {}", words::count(ids.len(), "job"), words::list(ids))),
        LaunchEvent::Stopping { name } => progress.say(format!("stopping {name}")),
        LaunchEvent::Killing { name, pid } => progress.note(&format!("killing {name} (process {pid}): it did not end in time")),
        LaunchEvent::Stopped { name } => progress.step(format!("{name} has stopped")),
        LaunchEvent::StaleRemoved { file, pid, reason } => progress.note(&format!("removed a stale {file} (process {pid}: {reason})")),
        other => context.printer.debug(&format!("{other:?}")),
    }
}

/// What `stop` says at its end.
pub(crate) fn text(data: &Data) -> String {
    let mut text = match data.status {
        "stopping" => format!("Stopping; {} shows when it is done\n", style::literal("`poc status`")),
        _ if data.nothing_ran => "Nothing was running\n".to_owned(),
        "stopped" => format!("{} Stopped {}; no process is left\n", style::good("✓"), words::list(&data.stopped)),
        _ => format!("{} Stopped {}\n", style::good("✓"), words::list(&data.stopped)),
    };
    if !data.aborted_jobs.is_empty() {
        text += &format!("  aborted {}: {}\n", words::count(data.aborted_jobs.len(), "job"), words::list(&data.aborted_jobs));
    }
    if !data.remaining.is_empty() {
        text += &format!("  still running: {}\n", words::list(&data.remaining));
    }
    for console in &data.consoles {
        text += &format!("  the FLARE console of {} (process {}) is still open: leave it with {}\n", console.user, console.pid, style::literal("`bye`"));
    }
    text
}
