//! Ending a set of processes, and proving that it is empty.
//!
//! SIGTERM first (and SIGCONT to what is halted), SIGKILL after a while, and a look at what there is between the steps: a process
//! that is about to end may start another, and a watchdog may start the next server just before it
//! ends itself.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Found, Handle, Kind, wait_all};
use crate::Error;

/// How often the set is looked at while it ends. Children are only known as such while their parent
/// lives, so what appears has to be seen soon.
const LOOK: Duration = Duration::from_millis(50);

/// How long each step may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    /// From SIGTERM to SIGKILL. Zero: SIGKILL at once.
    pub term: Duration,
    /// From SIGKILL to giving up: only a process that the kernel itself holds fast survives that.
    pub kill: Duration,
}

impl Default for Grace {
    /// 5 s each: NVFlare's Python has no SIGTERM handler and ends at once.
    fn default() -> Self {
        Self {
            term: Duration::from_secs(5),
            kill: Duration::from_secs(5),
        }
    }
}

/// What happens while a set of processes is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LadderEvent {
    /// SIGTERM was sent.
    Terminating(Found),
    /// It did not end in time: SIGKILL was sent.
    Killing(Found),
    /// It has ended.
    Gone(Found),
}

/// How it came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// The processes that have ended.
    pub gone: Vec<Found>,
    /// Those that have not.
    pub survivors: Vec<Survivor>,
    /// FLARE consoles of the workspace, which are left alone.
    pub consoles: Vec<Found>,
}

/// A process that could not be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// The process.
    pub found: Found,
    /// Why it is still there.
    pub reason: String,
}

struct Rung {
    found: Found,
    handle: Handle,
    /// When it gets, or got, SIGKILL.
    kill_at: Instant,
    killed: bool,
    refused: Option<String>,
}

/// Ends every process that `find` finds, FLARE consoles excepted, and looks again until two looks in a
/// row find nothing. `find` is [`super::Scope::find`] or a part of it (one kit's processes).
///
/// # Errors
///
/// [`Error::Io`] where processes cannot be looked for. One that may not be signalled is a survivor,
/// not an error.
pub fn end(
    find: &mut dyn FnMut() -> Result<Vec<Found>, Error>,
    grace: Grace,
    events: &mut dyn FnMut(LadderEvent),
) -> Result<Ended, Error> {
    let mut rungs: Vec<Rung> = Vec::new();
    let mut ended = Ended::default();
    let mut empty_looks = 0;
    // New processes may keep coming, but not for ever.
    let give_up = Instant::now() + grace.term + grace.kill * 2;
    while empty_looks < 2 {
        let (consoles, mut targets): (Vec<_>, Vec<_>) = find()?
            .into_iter()
            .partition(|found| found.kind == Kind::Console);
        ended.consoles = consoles;
        targets.retain(|found| {
            rungs
                .iter()
                .all(|rung| rung.found.identity != found.identity)
        });
        // Watchdogs first, so that they do not start again what ends next.
        targets.sort_by_key(|found| !matches!(found.kind, Kind::Supervisor | Kind::Watchdog));
        for found in targets {
            if let Some(handle) = Handle::open(&found.identity)? {
                rungs.push(Rung::step_on(found, handle, grace, events));
            }
        }
        if rungs.is_empty() {
            empty_looks += 1;
            continue;
        }
        empty_looks = 0;
        for rung in &mut rungs {
            rung.climb(events);
        }
        let handles: Vec<&Handle> = rungs.iter().map(|rung| &rung.handle).collect();
        let alive = wait_all(&handles, Instant::now() + LOOK)?;
        let mut index = 0;
        for rung in rungs.extract_if(.., |_| {
            index += 1;
            !alive.contains(&(index - 1))
        }) {
            events(LadderEvent::Gone(rung.found.clone()));
            ended.gone.push(rung.found);
        }
        let now = Instant::now();
        let lost = |rung: &Rung| rung.killed && rung.kill_at + grace.kill <= now;
        if !rungs.is_empty() && rungs.iter().all(lost) || now >= give_up {
            break;
        }
    }
    ended.survivors = rungs.into_iter().map(Rung::into_survivor).collect();
    Ok(ended)
}

impl Rung {
    fn step_on(
        found: Found,
        handle: Handle,
        grace: Grace,
        events: &mut dyn FnMut(LadderEvent),
    ) -> Self {
        let mut rung = Self {
            found,
            handle,
            kill_at: Instant::now() + grace.term,
            killed: false,
            refused: None,
        };
        if !grace.term.is_zero() {
            events(LadderEvent::Terminating(rung.found.clone()));
            rung.send(Signal::TERM);
            // What is halted would only take notice once it goes on.
            if matches!(rung.found.identity.stat(), Some(stat) if stat.state == 'T') {
                rung.send(Signal::CONT);
            }
        }
        rung
    }

