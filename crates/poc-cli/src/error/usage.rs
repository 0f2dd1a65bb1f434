//! Errors of the command line itself, as clap finds them, in our own words' form.

use super::{CliError, ErrorCode};

/// Turns clap's error into ours. `command` is the command it is about, as one would type it
/// (`poc start`). Help and version texts are no errors; they are not for this function.
pub(crate) fn usage_error(error: &clap::Error, command: &str) -> CliError {
    let plain = error.to_string();
    let mut paragraphs = plain.split("\n\n");
    let message = paragraphs.next().unwrap_or_default();
    let message = message
        .strip_prefix("error: ")
        .unwrap_or(message)
        .trim_end();
    let mut result = CliError::new(ErrorCode::InvalidArgs, message);
    for tip in paragraphs
        .flat_map(str::lines)
        .filter_map(|line| line.trim_start().strip_prefix("tip: "))
    {
        result = result.hint(tip.replace('\'', "`"));
    }
    result.hint(format!("`{command} --help` explains it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn message(line: &str) -> String {
        let argv =
            std::iter::once("poc".into()).chain(line.split(' ').map(std::ffi::OsString::from));
        let argv = crate::argv::normalise(argv);
        let error = crate::args::Cli::try_parse_from(&argv).unwrap_err();
        let error = usage_error(&error, &crate::argv::command_line(&argv));
        assert_eq!(error.code().exit_code(), 4);
        anstream::adapter::strip_str(&crate::error::render(&error, false)).to_string()
    }

    #[test]
    fn wrong_command_lines() {
        let mut report = String::new();
        for line in [
            "prepare -n",
            "prepare -n 0",
            "prepare -n -3",
            "prepare -n x",
            "prepare -n 99999999999",
            "prepare -i",
            "prepare --ports 8002:",
            "prepare --listen 127.0.0.1:80",
            "prepare --flare-version 2.4",
            "prepare-jobs-dir -j",
            "start --spawn thread",
            "start --timeout 0",
            "start -gpux",
            "start --no-wiat",
            "strat",
            "status --format yaml",
            "stop site-1",
            "logs -n many",
            "completions tcl",
            "config -pw",
        ] {
            report += &format!("$ poc {line}\n{}\n", message(line));
        }
        insta::assert_snapshot!("usage", report);
    }
}
