//! The judge: one Python for all cases of a test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use poc_tests::PocTest;
use serde_json::Value;

/// pyhocon tries so long on some files that nobody would wait for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the judge says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    Ok(Value),
    Error(String),
    /// It did not come to an end.
    TooSlow,
}

pub(super) struct Judge {
    python: String,
    running: Running,
}

struct Running {
    child: Child,
    requests: ChildStdin,
    replies: Receiver<String>,
}

impl Judge {
    pub(super) fn new(world: &PocTest) -> Self {
        let python = world.python_path().to_string();
        let running = Running::start(&python);
        Self { python, running }
    }

    pub(super) fn ask(&mut self, request: &Value) -> Verdict {
        // Escaped, so that nothing in a text can be taken for the end of the line.
        writeln!(self.running.requests, "{request}").unwrap();
        match self.running.replies.recv_timeout(PATIENCE) {
            Ok(line) => {
                let mut reply: Value = serde_json::from_str(&line).unwrap();
                match reply["error"].as_str() {
                    Some(error) => Verdict::Error(error.to_owned()),
                    None => Verdict::Ok(reply["ok"].take()),
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                self.running = Running::start(&self.python);
                Verdict::TooSlow
            }
            Err(RecvTimeoutError::Disconnected) => panic!("the judge has gone, over {request}"),
        }
    }
}

impl Running {
    fn start(python: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/judge.py");
        let mut child = Command::new(python)
            .arg(script)
            .env("PYTHONWARNINGS", "ignore")
            .env("HOME", "/home/judged")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let requests = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, replies) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            requests,
            replies,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be busy for minutes, and there is nothing for it to tidy up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
