//! A cgroup of the POC's own, where one can be had: its processes, and all that they ever start, can be
//! ended by one write that nothing outruns.
//!
//! It is had where cgroup v2 is mounted, this process's own cgroup may be written to, and systemd, where
//! it runs, has handed that cgroup over (`Delegate=`). In most containers it is not; then processes are
//! found one by one, as everywhere. Only processes that `poc` has started are ever put into it.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use procfs::process::{MountInfo, Process};
use rustix::fs::{Access, access, getxattr};

use super::identity::process;
use super::{Ended, Found, Grace, LadderEvent, end};
use crate::Error;

/// How often one looks whether a cgroup that was ended is empty, which takes milliseconds.
const LOOK: Duration = Duration::from_millis(5);

/// A cgroup that holds processes of one POC, named by its cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cgroup {
    directory: Utf8PathBuf,
}

impl Cgroup {
    /// Makes one below this process's own cgroup, or takes the one that is there.
    ///
    /// # Errors
    ///
    /// Why none can be had.
    pub(crate) fn make(cookie: &str) -> Result<Self, String> {
        let name = name(cookie).ok_or("the cookie is none of ours")?;
        let me = Process::myself().map_err(|error| error.to_string())?;
        let (top, own) = place(&me).ok_or("no cgroup v2 is mounted")?;
        if Utf8Path::new("/run/systemd/system").exists() && !is_delegated(&top, &own) {
            return Err(format!("{own} is systemd's"));
        }
        // Whoever moves a process needs this of the cgroup above both places.
        let procs = own.join("cgroup.procs");
        access(procs.as_std_path(), Access::WRITE_OK)
            .map_err(|error| format!("{procs}: {error}"))?;
        let directory = own.join(name);
        match std::fs::create_dir(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(format!("{directory}: {error}"));
            }
            _ => {}
        }
        let this = Self { directory };
        if !this.directory.join("cgroup.kill").exists() {
            this.remove();
            return Err("the kernel is older than Linux 5.14".to_owned());
        }
        Ok(this)
    }

    /// The one that a process is in, where it is the one of this POC.
    pub(crate) fn of(pid: u32, cookie: &str) -> Option<Self> {
        let (_, directory) = place(&process(pid)?)?;
        (directory.file_name() == name(cookie).as_deref()).then_some(Self { directory })
    }

    /// The one that [`Cgroup::make`] would make here, where it is there already.
    pub(crate) fn left_here(cookie: &str) -> Option<Self> {
        let (_, own) = place(&Process::myself().ok()?)?;
        let directory = own.join(name(cookie)?);
        directory.exists().then_some(Self { directory })
    }

    /// Where it is.
    pub(crate) fn directory(&self) -> &Utf8Path {
        &self.directory
    }

    /// Puts a process into it, and with that whatever the process starts from then on.
    pub(crate) fn add(&self, pid: u32) -> io::Result<()> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// Ends everything in it (SIGKILL), what is being born included.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.write("cgroup.kill", "1")
    }

    /// These files are the kernel's: one write each, and never made here.
    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        let mut file = std::fs::File::options()
            .write(true)
            .open(self.directory.join(file))?;
        file.write_all(text.as_bytes())
    }

    /// What lives in it now. Unlike a look through /proc it misses nobody who is another process in the
    /// next moment: where it says "nobody", there is nobody.
    pub(crate) fn members(&self) -> Vec<u32> {
        let read = |file: &str| fs_err::read_to_string(self.directory.join(file));
        let events = read("cgroup.events").unwrap_or_default();
        if !events.lines().any(|line| line == "populated 1") {
            return Vec::new();
        }
        let members = read("cgroup.procs").unwrap_or_default();
        let mut members: Vec<u32> = members.lines().filter_map(|it| it.parse().ok()).collect();
        if members.is_empty() {
            // It has just become another one. 0 is nobody's number.
            members.push(0);
        }
        members
    }

    /// Removes it, if nothing lives in it.
    pub(crate) fn remove(&self) {
        // The next supervisor takes it again.
        let _ = std::fs::remove_dir(&self.directory);
    }
}

