//! Files that matter: request files in the kits, console logs, and the workspace itself.
//!
//! Told by inotify, so that nothing wakes the supervisor while nothing happens; where inotify cannot
//! be had (its limits are per user, and some file systems have none) request files are looked for
//! regularly.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::workspace::Kit;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::supervisor::RequestFile;

/// Something that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// A request file lies in the kit of this participant.
    Request { name: String, file: RequestFile },
    /// The console log of this participant has changed.
    Log { name: String },
    /// The workspace may have gone.
    Workspace,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Kit(String),
    Log(String),
    Workspace,
}

/// How closely a log is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attention {
    /// Every change is told.
    Full,
    /// The next change is told, and no other.
    Once,
}

/// Watches all of them.
pub(super) struct Watcher {
    inotify: Option<OwnedFd>,
    targets: HashMap<i32, Target>,
    kits: HashMap<String, Kit>,
    /// Whether something could not be watched.
    blind: bool,
}

impl Watcher {
    /// Watches the workspace's directory.
    pub(super) fn new(workspace: &Utf8Path) -> Self {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        let mut watcher = Self {
            blind: inotify.is_none(),
            inotify,
            targets: HashMap::new(),
            kits: HashMap::new(),
        };
        watcher.entries_of(workspace);
        watcher
    }

    /// Notices when entries of a directory go, or the directory itself. A removed directory that
    /// somebody has open (its control socket, a working directory) only says so to its parent.
    fn entries_of(&mut self, directory: &Utf8Path) {
        let flags = WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        self.add(directory, flags, Target::Workspace);
    }

    /// For the poll loop.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(|fd| fd.as_fd())
    }

    /// Whether [`Watcher::look`] has to be called regularly.
    pub(super) fn is_blind(&self) -> bool {
        self.blind
    }

    /// Watches a kit for request files.
    pub(super) fn kit(&mut self, kit: &Kit) {
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF;
        self.kits.insert(kit.name.clone(), kit.clone());
        self.add(&kit.dir, flags, Target::Kit(kit.name.clone()));
        if let Some(parent) = kit.dir.parent() {
            self.entries_of(parent);
        }
    }

    /// Watches a console log that exists.
    pub(super) fn log(&mut self, name: &str, path: &Utf8Path, attention: Attention) {
        let mut flags = WatchFlags::MODIFY;
        if attention == Attention::Once {
            flags |= WatchFlags::ONESHOT;
        }
        self.add(path, flags, Target::Log(name.to_owned()));
    }

    fn add(&mut self, path: &Utf8Path, flags: WatchFlags, target: Target) {
        let Some(inotify) = &self.inotify else {
            return;
        };
        match inotify::add_watch(inotify, path.as_std_path(), flags) {
            // Adding a path again changes its flags and keeps its number.
            Ok(number) => drop(self.targets.insert(number, target)),
            Err(Errno::NOENT) => {}
            Err(_) => self.blind = true,
        }
    }

    /// What has happened since.
    pub(super) fn read(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        let Some(inotify) = &self.inotify else {
            return seen;
        };
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut reader = inotify::Reader::new(inotify, &mut buffer);
        let mut overflow = false;
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(_) => break,
            };
            let flags = event.events();
            overflow |= flags.contains(ReadFlags::QUEUE_OVERFLOW);
            if flags.contains(ReadFlags::IGNORED) {
                self.targets.remove(&event.wd());
                continue;
            }
            let gone = flags.intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF);
            match self.targets.get(&event.wd()) {
                Some(Target::Workspace) => seen.push(Seen::Workspace),
                Some(Target::Kit(_)) if gone => seen.push(Seen::Workspace),
                Some(Target::Kit(name)) => {
                    let file = event.file_name().and_then(|file| request(file.to_bytes()));
                    seen.extend(file.map(|file| Seen::Request {
                        name: name.clone(),
                        file,
                    }));
                }
                Some(Target::Log(name)) => seen.push(Seen::Log { name: name.clone() }),
                None => {}
            }
        }
        if overflow {
            // Something was lost: look for oneself.
            seen.extend(self.look());
            seen.push(Seen::Workspace);
        }
        seen.dedup();
        seen
    }

    /// Looks for request files in every kit.
    pub(super) fn look(&self) -> Vec<Seen> {
        let found = |kit: &Kit, path: Utf8PathBuf, file: RequestFile| {
            path.exists().then(|| Seen::Request {
                name: kit.name.clone(),
                file,
            })
        };
        self.kits
            .values()
            .flat_map(|kit| {
                [
                    found(kit, kit.shutdown_file(), RequestFile::Shutdown),
                    found(kit, kit.restart_file(), RequestFile::Restart),
                ]
            })
            .flatten()
            .collect()
    }
}

