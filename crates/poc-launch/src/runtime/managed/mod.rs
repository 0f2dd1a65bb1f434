//! Runtimes that `poc` installs: virtual environments in the user's data directory.
//!
//! One lies in `<data directory>/runtimes/<version>/`. It is built in place, since the scripts of a
//! virtual environment hold its path; a file that is written last says that it is whole, and without
//! that file it does not count. A lock keeps two installations apart.

mod base;
mod install;
mod progress;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::env::{self, Env};
use poc_core::fsio;
use poc_core::fsio::FileLock;
use poc_core::{FlareVersion, Line};
use serde::{Deserialize, Serialize};

use super::{Origin, Runtime, Unfit, find};
use crate::Error;
use crate::process;

pub use install::{InstallEvent, Installer, install};

/// Says that a runtime is whole, and how it came to be.
const MARKER: &str = "poc-runtime.json";

#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    flare_version: FlareVersion,
    installer: Installer,
}

/// A managed runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Managed {
    /// The version of NVFlare that was installed.
    pub version: FlareVersion,
    /// Where it lies.
    pub directory: Utf8PathBuf,
    /// What can be run; `None` where the Python that it was made with is gone, so that it must be
    /// installed again.
    pub runtime: Option<Runtime>,
}

impl Managed {
    /// Its Python, whether it works or not.
    pub fn python(&self) -> Utf8PathBuf {
        self.directory.join("bin/python3")
    }
}

/// Where `poc` keeps what belongs to the user and to no workspace: `$XDG_DATA_HOME/poc`, or
/// `~/.local/share/poc` (XDG base directory specification: a relative value is ignored).
///
/// # Errors
///
/// [`Error::Core`] where the home directory is unknown.
pub fn data_dir(env: &Env) -> Result<Utf8PathBuf, Error> {
    let base = match env.utf8_path(env::XDG_DATA_HOME.name)? {
        Some(path) if path.is_absolute() => path,
        _ => env.home()?.join(".local/share"),
    };
    Ok(base.join("poc"))
}

/// The managed runtimes that are whole, newest first.
///
/// # Errors
///
/// [`Error::Io`] where the directory is there and cannot be read.
pub fn list(data_dir: &Utf8Path) -> Result<Vec<Managed>, Error> {
    let entries = match fs_err::read_dir(runtimes_dir(data_dir)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found: Vec<Managed> = entries
        .flatten()
        .filter_map(|entry| Utf8PathBuf::from_path_buf(entry.path()).ok())
        .filter_map(|directory| whole(&directory))
        .collect();
    found.sort_by(|a, b| b.version.cmp(&a.version));
    Ok(found)
}

/// Removes a managed runtime.
///
/// # Errors
///
/// [`Error::NoSuchRuntime`], [`Error::RuntimeInUse`] while a process runs from it,
/// [`Error::RuntimesBusy`] while one is being installed, or [`Error::Io`].
pub fn remove(version: &str, data_dir: &Utf8Path) -> Result<FlareVersion, Error> {
    let runtimes = runtimes_dir(data_dir);
    let installed = list(data_dir)?;
    let wanted: Option<FlareVersion> = version.parse().ok();
    let Some(managed) = installed
        .iter()
        .find(|managed| Some(&managed.version) == wanted.as_ref())
    else {
        let installed = installed
            .into_iter()
            .map(|managed| managed.version)
            .collect();
        return Err(Error::NoSuchRuntime {
            version: version.to_owned(),
            installed,
        });
    };
    let Some(_lock) = FileLock::try_exclusive(&lock_file(&runtimes))? else {
        return Err(Error::RuntimesBusy {
            directory: runtimes,
        });
    };
    let pids = process::running_from(&managed.directory)?;
    if !pids.is_empty() {
        return Err(Error::RuntimeInUse {
            version: managed.version.clone(),
            pids,
        });
    }
    // First what says that it is whole: a removal that is broken off leaves nothing that counts.
    fs_err::remove_file(managed.directory.join(MARKER))?;
    fsio::remove_tree(&managed.directory)?;
    Ok(managed.version.clone())
}

/// The release that a line stands for when only the line is named (PyPI, November 2026).
fn newest_release(line: Line) -> &'static str {
    match line {
        Line::V2_5 => "2.5.2",
        Line::V2_6 => "2.6.3",
        Line::V2_7 => "2.7.3",
        Line::V2_8 => "2.8.3",
        Line::V2_9 => "2.9.0",
    }
}

fn runtimes_dir(data_dir: &Utf8Path) -> Utf8PathBuf {
    data_dir.join("runtimes")
}

fn lock_file(runtimes: &Utf8Path) -> Utf8PathBuf {
    runtimes.join(".lock")
}

