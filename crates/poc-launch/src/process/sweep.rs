//! Every process of a workspace, whoever started it.
//!
//! Two signs tell. Whatever `poc` starts, and whatever that starts in turn, has the instance's cookie
//! in its environment: it finds job processes that moved into sessions of their own. What NVFlare's own
//! tools or the user started has a command line that names a kit. To both come their descendants.

use std::collections::{HashMap, HashSet};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::env;
use poc_core::workspace::Prepared;
use procfs::process::Process;

use super::environ;
use super::identity::{all, arguments, directory, is_over};
use super::recognise::{self, Claim, Kind};
use super::{Identity, recognise::describe};
use crate::Error;

/// Whose processes to look for: those of one workspace, of the user that this process runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The workspace.
    pub workspace: Utf8PathBuf,
    /// Its startup kits.
    pub kits: Vec<Utf8PathBuf>,
    /// The value of `POC_INSTANCE` in the environment of what `poc` started for it, where there is
    /// one. An empty cookie finds nothing.
    pub cookie: Option<String>,
}

/// How a process was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The instance's cookie is in its environment.
    Cookie,
    /// Its command line names a kit or the workspace.
    CommandLine,
    /// A process that was recognised is its parent, or its parent's parent, and so on.
    Parent,
}

/// A process of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which process.
    pub identity: Identity,
    /// Its part.
    pub kind: Kind,
    /// The kit that its command line names.
    pub kit: Option<Utf8PathBuf>,
    /// Its command line, for people.
    pub command: String,
    /// How it was recognised.
    pub sign: Sign,
}

/// What is known of a process before it is judged.
struct Seen {
    identity: Identity,
    parent: u32,
    arguments: Vec<String>,
    directory: Option<Utf8PathBuf>,
    cookie: bool,
}

impl Scope {
    /// The processes of a prepared POC.
    pub fn of(prepared: &Prepared, cookie: Option<String>) -> Self {
        Self {
            workspace: prepared.workspace.root().to_owned(),
            kits: prepared.kits().into_iter().map(|kit| kit.dir).collect(),
            cookie,
        }
    }

    /// Finds the living processes of the workspace, in the order in which they started. This process
    /// is left out, and so is a shell above it that merely has the cookie: a `poc stop` that is typed
    /// in such a shell ends neither itself nor the shell.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where /proc cannot be read.
    pub fn find(&self) -> Result<Vec<Found>, Error> {
        let seen = self.look()?;
        Ok(self.judge(&seen, std::process::id()))
    }

    /// Whether this process belongs to the workspace, and as what; `None` also where it has ended.
    pub fn recognise(&self, identity: &Identity) -> Option<Found> {
        let seen = self.see(&super::identity::process(identity.pid)?)?;
        (seen.identity == *identity).then_some(())?;
        self.recognised(&seen)
    }

    fn look(&self) -> Result<Vec<Seen>, Error> {
        Ok(all()?.filter_map(|process| self.see(&process)).collect())
    }

    /// Reads one process of this user. All reads go through one descriptor of its /proc directory, so
    /// that they are of one process; what ends in the middle of it is left out.
    fn see(&self, process: &Process) -> Option<Seen> {
        let uid = rustix::process::geteuid().as_raw();
        (process.uid().ok() == Some(uid)).then_some(())?;
        let stat = process.stat().ok().filter(|stat| !is_over(stat))?;
        let identity = Identity::from_stat(&stat)?;
        let arguments = arguments(process);
        let directory = directory(process);
        let wanted = self.cookie.as_deref().filter(|cookie| !cookie.is_empty());
        let cookie = wanted.is_some_and(|cookie| cookie_of(process).as_deref() == Some(cookie));
        Some(Seen {
            identity,
            parent: u32::try_from(stat.ppid).ok()?,
            arguments,
            directory,
            cookie,
        })
    }

