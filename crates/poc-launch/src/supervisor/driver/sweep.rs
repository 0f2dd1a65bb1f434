//! Ending what participants left behind.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::Error;
use crate::process::{Cgroup, Found, Handle, Identity, Kind, Scope, Signal};
use crate::supervisor::of_participant;

/// From SIGTERM to SIGKILL. NVFlare's job processes end by themselves within a second of their
/// parent; whatever else there is gets as long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Remembers what it has asked to end.
pub(super) struct Sweeper {
    asked: HashMap<Identity, Instant>,
    /// Ends what comes faster than it is looked for.
    cgroup: Option<Cgroup>,
    /// When everything was first to end and something was there.
    begun: Option<Instant>,
}

/// What one look came to.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// Asked to end for the first time.
    pub(super) new: Vec<u32>,
    /// Still there.
    pub(super) left: Vec<u32>,
}

impl Sweeper {
    pub(super) fn new(cgroup: Option<Cgroup>) -> Self {
        Self {
            asked: HashMap::new(),
            cgroup,
            begun: None,
        }
    }

    /// Puts a process that was started here where it, and all that it starts, can be ended together.
    pub(super) fn hold(&self, pid: u32) -> std::io::Result<()> {
        self.cgroup
            .as_ref()
            .map_or(Ok(()), |cgroup| cgroup.add(pid))
    }

    pub(super) fn uses(&self, cgroup: &Cgroup) -> bool {
        self.cgroup.as_ref() == Some(cgroup)
    }

    /// Everything has ended, or will not.
    pub(super) fn finish(&self) {
        if let Some(cgroup) = &self.cgroup {
            cgroup.remove();
        }
    }

    /// Looks at everything in the scope, consoles (the user's) and supervisors excepted, and asks it
    /// to end, or ends it. What is still there, or new, after [`PATIENCE`] is ended at once: it would
    /// start others for ever.
    pub(super) fn sweep(&mut self, scope: &Scope) -> Result<Swept, Error> {
        let found = scope.find()?;
        let mut targets = found
            .into_iter()
            .filter(|found| !matches!(found.kind, Kind::Console | Kind::Supervisor))
            .peekable();
        let members = self.cgroup.as_ref().map(Cgroup::members);
        let members = members.unwrap_or_default();
        let now = Instant::now();
        if targets.peek().is_some() || !members.is_empty() {
            self.begun.get_or_insert(now);
        }
        let late = self
            .begun
            .is_some_and(|begun| now.duration_since(begun) >= PATIENCE);
        if let Some(cgroup) = self.cgroup.as_ref().filter(|_| late) {
            // Where this fails, what is found is ended one by one.
            let _ = cgroup.kill();
        }
        let mut swept = self.end(targets, late);
        swept.left.extend(members);
        swept.left.sort_unstable();
        swept.left.dedup();
        Ok(swept)
    }

    /// The same for what one participant left behind.
    pub(super) fn sweep_participant(&mut self, scope: &Scope, name: &str) -> Result<Swept, Error> {
        let found = of_participant(scope.find()?, scope.kits.first(), name);
        Ok(self.end(found.into_iter(), false))
    }

    fn end(&mut self, targets: impl Iterator<Item = Found>, late: bool) -> Swept {
        let mut swept = Swept::default();
        let now = Instant::now();
        for found in targets {
            let Ok(Some(handle)) = Handle::open(&found.identity) else {
                continue;
            };
            let pid = found.identity.pid;
            swept.left.push(pid);
            let asked = self.asked.get(&found.identity);
            if asked.is_none() {
                swept.new.push(pid);
            }
            let sent = match asked {
                _ if late => handle.send(Signal::KILL),
                None => {
                    self.asked.insert(found.identity, now);
                    handle
                        .send(Signal::TERM)
                        .and_then(|_| handle.send(Signal::CONT))
                }
                Some(asked) if now.duration_since(*asked) >= PATIENCE => handle.send(Signal::KILL),
                Some(_) => Ok(true),
            };
            // One that may not be signalled stays in `left`, and is reported in the end.
            drop(sent);
        }
        swept
    }
}

impl Drop for Sweeper {
    /// Also where a supervisor could not begin.
    fn drop(&mut self) {
        self.finish();
    }
}
