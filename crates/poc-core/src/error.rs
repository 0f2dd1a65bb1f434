//! What can go wrong in this crate.

use std::io;

use camino::Utf8PathBuf;

use crate::Hint;

/// What can go wrong in `poc-core`. The message says what and why, [`Hint::hints`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No home directory: `HOME` is unset and the user is not in /etc/passwd.
    #[error("the home directory is unknown: HOME is not set")]
    NoHome,
    /// A path that is not UTF-8, where one is needed.
    #[error("{what} is not valid UTF-8")]
    NotUtf8 {
        /// The variable or file that holds it.
        what: String,
    },
    /// config.conf does not parse. It is left as it is.
    #[error("{path}:{line}: {reason}")]
    ConfigSyntax {
        /// The file.
        path: Utf8PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A value of config.conf that cannot be worked out, such as an unknown substitution.
    #[error("{path}:{line}: the value of `{key}` cannot be worked out: {reason}")]
    ConfigValue {
        /// The file.
        path: Utf8PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, dotted.
        key: String,
        /// Why not.
        reason: String,
    },
    /// project.yml is not valid; every problem that was found.
    #[error("{path} is not a valid project{}", problems_text(problems))]
    ProjectInvalid {
        /// The file.
        path: Utf8PathBuf,
        /// All problems, in the order of the file.
        problems: Vec<Problem>,
    },
    /// A project that cannot be: a bad client name, say.
    #[error("{}", impossible_text(problems))]
    ProjectImpossible {
        /// All problems.
        problems: Vec<Problem>,
    },
    /// There is no prepared POC in the workspace (text of NVFlare's documentation).
    #[error("{workspace}/project.yml is missing, make sure you have first run 'poc prepare'")]
    NotPrepared {
        /// The workspace.
        workspace: Utf8PathBuf,
    },
    /// The directory is something other than a POC workspace.
    #[error("{workspace} is not a POC workspace: {reason}")]
    Foreign {
        /// The directory.
        workspace: Utf8PathBuf,
        /// How that was told.
        reason: String,
    },
    /// The workspace was only half made.
    #[error("the POC in {workspace} is incomplete: {missing} is missing")]
    Incomplete {
        /// The workspace.
        workspace: Utf8PathBuf,
        /// What is not there, relative to the workspace.
        missing: Utf8PathBuf,
    },
    /// The manifest in the workspace cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Manifest {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another `poc` is at work on the workspace.
    #[error("another process{} is at work on {workspace}", holder_text(*holder))]
    Busy {
        /// The workspace.
        workspace: Utf8PathBuf,
        /// Its process ID, where the system tells.
        holder: Option<u32>,
    },
    /// The operating system said no. The message names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One thing wrong with a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line in the file, from 1, where it can be told.
    pub line: Option<usize>,
    /// Where in the document, such as `participants[2].name`; empty for the document as a whole.
    pub at: String,
    /// What is wrong.
    pub message: String,
}

impl Problem {
    /// A problem of the whole, without a place.
    pub fn whole(message: impl Into<String>) -> Self {
        Self {
            line: None,
            at: String::new(),
            message: message.into(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.at.is_empty() {
            write!(f, "{}: ", self.at)?;
        }
        f.write_str(&self.message)
    }
}

fn problems_text(problems: &[Problem]) -> String {
    match problems {
        [] => String::new(),
        [only] => format!(": {only}"),
        several => {
            let lines: Vec<String> = several
                .iter()
                .map(|problem| format!("\n  {problem}"))
                .collect();
            format!(", {} problems:{}", several.len(), lines.concat())
        }
    }
}

/// A single problem, of a name that was just given say, speaks for itself.
fn impossible_text(problems: &[Problem]) -> String {
    match problems {
        [only] => only.to_string(),
        several => format!("there cannot be such a project{}", problems_text(several)),
    }
}

fn holder_text(holder: Option<u32>) -> String {
    holder
        .map(|pid| format!(" (PID {pid})"))
        .unwrap_or_default()
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoHome => "set HOME to your home directory".to_owned(),
            Self::NotUtf8 { .. } => "use a path of UTF-8 characters".to_owned(),
            Self::ConfigSyntax { path, .. } => {
                format!("correct that line, or move {path} aside and run `poc prepare`, which writes a new one")
            }
            Self::ConfigValue { key, .. } => {
                let mut hints = vec!["write the path out, in double quotes".to_owned()];
                hints.extend(remedy_for(key).map(|command| format!("or set it anew with `{command}`")));
                return hints;
            }
            Self::ProjectInvalid { path, .. } => format!("correct {path}, then run the command again"),
            Self::ProjectImpossible { .. } => "change the names or numbers given, then run the command again".to_owned(),
            Self::NotPrepared { .. } => "run `poc prepare`, or `poc up` to prepare and start".to_owned(),
            Self::Foreign { .. } => {
                "choose another workspace with `--workspace DIR`; `poc` removes nothing that it does not know".to_owned()
            }
            Self::Incomplete { .. } => "run `poc prepare --force` to make it anew".to_owned(),
            Self::Manifest { .. } => "run `poc prepare --force` to make the workspace anew".to_owned(),
            Self::Busy { .. } => "wait until it is done, then run the command again".to_owned(),
            Self::Io(error) => return io_hints(error),
        };
        vec![hint]
    }
}

/// The command that replaces a value of config.conf.
fn remedy_for(key: &str) -> Option<&'static str> {
    match key {
        "poc.workspace" | "poc_workspace.path" => Some("poc config -pw DIR"),
        "startup_kit.path" => Some("poc config -d DIR"),
        "poc.python" => Some("poc runtime use PATH"),
        _ => None,
    }
}

fn io_hints(error: &io::Error) -> Vec<String> {
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room on that file system, or choose another workspace with `--workspace DIR`"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a place that you may write to, with `--workspace DIR` or NVFLARE_POC_WORKSPACE"
        }
        _ => return Vec::new(),
    };
    vec![hint.to_owned()]
}
