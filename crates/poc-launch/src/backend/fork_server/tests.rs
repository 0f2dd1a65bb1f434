//! Fork servers with a plain Python: it need not have NVFlare to fork what it is told.

use std::os::unix::ffi::OsStringExt as _;
use std::time::Duration;

use poc_core::project::Role;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, getpid};
use rustix::process::{Signal, kill_process, set_child_subreaper};

use super::*;
use crate::plan::Spawn;
use crate::process::{Identity, poll_until};

type Pairs = Vec<(OsString, OsString)>;

struct Place {
    dir: tempfile::TempDir,
    python: String,
    servers: ForkServers,
}

impl Place {
    fn new() -> Self {
        // Whose grandparent dies becomes this process's child, as with a supervisor.
        set_child_subreaper(Some(getpid())).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap();
        fs_err::create_dir(path.join(".poc")).unwrap();
        fs_err::create_dir(path.join("kit é")).unwrap();
        Self {
            python: crate::runtime::managed::tests::any_python().into_string(),
            servers: ForkServers::new(&path.join(".poc")),
            dir,
        }
    }

    fn kit(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join("kit é")
    }

    fn log(&self, name: &str) -> Utf8PathBuf {
        self.kit().join(format!("{name}.log"))
    }

    fn said(&self, name: &str) -> String {
        fs_err::read_to_string(self.log(name)).unwrap()
    }

    /// A participant that runs this program.
    fn plan(&self, name: &str, program: &str) -> ParticipantPlan {
        let mut plan = ParticipantPlan::foreign(name, Role::Client, &self.kit());
        let python = self.python.as_str();
        plan.argv = [python, "-u", "-c", program, "-m", "é"]
            .map(str::to_owned)
            .into();
        plan.spawn = Spawn::Fork;
        plan.log = self.log(name);
        plan
    }

    fn start(&mut self, name: &str, program: &str, environment: &[(OsString, OsString)]) {
        let plan = self.plan(name, program);
        assert!(self.servers.start(&plan, environment).is_ok());
    }

    /// What comes of all that was asked for.
    fn outcomes(&mut self) -> Vec<Outcome> {
        let mut outcomes = self.servers.hear();
        while self.servers.is_starting() {
            let fds = self.servers.fds();
            let mut fds: Vec<PollFd<'_>> = fds
                .iter()
                .map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
                .collect();
            let due = self.servers.due().unwrap();
            assert!(poll_until(&mut fds, due).unwrap(), "no answer");
            outcomes.extend(self.servers.hear());
        }
        outcomes
    }

    fn run(&mut self, name: &str, program: &str, environment: &[(OsString, OsString)]) -> String {
        self.start(name, program, environment);
        let [mut process] = <[_; 1]>::try_from(processes(self.outcomes())).ok().unwrap();
        wait(process.as_mut())
    }
}

fn processes(outcomes: Vec<Outcome>) -> Vec<Box<dyn Process>> {
    outcomes
        .into_iter()
        .filter_map(|outcome| match outcome {
            Outcome::Forked { process, .. } => Some(process.unwrap()),
            Outcome::Started { .. } => None,
            Outcome::Lost { reason, .. } | Outcome::Dropped { reason, .. } => panic!("{reason}"),
        })
        .collect()
}

fn wait(process: &mut dyn Process) -> String {
    loop {
        if let Some(status) = process.ended().unwrap() {
            return status;
        }
        let mut fds = [PollFd::from_borrowed_fd(process.ended_fd(), PollFlags::IN)];
        let deadline = Instant::now() + Duration::from_secs(60);
        assert!(poll_until(&mut fds, deadline).unwrap(), "it does not end");
    }
}

