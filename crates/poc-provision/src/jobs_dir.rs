//! `prepare-jobs-dir`: a directory of the user's as the project admin's transfer directory, so that the
//! jobs in it can be submitted by name.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::os::unix::fs::symlink;
use poc_core::fsio;
use poc_core::workspace::Kit;

use crate::Error;

/// What linking has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The transfer directory: now a link.
    pub transfer: Utf8PathBuf,
    /// What it leads to.
    pub target: Utf8PathBuf,
    /// Where the files that were in it have been set aside, if there were any.
    pub set_aside: Option<Utf8PathBuf>,
}

/// Links `directory` as the transfer directory of that kit.
///
/// A link that is there is replaced; so is an empty directory. One with files in it is set aside as
/// `transfer.previous` where `force` is given; an earlier `transfer.previous` makes room only if it is
/// empty, else this one gets a number.
///
/// # Errors
///
/// [`Error::JobsDirectory`] if it is no directory, or one that holds the kit itself;
/// [`Error::TransferInUse`] if there are files and no `force`; [`Error::Io`].
pub fn link_jobs_dir(kit: &Kit, directory: &Utf8Path, force: bool) -> Result<Linked, Error> {
    let target = resolve(directory)?;
    let transfer = kit.transfer();
    if fs_err::canonicalize(&kit.dir)?.starts_with(&target) {
        return Err(Error::JobsDirectory {
            path: target,
            reason: "the POC itself lies in it, and would be uploaded with the jobs".to_owned(),
        });
    }

    let set_aside = match fs_err::symlink_metadata(&transfer) {
        Ok(metadata) if metadata.is_dir() => {
            let entries = fsio::entries(&transfer)?;
            if entries.is_empty() {
                None
            } else if force {
                Some(free_name(&kit.dir)?)
            } else {
                return Err(Error::TransferInUse { transfer, entries });
            }
        }
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };

    // The link is made under another name first, so that at no moment there is none.
    let fresh = kit.dir.join(".transfer.poc-new");
    fsio::remove_tree(&fresh)?;
    symlink(&target, &fresh)?;
    let placed = match &set_aside {
        Some(aside) => fs_err::rename(&transfer, aside),
        // A link cannot be renamed onto a directory.
        None if transfer.is_dir() && !transfer.is_symlink() => fs_err::remove_dir(&transfer),
        None => Ok(()),
    }
    .and_then(|()| fs_err::rename(&fresh, &transfer));
    if let Err(error) = placed {
        let _ = fs_err::remove_file(&fresh);
        return Err(error.into());
    }
    Ok(Linked {
        transfer,
        target,
        set_aside,
    })
}

/// The directory, absolute and with links resolved: what is linked must not depend on where from.
pub(crate) fn resolve(directory: &Utf8Path) -> Result<Utf8PathBuf, Error> {
    let unusable = |reason: String| Error::JobsDirectory {
        path: directory.to_owned(),
        reason,
    };
    let resolved = directory
        .canonicalize_utf8()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => unusable("it does not exist".to_owned()),
            _ => unusable(error.to_string()),
        })?;
    if resolved.is_dir() {
        Ok(resolved)
    } else {
        Err(unusable("it is not a directory".to_owned()))
    }
}

/// `transfer.previous`, or with a number if that is taken: files of the user's are not overwritten.
fn free_name(kit: &Utf8Path) -> io::Result<Utf8PathBuf> {
    let numbered = std::iter::once(String::new()).chain((2..).map(|n: u32| format!(".{n}")));
    for suffix in numbered {
        let path = kit.join(format!("transfer.previous{suffix}"));
        // Takes an empty directory's place too; `rename` allows that.
        match fs_err::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(error),
            Ok(metadata) if metadata.is_dir() && fsio::entries(&path)?.is_empty() => {
                return Ok(path);
            }
            Ok(_) => {}
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
