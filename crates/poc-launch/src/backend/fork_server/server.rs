//! The process, and the lines that go to and fro.

use std::collections::{HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::event::{PollFd, PollFlags};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::origin::Origin;
use super::{Outcome, Wanted};
use crate::backend::child::words;
use crate::backend::forked::Forked;
use crate::logs;
use crate::process::poll_until;

const PROGRAM: &str = include_str!("program.py");

/// Takes the program from the first line of standard input: so nothing has to lie on a disk, and
/// `ps` stays readable.
const BOOTSTRAP: &str = "import json; requests = open(0, 'rb', closefd=False); \
    exec(compile(json.loads(requests.readline()), 'poc-fork-server', 'exec'))";

/// For people who look at processes.
const MARK: &str = "poc-fork-server";

/// A participant shows its own command line and environment where the fork server's were: the kernel
/// reads both from the process's memory. There must be room for the longest; this much more than the
/// first one needs is enough for the others, whose names and GPUs differ a little.
const ROOM: usize = 256;

/// From the start to the first word. Importing takes half a second, and much longer on a machine that
/// is busy, or that reads from a cold disk.
const IMPORTING: Duration = Duration::from_secs(60);

/// From a request to its answer. Forking takes some milliseconds; how long the imports took tells how
/// busy the machine is, and this many times as long is far more than enough.
const FORKING: u32 = 2;
/// But at least so long: a machine that was idle may be so no more. What is given up too early costs
/// no more than a Python of its own for one participant.
const FORKING_AT_LEAST: Duration = Duration::from_secs(4);

/// For ending by itself, which takes it a millisecond.
const LAST_MOMENT: Duration = Duration::from_millis(200);

/// One fork server.
pub(super) struct Server {
    origin: Origin,
    /// What it was started with.
    environment: Vec<(OsString, OsString)>,
    /// How long a command line may be, its ends of words included.
    longest_command: usize,
    longest_environment: usize,
    child: Child,
    /// `None` once it is told to end.
    requests: Option<ChildStdin>,
    replies: ChildStdout,
    received: Vec<u8>,
    printed: Utf8PathBuf,
    /// How long its imports took; `None` until they are through.
    ready: Option<Duration>,
    /// The first one has been sent, once the server is ready. One at a time, so that a request always
    /// fits into the pipe.
    asked: VecDeque<Wanted>,
    /// When it was last heard of, or asked after a pause.
    since: Instant,
}

/// A request, as bytes in letters: each stands for the byte of the same number.
#[derive(Serialize)]
struct Request<'a> {
    name: &'a str,
    argv: Vec<String>,
    directory: String,
    log: String,
    set: Map<String, Value>,
    unset: Vec<String>,
}

/// One line from the server.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Ready {
        ready: bool,
        reason: Option<String>,
    },
    Forked {
        #[serde(rename = "name")]
        _name: String,
        pid: u32,
    },
    Failed {
        #[serde(rename = "name")]
        _name: String,
        error: String,
    },
}