fn pairs(environment: &[(&str, &str)]) -> Pairs {
    let environment = environment.iter();
    environment
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

#[test]
fn it_runs_where_and_with_what_the_plan_says() {
    let mut place = Place::new();
    fs_err::write(place.log("site-1"), "earlier\n").unwrap();
    let program = "import os, sys\n\
        print(os.getcwd(), sys.argv, sorted(os.environ), os.environb[b'B'])\n\
        print(open('/proc/self/cmdline').read().rstrip('\\0').split('\\0')[3:])\n\
        print(sorted(os.listdir('/proc/self/fd')))\n\
        print(os.getpgid(0) == os.getpid() == os.getsid(0), os.getppid(), sys.stdin.read(), file=sys.stderr)\n\
        sys.exit(3)";
    let strange = OsString::from_vec(vec![b'x', 0xff, b'y']);
    // With no locale Python sets a variable by itself, executed or not.
    let mut environment = pairs(&[("LC_ALL", "C.UTF-8"), ("OPENBLAS_NUM_THREADS", "7")]);
    environment.push(("B".into(), strange));
    assert_eq!(place.run("site-1", program, &environment), "exit status 3");
    let said = place.said("site-1");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "earlier");
    let kit = place.kit();
    assert_eq!(
        lines[1],
        format!("{kit} ['-c', '-m', 'é'] ['B', 'LC_ALL', 'OPENBLAS_NUM_THREADS'] b'x\\xffy'")
    );
    assert!(lines[2].ends_with("'-m', 'é']"), "{said}");
    // Nothing is open but what this test process itself has inherited and hands on.
    let other = std::process::Command::new(&place.python)
        .args([
            "-c",
            "import os; print(sorted(os.listdir('/proc/self/fd')))",
        ])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(lines[3], String::from_utf8(other.stdout).unwrap().trim());
    assert_eq!(lines[4], format!("True {} ", std::process::id()));
}

#[test]
fn one_python_serves_many_and_outlives_none_of_their_deaths() {
    let mut place = Place::new();
    let environment = pairs(&[("A", "1")]);
    for name in ["site-1", "site-2", "site-3"] {
        let mut own = environment.clone();
        own.extend(pairs(&[("CUDA_VISIBLE_DEVICES", name)]));
        let program = "import os, time; print(os.environ['CUDA_VISIBLE_DEVICES']); time.sleep(600)";
        place.start(name, program, &own);
    }
    let outcomes = place.outcomes();
    let started = |outcome: &&Outcome| matches!(outcome, Outcome::Started { .. });
    assert_eq!(outcomes.iter().filter(started).count(), 1);
    let mut processes = processes(outcomes);
    assert_eq!(processes.len(), 3);
    processes[0].signal(true).unwrap();
    assert_eq!(wait(processes[0].as_mut()), "signal 9 (SIGKILL)");
    assert_eq!(
        place.run("site-1", "print('again')", &environment),
        "exit status 0"
    );
    assert_eq!(place.servers.pids().len(), 1);

    // The end of the fork server is not theirs.
    place.servers.close();
    for process in &mut processes[1..] {
        assert!(process.ended().unwrap().is_none());
        process.signal(false).unwrap();
        assert_eq!(wait(process.as_mut()), "signal 15 (SIGTERM)");
    }
    assert_eq!(place.said("site-2"), "site-2\n");
}

#[test]
fn what_the_system_refuses_is_said_and_the_next_one_comes() {
    let mut place = Place::new();
    let mut plan = place.plan("site-1", "pass");
    plan.log = place.kit().join("no/such/directory/log");
    assert!(place.servers.start(&plan, &[]).is_ok());
    let error = place
        .outcomes()
        .into_iter()
        .find_map(|outcome| match outcome {
            Outcome::Forked { process, .. } => process.err(),
            _ => None,
        });
    let error = error.unwrap().to_string();
    assert!(error.contains("No such file"), "{error}");
    assert_eq!(place.run("site-1", "pass", &[]), "exit status 0");
}

#[test]
fn a_server_that_dies_drops_what_it_was_asked_and_another_takes_over() {
    let mut place = Place::new();
    assert_eq!(place.run("site-1", "pass", &[]), "exit status 0");
    let [pid] = place.servers.pids()[..] else {
        panic!("one server");
    };
    let halted = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(halted, Signal::STOP).unwrap();
    place.start("site-1", "pass", &[]);
    kill_process(halted, Signal::KILL).unwrap();
    let outcomes = place.outcomes();
    let lost = outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Lost { pid, reason } => Some((*pid, reason.as_str())),
        _ => None,
    });
    assert_eq!(lost, Some((pid, "it ended: signal 9 (SIGKILL)")));
    let dropped = |outcome: &Outcome| matches!(outcome, Outcome::Dropped { wanted, .. } if wanted.participant.name == "site-1");
    assert!(outcomes.iter().any(dropped));
    assert_eq!(Identity::of(pid), None);
    assert_eq!(place.run("site-1", "pass", &[]), "exit status 0");
    assert_ne!(place.servers.pids(), [pid]);
}

