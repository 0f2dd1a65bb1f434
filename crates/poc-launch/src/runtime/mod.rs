//! The Python that runs the participants: finding one that has NVFlare, or making one.
//!
//! Which NVFlare a Python has is read from the metadata of its packages; importing NVFlare to ask it
//! would cost a quarter of a second.

mod find;
pub mod managed;
mod metadata;
mod probe;
mod program;

use std::fmt;

use camino::Utf8PathBuf;
use poc_core::settings::Source;
use poc_core::{FlareVersion, Line};

pub use find::{examine, find};

/// A Python with an NVFlare that kits can be made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// The Python, an absolute path. In a virtual environment it is the one in there, not what that
    /// links to.
    pub python: Utf8PathBuf,
    /// The NVFlare in it.
    pub flare_version: FlareVersion,
    /// Its line.
    pub line: Line,
    /// The Python's version: (3, 12), say.
    pub python_version: (u8, u8),
    /// How it was found.
    pub origin: Origin,
    /// Where its NVFlare lies.
    pub site_packages: Utf8PathBuf,
}

/// How a runtime was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The user named it.
    Setting(Source),
    /// The active virtual environment, or the active conda environment.
    ActiveEnvironment,
    /// `python3` on PATH.
    Path,
    /// `poc` installed it.
    Managed,
}

/// A Python that was looked at and passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The Python.
    pub python: Utf8PathBuf,
    /// What was wrong with it.
    pub why: Unfit,
}

/// What can be wrong with a Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There is no such program.
    Absent,
    /// It cannot be started, or crashes.
    Broken {
        /// The last lines that it printed.
        tail: Vec<String>,
    },
    /// It has no NVFlare.
    NoFlare,
    /// Its NVFlare is older or newer than all that are supported.
    UnsupportedFlare {
        /// The version, as its package says.
        version: String,
    },
    /// Its NVFlare does not support that Python, or the Python is none that was looked for.
    UnsupportedPython {
        /// The Python's version.
        version: (u8, u8),
        /// The minor versions of Python 3 that would do, both ends included.
        minors: (u8, u8),
    },
    /// Its NVFlare is of another line than was asked for.
    OtherLine {
        /// The version.
        version: FlareVersion,
    },
    /// It cannot make virtual environments, because it lacks this module.
    Lacks {
        /// The module.
        module: String,
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("does not exist"),
            Self::Broken { tail } => match tail.iter().rev().find(|line| !line.trim().is_empty()) {
                Some(line) => write!(f, "does not work: {}", line.trim()),
                None => f.write_str("does not work"),
            },
            Self::NoFlare => f.write_str("has no NVFlare"),
            Self::UnsupportedFlare { version } => {
                let [first, .., last] = Line::ALL;
                write!(
                    f,
                    "has NVFlare {version}, and only {first} to {last} are supported"
                )
            }
            Self::UnsupportedPython {
                version: (major, minor),
                minors: (first, last),
            } => {
                write!(
                    f,
                    "is Python {major}.{minor}, and 3.{first} to 3.{last} is needed"
                )
            }
            Self::OtherLine { version } => write!(f, "has NVFlare {version}"),
            Self::Lacks { module } => write!(f, "lacks the module `{module}`"),
        }
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.python, self.why)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Setting(_) => "setting",
            Self::ActiveEnvironment => "active environment",
            Self::Path => "PATH",
            Self::Managed => "managed",
        })
    }
}
