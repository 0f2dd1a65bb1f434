//! A POC of the demo's own: its workspace, its processes, and the proof that nothing of them is
//! left.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::project::{Project, Role};
use poc_core::settings::{Settings, Source};
use poc_core::workspace::{Kit, Prepared, Recognised, Workspace};
use poc_core::{Cancel, Line, env, fsio};
use poc_launch::admin::AdminOps;
use poc_launch::plan::{self, LaunchPlan, PlanRequest, Spawn};
use poc_launch::runtime::Runtime;
use poc_launch::{Federation, LaunchEvent, StartOptions, StopOptions, Survivor};
use poc_provision::Request;

use crate::commands::{LOCK_WAIT, stop};
use crate::context::{Context, absolute};
use crate::error::{CliError, ErrorCode};
use crate::output::{Progress, words};
use crate::run::SUPERVISE;

/// The line that the demo's job is written for.
pub(crate) const LINE: Line = Line::V2_9;

/// How long the sites have to register. One that dies is found out at once, so there is no harm in
/// patience with a machine that is busy.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// And how much longer for each participant, whose Python has to start.
const START_TIMEOUT_EACH: Duration = Duration::from_secs(4);

/// How long participants have to end when the demo is over.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// A workspace that nobody had before, and what runs in it.
pub(crate) struct Poc<'a> {
    context: &'a Context,
    runtime: &'a Runtime,
    workspace: Workspace,
    prepared: Option<Prepared>,
    /// Whether there may be processes.
    started: bool,
}

impl<'a> Poc<'a> {
    /// Makes the workspace: in the directory for temporary files, or where `--workspace` says.
    /// config.conf and `NVFLARE_POC_WORKSPACE` name the user's own, which the demo leaves alone.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made, or when one that was asked for has something in it.
    pub(crate) fn create(
        context: &'a Context,
        settings: &Settings,
        runtime: &'a Runtime,
    ) -> Result<Self, CliError> {
        let root = match &settings.workspace.source {
            Source::CommandLine(_) => asked_for(&settings.workspace.value)?,
            _ => temporary(context)?,
        };
        Ok(Self {
            context,
            runtime,
            workspace: Workspace::new(root),
            prepared: None,
            started: false,
        })
    }

    pub(crate) fn root(&self) -> &Utf8Path {
        self.workspace.root()
    }

    pub(crate) fn data_dir(&self) -> Utf8PathBuf {
        self.workspace.data_dir()
    }

    /// Makes the startup kits of a server and these sites, for ports that are free.
    ///
    /// # Errors
    ///
    /// When the kits cannot be made.
    pub(crate) fn prepare(&mut self, sites: &[String]) -> Result<(), CliError> {
        let mut project = Project::poc_default(LINE, sites)?;
        let port = poc_launch::ports::free(1)?;
        if let Some(port) = port.first() {
            project.set_ports(*port, None);
        }
        let mut lock = self.workspace.lock(LOCK_WAIT)?;
        let progress = Progress::spinner(&self.context.printer, "making keys and startup kits");
        let request = Request {
            line: LINE,
            flare_version: Some(self.runtime.flare_version.to_string()),
            ..Request::new(&project, &self.workspace, &self.context.cancel)
        };
        poc_provision::provision(&request, &mut lock, &mut |event| {
            if let poc_provision::Event::Keys { done, total } = event {
                progress.at(done, total);
            }
        })?;
        drop(lock);
        self.prepared = Some(self.workspace.load()?);
        Ok(())
    }

    /// Starts server and sites, and waits until all have registered.
    ///
    /// # Errors
    ///
    /// When a participant dies, or not everybody has registered in time.
    pub(crate) fn start(&mut self) -> Result<(), CliError> {
        let prepared = self.prepared()?;
        let selected: Vec<String> = self
            .kits(|role| role != Role::Admin)?
            .into_iter()
            .map(|kit| kit.name)
            .collect();
        let mut plan = plan::build(&PlanRequest {
            prepared,
            runtime: self.runtime,
            selected: &selected,
            // NumPy has no use for them.
            gpus: &BTreeMap::new(),
            env: &self.context.env,
            spawn: Spawn::Auto,
        })?;
        self.keep_temporary_files(&mut plan)?;
        let supervisor = ["/proc/self/exe".to_owned(), SUPERVISE.to_owned()];
        let timeout = START_TIMEOUT
            + selected
                .iter()
                .map(|_| START_TIMEOUT_EACH)
                .sum::<Duration>();
        let options = StartOptions {
            wait: true,
            timeout: Some(timeout),
            supervisor: &supervisor,
            named: false,
            cancel: &self.context.cancel,
        };
        let federation = Federation::open(prepared);
        let progress = Progress::spinner(
            &self.context.printer,
            format!("starting {}", words::list(&selected)),
        );
        // From here on something may run, whatever comes of the call.
        self.started = true;
        let started = federation.start(plan, &options, &mut |event| {
            show(self.context, &progress, &event);
        })?;
        if started.missing.is_empty() {
            return Ok(());
        }
        let who = words::list(&started.missing);
        Err(CliError::new(
            ErrorCode::StartTimeout,
            format!("not registered in time: {who}"),
        )
        .hint("this machine may be busy: try fewer sites with `--sites N`, or try again later"))
    }

    /// NVFlare leaves a directory a job among the temporary files: they shall go with the
    /// workspace.
    fn keep_temporary_files(&self, plan: &mut LaunchPlan) -> Result<(), CliError> {
        let directory = self.root().join("tmp");
        fsio::create_dir_private(&directory).map_err(poc_core::Error::from)?;
        for participant in &mut plan.participants {
            participant
                .environment
                .insert(env::TMPDIR.name.to_owned(), directory.to_string());
        }
        Ok(())
    }

