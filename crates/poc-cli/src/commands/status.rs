//! `poc status`: a row a participant.

use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use poc_core::workspace::Prepared;
use poc_launch::{Federation, Status};
use serde::Serialize;

use crate::args::Format;
use crate::commands::logs;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{GpuRef, Look, Table, style, words};
use crate::terminal;

/// How often `--watch` looks.
const PERIOD: Duration = Duration::from_secs(1);

/// Arguments of `poc status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Go on showing it, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// How the POC stands.
#[derive(Debug, Serialize, PartialEq)]
struct Data {
    workspace: Utf8PathBuf,
    project: String,
    flare_version: Option<String>,
    /// `running`, `partial` or `stopped`.
    state: String,
    supervisor: Option<u32>,
    server_address: String,
    admin_address: String,
    participants: Vec<Participant>,
    /// FLARE consoles that are open.
    consoles: Vec<Console>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize, PartialEq)]
struct Participant {
    name: String,
    role: String,
    /// `stopped`, `starting`, `running`, `restarting`, `stopping`, `suspended`, `failed` or
    /// `missing kit`.
    state: String,
    pid: Option<u32>,
    daemon_pid: Option<u32>,
    /// RFC 3339.
    started: Option<String>,
    uptime_s: Option<f64>,
    restarts: u32,
    cpu_percent: Option<f64>,
    memory_bytes: Option<u64>,
    gpus: Vec<GpuRef>,
    /// Whether the server knows it; `None` where that cannot be told.
    registered: Option<bool>,
    ports: Vec<u16>,
    log: Utf8PathBuf,
}

#[derive(Debug, Serialize, PartialEq)]
struct Console {
    pid: u32,
    user: String,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let prepared = context.salvaged()?;
    if args.watch {
        return watch(context, &prepared);
    }
    let data = look(&prepared)?;
    for warning in &data.warnings {
        context.printer.warning(warning);
    }
    context
        .printer
        .result(&data, |data| text(data, context.printer.width()))?;
    Ok(0)
}

/// Shows it again and again: in place on a terminal, as a new table or object where something
/// changed elsewhere.
fn watch(context: &Context, prepared: &Prepared) -> Result<u8, CliError> {
    if context.printer.format() == Format::Json {
        return Err(logs::not_one_object("`--watch`"));
    }
    let screen = context.printer.is_for_people() && context.printer.stdout_is_terminal();
    let mut shown: Option<String> = None;
    while !context.cancel.is_cancelled() {
        let data = look(prepared)?;
        let now = signature(&data);
        if context.printer.is_for_people() {
            let table = text(&data, context.printer.width());
            if screen {
                context.printer.text(&format!(
                    "{}{table}{}",
                    terminal::HOME_AND_CLEAR,
                    style::dim("Ctrl-C leaves\n")
                ))?;
            } else if shown.as_ref() != Some(&now) {
                context.printer.text(&format!("{table}\n"))?;
            }
        } else if shown.as_ref() != Some(&now) {
            context.printer.json_line(&data)?;
        }
        shown = Some(now);
        terminal::pause(&context.cancel, Instant::now() + PERIOD);
    }
    Ok(0)
}

fn look(prepared: &Prepared) -> Result<Data, CliError> {
    let status = Federation::open(prepared).status()?;
    Ok(data(prepared, status))
}

fn data(prepared: &Prepared, status: Status) -> Data {
    Data {
        workspace: prepared.workspace.root().to_owned(),
        project: prepared.project.name.clone(),
        flare_version: prepared
            .manifest
            .as_ref()
            .and_then(|manifest| manifest.flare_version.clone())
            .or_else(|| prepared.line.map(|line| line.to_string())),
        state: status.state.as_str().to_owned(),
        supervisor: status.supervisor,
        server_address: status.server_address,
        admin_address: status.admin_address,
        participants: status
            .participants
            .into_iter()
            .map(|participant| Participant {
                gpus: GpuRef::all(&participant.gpus),
                name: participant.name,
                role: participant.role.to_string(),
                state: participant.state.to_string(),
                pid: participant.pid,
                daemon_pid: participant.daemon_pid,
                started: participant.started,
                uptime_s: participant.uptime_s,
                restarts: participant.restarts,
                cpu_percent: participant.cpu_percent,
                memory_bytes: participant.memory_bytes,
                registered: participant.registered,
                ports: participant.ports,
                log: participant.log,
            })
            .collect(),
        consoles: status
            .consoles
            .into_iter()
            .map(|console| Console {
                pid: console.pid,
                user: console.user,
            })
            .collect(),
        warnings: status.warnings,
    }
}

