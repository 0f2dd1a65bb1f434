//! One lock for prepare, start and clean.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::Workspace;
use crate::Error;
use crate::fsio::{DirectoryLock, poll_until};

/// The lock of a workspace: an `flock` on the workspace's directory itself, so it leaves no file
/// behind. Dropping it lets go.
#[derive(Debug)]
#[must_use = "the lock is let go when this is dropped"]
pub struct WorkspaceLock {
    workspace: Workspace,
    lock: DirectoryLock,
    /// Locks on directories that are to take the workspace's name.
    also: Vec<DirectoryLock>,
    /// Directories that were made to have something to lock, outermost first.
    made: Vec<Utf8PathBuf>,
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
        self.acquire(wait, Vec::new())
    }

    /// The same, making the directory (0700, and those above it) where it is missing. What was made
    /// is removed again when the lock is dropped, as far as it is still empty.
    ///
    /// # Errors
    ///
    /// As [`Workspace::lock`].
    pub fn lock_create(&self, wait: Duration) -> Result<WorkspaceLock, Error> {
        let mut made: Vec<Utf8PathBuf> = self
            .root()
            .ancestors()
            .take_while(|directory| directory.symlink_metadata().is_err())
            .map(Utf8Path::to_owned)
            .collect();
        made.reverse();
        crate::fsio::create_dir_private(self.root())?;
        self.acquire(wait, made)
    }

    fn acquire(&self, wait: Duration, made: Vec<Utf8PathBuf>) -> Result<WorkspaceLock, Error> {
        match poll_until(wait, || DirectoryLock::try_exclusive(self.root()))? {
            Some(lock) => Ok(WorkspaceLock {
                workspace: self.clone(),
                lock,
                also: Vec::new(),
                made,
            }),
            None => Err(Error::Busy {
                workspace: self.root().to_owned(),
                holder: DirectoryLock::holder(self.root()),
            }),
        }
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

impl Drop for WorkspaceLock {
    fn drop(&mut self) {
        if self.lock.is_empty() {
            // Innermost first; the first that is not empty (or gone) ends it.
            for directory in self.made.iter().rev() {
                if std::fs::remove_dir(directory).is_err() {
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "lock_tests.rs"]
mod tests;
