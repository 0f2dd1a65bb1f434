//! `poc logs`: what the participants print, each line with who printed it, without session tokens.

use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use poc_core::Cancel;
use poc_core::workspace::Prepared;
use poc_launch::Federation;
use poc_launch::logs::{Follower, Watch, redact, tail};
use serde::Serialize;

use crate::args::Format;
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::style;
use crate::selection::known;

/// The lines of each participant that are shown where nothing says how many.
const DEFAULT_LINES: usize = 100;

/// How often following looks whether it should end.
const PERIOD: Duration = Duration::from_millis(200);

/// Arguments of `poc logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The participants [default: server and sites]
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Go on with what is printed from now, until Ctrl-C
    #[arg(short, long)]
    follow: bool,

    /// The last lines of each [default: 100]
    #[arg(short = 'n', long, value_name = "LINES", value_parser = lines, allow_negative_numbers = true)]
    lines: Option<usize>,
}

fn lines(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_| "a number of lines is needed".to_owned())
}

#[derive(Serialize)]
struct Data {
    lines: Vec<Line>,
}

/// A line of a log.
#[derive(Debug, Serialize)]
struct Line {
    participant: String,
    line: String,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let prepared = context.salvaged()?;
    for name in &args.names {
        known(&prepared.project, name)?;
    }
    let logs = Federation::open(&prepared).log_files(&args.names)?;
    let view = View::new(context, &logs);
    // Before the last lines are read: a line that comes between is shown twice rather than never.
    let mut stream = if args.follow {
        Some(Stream::at_end(&logs)?)
    } else {
        None
    };
    if args.follow && context.printer.format() == Format::Json {
        return Err(not_one_object("`-f`"));
    }
    let mut last = Vec::new();
    for (name, path) in &logs {
        let lines = tail(path, args.lines.unwrap_or(DEFAULT_LINES))?;
        last.extend(lines.into_iter().map(|line| Line {
            participant: name.clone(),
            line: redact(&line).into_owned(),
        }));
    }
    if context.printer.format() == Format::Json {
        context
            .printer
            .result(&Data { lines: last }, |_| String::new())?;
        return Ok(0);
    }
    if last.is_empty() && !args.follow {
        context.printer.note("Nothing was printed yet");
    }
    view.show(context, &last)?;
    if let Some(stream) = &mut stream {
        stream.follow(context, &view, &context.cancel)?;
    }
    Ok(0)
}

/// Shows what all participants print from now on, until the flag is set, and then what is left.
///
/// # Errors
///
/// When a log cannot be read, or nobody reads the output.
pub(super) fn follow_until(
    context: &Context,
    prepared: &Prepared,
    end: &Cancel,
) -> Result<(), CliError> {
    let logs = Federation::open(prepared).log_files(&[])?;
    Stream::at_end(&logs)?.follow(context, &View::new(context, &logs), end)
}

/// For what streams, `--format json` cannot be had.
pub(crate) fn not_one_object(what: &str) -> CliError {
    CliError::new(
        ErrorCode::InvalidArgs,
        format!("{what} streams, and cannot be one JSON object"),
    )
    .hint("`--format jsonl` gives one object a line")
}

/// How lines look: names in a column of their own, a colour each.
struct View {
    names: Vec<String>,
    width: usize,
}

impl View {
    fn new(context: &Context, logs: &[(String, Utf8PathBuf)]) -> Self {
        let names: Vec<String> = logs.iter().map(|(name, _)| name.clone()).collect();
        context.printer.debug(&format!(
            "logs {:?}",
            logs.iter().map(|(_, path)| path).collect::<Vec<_>>()
        ));
        Self {
            width: names
                .iter()
                .map(|name| name.chars().count())
                .max()
                .unwrap_or(0),
            names,
        }
    }

    fn show(&self, context: &Context, lines: &[Line]) -> Result<(), CliError> {
        if lines.is_empty() {
            return Ok(());
        }
        if !context.printer.is_for_people() {
            return lines
                .iter()
                .try_for_each(|line| context.printer.json_line(line));
        }
        let text: String = lines.iter().map(|line| self.text(line)).collect();
        context.printer.text(&text)
    }

    fn text(&self, line: &Line) -> String {
        let index = self
            .names
            .iter()
            .position(|name| *name == line.participant)
            .unwrap_or(0);
        let name = format!("{:<width$} |", line.participant, width = self.width);
        format!("{} {}\n", style::participant(index, name), line.line)
    }
}

/// Logs that are being followed.
struct Stream {
    followers: Vec<(String, Follower)>,
    watch: Watch,
}

impl Stream {
    fn at_end(logs: &[(String, Utf8PathBuf)]) -> Result<Self, CliError> {
        let watch = Watch::new(logs.iter().map(|(_, path)| path.as_path()));
        let mut followers = Vec::new();
        for (name, path) in logs {
            followers.push((name.clone(), Follower::at_end(path)?));
        }
        Ok(Self { followers, watch })
    }

    /// Shows lines as they come, until the flag is set.
    fn follow(&mut self, context: &Context, view: &View, end: &Cancel) -> Result<(), CliError> {
        loop {
            // Looked at first: what was printed before the end is shown all the same.
            let ends = end.is_cancelled();
            for (name, follower) in &mut self.followers {
                loop {
                    let lines = follower.lines()?;
                    if lines.is_empty() {
                        break;
                    }
                    let lines: Vec<Line> = lines
                        .iter()
                        .map(|line| Line {
                            participant: name.clone(),
                            line: redact(line).into_owned(),
                        })
                        .collect();
                    view.show(context, &lines)?;
                }
            }
            if ends {
                return Ok(());
            }
            self.watch.wait(Instant::now() + PERIOD)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_whose_they_are() {
        let view = View {
            names: vec!["server".into(), "site-1".into(), "a-long-name".into()],
            width: 11,
        };
        let line = |name: &str| {
            view.text(&Line {
                participant: name.into(),
                line: "hello".into(),
            })
        };
        let text = line("server") + &line("a-long-name");
        insta::assert_snapshot!(anstream::adapter::strip_str(&text), @r"
        server      | hello
        a-long-name | hello
        ");
        assert_ne!(
            line("server").replace("server", ""),
            line("site-1").replace("site-1", ""),
            "a colour each"
        );
    }
}
