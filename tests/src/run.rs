use std::{
    ffi::OsStr,
    io::{self, Read, Write as _},
    mem,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use camino::Utf8Path;
use rustix::process::{Pid, Signal};

use crate::{Output, wait, wait_for};

/// How long a program may take before the test fails, unless [`Run::limit`] says otherwise.
const LIMIT: Duration = Duration::from_secs(120);
/// How long its pipes may stay open after its end. They close at once, unless something that it
/// started holds them; and a notebook, or `| cat`, would then wait for ever.
const PIPES: Duration = Duration::from_secs(5);

/// A program about to run in a test's world.
#[derive(Debug)]
#[must_use = "nothing runs before `run`, `spawn`, `success` or `code`"]
pub struct Run {
    command: Command,
    input: Vec<u8>,
    limit: Duration,
}

impl Run {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            command: Command::new(program),
            input: Vec::new(),
            limit: LIMIT,
        }
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes a variable that the world sets.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn only_env(mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        self.command.env_clear().envs(pairs);
        self
    }

    /// Sets the working directory.
    pub fn dir(mut self, directory: &Utf8Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// What the program reads from standard input: empty, unless this is called.
    pub fn input(mut self, text: &str) -> Self {
        self.input = text.into();
        self
    }

    /// How long it may take.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The program as a plain command, for [`Terminal`](crate::Terminal).
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(self) -> Output {
        self.spawn().wait()
    }

    /// Runs it to its end, which must be exit code 0.
    #[track_caller]
    pub fn success(self) -> Output {
        self.code(0)
    }

    /// Runs it to its end, which must be this exit code.
    #[track_caller]
    pub fn code(self, expected: i32) -> Output {
        let output = self.run();
        output.code(expected);
        output
    }

    /// Starts it.
    #[track_caller]
    pub fn spawn(mut self) -> Running {
        wait::check();
        let line = line(&self.command);
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let start = Instant::now();
        let mut child = match self.command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("`{line}` does not start: {error}"),
        };
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends without reading what it was sent is not this function's business.
            let _ = stdin.write_all(&self.input);
        }
        let stdout = Stream::read(child.stdout.take().unwrap());
        let stderr = Stream::read(child.stderr.take().unwrap());
        Running {
            child,
            line,
            start,
            limit: self.limit,
            stdout,
            stderr,
        }
    }
}

/// A program that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    line: String,
    start: Instant,
    limit: Duration,
    stdout: Stream,
    stderr: Stream,
}

impl Running {
    /// Its process ID.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// What it has said so far, standard output and then standard error.
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout.so_far(), self.stderr.so_far())
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it has said `text`.
    ///
    /// # Panics
    ///
    /// When it ends first, or its time is up.
    #[track_caller]
    pub fn wait_until_said(&mut self, text: &str) {
        wait_for(
            &format!("`{}` says {text:?}", self.line),
            self.limit,
            || {
                // In this order: what it said before its end counts.
                let ended = self.ended();
                let said = self.said();
                assert!(
                    said.contains(text) || !ended,
                    "`{}` ended before it said {text:?}:\n{said}",
                    self.line
                );
                said.contains(text).then_some(())
            },
        );
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// When its time is up, or when its output streams are still held open by somebody afterwards.
    #[track_caller]
    pub fn wait(mut self) -> Output {
        let limit = self.start + self.limit;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            wait::check();
            if Instant::now() > limit {
                let said = self.said();
                panic!(
                    "`{}` still runs after {:?}; it said:\n{said}",
                    self.line, self.limit
                );
            }
            thread::sleep(Duration::from_millis(5));
        };
        let elapsed = self.start.elapsed();
        let closed = Instant::now() + PIPES;
        while !(self.stdout.closed() && self.stderr.closed()) {
            assert!(
                Instant::now() < closed,
                "`{}` has ended, but something that it started holds its output open; it said:\n{}",
                self.line,
                self.said(),
            );
            thread::sleep(Duration::from_millis(5));
        }
        Output {
            command: mem::take(&mut self.line),
            exit: status.code(),
            stdout: self.stdout.so_far(),
            stderr: self.stderr.so_far(),
            elapsed,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// One of a program's output streams, read by a thread as it comes.
#[derive(Debug)]
struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Stream {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut block = [0; 8192];
            loop {
                match from.read(&mut block) {
                    Ok(0) => break,
                    Ok(count) => into.lock().unwrap().extend_from_slice(&block[..count]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
        });
        Self { text, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    fn closed(&self) -> bool {
        self.reader.is_finished()
    }
}

fn line(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    let words = command
        .get_args()
        .map(|word| word.to_string_lossy().into_owned());
    [name]
        .into_iter()
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}
