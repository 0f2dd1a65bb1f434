//! What there is to see of a POC: by `poc status`, by its event log, by /proc.

use std::collections::BTreeMap;

use camino::Utf8Path;
use poc_core::env::POC_INSTANCE;
use poc_tests::PocTest;
use serde_json::Value;

use crate::stage::Stage;

/// What `poc status` says.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) all: Value,
    pub(crate) supervisor: Option<u32>,
    pub(crate) participants: BTreeMap<String, Participant>,
}

#[derive(Clone, Debug)]
pub(crate) struct Participant {
    pub(crate) state: String,
    pub(crate) pid: Option<u32>,
    pub(crate) restarts: u64,
    pub(crate) registered: bool,
}

impl Status {
    pub(crate) fn of(world: &PocTest) -> Self {
        let all = world.poc(["status", "--format", "json"]).success().data();
        let participants = all["participants"].as_array().unwrap();
        let participants = participants.iter().map(|one| {
            let participant = Participant {
                state: one["state"].as_str().unwrap().to_owned(),
                pid: number(&one["pid"]),
                restarts: one["restarts"].as_u64().unwrap(),
                registered: one["registered"] == true,
            };
            (one["name"].as_str().unwrap().to_owned(), participant)
        });
        Self {
            supervisor: number(&all["supervisor"]),
            participants: participants.collect(),
            all,
        }
    }

    pub(crate) fn warns_of(&self, text: &str) -> bool {
        self.all["warnings"].to_string().contains(text)
    }
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// The entries of an event log; a line that is cut short is none.
pub(crate) fn events(path: &Utf8Path) -> Vec<Value> {
    let text = fs_err::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// The cookie that processes of a workspace carry.
pub(crate) fn cookie(stage: &Stage) -> Option<String> {
    let text = fs_err::read_to_string(stage.workspace().instance_file()).ok()?;
    text.lines().next().map(str::to_owned)
}

/// The processes that have a variable of this value.
pub(crate) fn with_variable(name: &str, value: &str) -> Vec<u32> {
    let wanted = |process: &procfs::process::Process| {
        let environment = process.environ().unwrap_or_default();
        environment
            .get(name.as_ref() as &std::ffi::OsStr)
            .is_some_and(|found| found == value)
    };
    let all = procfs::process::all_processes().into_iter().flatten();
    all.flatten()
        .filter(|process| process.stat().is_ok_and(|stat| stat.state != 'Z') && wanted(process))
        .filter_map(|process| u32::try_from(process.pid).ok())
        .collect()
}

pub(crate) fn with_cookie(cookie: &str) -> Vec<u32> {
    with_variable(POC_INSTANCE.name, cookie)
}

/// Processes of a participant whose command line holds a word: those that it started included.
pub(crate) fn of_participant(stage: &Stage, name: &str, word: &str) -> Vec<u32> {
    let its = with_variable("POC_PARTICIPANT", name);
    let processes = stage.world.processes().into_iter();
    processes
        .filter(|one| its.contains(&one.pid) && one.command.contains(word))
        .map(|one| one.pid)
        .collect()
}

/// The supervisor's helper of this kind.
pub(crate) fn helper(stage: &Stage, mark: &str) -> Option<u32> {
    let processes = stage.world.processes();
    let found = processes.iter().find(|one| one.command.contains(mark));
    found.map(|one| one.pid)
}

/// Whether a process is halted.
pub(crate) fn is_halted(pid: u32) -> bool {
    i32::try_from(pid)
        .ok()
        .and_then(|pid| procfs::process::Process::new(pid).ok())
        .and_then(|process| process.stat().ok())
        .is_some_and(|stat| stat.state == 'T')
}
