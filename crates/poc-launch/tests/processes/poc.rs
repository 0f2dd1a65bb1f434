//! A prepared POC in a directory of its own, whose participants are shell scripts.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::project::{Project, Role};
use poc_core::workspace::{Kit, Prepared, Workspace};
use poc_core::{Cancel, Line};
use poc_launch::plan::{LaunchPlan, ParticipantPlan, RestartPolicy, Spawn};
use poc_launch::process::{Found, Handle, Identity, Kind, Scope, Signal};
use poc_launch::{
    Error, Federation, LaunchEvent, ParticipantState, ParticipantStatus, StartOptions, Started,
    Status, StopOptions, Stopped,
};

/// First arguments with which this program is something else than the tests.
pub(crate) const SUPERVISE: &str = "__supervise";
pub(crate) const START: &str = "__start";
pub(crate) const FOREGROUND: &str = "__foreground";
pub(crate) const ASK: &str = "__ask";

/// What keeps a script alive until it is ended, without a process that outlives its group.
pub(crate) const STAY: &str = "while :; do sleep 600; done";

/// Longer than anything here takes, on however busy a machine.
const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Poc {
    dir: tempfile::TempDir,
    pub(crate) prepared: Prepared,
    pub(crate) plan: LaunchPlan,
    pub(crate) cancel: Cancel,
}

impl Poc {
    /// A server and so many sites that come up at once and stay.
    pub(crate) fn new(sites: usize) -> Self {
        let dir = tempfile::Builder::new().prefix("poc é ").tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap().join("work space");
        let names: Vec<String> = (1..=sites).map(|number| format!("site-{number}")).collect();
        let prepared = prepare(&root, &names);
        let participants = prepared
            .kits()
            .into_iter()
            .filter(|kit| kit.role != Role::Admin)
            .map(|kit| participant(&kit, &format!("{}; {STAY}", comes_up(&kit))))
            .collect();
        let plan = LaunchPlan {
            workspace: root,
            project: "example_project".to_owned(),
            server_address: "localhost:1".to_owned(),
            admin_address: "localhost:1".to_owned(),
            python: "/no/python".into(),
            flare_version: "2.9.0".to_owned(),
            admin: None,
            containers: None,
            participants,
        };
        Self {
            dir,
            prepared,
            plan,
            cancel: Cancel::new(),
        }
    }

    /// The same POC, prepared anew in the same place, after it was removed.
    pub(crate) fn prepared_again(&self) -> Self {
        let mut again = Self::new(0);
        again.prepared = prepared(&self.plan);
        again.plan = self.plan.clone();
        again
    }

    /// Has a participant run another script.
    pub(crate) fn script(mut self, name: &str, script: &str) -> Self {
        script.clone_into(&mut self.edit(name).argv[2]);
        self
    }

    pub(crate) fn edit(&mut self, name: &str) -> &mut ParticipantPlan {
        self.plan
            .participants
            .iter_mut()
            .find(|it| it.name == name)
            .unwrap()
    }

    pub(crate) fn federation(&self) -> Federation {
        Federation::open(&self.prepared)
    }

    pub(crate) fn kit(&self, name: &str) -> Kit {
        self.prepared.kit(name).unwrap()
    }

    /// The plan for some of the participants.
    pub(crate) fn only(&self, names: &[&str]) -> LaunchPlan {
        let mut plan = self.plan.clone();
        plan.participants
            .retain(|it| names.contains(&it.name.as_str()));
        plan
    }

    pub(crate) fn start(&self) -> Result<Started, Error> {
        self.start_with(self.plan.clone(), false, true).0
    }

    pub(crate) fn start_with(
        &self,
        plan: LaunchPlan,
        named: bool,
        wait: bool,
    ) -> (Result<Started, Error>, Vec<LaunchEvent>) {
        let mut events = Vec::new();
        let supervisor = this_program(SUPERVISE);
        let options = StartOptions {
            wait,
            timeout: Some(LONG),
            supervisor: &supervisor,
            named,
            cancel: &self.cancel,
        };
        let started = self
            .federation()
            .start(plan, &options, &mut |it| events.push(it));
        (started, events)
    }

    pub(crate) fn stop(
        &self,
        names: Option<&[&str]>,
    ) -> (Result<Stopped, Error>, Vec<LaunchEvent>) {
        let mut events = Vec::new();
        let cancel = Cancel::new();
        let options = StopOptions {
            names: names.map(|names| names.iter().map(|&name| name.to_owned()).collect()),
            wait: true,
            timeout: LONG,
            python: None,
            cancel: &cancel,
        };
        let stopped = self.federation().stop(&options, &mut |it| events.push(it));
        (stopped, events)
    }

