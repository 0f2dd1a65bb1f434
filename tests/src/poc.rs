//! What a test asks about a POC, and does to its processes.

use std::{ffi::OsStr, path::Path, time::Duration};

use procfs::{
    net::{TcpState, tcp, tcp6},
    process::all_processes,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{Decoys, Output, PocTest, decoys::DECOY, wait_for};

/// Sends a signal to a process of the test's.
///
/// # Panics
///
/// Where there is none of that number.
#[track_caller]
pub fn send(pid: u32, signal: Signal) {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
    if let Err(error) = kill_process(number, signal) {
        panic!("{signal:?} to process {pid}: {error}");
    }
}

/// Whether there is such a process, and it is no zombie.
pub fn is_alive(pid: u32) -> bool {
    let process = i32::try_from(pid).ok().map(procfs::process::Process::new);
    let stat = process.and_then(|process| process.ok()?.stat().ok());
    stat.is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

impl PocTest {
    /// Prepares a POC with so many sites, on this world's port.
    #[track_caller]
    pub fn prepare(&self, sites: u32) {
        let (sites, port) = (sites.to_string(), self.port().to_string());
        self.poc(["prepare", "-n", &sites, "--ports", &port])
            .success();
    }

    /// What `poc status` knows.
    #[track_caller]
    pub fn status(&self) -> Value {
        self.poc(["status", "--format", "json"]).success().data()
    }

    /// What it knows of one participant.
    #[track_caller]
    pub fn participant(&self, name: &str) -> Value {
        let status = self.status();
        let all = status["participants"].as_array().unwrap();
        let its = all.iter().find(|one| one["name"] == name).cloned();
        its.unwrap_or_else(|| panic!("no {name} in {status}"))
    }

    /// The process of a participant that runs.
    #[track_caller]
    pub fn pid(&self, name: &str) -> u32 {
        let its = self.participant(name);
        number(&its["pid"]).unwrap_or_else(|| panic!("no process: {its}"))
    }

    /// The supervisor's process.
    #[track_caller]
    pub fn supervisor(&self) -> u32 {
        let status = self.status();
        number(&status["supervisor"]).unwrap_or_else(|| panic!("no supervisor: {status}"))
    }

    /// The event log, the oldest first.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let data = self.poc(["events", "--format", "json"]).success().data();
        data["events"].as_array().unwrap().clone()
    }

    /// The events of one kind, the oldest first.
    #[track_caller]
    pub fn told(&self, event: &str) -> Vec<Value> {
        let mut events = self.events();
        events.retain(|one| one["event"] == event);
        events
    }

    /// Sends a signal to a participant, and says which process got it.
    #[track_caller]
    pub fn signal(&self, name: &str, signal: Signal) -> u32 {
        let pid = self.pid(name);
        send(pid, signal);
        pid
    }

    /// Kills the supervisor and waits until it is dead.
    #[track_caller]
    pub fn kill_supervisor(&self) {
        let supervisor = self.supervisor();
        send(supervisor, Signal::KILL);
        wait_for("the supervisor is dead", crate::SHORT, || {
            (!is_alive(supervisor)).then_some(())
        });
    }

    /// Waits until a participant runs as another process than `old`, and is up or registered.
    #[track_caller]
    pub fn wait_again(&self, name: &str, old: u32, limit: Duration) -> Value {
        wait_for(&format!("{name} is there again"), limit, || {
            let now = self.participant(name);
            let another = number(&now["pid"]).is_some_and(|pid| pid != old);
            // A server registers nowhere.
            let registered = now["registered"] == true || now["role"] == "server";
            (another && registered && now["state"] == "running").then_some(now)
        })
    }

    /// Waits until these sites are registered.
    #[track_caller]
    pub fn wait_registered(&self, sites: &[&str], limit: Duration) {
        wait_for(&format!("{sites:?} are registered"), limit, || {
            let status = self.status();
            let all = status["participants"].as_array()?;
            let is_registered = |name: &&str| {
                let mut its = all.iter().filter(|one| one["name"] == **name);
                its.any(|one| one["registered"] == true)
            };
            sites.iter().all(is_registered).then_some(())
        });
    }

    /// The cookie that this workspace's processes carry.
    pub fn cookie(&self) -> Option<String> {
        let file = self.workspace().join(".poc/instance");
        let text = fs_err::read_to_string(self.seen(&file)).ok()?;
        text.lines().next().map(str::to_owned)
    }

    /// `poc stop`, after which nothing is left: no process by kit path, directory or environment, none
    /// with the cookie, no pid file, no socket, no listener, while all strangers live on.
    #[track_caller]
    pub fn stop_leaves_nothing(&self, decoys: &mut Decoys) -> Output {
        let cookie = self.cookie();
        let stopped = self.poc(["stop"]).success();
        self.assert_is_over(cookie.as_deref(), decoys);
        let status = self.status();
        assert_eq!(status["state"], "stopped", "{status}");
        stopped
    }

    /// The same after whatever else has ended everything.
    #[track_caller]
    pub fn assert_is_over(&self, cookie: Option<&str>, decoys: &mut Decoys) {
        self.assert_nothing_left();
        if let Some(cookie) = cookie {
            assert_eq!(with_cookie(cookie), [0; 0], "processes carry the cookie");
        }
        assert!(!listens(self.port()), "port {} is still open", self.port());
        decoys.assert_unharmed();
    }

    /// Strangers beside this world's POC.
    pub fn decoys(&self) -> Decoys {
        Decoys::around(self, self.decoy_program())
    }

    /// Gives a participant a component that does what [`PocTest::habits`] says, each time that NVFlare
    /// builds its processes.
    pub fn misbehaves(&self, name: &str, habits: &str) {
        let local = self.kit(name).join("local");
        let custom = local.join("custom");
        fs_err::create_dir_all(&custom).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/misbehave.py");
        fs_err::copy(source, custom.join("misbehave.py")).unwrap();
        self.habits(name, habits);
        let component = serde_json::json!({
            "id": "misbehave", "path": "misbehave.Misbehave", "args": {},
        });
        self.add_component(name, component);
    }

    /// Sets the habits of one that misbehaves, from its next start on: words of
    /// `tests/python/misbehave.py`.
    pub fn habits(&self, name: &str, habits: &str) {
        fs_err::write(self.kit(name).join("local/habits"), habits).unwrap();
    }

    /// Adds a component to a participant's resources.
    pub fn add_component(&self, name: &str, component: Value) {
        let local = self.kit(name).join("local");
        let ours = local.join("resources.json");
        // Ours wins over the default; what that holds besides is kept.
        let text = fs_err::read_to_string(&ours)
            .or_else(|_| fs_err::read_to_string(local.join("resources.json.default")));
        let mut resources: Value = serde_json::from_str(&text.unwrap()).unwrap();
        resources["components"]
            .as_array_mut()
            .unwrap()
            .push(component);
        fs_err::write(&ours, resources.to_string()).unwrap();
    }
}

fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

/// The processes that have this cookie in their environment, strangers aside that have it by chance.
fn with_cookie(cookie: &str) -> Vec<u32> {
    let all = all_processes().unwrap().filter_map(Result::ok);
    let carries = |process: &procfs::process::Process| {
        let environment = process.environ().ok()?;
        let value = environment.get(OsStr::new("POC_INSTANCE"))?;
        Some(value.to_string_lossy() == cookie && !environment.contains_key(OsStr::new(DECOY)))
    };
    all.filter(|process| carries(process) == Some(true))
        .map(|process| process.pid.unsigned_abs())
        .collect()
}

/// Whether anybody listens on a port.
fn listens(port: u16) -> bool {
    let entries = tcp().unwrap().into_iter().chain(tcp6().unwrap_or_default());
    entries
        .filter(|entry| entry.state == TcpState::Listen)
        .any(|entry| entry.local_address.port() == port)
}