/// What must change for a new line of a stream: not the times, not the load.
fn signature(data: &Data) -> String {
    let participants = data.participants.iter().map(|participant| {
        format!(
            "{} {} {:?} {} {:?}",
            participant.name,
            participant.state,
            participant.pid,
            participant.restarts,
            participant.registered
        )
    });
    std::iter::once(data.state.clone())
        .chain(participants)
        .collect::<Vec<_>>()
        .join("|")
}

fn text(data: &Data, width: Option<u16>) -> String {
    let version = data
        .flare_version
        .as_ref()
        .map(|version| format!(" (NVFlare {version})"))
        .unwrap_or_default();
    let state = match in_words(data) {
        "running" => style::good("running"),
        "stopped" => style::dim("stopped"),
        other => style::doubtful(other),
    };
    let mut text = format!(
        "{}{version} in {}: {state}\n\n",
        style::strong(&data.project),
        style::literal(&data.workspace)
    );
    let mut table = Table::new(
        &[
            "name",
            "role",
            "state",
            "pid",
            "uptime",
            "restarts",
            "CPU",
            "memory",
            "GPU",
            "registered",
            "ports",
        ],
        width,
    );
    for participant in &data.participants {
        table.styled_row(row(participant));
    }
    text += &table.render();
    for console in &data.consoles {
        text += &format!(
            "\nA FLARE console of {} is open (process {})\n",
            console.user, console.pid
        );
    }
    if data.state == "stopped" {
        text += &format!("\nNext: {}\n", style::literal("`poc start`"));
    }
    text
}

/// How the POC is, all in all, as people would say it: what is on its way is not there yet.
fn in_words(data: &Data) -> &'static str {
    let states = || data.participants.iter().map(|it| it.state.as_str());
    let mut active =
        states().filter(|state| !matches!(*state, "stopped" | "failed" | "missing kit"));
    if data.state == "stopped" {
        "stopped"
    } else if active.all(|state| state == "stopping") {
        "stopping"
    } else if states().any(|state| state == "starting") {
        "starting"
    } else if states().all(|state| state == "running") {
        "running"
    } else {
        "partly running"
    }
}