    /// Stops everything, and checks that nothing is left.
    pub(crate) fn stop_all(&self) -> Stopped {
        let stopped = self.stop(None).0.unwrap();
        assert_eq!(stopped.survivors, []);
        self.check_nothing_is_left();
        stopped
    }

    pub(crate) fn status(&self) -> Status {
        self.federation().status().unwrap()
    }

    pub(crate) fn of(&self, name: &str) -> ParticipantStatus {
        let mut participants = self.status().participants.into_iter();
        participants.find(|it| it.name == name).unwrap()
    }

    pub(crate) fn pid(&self, name: &str) -> u32 {
        self.of(name).pid.unwrap()
    }

    pub(crate) fn supervisor(&self) -> u32 {
        self.status().supervisor.unwrap()
    }

    pub(crate) fn wait_for_state(&self, name: &str, state: ParticipantState) -> ParticipantStatus {
        wait_for(&format!("{name} to be {state}"), || {
            Some(self.of(name)).filter(|it| it.state == state)
        })
    }

    /// What the event log says, a line an event: its name and whom it is about.
    pub(crate) fn history(&self) -> Vec<String> {
        let events = self.federation().events().unwrap();
        let lines = events.iter().map(|it| {
            let value = serde_json::to_value(&it.happening).unwrap();
            let name = value.get("name").and_then(serde_json::Value::as_str);
            format!(
                "{} {}",
                value["event"].as_str().unwrap(),
                name.unwrap_or("-")
            )
        });
        lines.collect()
    }

    pub(crate) fn scope(&self) -> Scope {
        let text = fs_err::read_to_string(self.prepared.workspace.instance_file());
        Scope {
            workspace: self.prepared.workspace.root().to_owned(),
            kits: self
                .prepared
                .kits()
                .into_iter()
                .map(|kit| kit.dir)
                .collect(),
            cookie: text
                .ok()
                .and_then(|text| text.lines().next().map(str::to_owned)),
        }
    }

    pub(crate) fn check_nothing_is_left(&self) {
        assert_eq!(self.scope().find().unwrap(), []);
        for kit in self.prepared.kits() {
            for file in [
                kit.pid_file(),
                kit.daemon_pid_file(),
                kit.shutdown_file(),
                kit.restart_file(),
            ] {
                assert!(!file.exists(), "{file} is left");
            }
        }
        let socket = self.prepared.workspace.control_socket();
        assert!(!socket.exists(), "{socket} is left");
    }

    /// What of it runs: everything but its supervisor.
    pub(crate) fn processes(&self) -> Vec<Found> {
        let mut found = self.scope().find().unwrap();
        found.retain(|it| it.kind != Kind::Supervisor);
        found
    }
}

