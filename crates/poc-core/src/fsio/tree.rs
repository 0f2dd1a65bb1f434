//! Listing and removing trees.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use super::{at, errno_at};

/// The names in a directory, sorted; those that are not UTF-8 are left out.
///
/// # Errors
///
/// What the system says, with the path.
pub fn entries(path: &Utf8Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(at("list", path))? {
        if let Ok(name) = entry.map_err(at("list", path))?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes a file, a link, or a directory with all that is in it. Nothing there is a success.
///
/// It never follows a symbolic link (a link to a directory is removed as a link), never crosses into
/// another mounted file system (that is an error, before anything beneath it is touched), and gives
/// itself the permissions it lacks on directories of its own user.
///
/// # Errors
///
/// What the system says, with the path at which it stopped; what came before is then gone.
pub fn remove_tree(path: &Utf8Path) -> io::Result<()> {
    let Some(seen) = look(CWD, path.as_std_path(), path)? else {
        return Ok(());
    };
    if seen.kind != FileType::Directory {
        return unlink(CWD, path.as_std_path(), AtFlags::empty(), path);
    }
    let directory = open_directory(CWD, path.as_std_path(), path)?;
    empty(&directory, path)?;
    unlink(CWD, path.as_std_path(), AtFlags::REMOVEDIR, path)
}

pub(super) struct Seen {
    kind: FileType,
    pub(super) is_mount: bool,
}

/// What lies there, without following links; `None` for nothing.
pub(super) fn look(
    directory: BorrowedFd<'_>,
    name: impl rustix::path::Arg,
    shown: &Utf8Path,
) -> io::Result<Option<Seen>> {
    match rustix::fs::statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::TYPE) {
        Ok(stat) => Ok(Some(Seen {
            kind: FileType::from_raw_mode(stat.stx_mode.into()),
            is_mount: stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        })),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno_at("look at", shown)(errno)),
    }
}

fn empty(directory: &OwnedFd, shown: &Utf8Path) -> io::Result<()> {
    let listing = Dir::read_from(directory).map_err(errno_at("list", shown))?;
    for entry in listing {
        let entry = entry.map_err(errno_at("list", shown))?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            remove_entry(
                directory,
                name,
                &shown.join(name.to_string_lossy().as_ref()),
            )?;
        }
    }
    Ok(())
}

fn remove_entry(directory: &OwnedFd, name: &CStr, shown: &Utf8PathBuf) -> io::Result<()> {
    let Some(seen) = look(directory.as_fd(), name, shown)? else {
        return Ok(());
    };
    if seen.is_mount {
        let cause = io::Error::new(
            io::ErrorKind::ResourceBusy,
            "another file system is mounted there",
        );
        return Err(at("remove", shown)(cause));
    }
    if seen.kind != FileType::Directory {
        return unlink(directory.as_fd(), name, AtFlags::empty(), shown);
    }
    let inner = open_directory(directory.as_fd(), name, shown)?;
    empty(&inner, shown)?;
    unlink(directory.as_fd(), name, AtFlags::REMOVEDIR, shown)
}

/// Opens a directory, never through a link, and makes it writable to its owner where it is not.
fn open_directory(
    parent: BorrowedFd<'_>,
    name: impl rustix::path::Arg + Copy,
    shown: &Utf8Path,
) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(parent, name, flags, Mode::empty());
    let directory = match open() {
        Err(Errno::ACCESS) => {
            // Not readable: only its owner can change that, and only for what is no link.
            rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())
                .map_err(errno_at("open", shown))?;
            open()
        }
        other => other,
    }
    .map_err(errno_at("open", shown))?;
    let stat = rustix::fs::fstat(&directory).map_err(errno_at("look at", shown))?;
    if stat.st_mode & 0o300 != 0o300 {
        // Failing is no matter: the removal itself will say so, with its own path.
        let _ = rustix::fs::fchmod(&directory, Mode::RWXU);
    }
    Ok(directory)
}

fn unlink(
    directory: BorrowedFd<'_>,
    name: impl rustix::path::Arg,
    flags: AtFlags,
    shown: &Utf8Path,
) -> io::Result<()> {
    match rustix::fs::unlinkat(directory, name, flags) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno_at("remove", shown)(errno)),
    }
}
