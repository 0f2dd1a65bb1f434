//! `poc stop`: a graceful stop, and the proof that nothing is left.

use std::time::Duration;

use poc_core::workspace::Prepared;
use poc_launch::runtime;
use poc_launch::{Federation, LaunchEvent, StopOptions, Stopped};
use serde::Serialize;

use crate::args::seconds;
use crate::commands::stale::{StaleFiles, stale};
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::{Progress, style, words};
use crate::selection::{Selection, select};

/// How long to wait for the end of a stop, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// Arguments of `poc stop`; `poc down` has them too.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
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

    /// Seconds to wait for the end [default: 30]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Option<Duration>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let prepared = context.salvaged()?;
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
    /// Jobs that ran there and were not aborted.
    interrupted_jobs: Vec<String>,
    /// Participants that still run, because they were not to be stopped.
    remaining: Vec<String>,
    survivors: Vec<Survivor>,
    /// FLARE consoles that are open: they are the user's own.
    consoles: Vec<Console>,
    nothing_ran: bool,
    #[serde(skip)]
    server_stopped: bool,
    /// The server was not to be stopped, and runs.
    #[serde(skip)]
    server_stays: bool,
    /// Who was to be stopped; empty for everybody.
    #[serde(skip)]
    asked: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Survivor {
    /// None for a container.
    pid: Option<u32>,
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

/// Stops one participant.
///
/// # Errors
///
/// When something of it survives.
pub(crate) fn one(context: &Context, prepared: &Prepared, name: &str) -> Result<Data, CliError> {
    let args = Args {
        service: Some(vec![name.to_owned()]),
        ..Args::default()
    };
    stop(context, prepared, &args)
}

/// Stops what the arguments select.
///
/// # Errors
///
/// For names that cannot be, and when something survives.
pub(crate) fn stop(context: &Context, prepared: &Prepared, args: &Args) -> Result<Data, CliError> {
    let selection = select(
        &prepared.project,
        args.service.as_deref(),
        args.exclude.as_deref(),
    )?;
    refuse_consoles(&selection)?;
    // For the admin commands. That no Python is there must not keep anything from being stopped.
    let python = context.settings().ok().and_then(|settings| {
        let data_dir = runtime::managed::data_dir(&context.env).ok()?;
        runtime::find(
            prepared.line,
            settings.python.as_ref(),
            &context.env,
            &data_dir,
        )
        .ok()
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
        let mut stale = StaleFiles::default();
        let stopped = Federation::open(prepared).stop(&options, &mut |event| {
            if !stale.keeps(&progress, &event) {
                show(context, &progress, &event);
            }
        });
        stale.tell(&progress);
        stopped
    };
    let stopped = stopped.map_err(|error| interrupted(prepared, error))?;
    let mut data = conclude(prepared, stopped, args.no_wait)?;
    data.asked = options.names.unwrap_or_default();
    Ok(data)
}

/// Whoever interrupts a stop by a supervisor only gets the prompt back.
fn interrupted(prepared: &Prepared, error: poc_launch::Error) -> CliError {
    let interrupted = matches!(error, poc_launch::Error::Interrupted(_));
    let status = interrupted.then(|| Federation::open(prepared).status());
    let error = CliError::from(error);
    match status {
        Some(Ok(status)) if status.supervisor.is_some() => {
            error.hint("the stop goes on; `poc status` shows when it is done")
        }
        _ => error,
    }
}

/// What came of a stop.
///
/// # Errors
///
/// When something survived it.
pub(super) fn conclude(
    prepared: &Prepared,
    stopped: Stopped,
    no_wait: bool,
) -> Result<Data, CliError> {
    let data = data(&prepared.project.server().name, stopped, no_wait);
    if data.survivors.is_empty() {
        Ok(data)
    } else {
        Err(incomplete(&data))
    }
}

/// A console that is named alone cannot be stopped; beside services it is passed over.
fn refuse_consoles(selection: &Selection) -> Result<(), CliError> {
    if !selection.services.is_empty() {
        return Ok(());
    }
    Err(CliError::new(
        ErrorCode::InvalidArgs,
        format!(
            "{} is an admin: a FLARE console is closed where it is open",
            words::list(&selection.admins)
        ),
    )
    .hint("type `bye` in the console"))
}

fn data(server: &str, stopped: Stopped, no_wait: bool) -> Data {
    Data {
        // Of a stop that was not waited for, only jobs whose server stays are told.
        server_stays: no_wait || stopped.remaining.iter().any(|name| name == server),
        server_stopped: stopped.stopped.iter().any(|name| name == server),
        status: match () {
            () if no_wait && !stopped.nothing_ran => "stopping",
            () if stopped.remaining.is_empty() => "stopped",
            () => "partial",
        },
        stopped: stopped.stopped,
        aborted_jobs: stopped.aborted_jobs,
        interrupted_jobs: stopped.interrupted_jobs,
        remaining: stopped.remaining,
        survivors: stopped
            .survivors
            .into_iter()
            .map(|survivor| Survivor {
                pid: survivor.pid,
                command: survivor.command,
                why: survivor.why,
            })
            .collect(),
        consoles: stopped
            .consoles
            .into_iter()
            .map(|console| Console {
                pid: console.pid,
                user: console.user,
            })
            .collect(),
        nothing_ran: stopped.nothing_ran,
        asked: Vec::new(),
    }
}

fn incomplete(data: &Data) -> CliError {
    let lines = data
        .survivors
        .iter()
        .map(|survivor| {
            let pid = survivor
                .pid
                .map(|pid| format!("{pid} "))
                .unwrap_or_default();
            let command = words::command(&survivor.command);
            format!("{pid}{command} ({})", survivor.why)
        })
        .collect();
    CliError::new(
        ErrorCode::StopIncomplete,
        format!(
            "{} still there after the stop",
            words::are(data.survivors.len(), "process")
        ),
    )
    .excerpt("What is left:", lines)
    .hint("run `poc stop` again, or end them with `kill`")
    .with_data(data)
}

/// What happens meanwhile; `start` shows these too when it takes back what it had begun.
pub(crate) fn show(context: &Context, progress: &Progress<'_>, event: &LaunchEvent) {
    match event {
        LaunchEvent::Warning(text) => progress.warning(text),
        LaunchEvent::AbortingJobs => progress.step("aborting the running jobs"),
        LaunchEvent::Stopping { name } => progress.say(format!("stopping {name}")),
        LaunchEvent::Killing { name, pid } => {
            progress.note(&format!(
                "killing {} (process {pid}): it did not end in time",
                words::command(name)
            ));
        }
        LaunchEvent::Stopped { name } => progress.step(format!("{name} has stopped")),
        LaunchEvent::StaleRemoved { file, pid, reason } => {
            progress.note(&stale(file, *pid, *reason));
        }
        // What has no place in a stop, or is told at its end.
        other => context.printer.debug(&format!("{other:?}")),
    }
}

/// What `stop` says at its end.
pub(crate) fn text(data: &Data) -> String {
    let mut text = match data.status {
        "stopping" => format!(
            "Stopping; {} shows when it is done\n",
            style::literal("`poc status`")
        ),
        _ if data.nothing_ran && !data.asked.is_empty() => {
            let verb = if data.asked.len() == 1 { "was" } else { "were" };
            format!("{} {verb} not running\n", words::list(&data.asked))
        }
        _ if data.nothing_ran => "Nothing was running\n".to_owned(),
        "stopped" => format!(
            "{} Stopped {}; no process is left\n",
            style::good("✓"),
            words::list(&data.stopped)
        ),
        _ => format!(
            "{} Stopped {}\n",
            style::good("✓"),
            words::list(&data.stopped)
        ),
    };
    if !data.aborted_jobs.is_empty() {
        text += &format!(
            "  aborted {}: {}\n",
            words::count(data.aborted_jobs.len(), "job"),
            words::list(&data.aborted_jobs)
        );
    }
    if !data.interrupted_jobs.is_empty() {
        text += &lost_jobs(data);
    }
    if !data.remaining.is_empty() {
        let orphans = if data.server_stopped {
            ", which go on trying to reach the server"
        } else {
            ""
        };
        text += &format!(
            "  still running: {}{orphans}\n",
            words::list(&data.remaining)
        );
    }
    for console in &data.consoles {
        text += &format!(
            "  the FLARE console of {} (process {}) is still open: leave it with {}\n",
            console.user,
            console.pid,
            style::literal("`bye`")
        );
    }
    text
}

/// What becomes of jobs that were not aborted.
fn lost_jobs(data: &Data) -> String {
    let (noun, verb, it) = match data.interrupted_jobs.len() {
        1 => ("job", "was", "it"),
        _ => ("jobs", "were", "they"),
    };
    let jobs = words::list(&data.interrupted_jobs);
    if data.server_stays {
        format!("  {noun} {jobs} {verb} running there: {it} may not complete\n")
    } else {
        let them = if it == "it" { it } else { "them" };
        format!(
            "  {noun} {jobs} {verb} running and could not be aborted: NVFlare may go on listing \
             {them} as RUNNING\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(stopped: Stopped, no_wait: bool) -> String {
        let text = match data("server", stopped, no_wait) {
            data if data.survivors.is_empty() => text(&data),
            data => crate::error::render(&incomplete(&data), false),
        };
        anstream::adapter::strip_str(&text).to_string()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_a_stop_came_to() {
        let nothing = Stopped {
            nothing_ran: true,
            ..Stopped::default()
        };
        let all = Stopped {
            stopped: names(&["server", "site-1"]),
            aborted_jobs: names(&["0b2c"]),
            ..Stopped::default()
        };
        let server = Stopped {
            stopped: names(&["server"]),
            remaining: names(&["site-1"]),
            consoles: vec![poc_launch::Console {
                pid: 7,
                user: "admin@nvidia.com".into(),
            }],
            ..Stopped::default()
        };
        let stuck = Stopped {
            stopped: names(&["server"]),
            survivors: vec![poc_launch::Survivor {
                pid: Some(9),
                command: "python3 -u -m x".into(),
                why: "it did not end after SIGKILL".into(),
            }],
            ..Stopped::default()
        };
        let site = Stopped {
            stopped: names(&["site-2"]),
            remaining: names(&["server", "site-1"]),
            interrupted_jobs: names(&["0b2c"]),
            ..Stopped::default()
        };
        let server_dead = Stopped {
            stopped: names(&["server", "site-1"]),
            interrupted_jobs: names(&["0b2c", "1c3d"]),
            ..Stopped::default()
        };
        let texts = [
            told(site, false),
            told(server_dead, false),
            told(nothing, false),
            told(all.clone(), false),
            told(all, true),
            told(server, false),
            told(stuck, false),
        ];
        insta::assert_snapshot!(texts.join("────\n"), @r"
        ✓ Stopped site-2
          job 0b2c was running there: it may not complete
          still running: server and site-1
        ────
        ✓ Stopped server and site-1; no process is left
          jobs 0b2c and 1c3d were running and could not be aborted: NVFlare may go on listing them as RUNNING
        ────
        Nothing was running
        ────
        ✓ Stopped server and site-1; no process is left
          aborted 1 job: 0b2c
        ────
        Stopping; `poc status` shows when it is done
          aborted 1 job: 0b2c
        ────
        ✓ Stopped server
          still running: site-1, which go on trying to reach the server
          the FLARE console of admin@nvidia.com (process 7) is still open: leave it with `bye`
        ────
        error: 1 process is still there after the stop

        What is left:
          | 9 python3 -u -m x (it did not end after SIGKILL)

        hint: run `poc stop` again, or end them with `kill`
        ");
    }

    #[test]
    fn who_was_not_running_is_named() {
        let nothing = Stopped {
            nothing_ran: true,
            remaining: names(&["site-1"]),
            ..Stopped::default()
        };
        let mut data = data("server", nothing, false);
        data.asked = names(&["server"]);
        insta::assert_snapshot!(text(&data), @r"
        server was not running
          still running: site-1
        ");
    }

    #[test]
    fn the_json_keys() {
        insta::assert_json_snapshot!(data("server", Stopped { stopped: names(&["server"]), ..Stopped::default() }, false), @r#"
        {
          "status": "stopped",
          "stopped": [
            "server"
          ],
          "aborted_jobs": [],
          "interrupted_jobs": [],
          "remaining": [],
          "survivors": [],
          "consoles": [],
          "nothing_ran": false
        }
        "#);
    }
}
