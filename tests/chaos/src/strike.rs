//! What happens to a POC that runs, and what must hold afterwards.

use std::{collections::BTreeSet, fs::File, io::Write as _, thread, time::Duration};

use poc_launch::admin::Op;
use poc_tests::{SHORT, is_alive, send, wait_until};
use rustix::process::{Pid, Signal, getsid};
use serde_json::Value;

use crate::{
    draw::{Fault, Phase, Whom},
    expect::Does,
    round::{Round, SERVER_BACK, SITE_BACK},
    seen,
};

/// For what shows at once.
const SOON: Duration = Duration::from_secs(10);
/// A site that dies at every start is given up after some 20 s of delays and five starts.
const GIVEN_UP: Duration = Duration::from_secs(120);

pub(crate) const FORK_SERVER: &str = "poc-fork-server";
const ADMIN_HELPER: &str = "poc-admin";

/// What was killed at once.
#[derive(Debug, Default)]
struct Killed {
    /// Participants, with the processes that they were.
    participants: Vec<(String, u32)>,
    /// What these had started.
    their_own: BTreeSet<u32>,
    supervisor: bool,
    admin_helper: bool,
}

impl Round<'_> {
    /// Everything that comes while the POC runs, but for the last.
    pub(crate) fn strikes(&mut self) {
        let faults: Vec<&Fault> = self.draw.of_phase(Phase::Running).collect();
        let mut rest = faults.as_slice();
        while let Some(first) = rest.first() {
            let together = if self.draw.at_once {
                rest.iter()
                    .take_while(|fault| fault.is_kill())
                    .count()
                    .max(1)
            } else {
                1
            };
            let (now, later) = rest.split_at(together);
            if first.is_kill() {
                self.kill(now);
            } else {
                self.strike(first);
            }
            rest = later;
        }
    }

    pub(crate) fn strike(&mut self, fault: &Fault) {
        self.journal.did(fault.to_string());
        match fault {
            Fault::KilledDuringStop { whom, after } => self.kill_during_stop(*whom, *after),
            Fault::KillSupervisor { left: true } => self.kill_supervisor_for_good(),
            Fault::HaltSite { name, left } => self.halt_site(name, *left),
            Fault::HaltSupervisor { left } => self.halt_supervisor(*left),
            Fault::HaltForkServer { needed } => self.halt_fork_server(needed.as_deref()),
            Fault::Request { name, file } => self.request(name, file),
            Fault::CrashLoop { name } => self.crash_loop(name),
            Fault::FullDisk { name, left } => self.fill_disk(name, *left),
            other => panic!("{other} is nothing that strikes what runs"),
        }
    }

    // Kills

    /// Kills them one right after the other, and waits until all is well again.
    fn kill(&mut self, faults: &[&Fault]) {
        let mut killed = Killed::default();
        if faults
            .iter()
            .any(|fault| matches!(fault, Fault::KillAdminHelper))
        {
            // Only one that was needed is there.
            self.ask_the_server(SHORT);
        }
        for fault in faults {
            self.journal.did(fault.to_string());
            match fault {
                Fault::Kill { name } => self.kill_participant(name, &mut killed),
                Fault::KillSupervisor { .. } => self.kill_supervisor(&mut killed),
                Fault::KillForkServer => self.kill_fork_server(),
                Fault::KillAdminHelper => {
                    killed.admin_helper = self.kill_helper(ADMIN_HELPER).is_some();
                }
                other => panic!("{other} is no kill"),
            }
        }
        let server = killed.participants.iter().any(|(name, _)| name == "server");
        let limit = if server { SERVER_BACK } else { SITE_BACK };
        if killed.supervisor {
            self.start_again(server);
        }
        self.settle(limit);
        self.check_kills(&killed);
        if killed.admin_helper {
            self.ask_the_server(limit);
        }
    }

    fn kill_participant(&mut self, name: &str, killed: &mut Killed) {
        let Some(pid) = self.status().participants[name].pid else {
            self.journal.saw("nobody to kill", name);
            return;
        };
        let mut their_own = seen::of_participant(self.stage, name, "worker_process");
        their_own.extend(seen::of_participant(self.stage, name, "runner_process"));
        send(pid, Signal::KILL);
        killed.their_own.extend(their_own);
        killed.participants.push((name.to_owned(), pid));
        let supervised = !killed.supervisor;
        let expected = self.expected.of(name);
        expected.dead.insert(pid);
        expected.does = Does::Run;
        expected.pid = None;
        expected.restarts = expected
            .restarts
            .filter(|_| supervised)
            .map(|restarts| restarts + 1);
    }

    fn kill_supervisor(&mut self, killed: &mut Killed) {
        let Some(pid) = self.expected.supervisor.take() else {
            return;
        };
        self.wake_up_those_in_its_session();
        send(pid, Signal::KILL);
        killed.supervisor = true;
        // Whether it still saw the deaths before its own is a matter of luck.
        for (name, _) in &killed.participants {
            self.expected.of(name).restarts = None;
        }
    }

    /// The kernel ends a halted process whose group becomes an orphan: one that was executed, since it
    /// has no session of its own.
    fn wake_up_those_in_its_session(&mut self) {
        for expected in self.expected.participants.values_mut() {
            let pid = expected.pid.filter(|_| expected.does == Does::Halt);
            if let Some(pid) = pid.filter(|pid| !leads_a_session(*pid)) {
                send(pid, Signal::CONT);
                expected.does = Does::Run;
            }
        }
    }

    fn kill_fork_server(&mut self) {
        self.fork_server_killed = self.kill_helper(FORK_SERVER);
    }

    fn kill_helper(&mut self, mark: &str) -> Option<u32> {
        let pid = seen::helper(self.stage, mark);
        match pid {
            Some(pid) => send(pid, Signal::KILL),
            None => self.journal.saw("nobody to kill", mark),
        }
        pid
    }

    /// The supervisor is dead: that shows, and changes nothing; then a start takes over what lives.
    fn start_again(&mut self, server: bool) {
        self.supervisor_is_missed();
        let halted = self
            .expected
            .participants
            .values()
            .any(|it| it.does == Does::Halt);
        // One that is halted cannot register with another server.
        let late = server && halted;
        let timeout = if late { "10" } else { "60" };
        let output = self.poc(&["start", "--spawn", self.draw.spawn, "--timeout", timeout]);
        let fine = output.exit == Some(0) || late && output.exit == Some(2);
        assert!(
            fine,
            "a start without a supervisor: {}",
            output.transcript()
        );
    }

    fn supervisor_is_missed(&mut self) {
        let (world, expected) = (&self.stage.world, &self.expected);
        let status = wait_until(SOON, || {
            let status = seen::Status::of(world);
            match status.supervisor {
                None => Ok(status),
                Some(pid) => Err(format!(
                    "the supervisor {pid} was killed, and is still shown"
                )),
            }
        });
        for (name, expected) in &expected.participants {
            let seen = status.participants[name].pid;
            assert!(
                expected.pid.is_none() || seen == expected.pid,
                "{name} is {seen:?} now"
            );
        }
        if expected.participants.values().any(|it| it.pid.is_some()) {
            assert!(status.warns_of("supervisor is gone"), "{}", status.all);
        }
        self.note_status(&status);
    }

    /// What the event log says of the deaths, and that nothing of the dead is left.
    fn check_kills(&mut self, killed: &Killed) {
        let events = seen::events(&self.stage.workspace().events_file());
        for (name, pid) in &killed.participants {
            let at = events.iter().position(|event| {
                event["event"] == "exited" && event["name"] == name.as_str() && event["pid"] == *pid
            });
            match at {
                Some(at) => {
                    let status = &events[at]["status"];
                    // How a process ends is seen by its own parent alone.
                    let adopted = events[..at]
                        .iter()
                        .any(|event| event["event"] == "adopted" && event["pid"] == *pid);
                    assert!(
                        adopted || *status == "signal 9 (SIGKILL)",
                        "{name} ended by {status}"
                    );
                    let again = events[at..]
                        .iter()
                        .any(|event| event["event"] == "started" && event["name"] == name.as_str());
                    assert!(again, "no event says that {name} was started again");
                }
                None => assert!(killed.supervisor, "no event says that {name} died"),
            }
        }
        let stage = &*self.stage;
        wait_until(SOON, || {
            let left: Vec<_> = stage
                .world
                .processes()
                .into_iter()
                .filter(|one| killed.their_own.contains(&one.pid))
                .collect();
            left.is_empty()
                .then_some(())
                .ok_or_else(|| format!("jobs of processes that were killed: {left:?}"))
        });
        if !killed.participants.is_empty()
            && let Some(dead) = self.fork_server_killed.take()
        {
            let now = seen::helper(self.stage, FORK_SERVER);
            assert!(
                now.is_some_and(|now| now != dead),
                "the fork server was not replaced"
            );
        }
    }

    /// An admin operation works, with the helper that is there or with another one.
    fn ask_the_server(&mut self, limit: Duration) {
        let this = &*self;
        let answer = wait_until(limit, || this.admin(|ask| ask(&Op::SystemInfo {})));
        self.journal.saw("system info", answer);
    }

    fn kill_supervisor_for_good(&mut self) {
        let mut killed = Killed::default();
        self.kill_supervisor(&mut killed);
        self.supervisor_is_missed();
    }

    /// A stop that is disturbed. Whatever comes of it, the next one must leave nothing.
    fn kill_during_stop(&mut self, whom: Whom, after: Duration) {
        let stop = self.stage.world.poc(["stop"]).spawn();
        // The moment is drawn: there is no condition to wait for.
        thread::sleep(after);
        match (whom, self.expected.supervisor.take()) {
            (Whom::Supervisor, Some(pid)) if is_alive(pid) => send(pid, Signal::KILL),
            (Whom::Supervisor, _) => {}
            _ => stop.signal(Signal::KILL),
        }
        let stop = stop.wait();
        self.ended(&stop);
        if whom == Whom::Supervisor {
            // It goes on by itself.
            stop.success();
        }
    }

    // Halts

    fn halt_site(&mut self, name: &str, left: bool) {
        let Some(pid) = self.expected.of(name).pid else {
            return;
        };
        send(pid, Signal::STOP);
        self.expected.of(name).does = Does::Halt;
        self.settle(SOON);
        if !left {
            send(pid, Signal::CONT);
            self.expected.of(name).does = Does::Run;
            self.settle(SITE_BACK);
        }
    }

    fn halt_supervisor(&mut self, left: bool) {
        let Some(pid) = self.expected.supervisor else {
            return;
        };
        halt(pid);
        let status = self.status();
        self.note_status(&status);
        assert!(status.warns_of("does not answer"), "{}", status.all);
        for (name, expected) in &self.expected.participants {
            assert_eq!(status.participants[name].pid, expected.pid, "{name}");
        }
        if !left {
            send(pid, Signal::CONT);
            self.settle(SOON);
        }
    }

    fn halt_fork_server(&mut self, needed: Option<&str>) {
        let Some(pid) = seen::helper(self.stage, FORK_SERVER) else {
            self.journal.saw("nobody to halt", FORK_SERVER);
            return;
        };
        halt(pid);
        self.settle(SOON);
        let Some(name) = needed else {
            send(pid, Signal::CONT);
            return;
        };
        // It is given up after a while, and the site comes back without it, or from another one.
        let mut killed = Killed::default();
        self.kill_participant(name, &mut killed);
        if self.draw.spawn == "fork" {
            // Without is not allowed: the start fails, and the next one is another restart.
            self.expected.of(name).restarts = None;
        }
        self.settle(SITE_BACK + SITE_BACK);
        self.check_kills(&killed);
        assert!(!is_alive(pid), "the halted fork server {pid} was kept");
    }

    // Requests and crashes

    fn request(&mut self, name: &str, file: &str) {
        let kit = self.stage.world.kit(name);
        let expected = self.expected.of(name);
        let old = expected.pid.take();
        expected.dead.extend(old);
        expected.does = if file == "restart.fl" {
            Does::Run
        } else {
            Does::Rest
        };
        fs_err::write(kit.join(file), "").unwrap();
        self.settle(SITE_BACK);
        assert!(
            !kit.join(file).exists(),
            "{file} is left in the kit of {name}"
        );
        if file == "shutdown.fl" {
            self.check_at_rest(name);
            self.start_one(name);
        }
    }

    fn check_at_rest(&self, name: &str) {
        for file in ["pid.fl", "daemon_pid.fl", "shutdown.fl"] {
            let path = self.stage.world.kit(name).join(file);
            assert!(!path.exists(), "{file} of {name} is left");
        }
    }

    /// Starts one that does not run, and waits for it.
    fn start_one(&mut self, name: &str) {
        let output = self.poc(&["start", "-p", name, "--timeout", "60"]);
        output.success();
        let expected = self.expected.of(name);
        expected.does = Does::Run;
        expected.pid = None;
        expected.restarts = Some(0);
        self.settle(SITE_BACK);
    }

    fn crash_loop(&mut self, name: &str) {
        self.stage.teach(name, "crash");
        let before = seen::events(&self.stage.workspace().events_file()).len();
        let expected = self.expected.of(name);
        if let Some(pid) = expected.pid.take() {
            send(pid, Signal::KILL);
        }
        expected.does = Does::Fail;
        expected.restarts = None;
        self.settle(GIVEN_UP);
        let events = seen::events(&self.stage.workspace().events_file());
        let of = |kind: &str| {
            let wanted = |event: &&Value| event["event"] == kind && event["name"] == name;
            events[before..].iter().filter(wanted).collect::<Vec<_>>()
        };
        // Restarts of this round before that count too.
        let restarts = of("restarting").len();
        assert!((1..=5).contains(&restarts), "{restarts} restarts");
        let gave_up = of("gave_up");
        assert_eq!(gave_up.len(), 1);
        let tail = gave_up[0]["tail"].to_string();
        assert!(
            tail.contains("crashing on purpose"),
            "its last words: {tail}"
        );
        self.stage.unlearn(name, "crash");
        self.start_one(name);
    }

    // The disk

    /// Nothing can be written while a site is stopped; nobody minds, and no file is cut to nothing.
    fn fill_disk(&mut self, name: &str, left: bool) {
        if !self.stage.has_small_disk() {
            return;
        }
        let ballast = self.stage.world.workspace().join("ballast");
        fill(&ballast);
        self.settle(SOON);
        let output = self.poc(&["stop", "-p", name]);
        output.success();
        let expected = self.expected.of(name);
        expected.does = Does::Rest;
        expected.pid = None;
        expected.restarts = None;
        self.settle(SOON);
        let output = self.poc(&["start", "-p", name, "--format", "json"]);
        assert_eq!(output.code(1).error_code(), "IO_ERROR");
        assert!(
            output.text().contains(" is full"),
            "{}",
            output.transcript()
        );
        self.settle(SOON);
        self.check_files_are_whole();
        if left {
            return;
        }
        fs_err::remove_file(&ballast).unwrap();
        self.check_at_rest(name);
        self.start_one(name);
    }

    fn check_files_are_whole(&self) {
        let workspace = self.stage.workspace();
        for file in [
            workspace.plan_file(),
            workspace.poc_dir().join("state.json"),
        ] {
            let bytes = fs_err::read(&file).unwrap();
            let parsed: Result<Value, _> = serde_json::from_slice(&bytes);
            assert!(parsed.is_ok(), "{file} is no JSON any more: {parsed:?}");
        }
        for (name, expected) in &self.expected.participants {
            if let Some(pid) = expected.pid {
                let file = self.stage.world.kit(name).join("pid.fl");
                assert_eq!(
                    fs_err::read_to_string(&file).unwrap().trim(),
                    pid.to_string()
                );
            }
        }
        assert!(seen::cookie(self.stage).is_some_and(|cookie| cookie.len() == 36));
    }
}

fn leads_a_session(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| getsid(Some(pid)) == Ok(pid))
}

/// Halts a process, and waits until it is.
fn halt(pid: u32) {
    send(pid, Signal::STOP);
    wait_until(SOON, || {
        let halted = seen::is_halted(pid);
        halted
            .then_some(())
            .ok_or_else(|| format!("process {pid} is not halted"))
    });
}

/// Writes until there is no room for another byte.
fn fill(path: &camino::Utf8Path) {
    let mut file = File::create(path).unwrap();
    for block in [1 << 20, 4096, 1] {
        let block = vec![b'.'; block];
        while file.write_all(&block).is_ok() {}
    }
}
