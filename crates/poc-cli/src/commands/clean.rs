//! `poc clean`: the workspace is removed, after it was recognised as one.

use camino::Utf8PathBuf;
use poc_core::config_file::ConfigFile;
use poc_core::workspace::{Prepared, Recognised, Workspace, WorkspaceLock};
use serde::Serialize;

use crate::commands::{LOCK_WAIT, prepare, stop};
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::{Progress, style};

/// Arguments of `poc clean`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Stop what still runs first
    #[arg(long)]
    pub(crate) force: bool,
}

/// What `clean` did.
#[derive(Debug, Serialize)]
pub(crate) struct Data {
    workspace: Utf8PathBuf,
    /// `removed`, or `absent` where there was nothing.
    status: &'static str,
    /// Participants that were stopped first.
    stopped: Vec<String>,
    /// Whether config.conf pointed at it, and does no longer.
    config_changed: bool,
    config_file: Utf8PathBuf,
    /// The workspace before this one, which is kept.
    previous: Option<Utf8PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let data = clean(context, args.force)?;
    context.printer.result(&data, text)?;
    Ok(0)
}

/// Removes the workspace and what config.conf says of it.
///
/// # Errors
///
/// When it is no POC, or runs and may not be stopped; nothing is removed then.
pub(crate) fn clean(context: &Context, force: bool) -> Result<Data, CliError> {
    let settings = context.settings_to_look()?;
    let workspace = Workspace::new(&settings.workspace.value);
    let mut data = Data {
        workspace: workspace.root().to_owned(),
        status: "absent",
        stopped: Vec::new(),
        config_changed: false,
        config_file: settings.config_path,
        previous: Some(workspace.previous()).filter(|previous| previous.exists()),
    };
    if let Recognised::Foreign { reason } = workspace.recognise()? {
        return Err(foreign(&workspace, &reason));
    }
    // What `config -pw` set stays; what `prepare` wrote goes.
    let mut keep_path = true;
    if workspace.root().exists() {
        // Before looking who runs: nobody may start anything from here on.
        let lock = workspace.lock(LOCK_WAIT)?;
        match workspace.recognise()? {
            Recognised::Absent | Recognised::Empty => {}
            Recognised::Foreign { reason } => return Err(foreign(&workspace, &reason)),
            Recognised::Poc(prepared) => {
                let manifest = prepared.manifest.as_ref();
                keep_path = manifest.is_some_and(|manifest| !manifest.config_written);
                data.stopped = stopped(context, &prepared, force)?;
                remove(context, &workspace, &lock)?;
                data.status = "removed";
            }
            Recognised::Broken { .. } => {
                keep_path = !prepare::owns_config_path(&workspace);
                // Also what no supervisor keeps any more must not outlive its workspace.
                match context.salvaged_in(&workspace) {
                    Ok(prepared) => data.stopped = stopped(context, &prepared, force)?,
                    Err(_) => prepare::refuse_supervised(&workspace)?,
                }
                remove(context, &workspace, &lock)?;
                data.status = "removed";
            }
        }
    }
    data.config_changed = forget(context, &data, keep_path)?;
    Ok(data)
}

/// Takes the workspace out of config.conf; whether it was in there. Where there is no such file, none
/// is made.
fn forget(context: &Context, data: &Data, keep_path: bool) -> Result<bool, CliError> {
    if !data.config_file.exists() {
        return Ok(false);
    }
    let edited = ConfigFile::edit(&data.config_file, |config| {
        Ok(config.forget(&data.workspace, keep_path))
    });
    match edited {
        // Warned of already, and the workspace is gone: whoever repairs the file takes that out too.
        Err(poc_core::Error::ConfigSyntax { .. }) => {
            context.printer.warning(&format!(
                "what {} says of the workspace stays in it",
                data.config_file
            ));
            Ok(false)
        }
        edited => Ok(edited?),
    }
}

fn stopped(context: &Context, prepared: &Prepared, force: bool) -> Result<Vec<String>, CliError> {
    if force {
        return Ok(stop::all(context, prepared)?.stopped);
    }
    prepare::refuse_running(prepared)
        .map_err(|error| error.hint("or stop and remove it in one go with `poc clean --force`"))?;
    Ok(Vec::new())
}

fn remove(context: &Context, workspace: &Workspace, lock: &WorkspaceLock) -> Result<(), CliError> {
    let _progress = Progress::spinner(&context.printer, format!("removing {}", workspace.root()));
    poc_provision::clean(workspace, Some(lock))?;
    Ok(())
}

fn foreign(workspace: &Workspace, reason: &str) -> CliError {
    CliError::new(
        ErrorCode::NotAPoc,
        format!("{} is not a POC workspace: {reason}", workspace.root()),
    )
    .hint("`poc` removes nothing that it does not know; remove it yourself if you mean it")
}

pub(crate) fn text(data: &Data) -> String {
    let workspace = style::literal(&data.workspace);
    let mut text = match data.status {
        "removed" => format!("{} Removed {workspace}\n", style::good("✓")),
        _ => format!("There is no POC in {workspace}: nothing to remove\n"),
    };
    if data.config_changed {
        text += "  config.conf does not point at it any more\n";
    }
    if let Some(previous) = &data.previous {
        text += &format!(
            "  an older workspace is kept in {}; remove it yourself if you do not need it\n",
            style::literal(previous)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_removed_and_what_is_kept() {
        let data = |status, previous: Option<&str>| Data {
            workspace: "/tmp/nvflare/poc".into(),
            status,
            stopped: vec![],
            config_changed: status == "removed",
            config_file: "/home/mia/.nvflare/config.conf".into(),
            previous: previous.map(Utf8PathBuf::from),
        };
        let texts = text(&data("absent", None))
            + &text(&data("removed", Some("/tmp/nvflare/poc.previous")));
        insta::assert_snapshot!(anstream::adapter::strip_str(&texts), @r"
        There is no POC in /tmp/nvflare/poc: nothing to remove
        ✓ Removed /tmp/nvflare/poc
          config.conf does not point at it any more
          an older workspace is kept in /tmp/nvflare/poc.previous; remove it yourself if you do not need it
        ");
        insta::assert_json_snapshot!(data("removed", None), @r#"
        {
          "workspace": "/tmp/nvflare/poc",
          "status": "removed",
          "stopped": [],
          "config_changed": true,
          "config_file": "/home/mia/.nvflare/config.conf",
          "previous": null
        }
        "#);
    }
}
