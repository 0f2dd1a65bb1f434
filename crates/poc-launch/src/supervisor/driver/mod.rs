//! The loop around the core: waits for whatever may happen, tells the core, and does what it says.
//!
//! One thread, one `poll` over signals, the control socket and its connections, inotify, and a pidfd
//! for each process; timers are the poll's timeout. While nothing happens nothing runs. What takes
//! time (admin calls) is in a thread that wakes the loop through a pipe.

mod act;
mod admin;
mod launch;
mod notice;
mod offer;
mod reap;
mod record;
mod rotate;
mod serve;
mod signals;
mod sweep;
mod watch;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use poc_core::env::Env;
use poc_core::fsio::FileLock;
use poc_core::workspace::Workspace;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use self::admin::Worker;
use self::launch::Launching;
use self::rotate::Pace;
use self::signals::Signals;
use self::sweep::Sweeper;
use self::watch::Watcher;
use super::control::{Connections, Listener};
use super::event_log::EventLog;
use super::state::{Event, State};
use super::{Happening, instance};
use crate::Error;
use crate::backend::{Backend, Process, Spawner};
use crate::plan::LaunchPlan;
use crate::process::{Cgroup, Identity};
use crate::ready::Progress;

pub(crate) use record::{Record, replace};

/// A supervisor that nobody gives anything to do does not stay.
const IDLE: Duration = Duration::from_secs(10);
/// How often request files are looked for where inotify cannot be had.
const LOOK: Duration = Duration::from_millis(100);
/// How soon an embedded supervisor notices that it is to end.
const CANCEL: Duration = Duration::from_millis(100);

/// A running supervisor.
pub(super) struct Driver<'a> {
    workspace: Workspace,
    plan: LaunchPlan,
    cookie: String,
    born: Instant,
    state: State,
    children: BTreeMap<String, Child>,
    /// Those that the back end is still starting.
    launching: BTreeMap<String, Launching>,
    backend: Box<dyn Backend>,
    /// `None` once it is removed, at the end.
    listener: Option<Listener>,
    connections: Connections,
    watcher: Watcher,
    log: EventLog,
    signals: Signals,
    admin: Option<Worker>,
    sweeper: Sweeper,
    /// What this process was started with.
    inherited: Environment,
    /// What participants inherit that a later `start` added.
    environments: HashMap<String, Environment>,
    /// The directory by whose identity one knows that the workspace is still there.
    place: Option<(u64, u64)>,
    /// When which log is to be looked at next.
    log_checks: BTreeMap<String, Instant>,
    next_asking: Option<Asking>,
    record_is_stale: bool,
    /// Set at the end: what could not be ended.
    survivors: Option<Vec<u32>>,
    observer: &'a mut dyn FnMut(&Happening),
    // Held for life: there is one supervisor a workspace.
    _lock: FileLock,
}

type Environment = Rc<[(OsString, OsString)]>;

/// The next time that the server is asked who has registered.
#[derive(Clone, Copy, Debug)]
struct Asking {
    at: Instant,
    pause: Duration,
}

/// A participant's process.
struct Child {
    process: Box<dyn Process>,
    /// `None` for one that had ended before it could be looked at.
    identity: Option<Identity>,
    launched: SystemTime,
    since: Instant,
    /// Where in its log this process begins.
    log_start: u64,
    pace: Pace,
    /// Reads the log until it says that the participant is ready.
    progress: Option<Progress>,
    /// The log configuration keeps what is looked for out of the log.
    hidden: bool,
    /// Whether it was ready at some time.
    been_ready: bool,
}

impl<'a> Driver<'a> {
    /// Takes the supervisor's lock, opens the control socket and takes over what still runs from an
    /// earlier supervisor. Nothing is started yet.
    ///
    /// # Errors
    ///
    /// [`poc_core::Error::Busy`] where the workspace has a supervisor.
    pub(super) fn open(
        plan: LaunchPlan,
        observer: &'a mut dyn FnMut(&Happening),
    ) -> Result<Self, Error> {
        let workspace = Workspace::new(plan.workspace.clone());
        poc_core::fsio::create_dir_private(&workspace.poc_dir())?;
        let lock_file = workspace.supervisor_lock();
        let Some(lock) = FileLock::try_exclusive(&lock_file)? else {
            return Err(Error::Core(poc_core::Error::Busy {
                workspace: workspace.root().to_owned(),
                holder: FileLock::holder(&lock_file),
            }));
        };
        // Job processes whose site died become our children, and can be found and reaped.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(std::io::Error::from)?;
        let inherited = Env::from_process()
            .iter()
            .map(|(name, value)| (OsString::from(name), value.to_owned()))
            .collect();
        let cookie = instance::load_or_create(&workspace)?;
        let cgroup = Cgroup::make(&cookie);
        let sweeper = Sweeper::new(cgroup.clone().ok());
        let mut driver = Self {
            cookie,
            born: Instant::now(),
            state: State::new(seed(), at_once()),
            children: BTreeMap::new(),
            launching: BTreeMap::new(),
            backend: Box::new(Spawner::new(&workspace.poc_dir(), &plan)?),
            listener: Some(Listener::bind(&workspace)?),
            connections: Connections::default(),
            watcher: Watcher::new(workspace.root()),
            log: EventLog::open(&workspace.events_file())?,
            signals: Signals::take()?,
            admin: None,
            sweeper,
            inherited,
            environments: HashMap::new(),
            place: notice::place(&workspace),
            log_checks: BTreeMap::new(),
            next_asking: None,
            record_is_stale: true,
            survivors: None,
            observer,
            _lock: lock,
            plan,
            workspace,
        };
        driver.tell(Happening::SupervisorStarted {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            backend: Spawner::describe(&driver.plan.participants),
            cgroup: match cgroup {
                Ok(cgroup) => cgroup.directory().to_string(),
                Err(reason) => format!("none: {reason}"),
            },
        });
        driver.adopt()?;
        driver.save_record();
        Ok(driver)
    }

