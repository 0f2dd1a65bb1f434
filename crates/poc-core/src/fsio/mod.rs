//! Files that are whole or absent, directories that are swapped at once, and locks.
//!
//! Errors name the path and what was tried.

mod atomic;
mod lock;
mod tree;

use std::{fmt, io};

use camino::{Utf8Path, Utf8PathBuf};

pub use atomic::{create_dir_private, exchange, sync_dir, sync_tree, write_atomic, write_new};
pub use lock::FileLock;
pub(crate) use lock::{DirectoryLock, poll_until};
pub use tree::{entries, remove_tree};

/// What was tried on which path, and what the system answered.
#[derive(Debug)]
struct PathError {
    action: &'static str,
    path: Utf8PathBuf,
    cause: io::Error,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} `{}`: {}", self.action, self.path, self.cause)
    }
}

impl std::error::Error for PathError {}

/// Adds the path to an error of the system, keeping its kind.
pub(crate) fn at(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> io::Error {
    let path = path.to_owned();
    move |cause| {
        io::Error::new(
            cause.kind(),
            PathError {
                action,
                path,
                cause,
            },
        )
    }
}

/// The same for what `rustix` returns.
fn errno_at(action: &'static str, path: &Utf8Path) -> impl FnOnce(rustix::io::Errno) -> io::Error {
    let with_path = at(action, path);
    move |errno| with_path(errno.into())
}

#[cfg(test)]
mod tests;
