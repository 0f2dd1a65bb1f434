//! The ordinary life of a POC: start, look, stop, and what may be done twice or at once.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use poc_launch::{Error, LaunchEvent, ParticipantState, PocState};

use crate::poc::{
    FOREGROUND, Poc, START, STAY, hand_over, is_alive, signal_pid, this_program, wait_for,
};
use poc_launch::process::Signal;

crate::tests![
    start_look_and_stop,
    what_runs_is_left_alone_and_what_is_missing_is_started,
    starting_twice_is_an_error,
    two_starts_at_once,
    one_site_stops_and_the_rest_goes_on,
    stopping_the_last_one_is_stopping_all,
    nothing_to_stop_is_a_success,
    a_start_keeps_nothing_of_its_caller,
    without_waiting_a_start_returns_at_once,
    a_site_that_is_late_is_left_running,
    one_that_dies_while_starting_takes_the_start_with_it,
    a_start_that_fails_while_nothing_of_it_runs_is_undone_at_once,
    nobody_is_registered_with_a_server_that_is_stopped,
    a_damaged_kit_is_refused_before_anything_runs,
    a_program_that_does_not_exist_fails_the_start,
    an_interrupted_start_is_undone,
    stop_wins_over_start,
    a_port_in_use_is_found_before_anything_starts,
    in_the_foreground,
    a_failed_start_in_the_foreground,
    an_idle_supervisor_sleeps,
];

fn start_look_and_stop() {
    let poc = Poc::new(2);
    assert_eq!(poc.status().state, PocState::Stopped);
    let (started, events) = poc.start_with(poc.plan.clone(), false, true);
    let started = started.unwrap();
    assert!(started.ready && started.missing.is_empty() && started.already_running.is_empty());
    assert_eq!(started.participants.len(), 3);
    for name in ["server", "site-1", "site-2"] {
        let kit = poc.kit(name);
        let pid = poc.pid(name);
        assert_eq!(
            fs_err::read_to_string(kit.pid_file()).unwrap(),
            format!("{pid}\n")
        );
        let daemon = fs_err::read_to_string(kit.daemon_pid_file()).unwrap();
        assert_eq!(daemon, format!("{}\n", poc.supervisor()));
        let is_start = |event: &LaunchEvent| matches!(event, LaunchEvent::Starting { name: it, pid: its } if it == name && *its == pid);
        assert!(events.iter().any(is_start), "{events:?}");
    }
    let status = poc.status();
    assert_eq!(status.state, PocState::Running);
    assert_eq!(status.warnings, [""; 0]);
    for participant in &status.participants {
        assert_eq!(participant.state, ParticipantState::Running);
        assert_eq!(participant.daemon_pid, status.supervisor);
        assert!(participant.uptime_s.is_some() && participant.memory_bytes.is_some());
        assert_eq!(participant.restarts, 0);
    }
    let registered: Vec<_> = status.participants.iter().map(|it| it.registered).collect();
    assert_eq!(registered, [None, Some(true), Some(true)]);

    let stopped = poc.stop_all();
    assert_eq!(stopped.stopped, ["server", "site-1", "site-2"]);
    assert!(!stopped.nothing_ran);
    assert_eq!(poc.status().state, PocState::Stopped);
    let history = poc.history();
    for event in [
        "supervisor_started -",
        "started site-1",
        "ready site-1",
        "stopped site-1",
    ] {
        assert!(
            history.iter().any(|line| line == event),
            "{event} in {history:?}"
        );
    }
    assert_eq!(history.last().unwrap(), "supervisor_leaving -");
}

fn what_runs_is_left_alone_and_what_is_missing_is_started() {
    let poc = Poc::new(2);
    let (started, _) = poc.start_with(poc.only(&["server", "site-1"]), false, true);
    assert!(started.unwrap().ready);
    assert_eq!(poc.status().state, PocState::Partial);
    let (supervisor, server, site) = (poc.supervisor(), poc.pid("server"), poc.pid("site-1"));
    let (started, events) = poc.start_with(poc.plan.clone(), false, true);
    assert_eq!(started.unwrap().already_running, ["server", "site-1"]);
    assert!(events.contains(&LaunchEvent::AlreadyRunning {
        name: "server".to_owned(),
        pid: Some(server),
    }));
    assert_eq!(poc.status().state, PocState::Running);
    assert_eq!(
        (poc.supervisor(), poc.pid("server"), poc.pid("site-1")),
        (supervisor, server, site)
    );
    poc.stop_all();
}

