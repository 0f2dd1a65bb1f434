//! An error as text for people: what, why, and what to do.

use std::fmt::Write as _;

use super::CliError;
use crate::output::style;

/// The error for stderr. With `debug` also its code.
pub(crate) fn render(error: &CliError, debug: bool) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} {}",
        style::strong(style::bad("error:")),
        error.message()
    );
    for cause in error.causes() {
        let _ = writeln!(
            text,
            "  {} {}",
            style::strong("Caused by:"),
            cause.replace('\n', "\n    ")
        );
    }
    if let Some(excerpt) = error.lines() {
        let _ = writeln!(text, "\n{}", excerpt.heading);
        for line in &excerpt.lines {
            let _ = writeln!(text, "  {} {line}", style::dim("|"));
        }
    }
    let hints = error.hints();
    if !hints.is_empty() {
        text.push('\n');
    }
    for hint in hints {
        let _ = writeln!(text, "{} {hint}", style::strong(style::literal("hint:")));
    }
    if debug {
        let _ = writeln!(
            text,
            "\n{}",
            style::dim(format_args!(
                "code {}, exit code {}",
                error.code().as_str(),
                error.code().exit_code()
            ))
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    fn plain(error: &CliError, debug: bool) -> String {
        anstream::adapter::strip_str(&render(error, debug)).to_string()
    }

    #[test]
    fn everything_an_error_can_say() {
        let error = CliError::new(
            ErrorCode::StartFailed,
            "server ended with status 1 while it was starting",
        )
        .because(std::io::Error::other("address already in use"))
        .excerpt(
            "The last lines of /w/server/poc_console.log:",
            vec!["bind: 8002".into(), "Traceback".into()],
        )
        .hint("`poc logs server` shows all of it")
        .hint("`poc prepare --ports auto` takes free ports");
        insta::assert_snapshot!(plain(&error, true), @r"
        error: server ended with status 1 while it was starting
          Caused by: address already in use

        The last lines of /w/server/poc_console.log:
          | bind: 8002
          | Traceback

        hint: `poc logs server` shows all of it
        hint: `poc prepare --ports auto` takes free ports

        code START_FAILED, exit code 1
        ");
    }

    #[test]
    fn a_plain_one_is_one_line() {
        let error = CliError::new(ErrorCode::Interrupted, "interrupted");
        insta::assert_snapshot!(plain(&error, false), @"error: interrupted");
    }
}
