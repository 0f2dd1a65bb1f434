//! From `main` to the command, and from its result to the exit code.

use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::{Parser as _, ValueEnum as _};
use poc_core::Cancel;
use poc_core::env::Env;

use crate::args::{Cli, ColorWhen, Format};
use crate::context::Context;
use crate::error::{CliError, ErrorCode, usage_error};
use crate::output::Printer;
use crate::{argv, commands, signals};

/// The hidden command under which `poc start` runs this program again as a supervisor.
pub(crate) const SUPERVISE: &str = "__supervise";

/// Runs `poc` with this process's arguments and environment, and says how it ended.
pub fn main_impl() -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    if argv.get(1).is_some_and(|word| word == SUPERVISE) {
        return commands::supervise::run(&argv[2..]);
    }
    let env = Env::from_process();
    let argv = argv::normalise(argv);
    let printer = early_printer(&argv, &env);
    let result = catch_bugs(printer.is_debug(), || dispatch(&argv, env, &printer));
    ExitCode::from(finish(&printer, result))
}

/// Shows an error, and gives the exit code.
fn finish(printer: &Printer, result: Result<u8, CliError>) -> u8 {
    match result {
        Ok(exit_code) => exit_code,
        // The reader has seen enough: `poc logs | head`.
        Err(error) if error.is_broken_pipe() => 0,
        Err(error) => {
            printer.error(&error);
            error.code().exit_code()
        }
    }
}

fn dispatch(argv: &[OsString], env: Env, printer: &Printer) -> Result<u8, CliError> {
    if let Some((old, today)) = argv::old_command(argv) {
        return Err(CliError::new(
            ErrorCode::InvalidArgs,
            format!("`{old}` is the spelling of NVFlare 2.3 and before; today it is `poc {today}`"),
        )
        .hint(format!("`poc {today} --help` explains its options")));
    }
    let cli = match Cli::try_parse_from(argv) {
        Ok(cli) => cli,
        Err(error) => return not_a_command(&error, &argv::command_line(argv), printer),
    };
    let cancel = Cancel::new();
    signals::watch(&cancel)
        .map_err(|error| CliError::new(ErrorCode::Io, "cannot watch for Ctrl-C").because(error))?;
    let context = Context::new(printer.clone(), env, cancel, cli.global);
    commands::run(&context, cli.command)
}

/// Help and version are answers; anything else is a wrong command line.
fn not_a_command(error: &clap::Error, command: &str, printer: &Printer) -> Result<u8, CliError> {
    use clap::error::ErrorKind as K;
    match error.kind() {
        K::DisplayHelp | K::DisplayVersion => {
            printer.text(&error.render().ansi().to_string())?;
            Ok(0)
        }
        K::DisplayHelpOnMissingArgumentOrSubcommand | K::MissingSubcommand => {
            if printer.is_for_people() && error.kind() != K::MissingSubcommand {
                printer.note(&error.render().ansi().to_string());
            }
            let hint = match command {
                "poc" => "for a first look: `poc demo`".to_owned(),
                command => format!("`{command} --help` lists them"),
            };
            let message = format!("`{command}` needs a command");
            Err(CliError::new(ErrorCode::InvalidArgs, message).hint(hint))
        }
        _ => Err(usage_error(error, command)),
    }
}

/// A printer as the command line asks for it, as far as that can be told before it is understood.
fn early_printer(argv: &[OsString], env: &Env) -> Printer {
    let format =
        argv::early_value(argv, "--format").and_then(|word| Format::from_str(word, false).ok());
    let color =
        argv::early_value(argv, "--color").and_then(|word| ColorWhen::from_str(word, false).ok());
    let debug = argv::early_flag(argv, "--debug");
    Printer::new(
        format.unwrap_or_default(),
        color.unwrap_or_default(),
        debug,
        env,
    )
}

/// Turns a panic into an error like any other: with a code, in the asked-for format.
fn catch_bugs(debug: bool, work: impl FnOnce() -> Result<u8, CliError>) -> Result<u8, CliError> {
    let seen: Arc<Mutex<Option<String>>> = Arc::default();
    let usual = panic::take_hook();
    panic::set_hook({
        let seen = Arc::clone(&seen);
        Box::new(move |panic| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.get_or_insert_with(|| panic.to_string());
            if debug {
                usual(panic);
            }
        })
    });
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let what = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let what = what
            .unwrap_or_else(|| "no message".to_owned())
            .replace('\n', " ");
        Err(
            CliError::new(ErrorCode::Internal, format!("this is a bug in poc: {what}"))
                .hint("run it again with `--debug`, and report what it prints"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        std::iter::once("poc")
            .chain(line.split_whitespace())
            .map(OsString::from)
            .collect()
    }

    fn quiet() -> Printer {
        Printer::new(Format::Txt, ColorWhen::Never, false, &Env::default())
    }

    #[test]
    fn the_commands_of_old_name_those_of_today() {
        let error = dispatch(&words("--start -n 2"), Env::default(), &quiet()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgs);
        insta::assert_snapshot!(error.message(), @"`--start` is the spelling of NVFlare 2.3 and before; today it is `poc start`");
    }

    #[test]
    fn a_missing_command_is_said_so() {
        for (line, message) in [
            ("", "`poc` needs a command"),
            ("--format json", "`poc` needs a command"),
            ("runtime", "`poc runtime` needs a command"),
        ] {
            let json = Printer::new(Format::Json, ColorWhen::Never, false, &Env::default());
            let error = dispatch(&words(line), Env::default(), &json).unwrap_err();
            assert_eq!((error.message(), error.code().exit_code()), (message, 4));
        }
    }

    #[test]
    fn a_panic_is_an_internal_error() {
        let error = catch_bugs(false, || panic!("no such thing")).unwrap_err();
        assert_eq!(error.code().exit_code(), 5);
        assert!(
            error.message().contains("no such thing"),
            "{}",
            error.message()
        );
    }

    #[test]
    fn a_reader_that_left_is_no_error() {
        let error = CliError::new(ErrorCode::Io, "cannot write the output")
            .because(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(finish(&quiet(), Err(error)), 0);
    }

    #[test]
    fn format_and_colour_are_known_before_the_command_line_is_understood() {
        let printer = early_printer(&words("prepare --format json -n"), &Env::default());
        assert_eq!(printer.format(), Format::Json);
        let printer = early_printer(&words("prepare --format yaml"), &Env::default());
        assert_eq!(printer.format(), Format::Txt);
    }
}
