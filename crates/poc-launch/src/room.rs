//! Whether there is room on the disk that holds a workspace.
//!
//! Participants on a full disk go on, but write no logs, so that nobody can see whether they come up: a
//! start would wait for its whole time and then blame the sites.

use camino::Utf8Path;

/// A disk with less than that is called full: a participant writes some 100 kB while it starts.
const LEAST: u64 = 1024 * 1024;

/// How many bytes are left on a disk that is full; `None` where it is not, or cannot be asked.
pub(crate) fn shortage(directory: &Utf8Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(directory.as_std_path()).ok()?;
    // What this user may have: some of it is kept for the superuser.
    let bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
    // A file system that knows no limit, or does not say, reports none at all.
    let no_bytes = disk.f_blocks > 0 && bytes < LEAST;
    let no_files = disk.f_files > 0 && disk.f_favail == 0;
    (no_bytes || no_files).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_say_is_not_called_full() {
        assert_eq!(shortage(Utf8Path::new("/no/such/directory")), None);
        assert_eq!(shortage(Utf8Path::new("/proc")), None);
    }
}