impl Drop for Poc {
    /// A test that failed leaves nothing behind either.
    fn drop(&mut self) {
        for _ in 0..50 {
            let found = self.scope().find().unwrap_or_default();
            if found.is_empty() {
                return;
            }
            for found in found {
                signal(&found.identity, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.dir;
    }
}

/// The line of a log that says that a participant has come up.
pub(crate) fn comes_up(kit: &Kit) -> String {
    let message = match kit.role {
        Role::Server => "Server started".to_owned(),
        _ => format!(
            "Successfully registered client:{} for project example_project.",
            kit.name
        ),
    };
    format!("echo 't - x - INFO - {message}'")
}

fn participant(kit: &Kit, script: &str) -> ParticipantPlan {
    let module = match kit.role {
        Role::Server => "nvflare.private.fed.app.server.server_train",
        _ => "nvflare.private.fed.app.client.client_train",
    };
    ParticipantPlan {
        name: kit.name.clone(),
        role: kit.role,
        // What follows the script are its arguments, for whoever recognises processes by them.
        argv: [
            "/bin/sh",
            "-c",
            script,
            "python3",
            "-m",
            module,
            "-m",
            kit.dir.as_str(),
        ]
        .map(str::to_owned)
        .into(),
        environment: BTreeMap::new(),
        unset: Vec::new(),
        directory: kit.dir.clone(),
        log: kit.console_log(),
        gpus: Vec::new(),
        offer: None,
        spawn: Spawn::Exec,
        container: None,
        restart: RestartPolicy {
            first_delay_ms: 10,
            longest_delay_ms: 50,
            ..RestartPolicy::default()
        },
    }
}

/// As a `prepare` leaves it, without what only NVFlare itself reads.
fn prepare(root: &Utf8Path, sites: &[String]) -> Prepared {
    let project = Project::poc_default(Line::V2_9, sites).unwrap();
    let workspace = Workspace::new(root);
    let prod_dir = workspace.prod_dir(&project.name);
    for participant in project.participants() {
        let kit = prod_dir.join(&participant.name);
        make_kit(&kit, participant.role());
    }
    Prepared {
        workspace,
        project,
        manifest: None,
        prod_dir,
        line: Some(Line::V2_9),
    }
}

/// What a start wants to see in a kit, though no script reads it.
fn make_kit(kit: &Utf8Path, role: Role) {
    fs_err::create_dir_all(kit.join("startup")).unwrap();
    fs_err::create_dir_all(kit.join("local")).unwrap();
    let base = if role == Role::Server {
        "server"
    } else {
        "client"
    };
    let pem = |label: &str| format!("-----BEGIN {label}-----\nMIIB\n-----END {label}-----\n");
    for (file, text) in [
        (format!("startup/fed_{role}.json"), "{}"),
        (format!("startup/{base}.key"), &pem("PRIVATE KEY")),
        (format!("startup/{base}.crt"), &pem("CERTIFICATE")),
        ("startup/rootCA.pem".to_owned(), &pem("CERTIFICATE")),
        ("local/resources.json.default".to_owned(), "{}"),
        ("local/log_config.json.default".to_owned(), "{}"),
    ] {
        // A process that this one has handed the POC over to finds it there.
        if !kit.join(&file).exists() {
            fs_err::write(kit.join(file), text).unwrap();
        }
    }
}

/// The POC of a plan that was handed over.
fn prepared(plan: &LaunchPlan) -> Prepared {
    let clients = plan
        .participants
        .iter()
        .filter(|it| it.role == Role::Client);
    let sites: Vec<String> = clients.map(|it| it.name.clone()).collect();
    prepare(&plan.workspace, &sites)
}

/// This very program, also where a build has replaced its file meanwhile.
pub(crate) fn this_program(what: &str) -> Vec<String> {
    vec![format!("/proc/{}/exe", std::process::id()), what.to_owned()]
}

/// A process of somebody else, ended with the test however that ends.
pub(crate) struct Stranger(pub(crate) std::process::Child);

impl Stranger {
    pub(crate) fn new() -> Self {
        Self(
            std::process::Command::new("sleep")
                .arg("600")
                .spawn()
                .unwrap(),
        )
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until there is an answer.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn signal(identity: &Identity, signal: Signal) {
    if let Some(handle) = Handle::open(identity).unwrap() {
        handle.send(signal).unwrap();
    }
}

pub(crate) fn signal_pid(pid: u32, which: Signal) {
    signal(&Identity::of(pid).unwrap(), which);
}

pub(crate) fn is_alive(pid: u32) -> bool {
    Identity::of(pid).is_some()
}

/// `__start ROOT`: a start in a process of its own, as from a command line.
pub(crate) fn start_elsewhere(arguments: &[String]) -> ExitCode {
    let plan = handed_over(&arguments[0]);
    let prepared = prepared(&plan);
    let supervisor = this_program(SUPERVISE);
    let cancel = Cancel::new();
    let options = StartOptions {
        wait: true,
        timeout: Some(LONG),
        supervisor: &supervisor,
        named: false,
        cancel: &cancel,
    };
    match Federation::open(&prepared).start(plan, &options, &mut |_| {}) {
        Ok(_) => ExitCode::SUCCESS,
        Err(Error::AllRunning { .. }) => ExitCode::from(4),
        Err(_) => ExitCode::FAILURE,
    }
}

/// `__foreground PLAN`: supervises in this process until it is signalled.
pub(crate) fn in_the_foreground(arguments: &[String]) -> ExitCode {
    let plan = handed_over(&arguments[0]);
    let prepared = prepared(&plan);
    let cancel = Cancel::new();
    let options = StartOptions {
        wait: true,
        timeout: None,
        supervisor: &[],
        named: false,
        cancel: &cancel,
    };
    match Federation::open(&prepared).run_in_foreground(plan, &options, &mut |_| {}) {
        Ok(stopped) if stopped.survivors.is_empty() => ExitCode::SUCCESS,
        Err(Error::StartFailed { .. }) => ExitCode::from(3),
        _ => ExitCode::FAILURE,
    }
}

/// Hands the plan to a process of its own.
pub(crate) fn hand_over(poc: &Poc) -> Utf8PathBuf {
    let path = poc.prepared.workspace.root().with_file_name("plan.json");
    fs_err::write(&path, serde_json::to_vec(&poc.plan).unwrap()).unwrap();
    path
}

fn handed_over(path: &str) -> LaunchPlan {
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}
