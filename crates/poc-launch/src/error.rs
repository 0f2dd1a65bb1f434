//! What can go wrong in this crate.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::version::VersionError;
use poc_core::{FlareVersion, Hint, Line};

use crate::admin;
use crate::ports;
use crate::runtime::Tried;

/// What can go wrong in `poc-launch`. The message says what and why, [`Hint::hints`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No Python with a usable NVFlare was found.
    #[error("no Python with NVFlare{} was found", wanted_text(*wanted))]
    RuntimeMissing {
        /// The line that was asked for.
        wanted: Option<Line>,
        /// Every Python that was looked at, and what was wrong with it.
        tried: Vec<Tried>,
    },
    /// The Python that the user named cannot be started, or crashes.
    #[error("{python} does not work{}", last_line(tail))]
    RuntimeBroken {
        /// The Python.
        python: Utf8PathBuf,
        /// The last lines that it printed.
        tail: Vec<String>,
    },
    /// The Python that the user named has no NVFlare.
    #[error("{python} has no NVFlare")]
    RuntimeWithoutFlare {
        /// The Python.
        python: Utf8PathBuf,
    },
    /// The Python that the user named, or the NVFlare in it, is of a version that is not supported.
    #[error("{python} cannot be used: {reason}")]
    RuntimeUnsupported {
        /// The Python.
        python: Utf8PathBuf,
        /// Which version it is, and which are supported.
        reason: String,
    },
    /// The runtime is of another line than the kits.
    #[error("the startup kits are for NVFlare {kits}, but {python} has NVFlare {runtime}")]
    RuntimeMismatch {
        /// The line that the kits were made for.
        kits: Line,
        /// What the Python has.
        runtime: FlareVersion,
        /// The Python.
        python: Utf8PathBuf,
    },
    /// No Python to make a virtual environment with.
    #[error("no Python 3.{} to 3.{} was found to install NVFlare with", minors.0, minors.1)]
    NoBasePython {
        /// The minor versions that would do, both ends included.
        minors: (u8, u8),
        /// Every Python that was looked at, and what was wrong with it.
        tried: Vec<Tried>,
    },
    /// There is a Python, but it cannot make virtual environments.
    #[error("{python} cannot make virtual environments: its module `{module}` is missing")]
    VenvMissing {
        /// The Python.
        python: Utf8PathBuf,
        /// Its version, as the minor number of 3.x.
        minor: u8,
        /// What it lacks: `venv` or `ensurepip`.
        module: String,
    },
    /// Installing a managed runtime failed. Nothing of it is left.
    #[error("NVFlare {version} could not be installed{}", last_line(tail))]
    InstallFailed {
        /// The version.
        version: FlareVersion,
        /// The last lines that the installer printed.
        tail: Vec<String>,
    },
    /// A text that is no version of NVFlare, or of none that is supported.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// Another process is installing or removing a managed runtime.
    #[error("another process is installing or removing a runtime in {directory}")]
    RuntimesBusy {
        /// The directory of the managed runtimes.
        directory: Utf8PathBuf,
    },
    /// There is no managed runtime of that version.
    #[error("there is no managed runtime {version}")]
    NoSuchRuntime {
        /// What was asked for.
        version: String,
        /// Those that there are.
        installed: Vec<FlareVersion>,
    },
    /// The managed runtime is in use.
    #[error("the managed runtime {version} is in use by {}", pids_text(pids))]
    RuntimeInUse {
        /// The version.
        version: FlareVersion,
        /// The processes that run from it.
        pids: Vec<u32>,
    },
    /// The back end that was asked for cannot be had.
    #[error("participants cannot be started by {wanted}: {reason}")]
    SpawnUnavailable {
        /// The back end.
        wanted: &'static str,
        /// Why not.
        reason: String,
    },
    /// A server or site of the project has no startup kit.
    #[error("{name}'s startup kit is missing in {prod_dir}")]
    KitMissing {
        /// Its name.
        name: String,
        /// Where the kits lie.
        prod_dir: Utf8PathBuf,
        /// Whether one can be made without preparing all anew.
        replaceable: bool,
    },
    /// There is no usable Docker.
    #[error("Docker cannot be used: {reason}")]
    DockerUnavailable {
        /// What docker, or the daemon, says.
        reason: String,
    },
    /// The engine does not have the image.
    #[error("Docker has no image `{image}`")]
    ImageMissing {
        /// The image.
        image: String,
    },
    /// The Docker daemon refused something.
    #[error("{action} failed: {message}")]
    DockerRefused {
        /// What was tried, in words.
        action: &'static str,
        /// The daemon's own words.
        message: String,
    },
    /// There is no server or site of that name.
    #[error("there is no server or site named `{name}`")]
    UnknownParticipant {
        /// What was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A participant that was named runs already (the text is that of NVFlare's start script).
    #[error("{}", already_running_text(*pid, kit, *daemon_pid_file))]
    AlreadyRunning {
        /// The participant.
        name: String,
        /// What keeps it running: the process of its daemon_pid.fl, where there is one, else its own.
        pid: u32,
        /// Its startup kit.
        kit: Utf8PathBuf,
        /// Whether there is a daemon_pid.fl.
        daemon_pid_file: bool,
    },
    /// Everything that was selected runs already.
    #[error("{}", already_running_text(*pid, kit, *daemon_pid_file))]
    AllRunning {
        /// Everything that was selected.
        names: Vec<String>,
        /// Of the first of them: what keeps it running.
        pid: u32,
        /// Of the first of them: its startup kit.
        kit: Utf8PathBuf,
        /// Of the first of them: whether there is a daemon_pid.fl.
        daemon_pid_file: bool,
    },
    /// Something else listens on a port that the server needs.
    #[error("port {port} is in use by {holder}")]
    PortInUse {
        /// The port.
        port: u16,
        /// Who listens there.
        holder: Box<ports::Holder>,
    },
    /// There is no room for what participants would write.
    #[error("the disk that holds {workspace} is full: {} KiB are free", bytes / 1024)]
    DiskFull {
        /// The workspace.
        workspace: Utf8PathBuf,
        /// What is free.
        bytes: u64,
    },
    /// A startup kit lacks what NVFlare needs, or it is damaged. Nothing was started.
    #[error("the startup kit of {name} is damaged: {file} {what}")]
    KitDamaged {
        /// The participant.
        name: String,
        /// The file or directory.
        file: Utf8PathBuf,
        /// What is wrong with it, in words that follow its name.
        what: String,
        /// What puts it right.
        remedy: Vec<String>,
    },
    /// A participant died while it was starting. What the call had started is stopped again.
    #[error("{name} failed to start: {}", cause.as_deref().unwrap_or(status))]
    StartFailed {
        /// The participant.
        name: String,
        /// How its process ended.
        status: String,
        /// The line of its log that says best why.
        cause: Option<String>,
        /// The last lines of its log.
        tail: Vec<String>,
    },
    /// While participants were starting, somebody asked for a stop; stop wins.
    #[error("{} stopped by another command while starting", names_were(names))]
    StopWon {
        /// Those that were being started and are stopped again.
        names: Vec<String>,
    },
    /// There is a supervisor, but it does not answer.
    #[error("the supervisor of the POC cannot be reached: {reason}")]
    SupervisorUnreachable {
        /// What happened.
        reason: String,
    },
    /// The supervisor could not be started.
    #[error("the supervisor could not be started: {reason}")]
    SupervisorFailed {
        /// What it said.
        reason: String,
    },
    /// The server does not answer.
    #[error("the server cannot be reached: {reason}")]
    ServerUnreachable {
        /// What NVFlare, or the system, says.
        reason: String,
    },
    /// The server, or NVFlare's API, refused an admin command.
    #[error("{operation} failed: {message}")]
    AdminRefused {
        /// What was asked for, in words.
        operation: &'static str,
        /// What kind of refusal it is.
        refusal: admin::Refusal,
        /// NVFlare's own words.
        message: String,
    },
    /// An admin command took too long.
    #[error("{operation} took longer than {seconds} s")]
    AdminTimeout {
        /// What was asked for, in words.
        operation: &'static str,
        /// The limit.
        seconds: f64,
    },
    /// The admin helper cannot be started, or died.
    #[error("the admin helper ({python}) {what}{}", last_line(tail))]
    AdminHelper {
        /// The Python that runs it.
        python: Utf8PathBuf,
        /// What happened to it.
        what: String,
        /// The last lines that it printed.
        tail: Vec<String>,
    },
    /// A stop was asked for.
    #[error(transparent)]
    Interrupted(#[from] poc_core::Cancelled),
    /// From the settings, the project or the workspace.
    #[error(transparent)]
    Core(#[from] poc_core::Error),
    /// The operating system said no. The message names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn wanted_text(wanted: Option<Line>) -> String {
    wanted.map(|line| format!(" {line}")).unwrap_or_default()
}

/// What a program said last is most often why it failed.
fn last_line(tail: &[String]) -> String {
    let line = tail.iter().rev().find(|line| !line.trim().is_empty());
    line.map(|line| format!(": {}", line.trim()))
        .unwrap_or_default()
}

fn already_running_text(pid: u32, kit: &Utf8Path, daemon_pid_file: bool) -> String {
    let mut text = format!("There seems to be one instance, pid={pid}, running.");
    if daemon_pid_file {
        let more = format!(
            "\nIf you are sure it's not the case, please kill process {pid} and then remove daemon_pid.fl in {kit}"
        );
        text.push_str(&more);
    }
    text
}

fn names_were(names: &[String]) -> String {
    let verb = if names.len() == 1 { "was" } else { "were" };
    format!("{} {verb}", names.join(", "))
}

fn pids_text(pids: &[u32]) -> String {
    let noun = if pids.len() == 1 {
        "process"
    } else {
        "processes"
    };
    let list: Vec<String> = pids.iter().map(ToString::to_string).collect();
    format!("{noun} {}", list.join(", "))
}

/// How to get a kit that is missing.
pub(crate) fn remedy_for_missing(name: &str, replaceable: bool) -> String {
    if replaceable {
        format!("`poc add-site {name}` makes a new one, or put it back")
    } else {
        "`poc prepare --force` makes all kits anew, or put it back".to_owned()
    }
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::RuntimeMissing { wanted, .. } => {
                let version = wanted.map(|line| format!(" {line}")).unwrap_or_default();
                vec![
                    format!(
                        "`poc runtime install{version}` installs it into a virtual environment of its own"
                    ),
                    "or point POC_PYTHON at a Python that has it, or run `poc runtime use PATH`"
                        .to_owned(),
                ]
            }
            Self::RuntimeBroken { .. }
            | Self::RuntimeWithoutFlare { .. }
            | Self::RuntimeUnsupported { .. } => vec![
                "point POC_PYTHON (or `poc.python` in config.conf) at another Python, or unset it"
                    .to_owned(),
                "`poc runtime install` installs NVFlare into a virtual environment of its own"
                    .to_owned(),
            ],
            Self::RuntimeMismatch { kits, runtime, .. } => {
                let line = runtime
                    .line()
                    .map(|line| format!(" for NVFlare {line}"))
                    .unwrap_or_default();
                vec![
                    format!("`poc prepare --force` makes kits{line}"),
                    format!(
                        "or `poc runtime install {kits}` installs the NVFlare that the kits need"
                    ),
                ]
            }
            Self::NoBasePython { minors, .. } => vec![format!(
                "install Python 3.{} to 3.{} (on Debian and Ubuntu: `sudo apt install python3 python3-venv`)",
                minors.0, minors.1
            )],
            Self::VenvMissing { minor, .. } => {
                vec![format!(
                    "on Debian and Ubuntu: `sudo apt install python3.{minor}-venv`"
                )]
            }
            Self::InstallFailed { .. } => {
                vec!["see that PyPI (or the index that pip is configured for) can be reached, then try again".to_owned()]
            }
            Self::Version(_) => {
                vec!["name a release such as 2.9.0, or a line such as 2.9".to_owned()]
            }
            Self::RuntimesBusy { .. } => vec!["wait until it is done, then try again".to_owned()],
            Self::NoSuchRuntime { installed, .. } if installed.is_empty() => {
                vec!["none is installed; `poc runtime install` installs one".to_owned()]
            }
            Self::NoSuchRuntime { installed, .. } => {
                let list: Vec<String> = installed.iter().map(ToString::to_string).collect();
                vec![format!("installed: {}", list.join(", "))]
            }
            Self::RuntimeInUse { .. } => {
                vec!["stop the POC that uses it with `poc stop`".to_owned()]
            }
            Self::SpawnUnavailable { .. } => vec!["`--spawn exec` works always".to_owned()],
            Self::KitMissing {
                name, replaceable, ..
            } => vec![
                remedy_for_missing(name, *replaceable),
                format!("or start the others with `poc start -ex {name}`"),
            ],
            Self::DockerUnavailable { .. } => vec![
                "`docker info` must work for this user: install Docker, start its daemon, or join the group that may use it".to_owned(),
                "or point DOCKER_HOST at the socket of a daemon on this machine (Docker's or Podman's)".to_owned(),
                "or prepare a POC of plain processes: `poc prepare --force` without `-d`".to_owned(),
            ],
            Self::ImageMissing { image } => vec![
                format!("fetch it with `docker pull {image}`"),
                format!("or build it from a Dockerfile of two lines, `FROM python:3.11` and `RUN pip install nvflare docker`, with `docker build -t {image} .`"),
                "or name another with `poc prepare --force -d IMAGE`".to_owned(),
            ],
            Self::UnknownParticipant { name, known } => {
                let list = format!("there are: {}", known.join(", "));
                let nearest = poc_core::nearest(name, known.iter().map(String::as_str));
                nearest
                    .map(|nearest| format!("did you mean `{nearest}`?"))
                    .into_iter()
                    .chain([list])
                    .collect()
            }
            Self::AlreadyRunning { name, .. } => vec![format!("`poc stop -p {name}` stops it")],
            Self::AllRunning { .. } => {
                vec!["`poc status` shows what runs, `poc stop` stops it".to_owned()]
            }
            Self::PortInUse { .. } => vec![
                "stop what uses the port".to_owned(),
                "or `poc prepare --force --ports auto` makes kits for ports that are free"
                    .to_owned(),
            ],
            Self::DiskFull { .. } => vec![
                "make room, then start again: participants could not write their logs".to_owned(),
            ],
            Self::KitDamaged { remedy, .. } => remedy.clone(),
            Self::StartFailed { name, .. } => {
                vec![format!("`poc logs {name}` shows all that it said")]
            }
            Self::StopWon { .. } => vec!["start again when the stop is through".to_owned()],
            Self::SupervisorUnreachable { .. } => {
                vec!["`poc stop` ends everything, the supervisor included".to_owned()]
            }
            Self::SupervisorFailed { .. } => {
                vec![".poc/supervisor.log in the workspace may say more".to_owned()]
            }
            Self::ServerUnreachable { .. } => {
                vec![
                    "`poc status` shows what runs, `poc logs server` what the server says"
                        .to_owned(),
                ]
            }
            Self::AdminRefused { refusal, .. } => {
                refusal.hint().into_iter().map(str::to_owned).collect()
            }
            Self::AdminTimeout { .. } => {
                vec!["`poc logs server` shows what the server is doing".to_owned()]
            }
            Self::AdminHelper { .. } => {
                vec!["see that this Python can `import nvflare`".to_owned()]
            }
            Self::Core(error) => error.hints(),
            Self::DockerRefused { .. } | Self::Interrupted(_) | Self::Io(_) => Vec::new(),
        }
    }
}
