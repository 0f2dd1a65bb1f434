//! What lies in the workspace already, and whether it may go.

use poc_core::fsio::FileLock;
use poc_core::workspace::{Manifest, Prepared, Recognised, Workspace};
use poc_launch::Federation;

use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::words;
use crate::terminal;

/// The POC that is in the way.
pub(super) struct There {
    /// In a few words.
    pub(super) what: String,
    /// Whether its `prepare` put the workspace's path into config.conf, and not `config -pw`.
    pub(super) owns_config_path: bool,
}

/// Looks what is in the workspace.
///
/// # Errors
///
/// For a directory that is no POC, and for a POC that runs.
pub(super) fn what_is_there(workspace: &Workspace) -> Result<Option<There>, CliError> {
    match workspace.recognise()? {
        Recognised::Absent | Recognised::Empty => Ok(None),
        Recognised::Foreign { reason } => Err(poc_core::Error::Foreign {
            workspace: workspace.root().to_owned(),
            reason,
        }
        .into()),
        Recognised::Broken { .. } => {
            match workspace.salvage() {
                Ok(salvaged) => refuse_running(&salvaged.prepared)?,
                Err(_) => refuse_supervised(workspace)?,
            }
            Ok(Some(There {
                what: "a damaged POC".to_owned(),
                owns_config_path: owns_config_path(workspace),
            }))
        }
        Recognised::Poc(prepared) => {
            refuse_running(&prepared)?;
            let sites = words::count(prepared.project.clients().count(), "site");
            Ok(Some(There {
                what: format!("a POC ({} with {sites})", prepared.project.name),
                owns_config_path: prepared
                    .manifest
                    .is_some_and(|manifest| manifest.config_written),
            }))
        }
    }
}

/// Whether the workspace's own `prepare` put its path into config.conf, by its manifest; where that
/// cannot be read, the path may be somebody's choice.
pub(crate) fn owns_config_path(workspace: &Workspace) -> bool {
    let manifest = Manifest::load(&workspace.manifest_file());
    manifest
        .ok()
        .flatten()
        .is_some_and(|manifest| manifest.config_written)
}

/// Whether what is there may be replaced: by the flag, or by a yes.
pub(super) fn may_replace(
    context: &Context,
    workspace: &Workspace,
    there: Option<&There>,
    force: bool,
) -> Result<bool, CliError> {
    let Some(There { what, .. }) = there else {
        return Ok(false);
    };
    let root = workspace.root();
    if force {
        return Ok(true);
    }
    if terminal::can_ask(context) {
        if terminal::confirm(context, &format!("There is {what} in {root}. Replace it?"))? {
            return Ok(true);
        }
        return Err(CliError::new(
            ErrorCode::WorkspaceExists,
            format!("the POC in {root} was left as it is"),
        ));
    }
    Err(CliError::new(
        ErrorCode::WorkspaceExists,
        format!("there is {what} in {root} already"),
    )
    .hint("run it again with `--force` to replace it")
    .hint("or choose another workspace with `--workspace DIR`"))
}

/// Refuses to touch a POC whose participants run.
///
/// # Errors
///
/// [`ErrorCode::StillRunning`] with who runs.
pub(crate) fn refuse_running(prepared: &Prepared) -> Result<(), CliError> {
    let status = Federation::open(prepared).status()?;
    let running: Vec<String> = status
        .participants
        .iter()
        .filter(|participant| participant.pid.is_some())
        .map(|participant| participant.name.clone())
        .collect();
    if running.is_empty() && status.supervisor.is_none() {
        return Ok(());
    }
    let who = if running.is_empty() {
        "its supervisor".to_owned()
    } else {
        words::list(&running)
    };
    Err(CliError::new(
        ErrorCode::StillRunning,
        format!("the POC in {} is running: {who}", prepared.workspace.root()),
    )
    .hint("stop it first with `poc stop`"))
}

/// Refuses to touch a POC that is too damaged to be asked who runs, but has a supervisor.
///
/// # Errors
///
/// [`ErrorCode::StillRunning`] with the supervisor's process.
pub(crate) fn refuse_supervised(workspace: &Workspace) -> Result<(), CliError> {
    let lock = workspace.supervisor_lock();
    // A lock that cannot be looked at is held by nobody: there is no such directory.
    if !FileLock::is_held(&lock).unwrap_or(false) {
        return Ok(());
    }
    let root = workspace.root();
    let error = CliError::new(
        ErrorCode::StillRunning,
        format!("the POC in {root} is damaged, and running"),
    );
    Err(match FileLock::holder(&lock) {
        Some(pid) => error.hint(format!("`kill {pid}` lets its supervisor stop everything")),
        None => error.hint("end its supervisor, which then stops everything"),
    })
}