fn starting_twice_is_an_error() {
    let poc = Poc::new(1);
    poc.start().unwrap();
    let before = poc.pid("site-1");
    let error = poc.start().unwrap_err();
    let kit = poc.kit("server").dir;
    let text = format!(
        "There seems to be one instance, pid={0}, running.\n\
         If you are sure it's not the case, please kill process {0} and then remove daemon_pid.fl in {kit}",
        poc.supervisor()
    );
    assert!(matches!(&error, Error::AllRunning { names, .. } if names.len() == 2));
    assert_eq!(error.to_string(), text);
    let (named, _) = poc.start_with(poc.only(&["site-1"]), true, true);
    assert!(matches!(named, Err(Error::AlreadyRunning { name, .. }) if name == "site-1"));
    assert_eq!(poc.pid("site-1"), before);
    poc.stop_all();
}

fn two_starts_at_once() {
    let poc = Poc::new(3);
    let plan = hand_over(&poc);
    let start = || {
        let program = this_program(START);
        Command::new(&program[0])
            .arg(&program[1])
            .arg(&plan)
            .spawn()
            .unwrap()
    };
    let mut codes = [start(), start()].map(|mut child| child.wait().unwrap().code().unwrap());
    codes.sort_unstable();
    assert_eq!(codes, [0, 4]);
    let one_each = poc
        .history()
        .iter()
        .filter(|line| line.starts_with("started "))
        .count();
    assert_eq!(one_each, 4);
    poc.stop_all();
}

fn one_site_stops_and_the_rest_goes_on() {
    let poc = Poc::new(2);
    poc.start().unwrap();
    let (server, site) = (poc.pid("server"), poc.pid("site-1"));
    let stopped = poc.stop(Some(&["site-1"])).0.unwrap();
    assert_eq!(stopped.stopped, ["site-1"]);
    assert_eq!(stopped.remaining, ["server", "site-2"]);
    assert!(!is_alive(site));
    let kit = poc.kit("site-1");
    assert!(!kit.pid_file().exists() && !kit.daemon_pid_file().exists());
    assert_eq!(poc.of("site-1").state, ParticipantState::Stopped);
    assert_eq!(poc.pid("server"), server);
    let (started, _) = poc.start_with(poc.only(&["site-1"]), true, true);
    assert!(started.unwrap().ready);
    poc.stop_all();
}

fn nobody_is_registered_with_a_server_that_is_stopped() {
    let poc = Poc::new(1);
    poc.start().unwrap();
    assert_eq!(poc.of("site-1").registered, Some(true));
    poc.stop(Some(&["server"])).0.unwrap();
    let site = poc.of("site-1");
    assert_eq!(
        (site.state, site.registered),
        (ParticipantState::Running, Some(false))
    );
    // Nor with the next one, until it has registered again.
    poc.start_with(poc.only(&["server"]), true, true).0.unwrap();
    assert_eq!(poc.of("site-1").registered, Some(false));
    poc.stop_all();
}

fn stopping_the_last_one_is_stopping_all() {
    let poc = Poc::new(1);
    poc.start().unwrap();
    poc.stop(Some(&["site-1"])).0.unwrap();
    let stopped = poc.stop(Some(&["server"])).0.unwrap();
    assert_eq!(stopped.remaining, [""; 0]);
    poc.check_nothing_is_left();
}

fn nothing_to_stop_is_a_success() {
    let poc = Poc::new(1);
    let stopped = poc.stop_all();
    assert!(stopped.nothing_ran && stopped.stopped.is_empty());
    let unknown = poc.stop(Some(&["site-9"])).0;
    assert!(matches!(unknown, Err(Error::UnknownParticipant { name, .. }) if name == "site-9"));
}

