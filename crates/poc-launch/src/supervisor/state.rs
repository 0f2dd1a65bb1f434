//! What the supervisor knows and wants, and what it may be told and may do.
//!
//! Plain values: no process, file or clock is behind them. Times count from when the supervisor
//! started.

use std::collections::BTreeMap;
use std::time::Duration;

use poc_core::project::Role;
use serde::{Deserialize, Serialize};

use super::Happening;
use super::restart::Recent;
use crate::plan::RestartPolicy;

/// The whole state of a supervisor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub(crate) participants: BTreeMap<String, Participant>,
    /// Set once everything is to end. There is no way back.
    pub(crate) ending: Option<Ending>,
    /// Whether anything was ever started; before, "nothing runs" is no reason to leave.
    pub(crate) begun: bool,
    /// Spreads the jitter of different supervisors.
    pub(crate) seed: u64,
    /// How many sites are in the busy beginning of their start at the same time.
    pub(crate) at_once: usize,
}

/// The end of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Participants are being stopped.
    Participants,
    /// All are; what they left behind is being ended, until then.
    Sweeping { until: Duration, again: Duration },
    /// Done: the supervisor was told to leave.
    Over,
}

/// One participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Participant {
    pub(crate) role: Role,
    pub(crate) policy: RestartPolicy,
    pub(crate) phase: Phase,
    /// The busy beginning of its start lasts until then at most; `None` once it is over.
    pub(crate) busy: Option<Duration>,
    /// Up (server) or registered (site), as far as its present process goes.
    pub(crate) ready: bool,
    /// Automatic restarts since the user last started it.
    pub(crate) restarts: u32,
    pub(crate) recent: Recent,
}

/// Where a participant is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing runs and nothing is wanted.
    Stopped,
    /// Wanted, and waiting for its turn: see the core's rules for turns.
    Held,
    /// Being launched: there may be a process, whose number is not known yet.
    Launching,
    /// A process runs.
    Alive { pid: u32 },
    /// It died and will be started again then.
    Waiting { until: Duration },
    /// It is being stopped.
    Stopping {
        pid: Option<u32>,
        stage: Stage,
        then: Then,
    },
    /// It died too often.
    Failed,
    /// Its process outlived SIGKILL.
    Stuck { pid: u32 },
}

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its launch is not through yet; the signal follows as soon as it is.
    Unborn,
    /// It said that it is shutting down by itself: it gets time for that.
    Leaving { until: Duration },
    /// Jobs are being aborted.
    Jobs { until: Duration },
    /// SIGTERM was sent.
    Terminating { until: Duration },
    /// SIGKILL was sent.
    Killing { until: Duration },
    /// Gone; what it left behind is being ended.
    Sweeping { until: Duration, again: Duration },
}

/// What comes after a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Stop,
    Start,
}

/// A participant as a start request describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// When it is started again.
    pub policy: RestartPolicy,
}

/// A request file in a kit, whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFile {
    /// `shutdown.fl`
    Shutdown,
    /// `restart.fl`
    Restart,
}

/// Something that the core is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The user wants these to run.
    Start(Vec<Entry>),
    /// This one already runs: it was started by an earlier supervisor.
    Adopted {
        /// The participant.
        entry: Entry,
        /// Its process.
        pid: u32,
        /// Whether it was up, or registered.
        ready: bool,
        /// Automatic restarts that it had.
        restarts: u32,
    },
    /// The user wants these stopped, or everything.
    Stop {
        /// `None`: everything, the supervisor included.
        names: Option<Vec<String>>,
        /// Jobs are running and can be aborted: wait so long for that.
        jobs: Option<Duration>,
    },
    /// The user wants this one stopped and started again.
    Restart {
        /// The participant.
        name: String,
    },
    /// A request file appeared in its kit.
    Asked {
        /// The participant.
        name: String,
        /// Which file.
        file: RequestFile,
        /// It wrote the file itself, on an admin's command, and is shutting down by itself.
        leaving: bool,
    },
    /// The launch came off.
    Launched {
        /// The participant.
        name: String,
        /// Its process.
        pid: u32,
    },
    /// The launch failed.
    LaunchFailed {
        /// The participant.
        name: String,
        /// What the system said.
        error: String,
    },
    /// The busy beginning of its start is over: it opens its listeners, and waits for them.
    Underway {
        /// The participant.
        name: String,
    },
    /// The server is up, or the site has registered.
    Ready {
        /// The participant.
        name: String,
    },
    /// Its process ended.
    Exited {
        /// The participant.
        name: String,
        /// The process.
        pid: u32,
        /// How, in words.
        status: String,
    },
    /// The jobs are aborted, or will not be.
    JobsAborted,
    /// The answer to [`Action::Sweep`]: processes that are still there.
    Swept {
        /// The participant.
        name: String,
        /// Process IDs.
        left: Vec<u32>,
    },
    /// The answer to [`Action::SweepAll`].
    SweptAll {
        /// Process IDs.
        left: Vec<u32>,
    },
    /// The workspace was removed.
    WorkspaceGone,
    /// Time has passed.
    Tick,
}

