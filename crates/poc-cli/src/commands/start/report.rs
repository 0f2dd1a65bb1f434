//! What `start` says, on the way and at its end.

use camino::Utf8PathBuf;
use poc_core::workspace::Prepared;
use poc_launch::{LaunchEvent, Started};
use serde::Serialize;

use crate::commands::stale::stale;
use crate::commands::stop;
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::{GpuRef, Progress, style, words};

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

pub(super) fn data(
    prepared: &Prepared,
    started: Started,
    server_address: String,
    admin_address: String,
    warnings: Vec<String>,
) -> Data {
    let participants: Vec<Participant> = started
        .participants
        .into_iter()
        .filter(|participant| participant.pid.is_some())
        .map(|participant| Participant {
            gpus: GpuRef::all(&participant.gpus),
            name: participant.name,
            role: participant.role.to_string(),
            pid: participant.pid,
            log: participant.log,
        })
        .collect();
    let runs = |name: &str| {
        participants
            .iter()
            .any(|participant| participant.name == name)
    };
    let services = 1 + prepared.project.clients().count();
    Data {
        status: if participants.len() == services {
            "running"
        } else {
            "partial"
        },
        ready: started.ready,
        server_address,
        admin_address,
        clients: prepared
            .project
            .clients()
            .filter(|client| runs(&client.name))
            .map(|client| client.name.clone())
            .collect(),
        participants,
        already_running: started.already_running,
        missing: started.missing,
        warnings,
        project: prepared.project.name.clone(),
        admin: prepared.project.project_admin().name.clone(),
    }
}

pub(super) fn not_ready(data: &Data) -> CliError {
    CliError::new(
        ErrorCode::StartTimeout,
        format!(
            "{} not registered in time; everything was left running",
            has_or_have(&data.missing)
        ),
    )
    .hint("`poc status` shows whether it still comes, `poc logs NAME` why not")
    .hint("`--timeout S` waits longer")
    .with_data(data)
}

fn has_or_have(names: &[String]) -> String {
    format!(
        "{} {}",
        words::list(names),
        if names.len() == 1 { "has" } else { "have" }
    )
}

/// What happens meanwhile: in the spinner on a terminal, else line by line.
pub(super) fn show(context: &Context, progress: &Progress<'_>, event: &LaunchEvent) {
    match event {
        LaunchEvent::Supervisor { pid } => {
            context
                .printer
                .debug(&format!("the supervisor is process {pid}"));
        }
        LaunchEvent::Warning(text) => progress.warning(text),
        LaunchEvent::StaleRemoved { file, pid, reason } => {
            progress.note(&stale(file, *pid, *reason));
        }
        LaunchEvent::AlreadyRunning { name, pid } => {
            let pid = pid
                .map(|pid| format!(" (process {pid})"))
                .unwrap_or_default();
            progress.note(&format!("{name} is running already{pid}"));
        }
        LaunchEvent::Adopted { name, pid } => {
            progress.note(&format!(
                "{name} runs already (process {pid}), and is watched over again"
            ));
        }
        LaunchEvent::Starting { name, pid } => {
            progress.step_then(
                format!("{name} started (process {pid})"),
                "waiting for the server",
            );
        }
        LaunchEvent::Ready { name } => {
            progress.step_then(format!("{name} is up"), "waiting for the sites to register");
        }
        LaunchEvent::Registered { name } => progress.step(format!("{name} has registered")),
        LaunchEvent::Waiting { names, .. } => {
            progress.say(format!("waiting for {}", words::list(names)));
        }
        LaunchEvent::Exited { name, status, .. } => {
            progress.note(&format!("{name} ended: {status}"));
        }
        LaunchEvent::Restarting { name, in_seconds } => {
            progress.note(&format!("{name} is started again in {in_seconds:.1} s"));
        }
        LaunchEvent::GaveUp { name, .. } => {
            progress.note(&format!("{name} is given up: it died too often"));
        }
        // What is taken back after a failure.
        LaunchEvent::AbortingJobs
        | LaunchEvent::JobsAborted { .. }
        | LaunchEvent::Stopping { .. }
        | LaunchEvent::Killing { .. }
        | LaunchEvent::Stopped { .. }
        | LaunchEvent::Console { .. } => stop::show(context, progress, event),
    }
}

fn summary(data: &Data) -> String {
    let sites = words::count(data.clients.len(), "site");
    let server = data.participants.len() > data.clients.len();
    let who = match (server, data.clients.is_empty()) {
        (true, true) => "the server runs".to_owned(),
        (true, false) => format!("the server and {sites} run"),
        (false, _) => format!(
            "{sites} run{}",
            if data.clients.len() == 1 { "s" } else { "" }
        ),
    };
    let state = if data.ready { "" } else { " (not yet ready)" };
    format!("{} {}: {who}{state}\n", style::good("✓"), data.project)
}

