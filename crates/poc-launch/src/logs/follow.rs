//! Reading logs as they grow.

use std::fs::Metadata;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::File;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use crate::Error;
use crate::process::poll_until;

/// How much is read of one file at a time, so that no file keeps the others waiting.
const PIECE: u64 = 256 * 1024;
/// Longer lines are passed on in parts.
const LONGEST_LINE: usize = 1024 * 1024;
/// How long a change can go unnoticed where the file system tells of none (network file systems).
const AT_LEAST_EVERY: Duration = Duration::from_millis(500);

/// Reads one log as it grows. A file that is cut off is read again from its beginning; one that was
/// replaced is read to its end before the new one is begun; one that does not exist yet is waited for.
#[derive(Debug)]
pub struct Follower {
    path: Utf8PathBuf,
    file: Option<Open>,
    unfinished: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    file: File,
    offset: u64,
    which: (u64, u64),
}

impl Follower {
    /// Follows a file from its end: what is in it now is passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], with the path.
    pub fn at_end(path: impl Into<Utf8PathBuf>) -> Result<Self, Error> {
        let mut follower = Self::at_start(path);
        follower.file = follower.open()?;
        if let Some(open) = &mut follower.file {
            open.offset = open.file.metadata()?.len();
        }
        Ok(follower)
    }

    /// Follows a file from its beginning.
    pub fn at_start(path: impl Into<Utf8PathBuf>) -> Self {
        Self {
            path: path.into(),
            file: None,
            unfinished: Vec::new(),
        }
    }