    /// Starts every participant of the plan that does not run.
    pub(super) fn start_all(&mut self) {
        let entries = self.plan.participants.iter().map(act::entry).collect();
        self.feed(Event::Start(entries));
    }

    /// Works until everything has ended, and returns what could not be ended.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the system cannot wait. Participants then go on unsupervised.
    pub(super) fn run(mut self, stop_asked: Option<&dyn Fn() -> bool>) -> Result<Vec<u32>, Error> {
        let mut asked = false;
        loop {
            if let Some(survivors) = self.survivors.take() {
                self.leave(&survivors);
                return Ok(survivors);
            }
            self.wait(stop_asked.filter(|_| !asked).map(|_| CANCEL))?;
            if self.signals.stop_asked() {
                self.stop_all(None);
            }
            if !asked && stop_asked.is_some_and(|stop_asked| stop_asked()) {
                asked = true;
                self.stop_all(None);
            }
            self.notice_exits();
            self.notice_backend();
            self.notice_files();
            self.notice_admin();
            self.serve();
            if self.signals.child_changed() {
                self.reap();
            }
            self.pass_time();
            self.notice_backend();
            self.save_record();
        }
    }

    fn now(&self) -> Duration {
        self.born.elapsed()
    }

    /// Waits until something can be done, or is due.
    fn wait(&self, at_most: Option<Duration>) -> Result<(), Error> {
        let mut fds: Vec<PollFd<'_>> = Vec::new();
        let mut add = |fd, flags| fds.push(PollFd::from_borrowed_fd(fd, flags));
        for fd in self.signals.fds() {
            add(fd, PollFlags::IN);
        }
        if let Some(listener) = &self.listener {
            add(listener.as_fd(), PollFlags::IN);
        }
        for connection in self.connections.iter() {
            add(connection.as_fd(), connection.interest());
        }
        if let Some(fd) = self.watcher.fd() {
            add(fd, PollFlags::IN);
        }
        if let Some(admin) = &self.admin {
            add(admin.as_fd(), PollFlags::IN);
        }
        for fd in self.backend.fds() {
            add(fd, PollFlags::IN);
        }
        for child in self.children.values() {
            add(child.process.ended_fd(), PollFlags::IN);
        }
        let timeout = match (self.due(), at_most) {
            (Some(due), Some(at_most)) => Some(due.min(at_most)),
            (due, at_most) => due.or(at_most),
        };
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(Error::Io(errno.into())),
        }
    }

    /// How long until something is due.
    fn due(&self) -> Option<Duration> {
        let now = Instant::now();
        let core = self.state.next_deadline().map(|at| self.born + at);
        let logs = self.log_checks.values().min().copied();
        let asking = self.next_asking.map(|asking| asking.at);
        let looking = self.watcher.is_blind().then(|| now + LOOK);
        let idle = self.state.is_new().then(|| self.born + IDLE);
        [core, logs, asking, looking, idle, self.backend.due()]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.saturating_duration_since(now))
    }

    fn pass_time(&mut self) {
        let now = self.now();
        if self.state.next_deadline().is_some_and(|at| at <= now) {
            self.feed(Event::Tick);
        }
        self.check_logs();
        self.ask_the_server();
        if self.state.is_new() && now >= IDLE && self.connections.iter().next().is_none() {
            self.survivors = Some(Vec::new());
        }
    }

    /// Reaps what became a child without having been started here.
    fn reap(&mut self) {
        if self.backend.is_starting() {
            return;
        }
        let helper = match &self.admin {
            // A call may just be starting a helper that is not known yet; its end wakes the loop.
            Some(admin) if !admin.is_idle() => return,
            Some(admin) => admin.helper(),
            None => None,
        };
        let known: Vec<u32> = self
            .children
            .values()
            .map(|child| child.process.pid())
            .chain(helper)
            .chain(self.backend.helpers())
            .collect();
        reap::reap_strangers(&known);
    }
}

/// How many sites are in the busy beginning of their start at the same time: as many as there are
/// cores, but no more than a server can greet within the half second that they leave it.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(16))
}

/// Different for each supervisor; nothing depends on its being hard to guess.
fn seed() -> u64 {
    let time = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::from(time.subsec_nanos()) << 32 | u64::from(std::process::id())
}
