use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};

/// Every file, link and directory below a directory, with modes and contents: two that are equal
/// show that nothing happened there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree(BTreeMap<Utf8PathBuf, Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    mode: u32,
    content: Vec<u8>,
}

impl Tree {
    /// Reads one; what is absent is empty.
    pub fn of(directory: &Utf8Path) -> Self {
        let mut entries = BTreeMap::new();
        add(directory, Utf8Path::new(""), &mut entries);
        Self(entries)
    }

    /// The paths, relative to the directory.
    pub fn paths(&self) -> impl Iterator<Item = &Utf8Path> {
        self.0.keys().map(Utf8PathBuf::as_path)
    }

    /// The permission bits of each path.
    pub fn modes(&self) -> BTreeMap<&Utf8Path, u32> {
        self.0
            .iter()
            .map(|(path, entry)| (path.as_path(), entry.mode))
            .collect()
    }

    /// Fails unless `directory` is now as it was; says which paths differ, since whole trees cannot
    /// be read.
    #[track_caller]
    pub fn assert_still(&self, directory: &Utf8Path) {
        let now = Self::of(directory);
        let differing: Vec<_> = self
            .0
            .keys()
            .chain(now.0.keys())
            .filter(|path| self.0.get(*path) != now.0.get(*path))
            .collect();
        assert!(
            differing.is_empty(),
            "changed in {directory}: {differing:?}"
        );
    }
}

fn add(root: &Utf8Path, relative: &Utf8Path, entries: &mut BTreeMap<Utf8PathBuf, Entry>) {
    let Ok(found) = root.join(relative).read_dir_utf8() else {
        return;
    };
    for entry in found {
        let entry = entry.unwrap();
        let path = relative.join(entry.file_name());
        let metadata = entry.path().symlink_metadata().unwrap();
        let content = if metadata.is_symlink() {
            entry
                .path()
                .read_link_utf8()
                .unwrap()
                .into_string()
                .into_bytes()
        } else if metadata.is_file() {
            fs_err::read(entry.path()).unwrap()
        } else {
            Vec::new()
        };
        entries.insert(
            path.clone(),
            Entry {
                mode: metadata.permissions().mode() & 0o7777,
                content,
            },
        );
        if metadata.is_dir() {
            add(root, &path, entries);
        }
    }
}
