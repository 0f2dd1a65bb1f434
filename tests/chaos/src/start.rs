//! Before the start, and the start, disturbed or not.

use std::{process::Command, thread, time::Duration};

use poc_core::workspace::Workspace;
use poc_launch::process::Identity;
use poc_tests::{Decoys, Output, is_alive, send, wait_until};
use rustix::process::Signal;
use serde_json::json;

use crate::{
    draw::{Fault, Habit, Holds, Phase, Whom},
    expect::Expected,
    round::{Round, SERVER_BACK, SITE_BACK},
    seen,
    stage::words,
    strike::FORK_SERVER,
};

/// A broken kit fails a start within.
const BROKEN: Duration = Duration::from_secs(15);
/// What the supervisor lets a log hold.
const LOG_CAP: u64 = 16 * 1024 * 1024;

impl Round<'_> {
    /// What lies there, or is broken, before anything is started.
    pub(crate) fn before(&mut self, fault: &Fault) {
        self.journal.did(fault.to_string());
        match fault {
            Fault::PidFile { kit, file, holds } => {
                let stranger = self.stage.decoys.pids()[1];
                let text = match holds {
                    Holds::Ended => format!("{}\n", ended()),
                    Holds::Nothing => String::new(),
                    Holds::Garbage => "12 thousand\n".to_owned(),
                    Holds::Stranger => format!("{stranger}\n"),
                };
                self.leave_file(kit, file, &text);
            }
            Fault::RequestLeft { kit, file } => {
                fs_err::write(self.stage.world.kit(kit).join(file), "").unwrap();
            }
            Fault::AnotherBoot => self.leave_another_boot(),
            Fault::Habit { kit, habit } => self.stage.teach(kit, words(*habit)),
            Fault::BrokenKit { kit } => self.start_broken(kit),
            other => panic!("{other} is nothing that comes before the start"),
        }
    }

    fn leave_file(&mut self, kit: &str, file: &str, text: &str) {
        let path = self.stage.world.kit(kit).join(file);
        fs_err::write(&path, text).unwrap();
        self.stale.push(path.into_string());
    }

    /// As if the machine had been switched off while everything ran. The numbers are those of strangers
    /// by now, the cookie is theirs too, and even the start times fit: only the boot differs.
    fn leave_another_boot(&mut self) {
        let workspace = self.stage.workspace();
        let of_another_boot = |identity: Identity| Identity {
            boot_id: "5c0c4bb2-0000-4000-8000-000000000000".to_owned(),
            ..identity
        };
        let strangers: Vec<Identity> = self
            .stage
            .decoys
            .pids()
            .into_iter()
            .map(|pid| of_another_boot(Identity::of(pid).unwrap()))
            .collect();
        let mut participants = serde_json::Map::new();
        for (name, identity) in self.names().into_iter().zip(&strangers) {
            for file in ["pid.fl", "daemon_pid.fl"] {
                self.leave_file(&name, file, &format!("{}\n", identity.pid));
            }
            let recorded = json!({"identity": identity, "restarts": 3, "ready": true});
            participants.insert(name, recorded);
        }
        let supervisor = strangers.last().unwrap();
        let record = json!({"supervisor": supervisor, "participants": participants});
        poc_core::fsio::create_dir_private(&workspace.poc_dir()).unwrap();
        fs_err::write(record_file(&workspace), record.to_string()).unwrap();
        let cookie = Decoys::COOKIE;
        let instance = format!("{cookie}\n{}\n", supervisor.boot_id);
        fs_err::write(workspace.instance_file(), instance).unwrap();
    }

    /// A start that must fail, with the parser's words, and leave nothing; then the kit is whole again.
    fn start_broken(&mut self, kit: &str) {
        let file = if kit == "server" {
            "fed_server.json"
        } else {
            "fed_client.json"
        };
        let path = self.stage.world.kit(kit).join("startup").join(file);
        let whole = fs_err::read(&path).unwrap();
        fs_err::write(&path, &whole[..whole.len() / 2]).unwrap();
        let output = self.poc(&["start", "--format", "json", "--timeout", "60"]);
        assert_eq!(output.code(1).error_code(), "START_FAILED");
        assert!(output.elapsed < BROKEN, "after {:?}", output.elapsed);
        let said = output.text();
        assert!(
            said.contains("JSON") || said.contains(file),
            "no parser's words: {said}"
        );
        self.check_stale(&output.stderr);
        self.check_nothing_left();
        fs_err::write(&path, whole).unwrap();
    }

    /// A start that nothing disturbs.
    pub(crate) fn start(&mut self) {
        let args = self.start_args();
        let output = self.poc(&args);
        output.success();
        self.check_stale(&output.stderr);
    }

    fn start_args(&self) -> [&'static str; 5] {
        ["start", "--spawn", self.draw.spawn, "--timeout", "60"]
    }

    /// What was said in a start that came to its end.
    fn check_stale(&mut self, said: &str) {
        for file in self.stale.drain(..) {
            assert!(
                said.contains(&file),
                "{file} was stale, and that is not said:\n{said}"
            );
        }
    }

    pub(crate) fn disturbed_start(&mut self, fault: &Fault) {
        self.journal.did(fault.to_string());
        match fault {
            Fault::TwoStarts => self.start_twice(),
            Fault::StopDuringStart { after } => self.stop_during_start(*after),
            Fault::KilledDuringStart { whom, after } => self.kill_during_start(*whom, *after),
            other => panic!("{other} is nothing that disturbs a start"),
        }
    }

    fn start_twice(&mut self) {
        let args = self.start_args();
        let both = [(); 2].map(|()| self.stage.world.poc(args).spawn());
        let outputs = both.map(|start| {
            let output = start.wait();
            self.ended(&output);
            output
        });
        let mut codes = outputs.each_ref().map(|output| output.exit);
        codes.sort_unstable();
        assert_eq!(codes, [Some(0), Some(4)], "two starts at once");
        let said: String = outputs.iter().map(Output::text).collect();
        self.check_stale(&said);
    }

    fn stop_during_start(&mut self, after: Duration) {
        let args = self.start_args();
        let start = self.stage.world.poc(args).spawn();
        // The moment is drawn: there is no condition to wait for.
        thread::sleep(after);
        let stop = self.poc(&["stop", "--format", "json"]);
        let start = start.wait();
        self.ended(&start);
        let stopped = stop.success().data();
        match start.exit {
            // It came before there was anything to stop, or after the start was over.
            Some(0) => {}
            Some(1) => {
                assert!(
                    start.stderr.contains("stop"),
                    "the start does not say why it failed:\n{}",
                    start.transcript()
                );
                self.check_nothing_left();
            }
            _ => panic!("a start that was stopped: {}", start.transcript()),
        }
        if stopped["nothing_ran"] == true && start.exit == Some(0) {
            self.check_stale(&start.stderr);
        } else {
            self.check_nothing_left();
            self.stale.clear();
            self.start();
        }
    }

    fn kill_during_start(&mut self, whom: Whom, after: Duration) {
        let args = self.start_args();
        let start = self.stage.world.poc(args).spawn();
        // The moment is drawn: there is no condition to wait for.
        thread::sleep(after);
        let word = match whom {
            Whom::Command => None,
            Whom::Supervisor => Some("__supervise"),
            Whom::ForkServer => Some(FORK_SERVER),
            Whom::Server => Some("server_train"),
            Whom::Site => Some("client_train"),
        };
        match word.map(|word| seen::helper(self.stage, word)) {
            None => start.signal(Signal::KILL),
            Some(Some(pid)) if is_alive(pid) => send(pid, Signal::KILL),
            Some(_) => self.journal.saw("nobody to kill", word),
        }
        let start = start.wait();
        self.ended(&start);
        // A participant that dies before it is ready takes the start with it, one that was ready not.
        let fine = match whom {
            Whom::Command => matches!(start.exit, None | Some(0)),
            Whom::ForkServer => start.exit == Some(0) || self.draw.spawn == "fork",
            Whom::Server | Whom::Site | Whom::Supervisor => matches!(start.exit, Some(0..=2)),
        };
        assert!(
            fine,
            "a start while {whom:?} was killed: {}",
            start.transcript()
        );
        let is_rolled_back = start.exit == Some(1) && whom != Whom::Supervisor;
        if is_rolled_back {
            self.check_nothing_left();
        }
        let again = self.poc(&args);
        assert!(
            matches!(again.exit, Some(0 | 4)),
            "a start after one that was disturbed: {}",
            again.transcript()
        );
        self.stale.clear();
    }

    /// All run and have registered, as processes of their own.
    pub(crate) fn all_run(&mut self) {
        let world = &self.stage.world;
        let ready = |expected: &Expected| expected.participants.values().all(|it| it.pid.is_some());
        self.expected = wait_until(SERVER_BACK, || {
            let status = seen::Status::of(world);
            let expected = Expected::now(&status);
            expected.compare(&status)?;
            let complete = ready(&expected) && expected.supervisor.is_some();
            complete
                .then_some(expected)
                .ok_or("somebody has no process".to_owned())
        });
        for (name, participant) in &self.expected.participants {
            // Whoever was killed in a start that did not mind was.
            let disturbed = self.draw.of_phase(Phase::Start).any(Fault::is_a_death);
            assert!(
                participant.restarts == Some(0) || disturbed,
                "{name} was restarted"
            );
            let pid = participant.pid.unwrap();
            assert!(
                !self.stage.decoys.pids().contains(&pid),
                "{name} is a stranger"
            );
            for (file, pid) in [
                ("pid.fl", Some(pid)),
                ("daemon_pid.fl", self.expected.supervisor),
            ] {
                let text = fs_err::read_to_string(world.kit(name).join(file)).unwrap();
                assert_eq!(text.trim().parse().ok(), pid, "{file} of {name}");
            }
            for file in ["shutdown.fl", "restart.fl"] {
                assert!(
                    !world.kit(name).join(file).exists(),
                    "{file} of {name} is left"
                );
            }
        }
        let cookie = seen::cookie(self.stage).unwrap();
        assert_ne!(
            cookie,
            Decoys::COOKIE,
            "the cookie of another boot is in use"
        );
        self.cookies.insert(cookie);
        self.check_singles();
        let status = self.status();
        self.note_status(&status);
    }

    /// What participants' own code does shows.
    pub(crate) fn habits(&mut self) {
        for fault in &self.draw.faults {
            let Fault::Habit { kit, habit } = fault else {
                continue;
            };
            let stage = &*self.stage;
            match habit {
                Habit::Deaf => {}
                Habit::Strays => wait_until(SITE_BACK, || {
                    let strays = seen::of_participant(stage, kit, "sleep 3600");
                    (strays.len() == 2)
                        .then_some(())
                        .ok_or_else(|| format!("{kit} has left {strays:?} behind"))
                }),
                Habit::Flood => {
                    let log = stage.world.kit(kit).join("poc_console.log");
                    let events = stage.workspace().events_file();
                    wait_until(SITE_BACK, || {
                        let length = fs_err::metadata(&log).map_or(0, |metadata| metadata.len());
                        let rotated = seen::events(&events).iter().any(|event| {
                            event["event"] == "log_rotated" && event["name"] == kit.as_str()
                        });
                        (rotated && length <= LOG_CAP)
                            .then_some(())
                            .ok_or_else(|| format!("the log of {kit} has {length} bytes"))
                    });
                }
            }
        }
    }
}

fn record_file(workspace: &Workspace) -> camino::Utf8PathBuf {
    workspace.poc_dir().join("state.json")
}

/// The number of a process that has ended.
fn ended() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}
