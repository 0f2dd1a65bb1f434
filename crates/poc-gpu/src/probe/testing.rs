//! Stand-ins for the vendors' tools: shell scripts in a temporary directory.

use std::os::unix::fs::PermissionsExt;

use camino::Utf8PathBuf;
use tempfile::TempDir;

/// A directory with these scripts, executable, to be put on a `PATH`.
pub(crate) fn scripts(scripts: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, body) in scripts {
        let file = dir.path().join(name);
        fs_err::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs_err::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    }
    dir
}

/// A script's path.
pub(crate) fn script(dir: &TempDir, name: &str) -> Utf8PathBuf {
    Utf8PathBuf::from_path_buf(dir.path().join(name)).unwrap()
}

/// A directory tree with these files, to stand for `/`.
pub(crate) fn tree(files: &[(&str, &str)]) -> (TempDir, Utf8PathBuf) {
    let dir = TempDir::new().unwrap();
    let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    for (path, text) in files {
        let file = root.join(path);
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, text).unwrap();
    }
    (dir, root)
}