/// Something that the core wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Start the process; answered by [`Event::Launched`] or [`Event::LaunchFailed`].
    Launch {
        /// The participant.
        name: String,
    },
    /// Ask the process to end (SIGTERM), or end it (SIGKILL).
    Signal {
        /// The participant.
        name: String,
        /// The process.
        pid: u32,
        /// SIGKILL in place of SIGTERM.
        kill: bool,
    },
    /// Abort running jobs; answered by [`Event::JobsAborted`].
    AbortJobs {
        /// How long that may take.
        patience: Duration,
    },
    /// End what this participant left behind; answered by [`Event::Swept`].
    Sweep {
        /// The participant.
        name: String,
    },
    /// End whatever carries this POC's cookie; answered by [`Event::SweptAll`].
    SweepAll,
    /// Remove the participant's `pid.fl` and request files; it will be started again.
    ForgetProcess {
        /// The participant.
        name: String,
    },
    /// Remove all its pid and request files: it is stopped.
    Forget {
        /// The participant.
        name: String,
    },
    /// Write this down and tell those who watch.
    Tell(Happening),
    /// All done: remove the socket and end.
    Leave {
        /// Processes that could not be ended.
        survivors: Vec<u32>,
    },
}

/// Why a participant cannot be started now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Refusal {
    /// It runs.
    Running {
        /// Its process, where there is one at the moment.
        pid: Option<u32>,
    },
    /// It, or everything, is being stopped.
    Stopping,
}

impl State {
    /// A supervisor that has nothing to do yet. It lets `at_once` sites begin at the same time.
    pub fn new(seed: u64, at_once: usize) -> Self {
        Self {
            seed,
            at_once,
            ..Self::default()
        }
    }

    /// Why this participant cannot be started now; `None` where it can.
    pub fn refusal(&self, name: &str) -> Option<Refusal> {
        if self.ending.is_some() {
            return Some(Refusal::Stopping);
        }
        match self.participants.get(name)?.phase {
            Phase::Stopped | Phase::Failed => None,
            Phase::Alive { pid } | Phase::Stuck { pid } => {
                Some(Refusal::Running { pid: Some(pid) })
            }
            Phase::Held | Phase::Launching | Phase::Waiting { .. } => {
                Some(Refusal::Running { pid: None })
            }
            Phase::Stopping { .. } => Some(Refusal::Stopping),
        }
    }

    /// When [`Event::Tick`] is due, if ever.
    pub fn next_deadline(&self) -> Option<Duration> {
        let ending = match self.ending {
            Some(Ending::Sweeping { until, again }) => Some(until.min(again)),
            _ => None,
        };
        self.participants
            .values()
            .filter_map(|participant| participant.phase.deadline())
            .chain(ending)
            .chain(self.next_turn())
            .min()
    }

    /// When those that wait for their turn have it at the latest.
    fn next_turn(&self) -> Option<Duration> {
        let anyone_waits = self
            .participants
            .values()
            .any(|participant| participant.phase == Phase::Held);
        let busy = self
            .participants
            .values()
            .filter_map(Participant::busy_until);
        anyone_waits.then(|| busy.min()).flatten()
    }

    /// Whether nothing was ever started.
    pub(crate) fn is_new(&self) -> bool {
        !self.begun
    }

    /// Whether everything is being stopped.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    pub(crate) fn phase(&self, name: &str) -> Option<Phase> {
        Some(self.participants.get(name)?.phase)
    }

    /// Whether the supervisor was told to leave.
    pub fn is_over(&self) -> bool {
        self.ending == Some(Ending::Over)
    }
}

impl Participant {
    /// Until when it is in the busy beginning of its start, at most; `None` where it is not.
    pub(crate) fn busy_until(&self) -> Option<Duration> {
        let begins = matches!(self.phase, Phase::Launching | Phase::Alive { .. });
        self.busy.filter(|_| begins)
    }
}

impl Phase {
    pub(crate) const fn stopping(pid: u32, stage: Stage, then: Then) -> Self {
        Self::Stopping {
            pid: Some(pid),
            stage,
            then,
        }
    }

    pub(crate) fn pid(self) -> Option<u32> {
        match self {
            Self::Alive { pid } | Self::Stuck { pid } => Some(pid),
            Self::Stopping { pid, .. } => pid,
            _ => None,
        }
    }

    /// Whether the participant's stop is over, one way or the other.
    pub(crate) fn is_at_rest(self) -> bool {
        matches!(self, Self::Stopped | Self::Stuck { .. })
    }

    fn deadline(self) -> Option<Duration> {
        match self {
            Self::Waiting { until } => Some(until),
            Self::Stopping { stage, .. } => match stage {
                Stage::Unborn => None,
                Stage::Leaving { until }
                | Stage::Jobs { until }
                | Stage::Terminating { until }
                | Stage::Killing { until } => Some(until),
                Stage::Sweeping { until, again } => Some(until.min(again)),
            },
            _ => None,
        }
    }
}
