//! The FLARE console in the foreground: NVFlare's own program, with the terminal to itself.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use poc_core::workspace::{Kit, Prepared};
use poc_launch::plan::{self, ParticipantPlan};
use poc_launch::runtime::Runtime;

use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::style;

/// Opens the console of an admin, and gives its exit code once the user has left it.
///
/// Ctrl-C belongs to the console meanwhile: it reaches both processes, sets a flag here that nobody
/// looks at, and does there what the console makes of it.
///
/// # Errors
///
/// When the console cannot be started.
pub(super) fn open(
    context: &Context,
    prepared: &Prepared,
    kit: &Kit,
    runtime: &Runtime,
    study: Option<&str>,
) -> Result<u8, CliError> {
    let plan = plan::console(prepared, kit, runtime, study, context.debug, &context.env)?;
    context.printer.note(&format!(
        "Opening the FLARE console of {}: {} lists its commands, {} leaves it",
        style::strong(&kit.name),
        style::literal("`?`"),
        style::literal("`bye`")
    ));
    let status = command(&plan)?.status().map_err(|error| {
        CliError::new(
            ErrorCode::StartFailed,
            format!("the FLARE console of {} cannot be started", kit.name),
        )
        .because(error)
    })?;
    Ok(exit_code(status))
}

/// The plan as a process that shares this terminal.
fn command(plan: &ParticipantPlan) -> Result<Command, CliError> {
    let Some((program, arguments)) = plan.argv.split_first() else {
        return Err(CliError::new(
            ErrorCode::Internal,
            "the plan of the FLARE console names no program",
        ));
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&plan.directory)
        .envs(&plan.environment);
    for name in &plan.unset {
        command.env_remove(name);
    }
    Ok(command)
}

/// Its exit code; for a signal, what a shell would say.
fn exit_code(status: std::process::ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitStatus;

    #[test]
    fn exit_codes_are_passed_on() {
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
        assert_eq!(exit_code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(exit_code(ExitStatus::from_raw(2)), 130);
    }
}