    fn climb(&mut self, events: &mut dyn FnMut(LadderEvent)) {
        if !self.killed && self.kill_at <= Instant::now() {
            events(LadderEvent::Killing(self.found.clone()));
            self.send(Signal::KILL);
            self.killed = true;
        }
    }

    fn send(&mut self, signal: Signal) {
        self.refused = self
            .handle
            .send(signal)
            .err()
            .map(|error| error.to_string());
    }

    fn into_survivor(self) -> Survivor {
        let reason = self.refused.unwrap_or_else(|| {
            match self.found.identity.stat().map(|stat| stat.state) {
                Some('D') => {
                    "the kernel is in the middle of something on its behalf and does not let it end"
                        .to_owned()
                }
                _ => "it did not end after SIGKILL".to_owned(),
            }
        });
        Survivor {
            found: self.found,
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command, Stdio};

    use poc_core::env;

    use super::super::Scope;
    use super::*;

    /// A shell with a cookie of its own, and the scope that finds it.
    fn shell(script: &str) -> (Child, Scope) {
        let cookie = procfs::sys::kernel::random::uuid()
            .unwrap()
            .trim()
            .to_owned();
        let child = Command::new("sh")
            .args(["-c", script])
            .env(env::POC_INSTANCE.name, &cookie)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        (
            child,
            Scope {
                cookie: Some(cookie),
                ..Scope::default()
            },
        )
    }

    /// Waits until the shell says that it is ready.
    fn ready(child: &mut Child) {
        let mut byte = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut byte).unwrap();
    }

    fn run(scope: &Scope, grace: Grace) -> (Ended, Vec<LadderEvent>) {
        let mut seen = Vec::new();
        let ended = end(&mut || scope.find(), grace, &mut |event| seen.push(event)).unwrap();
        (ended, seen)
    }

    fn brief() -> Grace {
        Grace {
            term: Duration::from_millis(200),
            kill: Duration::from_secs(10),
        }
    }

    #[test]
    fn nothing_to_end_is_soon_done() {
        let scope = Scope {
            cookie: Some("no such cookie".into()),
            ..Scope::default()
        };
        assert_eq!(
            run(&scope, Grace::default()),
            (Ended::default(), Vec::new())
        );
    }

    #[test]
    fn a_tree_with_sessions_of_its_own_ends_whole() {
        let (mut child, scope) = shell("setsid sleep 600 & sleep 600 & echo; wait");
        ready(&mut child);
        let (ended, _) = run(&scope, Grace::default());
        assert!(ended.survivors.is_empty());
        assert!(ended.gone.len() >= 3, "{ended:?}");
        assert!(scope.find().unwrap().is_empty());
        child.wait().unwrap();
    }

    #[test]
    fn what_ignores_sigterm_is_killed() {
        let (mut child, scope) = shell("trap '' TERM; echo; while :; do sleep 600; done");
        ready(&mut child);
        let (ended, events) = run(&scope, brief());
        assert!(ended.survivors.is_empty());
        assert!(
            events
                .iter()
                .any(|event| matches!(event, LadderEvent::Killing(_)))
        );
        assert!(scope.find().unwrap().is_empty());
        child.wait().unwrap();
    }

    #[test]
    fn what_starts_another_on_its_way_out_is_followed() {
        let (mut child, scope) = shell(
            "trap 'setsid sleep 600 & echo $!; exit' TERM; echo; while :; do sleep 0.01; done",
        );
        ready(&mut child);
        let (ended, _) = run(&scope, brief());
        let mut last_words = String::new();
        // All who could write are gone, so this ends.
        let output = child.stdout.as_mut().unwrap();
        std::io::Read::read_to_string(output, &mut last_words).unwrap();
        let heir: u32 = last_words.trim().parse().unwrap();
        let gone = |found: &Found| found.identity.pid == heir;
        assert!(ended.gone.iter().any(gone), "{ended:?}");
        assert!(scope.find().unwrap().is_empty());
        child.wait().unwrap();
    }

    #[test]
    fn a_stopped_process_is_ended_too() {
        let (mut child, scope) = shell("echo; exec sleep 600");
        ready(&mut child);
        let handle = Handle::open(&super::super::Identity::of(child.id()).unwrap())
            .unwrap()
            .unwrap();
        handle.send(Signal::STOP).unwrap();
        let (ended, events) = run(&scope, Grace::default());
        assert_eq!(ended.gone.len(), 1);
        let killed = |event: &LadderEvent| matches!(event, LadderEvent::Killing(_));
        assert!(!events.iter().any(killed), "it only had to be let go on");
        child.wait().unwrap();
    }
}