impl Server {
    /// Starts one that this participant can be forked from.
    pub(super) fn start(directory: &Utf8Path, origin: Origin, first: &Wanted) -> io::Result<Self> {
        let own = ["-u", "-c", BOOTSTRAP, MARK];
        let own_length = length([origin.python.as_str()].into_iter().chain(own));
        let wanted = length(first.participant.argv.iter().map(String::as_str)) + ROOM;
        // The padding is a word, with an end of its own, and is never empty.
        let padding = wanted.saturating_sub(own_length + 1).max(1);
        let plain = environment_length(&origin.environment(0));
        let wanted = environment_length(&first.environment) + ROOM;
        let environment = origin.environment(wanted.saturating_sub(plain));

        let printed = directory.join("fork_server.log");
        let log = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&printed)?;
        let mut child = Command::new(&origin.python)
            .args(own)
            .arg(" ".repeat(padding))
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            // NVFlare searches the working directory, and all below it, for a comm_config.json.
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // Signals of the caller's terminal are not for it.
            .process_group(0)
            .spawn()?;
        let (Some(requests), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipe"));
        };
        rustix::io::ioctl_fionbio(&replies, true)?;
        let mut server = Self {
            longest_command: own_length + padding + 1,
            longest_environment: environment_length(&environment),
            origin,
            environment,
            child,
            requests: Some(requests),
            replies,
            received: Vec::new(),
            printed,
            ready: None,
            asked: VecDeque::new(),
            since: Instant::now(),
        };
        server.say(&PROGRAM);
        Ok(server)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.replies.as_fd()
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.is_asked().then(|| self.since + self.patience())
    }

    fn patience(&self) -> Duration {
        self.ready.map_or(IMPORTING, |importing| {
            (importing * FORKING).clamp(FORKING_AT_LEAST, IMPORTING)
        })
    }

    /// Whether a participant can be forked from this one.
    pub(super) fn suits(&self, origin: &Origin, wanted: &Wanted) -> bool {
        let command = wanted.participant.argv.iter().map(String::as_str);
        *origin == self.origin
            && length(command) <= self.longest_command
            && environment_length(&wanted.environment) <= self.longest_environment
    }

    /// Whether answers are outstanding.
    pub(super) fn is_asked(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Whether it could serve.
    pub(super) fn was_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// Asks for a participant.
    pub(super) fn ask(&mut self, wanted: Wanted) {
        self.asked.push_back(wanted);
        if self.asked.len() == 1 && self.was_ready() {
            self.since = Instant::now();
            self.send_first();
        }
    }

    /// Forgets requests, of these participants or of all, that have not been sent; returns whose.
    pub(super) fn recall(&mut self, names: Option<&[String]>) -> Vec<String> {
        let mut recalled = Vec::new();
        let mut sent = self.was_ready();
        self.asked.retain(|wanted| {
            // Only the first can have been sent.
            let was_sent = std::mem::take(&mut sent);
            let name = &wanted.participant.name;
            let keep = was_sent || names.is_some_and(|names| !names.contains(name));
            if !keep {
                recalled.push(name.clone());
            }
            keep
        });
        recalled
    }

    /// Gives it up; returns what it has not answered.
    pub(super) fn into_asked(mut self) -> VecDeque<Wanted> {
        std::mem::take(&mut self.asked)
    }

    /// Takes what it has said since.
    ///
    /// # Errors
    ///
    /// Why it can be given up.
    pub(super) fn hear(&mut self, outcomes: &mut Vec<Outcome>) -> Result<(), String> {
        let ended = self.receive();
        while let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.received.drain(..=end).collect();
            let line = serde_json::from_slice(&line)
                .map_err(|_| "it does not answer what it was asked".to_owned())?;
            let took = self.since.elapsed();
            self.since = Instant::now();
            self.take(line, took, outcomes)?;
        }
        if ended {
            return Err(self.last_words());
        }
        if self.due().is_some_and(|due| due <= Instant::now()) {
            let waited = self.since.elapsed().as_secs();
            return Err(format!("it has not answered for {waited} s"));
        }
        Ok(())
    }

    /// Whether that was the end.
    fn receive(&mut self) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match self.replies.read(&mut buffer) {
                Ok(0) => return true,
                Ok(read) => self.received.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }

    fn take(
        &mut self,
        line: Line,
        took: Duration,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), String> {
        let process = match line {
            Line::Ready { ready: true, .. } => {
                self.ready = Some(took);
                self.send_first();
                return Ok(());
            }
            Line::Ready { reason, .. } => return Err(reason.unwrap_or_default()),
            Line::Forked { pid, .. } => Forked::take(pid).map(|it| Box::new(it) as Box<_>),
            Line::Failed { error, .. } => Err(io::Error::other(error)),
        };
        if let Some(wanted) = self.asked.pop_front() {
            let name = wanted.participant.name;
            outcomes.push(Outcome::Forked { name, process });
        }
        self.send_first();
        Ok(())
    }

    fn send_first(&mut self) {
        let Some(first) = self.asked.front() else {
            return;
        };
        let request = self.request(first);
        let request = serde_json::to_value(request).unwrap_or_default();
        self.say(&request);
    }

    fn request<'a>(&self, wanted: &'a Wanted) -> Request<'a> {
        let has = |pairs: &[(OsString, OsString)]| -> HashSet<(OsString, OsString)> {
            pairs.iter().cloned().collect()
        };
        let here = has(&self.environment);
        let names: HashSet<&OsStr> = wanted.environment.iter().map(|(name, _)| &**name).collect();
        let participant = &wanted.participant;
        Request {
            name: &participant.name,
            argv: participant.argv.iter().map(letters).collect(),
            directory: letters(&participant.directory),
            log: letters(&participant.log),
            set: wanted
                .environment
                .iter()
                .filter(|pair| !here.contains(pair))
                .map(|(name, value)| (letters(name), letters(value).into()))
                .collect(),
            unset: self
                .environment
                .iter()
                .filter(|(name, _)| !names.contains(&**name))
                .map(|(name, _)| letters(name))
                .collect(),
        }
    }

    fn say(&mut self, what: &impl Serialize) {
        let Ok(mut line) = serde_json::to_vec(what) else {
            return;
        };
        line.push(b'\n');
        if let Some(requests) = &mut self.requests {
            // Where this fails it has died, which its other pipe tells.
            let _ = requests.write_all(&line);
        }
    }

    /// Why it has ended.
    fn last_words(&mut self) -> String {
        let _ = self.child.kill();
        let status = match self.child.wait() {
            Ok(status) => words(status),
            Err(error) => error.to_string(),
        };
        let tail = logs::tail(&self.printed, 1).unwrap_or_default();
        match tail.into_iter().next() {
            Some(line) if !self.was_ready() => format!("it ended: {status} ({line})"),
            _ => format!("it ended: {status}"),
        }
    }
}

impl Drop for Server {
    /// Participants that it has answered for are let go a moment later, and then on their own; others
    /// end with it.
    fn drop(&mut self) {
        self.requests = None;
        if self.was_ready() && !self.is_asked() {
            let deadline = Instant::now() + LAST_MOMENT;
            let mut fds = [PollFd::from_borrowed_fd(
                self.replies.as_fd(),
                PollFlags::IN,
            )];
            let _ = poll_until(&mut fds, deadline);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How much of a process's memory words take, each with its end.
fn length<'a>(words: impl Iterator<Item = &'a str>) -> usize {
    words.map(|word| word.len() + 1).sum()
}

/// The same for `NAME=value`.
fn environment_length(environment: &[(OsString, OsString)]) -> usize {
    let lengths = environment.iter();
    lengths
        .map(|(name, value)| name.len() + value.len() + 2)
        .sum()
}

/// Bytes as letters of the same number: JSON has only text, paths and variables may be anything.
fn letters(text: impl AsRef<OsStr>) -> String {
    let bytes = text.as_ref().as_bytes();
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
