//! `--foreground`: supervises in this very process, with the logs of all merged, until Ctrl-C or until
//! somebody stops it from elsewhere.

use std::thread;

use poc_core::Cancel;
use poc_core::workspace::Prepared;
use poc_launch::Federation;
use poc_launch::runtime::Runtime;

use super::{ServiceArgs, plan, show};
use crate::commands::{logs, stop};
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::Progress;
use crate::selection::Selection;

/// Starts what is selected, shows what it prints, and returns when all of it has ended.
///
/// # Errors
///
/// When something runs already, a port is taken, a participant dies while it starts, or something
/// survives the end.
pub(crate) fn run(
    context: &Context,
    prepared: &Prepared,
    runtime: &Runtime,
    selection: &Selection,
    args: &ServiceArgs,
) -> Result<u8, CliError> {
    let (plan, warnings) = plan(context, prepared, runtime, selection, args)?;
    for warning in &warnings {
        context.printer.warning(warning);
    }
    context
        .printer
        .note("In the foreground: Ctrl-C stops everything");
    let options = args.options(context, selection, &[]);
    // Set when everything has ended: the logs are then shown to their end.
    let over = Cancel::new();
    let (outcome, shown) = thread::scope(|scope| {
        let logs = scope.spawn(|| {
            let shown = logs::follow_until(context, prepared, &over);
            if shown.is_err() {
                // Nobody reads on: without its output, a foreground run has no reason to go on.
                context.cancel.cancel();
            }
            shown
        });
        let progress = Progress::lines(&context.printer);
        let outcome = Federation::open(prepared).run_in_foreground(plan, &options, &mut |event| {
            show(context, &progress, &event);
        });
        over.cancel();
        let shown = logs.join().unwrap_or_else(|_| {
            Err(CliError::new(
                ErrorCode::Internal,
                "the display of the logs failed",
            ))
        });
        (outcome, shown)
    });
    let stopped = stop::conclude(prepared, outcome?, false)?;
    shown?;
    context.printer.note(stop::text(&stopped).trim_end());
    Ok(0)
}