/// The runtime in a directory, if its marker says that it is whole.
fn whole(directory: &Utf8Path) -> Option<Managed> {
    let text = fs_err::read_to_string(directory.join(MARKER)).ok()?;
    let marker: Marker = serde_json::from_str(&text).ok()?;
    let mut managed = Managed {
        version: marker.flare_version,
        directory: directory.to_owned(),
        runtime: None,
    };
    managed.runtime = as_runtime(directory).ok();
    Some(managed)
}

/// What is in a directory, whole or not. Its Python is not started.
fn as_runtime(directory: &Utf8Path) -> Result<Runtime, Unfit> {
    find::look_at_files(&directory.join("bin/python3"), Origin::Managed)
        .unwrap_or(Err(Unfit::NoFlare))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::metadata::tests::environment;
    use super::*;

    /// A real Python of this machine that can make virtual environments.
    pub(crate) fn any_python() -> Utf8PathBuf {
        base::python(Line::NEWEST, &Env::from_process()).unwrap()
    }

    struct Data {
        dir: tempfile::TempDir,
    }

    impl Data {
        fn new() -> Self {
            Self {
                dir: tempfile::tempdir().unwrap(),
            }
        }

        fn path(&self) -> &Utf8Path {
            Utf8Path::from_path(self.dir.path()).unwrap()
        }

        fn add(&self, version: &str, whole: bool) -> Utf8PathBuf {
            let directory = runtimes_dir(self.path()).join(version);
            environment(&directory, Some(version), "");
            if whole {
                let marker = Marker {
                    flare_version: version.parse().unwrap(),
                    installer: Installer::Pip,
                };
                fs_err::write(directory.join(MARKER), serde_json::to_vec(&marker).unwrap())
                    .unwrap();
            }
            directory
        }
    }

    #[test]
    fn the_data_directory_follows_the_environment() {
        let of =
            |pairs: &[(&str, &str)]| data_dir(&Env::from_pairs(pairs.iter().copied())).unwrap();
        assert_eq!(of(&[("HOME", "/h")]), "/h/.local/share/poc");
        assert_eq!(of(&[("HOME", "/h"), ("XDG_DATA_HOME", "/x")]), "/x/poc");
        assert_eq!(
            of(&[("HOME", "/h"), ("XDG_DATA_HOME", "x")]),
            "/h/.local/share/poc"
        );
    }

    #[test]
    fn only_what_is_whole_counts_and_the_newest_comes_first() {
        let data = Data::new();
        assert!(list(data.path()).unwrap().is_empty());
        data.add("2.8.1", true);
        data.add("2.9.0", true);
        data.add("2.7.3", false);
        let broken = data.add("2.9.0rc1", true);
        fs_err::remove_file(broken.join("bin/python3")).unwrap();
        let versions: Vec<_> = list(data.path())
            .unwrap()
            .into_iter()
            .map(|managed| (managed.version.to_string(), managed.runtime.is_some()))
            .collect();
        let expected = [("2.9.0", true), ("2.9.0rc1", false), ("2.8.1", true)];
        assert_eq!(
            versions,
            expected.map(|(version, works)| (version.to_owned(), works))
        );
    }

    #[test]
    fn one_is_removed_and_what_is_not_there_is_named() {
        let data = Data::new();
        let directory = data.add("2.9.0", true);
        data.add("2.8.1", true);
        assert_eq!(remove("2.9.0", data.path()).unwrap().to_string(), "2.9.0");
        assert!(!directory.exists());
        let error = remove("2.9.0", data.path()).unwrap_err();
        assert!(
            matches!(&error, Error::NoSuchRuntime { installed, .. } if installed.len() == 1),
            "{error}"
        );
        assert!(remove("../..", data.path()).is_err());
    }

    #[test]
    fn one_in_use_stays() {
        let data = Data::new();
        let directory = data.add("2.9.0", true);
        let python = directory.join("bin/python3");
        fs_err::remove_file(&python).unwrap();
        std::os::unix::fs::symlink(which::which("sleep").unwrap(), &python).unwrap();
        let mut child = std::process::Command::new(&python)
            .arg("600")
            .spawn()
            .unwrap();
        // The kernel lets the parent go on a moment before it has set the child's arguments.
        let seen = || !process::running_from(&directory).unwrap().is_empty();
        assert!(crate::testing::eventually(seen));
        let error = remove("2.9.0", data.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the managed runtime 2.9.0 is in use by process {}",
                child.id()
            )
        );
        child.kill().unwrap();
        child.wait().unwrap();
        let lock = FileLock::try_exclusive(&lock_file(&runtimes_dir(data.path()))).unwrap();
        assert!(matches!(
            remove("2.9.0", data.path()),
            Err(Error::RuntimesBusy { .. })
        ));
        drop(lock);
        remove("2.9.0", data.path()).unwrap();
    }

    #[test]
    fn every_line_has_a_release() {
        for line in Line::ALL {
            assert_eq!(
                newest_release(line).parse::<FlareVersion>().unwrap().line(),
                Some(line)
            );
        }
    }
}
