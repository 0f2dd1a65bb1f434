//! The commands, a file each: arguments, one library call, and how the result looks.

pub(crate) mod certs;
pub(crate) mod clean;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod events;
pub(crate) mod gpus;
pub(crate) mod grow;
pub(crate) mod logs;
pub(crate) mod man;
pub(crate) mod prepare;
pub(crate) mod prepare_jobs_dir;
pub(crate) mod prune;
pub(crate) mod runtime;
pub(crate) mod stale;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod supervise;
pub(crate) mod up;

use std::time::Duration;

use crate::args::Command;
use crate::context::Context;
use crate::error::CliError;

/// How long to wait for another `poc` that is at work on the same workspace.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Runs a command; the exit code of one that did what it was asked is its own (a FLARE console's is
/// passed on).
///
/// # Errors
///
/// Whatever the command could not do.
pub(crate) fn run(context: &Context, command: Command) -> Result<u8, CliError> {
    match command {
        Command::Prepare(args) => prepare::run(context, &args),
        Command::PrepareJobsDir(args) => prepare_jobs_dir::run(context, &args),
        Command::Start(args) => start::run(context, &args),
        Command::Stop(args) => stop::run(context, &args),
        Command::Clean(args) => clean::run(context, &args),
        Command::Up(args) => up::run(context, &args),
        Command::Down(args) => down::run(context, &args),
        Command::Status(args) => status::run(context, &args),
        Command::Logs(args) => logs::run(context, &args),
        Command::Events(args) => events::run(context, &args),
        Command::Gpus(args) => gpus::run(context, &args),
        Command::Config(args) => config::run(context, &args),
        Command::AddSite(args) => grow::add_site::run(context, &args),
        Command::AddUser(args) => grow::add_user::run(context, &args),
        Command::Remove(args) => grow::remove::run(context, &args),
        Command::Certs(args) => certs::run(context, &args),
        Command::Runtime(args) => runtime::run(context, &args),
        Command::Demo(args) => demo::run(context, &args),
        Command::Prune(args) => prune::run(context, &args),
        Command::Doctor(args) => doctor::run(context, &args),
        Command::Completions(args) => completions::run(context, &args),
        Command::Man(args) => man::run(context, &args),
    }
}