/// Neither its output nor a descriptor that a shell forgot to close.
fn a_start_keeps_nothing_of_its_caller() {
    let poc = Poc::new(1);
    let program = this_program(START);
    let mut child = Command::new("/bin/sh")
        .args(["-c", "exec 7>&1 8<&0; exec \"$@\"", "sh"])
        .args(&program)
        .arg(hand_over(&poc))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Ends when the last holder of the pipe has closed it: not before, and not with the supervisor.
    let mut output = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut output)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut output)
        .unwrap();
    assert_eq!(output, "");
    assert!(child.wait().unwrap().success());
    let supervisor = poc.supervisor();
    let me = std::process::id().to_string();
    let session = |pid: u32| {
        let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let rest = stat.rsplit_once(')').unwrap().1.to_owned();
        rest.split_whitespace().nth(3).unwrap().to_owned()
    };
    assert_ne!(session(supervisor), session(std::process::id()));
    assert_ne!(session(supervisor), me);
    assert_eq!(
        fs_err::read_link(format!("/proc/{supervisor}/cwd")).unwrap(),
        std::path::Path::new("/")
    );
    poc.stop_all();
}

fn without_waiting_a_start_returns_at_once() {
    let poc = Poc::new(1).script("site-1", STAY);
    let (started, _) = poc.start_with(poc.plan.clone(), false, false);
    let started = started.unwrap();
    assert!(!started.ready);
    assert!(started.participants.iter().all(|it| it.pid.is_some()));
    assert_eq!(poc.of("site-1").state, ParticipantState::Starting);
    assert_eq!(poc.of("site-1").registered, Some(false));
    poc.stop_all();
}

fn a_site_that_is_late_is_left_running() {
    let poc = Poc::new(2).script("site-2", STAY);
    let supervisor = this_program(crate::poc::SUPERVISE);
    let options = poc_launch::StartOptions {
        wait: true,
        timeout: Some(Duration::from_millis(1500)),
        supervisor: &supervisor,
        named: false,
        cancel: &poc.cancel,
    };
    let started = poc
        .federation()
        .start(poc.plan.clone(), &options, &mut |_| {});
    let started = started.unwrap();
    assert!(!started.ready);
    assert_eq!(started.missing, ["site-2"]);
    assert!(is_alive(poc.pid("site-2")));
    poc.stop_all();
}

fn one_that_dies_while_starting_takes_the_start_with_it() {
    let broken = "echo 'Traceback (most recent call last):'; echo 'json.decoder.JSONDecodeError: Expecting value: line 1'; exit 1";
    let poc = Poc::new(2).script("site-2", broken);
    let begun = Instant::now();
    let error = poc.start().unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(15));
    let Error::StartFailed {
        name,
        status,
        cause,
        tail,
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(
        (name.as_str(), status.as_str()),
        ("site-2", "exit status 1")
    );
    let parser = "json.decoder.JSONDecodeError: Expecting value: line 1";
    assert_eq!(tail.last().unwrap(), parser);
    assert_eq!(cause.as_deref(), Some(parser));
    poc.check_nothing_is_left();
    // What ran before the failed start is not touched.
    let poc = poc.script("site-2", broken);
    poc.start_with(poc.only(&["server", "site-1"]), false, true)
        .0
        .unwrap();
    let server = poc.pid("server");
    assert!(matches!(poc.start(), Err(Error::StartFailed { .. })));
    assert_eq!(poc.pid("server"), server);
    assert_eq!(poc.of("site-2").state, ParticipantState::Stopped);
    poc.stop_all();
}

/// The stop is through before its request is answered.
fn a_start_that_fails_while_nothing_of_it_runs_is_undone_at_once() {
    let mut poc = Poc::new(2).script("site-2", "exit 1");
    let policy = &mut poc.edit("site-2").restart;
    (policy.first_delay_ms, policy.longest_delay_ms) = (600_000, 600_000);
    poc.start_with(poc.only(&["server", "site-1"]), false, true)
        .0
        .unwrap();
    let begun = Instant::now();
    assert!(matches!(poc.start(), Err(Error::StartFailed { .. })));
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(poc.of("site-2").state, ParticipantState::Stopped);
    poc.stop_all();
}

