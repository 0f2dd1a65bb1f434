//! The one file of a kit that NVFlare reads while it is being imported.
//!
//! NVFlare 2.9's streaming modules take their sizes and intervals from `comm_config.json` when they are
//! imported, and look for it in the working directory and everything below. In a fork server that
//! happens once, in an empty place: right for every kit that has no such file, wrong for one that does.

use camino::{Utf8Path, Utf8PathBuf};

/// The kit's file of that name, with whatever extension (NVFlare knows several), where there is one.
pub(super) fn find(kit: &Utf8Path) -> Option<Utf8PathBuf> {
    let mut directories = vec![kit.to_owned()];
    while let Some(directory) = directories.pop() {
        // One that cannot be read cannot be read by the participant either.
        for entry in directory.read_dir_utf8().into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                directories.push(entry.into_path());
            } else if entry.file_name().starts_with("comm_config.") {
                let path = entry.path();
                return Some(path.strip_prefix(kit).unwrap_or(path).to_owned());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wherever_it_lies_in_the_kit() {
        let dir = tempfile::tempdir().unwrap();
        let kit = Utf8Path::from_path(dir.path()).unwrap();
        assert_eq!(find(&kit.join("absent")), None);
        fs_err::create_dir_all(kit.join("local/deeper")).unwrap();
        fs_err::write(kit.join("local/resources.json"), "").unwrap();
        fs_err::write(kit.join("local/my_comm_config.json"), "").unwrap();
        // os.walk does not follow links to directories.
        std::os::unix::fs::symlink("/", kit.join("transfer")).unwrap();
        assert_eq!(find(kit), None);
        fs_err::write(kit.join("local/deeper/comm_config.yml"), "").unwrap();
        assert_eq!(find(kit).unwrap(), "local/deeper/comm_config.yml");
    }
}
