//! The scripts and the readme of a kit: enough to run it without `poc`.

use std::fmt::Write as _;

use poc_core::project::{Kind, Participant, Project, Value};

use super::{Federation, File, client, fill, relay, server};
use crate::line::Profile;

/// Scripts and readme of the server and of sites.
pub(super) fn participant(federation: &Federation<'_>, participant: &Participant) -> Vec<File> {
    let org = &participant.org;
    let name = &participant.name;
    // `uid=` must be in the script as it is: `nvflare preflight_check` reads it from there.
    let (role, module, role_file, base, identity) = match participant.kind {
        Kind::Server(_) => (
            "server",
            "nvflare.private.fed.app.server.server_train",
            server::ROLE_FILE,
            server::BASE,
            format!("org={org}"),
        ),
        Kind::Relay(_) => (
            "relay",
            "nvflare.private.fed.app.relay.relay",
            relay::ROLE_FILE,
            client::BASE,
            format!("uid={name} org={org}"),
        ),
        Kind::Client(_) | Kind::Admin(_) => (
            "client",
            "nvflare.private.fed.app.client.client_train",
            client::ROLE_FILE,
            client::BASE,
            format!("uid={name} org={org}"),
        ),
    };
    let values = [
        ("ROLE_FILE", role_file),
        ("ROLE", role),
        ("MODULE", module),
        ("IDENTITY", &identity),
        ("BASE", base),
        ("NAME", name),
        ("PROJECT", &federation.project.name),
    ];
    let script = |name: &str, template: &str| {
        File::script(format!("startup/{name}"), fill(template, &values))
    };
    vec![
        script("start.sh", include_str!("scripts/start.sh")),
        script("sub_start.sh", include_str!("scripts/sub_start.sh")),
        script("stop_fl.sh", include_str!("scripts/stop_fl.sh")),
        File::plain(
            "readme.txt",
            fill(include_str!("text/participant.txt"), &values),
        ),
    ]
}

/// A script beside the kits that starts the server and the sites, where the line has one or the project
/// asks for it (`gen_scripts`).
pub(crate) fn start_all(project: &Project, profile: &Profile) -> Option<File> {
    let is_asked_for = project.extra.get("gen_scripts") == Some(&Value::Bool(true));
    if !(profile.has_start_all || is_asked_for) {
        return None;
    }
    let mut text = include_str!("scripts/start_all.sh").to_owned();
    let nodes = std::iter::once(project.server())
        .chain(project.relays())
        .chain(project.clients());
    for participant in nodes {
        // Writing to a string does not fail.
        let _ = writeln!(text, "\"$here/{}/startup/start.sh\"", participant.name);
    }
    Some(File::script("start_all.sh", text))
}

/// The admin's script.
pub(super) fn console() -> File {
    File::script(
        "startup/fl_admin.sh",
        include_str!("scripts/fl_admin.sh").to_owned(),
    )
}
