//! A round: what was drawn is done, what must hold is looked at, and in the end a stop must leave
//! nothing. A check that fails panics, as everywhere in the tests; the caller catches that.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use poc_launch::{
    Federation,
    admin::{AdminOps as _, Op},
};
use poc_tests::{Job, Output, SHORT, wait_until};

use crate::{
    draw::{Draw, Fault, Habit, Phase},
    expect::{Does, Expected},
    journal::Journal,
    seen::{self, Status},
    stage::Stage,
};

/// From the death of a server until all sites have registered with the next one.
pub(crate) const SERVER_BACK: Duration = Duration::from_secs(60);
/// From the death of a site until it has registered.
pub(crate) const SITE_BACK: Duration = Duration::from_secs(20);
/// The longest that a stop may take: aborting jobs, SIGTERM, SIGKILL, and what strays.
const STOPPED: Duration = Duration::from_secs(40);

/// One round on its way.
pub(crate) struct Round<'a> {
    pub(crate) stage: &'a mut Stage,
    pub(crate) draw: &'a Draw,
    pub(crate) journal: &'a mut Journal,
    pub(crate) expected: Expected,
    /// Every cookie that was in use.
    pub(crate) cookies: BTreeSet<String>,
    /// Old pid files, which a start that comes to its end must say are gone.
    pub(crate) stale: Vec<String>,
    /// The fork server that was killed since one was last needed.
    pub(crate) fork_server_killed: Option<u32>,
}

impl<'a> Round<'a> {
    pub(crate) fn new(stage: &'a mut Stage, draw: &'a Draw, journal: &'a mut Journal) -> Self {
        Self {
            stage,
            draw,
            journal,
            expected: Expected::default(),
            cookies: BTreeSet::new(),
            stale: Vec::new(),
            fork_server_killed: None,
        }
    }

    /// Everything up to the stop, that included.
    ///
    /// # Panics
    ///
    /// When something does not hold.
    pub(crate) fn run(&mut self) {
        let small = self.draw.fills_the_disk();
        if !self.stage.set(self.draw.sites, small) && small {
            self.journal.saw("no disk can be mounted here", false);
        }
        for fault in self.draw.of_phase(Phase::Before) {
            self.before(fault);
        }
        match self.draw.of_phase(Phase::Start).next() {
            Some(fault) => self.disturbed_start(fault),
            None => self.start(),
        }
        self.all_run();
        self.habits();
        if self.draw.job {
            self.run_job();
        }
        self.strikes();
        match self.draw.of_phase(Phase::Last).next() {
            Some(Fault::WorkspaceGone { moved }) => self.lose_workspace(*moved),
            last => {
                if let Some(fault) = last {
                    self.strike(fault);
                }
                self.stop();
            }
        }
    }

    pub(crate) fn status(&self) -> Status {
        Status::of(&self.stage.world)
    }

    pub(crate) fn poc(&mut self, args: &[&str]) -> Output {
        self.journal.did(format!("poc {}", args.join(" ")));
        let output = self.stage.world.poc(args).run();
        self.ended(&output);
        output
    }

    /// Takes down what a command came to.
    pub(crate) fn ended(&mut self, output: &Output) {
        self.cookies.extend(seen::cookie(self.stage));
        self.journal.saw(&output.command, output.transcript());
    }

    pub(crate) fn note_status(&mut self, status: &Status) {
        self.journal.saw("status", status.all.clone());
    }

    /// Waits until everything is as expected, and goes on from there.
    #[track_caller]
    pub(crate) fn settle(&mut self, limit: Duration) {
        let (world, expected) = (&self.stage.world, &self.expected);
        let status = wait_until(limit, || {
            let status = Status::of(world);
            expected.compare(&status).map(|()| status)
        });
        self.expected.remember(&status);
        self.note_status(&status);
        self.check_singles();
    }

    /// One process a participant, whatever happened.
    #[track_caller]
    pub(crate) fn check_singles(&self) {
        let processes = self.stage.world.processes();
        for name in self.names() {
            let kit = self.stage.world.kit(&name);
            let its: Vec<_> = processes
                .iter()
                .filter(|one| {
                    one.command.contains("_train -m ") && one.command.contains(kit.as_str())
                })
                .collect();
            assert!(its.len() <= 1, "{name} is {} processes: {its:?}", its.len());
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let sites = (1..=self.draw.sites).map(|number| format!("site-{number}"));
        std::iter::once("server".to_owned()).chain(sites).collect()
    }

    /// An admin operation through the supervisor's helper.
    pub(crate) fn admin<T>(
        &self,
        ask: impl FnOnce(&mut dyn FnMut(&Op) -> Result<serde_json::Value, String>) -> Result<T, String>,
    ) -> Result<T, String> {
        let federation = Federation::open(&self.stage.prepared());
        let mut admin = federation.admin(None).map_err(|error| error.to_string())?;
        ask(&mut |op| {
            admin
                .call(op, SHORT)
                .map_err(|error| format!("{}: {error}", op.words()))
        })
    }

    /// Submits a job that runs for longer than any round, and waits until its processes do.
    fn run_job(&mut self) {
        let directory = Job::Waiting.directory(&self.stage.world);
        let submitted = self.admin(|ask| ask(&Op::Submit { directory }));
        self.journal.did(format!("submitted a job: {submitted:?}"));
        submitted.unwrap();
        let sites = usize::try_from(self.draw.sites).unwrap();
        let stage = &*self.stage;
        wait_until(2 * SHORT, || {
            let processes = stage.world.processes();
            let of = |word: &str| {
                processes
                    .iter()
                    .filter(|one| one.command.contains(word))
                    .count()
            };
            let (workers, runners) = (of("worker_process"), of("runner_process"));
            (workers == sites && runners == 1)
                .then_some(())
                .ok_or_else(|| format!("{runners} job processes of the server, {workers} of sites"))
        });
        self.journal.did("the job runs");
    }

    /// The stop, which must leave nothing. What is really left is for the caller to find.
    fn stop(&mut self) {
        let begun = Instant::now();
        let output = self.poc(&["stop", "--format", "json"]);
        let data = output.success().data();
        assert_eq!(data["status"], "stopped", "{data}");
        assert!(
            begun.elapsed() < STOPPED,
            "stopped after {:?}",
            begun.elapsed()
        );
        let status = self.status();
        self.note_status(&status);
        assert_eq!(status.all["state"], "stopped");
        self.check_the_deaf();
    }

    /// One that ignores SIGTERM was killed by the deadline; by whom depends on the supervisor's fate.
    fn check_the_deaf(&self) {
        let events = seen::events(&self.stage.workspace().events_file());
        let left = events
            .last()
            .is_some_and(|last| last["event"] == "supervisor_leaving");
        for fault in &self.draw.faults {
            let Fault::Habit {
                kit,
                habit: Habit::Deaf,
            } = fault
            else {
                continue;
            };
            let runs = matches!(self.expected.participants[kit].does, Does::Run | Does::Halt);
            let killed = events.iter().any(|event| {
                event["event"] == "signalled"
                    && event["name"] == kit.as_str()
                    && event["signal"] == "SIGKILL"
            });
            assert!(
                killed || !left || !runs,
                "{kit} is deaf, and was not killed"
            );
        }
    }
}
