//! The supervisor's line to the server: one helper process, kept, behind one thread, since the calls
//! take their time and the loop must not.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use serde_json::Value;

use crate::Error;
use crate::admin::{AdminOps as _, Failure, Link, Op};
use crate::plan::AdminPlan;
use crate::stop::abort_running;

/// For asking who has registered.
const A_LOOK: Duration = Duration::from_secs(5);

/// What is to be asked.
#[derive(Debug)]
pub(super) enum Task {
    /// Abort every running job.
    AbortJobs {
        /// How long that may take.
        limit: Duration,
    },
    /// Ask who has registered.
    Clients,
    /// Whatever a client of the supervisor asked for.
    Operation {
        connection: u64,
        operation: Op,
        limit: Duration,
    },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    JobsAborted(Result<Vec<String>, String>),
    /// Names, with when the server last heard of each (seconds since 1970); `None` where the server
    /// cannot be asked yet.
    Clients(Option<Vec<(String, Option<f64>)>>),
    Operation {
        connection: u64,
        result: Result<Value, Failure>,
    },
}

/// How to reach the server.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) python: Utf8PathBuf,
    pub(super) admin: AdminPlan,
    pub(super) environment: Vec<(String, String)>,
}

impl Access {
    fn link(&self) -> Result<Link, Error> {
        let environment = self.environment.iter().cloned();
        Link::start(&self.python, &self.admin.kit, &self.admin.user, environment)
    }
}

/// The thread. It starts its helper with the first task and ends it when dropped.
pub(super) struct Worker {
    tasks: Option<Sender<Task>>,
    outcomes: Receiver<Outcome>,
    wake: UnixStream,
    helper: Helper,
    thread: Option<JoinHandle<()>>,
}

/// What of the helper process others must know: it is a child of the supervisor that somebody else
/// reaps.
#[derive(Clone, Debug, Default)]
struct Helper {
    pid: Arc<AtomicU32>,
    /// A call may start a helper at any moment.
    busy: Arc<AtomicBool>,
    /// No further call is to be made.
    closing: Arc<AtomicBool>,
}

impl Worker {
    pub(super) fn start(access: Access) -> io::Result<Self> {
        let (tasks, received) = channel::<Task>();
        let (to_loop, outcomes) = channel();
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        let helper = Helper::default();
        let its_helper = helper.clone();
        let thread = std::thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || {
                let mut line = Line {
                    access,
                    link: None,
                    helper: its_helper,
                };
                for task in received {
                    if line.helper.closing.load(Ordering::SeqCst) {
                        break;
                    }
                    line.helper.busy.store(true, Ordering::SeqCst);
                    let outcome = line.carry_out(task);
                    line.note_helper();
                    line.helper.busy.store(false, Ordering::SeqCst);
                    if to_loop.send(outcome).is_err() {
                        break;
                    }
                    // A full pipe is a loop that will wake anyway.
                    let _ = io::Write::write(&mut &waker, b"x");
                }
            })?;
        Ok(Self {
            tasks: Some(tasks),
            outcomes,
            wake,
            helper,
            thread: Some(thread),
        })
    }

    /// Queues a task.
    pub(super) fn ask(&self, task: Task) {
        if let Some(tasks) = &self.tasks {
            self.helper.busy.store(true, Ordering::SeqCst);
            // The thread ends only with this object.
            let _ = tasks.send(task);
        }
    }

    /// What has come out since.
    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        let mut drained = [0; 64];
        while matches!(io::Read::read(&mut &self.wake, &mut drained), Ok(1..)) {}
        self.outcomes.try_iter().collect()
    }

    /// No further call. The one under way goes on until its helper is ended.
    pub(super) fn close(&self) {
        self.helper.closing.store(true, Ordering::SeqCst);
    }

    /// Whether no call is under way.
    pub(super) fn is_idle(&self) -> bool {
        !self.helper.busy.load(Ordering::SeqCst)
    }

    /// The helper process; `None` while a call is under way, which may start another.
    pub(super) fn helper(&self) -> Option<u32> {
        self.is_idle()
            .then(|| self.helper.pid.load(Ordering::SeqCst))
    }
}

impl AsFd for Worker {
    /// Readable when there are outcomes.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.close();
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // It ends its helper on the way.
            let _ = thread.join();
        }
    }
}

struct Line {
    access: Access,
    link: Option<Link>,
    helper: Helper,
}

impl Line {
    fn carry_out(&mut self, task: Task) -> Outcome {
        match task {
            Task::AbortJobs { limit } => {
                let aborted = self.abort_jobs(limit);
                Outcome::JobsAborted(aborted.map_err(|error| error.to_string()))
            }
            Task::Clients => {
                let info = self.link().and_then(|link| link.system_info(A_LOOK));
                let clients = info.map(|info| {
                    let clients = info.clients.into_iter();
                    clients
                        .map(|client| (client.name, client.last_connect))
                        .collect()
                });
                Outcome::Clients(clients.ok())
            }
            Task::Operation {
                connection,
                operation,
                limit,
            } => {
                let result = self.link().and_then(|link| link.call(&operation, limit));
                let result = result.map_err(|error| Failure::from(&error));
                Outcome::Operation { connection, result }
            }
        }
    }

    /// Aborts what runs; with another helper where somebody kills the first one meanwhile.
    fn abort_jobs(&mut self, limit: Duration) -> Result<Vec<String>, Error> {
        let deadline = Instant::now() + limit;
        let aborted = self.link().and_then(|link| abort_running(link, limit));
        match aborted {
            Err(Error::AdminHelper { .. }) if !self.helper.closing.load(Ordering::SeqCst) => {
                let left = deadline.saturating_duration_since(Instant::now());
                self.link().and_then(|link| abort_running(link, left))
            }
            aborted => aborted,
        }
    }

    fn link(&mut self) -> Result<&mut Link, Error> {
        let link = match self.link.take() {
            Some(link) => Ok(link),
            None => self.access.link(),
        };
        Ok(self.link.insert(link?))
    }

    fn note_helper(&self) {
        let helper = self.link.as_ref().and_then(Link::helper);
        let pid = helper.map_or(0, |identity| identity.pid);
        self.helper.pid.store(pid, Ordering::SeqCst);
    }
}
