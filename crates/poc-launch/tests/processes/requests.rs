//! Requests by other ways than a command: request files, signals, the control socket.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use poc_launch::ParticipantState;
use poc_launch::process::Signal;
use poc_launch::supervisor::Happening;
use poc_launch::supervisor::control::{Client, Reply, Request};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::poc::{ASK, Poc, STAY, is_alive, signal_pid, wait_for};

crate::tests![
    shutdown_fl_is_obeyed_at_once,
    restart_fl_is_obeyed_at_once,
    one_that_shuts_itself_down_is_given_time,
    shutdown_files_for_all_end_the_supervisor,
    a_restart_on_request,
    sigterm_ends_everything_in_order,
    the_socket_is_private_and_robust,
    request_files_are_obeyed_within_100_ms,
    other_users_are_turned_away,
];

/// What `nvflare` tools, and a person with `touch`, do.
fn shutdown_fl_is_obeyed_at_once() {
    let poc = Poc::new(2);
    poc.start().unwrap();
    let pid = poc.pid("site-1");
    fs_err::write(poc.kit("site-1").shutdown_file(), "").unwrap();
    let begun = Instant::now();
    wait_for("the site's end", || (!is_alive(pid)).then_some(()));
    assert!(
        begun.elapsed() < Duration::from_millis(500),
        "{:?}",
        begun.elapsed()
    );
    poc.wait_for_state("site-1", ParticipantState::Stopped);
    let kit = poc.kit("site-1");
    wait_for("its files to go", || {
        (!kit.daemon_pid_file().exists() && !kit.shutdown_file().exists()).then_some(())
    });
    assert_eq!(poc.of("server").state, ParticipantState::Running);
    poc.stop_all();
}

fn restart_fl_is_obeyed_at_once() {
    let poc = Poc::new(1);
    poc.start().unwrap();
    let before = poc.pid("site-1");
    fs_err::write(poc.kit("site-1").restart_file(), "").unwrap();
    let after = wait_for("another process", || {
        poc.of("site-1").pid.filter(|pid| *pid != before)
    });
    assert!(is_alive(after) && !is_alive(before));
    assert!(!poc.kit("site-1").restart_file().exists());
    // Asked for, so it is not counted as a death.
    assert_eq!(
        poc.wait_for_state("site-1", ParticipantState::Running)
            .restarts,
        0
    );
    poc.stop_all();
}

/// NVFlare writes the file itself when an admin shuts it down, and then needs some seconds.
fn one_that_shuts_itself_down_is_given_time() {
    let poc = Poc::new(1);
    let come_up = crate::poc::comes_up(&poc.kit("site-1"));
    let leaves = "echo 't - ClientEngine - INFO - Client shutdown...'; touch shutdown.fl; sleep 1; echo bye; exit 0";
    let poc = poc.script(
        "site-1",
        &format!("{come_up}; until [ -e go ]; do sleep 0.05; done; {leaves}"),
    );
    poc.start().unwrap();
    fs_err::write(poc.kit("site-1").dir.join("go"), "").unwrap();
    poc.wait_for_state("site-1", ParticipantState::Stopped);
    let log = fs_err::read_to_string(poc.kit("site-1").console_log()).unwrap();
    assert!(log.ends_with("bye\n"), "{log}");
    let history = poc.history();
    assert!(
        !history.iter().any(|line| line.starts_with("signalled")),
        "{history:?}"
    );
    poc.stop_all();
}

/// The end of `nvflare poc stop`: every participant has its file, nobody speaks to the supervisor.
fn shutdown_files_for_all_end_the_supervisor() {
    let poc = Poc::new(2);
    poc.start().unwrap();
    let supervisor = poc.supervisor();
    for name in ["site-2", "site-1", "server"] {
        fs_err::write(poc.kit(name).shutdown_file(), "").unwrap();
    }
    wait_for("the supervisor's end", || {
        (!is_alive(supervisor)).then_some(())
    });
    poc.check_nothing_is_left();
}

fn a_restart_on_request() {
    let poc = Poc::new(1);
    assert!(poc.federation().restart("site-1").is_err());
    poc.start().unwrap();
    let before = poc.pid("site-1");
    poc.federation().restart("site-1").unwrap();
    wait_for("another process", || {
        poc.of("site-1").pid.filter(|pid| *pid != before)
    });
    poc.stop_all();
}

fn sigterm_ends_everything_in_order() {
    let poc = Poc::new(2).script("site-2", STAY);
    poc.start_with(poc.plan.clone(), false, false).0.unwrap();
    let supervisor = poc.supervisor();
    signal_pid(supervisor, Signal::TERM);
    wait_for("the supervisor's end", || {
        (!is_alive(supervisor)).then_some(())
    });
    poc.check_nothing_is_left();
    assert_eq!(poc.history().last().unwrap(), "supervisor_leaving -");
}

