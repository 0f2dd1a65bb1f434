//! `poc add-site`, `poc add-user`, `poc remove`: one participant more or less, running or not.

pub(crate) mod add_site;
pub(crate) mod add_user;
pub(crate) mod remove;

use camino::Utf8PathBuf;
use poc_core::config_file::ConfigFile;
use poc_core::project::Participant;
use poc_core::workspace::{Prepared, Workspace};
use poc_launch::Federation;
use poc_provision::Addition;
use serde::Serialize;

use super::LOCK_WAIT;
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::{Progress, style, words};

/// What both ways to add somebody are told.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct AddArgs {
    /// The organisation [default: the server's]
    #[arg(long, value_name = "ORG")]
    org: Option<String>,

    /// Give one who takes part already a new key and a new kit
    #[arg(long)]
    force: bool,
}

/// Who was added.
#[derive(Debug, Serialize)]
struct AddData {
    name: String,
    /// `client` or `admin`.
    role: String,
    org: String,
    /// What NVFlare lets the user do.
    #[serde(skip_serializing_if = "Option::is_none")]
    admin_role: Option<String>,
    startup_kit: Utf8PathBuf,
    /// Whether one of that name took part before, who has a new key and kit now.
    replaced: bool,
    /// Where the old kit is, if it held files of the user's.
    set_aside: Option<Utf8PathBuf>,
    /// RFC 3339.
    certificate_until: String,
    /// A user's ID in config.conf, where that points at this POC.
    registered_as: Option<String>,
    /// Whether the server runs, which knows the newcomer without being told.
    server_running: bool,
    next: String,
}

/// Adds a participant; `participant` makes it of its organisation.
fn add(
    context: &Context,
    args: &AddArgs,
    participant: impl FnOnce(String) -> Participant,
) -> Result<AddData, CliError> {
    let settings = context.settings()?;
    let workspace = Workspace::new(&settings.workspace.value);
    // Before the lock, which fails with less to say where there is no POC.
    workspace.load()?;
    let lock = workspace.lock(LOCK_WAIT)?;
    let prepared = workspace.load()?;
    let org = args.org.clone();
    let participant = participant(org.unwrap_or_else(|| prepared.project.server().org.clone()));
    let status = Federation::open(&prepared).status()?;
    // One who takes part already is refused below, and would be stopped for nothing.
    if args.force || prepared.kit(&participant.name).is_none() {
        refuse_running(&status, &participant.name, |error| {
            error.hint(format!(
                "stop it first with `poc stop -p {}`",
                participant.name
            ))
        })?;
    }
    let added = {
        let _progress = Progress::spinner(&context.printer, "making a key");
        poc_provision::add(
            &Addition {
                prepared: &prepared,
                participant: participant.clone(),
                replace: args.force,
                cancel: &context.cancel,
            },
            &lock,
        )?
    };
    drop(lock);
    let admin_role = match &participant.kind {
        poc_core::project::Kind::Admin(admin) => Some(admin.role.clone()),
        _ => None,
    };
    let lead = prepared.project_admin_kit().dir;
    let registered_as = match admin_role {
        Some(_) if settings.config_path.exists() => {
            ConfigFile::edit(&settings.config_path, |config| {
                Ok(config.register(workspace.root(), &participant.name, &added.kit.dir, &lead))
            })?
        }
        _ => None,
    };
    let server = &prepared.project.server().name;
    Ok(AddData {
        next: format!("poc start -p {}", participant.name),
        role: participant.role().to_string(),
        name: participant.name,
        org: participant.org,
        admin_role,
        startup_kit: added.kit.dir,
        replaced: added.replaced,
        set_aside: added.set_aside,
        certificate_until: added.certificate_until,
        registered_as,
        server_running: status
            .participants
            .iter()
            .any(|it| it.name == *server && it.pid.is_some()),
    })
}

/// Refuses to touch the kit of a participant that runs, or that somebody has a console open with.
fn refuse_running(
    status: &poc_launch::Status,
    name: &str,
    hint: impl FnOnce(CliError) -> CliError,
) -> Result<(), CliError> {
    if let Some(console) = status.consoles.iter().find(|it| it.user == name) {
        let text = format!("a FLARE console of {name} is open (PID {})", console.pid);
        return Err(CliError::new(ErrorCode::StillRunning, text).hint("leave it first, with `bye`"));
    }
    let active = |it: &&poc_launch::ParticipantStatus| it.name == name && it.state.is_active();
    match status.participants.iter().find(active) {
        None => Ok(()),
        Some(_) => Err(hint(CliError::new(
            ErrorCode::StillRunning,
            format!("{name} is running"),
        ))),
    }
}

fn text(data: &AddData) -> String {
    let verb = if data.replaced { "Replaced" } else { "Added" };
    let what = match &data.admin_role {
        Some(role) => format!("{role} {}", data.name),
        None => format!("site {}", data.name),
    };
    let mut text = format!("{} {verb} {what} of {}\n\n", style::good("✓"), data.org);
    let mut line = |name: &str, value: String| text += &format!("  {name:<14}{value}\n");
    line("startup kit", style::literal(&data.startup_kit));
    let until = words::day(&data.certificate_until);
    line("certificate", format!("valid until {until}"));
    if let Some(id) = &data.registered_as {
        line(
            "config.conf",
            format!("has it as {id}, for `nvflare config use {id}`"),
        );
    }
    if let Some(old) = &data.set_aside {
        line("old kit", format!("kept as {}", style::literal(old)));
    }
    text += &format!(
        "\nNext: {}",
        style::literal(format_args!("`{}`", data.next))
    );
    text += match (&data.admin_role, data.server_running) {
        (Some(_), true) => ", which opens the FLARE console\n",
        (Some(_), false) => ", which opens the FLARE console, once the server runs (`poc start`)\n",
        (None, true) => "; the others go on running\n",
        (None, false) => ", or `poc start` for all\n",
    };
    text
}

/// The prepared POC, as loaded under its lock.
fn locked(
    context: &Context,
) -> Result<(Prepared, poc_core::workspace::WorkspaceLock, Utf8PathBuf), CliError> {
    let settings = context.settings()?;
    let workspace = Workspace::new(&settings.workspace.value);
    workspace.load()?;
    let lock = workspace.lock(LOCK_WAIT)?;
    Ok((workspace.load()?, lock, settings.config_path))
}