fn request(file_name: &[u8]) -> Option<RequestFile> {
    match file_name {
        b"shutdown.fl" => Some(RequestFile::Shutdown),
        b"restart.fl" => Some(RequestFile::Restart),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use poc_core::project::Role;

    use super::*;

    struct Place {
        dir: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            let place = Self {
                dir: tempfile::tempdir().unwrap(),
            };
            fs_err::create_dir_all(place.root().join(".poc")).unwrap();
            fs_err::create_dir_all(place.kit().dir).unwrap();
            place
        }

        fn root(&self) -> Utf8PathBuf {
            Utf8Path::from_path(self.dir.path()).unwrap().join("ws")
        }

        fn kit(&self) -> Kit {
            Kit {
                name: "site-1".to_owned(),
                role: Role::Client,
                org: String::new(),
                dir: self.root().join("p/site-1"),
            }
        }

        fn watcher(&self) -> Watcher {
            let mut watcher = Watcher::new(&self.root());
            watcher.kit(&self.kit());
            watcher
        }
    }

    fn request_for(name: &str, file: RequestFile) -> Seen {
        Seen::Request {
            name: name.to_owned(),
            file,
        }
    }

    #[test]
    fn request_files_are_seen_at_once_and_others_are_not() {
        let place = Place::new();
        let mut watcher = place.watcher();
        fs_err::write(place.kit().pid_file(), "1").unwrap();
        assert_eq!(watcher.read(), []);
        fs_err::write(place.kit().shutdown_file(), "").unwrap();
        let shutdown = request_for("site-1", RequestFile::Shutdown);
        assert_eq!(watcher.read(), [shutdown]);
        fs_err::rename(place.kit().shutdown_file(), place.kit().restart_file()).unwrap();
        let restart = request_for("site-1", RequestFile::Restart);
        assert_eq!(watcher.read(), std::slice::from_ref(&restart));
        assert_eq!(watcher.look(), [restart]);
    }

    #[test]
    fn a_log_is_watched_as_closely_as_asked() {
        let place = Place::new();
        let mut watcher = place.watcher();
        let path = place.kit().console_log();
        let mut log = std::fs::File::create(&path).unwrap();
        let seen = [Seen::Log {
            name: "site-1".to_owned(),
        }];
        watcher.log("site-1", &path, Attention::Full);
        for _ in 0..3 {
            log.write_all(b"x").unwrap();
            assert_eq!(watcher.read(), seen);
        }
        watcher.log("site-1", &path, Attention::Once);
        log.write_all(b"x").unwrap();
        assert_eq!(watcher.read(), seen);
        log.write_all(b"x").unwrap();
        assert_eq!(watcher.read(), []);
        watcher.log("site-1", &path, Attention::Once);
        log.write_all(b"x").unwrap();
        assert_eq!(watcher.read(), seen);
    }

    #[test]
    fn a_workspace_that_goes_or_moves_is_noticed() {
        for moved in [true, false] {
            let place = Place::new();
            let mut watcher = place.watcher();
            // As the supervisor and a participant have them open.
            let _open = [place.root().join(".poc"), place.kit().dir].map(std::fs::File::open);
            if moved {
                let aside = place.root().with_file_name("elsewhere");
                fs_err::rename(place.root(), aside).unwrap();
            } else {
                poc_core::fsio::remove_tree(&place.root()).unwrap();
            }
            assert!(watcher.read().contains(&Seen::Workspace));
        }
    }

    #[test]
    fn without_inotify_one_has_to_look() {
        let place = Place::new();
        let mut watcher = Watcher {
            inotify: None,
            targets: HashMap::new(),
            kits: HashMap::new(),
            blind: true,
        };
        watcher.kit(&place.kit());
        fs_err::write(place.kit().shutdown_file(), "").unwrap();
        assert_eq!(watcher.read(), []);
        assert_eq!(watcher.look().len(), 1);
    }
}
