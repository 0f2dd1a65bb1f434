//! A tree of new files, durable as a whole.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::File;
use fs_err::os::unix::fs::symlink;
use poc_core::fsio;

/// Up to so many files are synced one by one, which waits for them alone. Beyond that the whole file
/// system is synced, which takes one call, but waits for what other programs have written as well.
const FEW: usize = 256;

/// A directory that is being filled. Nothing in it exists yet, and nothing is overwritten.
#[derive(Debug)]
pub(crate) struct Tree {
    root: Utf8PathBuf,
    /// Every file, relative to the root.
    files: Vec<Utf8PathBuf>,
    /// How many of them are on the disk for certain.
    synced: usize,
    directories: Vec<Utf8PathBuf>,
}

impl Tree {
    /// Fills that empty directory.
    pub(crate) fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self {
            root: root.into(),
            files: Vec::new(),
            synced: 0,
            directories: vec![Utf8PathBuf::new()],
        }
    }

    /// A directory, and those above it, with mode 0700.
    pub(crate) fn directory(&mut self, path: &Utf8Path) -> io::Result<()> {
        fsio::create_dir_private(&self.root.join(path))?;
        self.directories.push(path.to_owned());
        Ok(())
    }

    /// A file; its directory exists.
    pub(crate) fn file(&mut self, path: &Utf8Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        fsio::write_new(&self.root.join(path), bytes, mode)?;
        self.files.push(path.to_owned());
        Ok(())
    }

    /// A symbolic link to `target`; its directory exists.
    pub(crate) fn link(&mut self, path: &Utf8Path, target: &Utf8Path) -> io::Result<()> {
        symlink(target, self.root.join(path))?;
        self.files.push(path.to_owned());
        Ok(())
    }

    /// The files of a directory, by their names. There are no directories in it.
    pub(super) fn read_directory(&self, path: &Utf8Path) -> io::Result<Vec<(String, Vec<u8>)>> {
        let directory = self.root.join(path);
        fsio::entries(&directory)?
            .into_iter()
            .map(|name| {
                let bytes = fs_err::read(directory.join(&name))?;
                Ok((name, bytes))
            })
            .collect()
    }

    /// All files so far, relative to the root, sorted.
    pub(crate) fn files(&self) -> Vec<Utf8PathBuf> {
        let mut files = self.files.clone();
        files.sort_unstable();
        files
    }

    /// Makes everything durable that is not yet.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let fresh = &self.files[self.synced..];
        if fresh.len() > FEW {
            fsio::sync_tree(&self.root)?;
        } else {
            for file in fresh {
                let path = self.root.join(file);
                // A link is made durable by its directory.
                if !path.is_symlink() {
                    File::open(&path)?.sync_all()?;
                }
            }
            for directory in &self.directories {
                fsio::sync_dir(&self.root.join(directory))?;
            }
        }
        self.synced = self.files.len();
        Ok(())
    }
}
