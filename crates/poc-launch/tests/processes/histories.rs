//! The random histories that the core is tested with, against real processes.
//!
//! One of the deeds has no counterpart here: nobody can make a process that outlives SIGKILL.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use poc_core::Cancel;
use poc_core::env::Env;
use poc_launch::process::{Identity, Kind, Signal};
use poc_launch::supervisor::Happening;
use poc_launch::{Error, StopOptions};
use proptest::test_runner::{Config, TestRunner};

use crate::history::{Deed, NAMES, deeds};
use crate::poc::{Poc, STAY, comes_up, signal};

crate::tests![whatever_happened_a_stop_ends_everything];

/// So many histories, unless `POC_HISTORIES` says another number. Each takes some seconds.
const HISTORIES: u32 = 2;
/// No pause is longer: what takes the core minutes takes the scripts milliseconds.
const LONGEST_PAUSE: u32 = 150;

fn whatever_happened_a_stop_ends_everything() {
    let env = Env::from_process();
    let cases = env.text("POC_HISTORIES").map(|text| text.parse().unwrap());
    let config = Config {
        cases: cases.unwrap_or(HISTORIES),
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&deeds(), |history| {
        play(&history);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn play(history: &[(u32, Deed)]) {
    let poc = poc();
    for (pause, deed) in history {
        std::thread::sleep(Duration::from_millis(LONGEST_PAUSE.min(*pause).into()));
        does(&poc, deed);
        check_that_none_is_there_twice(&poc);
    }
    poc.stop_all();
    check_what_was_told(&poc);
}

fn poc() -> Poc {
    let mut poc = Poc::new(NAMES.len() - 1);
    for name in NAMES {
        let script = format!(
            "[ ! -e fails ] || exit 7; \
             [ ! -e deaf ] || trap '' TERM; \
             if [ -e litters ]; then setsid sleep 600 & fi; \
             {}; {STAY}",
            comes_up(&poc.kit(name))
        );
        poc = poc.script(name, &script);
    }
    poc
}

fn does(poc: &Poc, deed: &Deed) {
    let names = |indices: &[usize]| -> Vec<&str> { indices.iter().map(|it| NAMES[*it]).collect() };
    match deed {
        Deed::Start(indices) => {
            let plan = poc.only(&names(indices));
            match poc.start_with(plan, false, false).0 {
                Ok(_) | Err(
                    Error::AllRunning { .. }
                    | Error::AlreadyRunning { .. }
                    | Error::StopWon { .. }
                    | Error::StartFailed { .. }
                    // It was just leaving.
                    | Error::SupervisorUnreachable { .. },
                ) => {}
                Err(error) => panic!("{error}"),
            }
        }
        Deed::Stop(indices, wait) => {
            let names = indices.as_deref().map(names);
            let options = StopOptions {
                names: names.map(|names| names.into_iter().map(str::to_owned).collect()),
                wait: *wait,
                timeout: Duration::from_secs(60),
                python: None,
                cancel: &Cancel::new(),
            };
            let stopped = poc.federation().stop(&options, &mut |_| {});
            match stopped {
                Ok(stopped) => assert!(!wait || stopped.survivors.is_empty(), "{stopped:?}"),
                Err(Error::SupervisorUnreachable { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        // Where no supervisor runs there is nobody to ask.
        Deed::Restart(index) => drop(poc.federation().restart(NAMES[*index])),
        Deed::File {
            name,
            restart,
            leaving,
        } => {
            let kit = poc.kit(NAMES[*name]);
            if *leaving {
                logs(poc, *name, "ClientEngine - INFO - Client shutdown...");
            }
            let file = if *restart {
                kit.restart_file()
            } else {
                kit.shutdown_file()
            };
            fs_err::write(file, "").unwrap();
        }
        Deed::Dies(index) => {
            let pid = poc.of(NAMES[*index]).pid;
            if let Some(identity) = pid.and_then(Identity::of) {
                signal(&identity, Signal::KILL);
            }
        }
        Deed::LaunchesFail(index, fails) => mark(poc, *index, "fails", *fails),
        Deed::Deaf(index, deaf) => mark(poc, *index, "deaf", *deaf),
        Deed::Litters(index, litters) => mark(poc, *index, "litters", *litters),
        Deed::Underway(index) => logs(poc, *index, "x - INFO - Connector [C] is starting"),
        Deed::Ready(index) => {
            let line = if *index == 0 {
                "x - INFO - Server started"
            } else {
                "x - INFO - Successfully registered client:x for project example_project."
            };
            logs(poc, *index, line);
        }
        Deed::WorkspaceGone | Deed::Undying(..) | Deed::Aborted => {}
    }
}

/// As if it had written this line.
fn logs(poc: &Poc, index: usize, line: &str) {
    let log = poc.kit(NAMES[index]).console_log();
    let file = fs_err::OpenOptions::new().append(true).open(log);
    // Before its first start it has no log.
    if let Ok(mut file) = file {
        writeln!(file, "t - {line}").unwrap();
    }
}

/// Tells the next process of this participant.
fn mark(poc: &Poc, index: usize, what: &str, there: bool) {
    let file = poc.kit(NAMES[index]).dir.join(what);
    if there {
        fs_err::write(file, "").unwrap();
    } else {
        fs_err::remove_file(file).ok();
    }
}

fn check_that_none_is_there_twice(poc: &Poc) {
    let mut found = poc.processes();
    found.retain(|it| matches!(it.kind, Kind::Server | Kind::Client));
    let pids: Vec<u32> = found.iter().map(|it| it.identity.pid).collect();
    // A shell that is about to become another program still looks like its parent.
    found.retain(|it| {
        let parent = it.identity.parent();
        parent.is_some_and(|parent| !pids.contains(&parent))
    });
    for name in NAMES {
        let kit = poc.kit(name).dir;
        let its = found.iter().filter(|it| it.kit.as_ref() == Some(&kit));
        assert!(its.clone().count() <= 1, "{:?}", its.collect::<Vec<_>>());
    }
}

/// What is known of a participant from the events so far.
#[derive(Debug, Default)]
struct Told {
    pid: Option<u32>,
    wanted: bool,
    stopping: bool,
    restarts: usize,
}

/// The event log explains every process: one at a time, none after a stop, at most five restarts of
/// one start (no history lasts for 300 s).
fn check_what_was_told(poc: &Poc) {
    let mut all = BTreeMap::from(NAMES.map(|name| (name, Told::default())));
    let events = poc.federation().events().unwrap();
    for (at, entry) in events.iter().enumerate() {
        for (name, told) in &mut all {
            if let Err(what) = told.take(name, &entry.happening) {
                let before = &events[at.saturating_sub(20)..=at];
                panic!("{name}: {what}: {before:#?}");
            }
        }
    }
    for (name, told) in all {
        assert_eq!(told.pid, None, "{name} never ended");
    }
}

impl Told {
    fn take(&mut self, me: &str, happening: &Happening) -> Result<(), &'static str> {
        let check = |holds: bool, what| if holds { Ok(()) } else { Err(what) };
        match happening {
            Happening::Request { op, names, .. } => {
                let all = op == "stop" && names.is_empty();
                if all || names.iter().any(|name| name == me) {
                    self.is_requested(op);
                }
                Ok(())
            }
            Happening::Started { name, pid } if name == me => {
                let was = self.pid.replace(*pid);
                check(self.wanted, "started after its stop")?;
                check(was.is_none(), "two processes")
            }
            Happening::Exited { name, pid, .. } if name == me => {
                check(self.pid.take() == Some(*pid), "another one ended")
            }
            Happening::Restarting { name, .. } if name == me => {
                self.restarts += 1;
                check(self.restarts <= 5, "too many restarts")
            }
            Happening::Stopping { name, reason } if name == me => {
                self.wanted &= reason != "shutdown.fl";
                self.stopping = !self.wanted;
                Ok(())
            }
            Happening::GaveUp { name, .. } if name == me => {
                self.wanted = false;
                Ok(())
            }
            Happening::Stopped { name } if name == me => {
                (self.wanted, self.stopping) = (false, false);
                check(self.pid.is_none(), "stopped, and lives")
            }
            _ => Ok(()),
        }
    }

    fn is_requested(&mut self, op: &str) {
        match op {
            "stop" => self.wanted = false,
            // A stop is not taken back.
            _ if self.stopping => {}
            _ => {
                if op == "start" && !self.wanted {
                    self.restarts = 0;
                }
                self.wanted = true;
            }
        }
    }
}
