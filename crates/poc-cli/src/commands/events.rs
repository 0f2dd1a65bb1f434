//! `poc events`: what happened, from the supervisor's event log.

use std::time::{Duration, Instant};

use poc_launch::Federation;
use poc_launch::logs::{self, Follower, Watch};
use poc_launch::supervisor::Happening;
use poc_launch::supervisor::event_log::Entry;
use serde::Serialize;

use crate::args::Format;
use crate::commands::logs::not_one_object;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{style, words};

/// How often following looks whether it should end.
const PERIOD: Duration = Duration::from_millis(200);

/// How much is shown of what a participant said last.
const LAST_LINES: usize = 10;

/// Arguments of `poc events`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Go on with what happens from now, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
}

#[derive(Serialize)]
struct Data {
    events: Vec<Entry>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let prepared = context.salvaged()?;
    if args.follow && context.printer.format() == Format::Json {
        return Err(not_one_object("`-f`"));
    }
    let path = prepared.workspace.events_file();
    // Before the log is read: an event that comes between is shown twice rather than never.
    let mut follower = if args.follow {
        Some(Follower::at_end(&path)?)
    } else {
        None
    };
    let events = Federation::open(&prepared).events()?;
    if context.printer.format() == Format::Json {
        context
            .printer
            .result(&Data { events }, |_| String::new())?;
        return Ok(0);
    }
    if events.is_empty() && !args.follow {
        context.printer.note("Nothing happened yet");
    }
    events.iter().try_for_each(|event| show(context, event))?;
    if let Some(follower) = &mut follower {
        let mut watch = Watch::new([path.as_path()]);
        while !context.cancel.is_cancelled() {
            for line in follower.lines()? {
                // A line of a newer version is passed over, as in the log's beginning.
                if let Ok(event) = serde_json::from_str(&line) {
                    show(context, &event)?;
                }
            }
            watch.wait(Instant::now() + PERIOD)?;
        }
    }
    Ok(0)
}

fn show(context: &Context, event: &Entry) -> Result<(), CliError> {
    if context.printer.is_for_people() {
        context.printer.text(&text(event))
    } else {
        context.printer.json_line(event)
    }
}

fn text(event: &Entry) -> String {
    let (who, what) = sentence(&event.happening);
    let day_and_time = format!(
        "{} {}",
        words::day(&event.time),
        words::time_of_day(&event.time)
    );
    let mut text = format!("{} {who:<12} {what}\n", style::dim(day_and_time));
    for line in last_lines(&event.happening) {
        text += &format!("  {} {line}\n", style::dim("|"));
    }
    text
}

/// What a participant that was given up has said last.
fn last_lines(happening: &Happening) -> &[String] {
    match happening {
        Happening::GaveUp { tail, .. } => &tail[tail.len().saturating_sub(LAST_LINES)..],
        _ => &[],
    }
}

/// Why it ended, as far as its last lines tell.
fn cause(tail: &[String]) -> String {
    let cause = logs::reason_in(tail, 0).cause;
    cause.map(|cause| format!(": {cause}")).unwrap_or_default()
}