    /// The file that is followed.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// New bytes, at most 256 KiB; empty where there are none at the moment. Does not wait.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], with the path.
    pub fn read(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            if self.file.is_none() {
                self.file = self.open()?;
            }
            let Some(open) = &mut self.file else {
                return Ok(Vec::new());
            };
            let bytes = open.read()?;
            if !bytes.is_empty() {
                return Ok(bytes);
            }
            // At its end: is this still the file of that name?
            match fs_err::metadata(&self.path) {
                Ok(metadata) if which(&metadata) != open.which => self.file = None,
                _ => return Ok(bytes),
            }
        }
    }

    /// The lines that have been completed since, without their ends; bytes that are not UTF-8 are
    /// replaced. Does not wait.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], with the path.
    pub fn lines(&mut self) -> Result<Vec<String>, Error> {
        let mut bytes = std::mem::take(&mut self.unfinished);
        bytes.extend(self.read()?);
        let complete = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        self.unfinished = bytes.split_off(if bytes.len() - complete > LONGEST_LINE {
            bytes.len()
        } else {
            complete
        });
        Ok(String::from_utf8_lossy(&bytes)
            .lines()
            .map(str::to_owned)
            .collect())
    }

    /// The last line, where it was not finished: for the end of following.
    pub fn unfinished(&mut self) -> Option<String> {
        let bytes = std::mem::take(&mut self.unfinished);
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn open(&self) -> Result<Option<Open>, Error> {
        match File::open(&self.path) {
            Ok(file) => {
                let which = which(&file.metadata()?);
                Ok(Some(Open {
                    file,
                    offset: 0,
                    which,
                }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Open {
    fn read(&mut self) -> Result<Vec<u8>, Error> {
        if self.file.metadata()?.len() < self.offset {
            self.offset = 0;
        }
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(self.offset))?;
        (&mut self.file).take(PIECE).read_to_end(&mut bytes)?;
        self.offset += bytes.len() as u64;
        Ok(bytes)
    }
}

fn which(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Waits for changes in the directories of some files.
#[derive(Debug)]
pub struct Watch {
    inotify: Option<OwnedFd>,
    directories: Vec<Utf8PathBuf>,
    complete: bool,
}

impl Watch {
    /// Watches the directories that the files lie in: so files that appear are noticed as well as
    /// files that grow. Where the system has no watches left, [`Watch::wait`] returns regularly.
    pub fn new<'a>(files: impl IntoIterator<Item = &'a Utf8Path>) -> Self {
        let mut directories: Vec<Utf8PathBuf> = files
            .into_iter()
            .filter_map(Utf8Path::parent)
            .map(Utf8Path::to_owned)
            .collect();
        directories.sort();
        directories.dedup();
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        let mut watch = Self {
            inotify,
            directories,
            complete: false,
        };
        watch.add();
        watch
    }

    /// Waits until something in the directories may have changed; `false` where the deadline came
    /// first. It returns without a change now and then; read, and wait again.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the system cannot wait.
    pub fn wait(&mut self, deadline: Instant) -> Result<bool, Error> {
        if !self.complete {
            self.add();
        }
        let soon = (Instant::now() + AT_LEAST_EVERY).min(deadline);
        let mut fds: Vec<PollFd<'_>> = self
            .inotify
            .iter()
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .collect();
        let changed = poll_until(&mut fds, soon)?;
        if changed {
            self.drain()?;
        }
        Ok(changed || soon < deadline)
    }

    /// Adds what could not be added before: a directory that did not exist yet.
    fn add(&mut self) {
        let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        self.complete = self.inotify.as_ref().is_some_and(|inotify| {
            // Adding one a second time changes nothing.
            let added = self
                .directories
                .iter()
                .map(|path| inotify::add_watch(inotify, path.as_std_path(), flags));
            added.flatten().count() == self.directories.len()
        });
    }

    fn drain(&self) -> Result<(), Error> {
        let Some(inotify) = &self.inotify else {
            return Ok(());
        };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(Error::Io(errno.into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    struct Log {
        _dir: tempfile::TempDir,
        path: Utf8PathBuf,
    }

    impl Log {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = Utf8Path::from_path(dir.path())
                .unwrap()
                .join("poc_console.log");
            Self { _dir: dir, path }
        }

        fn append(&self, text: &str) {
            let mut file = std::fs::File::options()
                .append(true)
                .create(true)
                .open(&self.path)
                .unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
    }

    #[test]
    fn lines_come_when_they_are_complete() {
        let log = Log::new();
        let mut follower = Follower::at_start(&log.path);
        assert!(follower.lines().unwrap().is_empty());
        log.append("one\ntw");
        assert_eq!(follower.lines().unwrap(), ["one"]);
        assert!(follower.lines().unwrap().is_empty());
        log.append("o\nthree");
        assert_eq!(follower.lines().unwrap(), ["two"]);
        assert_eq!(follower.unfinished().as_deref(), Some("three"));
        assert_eq!(follower.unfinished(), None);
    }

    #[test]
    fn from_the_end_only_what_is_new() {
        let log = Log::new();
        log.append("old\n");
        let mut follower = Follower::at_end(&log.path).unwrap();
        assert!(follower.lines().unwrap().is_empty());
        log.append("new\n");
        assert_eq!(follower.lines().unwrap(), ["new"]);
        assert_eq!(follower.path(), log.path);
    }

    #[test]
    fn a_file_that_is_cut_off_begins_anew() {
        let log = Log::new();
        log.append("first, a long line\n");
        let mut follower = Follower::at_start(&log.path);
        assert_eq!(follower.lines().unwrap().len(), 1);
        std::fs::File::create(&log.path).unwrap();
        log.append("second\n");
        assert_eq!(follower.lines().unwrap(), ["second"]);
    }

    #[test]
    fn a_file_that_is_replaced_is_read_to_its_end_first() {
        let log = Log::new();
        log.append("one\n");
        let mut follower = Follower::at_start(&log.path);
        assert_eq!(follower.lines().unwrap(), ["one"]);
        log.append("two\n");
        fs_err::rename(&log.path, log.path.with_extension("1")).unwrap();
        log.append("three\n");
        assert_eq!(follower.lines().unwrap(), ["two"]);
        assert_eq!(follower.lines().unwrap(), ["three"]);
    }

    #[test]
    fn an_endless_line_is_passed_on_in_parts() {
        let log = Log::new();
        log.append(&"x".repeat(3 * LONGEST_LINE));
        let mut follower = Follower::at_start(&log.path);
        let mut length = 0;
        for _ in 0..20 {
            length += follower.lines().unwrap().concat().len();
        }
        length += follower.unfinished().unwrap_or_default().len();
        assert_eq!(length, 3 * LONGEST_LINE);
    }

    #[test]
    fn a_change_ends_the_wait() {
        let log = Log::new();
        let mut watch = Watch::new([log.path.as_path()]);
        assert!(watch.complete);
        assert!(!watch.wait(Instant::now()).unwrap());
        log.append("x");
        let before = Instant::now();
        assert!(watch.wait(before + Duration::from_secs(60)).unwrap());
        assert!(before.elapsed() < AT_LEAST_EVERY);
        assert!(!watch.wait(Instant::now()).unwrap());
    }

    #[test]
    fn a_directory_that_is_missing_is_watched_once_it_is_there() {
        let log = Log::new();
        let file = log.path.with_file_name("later").join("log");
        let mut watch = Watch::new([file.as_path()]);
        assert!(!watch.complete);
        fs_err::create_dir(file.parent().unwrap()).unwrap();
        // Nothing tells of the directory; the regular return does.
        assert!(
            watch
                .wait(Instant::now() + Duration::from_secs(60))
                .unwrap()
        );
        assert!(watch.complete);
    }
}
