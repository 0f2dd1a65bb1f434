//! The cap on console logs.
//!
//! The participant holds its log open for appending, so the file cannot be exchanged under it:
//! what it holds is copied to a second file, then the file is cut to nothing, and the next line lands
//! at its beginning. A line that is written between the last copy and the cut is lost.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

/// A log that is larger is moved aside. Together with what was moved aside before, a participant's
/// console takes no more than twice that, and what it writes until it is looked at.
pub(super) const CAP: u64 = 16 * 1024 * 1024;

/// How soon after a change a log is looked at, and how soon one that grows fast.
const SLOWLY: Duration = Duration::from_secs(2);
const FAST: Duration = Duration::from_millis(100);
/// Growing by more than that from one look to the next is fast.
const A_LOT: u64 = 1024 * 1024;

/// How fast a log grows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    length: u64,
    is_fast: bool,
}

impl Pace {
    /// How soon after a change the log is to be looked at.
    pub(super) fn patience(self) -> Duration {
        if self.is_fast { FAST } else { SLOWLY }
    }

    /// The log was looked at: how long it was, and whether it was cut.
    pub(super) fn seen(&mut self, length: u64, cut: bool) {
        self.is_fast = cut || length.saturating_sub(self.length) > A_LOT;
        self.length = if cut { 0 } else { length };
    }
}

/// Moves the end of a log that is larger than `cap` to `<log>.1`, as much as the cap allows, replacing
/// what is there, and says how many bytes. What stood before that end is lost: nobody reads the
/// beginning of a flood, and twice its size could fill the disk. A log that cannot be copied (full disk) is left as it is, whole.
pub(super) fn rotate(log: &Utf8Path, cap: u64) -> io::Result<Option<u64>> {
    let length = length(log)?;
    if length <= cap {
        return Ok(None);
    }
    let mut from = File::options().read(true).write(true).open(log)?;
    from.seek(SeekFrom::Start(length - cap))?;
    let aside = aside(log);
    let partial = Utf8PathBuf::from(format!("{aside}.part"));
    let copied = copy(&mut from, &partial);
    if copied.is_err() {
        let _ = fs_err::remove_file(&partial);
    }
    let copied = copied?;
    fs_err::rename(&partial, &aside)?;
    from.set_len(0)?;
    Ok(Some(copied))
}

/// How long a log is. One that does not exist is empty.
pub(super) fn length(log: &Utf8Path) -> io::Result<u64> {
    match fs_err::metadata(log) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Where the earlier part of a log lies.
fn aside(log: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{log}.1"))
}

fn copy(from: &mut File, to: &Utf8Path) -> io::Result<u64> {
    let mut to = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(to)?;
    let mut all = 0;
    // What is written meanwhile is copied too, as long as it is little more each time.
    for _ in 0..8 {
        match io::copy(from, &mut to)? {
            0 => break,
            more => all += more,
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_log_over_its_cap_is_moved_aside_and_its_writer_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let log = Utf8Path::from_path(dir.path()).unwrap().join("log");
        assert_eq!(rotate(&log, 10).unwrap(), None);
        let mut writer = File::options()
            .append(true)
            .create(true)
            .open(&log)
            .unwrap();
        writer.write_all(b"0123456789").unwrap();
        assert_eq!(rotate(&log, 10).unwrap(), None);
        writer.write_all(b"x").unwrap();
        assert_eq!(rotate(&log, 10).unwrap(), Some(10));
        writer.write_all(b"new").unwrap();
        assert_eq!(fs_err::read_to_string(&log).unwrap(), "new");
        assert_eq!(fs_err::read_to_string(aside(&log)).unwrap(), "123456789x");
        writer.write_all(b"er and newer").unwrap();
        assert_eq!(rotate(&log, 10).unwrap(), Some(10));
        assert_eq!(fs_err::read_to_string(aside(&log)).unwrap(), " and newer");
    }

    #[test]
    fn one_that_grows_fast_is_looked_at_more_often() {
        let mut pace = Pace::default();
        assert_eq!(pace.patience(), SLOWLY);
        pace.seen(A_LOT, false);
        assert_eq!(pace.patience(), SLOWLY);
        pace.seen(3 * A_LOT, false);
        assert_eq!(pace.patience(), FAST);
        pace.seen(20 * A_LOT, true);
        assert_eq!(pace.patience(), FAST);
        pace.seen(A_LOT, false);
        assert_eq!(pace.patience(), SLOWLY);
    }

    #[test]
    fn a_log_that_cannot_be_copied_stays_whole() {
        let dir = tempfile::tempdir().unwrap();
        let log = Utf8Path::from_path(dir.path()).unwrap().join("log");
        fs_err::write(&log, "precious").unwrap();
        fs_err::create_dir(format!("{}.part", aside(&log))).unwrap();
        assert!(rotate(&log, 1).is_err());
        assert_eq!(fs_err::read_to_string(&log).unwrap(), "precious");
    }
}
