//! The Python that a virtual environment is made with.

use camino::Utf8PathBuf;
use poc_core::Line;
use poc_core::env::Env;

use crate::Error;
use crate::runtime::{Tried, Unfit, find, probe};

/// A Python on PATH that NVFlare of this line supports and that can make virtual environments: the
/// user's `python3`, else the newest.
///
/// # Errors
///
/// [`Error::VenvMissing`] where only what makes virtual environments is missing (as on Debian, where
/// that is a package of its own), else [`Error::NoBasePython`].
pub(super) fn python(line: Line, env: &Env) -> Result<Utf8PathBuf, Error> {
    let (oldest, newest) = line.python_versions();
    let by_version = (oldest..=newest)
        .rev()
        .map(|minor| format!("python3.{minor}"));
    let names = ["python3".to_owned()].into_iter().chain(by_version);
    let mut tried: Vec<Tried> = Vec::new();
    let mut incomplete = None;
    for python in names.flat_map(|name| find::on_path(&name, env)) {
        let why = match probe::ask(&python, env) {
            Err(why) => why,
            Ok(answer) if answer.python.0 != 3 || !(oldest..=newest).contains(&answer.python.1) => {
                Unfit::UnsupportedPython {
                    version: answer.python,
                    minors: (oldest, newest),
                }
            }
            Ok(answer) => match answer.lacks.into_iter().next() {
                // The program itself, as a shim may be another one tomorrow.
                None if answer.executable.is_absolute() => return Ok(answer.executable),
                None => return Ok(python),
                Some(module) => {
                    incomplete.get_or_insert((python.clone(), answer.python.1, module.clone()));
                    Unfit::Lacks { module }
                }
            },
        };
        tried.push(Tried { python, why });
    }
    Err(match incomplete {
        Some((python, minor, module)) => Error::VenvMissing {
            python,
            minor,
            module,
        },
        None => Error::NoBasePython {
            minors: (oldest, newest),
            tried,
        },
    })
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use poc_core::Hint as _;

    use super::*;
    use crate::testing::executable;

    fn find_among(programs: &[(&str, &str)]) -> Result<Utf8PathBuf, Error> {
        let dir = tempfile::tempdir().unwrap();
        let bin = Utf8Path::from_path(dir.path()).unwrap();
        for (name, answer) in programs {
            executable(&bin.join(name), &format!("echo 'poc-probe:{answer}'"));
        }
        python(Line::V2_9, &Env::from_pairs([("PATH", bin.as_str())]))
    }

    #[test]
    fn the_users_python3_comes_first_then_the_newest_that_fits() {
        let old = r#"{"python":[3,9],"executable":"/old","lacks":[]}"#;
        let fit = |path: &str| format!(r#"{{"python":[3,12],"executable":"{path}","lacks":[]}}"#);
        let (a, b) = (fit("/a"), fit("/b"));
        assert_eq!(
            find_among(&[("python3", &a), ("python3.13", &b)]).unwrap(),
            "/a"
        );
        assert_eq!(
            find_among(&[("python3", old), ("python3.11", &a), ("python3.13", &b)]).unwrap(),
            "/b"
        );
        // 3.15 is not looked at.
        let error = find_among(&[("python3", old), ("python3.15", &b)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no Python 3.10 to 3.14 was found to install NVFlare with"
        );
    }

    #[test]
    fn debian_without_python3_venv_is_told_the_package() {
        let bare = r#"{"python":[3,11],"executable":"/usr/bin/python3","lacks":["ensurepip"]}"#;
        let error = find_among(&[("python3", bare)]).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("its module `ensurepip` is missing"),
            "{error}"
        );
        assert_eq!(
            error.hints(),
            ["on Debian and Ubuntu: `sudo apt install python3.11-venv`"]
        );
    }
}
