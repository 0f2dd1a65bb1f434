//! `poc add-site`: a site more.

use poc_core::project::Participant;

use super::{AddArgs, add, text};
use crate::context::Context;
use crate::error::CliError;

/// Arguments of `poc add-site`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The site's name
    #[arg(value_name = "NAME")]
    name: String,

    #[command(flatten)]
    add: AddArgs,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let data = add(context, &args.add, |org| {
        Participant::client(&args.name, org)
    })?;
    context.printer.result(&data, text)?;
    Ok(0)
}
