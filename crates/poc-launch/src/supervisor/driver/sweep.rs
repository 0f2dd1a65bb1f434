//! Ending what participants left behind.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::Error;
use crate::process::{Found, Handle, Identity, Kind, Scope, Signal};
use crate::supervisor::of_participant;

/// From SIGTERM to SIGKILL. NVFlare's job processes end by themselves within a second of their
/// parent; whatever else there is gets as long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Remembers what it has asked to end.
#[derive(Default)]
pub(super) struct Sweeper {
    asked: HashMap<Identity, Instant>,
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
    /// Looks at everything in the scope, consoles (the user's) and supervisors excepted, and asks it
    /// to end, or ends it.
    pub(super) fn sweep(&mut self, scope: &Scope) -> Result<Swept, Error> {
        let found = scope.find()?;
        let targets = found
            .into_iter()
            .filter(|found| !matches!(found.kind, Kind::Console | Kind::Supervisor));
        Ok(self.end(targets))
    }

    /// The same for what one participant left behind.
    pub(super) fn sweep_participant(&mut self, scope: &Scope, name: &str) -> Result<Swept, Error> {
        let found = of_participant(scope.find()?, scope.kits.first(), name);
        Ok(self.end(found.into_iter()))
    }

    fn end(&mut self, targets: impl Iterator<Item = Found>) -> Swept {
        let mut swept = Swept::default();
        let now = Instant::now();
        for found in targets {
            let Ok(Some(handle)) = Handle::open(&found.identity) else {
                continue;
            };
            let pid = found.identity.pid;
            swept.left.push(pid);
            let sent = match self.asked.get(&found.identity) {
                None => {
                    swept.new.push(pid);
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
