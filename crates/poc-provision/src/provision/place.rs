//! Where the new workspace is built, and how it takes the place of the old one.
//!
//! Usually it is built beside the old one, in `.NAME.poc-new`, and the two are exchanged in one step; the
//! old one is then `.NAME.poc-old`. On a file system that cannot exchange, the old one is renamed aside
//! and the new one into place. Where nothing can be renamed at all (the workspace is a mount point, or
//! the directory above cannot be written to) the same is done inside of it, entry by entry. After a
//! crash at any moment [`Place::recover`] goes on or goes back; nothing of the old workspace is removed
//! before the new one is wholly in place.
//!
//! The lock on the workspace is held throughout, so fixed names do.

use std::io;
use std::os::unix::fs::MetadataExt;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::fsio;
use rustix::fs::{Access, AtFlags, CWD, StatxAttributes, StatxFlags};

use crate::Error;

/// How a workspace is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// By renaming whole directories in the directory above.
    Beside,
    /// By moving its entries, within it.
    Inside,
}

/// The place of a workspace.
#[derive(Debug)]
pub(super) struct Place {
    /// The workspace's directory, with a symbolic link resolved.
    root: Utf8PathBuf,
    how: How,
}

/// What the workspace has in it beside its entries, where it is replaced from within.
const NEW: &str = ".poc-new";
const ENTERING: &str = ".poc-entering";
const OLD: &str = ".poc-old";
const PREVIOUS: &str = "previous";

impl Place {
    /// Looks at the directory, which exists.
    pub(super) fn of(root: &Utf8Path) -> Result<Self, Error> {
        // A workspace that is a link stays one: it is what the link leads to that is replaced.
        let root = fs_err::canonicalize(root)?;
        let root = Utf8PathBuf::from_path_buf(root).map_err(|path| poc_core::Error::NotUtf8 {
            what: path.to_string_lossy().into_owned(),
        })?;
        let how = if is_mount_point(&root)? || !may_rename_in_parent(&root) {
            How::Inside
        } else {
            How::Beside
        };
        Ok(Self { root, how })
    }

    /// Where the new workspace is built.
    fn new_root(&self) -> Utf8PathBuf {
        match self.how {
            How::Beside => self.beside("poc-new"),
            How::Inside => self.root.join(NEW),
        }
    }

    /// Where the old workspace is once the new one is in place.
    pub(super) fn old_root(&self) -> Utf8PathBuf {
        match self.how {
            How::Beside => self.beside("poc-old"),
            How::Inside => self.root.join(OLD),
        }
    }

    /// Where an old workspace is kept.
    pub(super) fn previous(&self) -> Utf8PathBuf {
        match self.how {
            How::Beside => Utf8PathBuf::from(format!("{}.previous", self.root)),
            How::Inside => self.root.join(PREVIOUS),
        }
    }

    /// Whether an entry of the workspace is part of this business rather than of the POC.
    pub(super) fn is_own(&self, entry: &Utf8Path) -> bool {
        self.how == How::Inside && [NEW, ENTERING, OLD, PREVIOUS].contains(&entry.as_str())
    }

    fn beside(&self, what: &str) -> Utf8PathBuf {
        self.root.with_file_name(format!(
            ".{}.{what}",
            self.root.file_name().unwrap_or_default()
        ))
    }

    /// Puts in order what an interrupted run has left; says what was done if it matters to anyone.
    /// Afterwards there is no half-built workspace, and if there is an old one (see
    /// [`Place::old_root`]), the new one is in place.
    pub(super) fn recover(&self) -> Result<Option<&'static str>, Error> {
        let old = self.old_root();
        match self.how {
            How::Beside => {
                fsio::remove_tree(&self.new_root())?;
                if exists(&old) && is_empty(&self.root)? {
                    // A directory can be renamed onto an empty one.
                    fs_err::rename(&old, &self.root)?;
                    return Ok(Some("the old POC is back in place"));
                }
                Ok(None)
            }
            How::Inside => {
                if exists(&self.root.join(ENTERING)) {
                    self.enter()?;
                    return Ok(Some("the new POC is now wholly in place"));
                }
                if exists(&old) && exists(&self.new_root()) {
                    self.put_back()?;
                    fsio::remove_tree(&self.new_root())?;
                    return Ok(Some("the old POC is back in place"));
                }
                fsio::remove_tree(&self.new_root())?;
                Ok(None)
            }
        }
    }

    /// An empty directory to build the new workspace in. It goes when dropped, unless installed.
    pub(super) fn stage(&self) -> Result<Staging<'_>, Error> {
        let root = self.new_root();
        fsio::create_dir_private(&root)?;
        Ok(Staging {
            place: self,
            root,
            installed: false,
        })
    }

    /// Moves everything out into the old workspace's directory.
    fn leave(&self) -> io::Result<()> {
        let old = self.old_root();
        fsio::create_dir_private(&old)?;
        for name in self.own_entries()? {
            fs_err::rename(self.root.join(&name), old.join(&name))?;
        }
        fsio::sync_dir(&self.root)
    }

    /// Undoes [`Place::leave`], however far it came.
    fn put_back(&self) -> io::Result<()> {
        let old = self.old_root();
        for name in fsio::entries(&old)? {
            fs_err::rename(old.join(&name), self.root.join(&name))?;
        }
        fs_err::remove_dir(&old)
    }

    /// Moves the new workspace's entries in. Its directory has another name from here on: the point of
    /// no return, which [`Place::recover`] sees.
    fn enter(&self) -> io::Result<()> {
        let entering = self.root.join(ENTERING);
        for name in fsio::entries(&entering)? {
            fs_err::rename(entering.join(&name), self.root.join(&name))?;
        }
        fs_err::remove_dir(&entering)?;
        fsio::sync_dir(&self.root)
    }

    fn own_entries(&self) -> io::Result<Vec<String>> {
        let mut names = fsio::entries(&self.root)?;
        names.retain(|name| !self.is_own(Utf8Path::new(name)));
        Ok(names)
    }
}

