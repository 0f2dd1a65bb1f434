//! Errors of the command line itself, as clap finds them, in our own words' form.

use clap::error::{ContextKind, ContextValue};

use super::{CliError, ErrorCode};

/// Turns clap's error into ours. Help and version texts are no errors; they are not for this
/// function.
pub(crate) fn usage_error(error: &clap::Error) -> CliError {
    let plain = error.to_string();
    let mut paragraphs = plain.split("\n\n");
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message).trim_end();
    let mut result = CliError::new(ErrorCode::InvalidArgs, message);
    for line in paragraphs.flat_map(str::lines) {
        if let Some(tip) = line.trim_start().strip_prefix("tip: ") {
            result = result.hint(tip.replace('\'', "`"));
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            result = result.hint(format!("usage: `{usage}`"));
        }
    }
    result.hint(format!("`{} --help` explains every option", command(error)))
}

/// The command that the error is about, as one would type it.
fn command(error: &clap::Error) -> String {
    // clap's usage text begins with it: `Usage: poc start [OPTIONS]`.
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => return "poc".to_owned(),
    };
    let words = usage.strip_prefix("Usage: ").unwrap_or(&usage).split_whitespace();
    words.take_while(|word| !word.starts_with(['[', '<', '-'])).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn message(line: &str) -> String {
        let argv = std::iter::once("poc".into()).chain(line.split(' ').map(std::ffi::OsString::from));
        let argv = crate::argv::normalise(argv);
        let error = usage_error(&crate::args::Cli::try_parse_from(argv).unwrap_err());
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
            "runtime",
            "completions tcl",
            "config -pw",
        ] {
            report += &format!("$ poc {line}\n{}\n", message(line));
        }
        insta::assert_snapshot!("usage", report);
    }
}
