//! The helper process that speaks NVFlare's admin API, and the line to it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::event::{PollFd, PollFlags};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AdminOps, Failure, Op};
use crate::Error;
use crate::logs;
use crate::process::{Handle, Identity, poll_until};

/// An argument of every helper, by which it is recognised among the processes of a POC.
pub(crate) const HELPER_MARK: &str = "poc-admin";

const PROGRAM: &str = include_str!("helper.py");

/// Takes the program from the first line of standard input: so nothing has to lie on a disk, and
/// `ps` stays readable.
const BOOTSTRAP: &str = "import json, os; requests = os.fdopen(os.dup(0), 'rb'); \
    exec(compile(json.loads(requests.readline()), 'poc-admin', 'exec'))";

/// The helper keeps limits by itself; only when it does not is it given up.
const ALLOWANCE: Duration = Duration::from_secs(1);
/// A Python that has not come up by then never will.
const LONGEST_START: Duration = Duration::from_secs(120);
/// How long the helper may take to end when it is told to.
const LONGEST_END: Duration = Duration::from_secs(1);
/// What of the helper's own output an error shows.
const TAIL: usize = 12;

/// A link to a POC's server, as one of its admins.
///
/// It starts its helper process when it is made, and another when that one died or got stuck, and
/// ends it when it is dropped. Sessions with the server come and go with the server. The helper
/// also ends by itself when this process does.
#[derive(Debug)]
pub struct Link {
    python: Utf8PathBuf,
    kit: Utf8PathBuf,
    user: String,
    environment: Vec<(String, String)>,
    helper: Option<Helper>,
}

#[derive(Debug)]
struct Helper {
    child: Child,
    /// `None` once closed, which ends the helper.
    requests: Option<ChildStdin>,
    replies: ChildStdout,
    received: Vec<u8>,
    printed: File,
    born: Instant,
    said_hello: bool,
    last_id: u64,
    /// A request was given up and its reply has not come.
    overdue: Option<u64>,
}

#[derive(Serialize)]
struct Request<'a> {
    id: u64,
    limit: f64,
    #[serde(flatten)]
    op: &'a Op,
}

/// One line from the helper.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Hello {
        #[serde(rename = "hello")]
        _versions: Value,
    },
    Fatal {
        fatal: Exception,
    },
    Done {
        id: u64,
        ok: Value,
    },
    Failed {
        id: u64,
        error: Exception,
    },
}

#[derive(Deserialize)]
struct Exception {
    kind: String,
    message: String,
    #[serde(default)]
    traceback: Vec<String>,
}

/// What a wait for the helper came to.
enum Heard {
    Line(Line),
    Nothing,
    TheEnd,
}

impl Link {
    /// Starts a helper with the runtime's Python, for the admin whose startup kit that is.
    /// `environment` comes on top of what the helper inherits: the instance's cookie, above all.
    ///
    /// It returns at once; a Python that does not work shows at the first call.
    ///
    /// # Errors
    ///
    /// [`Error::AdminHelper`] where the Python cannot be started.
    pub fn start(
        python: &Utf8Path,
        kit: &Utf8Path,
        user: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let mut link = Self {
            python: python.to_owned(),
            kit: kit.to_owned(),
            user: user.to_owned(),
            environment: environment.into_iter().collect(),
            helper: None,
        };
        link.helper = Some(link.new_helper()?);
        Ok(link)
    }

    /// The helper's process, while there is one.
    pub fn helper(&self) -> Option<Identity> {
        Identity::of(self.helper.as_ref()?.child.id())
    }

