//! The measuring of one number of sites.

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8Path;
use poc_tests::{Build, PocTest, Run, SHORT, wait_for};

use crate::{
    measure::{Step, Values},
    project,
};

/// NVFlare's own command can take minutes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long NVFlare's own command may wait for its sites, in seconds: it gives up after 30.
const UPSTREAM_TIMEOUT: &str = "300";

/// A world with one project.yml and two workspaces.
pub(crate) struct Bench {
    world: PocTest,
    with_upstream: bool,
    values: BTreeMap<Step, Values>,
}

impl Bench {
    /// A world in which `poc`, and NVFlare's own command if asked for, run on `python`.
    pub(crate) fn new(build: &Build, python: &Utf8Path, with_upstream: bool, sites: u32) -> Self {
        let world = PocTest::new(build).with_python(python);
        let text = project::text(sites, world.port());
        let written = fs_err::write(world.root().join("project.yml"), text);
        assert!(
            written.is_ok(),
            "the project cannot be written: {written:?}"
        );
        Self {
            world,
            with_upstream,
            values: BTreeMap::new(),
        }
    }

    fn poc(&self, args: &[&str]) -> Run {
        self.world
            .poc(args)
            .limit(PATIENCE)
            .env("NVFLARE_POC_WORKSPACE", self.world.root().join("poc"))
    }

    fn upstream(&self, args: &[&str]) -> Run {
        self.world
            .nvflare(args)
            .limit(PATIENCE)
            .env("NVFLARE_POC_WORKSPACE", self.world.root().join("upstream"))
    }

    fn row(&mut self, step: Step) -> &mut Values {
        self.values.entry(step).or_default()
    }

    fn time_poc(&mut self, step: Step, args: &[&str]) {
        let time = self.poc(args).success().elapsed;
        self.row(step).poc(time);
    }

    fn time_upstream(&mut self, step: Step, args: &[&str]) {
        let time = self.upstream(args).success().elapsed;
        self.row(step).upstream(time);
    }

    /// Both prepare, over what is there.
    pub(crate) fn prepare(&mut self) {
        self.time_poc(Step::Prepare, &["prepare", "-i", "project.yml", "--force"]);
        if self.with_upstream {
            self.time_upstream(
                Step::Prepare,
                &["poc", "prepare", "-i", "project.yml", "--force"],
            );
        }
    }

    /// Both start, are asked how it goes, and stop: one after the other, since they share a port.
    pub(crate) fn start_and_stop(&mut self, statuses: usize) {
        self.time_poc(Step::Start, &["start", "--timeout", UPSTREAM_TIMEOUT]);
        let memory = self.memory();
        self.row(Step::Memory).poc.push(memory);
        for _ in 0..statuses {
            self.time_poc(Step::Status, &["status"]);
        }
        self.time_poc(Step::Stop, &["stop"]);
        self.world.assert_nothing_left();
        if self.with_upstream {
            self.time_upstream(
                Step::Start,
                &["poc", "start", "--timeout", UPSTREAM_TIMEOUT],
            );
            let memory = self.memory();
            self.row(Step::Memory).upstream.push(memory);
            self.time_upstream(Step::Status, &["system", "status"]);
            self.time_upstream(Step::Stop, &["poc", "stop"]);
            self.upstream_has_ended();
        }
    }

    /// The memory of everything that runs in this world, supervisor and watchdogs included. A page
    /// that several processes share counts once over all of them.
    fn memory(&self) -> f64 {
        let shares = self.world.processes().into_iter().filter_map(|process| {
            let pid = i32::try_from(process.pid).ok()?;
            let rollup = procfs::process::Process::new(pid)
                .ok()?
                .smaps_rollup()
                .ok()?;
            let maps = rollup.memory_map_rollup;
            maps.0.first()?.extension.map.get("Pss").copied()
        });
        let bytes: u64 = shares.sum();
        f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX)) / 1024.0
    }

    /// NVFlare's watchdogs end some seconds after its stop.
    fn upstream_has_ended(&self) {
        wait_for("everything has ended", 4 * SHORT, || {
            self.world.processes().is_empty().then_some(())
        });
    }

    pub(crate) fn values(&self) -> BTreeMap<Step, Values> {
        self.values.clone()
    }
}
