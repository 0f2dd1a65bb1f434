//! Installing a runtime, whole or not at all.

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::env::Env;
use poc_core::fsio::{self, FileLock};
use poc_core::{Cancel, FlareVersion, Line};
use serde::{Deserialize, Serialize};

use super::{
    MARKER, Marker, as_runtime, base, lock_file, newest_release, progress, runtimes_dir, whole,
};
use crate::Error;
use crate::runtime::program::{Finished, Program, Stopped};
use crate::runtime::{Runtime, find};

/// How long another installation is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 60);
const RETRY: Duration = Duration::from_millis(200);
/// A slow line downloads 100 MB in that time.
const LONGEST_INSTALL: Duration = Duration::from_secs(60 * 60);
/// What of the installer's output an error shows.
const TAIL: usize = 15;

/// The modules that participants start from: that they can be imported proves that NVFlare and what
/// it is built on fit this machine.
const CHECK: &str = "import nvflare.private.fed.app.server.server_train, nvflare.private.fed.app.client.client_train";

/// What installs the packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Installer {
    /// `uv`, where it is on PATH.
    Uv,
    /// `python -m venv` and `pip`.
    Pip,
}

/// How far an installation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstallEvent {
    /// Another installation is going on and is waited for.
    Waiting,
    /// The virtual environment is being made.
    Environment {
        /// Where.
        directory: Utf8PathBuf,
        /// With what.
        installer: Installer,
    },
    /// A package is needed.
    Collecting {
        /// Its name.
        package: String,
    },
    /// A package is being downloaded.
    Downloading {
        /// Its name.
        package: String,
        /// How large it is, as the installer says it.
        size: Option<String>,
    },
    /// All packages are there and are being installed.
    Installing {
        /// How many.
        packages: usize,
    },
    /// uv failed, and pip takes over.
    FellBack {
        /// What uv said last.
        reason: String,
    },
    /// The result is being tried out.
    Checking,
}

/// Installs NVFlare into a virtual environment of its own, with `extra` packages (pip's requirement
/// syntax), and returns it as a runtime. One that is there already is returned as it is, with the
/// extra packages added.
///
/// `version` is a release (`2.9.0`), or a line (`2.9`) for its newest release; the newest line without
/// it. uv is used where it is on PATH, else (or when it fails) Python's own venv and pip; the user's
/// configuration of either holds. When it fails or `cancel` is set, nothing of it is left.
///
/// # Errors
///
/// [`Error::Version`], [`Error::NoBasePython`], [`Error::VenvMissing`], [`Error::InstallFailed`],
/// [`Error::RuntimesBusy`], [`Error::Interrupted`] or [`Error::Io`].
pub fn install(
    version: Option<&str>,
    extra: &[&str],
    data_dir: &Utf8Path,
    env: &Env,
    cancel: &Cancel,
    events: &mut dyn FnMut(InstallEvent),
) -> Result<Runtime, Error> {
    let (version, line) = release(version)?;
    let runtimes = runtimes_dir(data_dir);
    fsio::create_dir_private(&runtimes)?;
    let _lock = lock(&runtimes, cancel, events)?;
    let directory = runtimes.join(version.as_str());
    let mut job = Job {
        version,
        line,
        extra,
        directory,
        env,
        cancel,
        events,
    };
    match whole(&job.directory).and_then(|managed| managed.runtime) {
        Some(runtime) if extra.is_empty() => return Ok(runtime),
        Some(runtime) => {
            job.add(extra)?;
            return Ok(runtime);
        }
        // What is left of an installation that was killed, or of a Python that was removed.
        None => fsio::remove_tree(&job.directory)?,
    }
    let result = job.make();
    if result.is_err() {
        // The error that led here says more than one about the removal would.
        let _ = fsio::remove_tree(&job.directory);
    }
    result
}

