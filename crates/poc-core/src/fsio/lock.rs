//! Locks that the kernel drops when their holder dies.

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, Mode, OFlags};

use super::{at, errno_at};

/// How often a lock that another process holds is tried again.
const RETRY: Duration = Duration::from_millis(20);

/// How long a look at a lock ([`FileLock::is_held`]) may stand in the way of who takes it.
const GLANCE: Duration = Duration::from_millis(50);

/// An exclusive `flock` on a file of its own, held until dropped or until the process ends. It is
/// not inherited by programs that the process starts.
#[derive(Debug)]
pub struct FileLock {
    path: Utf8PathBuf,
    // Held for its lock.
    _file: File,
}

impl FileLock {
    /// Takes the lock, creating the file (0600) where it is missing; `None` where another holds it.
    ///
    /// # Errors
    ///
    /// What the system says, with the path.
    pub fn try_exclusive(path: &Utf8Path) -> io::Result<Option<Self>> {
        Self::exclusive(path, GLANCE)
    }

    fn attempt(path: &Utf8Path) -> io::Result<Option<Self>> {
        loop {
            let file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)
                .map_err(at("open lock", path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(cause)) => return Err(at("lock", path)(cause)),
            }
            // Removed or replaced between open and lock: what we hold guards nothing.
            let held = file.metadata().map_err(at("lock", path))?;
            match std::fs::metadata(path) {
                Ok(there) if (there.dev(), there.ino()) == (held.dev(), held.ino()) => {
                    return Ok(Some(Self {
                        path: path.to_owned(),
                        _file: file,
                    }));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(at("lock", path)(error)),
            }
        }
    }

    /// Takes the lock, waiting up to `wait`; `None` where another still holds it then.
    ///
    /// # Errors
    ///
    /// What the system says, with the path.
    pub fn exclusive(path: &Utf8Path, wait: Duration) -> io::Result<Option<Self>> {
        poll_until(wait.max(GLANCE), || Self::attempt(path))
    }

    /// Whether somebody holds a lock on that file at the moment. Takes nothing and creates nothing.
    ///
    /// # Errors
    ///
    /// What the system says, with the path.
    pub fn is_held(path: &Utf8Path) -> io::Result<bool> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(at("open lock", path)(error)),
        };
        // A shared lock tells: it is refused only while somebody holds the exclusive one.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(cause)) => Err(at("lock", path)(cause)),
        }
    }

    /// The process that holds a lock on that file, from /proc/locks; `None` where nobody does or it
    /// cannot be told (another PID namespace).
    pub fn holder(path: &Utf8Path) -> Option<u32> {
        holder_of(&std::fs::metadata(path).ok()?)
    }

    /// The lock file.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }
}

/// An exclusive `flock` on a directory itself: it needs no file of its own.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    directory: OwnedFd,
}

impl DirectoryLock {
    /// `None` where another holds it, or where another directory took the name meanwhile.
    pub(crate) fn try_exclusive(path: &Utf8Path) -> io::Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path.as_std_path(), flags, Mode::empty())
            .map_err(errno_at("open directory", path))?;
        match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(errno) => return Err(errno_at("lock", path)(errno)),
        }
        let lock = Self { directory };
        Ok(lock.is_at(path)?.then_some(lock))
    }

    /// Whether the locked directory is the one that has this name now.
    pub(crate) fn is_at(&self, path: &Utf8Path) -> io::Result<bool> {
        let held = rustix::fs::fstat(&self.directory).map_err(errno_at("look at", path))?;
        match std::fs::metadata(path) {
            Ok(there) => Ok((there.dev(), there.ino()) == (held.st_dev, held.st_ino)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(at("look at", path)(error)),
        }
    }

    pub(crate) fn holder(path: &Utf8Path) -> Option<u32> {
        FileLock::holder(path)
    }
}

/// Tries until there is a result, at least once and up to `wait`.
pub(crate) fn poll_until<T>(
    wait: Duration,
    mut attempt: impl FnMut() -> io::Result<Option<T>>,
) -> io::Result<Option<T>> {
    let begun = Instant::now();
    loop {
        if let Some(result) = attempt()? {
            return Ok(Some(result));
        }
        let Some(left) = wait.checked_sub(begun.elapsed()) else {
            return Ok(None);
        };
        std::thread::sleep(RETRY.min(left));
    }
}

fn holder_of(file: &std::fs::Metadata) -> Option<u32> {
    let locks = fs_err::read_to_string("/proc/locks").ok()?;
    holder_in(&locks, file.dev(), file.ino())
}

/// Finds `1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF` by device and inode; lines with `->` only
/// wait for the lock.
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let wanted = format!(
        "{:02x}:{:02x}:{inode}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    locks
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|fields| fields.get(1) == Some(&"FLOCK") && fields.get(5) == Some(&wanted.as_str()))
        .and_then(|fields| fields.get(4)?.parse::<u32>().ok())
        .filter(|pid| *pid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_by_device_and_inode() {
        let locks = "\
1: POSIX  ADVISORY  WRITE 100 fd:01:77 0 EOF
2: FLOCK  ADVISORY  WRITE 200 fd:01:77 0 EOF
2: -> FLOCK  ADVISORY  WRITE 300 fd:01:77 0 EOF
3: FLOCK  ADVISORY  WRITE 0 fd:01:78 0 EOF
";
        let device = rustix::fs::makedev(0xfd, 1);
        assert_eq!(holder_in(locks, device, 77), Some(200));
        // A holder outside of this PID namespace is shown as 0.
        assert_eq!(holder_in(locks, device, 78), None);
        assert_eq!(holder_in(locks, device, 7), None);
        assert_eq!(holder_in("", device, 77), None);
    }
}
