//! Why a participant failed, as far as its log tells.

use camino::Utf8Path;

use super::{redact, tail};
use crate::Error;

/// How far back a reason is looked for.
const LOOK_BACK: usize = 400;

/// What a log says about a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// The one line that explains it best: the end of the last Python traceback, or the last line that
    /// was logged as an error; `None` where there is neither.
    pub cause: Option<String>,
    /// The last lines, tokens redacted.
    pub tail: Vec<String>,
}

/// Reads the reason of a failure from the end of a log.
///
/// # Errors
///
/// [`Error::Io`], with the path. A file that does not exist gives no reason.
pub fn reason(log: &Utf8Path, lines: usize) -> Result<Reason, Error> {
    Ok(reason_in(&tail(log, LOOK_BACK.max(lines))?, lines))
}

/// The same, of lines that are there already, the last `lines` of them kept.
pub fn reason_in<S: AsRef<str>>(log: &[S], lines: usize) -> Reason {
    let log: Vec<&str> = log.iter().map(AsRef::as_ref).collect();
    let cause = exception(&log)
        .or_else(|| error_line(&log))
        .map(|line| redact(line.trim()).into_owned());
    let kept = &log[log.len().saturating_sub(lines)..];
    Reason {
        cause,
        tail: kept.iter().map(|line| redact(line).into_owned()).collect(),
    }
}

/// The line that ends the last traceback: `ValueError: …`. It is the first line after the header that
/// is not indented.
fn exception<'a>(log: &[&'a str]) -> Option<&'a str> {
    let header = log.iter().rposition(|line| {
        line.trim_end()
            .ends_with("Traceback (most recent call last):")
    })?;
    log[header + 1..]
        .iter()
        .copied()
        .find(|line| !line.is_empty() && !line.starts_with(char::is_whitespace))
}

/// The last line of level ERROR or CRITICAL, or one that a program begins with such a word.
fn error_line<'a>(log: &[&'a str]) -> Option<&'a str> {
    let marks = [" - ERROR - ", " - CRITICAL - "];
    let starts = ["Error", "ERROR", "error:", "Fatal ", "fatal:"];
    log.iter().rev().copied().find(|line| {
        let plain = line.trim_start();
        marks.iter().any(|mark| line.contains(mark))
            || starts.iter().any(|start| plain.starts_with(start))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_end_of_the_last_traceback() {
        let log = "\
2026-11-24 17:02:08,110 - root - INFO - starting
Traceback (most recent call last):
  File \"a.py\", line 1, in <module>
ValueError: not this one

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"server_train.py\", line 5, in main
    raise RuntimeError(\"boom\")
RuntimeError: port 8002 is taken, token=0b2cbb96-8d5b-4ba9-a0a6-b2f8f9e3c1d7
server exited";
        let lines: Vec<&str> = log.lines().collect();
        let reason = reason_in(&lines, 2);
        assert_eq!(
            reason.cause.as_deref(),
            Some("RuntimeError: port 8002 is taken, token=<redacted>")
        );
        assert_eq!(reason.tail.len(), 2);
        assert_eq!(reason.tail[1], "server exited");
    }

    #[test]
    fn an_error_line_where_there_is_no_traceback() {
        for (log, cause) in [
            ("x - ERROR - bad\nx - INFO - fine", Some("x - ERROR - bad")),
            (
                "Error while finding module specification for 'nvflare.x'",
                Some("Error while finding module specification for 'nvflare.x'"),
            ),
            ("all is well", None),
            ("", None),
        ] {
            let lines: Vec<&str> = log.lines().collect();
            assert_eq!(reason_in(&lines, 9).cause.as_deref(), cause);
        }
    }

    #[test]
    fn a_traceback_that_is_cut_off_explains_nothing() {
        let lines = ["Traceback (most recent call last):", "  File \"a.py\""];
        assert_eq!(
            reason_in(&lines, 9),
            Reason {
                cause: None,
                tail: lines.map(str::to_owned).into()
            }
        );
    }

    proptest! {
        #[test]
        fn the_tail_is_the_end(log in proptest::collection::vec("[a-z ]{0,8}", 0..9), n in 0_usize..12) {
            let reason = reason_in(&log, n);
            prop_assert_eq!(&reason.tail[..], &log[log.len().saturating_sub(n)..]);
        }
    }
}
