//! Which Python it is.

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::env::{self, Env};
use poc_core::settings::Resolved;
use poc_core::{FlareVersion, Line};

use super::metadata::{self, Packages};
use super::{Origin, Runtime, Tried, Unfit, managed, probe};
use crate::Error;

/// Finds the Python to run participants with: the one that the user named; else that of the active
/// virtual or conda environment, the first `python3` on PATH, the newest managed runtime, the first of
/// these that has a usable NVFlare (of the line `want`, if one is asked for).
///
/// A Python that the user named is taken or refused, never passed over. `data_dir` is
/// [`managed::data_dir`].
///
/// # Errors
///
/// For a Python that the user named: [`Error::RuntimeBroken`], [`Error::RuntimeWithoutFlare`],
/// [`Error::RuntimeUnsupported`], or, where it is of another line than `want`,
/// [`Error::RuntimeMismatch`]. Without one: [`Error::RuntimeMissing`], which tells what was looked at.
pub fn find(
    want: Option<Line>,
    configured: Option<&Resolved<Utf8PathBuf>>,
    env: &Env,
    data_dir: &Utf8Path,
) -> Result<Runtime, Error> {
    if let Some(setting) = configured {
        let runtime = examine(&setting.value, Origin::Setting(setting.source.clone()), env)?;
        return match want {
            Some(kits) if kits != runtime.line => Err(Error::RuntimeMismatch {
                kits,
                runtime: runtime.flare_version,
                python: runtime.python,
            }),
            _ => Ok(runtime),
        };
    }
    let mut tried = Vec::new();
    let mut fits = |found: Result<Runtime, Unfit>, python: Utf8PathBuf| {
        let why = match found {
            Ok(runtime) if want.is_none_or(|line| line == runtime.line) => return Some(runtime),
            Ok(runtime) => Unfit::OtherLine {
                version: runtime.flare_version,
            },
            Err(why) => why,
        };
        tried.push(Tried { python, why });
        None
    };
    for (python, origin) in candidates(env) {
        if let Some(runtime) = fits(look(&python, origin, env), python) {
            return Ok(runtime);
        }
    }
    for managed in managed::list(data_dir)? {
        let python = managed.python();
        let found = managed.runtime.ok_or(Unfit::Broken { tail: Vec::new() });
        if let Some(runtime) = fits(found, python) {
            return Ok(runtime);
        }
    }
    Err(Error::RuntimeMissing {
        wanted: want,
        tried,
    })
}

/// Looks at one Python: a program, its name on PATH, or the directory of an environment.
///
/// # Errors
///
/// [`Error::RuntimeBroken`], [`Error::RuntimeWithoutFlare`] or [`Error::RuntimeUnsupported`].
pub fn examine(python: &Utf8Path, origin: Origin, env: &Env) -> Result<Runtime, Error> {
    let python = program(python, env);
    look(&python, origin, env).map_err(|why| match why {
        Unfit::NoFlare => Error::RuntimeWithoutFlare { python },
        Unfit::Broken { tail } => Error::RuntimeBroken { python, tail },
        Unfit::Absent => Error::RuntimeBroken {
            python,
            tail: vec!["there is no such program".to_owned()],
        },
        why => Error::RuntimeUnsupported {
            python,
            reason: format!("it {why}"),
        },
    })
}

/// The Pythons that nobody named, best first.
fn candidates(env: &Env) -> Vec<(Utf8PathBuf, Origin)> {
    let active = [env::VIRTUAL_ENV, env::CONDA_PREFIX]
        .into_iter()
        .filter_map(|variable| env.path(variable.name))
        .map(|root| (python_in(&root), Origin::ActiveEnvironment));
    let on_path = on_path("python3", env)
        .into_iter()
        .map(|python| (python, Origin::Path));
    let mut seen = Vec::new();
    active
        .chain(on_path)
        .filter(|(python, _)| {
            // /bin is often a link to /usr/bin. The program itself is not followed: that would lead
            // out of a virtual environment.
            let place = (
                python
                    .parent()
                    .map(Utf8Path::canonicalize_utf8)
                    .and_then(Result::ok),
                python.file_name(),
            );
            let place = (place.0, place.1.map(str::to_owned));
            let new = !seen.contains(&place);
            seen.push(place);
            new
        })
        .collect()
}

/// Every program of that name on PATH, in its order.
pub(super) fn on_path(name: &str, env: &Env) -> Vec<Utf8PathBuf> {
    let found = which::which_in_all(name, env.get(env::PATH.name), "/");
    found
        .into_iter()
        .flatten()
        .filter_map(|path| Utf8PathBuf::from_path_buf(path).ok())
        .collect()
}

fn program(python: &Utf8Path, env: &Env) -> Utf8PathBuf {
    if !python.as_str().contains('/')
        && let Some(found) = on_path(python.as_str(), env).into_iter().next()
    {
        return found;
    }
    let python = camino::absolute_utf8(python).unwrap_or_else(|_| python.to_owned());
    if python.is_dir() {
        python_in(&python)
    } else {
        python
    }
}

