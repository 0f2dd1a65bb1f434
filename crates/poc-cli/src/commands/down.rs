//! `poc down`: stop, and with `--clean` remove the workspace.

use serde::Serialize;

use crate::commands::{clean, stop};
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::style;

/// Arguments of `poc down`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    stop: stop::Args,

    /// Remove the workspace afterwards
    #[arg(long, conflicts_with_all = ["service", "exclude", "no_wait"])]
    clean: bool,
}

#[derive(Serialize)]
struct Data {
    stop: Option<stop::Data>,
    clean: Option<clean::Data>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let stop = match context.salvaged() {
        Ok(prepared) => Some(stop::stop(context, &prepared, &args.stop)?),
        // Without a POC there is nothing to stop, as there is nothing to remove.
        Err(error) if error.code() == ErrorCode::NotPrepared => None,
        Err(error) => return Err(error),
    };
    let clean = if args.clean {
        Some(clean::clean(context, false)?)
    } else {
        None
    };
    let nothing = match (&stop, &clean) {
        (None, None) => {
            let workspace = context.settings_to_look()?.workspace.value;
            let workspace = style::literal(&workspace);
            format!("There is no POC in {workspace}: nothing to stop\n")
        }
        _ => String::new(),
    };
    context.printer.result(&Data { stop, clean }, |data| {
        let stop = data.stop.as_ref().map(stop::text).unwrap_or_default();
        let clean = data.clean.as_ref().map(clean::text).unwrap_or_default();
        nothing + &stop + &clean
    })?;
    Ok(0)
}
