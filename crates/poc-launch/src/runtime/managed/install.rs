//! Installing a runtime, whole or not at all.

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::env::Env;
use poc_core::fsio::{self, FileLock};
use poc_core::{Cancel, FlareVersion, Line};
use serde::{Deserialize, Serialize};

use super::{MARKER, Marker, as_runtime, base, lock_file, newest_release, progress, runtimes_dir, whole};
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
    let mut job = Job { version, line, extra, directory, env, cancel, events };
    match whole(&job.directory).and_then(|managed| managed.runtime) {
        Some(runtime) if extra.is_empty() => return Ok(runtime),
        Some(runtime) => {
            job.pip_install(extra)?;
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
    let version: FlareVersion = if is_line { newest_release(line) } else { text.trim_start_matches('v') }.parse()?;
    Ok((version, line))
}

fn lock(runtimes: &Utf8Path, cancel: &Cancel, events: &mut dyn FnMut(InstallEvent)) -> Result<FileLock, Error> {
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
            return Err(Error::RuntimesBusy { directory: runtimes.to_owned() });
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
        let installer = match find::on_path("uv", self.env).into_iter().next() {
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
        let marker = Marker { flare_version: self.version.clone(), installer };
        let text = serde_json::to_vec_pretty(&marker).map_err(std::io::Error::from)?;
        fsio::sync_tree(&self.directory)?;
        fsio::write_atomic(&self.directory.join(MARKER), &text, 0o644)?;
        Ok(runtime)
    }

    fn with_uv(&mut self, uv: &Utf8Path, packages: &[&str]) -> Result<(), Error> {
        let (oldest, newest) = self.line.python_versions();
        let python = format!(">=3.{oldest},<3.{}", newest + 1);
        let directory = self.directory.clone();
        (self.events)(InstallEvent::Environment { directory: directory.clone(), installer: Installer::Uv });
        self.run(uv, &["venv", "--no-project", "--python", &python, directory.as_str()], &[])?;
        let target = self.python();
        let mut arguments = vec!["pip", "install", "--compile-bytecode", "--python", target.as_str()];
        arguments.extend(packages);
        self.run(uv, &arguments, &[])
    }

    fn with_pip(&mut self, packages: &[&str]) -> Result<Installer, Error> {
        let base = base::python(self.line, self.env)?;
        let directory = self.directory.clone();
        (self.events)(InstallEvent::Environment { directory: directory.clone(), installer: Installer::Pip });
        self.run(&base, &["-I", "-m", "venv", directory.as_str()], &[])?;
        self.pip_install(packages)?;
        Ok(Installer::Pip)
    }

    fn pip_install(&mut self, packages: &[&str]) -> Result<(), Error> {
        let mut arguments =
            vec!["-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"];
        arguments.extend(packages);
        // Where pip unpacks: in here, so that it is gone with the rest when pip is killed.
        let scratch = self.directory.join(".tmp");
        fsio::create_dir_private(&scratch)?;
        let python = self.python();
        let result = self.run(&python, &arguments, &[("TMPDIR", Some(scratch.as_str()))]);
        fsio::remove_tree(&scratch)?;
        result
    }

    /// Whether it is what was asked for, and works.
    fn check(&mut self) -> Result<Runtime, Error> {
        (self.events)(InstallEvent::Checking);
        let python = self.python();
        self.run(&python, &["-I", "-c", CHECK], &[])?;
        match as_runtime(&self.directory) {
            Ok(runtime) if runtime.flare_version == self.version => Ok(runtime),
            Ok(runtime) => Err(self.failed(vec![format!("{} was installed in its place", runtime.flare_version)])),
            Err(why) => Err(self.failed(vec![format!("what was installed {why}")])),
        }
    }

    fn python(&self) -> Utf8PathBuf {
        self.directory.join("bin/python3")
    }

    fn run(&mut self, program: &Utf8Path, arguments: &[&str], changes: &[(&str, Option<&str>)]) -> Result<(), Error> {
        // A Python of another place must not be mixed in.
        let mut all = vec![("PYTHONHOME", None), ("PYTHONPATH", None), ("VIRTUAL_ENV", None)];
        all.extend(changes);
        let program = Program { path: program, arguments, env: self.env, changes: &all, limit: LONGEST_INSTALL };
        let events = &mut self.events;
        let result = program.run(self.cancel, &mut |line| {
            if let Some(event) = progress::read(line) {
                events(event);
            }
        });
        match result {
            Ok(Finished { status, .. }) if status.success() => Ok(()),
            Ok(finished) => Err(self.failed(complaint(finished.tail(TAIL)))),
            Err(Stopped::NotStarted(error)) => Err(self.failed(vec![format!("{}: {error}", program.path)])),
            Err(Stopped::TooSlow) => {
                Err(self.failed(vec![format!("it was not done after {} min", LONGEST_INSTALL.as_secs() / 60)]))
            }
            Err(Stopped::Cancelled(cancelled)) => Err(cancelled.into()),
            Err(Stopped::Error(error)) => Err(error),
        }
    }

    fn failed(&self, tail: Vec<String>) -> Error {
        Error::InstallFailed { version: self.version.clone(), tail }
    }
}

/// pip ends with advice; the line that says what went wrong comes last here, where it is shown.
fn complaint(mut tail: Vec<String>) -> Vec<String> {
    if let Some(at) = tail.iter().rposition(|line| line.trim_start().starts_with("ERROR:")) {
        let line = tail.remove(at);
        tail.push(line);
    }
    tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::metadata::tests::program;
    use crate::runtime::program::Stopped;

    /// A stand-in for PyPI: a directory with a wheel called nvflare that holds nothing but two empty
    /// modules. pip, venv and Python are real.
    struct Index {
        dir: tempfile::TempDir,
    }

    impl Index {
        fn new(module: &str) -> Self {
            let index = Self { dir: tempfile::tempdir().unwrap() };
            let script = format!(
                "import sys, zipfile\n\
                 wheel = zipfile.ZipFile(sys.argv[1] + '/nvflare-2.9.0-py3-none-any.whl', 'w')\n\
                 package = 'nvflare/private/fed/app/'\n\
                 for name in ('server/server_train', 'client/client_train'):\n\
                 \x20   wheel.writestr(package + name + '.py', {module:?})\n\
                 info = 'nvflare-2.9.0.dist-info/'\n\
                 wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: nvflare\\nVersion: 2.9.0\\n')\n\
                 wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
                 wheel.writestr(info + 'RECORD', '')\n\
                 wheel.close()\n"
            );
            let python = super::super::tests::any_python();
            let target = index.path("");
            let program = Program {
                path: &python,
                arguments: &["-c", &script, target.as_str()],
                env: &Env::from_process(),
                changes: &[],
                limit: Duration::from_secs(60),
            };
            let finished: Result<Finished, Stopped> = program.run(&Cancel::new(), &mut |_| {});
            assert!(finished.unwrap().status.success());
            index
        }

        fn path(&self, name: &str) -> Utf8PathBuf {
            Utf8Path::from_path(self.dir.path()).unwrap().join(name)
        }

        fn env(&self, more: &[(&str, &str)]) -> Env {
            let python = super::super::tests::any_python();
            let path = format!("{}:/usr/bin:/bin", python.parent().unwrap());
            let index = self.path("");
            let fixed =
                [("PATH", path.as_str()), ("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", index.as_str()), ("HOME", "/")];
            Env::from_pairs(fixed.into_iter().chain(more.iter().copied()).map(|(k, v)| (k, v.to_owned())))
        }

        fn install(&self, version: &str, env: &Env) -> (Result<Runtime, Error>, Vec<InstallEvent>) {
            let mut events = Vec::new();
            let data = self.path("data é x");
            let result = install(Some(version), &[], &data, env, &Cancel::new(), &mut |event| events.push(event));
            (result, events)
        }

        fn left(&self) -> Vec<String> {
            let runtimes = runtimes_dir(&self.path("data é x"));
            runtimes.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect()
        }
    }

    #[test]
    fn it_is_whole_and_there_the_second_time() {
        let index = Index::new("");
        // What an earlier, killed installation left behind does not count and does not disturb.
        let left = runtimes_dir(&index.path("data é x")).join("2.9.0/lib");
        fs_err::create_dir_all(&left).unwrap();
        let (runtime, events) = index.install("2.9", &index.env(&[("PYTHONPATH", "/no/such")]));
        let runtime = runtime.unwrap();
        assert_eq!(runtime.flare_version.to_string(), "2.9.0");
        assert!(runtime.python.ends_with("runtimes/2.9.0/bin/python3"));
        assert!(matches!(&events[0], InstallEvent::Environment { installer: Installer::Pip, .. }), "{events:?}");
        assert!(events.contains(&InstallEvent::Installing { packages: 1 }), "{events:?}");
        assert_eq!(events.last(), Some(&InstallEvent::Checking));
        assert!(!runtime.python.parent().unwrap().with_file_name(".tmp").exists());
        let (again, events) = index.install("2.9.0", &index.env(&[]));
        assert_eq!(again.unwrap(), runtime);
        assert!(events.is_empty());
        let found = find(None, None, &Env::default(), &index.path("data é x")).unwrap();
        assert_eq!(found, runtime);
    }

    #[test]
    fn what_cannot_be_had_or_imported_leaves_nothing() {
        let index = Index::new("raise ImportError('libstdc++ is too old')");
        let (error, _) = index.install("2.8.1", &index.env(&[]));
        let error = error.unwrap_err();
        assert!(error.to_string().contains("No matching distribution found for nvflare==2.8.1"), "{error}");
        assert_eq!(index.left(), [".lock"]);
        let (error, _) = index.install("2.9.0", &index.env(&[]));
        let error = error.unwrap_err();
        assert!(error.to_string().ends_with("ImportError: libstdc++ is too old"), "{error}");
        assert_eq!(index.left(), [".lock"]);
    }

    #[test]
    fn a_cancelled_installation_leaves_nothing() {
        let index = Index::new("");
        let cancel = Cancel::new();
        let data = index.path("data é x");
        let mut events = |event| {
            if matches!(event, InstallEvent::Environment { .. }) {
                cancel.cancel();
            }
        };
        let result = install(None, &[], &data, &index.env(&[]), &cancel, &mut events);
        assert!(matches!(result, Err(Error::Interrupted(_))), "{result:?}");
        assert_eq!(index.left(), [".lock"]);
        assert!(crate::process::running_from(&data).unwrap().is_empty());
    }

    #[test]
    fn where_uv_fails_pip_takes_over() {
        let index = Index::new("");
        program(&index.path("uv/uv"), "echo 'error: no interpreter found' >&2; exit 2");
        let path = format!("{}:{}", index.path("uv"), index.env(&[]).text("PATH").unwrap());
        let (runtime, events) = index.install("2.9.0", &index.env(&[("PATH", &path)]));
        runtime.unwrap();
        assert!(events.contains(&InstallEvent::FellBack { reason: "error: no interpreter found".into() }), "{events:?}");
    }

    #[test]
    fn versions_and_lines() {
        let of = |text: Option<&str>| release(text).map(|(version, line)| (version.to_string(), line));
        assert_eq!(of(None).unwrap(), ("2.9.0".into(), Line::V2_9));
        assert_eq!(of(Some("2.7")).unwrap(), ("2.7.3".into(), Line::V2_7));
        assert_eq!(of(Some(" v2.8.1 ")).unwrap(), ("2.8.1".into(), Line::V2_8));
        assert_eq!(of(Some("2.8.0rc1")).unwrap(), ("2.8.0rc1".into(), Line::V2_8));
        for text in ["2.4.2", "3.0", "x", "../x", "--help"] {
            assert!(matches!(of(Some(text)), Err(Error::Version(_))), "{text}");
        }
    }
}