fn python_in(root: &Utf8Path) -> Utf8PathBuf {
    let [first, second] = ["bin/python3", "bin/python"].map(|name| root.join(name));
    if !first.exists() && second.exists() {
        second
    } else {
        first
    }
}

/// Looks at one Python, if possible without starting it.
fn look(python: &Utf8Path, origin: Origin, env: &Env) -> Result<Runtime, Unfit> {
    if let Some(found) = look_at_files(python, origin.clone()) {
        return found;
    }
    let answer = probe::ask(python, env)?;
    let (Some(flare), Some(site)) = (answer.nvflare, answer.site) else {
        return Err(Unfit::NoFlare);
    };
    // A shim chooses its Python by the working directory; from here on it is this one.
    let itself = Some(answer.executable).filter(|path| path.is_absolute());
    judge(
        itself.unwrap_or_else(|| python.to_owned()),
        origin,
        Packages {
            flare,
            python: answer.python,
            site,
        },
    )
}

/// Looks at what lies on disk; `None` where only the Python itself can tell.
pub(super) fn look_at_files(python: &Utf8Path, origin: Origin) -> Option<Result<Runtime, Unfit>> {
    metadata::read(python).map(|packages| judge(python.to_owned(), origin, packages))
}

fn judge(python: Utf8PathBuf, origin: Origin, packages: Packages) -> Result<Runtime, Unfit> {
    let Packages {
        flare,
        python: python_version,
        site: site_packages,
    } = packages;
    let version: Option<FlareVersion> = flare.parse().ok();
    let Some((flare_version, line)) =
        version.and_then(|version| version.line().map(|line| (version, line)))
    else {
        return Err(Unfit::UnsupportedFlare { version: flare });
    };
    let minors = line.python_versions();
    if python_version.0 != 3 || !(minors.0..=minors.1).contains(&python_version.1) {
        return Err(Unfit::UnsupportedPython {
            version: python_version,
            minors,
        });
    }
    Ok(Runtime {
        python,
        flare_version,
        line,
        python_version,
        origin,
        site_packages,
    })
}

#[cfg(test)]
mod tests {
    use poc_core::Hint as _;
    use poc_core::settings::Source;

    use super::super::metadata::tests::environment;
    use super::*;
    use crate::testing::executable;

    struct Machine {
        dir: tempfile::TempDir,
    }

    impl Machine {
        fn new() -> Self {
            Self {
                dir: tempfile::tempdir().unwrap(),
            }
        }

        fn path(&self, name: &str) -> Utf8PathBuf {
            Utf8Path::from_path(self.dir.path()).unwrap().join(name)
        }

        /// A virtual environment whose Python must not be started.
        fn environment(&self, name: &str, flare: &str) -> Utf8PathBuf {
            environment(
                &self.path(name),
                Some(flare),
                "touch \"$0.started\"; exit 1",
            )
        }

        /// A Python outside any environment that answers the probe, as a shim of pyenv's does.
        fn python3(&self, directory: &str, nvflare: &str, itself: &str) -> Utf8PathBuf {
            let flare = if nvflare.is_empty() {
                String::new()
            } else {
                format!(",\"nvflare\":\"{nvflare}\",\"site\":\"/site\"")
            };
            let answer =
                format!("{{\"python\":[3,11],\"executable\":\"{itself}\",\"lacks\":[]{flare}}}");
            executable(
                &self.path(directory).join("python3"),
                &format!("echo 'poc-probe:{answer}'"),
            )
        }

        fn find(&self, want: Option<Line>, env: &[(&str, &str)]) -> Result<Runtime, Error> {
            let path = format!("{}:{}:/usr/bin:/bin", self.path("one"), self.path("two"));
            // The machine that runs the test has a python3 of its own, which must not matter.
            let path = path.replace(":/usr/bin:/bin", "");
            let pairs = env.iter().map(|(name, value)| (*name, (*value).to_owned()));
            let env = Env::from_pairs(pairs.chain([("PATH", path)]));
            find(want, None, &env, &self.path("data"))
        }

        fn configured(&self, python: &Utf8Path, want: Option<Line>) -> Result<Runtime, Error> {
            let setting = Resolved {
                value: python.to_owned(),
                source: Source::Environment("POC_PYTHON"),
            };
            find(
                want,
                Some(&setting),
                &Env::from_pairs([("PATH", "/usr/bin:/bin")]),
                &self.path("data"),
            )
        }
    }

