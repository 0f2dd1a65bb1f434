//! What `prepare` says at its end.

use camino::Utf8PathBuf;
use poc_core::Listen;
use poc_core::project::Participant;
use poc_core::settings::Settings;
use poc_provision::Provisioned;
use serde::Serialize;

use super::plan::Plan;
use crate::output::{style, words};

/// What `prepare` did.
#[derive(Debug, Serialize)]
pub(crate) struct Data {
    pub(crate) workspace: Utf8PathBuf,
    project: String,
    prod_dir: Utf8PathBuf,
    server: String,
    pub(crate) clients: Vec<String>,
    relays: Vec<String>,
    admins: Vec<String>,
    flare_version: String,
    /// Whether a Python with that NVFlare is there to start it.
    runtime_found: bool,
    server_address: String,
    listen: String,
    ports: PortsData,
    /// RFC 3339.
    certificates_until: String,
    /// Whether the certificate authority is that of the POC before.
    authority_kept: bool,
    config_file: Utf8PathBuf,
    /// The workspace that config.conf pointed at before, if another.
    pointed_at: Option<Utf8PathBuf>,
    /// What was in the workspace before, in a few words.
    replaced: Option<String>,
    /// Where the old workspace is, if it held files that `prepare` had not written.
    previous: Option<Utf8PathBuf>,
    /// Those files, relative to it.
    foreign_files: Vec<Utf8PathBuf>,
    next: &'static str,
}

/// The server's ports.
#[derive(Debug, Serialize)]
struct PortsData {
    fed_learn: u16,
    admin: u16,
}

pub(super) fn data(
    settings: &Settings,
    plan: &Plan,
    provisioned: Provisioned,
    runtime_found: bool,
    pointed_at: Option<Utf8PathBuf>,
    replaced: Option<String>,
    authority_kept: bool,
) -> Data {
    let project = &plan.project;
    let names = |participants: &mut dyn Iterator<Item = &Participant>| {
        participants
            .map(|participant| participant.name.clone())
            .collect()
    };
    Data {
        workspace: settings.workspace.value.clone(),
        project: project.name.clone(),
        prod_dir: provisioned.prod_dir,
        server: project.server().name.clone(),
        clients: names(&mut project.clients()),
        relays: names(&mut project.relays()),
        admins: names(&mut project.admins()),
        flare_version: plan
            .flare_version
            .as_ref()
            .map_or_else(|| plan.line.to_string(), ToString::to_string),
        runtime_found,
        server_address: format!("{}:{}", provisioned.server_host, provisioned.fed_learn_port),
        listen: provisioned.listens.to_string(),
        ports: PortsData {
            fed_learn: provisioned.fed_learn_port,
            admin: provisioned.admin_port,
        },
        certificates_until: provisioned.certificates_until,
        authority_kept,
        config_file: settings.config_path.clone(),
        pointed_at,
        replaced,
        previous: provisioned.previous,
        foreign_files: provisioned.foreign_files,
        next: if runtime_found {
            "poc start"
        } else {
            "poc runtime install"
        },
    }
}

/// What `prepare` did, in a line.
pub(crate) fn headline(data: &Data) -> String {
    format!(
        "{} Prepared {} in {} for NVFlare {}\n",
        style::good("✓"),
        data.project,
        style::literal(&data.workspace),
        data.flare_version
    )
}

/// What `prepare` says at its end: what is where, until when, and what to do next.
pub(super) fn text(data: &Data) -> String {
    let mut text = headline(data) + "\n";
    let mut line = |name: &str, value: String| text += &format!("  {name:<14}{value}\n");
    let admin = match data.ports.admin {
        admin if admin == data.ports.fed_learn => String::new(),
        admin => format!(", admins on {admin}"),
    };
    let name = if data.server == "server" {
        String::new()
    } else {
        format!("{} at ", data.server)
    };
    line(
        "server",
        format!(
            "{name}{}{admin}, {}",
            data.server_address,
            reach(&data.listen)
        ),
    );
    if !data.relays.is_empty() {
        line("relays", words::list(&data.relays));
    }
    line("sites", words::list(&data.clients));
    line("admins", words::list(&data.admins));
    line("startup kits", style::literal(&data.prod_dir));
    let authority = if data.authority_kept {
        ", of the authority that was there"
    } else {
        ""
    };
    line(
        "certificates",
        format!(
            "valid until {}{authority}",
            words::day(&data.certificates_until)
        ),
    );
    let before = data
        .pointed_at
        .as_ref()
        .map(|before| format!("; it pointed at {} before", style::literal(before)));
    line(
        "config.conf",
        format!(
            "{} points here now{}",
            style::literal(&data.config_file),
            before.unwrap_or_default()
        ),
    );
    if let Some(replaced) = &data.replaced {
        line("replaced", replaced.clone());
    }
    if let Some(previous) = &data.previous {
        let files: Vec<&str> = data
            .foreign_files
            .iter()
            .map(|file| file.as_str())
            .collect();
        let why = match files.as_slice() {
            // It was damaged: what in it is the user's could not be told.
            [] => String::new(),
            files => format!(", because of {}", words::list(files)),
        };
        line(
            "old workspace",
            format!("kept as {}{why}", style::literal(previous)),
        );
    }
    if !data.runtime_found {
        text += "\nNo Python with NVFlare was found to run it.\n";
    }
    text += &format!(
        "\nNext: {}\n",
        style::literal(format_args!("`{}`", data.next))
    );
    text
}

