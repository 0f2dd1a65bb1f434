//! `poc add-user`: a user of the FLARE console and API more.

use clap::ValueEnum;
use poc_core::project::Participant;

use super::{AddArgs, add, text};
use crate::context::Context;
use crate::error::CliError;

/// Arguments of `poc add-user`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What NVFlare lets the user do
    #[arg(value_name = "ROLE")]
    role: UserRole,

    /// The user's e-mail address, which is the name to log in with
    #[arg(value_name = "EMAIL")]
    email: String,

    #[command(flatten)]
    add: AddArgs,
}

/// The roles that a further user can have: there is one project admin.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum UserRole {
    /// Looks after the sites of one organisation
    OrgAdmin,
    /// Submits jobs and manages its own
    Lead,
    /// Looks, and changes nothing
    Member,
}

impl UserRole {
    /// NVFlare's word.
    const fn as_str(self) -> &'static str {
        match self {
            Self::OrgAdmin => "org_admin",
            Self::Lead => "lead",
            Self::Member => "member",
        }
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let participant = |org| Participant::admin(&args.email, org, args.role.as_str());
    let data = add(context, &args.add, participant)?;
    context.printer.result(&data, text)?;
    Ok(0)
}