fn the_socket_is_private_and_robust() {
    let poc = Poc::new(1);
    poc.start().unwrap();
    let workspace = &poc.prepared.workspace;
    let mode = fs_err::metadata(workspace.control_socket())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // Nonsense is answered, and harms nobody.
    let dir = std::fs::File::open(workspace.poc_dir()).unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&dir);
    let mut stream = UnixStream::connect(format!("/proc/self/fd/{fd}/control.sock")).unwrap();
    stream
        .write_all(b"hello\n\n{\"ask\":\"dance\"}\n{\"ask\":")
        .unwrap();
    let mut answer = [0; 64];
    let length = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.contains("not_understood"), "{answer}");
    drop(stream);
    let mut client = Client::connect(workspace).unwrap().unwrap();
    let reply = client
        .ask(&Request::Status {}, Duration::from_secs(10))
        .unwrap();
    assert!(matches!(reply, Reply::Status(snapshot) if snapshot.participants.len() == 2));
    poc.stop_all();
    assert!(Client::connect(workspace).unwrap().is_none());
}

/// From the file to the signal, by the event log. On a machine that is busy with other tests any one of
/// them may wait for its turn; that all of them do would be no accident.
fn request_files_are_obeyed_within_100_ms() {
    let poc = Poc::new(1);
    poc.start().unwrap();
    let signalled = || -> Vec<OffsetDateTime> {
        let events = poc.federation().events().unwrap().into_iter();
        let signals = events.filter(|it| matches!(it.happening, Happening::Signalled { .. }));
        signals
            .map(|it| OffsetDateTime::parse(&it.time, &Rfc3339).unwrap())
            .collect()
    };
    let mut delays = Vec::new();
    for round in 0..8 {
        poc.wait_for_state("site-1", ParticipantState::Running);
        let kit = poc.kit("site-1");
        let file = if round == 7 {
            kit.shutdown_file()
        } else {
            kit.restart_file()
        };
        let written = OffsetDateTime::now_utc();
        fs_err::write(file, "").unwrap();
        let signal = wait_for("the signal", || signalled().get(round).copied());
        delays.push(signal - written);
        wait_for("it is obeyed", || {
            let history = poc.history();
            let ends = history
                .iter()
                .filter(|line| *line == "exited site-1")
                .count();
            (ends == round + 1).then_some(())
        });
    }
    let (restart, shutdown) = (delays[..7].iter().min().unwrap(), delays[7]);
    assert!(*restart < Duration::from_millis(100), "{delays:?}");
    assert!(shutdown < Duration::from_millis(500), "{delays:?}");
    poc.stop_all();
}

/// Even where the modes of files let them come so far.
fn other_users_are_turned_away() {
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        crate::skip("only root can be somebody else");
        return;
    }
    let poc = Poc::new(1);
    poc.start().unwrap();
    let socket = poc.prepared.workspace.control_socket();
    let open = |path: &camino::Utf8Path, mode| {
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(&socket, 0o666);
    for directory in socket.ancestors().skip(1).take(3) {
        open(directory, 0o711);
    }
    // Where the tests are built nobody else may look.
    let program = poc.prepared.workspace.root().with_file_name("ask");
    fs_err::copy(std::env::current_exe().unwrap(), &program).unwrap();
    open(&program, 0o755);
    let ask = |uid: Option<u32>| {
        let mut command = Command::new(&program);
        command.args([ASK, socket.as_str()]);
        if let Some(uid) = uid {
            command.uid(uid);
        }
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(ask(None).contains("\"site-1\""));
    assert_eq!(ask(Some(NOBODY)), "connected\nnothing\n");
    poc.stop_all();
}

/// `__ask SOCKET`: asks for the status, as whoever this is, and says what comes back.
#[expect(clippy::print_stdout, reason = "it is what this program is for")]
pub(crate) fn ask_elsewhere(arguments: &[String]) -> ExitCode {
    let mut stream = UnixStream::connect(&arguments[0]).unwrap();
    println!("connected");
    // Whoever is turned away may be so before it has spoken.
    let _ = stream.write_all(b"{\"ask\":\"status\"}\n");
    let mut answer = [0; 16 * 1024];
    match stream.read(&mut answer) {
        Ok(0) | Err(_) => println!("nothing"),
        Ok(length) => println!("{}", String::from_utf8_lossy(&answer[..length])),
    }
    ExitCode::SUCCESS
}