/// Who can reach the server.
fn reach(listen: &str) -> String {
    match listen.parse() {
        Ok(Listen::Loopback) => "from this machine only".to_owned(),
        Ok(Listen::All) => "on every network of this machine".to_owned(),
        _ => format!("on {listen}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Data {
        Data {
            workspace: "/tmp/nvflare/poc".into(),
            project: "example_project".into(),
            prod_dir: "/tmp/nvflare/poc/example_project/prod_00".into(),
            server: "server".into(),
            clients: vec!["site-1".into(), "site-2".into()],
            relays: vec![],
            admins: vec!["admin@nvidia.com".into()],
            flare_version: "2.9.0".into(),
            runtime_found: true,
            server_address: "localhost:8002".into(),
            listen: "127.0.0.1".into(),
            ports: PortsData {
                fed_learn: 8002,
                admin: 8002,
            },
            certificates_until: "2027-11-19T17:03:09Z".into(),
            authority_kept: false,
            config_file: "/home/mia/.nvflare/config.conf".into(),
            pointed_at: None,
            replaced: None,
            previous: None,
            foreign_files: vec![],
            next: "poc start",
        }
    }

    fn shown(data: &Data) -> String {
        anstream::adapter::strip_str(&text(data)).to_string()
    }

    #[test]
    fn the_end_says_what_is_where_and_what_is_next() {
        insta::assert_snapshot!(shown(&sample()), @r"
        ✓ Prepared example_project in /tmp/nvflare/poc for NVFlare 2.9.0

          server        localhost:8002, from this machine only
          sites         site-1 and site-2
          admins        admin@nvidia.com
          startup kits  /tmp/nvflare/poc/example_project/prod_00
          certificates  valid until 2027-11-19
          config.conf   /home/mia/.nvflare/config.conf points here now

        Next: `poc start`
        ");
        let unusual = Data {
            server: "fl.example.org".into(),
            server_address: "fl.example.org:8102".into(),
            listen: "0.0.0.0".into(),
            ports: PortsData {
                fed_learn: 8102,
                admin: 8103,
            },
            runtime_found: false,
            authority_kept: true,
            pointed_at: Some("/srv/other".into()),
            replaced: Some("a POC (example_project with 2 sites)".into()),
            previous: Some("/tmp/nvflare/poc.previous".into()),
            foreign_files: vec!["data/mine.csv".into()],
            next: "poc runtime install",
            ..sample()
        };
        insta::assert_snapshot!(shown(&unusual), @r"
        ✓ Prepared example_project in /tmp/nvflare/poc for NVFlare 2.9.0

          server        fl.example.org at fl.example.org:8102, admins on 8103, on every network of this machine
          sites         site-1 and site-2
          admins        admin@nvidia.com
          startup kits  /tmp/nvflare/poc/example_project/prod_00
          certificates  valid until 2027-11-19, of the authority that was there
          config.conf   /home/mia/.nvflare/config.conf points here now; it pointed at /srv/other before
          replaced      a POC (example_project with 2 sites)
          old workspace kept as /tmp/nvflare/poc.previous, because of data/mine.csv

        No Python with NVFlare was found to run it.

        Next: `poc runtime install`
        ");
        insta::assert_json_snapshot!(sample(), @r#"
        {
          "workspace": "/tmp/nvflare/poc",
          "project": "example_project",
          "prod_dir": "/tmp/nvflare/poc/example_project/prod_00",
          "server": "server",
          "clients": [
            "site-1",
            "site-2"
          ],
          "relays": [],
          "admins": [
            "admin@nvidia.com"
          ],
          "flare_version": "2.9.0",
          "runtime_found": true,
          "server_address": "localhost:8002",
          "listen": "127.0.0.1",
          "ports": {
            "fed_learn": 8002,
            "admin": 8002
          },
          "certificates_until": "2027-11-19T17:03:09Z",
          "authority_kept": false,
          "config_file": "/home/mia/.nvflare/config.conf",
          "pointed_at": null,
          "replaced": null,
          "previous": null,
          "foreign_files": [],
          "next": "poc start"
        }
        "#);
    }
}