#[test]
fn a_server_that_hangs_is_given_up_after_a_while_that_its_imports_tell() {
    let mut place = Place::new();
    assert_eq!(place.run("site-1", "pass", &[]), "exit status 0");
    let [pid] = place.servers.pids()[..] else {
        panic!("one server");
    };
    let halted = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(halted, Signal::STOP).unwrap();
    place.start("site-1", "pass", &[]);
    let left = place.servers.due().unwrap() - Instant::now();
    assert!(left > Duration::from_secs(3), "{left:?}");
    assert!(left < Duration::from_secs(30), "{left:?}");
    let mut outcomes = Vec::new();
    while place.servers.is_starting() {
        let due = place.servers.due().unwrap();
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        outcomes.extend(place.servers.hear());
    }
    let dropped = |outcome: &Outcome| matches!(outcome, Outcome::Dropped { reason, .. } if reason.starts_with("it has not answered for "));
    assert!(outcomes.iter().any(dropped));
    assert_eq!(Identity::of(pid), None, "it is ended");
    assert_eq!(place.run("site-1", "pass", &[]), "exit status 0");
}

#[test]
fn another_environment_or_a_longer_command_needs_another_server() {
    let mut place = Place::new();
    let program = "import time; time.sleep(600)";
    place.start("site-1", program, &pairs(&[("A", "1")]));
    // Before the first one has answered.
    place.start("site-2", program, &pairs(&[("A", "2")]));
    assert_eq!(place.servers.pids().len(), 2);
    let mut processes = processes(place.outcomes());
    assert_eq!(place.servers.pids().len(), 1, "the first one has left");
    let [pid] = place.servers.pids()[..] else {
        panic!("one server");
    };
    let long = format!("pass #{}", "x".repeat(5000));
    assert_eq!(
        place.run("site-3", &long, &pairs(&[("A", "2")])),
        "exit status 0"
    );
    assert_ne!(place.servers.pids(), [pid]);
    for process in &mut processes {
        process.signal(true).unwrap();
        wait(process.as_mut());
    }
}

#[test]
fn where_threads_run_nothing_is_forked_and_it_is_not_tried_again() {
    let mut place = Place::new();
    let site = place.kit().join("site");
    fs_err::create_dir(&site).unwrap();
    let thread = "import threading, time\n\
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n";
    fs_err::write(site.join("sitecustomize.py"), thread).unwrap();
    let environment = pairs(&[("PYTHONPATH", site.as_str())]);
    place.start("site-1", "pass", &environment);
    let outcomes = place.outcomes();
    let dropped = outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Dropped { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    let reason = "2 threads run after the imports, and fork copies only one";
    assert_eq!(dropped, Some(reason));
    let plan = place.plan("site-1", "pass");
    let refused = place.servers.start(&plan, &pairs(&[]));
    assert!(matches!(refused, Err(Refusal::Unusable(told)) if told == reason));
    assert!(place.servers.pids().is_empty());
}

#[test]
fn what_is_no_such_command_or_has_a_comm_config_is_refused() {
    let mut place = Place::new();
    let mut plan = place.plan("site-1", "pass");
    plan.argv[1] = "-B".to_owned();
    assert!(matches!(
        place.servers.start(&plan, &[]),
        Err(Refusal::Unsuited(_))
    ));
    fs_err::write(place.kit().join("comm_config.json"), "{}").unwrap();
    let plan = place.plan("site-1", "pass");
    assert!(matches!(
        place.servers.start(&plan, &[]),
        Err(Refusal::Unsuited(_))
    ));
    assert!(place.servers.pids().is_empty());
}
