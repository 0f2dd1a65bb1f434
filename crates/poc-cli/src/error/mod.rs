//! Errors as the user meets them: a code and its exit code, a message, causes, hints, and data for
//! programs.
//!
//! Libraries return enums with data. [`libraries`] gives each of their variants its code, by matches
//! without a catch-all: a new variant does not compile until it has one.

mod code;
mod libraries;
mod render;
mod usage;

use std::error::Error as StdError;
use std::io;

use poc_core::{Cancelled, Hint};
use serde::Serialize;
use serde_json::Value;

pub(crate) use code::{EXIT_CODES, ErrorCode, FAILED};
pub(crate) use render::render;
pub(crate) use usage::usage_error;

/// What a command returns when it could not do what it was asked.
#[derive(Debug)]
pub(crate) struct CliError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    code: ErrorCode,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    hints: Vec<String>,
    /// Lines that show what happened, with a heading: the end of a log.
    excerpt: Option<Excerpt>,
    data: Value,
}

/// The last lines of a log.
#[derive(Debug)]
pub(crate) struct Excerpt {
    /// What the lines are.
    pub(crate) heading: String,
    /// The lines.
    pub(crate) lines: Vec<String>,
}

impl CliError {
    /// An error of this command line program itself.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code,
            message: message.into(),
            source: None,
            hints: Vec::new(),
            excerpt: None,
            data: Value::Object(serde_json::Map::new()),
        }))
    }

    /// A library's error as it is, with its own message, causes and hints.
    fn from_library<E: StdError + Hint + Send + Sync + 'static>(code: ErrorCode, error: E) -> Self {
        let hints = error.hints();
        Self::from_error(code, error).hints_of(hints)
    }

    /// Any error as it is: its message, and its causes as ours.
    fn from_error<E: StdError + Send + Sync + 'static>(code: ErrorCode, error: E) -> Self {
        let message = error.to_string();
        let mut this = Self::new(code, message);
        if error.source().is_some() {
            this.0.source = Some(Box::new(Causes(Box::new(error))));
        }
        this
    }

    fn hints_of(mut self, hints: Vec<String>) -> Self {
        self.0.hints.extend(hints);
        self
    }

    /// Without the hints so far, which do not fit here.
    pub(crate) fn without_hints(mut self) -> Self {
        self.0.hints.clear();
        self
    }

    /// Why it happened.
    pub(crate) fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// What to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// What to do about it, where that can be said.
    pub(crate) fn hint_if(self, hint: Option<impl Into<String>>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Lines that show what happened.
    pub(crate) fn excerpt(mut self, heading: impl Into<String>, lines: Vec<String>) -> Self {
        if !lines.is_empty() {
            self.0.excerpt = Some(Excerpt {
                heading: heading.into(),
                lines,
            });
        }
        self
    }

    /// For programs: the `data` of the JSON object.
    pub(crate) fn with_data<T: Serialize>(mut self, data: &T) -> Self {
        // Data that cannot be serialised would only hide the error it belongs to.
        if let Ok(data) = serde_json::to_value(data) {
            self.0.data = data;
        }
        self
    }

    /// The error's code.
    pub(crate) fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// What happened, without the causes.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do, most promising first, each hint once.
    pub(crate) fn hints(&self) -> Vec<&str> {
        let mut hints: Vec<&str> = Vec::new();
        for hint in &self.0.hints {
            if !hints.contains(&hint.as_str()) {
                hints.push(hint);
            }
        }
        hints
    }

    pub(crate) fn data(&self) -> &Value {
        &self.0.data
    }

    pub(crate) fn lines(&self) -> Option<&Excerpt> {
        self.0.excerpt.as_ref()
    }

    /// The messages of the causes, outermost first, without those that the one before says already
    /// (an `io::Error` inside a message that ends with it).
    pub(crate) fn causes(&self) -> Vec<String> {
        let mut causes: Vec<String> = Vec::new();
        let mut next = self
            .0
            .source
            .as_deref()
            .map(|source| source as &dyn StdError);
        while let Some(error) = next {
            let text = error.to_string();
            let before = causes.last().map_or(self.message(), String::as_str);
            if !text.is_empty() && !before.contains(&text) {
                causes.push(text);
            }
            next = error.source();
        }
        causes
    }

    /// The message with its causes, in one line of thought.
    pub(crate) fn full_message(&self) -> String {
        let mut message = self.message().to_owned();
        for cause in self.causes() {
            message += ": ";
            message += &cause;
        }
        message
    }

    /// Whether the reader of our output has gone, as `head` does when it has seen enough.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let mut next = self
            .0
            .source
            .as_deref()
            .map(|source| source as &dyn StdError);
        while let Some(error) = next {
            if error
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
            {
                return true;
            }
            next = error.source();
        }
        false
    }
}

/// An error of which only the causes are still to be told: shows itself as its first cause.
#[derive(Debug)]
struct Causes(Box<dyn StdError + Send + Sync>);

impl std::fmt::Display for Causes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.source() {
            Some(cause) => write!(f, "{cause}"),
            None => Ok(()),
        }
    }
}

impl StdError for Causes {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source().and_then(StdError::source)
    }
}

impl From<Cancelled> for CliError {
    fn from(_: Cancelled) -> Self {
        Self::new(ErrorCode::Interrupted, "interrupted")
    }
}

/// Our own data not turning into JSON is a bug.
impl From<serde_json::Error> for CliError {
    fn from(error: serde_json::Error) -> Self {
        Self::new(ErrorCode::Internal, "cannot write the result as JSON").because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the key")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("state is damaged")]
    struct Inner(#[source] io::Error);

    #[test]
    fn causes_are_told_once_each() {
        let error = CliError::from_error(
            ErrorCode::Io,
            Outer(Inner(io::Error::other("disk on fire"))),
        );
        assert_eq!(error.message(), "cannot read the key");
        assert_eq!(error.causes(), ["state is damaged", "disk on fire"]);
        assert_eq!(
            error.full_message(),
            "cannot read the key: state is damaged: disk on fire"
        );

        let repeated = CliError::new(ErrorCode::Io, "cannot write: no space")
            .because(io::Error::other("no space"));
        assert_eq!(repeated.full_message(), "cannot write: no space");
    }

    #[test]
    fn a_broken_pipe_is_found_in_the_depth() {
        let pipe = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(
            CliError::new(ErrorCode::Io, "x")
                .because(pipe())
                .is_broken_pipe()
        );
        assert!(
            !CliError::new(ErrorCode::Io, "x")
                .because(io::Error::other("y"))
                .is_broken_pipe()
        );
        let deep = CliError::from_error(ErrorCode::Io, Outer(Inner(pipe())));
        assert!(deep.is_broken_pipe());
    }

    #[test]
    fn hints_come_once() {
        let error = CliError::new(ErrorCode::Io, "x")
            .hint("a")
            .hint("b")
            .hint("a");
        assert_eq!(error.hints(), ["a", "b"]);
    }
}
