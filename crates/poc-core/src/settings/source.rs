//! Where a value came from.

use std::fmt;

use camino::Utf8PathBuf;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    CommandLine(&'static str),
    /// An environment variable.
    Environment(&'static str),
    /// A key of config.conf.
    ConfigFile {
        /// The file.
        path: Utf8PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, dotted.
        key: String,
    },
    /// Found by looking around; says where.
    Discovered(String),
    /// Built in.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine(flag) => f.write_str(flag),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::ConfigFile { path, line, key } => write!(f, "{key} in {path}:{line}"),
            Self::Discovered(how) => f.write_str(how),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value with where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub source: Source,
}

impl<T> Resolved<T> {
    /// A value with its source.
    pub const fn new(value: T, source: Source) -> Self {
        Self { value, source }
    }

    /// Another value from the same source.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Resolved<U> {
        Resolved {
            value: change(self.value),
            source: self.source,
        }
    }
}