/// Who, and what happened there.
fn sentence(happening: &Happening) -> (&str, String) {
    const SUPERVISOR: &str = "supervisor";
    use Happening as H;
    match happening {
        H::SupervisorStarted {
            pid,
            version,
            backend,
            cgroup: _,
        } => (
            SUPERVISOR,
            format!("started as process {pid} (poc {version}; {backend})"),
        ),
        H::SupervisorLeaving { survivors } if survivors.is_empty() => {
            (SUPERVISOR, "leaves; nothing is left".to_owned())
        }
        H::SupervisorLeaving { survivors } => (
            SUPERVISOR,
            style::bad(format_args!(
                "leaves, with {} still there: {survivors:?}",
                words::count(survivors.len(), "process")
            )),
        ),
        H::Request { op, names, by } => {
            let names = if names.is_empty() {
                "everything".to_owned()
            } else {
                words::list(names)
            };
            let by = by
                .map(|pid| format!(" by process {pid}"))
                .unwrap_or_default();
            (SUPERVISOR, format!("asked{by} to {op} {names}"))
        }
        H::ForkServerStarted { pid } => (
            SUPERVISOR,
            format!("started a fork server as process {pid}"),
        ),
        H::ForkServerLost { pid, reason } => {
            let pid = pid
                .map(|pid| format!(" (process {pid})"))
                .unwrap_or_default();
            let text = format_args!("lost the fork server{pid}: {reason}");
            (SUPERVISOR, style::doubtful(text))
        }
        H::NotForked { name, reason } => (
            name,
            format!("gets a Python of its own, not a forked one: {reason}"),
        ),
        H::Started { name, pid } => (name, style::good(format_args!("started as process {pid}"))),
        H::StartFailed { name, error } => {
            (name, style::bad(format_args!("cannot be started: {error}")))
        }
        H::Adopted { name, pid } => (
            name,
            format!("ran already as process {pid}, and is watched now"),
        ),
        H::Ready { name } => (name, style::good("ready")),
        H::Exited {
            name,
            pid,
            status,
            tail,
        } => (
            name,
            format!("process {pid} ended: {status}{}", cause(tail)),
        ),
        H::Restarting {
            name,
            in_s,
            attempt,
        } => (
            name,
            style::doubtful(format_args!("restart {attempt} in {in_s:.1} s")),
        ),
        H::GaveUp { name, .. } => (
            name,
            format!(
                "{}; {} tries again",
                style::bad("given up: it died too often"),
                style::literal(format_args!("`poc start -p {name}`"))
            ),
        ),
        H::Stopping { name, reason } => (name, format!("stopping ({reason})")),
        H::Signalled { name, pid, signal } => (name, format!("{signal} to process {pid}")),
        H::AbortingJobs => ("server", "aborting the running jobs".to_owned()),
        H::JobsAborted { ids, error: None } => (
            "server",
            format!("aborted {}", words::count(ids.len(), "job")),
        ),
        H::JobsAborted {
            error: Some(error), ..
        } => (
            "server",
            style::doubtful(format_args!("jobs could not be aborted: {error}")),
        ),
        H::Swept { pids } => (
            SUPERVISOR,
            format!(
                "ended {} that had been left behind: {pids:?}",
                words::count(pids.len(), "process")
            ),
        ),
        H::Stopped { name } => (name, "stopped".to_owned()),
        H::Stuck { name, pid } => (
            name,
            style::bad(format_args!(
                "process {pid} does not end, not even by SIGKILL"
            )),
        ),
        H::WorkspaceGone => (
            SUPERVISOR,
            style::doubtful("the workspace was removed or moved away"),
        ),
        H::LogRotated { name, bytes } => (
            name,
            format!("console log rotated ({})", words::bytes(*bytes)),
        ),
        H::Trouble { message } => (SUPERVISOR, style::doubtful(message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_an_event() {
        let site = || "site-1".to_owned();
        let happenings = [
            Happening::SupervisorStarted {
                pid: 4711,
                version: "0.1.0".into(),
                backend: "exec".into(),
                cgroup: "none: no cgroup v2 is mounted".into(),
            },
            Happening::Request {
                op: "start".into(),
                names: vec!["server".into(), site()],
                by: Some(4700),
            },
            Happening::Started {
                name: site(),
                pid: 4712,
            },
            Happening::Ready { name: site() },
            Happening::Exited {
                name: site(),
                pid: 4712,
                status: "signal 9 (SIGKILL)".into(),
                tail: vec![],
            },
            Happening::Restarting {
                name: site(),
                in_s: 0.5,
                attempt: 1,
            },
            Happening::Exited {
                name: site(),
                pid: 4712,
                status: "exit status 3".into(),
                tail: vec!["Error: no data".into(), "bye".into()],
            },
            Happening::GaveUp {
                name: site(),
                tail: vec!["Error: no data".into(), "bye".into()],
            },
            Happening::JobsAborted {
                ids: vec!["a".into()],
                error: None,
            },
            Happening::Swept {
                pids: vec![4713, 4714],
            },
            Happening::Stopped { name: site() },
            Happening::SupervisorLeaving { survivors: vec![] },
        ];
        let lines = happenings.map(|happening| {
            text(&Entry {
                time: "2026-11-24T17:03:09.123Z".into(),
                happening,
            })
        });
        insta::assert_snapshot!(anstream::adapter::strip_str(&lines.concat()), @r"
        2026-11-24 17:03:09 supervisor   started as process 4711 (poc 0.1.0; exec)
        2026-11-24 17:03:09 supervisor   asked by process 4700 to start server and site-1
        2026-11-24 17:03:09 site-1       started as process 4712
        2026-11-24 17:03:09 site-1       ready
        2026-11-24 17:03:09 site-1       process 4712 ended: signal 9 (SIGKILL)
        2026-11-24 17:03:09 site-1       restart 1 in 0.5 s
        2026-11-24 17:03:09 site-1       process 4712 ended: exit status 3: Error: no data
        2026-11-24 17:03:09 site-1       given up: it died too often; `poc start -p site-1` tries again
          | Error: no data
          | bye
        2026-11-24 17:03:09 server       aborted 1 job
        2026-11-24 17:03:09 supervisor   ended 2 processes that had been left behind: [4713, 4714]
        2026-11-24 17:03:09 site-1       stopped
        2026-11-24 17:03:09 supervisor   leaves; nothing is left
        ");
    }
}