/// As [`end`]; what survives that, or cannot be seen because it never stays the same process, is ended
/// through the cgroups of these POCs. The cgroups are removed in the end.
pub(crate) fn end_with_cgroups(
    find: &mut dyn FnMut() -> Result<Vec<Found>, Error>,
    cookies: &[&str],
    grace: Grace,
    events: &mut dyn FnMut(LadderEvent),
) -> Result<Ended, Error> {
    let mut cgroups: Vec<Cgroup> = Vec::new();
    for found in find()? {
        for cookie in cookies {
            let cgroup = Cgroup::of(found.identity.pid, cookie);
            cgroups.extend(cgroup.filter(|cgroup| !cgroups.contains(cgroup)));
        }
    }
    let mut ended = end(find, grace, events)?;
    for cgroup in cgroups {
        if !cgroup.members().is_empty() && cgroup.kill().is_ok() {
            let deadline = Instant::now() + grace.kill;
            while !cgroup.members().is_empty() && Instant::now() < deadline {
                std::thread::sleep(LOOK);
            }
            let again = end(find, grace, events)?;
            ended.gone.extend(again.gone);
            ended.survivors = again.survivors;
        }
        cgroup.remove();
    }
    Ok(ended)
}

/// Cookies are UUIDs; nothing else becomes a part of a path.
fn name(cookie: &str) -> Option<String> {
    let is_ours = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    (!cookie.is_empty() && cookie.bytes().all(is_ours)).then(|| format!("poc-{cookie}"))
}

/// The cgroup (version 2) that a process is in, and where the mount that shows it begins.
fn place(process: &Process) -> Option<(Utf8PathBuf, Utf8PathBuf)> {
    let own = process.cgroups().ok()?;
    let own = own.into_iter().find(|cgroup| cgroup.hierarchy == 0)?;
    let mounts = Process::myself().ok()?.mountinfo().ok()?;
    mounts
        .0
        .iter()
        .filter(|mount| mount.fs_type == "cgroup2")
        .find_map(|mount| shown(mount, Utf8Path::new(&own.pathname)))
}

fn shown(mount: &MountInfo, cgroup: &Utf8Path) -> Option<(Utf8PathBuf, Utf8PathBuf)> {
    let top = Utf8PathBuf::from_path_buf(mount.mount_point.clone()).ok()?;
    let below = cgroup.strip_prefix(&mount.root).ok()?;
    // Outside of this process's cgroup namespace.
    let outside = below.components().any(|it| it.as_str() == "..");
    (!outside).then(|| (top.clone(), top.join(below)))
}

/// systemd marks what it hands over, and keeps its hands off what is below.
fn is_delegated(top: &Utf8Path, own: &Utf8Path) -> bool {
    own.ancestors()
        .take_while(|above| above.starts_with(top))
        .any(|above| {
            ["user.delegate", "trusted.delegate"].iter().any(|name| {
                let mut value = [0; 8];
                let length = getxattr(above.as_std_path(), *name, &mut value);
                length.is_ok_and(|length| value.get(..length) == Some(b"1"))
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_no_path() {
        assert_eq!(name("0f-a").as_deref(), Some("poc-0f-a"));
        for cookie in ["", "../x", "a/b", "zz", "0f\n"] {
            assert_eq!(name(cookie), None);
            assert!(Cgroup::make(cookie).is_err());
        }
    }

    #[test]
    fn what_is_in_it_ends_at_once_and_others_do_not() {
        let cookie = procfs::sys::kernel::random::uuid().unwrap();
        let cookie = cookie.trim();
        let cgroup = match Cgroup::make(cookie) {
            Ok(cgroup) => cgroup,
            Err(reason) => {
                eprintln!("not tested: there is no cgroup to be had here: {reason}");
                return;
            }
        };
        assert_eq!(Cgroup::make(cookie).as_ref(), Ok(&cgroup));
        assert_eq!(Cgroup::left_here(cookie).as_ref(), Some(&cgroup));
        let sleep = || {
            std::process::Command::new("sleep")
                .arg("600")
                .spawn()
                .unwrap()
        };
        let (mut ours, mut stranger) = (sleep(), sleep());
        cgroup.add(ours.id()).unwrap();
        assert_eq!(Cgroup::of(ours.id(), cookie).as_ref(), Some(&cgroup));
        assert_eq!(Cgroup::of(stranger.id(), cookie), None);
        assert_eq!(Cgroup::of(ours.id(), "0"), None);
        cgroup.remove();
        assert!(cgroup.directory().exists(), "it is in use");
        assert_eq!(cgroup.members(), [ours.id()]);
        cgroup.kill().unwrap();
        assert!(!ours.wait().unwrap().success());
        assert_eq!(cgroup.members(), [0; 0]);
        assert!(stranger.try_wait().unwrap().is_none());
        cgroup.remove();
        assert!(!cgroup.directory().exists());
        assert_eq!(Cgroup::left_here(cookie), None);
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