    #[test]
    fn the_active_environment_comes_before_path_and_is_not_started() {
        let machine = Machine::new();
        let python = machine.environment("venv", "2.9.0");
        machine.python3("one", "2.8.1", "/real/python3");
        let venv = machine.path("venv");
        let runtime = machine
            .find(None, &[("VIRTUAL_ENV", venv.as_str())])
            .unwrap();
        assert_eq!(
            (runtime.python.clone(), runtime.line),
            (python.clone(), Line::V2_9)
        );
        assert_eq!(runtime.origin, Origin::ActiveEnvironment);
        assert_eq!(runtime.python_version, (3, 12));
        assert!(!Utf8PathBuf::from(format!("{python}.started")).exists());
        let runtime = machine.find(None, &[]).unwrap();
        assert_eq!(
            (runtime.python.as_str(), runtime.origin),
            ("/real/python3", Origin::Path)
        );
        assert_eq!(runtime.flare_version.to_string(), "2.8.1");
    }

    #[test]
    fn what_is_unfit_is_passed_over_and_named() {
        let machine = Machine::new();
        let shim = executable(
            &machine.path("one/python3"),
            "echo 'pyenv: python3: command not found' >&2; exit 127",
        );
        let bare = machine.python3("two", "", "/real/python3");
        let old = environment(&machine.path("venv"), Some("2.4.2"), "");
        let venv = machine.path("venv");
        let error = machine
            .find(None, &[("VIRTUAL_ENV", venv.as_str())])
            .unwrap_err();
        let Error::RuntimeMissing {
            wanted: None,
            tried,
        } = &error
        else {
            panic!("{error:?}")
        };
        let tried: Vec<String> = tried.iter().map(ToString::to_string).collect();
        assert_eq!(
            tried,
            [
                format!("{old} has NVFlare 2.4.2, and only 2.5 to 2.9 are supported"),
                format!("{shim} does not work: pyenv: python3: command not found"),
                format!("{bare} has no NVFlare"),
            ]
        );
        assert_eq!(error.to_string(), "no Python with NVFlare was found");
        assert!(error.hints()[0].contains("poc runtime install"));
    }

    #[test]
    fn a_wanted_line_passes_over_others() {
        let machine = Machine::new();
        machine.python3("one", "2.7.3", "/a/python3");
        machine.python3("two", "2.9.0", "/b/python3");
        assert_eq!(
            machine.find(Some(Line::V2_9), &[]).unwrap().python,
            "/b/python3"
        );
        assert_eq!(
            machine.find(Some(Line::V2_7), &[]).unwrap().python,
            "/a/python3"
        );
        let error = machine.find(Some(Line::V2_8), &[]).unwrap_err();
        assert_eq!(error.to_string(), "no Python with NVFlare 2.8 was found");
    }

    #[test]
    fn a_named_python_is_taken_or_refused() {
        let machine = Machine::new();
        let python = machine.environment("my venv", "2.9.0");
        for named in [python.clone(), machine.path("my venv")] {
            let runtime = machine.configured(&named, Some(Line::V2_9)).unwrap();
            assert_eq!(runtime.python, python);
            assert_eq!(
                runtime.origin,
                Origin::Setting(Source::Environment("POC_PYTHON"))
            );
        }
        let error = machine.configured(&python, Some(Line::V2_8)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the startup kits are for NVFlare 2.8, but {python} has NVFlare 2.9.0")
        );
        let error = machine
            .configured(&machine.python3("x", "", "/p"), None)
            .unwrap_err();
        assert!(
            matches!(error, Error::RuntimeWithoutFlare { .. }),
            "{error}"
        );
        let error = machine
            .configured(&machine.environment("new", "3.0.0"), None)
            .unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("it has NVFlare 3.0.0, and only 2.5 to 2.9 are supported"),
            "{error}"
        );
        let error = machine
            .configured(&machine.environment("mid", "2.7.3"), None)
            .unwrap();
        assert_eq!(error.line, Line::V2_7);
        let crash = executable(
            &machine.path("crash"),
            "echo 'Fatal Python error' >&2; exit 1",
        );
        let error = machine.configured(&crash, None).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{crash} does not work: Fatal Python error")
        );
        let error = machine
            .configured("/no/such/python".into(), None)
            .unwrap_err();
        assert!(matches!(error, Error::RuntimeBroken { .. }), "{error}");
    }

    #[test]
    fn a_python_that_nvflare_does_not_support() {
        let machine = Machine::new();
        let answer =
            r#"{"python":[3,9],"executable":"/p","nvflare":"2.9.0","site":"/s","lacks":[]}"#;
        let python = executable(
            &machine.path("python3"),
            &format!("echo 'poc-probe:{answer}'"),
        );
        let error = machine.configured(&python, None).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("it is Python 3.9, and 3.10 to 3.14 is needed"),
            "{error}"
        );
    }

    #[test]
    fn one_program_under_two_names_is_asked_once() {
        let machine = Machine::new();
        machine.python3("one", "", "/p");
        std::os::unix::fs::symlink(machine.path("one"), machine.path("two")).unwrap();
        let Err(Error::RuntimeMissing { tried, .. }) = machine.find(None, &[]) else {
            panic!()
        };
        assert_eq!(tried.len(), 1);
    }
}