pub(crate) fn text(data: &Data, console_opens: bool) -> String {
    let mut text = summary(data);
    for participant in &data.participants {
        let pid = participant
            .pid
            .map_or_else(String::new, |pid| format!("process {pid}"));
        let gpus: Vec<String> = participant.gpus.iter().map(ToString::to_string).collect();
        let gpus = if gpus.is_empty() {
            String::new()
        } else {
            format!(", GPU {}", gpus.join(","))
        };
        text += &format!(
            "  {:<12} {}\n",
            participant.name,
            style::dim(format_args!("{pid}{gpus}"))
        );
    }
    let admin = if data.admin_address == data.server_address {
        String::new()
    } else {
        format!(", admins at {}", data.admin_address)
    };
    text += &format!("  sites connect to {}{admin}\n", data.server_address);
    if !console_opens {
        let console = format!("`poc start -p {}`", data.admin);
        for (head, command, what) in [
            ("Next:", console.as_str(), "opens the FLARE console"),
            (
                "",
                "`poc status`",
                "shows who runs, `poc logs -f` what they say",
            ),
            ("", "`poc stop`", "ends it"),
        ] {
            let blank = if head.is_empty() { "" } else { "\n" };
            text += &format!("{blank}{head:<5} {} {what}\n", style::literal(command));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Data {
        let participant = |name: &str, pid, gpus: &[&str]| Participant {
            name: name.into(),
            role: if name == "server" { "server" } else { "client" }.into(),
            pid: Some(pid),
            gpus: gpus.iter().map(|id| GpuRef::from(*id)).collect(),
            log: format!("/w/example_project/prod_00/{name}/poc_console.log").into(),
        };
        Data {
            status: "running",
            ready: true,
            server_address: "localhost:8002".into(),
            admin_address: "localhost:8002".into(),
            clients: vec!["site-1".into(), "site-2".into()],
            participants: vec![
                participant("server", 100, &[]),
                participant("site-1", 101, &["0", "2"]),
                participant("site-2", 102, &["MIG-1"]),
            ],
            already_running: vec![],
            missing: vec![],
            warnings: vec![],
            project: "example_project".into(),
            admin: "admin@nvidia.com".into(),
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn the_end_says_who_runs_and_what_is_next() {
        insta::assert_snapshot!(plain(&text(&sample(), false)), @r"
        ✓ example_project: the server and 2 sites run
          server       process 100
          site-1       process 101, GPU 0,2
          site-2       process 102, GPU MIG-1
          sites connect to localhost:8002

        Next: `poc start -p admin@nvidia.com` opens the FLARE console
              `poc status` shows who runs, `poc logs -f` what they say
              `poc stop` ends it
        ");
        insta::assert_snapshot!(plain(&text(&sample(), true)), @r"
        ✓ example_project: the server and 2 sites run
          server       process 100
          site-1       process 101, GPU 0,2
          site-2       process 102, GPU MIG-1
          sites connect to localhost:8002
        ");
        insta::assert_json_snapshot!(sample(), @r#"
        {
          "status": "running",
          "ready": true,
          "server_address": "localhost:8002",
          "admin_address": "localhost:8002",
          "clients": [
            "site-1",
            "site-2"
          ],
          "participants": [
            {
              "name": "server",
              "role": "server",
              "pid": 100,
              "gpus": [],
              "log": "/w/example_project/prod_00/server/poc_console.log"
            },
            {
              "name": "site-1",
              "role": "client",
              "pid": 101,
              "gpus": [
                0,
                2
              ],
              "log": "/w/example_project/prod_00/site-1/poc_console.log"
            },
            {
              "name": "site-2",
              "role": "client",
              "pid": 102,
              "gpus": [
                "MIG-1"
              ],
              "log": "/w/example_project/prod_00/site-2/poc_console.log"
            }
          ],
          "already_running": [],
          "missing": [],
          "warnings": []
        }
        "#);
    }

    #[test]
    fn who_runs_in_a_few_words() {
        let of = |clients: &[&str], server: bool, ready| {
            let mut data = sample();
            data.clients = clients.iter().map(|name| (*name).to_owned()).collect();
            data.participants.retain(|it| {
                clients.contains(&it.name.as_str()) || (server && it.name == "server")
            });
            data.ready = ready;
            plain(&summary(&data))
        };
        assert_eq!(
            of(&["site-1", "site-2"], true, true),
            "✓ example_project: the server and 2 sites run\n"
        );
        assert_eq!(of(&[], true, true), "✓ example_project: the server runs\n");
        assert_eq!(
            of(&["site-1"], false, false),
            "✓ example_project: 1 site runs (not yet ready)\n"
        );
    }

    #[test]
    fn whoever_is_late_is_named() {
        let mut data = sample();
        data.ready = false;
        data.missing = vec!["site-2".into()];
        let error = not_ready(&data);
        assert_eq!(error.code().exit_code(), 2);
        assert_eq!(
            error.message(),
            "site-2 has not registered in time; everything was left running"
        );
        assert_eq!(error.data()["missing"][0], "site-2");
    }
}