    fn new_helper(&self) -> Result<Helper, Error> {
        let start = || -> io::Result<Helper> {
            let printed = tempfile::tempfile()?;
            let mut child = Command::new(&self.python)
                .args(["-c", BOOTSTRAP, HELPER_MARK, &self.user, self.kit.as_str()])
                .envs(self.environment.iter().map(|(name, value)| (name, value)))
                // NVFlare searches the working directory, and all below it, for a comm_config.json.
                .current_dir(self.kit.join("startup"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(printed.try_clone()?)
                // The terminal's Ctrl-C is for the caller, who decides what becomes of the helper.
                .process_group(0)
                .spawn()?;
            let (Some(requests), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
                return Err(io::Error::other("no pipe"));
            };
            Ok(Helper {
                child,
                requests: Some(requests),
                replies,
                received: Vec::new(),
                printed,
                born: Instant::now(),
                said_hello: false,
                last_id: 0,
                overdue: None,
            })
        };
        let failed =
            |error: io::Error| self.failure(format!("cannot be started: {error}"), Vec::new());
        let mut helper = start().map_err(failed)?;
        // Where this fails the helper has died; the first call finds out why.
        let _ = helper.write(&PROGRAM);
        Ok(helper)
    }

    fn failure(&self, what: String, tail: Vec<String>) -> Error {
        Error::AdminHelper {
            python: self.python.clone(),
            what,
            tail,
        }
    }

    /// A helper that can take a request: the one that is there, or a new one.
    fn helper_for_request(&mut self) -> Result<Helper, Error> {
        if let Some(mut helper) = self.helper.take() {
            // What came in since the last call: a late reply, or the end.
            let idle = loop {
                match helper.hear(Instant::now())? {
                    Heard::Line(line) => helper.note(&line),
                    Heard::Nothing => break helper.overdue.is_none(),
                    // One that never came up is kept, so that its error is seen.
                    Heard::TheEnd => break !helper.said_hello,
                }
            };
            let dead = helper.said_hello && matches!(helper.child.try_wait(), Ok(Some(_)));
            let stillborn = !helper.said_hello && helper.born.elapsed() > LONGEST_START;
            if idle && !dead && !stillborn {
                return Ok(helper);
            }
        }
        self.new_helper()
    }
}

impl AdminOps for Link {
    fn call(&mut self, op: &Op, limit: Duration) -> Result<Value, Error> {
        let deadline = Instant::now() + limit;
        let mut helper = self.helper_for_request()?;
        while !helper.said_hello {
            match helper.hear(deadline)? {
                Heard::Line(Line::Fatal { fatal }) => {
                    let what = format!("cannot import NVFlare: {}: {}", fatal.kind, fatal.message);
                    return Err(self.failure(what, last(fatal.traceback)));
                }
                Heard::Line(line) => helper.note(&line),
                Heard::Nothing => {
                    self.helper = Some(helper);
                    return Err(Failure::TimedOut {
                        seconds: limit.as_secs_f64(),
                    }
                    .into_error(op));
                }
                Heard::TheEnd => {
                    let (status, tail) = helper.post_mortem();
                    return Err(self.failure(format!("ended at once ({status})"), tail));
                }
            }
        }
        helper.last_id += 1;
        let id = helper.last_id;
        let left = deadline
            .saturating_duration_since(Instant::now())
            .as_secs_f64();
        // Where writing fails the helper has died, and reading says so.
        let _ = helper.write(&Request {
            id,
            limit: left,
            op,
        });
        loop {
            match helper.hear(deadline + ALLOWANCE)? {
                Heard::Line(Line::Done { id: of, ok }) if of == id => {
                    self.helper = Some(helper);
                    return Ok(ok);
                }
                Heard::Line(Line::Failed { id: of, error }) if of == id => {
                    self.helper = Some(helper);
                    let failure =
                        Failure::of_exception(&error.kind, error.message, limit.as_secs_f64());
                    return Err(failure.into_error(op));
                }
                Heard::Line(line) => helper.note(&line),
                Heard::Nothing => {
                    helper.overdue = Some(id);
                    self.helper = Some(helper);
                    return Err(Failure::TimedOut {
                        seconds: limit.as_secs_f64(),
                    }
                    .into_error(op));
                }
                Heard::TheEnd => {
                    let (status, tail) = helper.post_mortem();
                    return Err(self.failure(format!("died ({status})"), tail));
                }
            }
        }
    }
}

impl Helper {
    fn write(&mut self, message: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.requests
            .as_mut()
            .map_or(Ok(()), |requests| requests.write_all(&line))
    }

    /// The next line, waiting for it until the deadline. Lines that are none of the protocol are
    /// passed over.
    fn hear(&mut self, deadline: Instant) -> Result<Heard, Error> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                if let Ok(line) = serde_json::from_slice(&line) {
                    return Ok(Heard::Line(line));
                }
                continue;
            }
            let mut fds = [PollFd::new(&self.replies, PollFlags::IN)];
            if !poll_until(&mut fds, deadline)? {
                return Ok(Heard::Nothing);
            }
            let mut piece = [0; 16 * 1024];
            match self.replies.read(&mut piece) {
                Ok(0) => return Ok(Heard::TheEnd),
                Ok(length) => self.received.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn note(&mut self, line: &Line) {
        match line {
            Line::Hello { .. } => self.said_hello = true,
            Line::Done { id, .. } | Line::Failed { id, .. } if self.overdue == Some(*id) => {
                self.overdue = None;
            }
            _ => {}
        }
    }

    /// Why it ended, once it has.
    fn post_mortem(mut self) -> (String, Vec<String>) {
        self.end();
        let status = self
            .child
            .wait()
            .map_or_else(|error| error.to_string(), |status| status.to_string());
        // The file has no name any more, but this path leads to it.
        let path = Utf8PathBuf::from(format!("/proc/self/fd/{}", self.printed.as_raw_fd()));
        let tail = logs::tail(&path, TAIL).unwrap_or_default();
        (
            status,
            tail.iter()
                .map(|line| logs::redact(line).into_owned())
                .collect(),
        )
    }

    fn end(&mut self) {
        // It ends with its input. A FLARE session must not keep it, so it gets no long time to.
        self.requests = None;
        let handle = Identity::of(self.child.id())
            .and_then(|identity| Handle::open(&identity).ok().flatten());
        if !handle.is_none_or(|handle| handle.wait(Instant::now() + LONGEST_END).unwrap_or(false)) {
            let _ = self.child.kill();
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.end();
        // Reaps it. `end` made sure that it is on its way.
        let _ = self.child.wait();
    }
}

fn last(mut lines: Vec<String>) -> Vec<String> {
    lines.split_off(lines.len().saturating_sub(TAIL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::executable;

    const LIMIT: Duration = Duration::from_secs(20);

    /// A startup kit, and a stand-in for Python that a shell script plays: for faults that the real one
    /// cannot be made to show. The script finds what the helper gets as its input.
    struct Fake {
        dir: tempfile::TempDir,
    }

    impl Fake {
        fn new(script: &str) -> Self {
            let fake = Self {
                dir: tempfile::tempdir().unwrap(),
            };
            fs_err::create_dir_all(fake.path("kit/startup")).unwrap();
            executable(&fake.path("python"), &format!("read program\n{script}"));
            fake
        }

        fn path(&self, name: &str) -> Utf8PathBuf {
            Utf8Path::from_path(self.dir.path()).unwrap().join(name)
        }

        fn link(&self) -> Result<Link, Error> {
            Link::start(
                &self.path("python"),
                &self.path("kit"),
                "admin@nvidia.com",
                [],
            )
        }
    }

    fn tail_of(error: &Error) -> &[String] {
        match error {
            Error::AdminHelper { tail, .. } => tail,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_python_that_cannot_be_started() {
        let fake = Fake::new("");
        let error = Link::start("/no/such/python".into(), &fake.path("kit"), "a", []).unwrap_err();
        assert!(error.to_string().contains("cannot be started"), "{error}");
    }

    #[test]
    fn a_python_that_crashes_shows_what_it_printed() {
        let error = Fake::new("echo 'no module named nvflare' >&2; exit 3")
            .link()
            .unwrap()
            .jobs(LIMIT)
            .unwrap_err();
        assert_eq!(tail_of(&error), ["no module named nvflare"]);
        assert!(error.to_string().contains("exit status: 3"), "{error}");
    }

    #[test]
    fn a_python_without_nvflare_says_so() {
        let fatal = r#"echo '{"fatal":{"kind":"ImportError","message":"No module named grpc","traceback":["a","b"]}}'"#;
        let error = Fake::new(fatal).link().unwrap().jobs(LIMIT).unwrap_err();
        assert_eq!(tail_of(&error), ["a", "b"]);
        assert!(
            error
                .to_string()
                .contains("ImportError: No module named grpc"),
            "{error}"
        );
    }

    #[test]
    fn noise_is_passed_over_and_a_dead_helper_is_replaced() {
        let fake = Fake::new(
            r#"echo noise; echo '{"hello":{}}'; read request; echo '{"id":99,"ok":1}'; echo '{"id":1,"ok":[]}'"#,
        );
        let mut link = fake.link().unwrap();
        let first = link.helper();
        assert!(link.jobs(LIMIT).unwrap().is_empty());
        // This helper ends after one answer.
        let handle = Handle::open(&first.clone().unwrap());
        if let Ok(Some(handle)) = handle {
            assert!(handle.wait(Instant::now() + LIMIT).unwrap());
        }
        assert!(link.jobs(LIMIT).unwrap().is_empty());
        assert!(link.helper().is_none_or(|helper| Some(helper) != first));
    }

    #[test]
    fn a_helper_that_dies_on_a_request_is_an_error_and_the_next_call_works() {
        let fake = Fake::new(
            "echo '{\"hello\":{}}'; read request\n\
             [ -e \"$0.died\" ] || { touch \"$0.died\"; echo boom >&2; kill -9 $$; }\n\
             echo '{\"id\":1,\"ok\":[]}'",
        );
        let mut link = fake.link().unwrap();
        let error = link.jobs(LIMIT).unwrap_err();
        assert_eq!(tail_of(&error), ["boom"]);
        assert!(link.jobs(LIMIT).unwrap().is_empty());
    }

    #[test]
    fn a_stuck_helper_is_given_up_and_replaced_and_leaves_nothing() {
        let fake = Fake::new(
            "trap '' TERM; echo '{\"hello\":{}}'; read request\n\
             [ -e \"$0.stuck\" ] || { touch \"$0.stuck\"; exec sleep 600; }\n\
             echo '{\"id\":1,\"ok\":[]}'; read end",
        );
        let mut link = fake.link().unwrap();
        let stuck = link.helper().unwrap();
        let error = link.jobs(Duration::from_millis(100)).unwrap_err();
        assert!(matches!(error, Error::AdminTimeout { .. }), "{error}");
        assert!(link.jobs(LIMIT).unwrap().is_empty());
        assert!(!stuck.is_alive());
        let second = link.helper().unwrap();
        drop(link);
        assert!(!second.is_alive());
    }

    #[test]
    fn a_late_answer_is_not_taken_for_another() {
        let fake = Fake::new(
            "echo '{\"hello\":{}}'; read one; read wait < \"$0.fifo\"\n\
             echo '{\"id\":1,\"error\":{\"kind\":\"X\",\"message\":\"late\"}}'; read two; echo '{\"id\":2,\"ok\":[]}'; read end",
        );
        let fifo = fake.path("python.fifo");
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            fifo.as_std_path(),
            rustix::fs::Mode::from_raw_mode(0o600),
        )
        .unwrap();
        let mut link = fake.link().unwrap();
        let helper = link.helper();
        assert!(matches!(
            link.jobs(Duration::from_millis(100)),
            Err(Error::AdminTimeout { .. })
        ));
        fs_err::write(&fifo, "go\n").unwrap();
        let deadline = Instant::now() + LIMIT;
        let there = link.helper.as_ref().unwrap();
        assert!(poll_until(&mut [PollFd::new(&there.replies, PollFlags::IN)], deadline).unwrap());
        assert!(link.jobs(LIMIT).unwrap().is_empty());
        assert_eq!(link.helper(), helper);
    }
}
