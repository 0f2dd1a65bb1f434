use std::{collections::BTreeMap, time::Duration};

use camino::Utf8Path;
use poc_tests::{Build, PocTest, Run, SHORT, wait_for};

use crate::{keys, report::Report};

/// NVFlare's own command can take minutes to leave after its work is done, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Prepare,
    Start,
    Status,
    Stop,
}

impl Step {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Start => "start until registered",
            Self::Status => "status",
            Self::Stop => "stop",
        }
    }
}

/// The times of both, in the order in which they were taken.
#[derive(Debug, Default)]
pub(crate) struct Times {
    pub(crate) poc: Vec<Duration>,
    pub(crate) upstream: Vec<Duration>,
}

/// A world with one project.yml and two workspaces.
pub(crate) struct Bench {
    world: PocTest,
    times: BTreeMap<Step, Times>,
    one_key: Duration,
}

impl Bench {
    pub(crate) fn new(poc: &Utf8Path, upstream: &Utf8Path) -> Self {
        // Both live as long as the program.
        let build = Build {
            poc: poc.to_string().leak(),
            on_terminal: "",
            tmp: std::env::temp_dir()
                .join("poc-bench")
                .to_string_lossy()
                .into_owned()
                .leak(),
        };
        let world = PocTest::new(&build).with_python(upstream);
        let written = fs_err::write(world.root().join("project.yml"), project(world.port()));
        assert!(
            written.is_ok(),
            "the project cannot be written: {written:?}"
        );
        Self {
            world,
            times: BTreeMap::new(),
            one_key: keys::time_of_one(),
        }
    }

    fn poc(&self, args: &[&str]) -> Run {
        self.world
            .poc(args)
            .env("NVFLARE_POC_WORKSPACE", self.world.root().join("poc"))
    }

    fn upstream(&self, args: &[&str]) -> Run {
        self.world
            .nvflare(args)
            .limit(PATIENCE)
            .env("NVFLARE_POC_WORKSPACE", self.world.root().join("upstream"))
    }

    fn measure(&mut self, step: Step, poc: &[&str], upstream: &[&str]) {
        self.measure_poc(step, poc);
        self.measure_upstream(step, upstream);
    }

    fn measure_poc(&mut self, step: Step, args: &[&str]) {
        let time = self.poc(args).success().elapsed;
        self.times.entry(step).or_default().poc.push(time);
    }

    fn measure_upstream(&mut self, step: Step, args: &[&str]) {
        let time = self.upstream(args).success().elapsed;
        self.times.entry(step).or_default().upstream.push(time);
    }

    /// Both prepare, over what is there.
    pub(crate) fn prepare(&mut self) {
        self.measure(
            Step::Prepare,
            &["prepare", "-i", "project.yml", "--force"],
            &["poc", "prepare", "-i", "project.yml", "--force"],
        );
    }

    /// Both start, are asked how it goes, and stop: one after the other, since they share a port.
    pub(crate) fn start_and_stop(&mut self) {
        self.measure_poc(Step::Start, &["start"]);
        self.measure_poc(Step::Status, &["status"]);
        self.measure_poc(Step::Stop, &["stop"]);
        self.nothing_runs();
        self.measure_upstream(Step::Start, &["poc", "start"]);
        self.measure_upstream(Step::Status, &["system", "status"]);
        self.measure_upstream(Step::Stop, &["poc", "stop"]);
        self.nothing_runs();
    }

    /// NVFlare's watchdogs end some seconds after its stop.
    fn nothing_runs(&self) {
        wait_for("everything has ended", 2 * SHORT, || {
            self.world.processes().is_empty().then_some(())
        });
    }

    pub(crate) fn report(&self) -> Report {
        Report::new(&self.times, self.one_key)
    }
}

/// Two sites and three admins, in a form that both read.
fn project(port: u16) -> String {
    format!(
        "api_version: 3
name: example_project
description: measured
participants:
- {{name: server, type: server, org: nvidia, fed_learn_port: {port}, admin_port: {port}, default_host: localhost}}
- {{name: admin@nvidia.com, type: admin, org: nvidia, role: project_admin}}
- {{name: org-admin@nvidia.com, type: admin, org: nvidia, role: org_admin}}
- {{name: lead@nvidia.com, type: admin, org: nvidia, role: lead}}
- {{name: site-1, type: client, org: nvidia}}
- {{name: site-2, type: client, org: nvidia}}
builders:
- {{path: nvflare.lighter.impl.workspace.WorkspaceBuilder}}
- {{path: nvflare.lighter.impl.static_file.StaticFileBuilder, args: {{config_folder: config}}}}
- {{path: nvflare.lighter.impl.cert.CertBuilder}}
- {{path: nvflare.lighter.impl.signature.SignatureBuilder}}
"
    )
}
