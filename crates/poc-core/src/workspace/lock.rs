//! One lock for prepare, start and clean.

use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::Workspace;
use crate::Error;
use crate::fsio::{DirectoryLock, create_dir_private, poll_until};

/// The lock of a workspace: an `flock` on the workspace's directory itself, so it leaves no file
/// behind. Dropping it lets go.
#[derive(Debug)]
#[must_use = "the lock is let go when this is dropped"]
pub struct WorkspaceLock {
    workspace: Workspace,
    // Before the locks, so that it is dropped while they are still held.
    _made: Made,
    lock: DirectoryLock,
    /// Locks on directories that are to take the workspace's name.
    also: Vec<DirectoryLock>,
}

/// Directories that were made to have something to lock, outermost first. Dropping removes those that
/// are still empty.
#[derive(Debug, Default)]
struct Made(Vec<Utf8PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        // Innermost first; the first that holds something ends it.
        for directory in self.0.iter().rev() {
            if std::fs::remove_dir(directory).is_err() {
                break;
            }
        }
    }
}

impl Workspace {
    /// Takes the workspace's lock, waiting up to `wait` for another process to let go.
    ///
    /// # Errors
    ///
    /// [`Error::NotPrepared`] where there is no such directory, [`Error::Busy`] when the wait is
    /// over, [`Error::Io`].
    pub fn lock(&self, wait: Duration) -> Result<WorkspaceLock, Error> {
        if !self.root().try_exists()? {
            return Err(Error::NotPrepared {
                workspace: self.root().to_owned(),
            });
        }
        self.acquire(wait, false)
    }

    /// The same, making the directory (0700, and those above it) where it is missing. What was made
    /// is removed again when the lock is dropped, as far as it is still empty.
    ///
    /// # Errors
    ///
    /// As [`Workspace::lock`].
    pub fn lock_create(&self, wait: Duration) -> Result<WorkspaceLock, Error> {
        self.acquire(wait, true)
    }

    /// With `create`, the directory is made where it is missing, also when who held the lock before
    /// took it away again.
    fn acquire(&self, wait: Duration, create: bool) -> Result<WorkspaceLock, Error> {
        let mut made = Made::default();
        let lock = poll_until(wait, || {
            if create {
                self.make(&mut made.0)?;
            }
            match DirectoryLock::try_exclusive(self.root()) {
                Err(error) if create && error.kind() == io::ErrorKind::NotFound => Ok(None),
                result => result,
            }
        })?;
        match lock {
            Some(lock) => Ok(WorkspaceLock {
                workspace: self.clone(),
                _made: made,
                lock,
                also: Vec::new(),
            }),
            None => Err(Error::Busy {
                workspace: self.root().to_owned(),
                holder: DirectoryLock::holder(self.root()),
            }),
        }
    }

    /// Makes the directory and notes what was missing, outermost first.
    fn make(&self, made: &mut Vec<Utf8PathBuf>) -> io::Result<()> {
        let missing = self
            .root()
            .ancestors()
            .take_while(|directory| directory.symlink_metadata().is_err());
        let missing: Vec<Utf8PathBuf> = missing
            .filter(|directory| !made.iter().any(|known| known == directory))
            .map(Utf8Path::to_owned)
            .collect();
        made.extend(missing);
        made.sort_by_key(|directory| directory.as_str().len());
        create_dir_private(self.root())
    }
}

impl WorkspaceLock {
    /// The workspace that is locked.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// Locks a directory that is about to be swapped in under the workspace's name as well, so that
    /// the workspace stays locked through the swap and after it.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] where somebody else has it, [`Error::Io`].
    pub fn also(&mut self, directory: &Utf8Path) -> Result<(), Error> {
        match DirectoryLock::try_exclusive(directory)? {
            Some(lock) => self.also.push(lock),
            None => {
                return Err(Error::Busy {
                    workspace: directory.to_owned(),
                    holder: DirectoryLock::holder(directory),
                });
            }
        }
        Ok(())
    }

    /// Whether the directory that has the workspace's name now is one that this lock holds.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn is_current(&self) -> Result<bool, Error> {
        for lock in std::iter::once(&self.lock).chain(&self.also) {
            if lock.is_at(self.workspace.root())? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
#[path = "lock_tests.rs"]
mod tests;
