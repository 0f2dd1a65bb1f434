//! `poc completions`: a completion script for a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::context::Context;
use crate::error::CliError;

/// Arguments of `poc completions`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "For bash:  poc completions bash > ~/.local/share/bash-completion/completions/poc\n\
                        For zsh:   poc completions zsh > ~/.zfunc/_poc\n\
                        For fish:  poc completions fish > ~/.config/fish/completions/poc.fish"
)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "poc", &mut script);
    context.printer.raw(&script)?;
    Ok(0)
}