/// The release that is meant, and its line.
fn release(version: Option<&str>) -> Result<(FlareVersion, Line), Error> {
    let text = version.map_or_else(|| Line::NEWEST.to_string(), |text| text.trim().to_owned());
    let line: Line = text.parse()?;
    let is_line = text.trim_start_matches('v').matches('.').count() < 2;
    let version: FlareVersion = if is_line {
        newest_release(line)
    } else {
        text.trim_start_matches('v')
    }
    .parse()?;
    Ok((version, line))
}

fn lock(
    runtimes: &Utf8Path,
    cancel: &Cancel,
    events: &mut dyn FnMut(InstallEvent),
) -> Result<FileLock, Error> {
    let path = lock_file(runtimes);
    let deadline = Instant::now() + LONGEST_WAIT;
    let mut told = false;
    loop {
        if let Some(lock) = FileLock::try_exclusive(&path)? {
            return Ok(lock);
        }
        if !told {
            events(InstallEvent::Waiting);
            told = true;
        }
        cancel.check()?;
        if Instant::now() >= deadline {
            return Err(Error::RuntimesBusy {
                directory: runtimes.to_owned(),
            });
        }
        std::thread::sleep(RETRY);
    }
}

/// One installation.
struct Job<'a> {
    version: FlareVersion,
    line: Line,
    extra: &'a [&'a str],
    directory: Utf8PathBuf,
    env: &'a Env,
    cancel: &'a Cancel,
    events: &'a mut dyn FnMut(InstallEvent),
}