    fn judge(&self, seen: &[Seen], me: u32) -> Vec<Found> {
        let parents: HashMap<u32, u32> = seen
            .iter()
            .map(|seen| (seen.identity.pid, seen.parent))
            .collect();
        let above_me: HashSet<u32> = chain(&parents, me).collect();
        let mut found: HashMap<u32, Found> = seen
            .iter()
            .filter(|seen| seen.identity.pid != me)
            .filter_map(|seen| Some((seen.identity.pid, self.recognised(seen)?)))
            .filter(|(pid, found)| found.kind != Kind::Other || !above_me.contains(pid))
            .collect();
        let mut descendants = Vec::new();
        for seen in seen {
            let pid = seen.identity.pid;
            if found.contains_key(&pid) || above_me.contains(&pid) {
                continue;
            }
            // What a console or a supervisor's caller runs is the user's.
            let ancestor = chain(&parents, pid).skip(1).find_map(|pid| found.get(&pid));
            if ancestor
                .is_some_and(|ancestor| !matches!(ancestor.kind, Kind::Console | Kind::Supervisor))
            {
                descendants.push((pid, seen.found(Kind::Other, None, Sign::Parent)));
            }
        }
        found.extend(descendants);
        let mut found: Vec<Found> = found.into_values().collect();
        found.sort_by_key(|found| (found.identity.start_time, found.identity.pid));
        found
    }

    fn recognised(&self, seen: &Seen) -> Option<Found> {
        let claim = recognise::claim(&seen.arguments);
        let kind = claim.as_ref().map(|claim| claim.kind);
        let place = claim.and_then(|claim| self.place(&claim, seen.directory.as_deref()));
        match (kind, place) {
            (Some(kind), Some(place)) => {
                let kit = (kind != Kind::Supervisor).then_some(place);
                let sign = if seen.cookie {
                    Sign::Cookie
                } else {
                    Sign::CommandLine
                };
                Some(seen.found(kind, kit, sign))
            }
            // A console is the user's own whatever its environment says.
            (Some(Kind::Console), None) => None,
            _ => seen
                .cookie
                .then(|| seen.found(Kind::Other, None, Sign::Cookie)),
        }
    }

    /// The kit (or the workspace) that the claim is about, as this scope writes it.
    fn place(&self, claim: &Claim<'_>, directory: Option<&Utf8Path>) -> Option<Utf8PathBuf> {
        let meant = recognise::resolve(claim, directory)?;
        if claim.kind == Kind::Supervisor {
            return (recognise::real(&self.workspace) == meant).then(|| self.workspace.clone());
        }
        self.kits
            .iter()
            .find(|kit| recognise::real(kit) == meant)
            .cloned()
    }
}

impl Found {
    /// The ID of the job that it runs, where it is a job process and has not ended.
    pub(crate) fn job(&self) -> Option<String> {
        let arguments = self.identity.command_line()?;
        recognise::job(&arguments).map(str::to_owned)
    }
}

impl Seen {
    fn found(&self, kind: Kind, kit: Option<Utf8PathBuf>, sign: Sign) -> Found {
        Found {
            identity: self.identity.clone(),
            kind,
            kit,
            command: describe(&self.arguments),
            sign,
        }
    }
}

/// A process, its parent, its parent's parent, …
fn chain(parents: &HashMap<u32, u32>, pid: u32) -> impl Iterator<Item = u32> + '_ {
    let mut steps = 0;
    std::iter::successors(Some(pid), move |pid| {
        steps += 1;
        // Read one after the other, parents can seem to run in a circle.
        parents.get(pid).copied().filter(|_| steps <= parents.len())
    })
}

