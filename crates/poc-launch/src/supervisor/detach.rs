//! Starting a supervisor that keeps nothing of whoever starts it.
//!
//! Rust programs should not fork, so the supervisor is the embedding program itself, executed again
//! with other arguments, and in two steps. The first process closes what it inherited, begins a new
//! session, executes the second one and ends; the second is the supervisor. So the supervisor is
//! nobody's child (no zombie in a long-lived embedding program), has no terminal and can get none.
//! Over the pipe that is its standard output it says that it is ready, or why it cannot be.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use camino::Utf8Path;
use poc_core::workspace::Workspace;
use serde::{Deserialize, Serialize};

use super::driver::Driver;
use crate::Error;
use crate::plan::LaunchPlan;

/// Set for the second step.
const DETACHED: &str = "--detached";
const WORKSPACE: &str = "--workspace";

/// What the supervisor says once.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Hello {
    Ready(u32),
    Failed(String),
}

/// The supervisor's main function, for a program that lends itself to it: call this with the arguments
/// that follow the ones given to [`StartOptions::supervisor`](crate::StartOptions::supervisor), before
/// anything else opens files or starts threads, and end with its result. It returns when everything
/// has ended (and in its first step, at once).
///
/// # Errors
///
/// [`Error::SupervisorFailed`], which has also been told to whoever started this.
pub fn main(arguments: &[String]) -> Result<(), Error> {
    let workspace = arguments
        .iter()
        .position(|argument| argument == WORKSPACE)
        .and_then(|at| arguments.get(at + 1))
        .map(|root| Workspace::new(root.clone()));
    let result = match workspace {
        None => Err(failed("no workspace was named")),
        Some(_) if !arguments.iter().any(|argument| argument == DETACHED) => detach(),
        Some(workspace) => supervise(&workspace),
    };
    if let Err(error) = &result {
        // Whoever started this may have gone; the log has it too.
        let _ = say(&Hello::Failed(error.to_string()));
        let _ = writeln!(io::stderr(), "{error}");
    }
    result
}

/// The first step.
fn detach() -> Result<(), Error> {
    close_inherited();
    // Fails only for the leader of a group, which this process is not where `spawn` started it.
    let _ = rustix::process::setsid();
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    Command::new("/proc/self/exe")
        .arg0(name)
        .args(arguments)
        .arg(DETACHED)
        .current_dir("/")
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| failed(&error.to_string()))?;
    Ok(())
}

/// The second step.
fn supervise(workspace: &Workspace) -> Result<(), Error> {
    let plan: LaunchPlan = fs_err::read(workspace.plan_file())
        .and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from))?;
    let mut observer = |_: &super::Happening| {};
    let driver = Driver::open(plan, &mut observer)?;
    say(&Hello::Ready(std::process::id()))?;
    let nowhere = std::fs::File::options().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&nowhere).map_err(io::Error::from)?;
    driver.run(None)?;
    Ok(())
}

/// Closes every descriptor above standard error. They are leftovers of shells and build tools that
/// did not mark theirs close-on-exec, and would keep somebody's pipe open for days. Nothing of this
/// program is open yet.
fn close_inherited() {
    let open: Vec<i32> = fs_err::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        // The directory that was just read is among them, and closed already.
        let _ = nix::unistd::close(fd);
    }
}

fn say(hello: &Hello) -> io::Result<()> {
    let mut line = serde_json::to_vec(hello)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// Starts a supervisor, for a plan that has been written to the workspace, and waits until it takes
/// requests. Returns its process ID.
pub(crate) fn spawn(prefix: &[String], workspace: &Workspace) -> Result<u32, Error> {
    let Some((program, arguments)) = prefix.split_first() else {
        return Err(failed("no program was named for it"));
    };
    let log = std::fs::File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(workspace.supervisor_log())?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .args([WORKSPACE, workspace.root().as_str()])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log);
    if program == "/proc/self/exe"
        && let Some(name) = own_name()
    {
        // For `ps`.
        command.arg0(name);
    }
    let mut first = command
        .spawn()
        .map_err(|error| failed(&format!("{program}: {error}")))?;
    let mut line = String::new();
    let heard = first
        .stdout
        .take()
        .map(|stdout| BufReader::new(stdout).read_line(&mut line));
    // The first step is over by now, or about to be.
    first.wait()?;
    heard.transpose()?;
    match serde_json::from_str(&line) {
        Ok(Hello::Ready(pid)) => Ok(pid),
        Ok(Hello::Failed(reason)) => Err(failed(&reason)),
        Err(_) => Err(failed(&last_words(&workspace.supervisor_log()))),
    }
}

fn own_name() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    Some(program.file_name()?.to_str()?.to_owned())
}

fn last_words(log: &Utf8Path) -> String {
    let tail = crate::logs::tail(log, 1).unwrap_or_default();
    let last = tail.into_iter().next().unwrap_or_default();
    format!("it ended at once, without a reason ({last})")
}

fn failed(reason: &str) -> Error {
    Error::SupervisorFailed {
        reason: reason.to_owned(),
    }
}
