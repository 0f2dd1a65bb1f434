//! Asking a Python what it is and has.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::Cancel;
use poc_core::env::Env;
use serde::Deserialize;

use super::Unfit;
use super::program::{Program, Stopped};

const PROGRAM: &str = include_str!("probe.py");
const MARK: &str = "poc-probe:";
/// A Python answers in some 30 ms; from a cold disk, or a network one, it takes longer.
const LIMIT: Duration = Duration::from_secs(30);
/// What of its output an error shows.
const TAIL: usize = 12;

/// What a Python says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Answer {
    /// Its version.
    pub(super) python: (u8, u8),
    /// Itself, without the shims and links that led to it; empty where it does not know.
    pub(super) executable: Utf8PathBuf,
    /// The version of its NVFlare.
    #[serde(default)]
    pub(super) nvflare: Option<String>,
    /// Where that lies.
    #[serde(default)]
    pub(super) site: Option<Utf8PathBuf>,
    /// What it lacks of what making virtual environments takes.
    pub(super) lacks: Vec<String>,
}

/// Starts the Python and asks it, in the environment that participants will run in: a user's own
/// site-packages and PYTHONPATH count, since they count there. NVFlare is not imported.
pub(super) fn ask(python: &Utf8Path, env: &Env) -> Result<Answer, Unfit> {
    let program = Program {
        path: python,
        arguments: &["-c", PROGRAM],
        env,
        changes: &[],
        limit: LIMIT,
    };
    let broken = |line: String| Unfit::Broken { tail: vec![line] };
    match program.run(&Cancel::new(), &mut |_| {}) {
        Ok(finished) => {
            let answer = finished
                .lines
                .iter()
                .rev()
                .find_map(|line| line.strip_prefix(MARK));
            match answer.map(serde_json::from_str) {
                Some(Ok(answer)) if finished.status.success() => Ok(answer),
                _ => Err(Unfit::Broken {
                    tail: words(finished.tail(TAIL)),
                }),
            }
        }
        Err(Stopped::NotStarted(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            // A script whose interpreter is missing is as absent to the system as one that is.
            Err(if python.exists() {
                broken("its interpreter is missing".into())
            } else {
                Unfit::Absent
            })
        }
        Err(Stopped::NotStarted(error)) => Err(broken(error.to_string())),
        Err(Stopped::TooSlow) => Err(broken(format!(
            "it did not answer within {} s",
            LIMIT.as_secs()
        ))),
        Err(Stopped::Cancelled(cancelled)) => Err(broken(cancelled.to_string())),
        Err(Stopped::Error(error)) => Err(broken(error.to_string())),
    }
}

/// Its last lines; not those of another program, which repeats ours as an option it does not know.
fn words(tail: Vec<String>) -> Vec<String> {
    if tail.iter().any(|line| line.contains(MARK)) {
        return vec!["it is no Python".to_owned()];
    }
    tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::executable;

    fn ask_script(script: &str) -> Result<Answer, Unfit> {
        let dir = tempfile::tempdir().unwrap();
        let python = executable(
            &Utf8Path::from_path(dir.path()).unwrap().join("python3"),
            script,
        );
        ask(&python, &Env::from_process())
    }

    fn tail(result: Result<Answer, Unfit>) -> Vec<String> {
        match result {
            Err(Unfit::Broken { tail }) => tail,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_real_python_answers() {
        let python = crate::runtime::managed::tests::any_python();
        let answer = ask(&python, &Env::from_process()).unwrap();
        assert_eq!(answer.python.0, 3);
        assert!(answer.executable.is_absolute());
    }

    #[test]
    fn noise_before_and_after_the_answer_does_not_matter() {
        let script = r#"echo hello; echo 'poc-probe:{"python":[3,11],"executable":"/p","lacks":[]}'; echo bye >&2"#;
        let answer = ask_script(script).unwrap();
        assert_eq!((answer.python, answer.nvflare), ((3, 11), None));
    }

    #[test]
    fn what_crashes_shows_its_last_words() {
        let shim = "echo \"pyenv: python3: command not found\" >&2; exit 127";
        assert_eq!(
            tail(ask_script(shim)),
            ["pyenv: python3: command not found"]
        );
        assert_eq!(
            tail(ask_script("kill -SEGV $$")),
            ["it was ended by signal 11"]
        );
        assert_eq!(tail(ask_script("echo 'poc-probe:{}'")), ["it is no Python"]);
        assert_eq!(tail(ask_script("exit 0")), ["it ended with exit status: 0"]);
        assert_eq!(
            ask("/no/such/python".into(), &Env::default()),
            Err(Unfit::Absent)
        );
        let dir = tempfile::tempdir().unwrap();
        let script = Utf8Path::from_path(dir.path()).unwrap().join("python3");
        executable(&script, "");
        fs_err::write(&script, "#!/no/such/interpreter\n").unwrap();
        assert_eq!(
            tail(ask(&script, &Env::default())),
            ["its interpreter is missing"]
        );
    }
}
