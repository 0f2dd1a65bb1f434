//! `poc prune`: what earlier POCs of this user left running is shown, and then ended.

use camino::Utf8PathBuf;
use poc_launch::process::{Found, Kind};
use poc_launch::prune::{self, Outlook, Remains, Why};
use poc_launch::runtime;
use serde::Serialize;

use crate::commands::stop;
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::{Progress, style, words};
use crate::terminal;

/// Arguments of `poc prune`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// End them without asking
    #[arg(long)]
    force: bool,
}

/// What was found, and what became of it.
#[derive(Debug, Serialize)]
struct Data {
    /// `clean` where nothing was left behind, `found`, or `pruned`.
    status: &'static str,
    left_behind: Vec<Left>,
    /// POCs that run, which are left alone.
    running: Vec<Running>,
}

#[derive(Debug, Serialize)]
struct Left {
    /// `None` where its processes do not tell.
    workspace: Option<Utf8PathBuf>,
    /// `workspace_gone`, `workspace_replaced`, `supervisor_gone` or `unknown`.
    why: &'static str,
    processes: Vec<Process>,
    /// FLARE consoles: they are the user's own.
    consoles: Vec<Process>,
}

#[derive(Debug, Serialize)]
struct Process {
    pid: u32,
    kind: Kind,
    /// The startup kit that its command line names.
    kit: Option<Utf8PathBuf>,
    command: String,
    /// `running`, `ended` or `survived`.
    state: &'static str,
    /// Why it is still there after all.
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct Running {
    workspace: Utf8PathBuf,
    /// `None` where NVFlare's own tools keep it, or it cannot be told.
    supervisor: Option<u32>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let outlook = prune::look(context.named_workspace()?.as_deref())?;
    let mut data = Data::from(&outlook);
    if outlook.remains.is_empty() {
        context.printer.result(&data, text)?;
        return Ok(0);
    }
    if !args.force {
        ask(context, &data)?;
    } else if context.printer.is_for_people() {
        context.printer.note(shown(&data).trim_end());
    }
    data.status = "pruned";
    for (remains, left) in outlook.remains.iter().zip(&mut data.left_behind) {
        end(context, remains, left)?;
    }
    let survived = |left: &Left| left.processes.iter().any(|it| it.state == "survived");
    if data.left_behind.iter().any(survived) {
        return Err(incomplete(&data));
    }
    context.printer.result(&data, text)?;
    Ok(0)
}

/// Shows what there is, and goes on with a yes.
fn ask(context: &Context, data: &Data) -> Result<(), CliError> {
    let number = words::count(data.processes().count(), "process");
    if terminal::can_ask(context) {
        context.printer.note(shown(data).trim_end());
        if terminal::confirm(context, &format!("End {number}?"))? {
            return Ok(());
        }
        let message = format!("{number} of earlier POCs left as they are");
        return Err(CliError::new(ErrorCode::StillRunning, message).with_data(data));
    }
    if context.printer.is_for_people() {
        context.printer.note(shown(data).trim_end());
    }
    let message = format!("{number} of earlier POCs found, and nobody to ask whether to end them");
    Err(CliError::new(ErrorCode::StillRunning, message)
        .hint("run it again with `--force` to end them")
        .with_data(data))
}

fn end(context: &Context, remains: &Remains, left: &mut Left) -> Result<(), CliError> {
    // For aborting jobs. That no Python is there must not keep anything from being ended.
    let python = context.settings().ok().and_then(|settings| {
        let data_dir = runtime::managed::data_dir(&context.env).ok()?;
        runtime::find(None, settings.python.as_ref(), &context.env, &data_dir).ok()
    });
    let python = python.map(|runtime| runtime.python);
    let progress = Progress::spinner(&context.printer, "ending what was left behind");
    let pruned = remains.end(python.as_deref(), &context.cancel, &mut |event| {
        stop::show(context, &progress, &event);
    })?;
    for survivor in pruned.survivors {
        left.note(&survivor.found, "survived", Some(survivor.reason));
    }
    for found in &pruned.ended {
        left.note(found, "ended", None);
    }
    Ok(())
}

fn incomplete(data: &Data) -> CliError {
    let survived = data.processes().filter(|it| it.state == "survived");
    let lines: Vec<String> = survived
        .map(|it| {
            let reason = it.reason.as_deref().unwrap_or("it did not end");
            format!("{} {} ({reason})", it.pid, what(it))
        })
        .collect();
    let message = format!("{} still there", words::are(lines.len(), "process"));
    CliError::new(ErrorCode::StopIncomplete, message)
        .excerpt("What is left:", lines)
        .with_data(data)
}

impl From<&Outlook> for Data {
    fn from(outlook: &Outlook) -> Self {
        let left = |remains: &Remains| Left {
            workspace: remains.workspace.clone(),
            why: match remains.why {
                Why::WorkspaceGone => "workspace_gone",
                Why::WorkspaceReplaced => "workspace_replaced",
                Why::SupervisorGone => "supervisor_gone",
                Why::Unknown => "unknown",
            },
            processes: remains.processes.iter().map(Process::from).collect(),
            consoles: remains.consoles.iter().map(Process::from).collect(),
        };
        let running = |it: &prune::Running| Running {
            workspace: it.workspace.clone(),
            supervisor: it.supervisor,
        };
        Self {
            status: if outlook.remains.is_empty() {
                "clean"
            } else {
                "found"
            },
            left_behind: outlook.remains.iter().map(left).collect(),
            running: outlook.running.iter().map(running).collect(),
        }
    }
}

impl Data {
    fn processes(&self) -> impl Iterator<Item = &Process> {
        self.left_behind.iter().flat_map(|left| &left.processes)
    }
}

impl Left {
    fn note(&mut self, found: &Found, state: &'static str, reason: Option<String>) {
        let pid = found.identity.pid;
        let known = self.processes.iter().position(|it| it.pid == pid);
        let index = known.unwrap_or_else(|| {
            // Born while the others were being ended.
            self.processes.push(Process::from(found));
            self.processes.len() - 1
        });
        if let Some(process) = self.processes.get_mut(index) {
            process.state = state;
            process.reason = reason;
        }
    }
}

impl From<&Found> for Process {
    fn from(found: &Found) -> Self {
        Self {
            pid: found.identity.pid,
            kind: found.kind,
            kit: found.kit.clone(),
            command: found.command.clone(),
            state: "running",
            reason: None,
        }
    }
}

/// What a process is, in one short line.
fn what(process: &Process) -> String {
    let command = words::command(&process.command);
    let Some(kit) = &process.kit else {
        return command;
    };
    let name = kit.file_name().unwrap_or_default();
    match process.kind {
        Kind::Server => format!("the server ({kit})"),
        Kind::Client => format!("site {name} ({kit})"),
        Kind::Job => format!("a job of {name} ({kit})"),
        Kind::Watchdog => format!("the watchdog of {name} ({kit})"),
        Kind::AdminHelper => format!("the admin helper with the kit of {name} ({kit})"),
        Kind::Supervisor | Kind::Console | Kind::Other => command,
    }
}

/// What was left behind, for people.
fn shown(data: &Data) -> String {
    let mut text = String::new();
    for left in &data.left_behind {
        let place = match &left.workspace {
            Some(workspace) => format!("Of the POC in {}", style::literal(workspace)),
            None => "Of a POC somewhere".to_owned(),
        };
        let why = match left.why {
            "workspace_gone" => "which was removed",
            "workspace_replaced" => "where something else is now",
            "supervisor_gone" => "whose supervisor died",
            _ => "that no supervisor keeps",
        };
        text += &format!("{place}, {why}:\n");
        for process in &left.processes {
            text += &format!("  process {}: {}\n", process.pid, what(process));
        }
        for console in &left.consoles {
            text += &format!(
                "  process {} is a FLARE console, and is left alone\n",
                console.pid
            );
        }
    }
    text
}

fn text(data: &Data) -> String {
    let ended = data.processes().filter(|it| it.state == "ended").count();
    let mut text = match data.status {
        "clean" => "Nothing is left of earlier POCs\n".to_owned(),
        _ => format!(
            "{} Ended {}\n",
            style::good("✓"),
            words::count(ended, "process")
        ),
    };
    for running in &data.running {
        let keeper = match running.supervisor {
            Some(pid) => format!(" with its supervisor (process {pid})"),
            None => String::new(),
        };
        text += &format!(
            "  the POC in {} runs{keeper}, and is left alone\n",
            style::literal(&running.workspace)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, kind: Kind, command: &str) -> Process {
        Process {
            pid,
            kind,
            kit: (kind == Kind::Server)
                .then(|| "/tmp/nvflare/poc/example_project/prod_00/server".into()),
            command: command.to_owned(),
            state: "running",
            reason: None,
        }
    }

    fn found() -> Data {
        let removed = Left {
            workspace: Some("/tmp/nvflare/poc".into()),
            why: "workspace_gone",
            processes: vec![
                process(
                    11,
                    Kind::Server,
                    "python3 -u -m nvflare.private.fed.app.server.server_train -m /tmp/nvflare/poc/example_project/prod_00/server -s fed_server.json",
                ),
                process(12, Kind::Other, "python3 -c import os\nos.fork()\n"),
            ],
            consoles: vec![process(
                13,
                Kind::Console,
                "python3 -m nvflare.fuel.hci.tools.admin",
            )],
        };
        let unknown = Left {
            workspace: None,
            why: "unknown",
            processes: vec![process(14, Kind::Other, "sleep 600")],
            consoles: Vec::new(),
        };
        Data {
            status: "found",
            left_behind: vec![removed, unknown],
            running: vec![Running {
                workspace: "/home/mia/poc".into(),
                supervisor: Some(7),
            }],
        }
    }

    #[test]
    fn what_is_found_and_what_became_of_it() {
        let mut data = found();
        let mut texts = shown(&data);
        for process in data.left_behind.iter_mut().flat_map(|it| &mut it.processes) {
            process.state = "ended";
        }
        data.status = "pruned";
        texts += &text(&data);
        data.status = "clean";
        data.left_behind.clear();
        texts += &text(&data);
        insta::assert_snapshot!(anstream::adapter::strip_str(&texts), @r"
        Of the POC in /tmp/nvflare/poc, which was removed:
          process 11: the server (/tmp/nvflare/poc/example_project/prod_00/server)
          process 12: python3 -c import os …
          process 13 is a FLARE console, and is left alone
        Of a POC somewhere, that no supervisor keeps:
          process 14: sleep 600
        ✓ Ended 3 processes
          the POC in /home/mia/poc runs with its supervisor (process 7), and is left alone
        Nothing is left of earlier POCs
          the POC in /home/mia/poc runs with its supervisor (process 7), and is left alone
        ");
    }

    #[test]
    fn what_survives_is_an_error() {
        let mut data = found();
        data.left_behind.truncate(1);
        data.left_behind[0].processes.truncate(1);
        let process = &mut data.left_behind[0].processes[0];
        (process.state, process.reason) = ("survived", Some("the kernel holds it".to_owned()));
        let error = incomplete(&data);
        assert_eq!(error.code().exit_code(), 1);
        insta::assert_json_snapshot!(data, @r#"
        {
          "status": "found",
          "left_behind": [
            {
              "workspace": "/tmp/nvflare/poc",
              "why": "workspace_gone",
              "processes": [
                {
                  "pid": 11,
                  "kind": "server",
                  "kit": "/tmp/nvflare/poc/example_project/prod_00/server",
                  "command": "python3 -u -m nvflare.private.fed.app.server.server_train -m /tmp/nvflare/poc/example_project/prod_00/server -s fed_server.json",
                  "state": "survived",
                  "reason": "the kernel holds it"
                }
              ],
              "consoles": [
                {
                  "pid": 13,
                  "kind": "console",
                  "kit": null,
                  "command": "python3 -m nvflare.fuel.hci.tools.admin",
                  "state": "running",
                  "reason": null
                }
              ]
            }
          ],
          "running": [
            {
              "workspace": "/home/mia/poc",
              "supervisor": 7
            }
          ]
        }
        "#);
    }
}