/// A workspace that is being built. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Staging<'a> {
    place: &'a Place,
    root: Utf8PathBuf,
    installed: bool,
}

impl Staging<'_> {
    /// Where to build.
    pub(super) fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// Whether the directory itself becomes the workspace, rather than what is in it.
    pub(super) fn becomes_the_workspace(&self) -> bool {
        self.place.how == How::Beside
    }

    /// Puts the new workspace in place of the old one, which is then at [`Place::old_root`]. An error
    /// leaves the old one in place, or says where it is.
    pub(super) fn install(mut self) -> Result<(), Error> {
        match self.place.how {
            How::Beside => self.exchange(fsio::exchange)?,
            How::Inside => self.move_in()?,
        }
        self.installed = true;
        Ok(())
    }

    fn exchange(
        &mut self,
        exchange: impl FnOnce(&Utf8Path, &Utf8Path) -> io::Result<()>,
    ) -> Result<(), Error> {
        let Place { root, .. } = self.place;
        let old = self.place.old_root();
        // Named as the old one before it is one: whatever has this name after a crash may hold files
        // of the user's and is looked through before it is removed.
        fs_err::rename(&self.root, &old)?;
        let built = std::mem::replace(&mut self.root, old.clone());
        match exchange(&old, root) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput
                ) =>
            {
                fs_err::rename(&old, &built)?;
                self.root = built;
                self.rename_both(&old)?;
            }
            Err(error) => return Err(error.into()),
        }
        if let Some(parent) = root.parent() {
            // The swap has happened: that it may not yet be durable is no reason to call it off.
            let _ = fsio::sync_dir(parent);
        }
        Ok(())
    }

    /// The old one aside, the new one into place: two steps, and between them no workspace.
    fn rename_both(&self, old: &Utf8Path) -> Result<(), Error> {
        let root = &self.place.root;
        fs_err::rename(root, old)?;
        if let Err(error) = fs_err::rename(&self.root, root) {
            if fs_err::rename(old, root).is_err() {
                return Err(Error::HalfSwapped {
                    workspace: root.clone(),
                    old: old.to_owned(),
                    reason: error.to_string(),
                });
            }
            return Err(error.into());
        }
        Ok(())
    }

    fn move_in(&mut self) -> Result<(), Error> {
        let place = self.place;
        if let Err(error) = place.leave() {
            if place.put_back().is_err() {
                // The new one stays as the sign by which the next run knows to put back the rest.
                self.installed = true;
                return Err(Error::HalfSwapped {
                    workspace: place.root.clone(),
                    old: place.old_root(),
                    reason: error.to_string(),
                });
            }
            return Err(error.into());
        }
        let half = |error: io::Error| Error::HalfSwapped {
            workspace: place.root.clone(),
            old: place.old_root(),
            reason: error.to_string(),
        };
        fs_err::rename(&self.root, place.root.join(ENTERING)).map_err(half)?;
        place.enter().map_err(half)
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        if !self.installed {
            // Best effort, on the way out of an error; the next run removes what is left.
            let _ = fsio::remove_tree(&self.root);
        }
    }
}

fn exists(path: &Utf8Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Nothing there counts as empty.
pub(super) fn is_empty(directory: &Utf8Path) -> io::Result<bool> {
    match fs_err::read_dir(directory) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn is_mount_point(directory: &Utf8Path) -> io::Result<bool> {
    let stat = rustix::fs::statx(
        CWD,
        directory.as_std_path(),
        AtFlags::empty(),
        StatxFlags::TYPE,
    )?;
    Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Whether the directory can be renamed: its parent must be writable, and where that has the sticky bit
/// (as `/tmp` has) it must be the user's own.
fn may_rename_in_parent(directory: &Utf8Path) -> bool {
    let Some(parent) = directory.parent() else {
        return false;
    };
    let (Ok(above), Ok(itself)) = (parent.metadata(), directory.metadata()) else {
        return false;
    };
    let user = rustix::process::geteuid().as_raw();
    let sticky = above.mode() & 0o1000 != 0;
    rustix::fs::access(parent.as_std_path(), Access::WRITE_OK | Access::EXEC_OK).is_ok()
        && (!sticky || user == 0 || itself.uid() == user || above.uid() == user)
}

#[cfg(test)]
mod tests;