    /// The admin API of the running POC.
    ///
    /// # Errors
    ///
    /// When it cannot be reached.
    pub(crate) fn admin(&self) -> Result<impl AdminOps, CliError> {
        Ok(Federation::open(self.prepared()?).admin(Some(&self.runtime.python))?)
    }

    /// The kits of the sites.
    ///
    /// # Errors
    ///
    /// Before [`Poc::prepare`].
    pub(crate) fn sites(&self) -> Result<Vec<Kit>, CliError> {
        self.kits(|role| role == Role::Client)
    }

    /// Where the project admin's jobs lie and job results arrive.
    ///
    /// # Errors
    ///
    /// Before [`Poc::prepare`].
    pub(crate) fn transfer_dir(&self) -> Result<Utf8PathBuf, CliError> {
        Ok(self
            .kit(&self.prepared()?.project.project_admin().name)?
            .transfer())
    }

    /// Where the server's process of a job works.
    ///
    /// # Errors
    ///
    /// Before [`Poc::prepare`].
    pub(crate) fn run_dir(&self, job: &str) -> Result<Utf8PathBuf, CliError> {
        Ok(self
            .kit(&self.prepared()?.project.server().name)?
            .dir
            .join(job))
    }

    /// Stops all that was started, makes sure that nothing is left, and removes the workspace. Not
    /// to be interrupted: it is what an interruption asks for.
    ///
    /// # Errors
    ///
    /// When a process survives; the workspace is then left, since it shows what the process is.
    pub(crate) fn tear_down(self) -> Result<(), CliError> {
        let progress = Progress::spinner(&self.context.printer, "stopping and cleaning up");
        if let (true, Some(prepared)) = (self.started, &self.prepared) {
            let options = StopOptions {
                names: None,
                wait: true,
                timeout: STOP_TIMEOUT,
                python: Some(self.runtime.python.clone()),
                cancel: &Cancel::new(),
            };
            let stopped = Federation::open(prepared).stop(&options, &mut |event| {
                stop::show(self.context, &progress, &event);
            })?;
            if !stopped.survivors.is_empty() {
                let lines: Vec<String> = stopped.survivors.iter().map(Survivor::who).collect();
                return Err(CliError::new(
                    ErrorCode::StopIncomplete,
                    "the demo is over, but some of its processes are not",
                )
                .excerpt("What is left:", lines)
                .hint(format!(
                    "`poc --workspace {} down --clean` tries again",
                    self.root()
                )));
            }
        }
        progress.say("removing the workspace");
        Ok(fsio::remove_tree(self.root()).map_err(poc_core::Error::from)?)
    }

    fn prepared(&self) -> Result<&Prepared, CliError> {
        self.prepared
            .as_ref()
            .ok_or_else(|| CliError::new(ErrorCode::Internal, "the demo's POC is not prepared"))
    }

    fn kits(&self, wanted: impl Fn(Role) -> bool) -> Result<Vec<Kit>, CliError> {
        Ok(self
            .prepared()?
            .kits()
            .into_iter()
            .filter(|kit| wanted(kit.role))
            .collect())
    }

    fn kit(&self, name: &str) -> Result<Kit, CliError> {
        self.prepared()?.kit(name).ok_or_else(|| {
            CliError::new(
                ErrorCode::Internal,
                format!("the startup kit of {name} is missing"),
            )
        })
    }
}

/// The directory that `--workspace` names, made if it is not there.
fn asked_for(root: &Utf8Path) -> Result<Utf8PathBuf, CliError> {
    match Workspace::new(root).recognise()? {
        Recognised::Absent | Recognised::Empty => {
            fsio::create_dir_private(root).map_err(poc_core::Error::from)?;
            Ok(root.to_owned())
        }
        Recognised::Poc(_) | Recognised::Broken { .. } | Recognised::Foreign { .. } => {
            Err(CliError::new(
                ErrorCode::WorkspaceExists,
                format!("there is something in {root} already"),
            )
            .hint("leave out `--workspace`: the demo has a workspace of its own")
            .hint("or name a directory that does not exist yet"))
        }
    }
}

fn temporary(context: &Context) -> Result<Utf8PathBuf, CliError> {
    let parent = context
        .env
        .path(env::TMPDIR.name)
        .unwrap_or_else(|| "/tmp".into());
    let parent = absolute(&parent)?;
    let directory = tempfile::Builder::new()
        .prefix("poc-demo-")
        .tempdir_in(&parent)
        .map_err(|error| {
            CliError::new(
                ErrorCode::Io,
                format!("cannot make a directory in {parent}"),
            )
            .because(error)
            .hint("name another place with `--workspace DIR`")
        })?
        .keep();
    Utf8PathBuf::try_from(directory).map_err(|error| {
        CliError::new(
            ErrorCode::Io,
            "the directory for temporary files is not UTF-8",
        )
        .because(error)
    })
}

/// The steps of a start; of a start that is taken back, those of a stop.
fn show(context: &Context, progress: &Progress<'_>, event: &LaunchEvent) {
    match event {
        LaunchEvent::Ready { name } => progress.step(format!("{name} is up")),
        LaunchEvent::Registered { name } => progress.step(format!("{name} has registered")),
        LaunchEvent::Waiting { names, .. } => {
            progress.say(format!("waiting for {}", words::list(names)));
        }
        LaunchEvent::Exited { name, status, .. } => {
            progress.note(&format!("{name} ended: {status}"));
        }
        other => stop::show(context, progress, other),
    }
}