/// The cookie in a process's environment. Where there are several, the first one counts, as it does for
/// the process itself.
pub(super) fn cookie_of(process: &Process) -> Option<String> {
    environ::value(process, env::POC_INSTANCE.name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    fn unique_cookie() -> String {
        procfs::sys::kernel::random::uuid()
            .unwrap()
            .trim()
            .to_owned()
    }

    fn scope(cookie: &str) -> Scope {
        Scope {
            cookie: Some(cookie.to_owned()),
            ..Scope::default()
        }
    }

    /// Ends its processes when the test does, however it does.
    struct Reaped(Child, Scope);

    impl Drop for Reaped {
        fn drop(&mut self) {
            for found in self.1.find().unwrap_or_default() {
                if let Ok(Some(handle)) = super::super::Handle::open(&found.identity) {
                    let _ = handle.send(super::super::Signal::KILL);
                }
            }
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn wait_for<T>(mut condition: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(value) = condition() {
                return value;
            }
            assert!(Instant::now() < deadline, "the condition did not come true");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn seen(pid: u32, parent: u32, line: &str, cookie: bool) -> Seen {
        Seen {
            identity: Identity {
                pid,
                start_time: u64::from(pid),
                boot_id: "b".into(),
            },
            parent,
            arguments: line.split(' ').map(str::to_owned).collect(),
            directory: Some("/".into()),
            cookie,
        }
    }

    #[test]
    fn judged_by_command_line_cookie_and_parent() {
        let scope = Scope {
            workspace: "/nowhere/ws".into(),
            kits: vec!["/nowhere/ws/p/server".into(), "/nowhere/ws/p/a@x.y".into()],
            cookie: Some("c".into()),
        };
        let server =
            "python3 -u -m nvflare.private.fed.app.server.server_train -m /nowhere/ws/p/server";
        let table = [
            seen(1, 0, "init", false),
            seen(
                10,
                1,
                "bash /nowhere/ws/p/server/startup/sub_start.sh",
                false,
            ),
            seen(11, 10, server, false),
            seen(12, 10, "sleep 5", false),
            seen(13, 11, "python3 train.py", false),
            seen(14, 13, "nvcc", false),
            seen(
                20,
                1,
                "python3 -u -m nvflare.private.fed.app.server.server_train -m /elsewhere/p/server",
                false,
            ),
            seen(
                30,
                1,
                "python3 -m nvflare.fuel.hci.tools.admin -m /nowhere/ws/p/a@x.y",
                true,
            ),
            seen(31, 30, "less", false),
            seen(
                32,
                1,
                "python3 -m nvflare.fuel.hci.tools.admin -m /elsewhere/p/a@x.y",
                true,
            ),
            seen(40, 1, "python3 orphan.py", true),
            seen(50, 1, "poc __supervise --workspace /nowhere/ws/", false),
            seen(60, 1, "bash", true),
            seen(61, 60, "poc stop", true),
        ];
        let found: Vec<_> = scope
            .judge(&table, 61)
            .into_iter()
            .map(|f| (f.identity.pid, f.kind, f.sign))
            .collect();
        insta::assert_debug_snapshot!(found, @r"
        [
            (
                10,
                Watchdog,
                CommandLine,
            ),
            (
                11,
                Server,
                CommandLine,
            ),
            (
                12,
                Other,
                Parent,
            ),
            (
                13,
                Other,
                Parent,
            ),
            (
                14,
                Other,
                Parent,
            ),
            (
                30,
                Console,
                Cookie,
            ),
            (
                40,
                Other,
                Cookie,
            ),
            (
                50,
                Supervisor,
                CommandLine,
            ),
        ]
        ");
    }

    #[test]
    fn parents_in_a_circle_end_the_search() {
        let table = [seen(2, 3, "a", false), seen(3, 2, "b", false)];
        assert!(scope("c").judge(&table, 99).is_empty());
    }

    #[test]
    fn a_grandchild_in_a_session_of_its_own_is_found_by_the_cookie_and_by_nothing_less() {
        let cookie = unique_cookie();
        let child = Command::new("sh")
            .args(["-c", "setsid sleep 600 & exec sleep 600"])
            .env(env::POC_INSTANCE.name, &cookie)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let reaped = Reaped(child, scope(&cookie));
        let found = wait_for(|| {
            let found = reaped.1.find().unwrap();
            (found.len() == 2 && found.iter().all(|found| found.command == "sleep 600"))
                .then_some(found)
        });
        assert!(
            found
                .iter()
                .all(|found| found.sign == Sign::Cookie && found.kind == Kind::Other)
        );
        assert!(reaped.1.recognise(&found[0].identity).is_some());
        assert!(scope(&cookie[1..]).find().unwrap().is_empty());
        assert!(scope("").find().unwrap().is_empty());
        assert!(Scope::default().find().unwrap().is_empty());
    }

    #[test]
    fn what_runs_from_a_kit_is_found_with_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Utf8Path::from_path(dir.path()).unwrap().join("é ws");
        let kit = workspace.join("p/prod_00/site-1");
        fs_err::create_dir_all(kit.join("startup")).unwrap();
        fs_err::write(kit.join("startup/sub_start.sh"), "sleep 600 & sleep 600\n").unwrap();
        let child = Command::new("sh")
            .arg("startup/sub_start.sh")
            .current_dir(&kit)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let reaped = Reaped(
            child,
            Scope {
                workspace,
                kits: vec![kit.clone()],
                cookie: None,
            },
        );
        // Until they run their own program, the two are copies of the shell.
        let by_parent =
            |found: &Vec<Found>| found.iter().filter(|f| f.sign == Sign::Parent).count();
        let found =
            wait_for(|| Some(reaped.1.find().unwrap()).filter(|found| by_parent(found) == 2));
        assert_eq!(found[0].kind, Kind::Watchdog);
        assert_eq!(found[0].kit.as_ref(), Some(&kit));
        assert_eq!(found[0].command, "sh startup/sub_start.sh");
        assert_eq!(found.len(), 3);
    }
}
