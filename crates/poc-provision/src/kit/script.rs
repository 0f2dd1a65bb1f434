//! The scripts and the readme of a kit: enough to run it without `poc`.

use poc_core::project::{Kind, Participant};

use super::{Federation, File, client, fill, server};

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
        Kind::Client(_) | Kind::Admin(_) | Kind::Relay(_) => (
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

/// The admin's script.
pub(super) fn console() -> File {
    File::script(
        "startup/fl_admin.sh",
        include_str!("scripts/fl_admin.sh").to_owned(),
    )
}
