//! Where output goes, in which format and colours.

use std::io::{self, IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};
use poc_core::env::{self, Env};
use serde::Serialize;

use super::{envelope, style};
use crate::args::{ColorWhen, Format};
use crate::error::{self, CliError, ErrorCode};

/// Whether stdout and stderr take colours.
#[derive(Clone, Copy, Debug)]
struct Palette {
    stdout: ColorChoice,
    stderr: ColorChoice,
}

impl Palette {
    /// The flag beats `NO_COLOR`, that beats `FORCE_COLOR` and `CLICOLOR_FORCE`, and without any of
    /// them a terminal has colours.
    fn resolve(
        when: ColorWhen,
        env: &Env,
        stdout_is_terminal: bool,
        stderr_is_terminal: bool,
    ) -> Self {
        let forced = [env::FORCE_COLOR, env::CLICOLOR_FORCE]
            .iter()
            .any(|var| env.text(var.name).is_some_and(|value| value != "0"));
        let all = |choice| Self {
            stdout: choice,
            stderr: choice,
        };
        match when {
            ColorWhen::Always => all(ColorChoice::AlwaysAnsi),
            ColorWhen::Never => all(ColorChoice::Never),
            ColorWhen::Auto if env.get(env::NO_COLOR.name).is_some() => all(ColorChoice::Never),
            ColorWhen::Auto if forced => all(ColorChoice::AlwaysAnsi),
            ColorWhen::Auto => {
                let capable = env.text("TERM") != Some("dumb");
                let choice = |terminal| {
                    if terminal && capable {
                        ColorChoice::AlwaysAnsi
                    } else {
                        ColorChoice::Never
                    }
                };
                Self {
                    stdout: choice(stdout_is_terminal),
                    stderr: choice(stderr_is_terminal),
                }
            }
        }
    }
}

/// Puts results on stdout and everything else on stderr.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    format: Format,
    palette: Palette,
    debug: bool,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
}

impl Printer {
    /// A printer to this process's stdout and stderr.
    pub(crate) fn new(format: Format, color: ColorWhen, debug: bool, env: &Env) -> Self {
        let stdout_is_terminal = io::stdout().is_terminal();
        let stderr_is_terminal = io::stderr().is_terminal();
        let palette = Palette::resolve(color, env, stdout_is_terminal, stderr_is_terminal);
        Self {
            format,
            palette,
            debug,
            stdout_is_terminal,
            stderr_is_terminal,
        }
    }

    /// What was asked for.
    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// Whether output is text for people.
    pub(crate) fn is_for_people(&self) -> bool {
        self.format == Format::Txt
    }

    /// Whether stdout is a terminal.
    pub(crate) const fn stdout_is_terminal(&self) -> bool {
        self.stdout_is_terminal
    }

    /// Whether a spinner or bar makes sense.
    pub(crate) fn shows_progress(&self) -> bool {
        self.is_for_people() && self.stderr_is_terminal && !self.debug
    }

    /// Whether details were asked for.
    pub(crate) const fn is_debug(&self) -> bool {
        self.debug
    }

    /// The terminal's width in columns, where stdout is one.
    pub(crate) fn width(&self) -> Option<u16> {
        if !self.stdout_is_terminal {
            return None;
        }
        rustix::termios::tcgetwinsize(io::stdout())
            .ok()
            .map(|size| size.ws_col)
            .filter(|columns| *columns > 0)
    }

    /// The result of a command: one JSON object, or text for people.
    ///
    /// # Errors
    ///
    /// When stdout cannot be written.
    pub(crate) fn result<T: Serialize>(
        &self,
        data: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), CliError> {
        match self.format {
            Format::Txt => self.text(&text(data)),
            Format::Json | Format::Jsonl => self.line(&envelope::success(data)?),
        }
    }

    /// One line of a stream of JSON objects.
    ///
    /// # Errors
    ///
    /// When stdout cannot be written.
    pub(crate) fn json_line<T: Serialize>(&self, data: &T) -> Result<(), CliError> {
        self.line(&serde_json::to_string(data)?)
    }

    /// Text on stdout, as it is.
    ///
    /// # Errors
    ///
    /// When stdout cannot be written.
    pub(crate) fn text(&self, text: &str) -> Result<(), CliError> {
        let mut stdout = AutoStream::new(io::stdout(), self.palette.stdout);
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(stdout_error)
    }

    /// Bytes on stdout, untouched: completions, manual pages.
    ///
    /// # Errors
    ///
    /// When stdout cannot be written.
    #[expect(
        clippy::unused_self,
        reason = "what goes to stdout goes through the printer"
    )]
    pub(crate) fn raw(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut stdout = io::stdout();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(stdout_error)
    }

    fn line(&self, text: &str) -> Result<(), CliError> {
        self.raw(format!("{text}\n").as_bytes())
    }

    /// A line for people on stderr.
    pub(crate) fn note(&self, text: &str) {
        self.stderr(&format!("{text}\n"));
    }

    /// A question on stderr, the cursor left behind it.
    pub(crate) fn prompt(&self, text: &str) {
        self.stderr(text);
    }

    /// A warning on stderr.
    pub(crate) fn warning(&self, text: &str) {
        self.stderr(&format!(
            "{} {text}\n",
            style::strong(style::doubtful("warning:"))
        ));
    }

    /// A detail on stderr, with `--debug`.
    pub(crate) fn debug(&self, text: &str) {
        if self.debug {
            self.stderr(&format!("{} {text}\n", style::dim("debug:")));
        }
    }

    /// An error: for people on stderr, and with a JSON format also as the object on stdout.
    pub(crate) fn error(&self, error: &CliError) {
        self.stderr(&error::render(error, self.debug));
        if !self.is_for_people() {
            let object = envelope::failure(error).unwrap_or_default();
            // When stdout is gone too there is nobody left to tell.
            self.line(&object).ok();
        }
    }

    fn stderr(&self, text: &str) {
        let mut stderr = AutoStream::new(io::stderr(), self.palette.stderr);
        // Whoever closed stderr does not want to hear it.
        stderr.write_all(text.as_bytes()).ok();
    }
}

/// A reader that went away (`poc logs | head`) is no error, see [`CliError::is_broken_pipe`].
fn stdout_error(error: io::Error) -> CliError {
    CliError::new(ErrorCode::Io, "cannot write the output").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn palette(when: ColorWhen, env: &[(&str, &str)], terminal: bool) -> bool {
        let palette =
            Palette::resolve(when, &Env::from_pairs(env.iter().copied()), terminal, false);
        palette.stdout != ColorChoice::Never
    }

    #[test]
    fn colours_flag_then_no_color_then_forced_then_terminal() {
        assert!(palette(ColorWhen::Auto, &[], true));
        assert!(!palette(ColorWhen::Auto, &[], false));
        assert!(!palette(ColorWhen::Auto, &[("TERM", "dumb")], true));
        assert!(!palette(
            ColorWhen::Auto,
            &[("NO_COLOR", "1"), ("FORCE_COLOR", "1")],
            true
        ));
        assert!(palette(
            ColorWhen::Auto,
            &[("NO_COLOR", ""), ("CLICOLOR_FORCE", "1")],
            false
        ));
        assert!(!palette(ColorWhen::Auto, &[("FORCE_COLOR", "0")], false));
        assert!(palette(ColorWhen::Always, &[("NO_COLOR", "1")], false));
        assert!(!palette(ColorWhen::Never, &[("FORCE_COLOR", "1")], true));
    }
}