impl Job<'_> {
    fn make(&mut self) -> Result<Runtime, Error> {
        let requirement = format!("nvflare=={}", self.version);
        let mut packages = vec![requirement.as_str()];
        packages.extend(self.extra);
        let installer = match self.uv() {
            Some(uv) => match self.with_uv(&uv, &packages) {
                Ok(()) => Installer::Uv,
                Err(Error::InstallFailed { tail, .. }) => {
                    let reason = tail.last().cloned().unwrap_or_default();
                    (self.events)(InstallEvent::FellBack { reason });
                    fsio::remove_tree(&self.directory)?;
                    self.with_pip(&packages)?
                }
                Err(error) => return Err(error),
            },
            None => self.with_pip(&packages)?,
        };
        let runtime = self.check()?;
        let marker = Marker {
            flare_version: self.version.clone(),
            installer,
        };
        let text = serde_json::to_vec_pretty(&marker).map_err(std::io::Error::from)?;
        fsio::sync_tree(&self.directory)?;
        fsio::write_atomic(&self.directory.join(MARKER), &text, 0o644)?;
        Ok(runtime)
    }

    fn with_uv(&mut self, uv: &Utf8Path, packages: &[&str]) -> Result<(), Error> {
        let (oldest, newest) = self.line.python_versions();
        let python = format!(">=3.{oldest},<3.{}", newest + 1);
        let directory = self.directory.clone();
        (self.events)(InstallEvent::Environment {
            directory: directory.clone(),
            installer: Installer::Uv,
        });
        self.run(
            uv,
            &[
                "venv",
                "--no-project",
                "--python",
                &python,
                directory.as_str(),
            ],
            &[],
        )?;
        self.uv_install(uv, packages)
    }

    fn uv_install(&mut self, uv: &Utf8Path, packages: &[&str]) -> Result<(), Error> {
        let target = self.python();
        let mut arguments = vec![
            "pip",
            "install",
            "--compile-bytecode",
            "--python",
            target.as_str(),
        ];
        arguments.extend(packages);
        self.run(uv, &arguments, &[])
    }

    fn with_pip(&mut self, packages: &[&str]) -> Result<Installer, Error> {
        let base = base::python(self.line, self.env)?;
        let directory = self.directory.clone();
        (self.events)(InstallEvent::Environment {
            directory: directory.clone(),
            installer: Installer::Pip,
        });
        self.run(&base, &["-I", "-m", "venv", directory.as_str()], &[])?;
        self.pip_install(packages)?;
        Ok(Installer::Pip)
    }

    fn pip_install(&mut self, packages: &[&str]) -> Result<(), Error> {
        let mut arguments = vec![
            "-I",
            "-m",
            "pip",
            "install",
            "--no-input",
            "--disable-pip-version-check",
            "--progress-bar",
            "off",
        ];
        arguments.extend(packages);
        // Where pip unpacks: in here, so that it is gone with the rest when pip is killed.
        let scratch = self.directory.join(".tmp");
        fsio::create_dir_private(&scratch)?;
        let python = self.python();
        let result = self.run(&python, &arguments, &[("TMPDIR", Some(scratch.as_str()))]);
        fsio::remove_tree(&scratch)?;
        result
    }

    /// Adds packages to what is there already, whichever installer made it.
    fn add(&mut self, packages: &[&str]) -> Result<(), Error> {
        if let Some(uv) = self.uv() {
            return self.uv_install(&uv, packages);
        }
        // uv makes environments without pip.
        let python = self.python();
        self.run(&python, &["-I", "-m", "ensurepip"], &[])?;
        self.pip_install(packages)
    }

    fn uv(&self) -> Option<Utf8PathBuf> {
        find::on_path("uv", self.env).into_iter().next()
    }

    /// Whether it is what was asked for, and works.
    fn check(&mut self) -> Result<Runtime, Error> {
        (self.events)(InstallEvent::Checking);
        let python = self.python();
        self.run(&python, &["-I", "-c", CHECK], &[])?;
        match as_runtime(&self.directory) {
            Ok(runtime) if runtime.flare_version == self.version => Ok(runtime),
            Ok(runtime) => Err(self.failed(vec![format!(
                "{} was installed in its place",
                runtime.flare_version
            )])),
            Err(why) => Err(self.failed(vec![format!("what was installed {why}")])),
        }
    }

    fn python(&self) -> Utf8PathBuf {
        self.directory.join("bin/python3")
    }

    fn run(
        &mut self,
        program: &Utf8Path,
        arguments: &[&str],
        changes: &[(&str, Option<&str>)],
    ) -> Result<(), Error> {
        // A Python of another place must not be mixed in.
        let mut all = vec![
            ("PYTHONHOME", None),
            ("PYTHONPATH", None),
            ("VIRTUAL_ENV", None),
        ];
        all.extend(changes);
        let program = Program {
            path: program,
            arguments,
            env: self.env,
            changes: &all,
            limit: LONGEST_INSTALL,
        };
        let events = &mut self.events;
        let result = program.run(self.cancel, &mut |line| {
            if let Some(event) = progress::read(line) {
                events(event);
            }
        });
        match result {
            Ok(Finished { status, .. }) if status.success() => Ok(()),
            Ok(finished) => Err(self.failed(complaint(finished.tail(TAIL)))),
            Err(Stopped::NotStarted(error)) => {
                Err(self.failed(vec![format!("{}: {error}", program.path)]))
            }
            Err(Stopped::TooSlow) => Err(self.failed(vec![format!(
                "it was not done after {} min",
                LONGEST_INSTALL.as_secs() / 60
            )])),
            Err(Stopped::Cancelled(cancelled)) => Err(cancelled.into()),
            Err(Stopped::Error(error)) => Err(error),
        }
    }

    fn failed(&self, tail: Vec<String>) -> Error {
        Error::InstallFailed {
            version: self.version.clone(),
            tail,
        }
    }
}

/// pip ends with advice; the line that says what went wrong comes last here, where it is shown.
fn complaint(mut tail: Vec<String>) -> Vec<String> {
    if let Some(at) = tail
        .iter()
        .rposition(|line| line.trim_start().starts_with("ERROR:"))
    {
        let line = tail.remove(at);
        tail.push(line);
    }
    tail
}

#[cfg(test)]
mod tests;