fn a_damaged_kit_is_refused_before_anything_runs() {
    let poc = Poc::new(2);
    let key = poc.kit("site-1").startup().join("client.key");
    fs_err::remove_file(&key).unwrap();
    let (result, events) = poc.start_with(poc.plan.clone(), false, true);
    let error = result.unwrap_err();
    assert!(
        matches!(&error, Error::KitDamaged { name, file, .. } if name == "site-1" && *file == key),
        "{error:?}"
    );
    assert_eq!(events, [], "nothing was begun");
    poc.check_nothing_is_left();
    // Those that are not to be started do not matter.
    poc.start_with(poc.only(&["server", "site-2"]), true, true)
        .0
        .unwrap();
    assert!(matches!(poc.start(), Err(Error::KitDamaged { .. })));
    assert_eq!(poc.of("site-2").state, ParticipantState::Running);
    poc.stop_all();
}

fn a_program_that_does_not_exist_fails_the_start() {
    let mut poc = Poc::new(1);
    "/no/such/python".clone_into(&mut poc.edit("server").argv[0]);
    for wait in [true, false] {
        let error = poc.start_with(poc.plan.clone(), false, wait).0.unwrap_err();
        assert!(
            matches!(&error, Error::StartFailed { name, .. } if name == "server"),
            "{error}"
        );
        assert!(error.to_string().contains("No such file"), "{error}");
        poc.check_nothing_is_left();
    }
}

fn an_interrupted_start_is_undone() {
    let poc = Poc::new(1).script("site-1", STAY);
    let cancel = poc.cancel.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_for("the site", || poc.of("site-1").pid);
            cancel.cancel();
        });
        assert!(matches!(poc.start(), Err(Error::Interrupted(_))));
    });
    poc.check_nothing_is_left();
}

fn stop_wins_over_start() {
    let poc = Poc::new(1).script("site-1", STAY);
    std::thread::scope(|scope| {
        let stop = scope.spawn(|| {
            wait_for("the site", || poc.of("site-1").pid);
            poc.stop(None).0.unwrap()
        });
        let error = poc.start().unwrap_err();
        assert!(matches!(error, Error::StopWon { .. }), "{error}");
        assert!(stop.join().unwrap().survivors.is_empty());
    });
    poc.check_nothing_is_left();
}

fn a_port_in_use_is_found_before_anything_starts() {
    let mut poc = Poc::new(1);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port();
    poc.plan.server_address = format!("localhost:{taken}");
    let error = poc.start().unwrap_err();
    let Error::PortInUse { port, holder } = &error else {
        panic!("{error}");
    };
    assert_eq!((*port, holder.pid), (taken, Some(std::process::id())));
    assert!(poc.history().is_empty());
    // Sites need no port.
    let (started, _) = poc.start_with(poc.only(&["site-1"]), false, true);
    assert_eq!(started.unwrap().warnings.len(), 1);
    poc.stop_all();
}

fn in_the_foreground() {
    let poc = Poc::new(1);
    let program = this_program(FOREGROUND);
    let mut child = Command::new(&program[0])
        .arg(&program[1])
        .arg(hand_over(&poc))
        .spawn()
        .unwrap();
    poc.wait_for_state("site-1", ParticipantState::Running);
    assert_eq!(poc.supervisor(), child.id());
    assert!(matches!(poc.start(), Err(Error::AllRunning { .. })));
    signal_pid(child.id(), Signal::INT);
    assert!(child.wait().unwrap().success());
    poc.check_nothing_is_left();
}

fn a_failed_start_in_the_foreground() {
    let poc = Poc::new(1).script("site-1", "exit 7");
    let program = this_program(FOREGROUND);
    let status = Command::new(&program[0])
        .arg(&program[1])
        .arg(hand_over(&poc))
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(3));
    poc.check_nothing_is_left();
}

/// While nothing happens, nothing wakes it.
fn an_idle_supervisor_sleeps() {
    let poc = Poc::new(3);
    poc.start().unwrap();
    let supervisor = poc.supervisor();
    let switches = || -> u64 {
        let status = fs_err::read_to_string(format!("/proc/{supervisor}/status")).unwrap();
        let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
        lines
            .map(|line| line.rsplit('\t').next().unwrap().parse::<u64>().unwrap())
            .sum()
    };
    // What was begun by the start (a check of the logs two seconds later) is over at some time.
    wait_for("five quiet seconds", || {
        let before = switches();
        std::thread::sleep(Duration::from_secs(5));
        (switches() == before).then_some(())
    });
    poc.stop_all();
}