fn row(participant: &Participant) -> Vec<(String, Look)> {
    let look = match participant.state.as_str() {
        "running" => Look::Good,
        "stopped" => Look::Dim,
        "failed" | "missing kit" => Look::Bad,
        _ => Look::Doubtful,
    };
    let alive = participant.pid.is_some();
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let list = |values: Vec<String>| {
        if values.is_empty() {
            "-".to_owned()
        } else {
            values.join(",")
        }
    };
    let registered = match participant.registered {
        Some(true) => ("yes".to_owned(), Look::Good),
        Some(false) if alive => ("no".to_owned(), Look::Doubtful),
        Some(false) | None => ("-".to_owned(), Look::Plain),
    };
    let plain = |text: String| (text, Look::Plain);
    vec![
        plain(participant.name.clone()),
        plain(participant.role.clone()),
        (participant.state.clone(), look),
        plain(or_dash(participant.pid.map(|pid| pid.to_string()))),
        plain(or_dash(participant.uptime_s.map(words::seconds))),
        plain(participant.restarts.to_string()),
        plain(or_dash(
            participant
                .cpu_percent
                .map(|percent| format!("{percent:.0} %")),
        )),
        plain(or_dash(participant.memory_bytes.map(words::bytes))),
        plain(list(
            participant.gpus.iter().map(ToString::to_string).collect(),
        )),
        registered,
        plain(list(
            participant.ports.iter().map(ToString::to_string).collect(),
        )),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn participant(name: &str, state: &str, pid: Option<u32>) -> Participant {
        Participant {
            name: name.into(),
            role: if name == "server" { "server" } else { "client" }.into(),
            state: state.into(),
            pid,
            daemon_pid: pid.map(|_| 99),
            started: pid.map(|_| "2026-11-24T17:03:09Z".into()),
            uptime_s: pid.map(|_| 185.2),
            restarts: 0,
            cpu_percent: pid.map(|_| 12.4),
            memory_bytes: pid.map(|_| 125_829_120),
            gpus: if pid.is_some() && name != "server" {
                vec![GpuRef::Index(0), GpuRef::Index(2)]
            } else {
                vec![]
            },
            registered: (name != "server").then_some(pid.is_some()),
            ports: if name == "server" {
                vec![8002, 8003]
            } else {
                vec![]
            },
            log: format!("/w/{name}/poc_console.log").into(),
        }
    }

    fn sample() -> Data {
        Data {
            workspace: "/tmp/nvflare/poc".into(),
            project: "example_project".into(),
            flare_version: Some("2.9.0".into()),
            state: "partial".into(),
            supervisor: Some(99),
            server_address: "localhost:8002".into(),
            admin_address: "localhost:8002".into(),
            participants: vec![
                participant("server", "running", Some(100)),
                participant("site-1", "running", Some(101)),
                participant("site-2", "failed", None),
            ],
            consoles: vec![Console {
                pid: 102,
                user: "admin@nvidia.com".into(),
            }],
            warnings: vec![],
        }
    }

    #[test]
    fn a_table_for_people() {
        insta::assert_snapshot!(anstream::adapter::strip_str(&text(&sample(), None)), @r"
        example_project (NVFlare 2.9.0) in /tmp/nvflare/poc: partly running

        name    role    state    pid  uptime     restarts  CPU   memory   GPU  registered  ports
        server  server  running  100  3 min 5 s  0         12 %  120 MiB  -    -           8002,8003
        site-1  client  running  101  3 min 5 s  0         12 %  120 MiB  0,2  yes         -
        site-2  client  failed   -    -          0         -     -        -    -           -

        A FLARE console of admin@nvidia.com is open (process 102)
        ");
    }

    #[test]
    fn the_headline_says_what_is_on_its_way() {
        let headline = |state: &str, states: [&str; 3]| {
            let mut data = sample();
            state.clone_into(&mut data.state);
            for (participant, state) in data.participants.iter_mut().zip(states) {
                state.clone_into(&mut participant.state);
            }
            in_words(&data)
        };
        for (state, states, expected) in [
            ("running", ["running", "running", "running"], "running"),
            ("running", ["stopping", "stopping", "stopping"], "stopping"),
            ("partial", ["stopping", "stopped", "stopping"], "stopping"),
            ("running", ["starting", "running", "running"], "starting"),
            ("running", ["running", "running", "starting"], "starting"),
            (
                "partial",
                ["running", "stopping", "running"],
                "partly running",
            ),
            (
                "running",
                ["restarting", "running", "running"],
                "partly running",
            ),
            (
                "running",
                ["running", "suspended", "running"],
                "partly running",
            ),
            (
                "partial",
                ["running", "stopped", "failed"],
                "partly running",
            ),
            ("stopped", ["stopped", "stopped", "failed"], "stopped"),
        ] {
            assert_eq!(headline(state, states), expected, "{states:?}");
        }
    }

    #[test]
    fn an_object_for_programs() {
        insta::assert_json_snapshot!(sample(), @r#"
        {
          "workspace": "/tmp/nvflare/poc",
          "project": "example_project",
          "flare_version": "2.9.0",
          "state": "partial",
          "supervisor": 99,
          "server_address": "localhost:8002",
          "admin_address": "localhost:8002",
          "participants": [
            {
              "name": "server",
              "role": "server",
              "state": "running",
              "pid": 100,
              "daemon_pid": 99,
              "started": "2026-11-24T17:03:09Z",
              "uptime_s": 185.2,
              "restarts": 0,
              "cpu_percent": 12.4,
              "memory_bytes": 125829120,
              "gpus": [],
              "registered": null,
              "ports": [
                8002,
                8003
              ],
              "log": "/w/server/poc_console.log"
            },
            {
              "name": "site-1",
              "role": "client",
              "state": "running",
              "pid": 101,
              "daemon_pid": 99,
              "started": "2026-11-24T17:03:09Z",
              "uptime_s": 185.2,
              "restarts": 0,
              "cpu_percent": 12.4,
              "memory_bytes": 125829120,
              "gpus": [
                0,
                2
              ],
              "registered": true,
              "ports": [],
              "log": "/w/site-1/poc_console.log"
            },
            {
              "name": "site-2",
              "role": "client",
              "state": "failed",
              "pid": null,
              "daemon_pid": null,
              "started": null,
              "uptime_s": null,
              "restarts": 0,
              "cpu_percent": null,
              "memory_bytes": null,
              "gpus": [],
              "registered": false,
              "ports": [],
              "log": "/w/site-2/poc_console.log"
            }
          ],
          "consoles": [
            {
              "pid": 102,
              "user": "admin@nvidia.com"
            }
          ],
          "warnings": []
        }
        "#);
    }

    #[test]
    fn load_and_time_alone_make_no_new_line_in_a_stream() {
        let before = sample();
        let mut after = sample();
        after.participants[0].uptime_s = Some(186.0);
        after.participants[0].cpu_percent = None;
        assert_eq!(signature(&before), signature(&after));
        after.participants[2].restarts = 1;
        assert_ne!(signature(&before), signature(&after));
    }
}
