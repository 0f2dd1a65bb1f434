//! Runs a vendor's tool that may hang, fail, or not be there.

use std::ffi::OsStr;
use std::io;
use std::process::Output;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::{Pid, Signal, kill_process_group};

/// How long a killed tool may take to go before it is left behind. One that is stuck in the kernel
/// does not go at all.
const PARTING: Duration = Duration::from_secs(1);

/// Between two tries to run a tool that somebody is writing.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// How much of a tool's words goes into a message.
const QUOTED: usize = 240;

/// A tool's end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It ended by itself.
    Ended {
        /// Its exit code; `None` if a signal ended it.
        code: Option<i32>,
        stdout: String,
        stderr: String,
    },
    /// It was still running at the deadline and was killed.
    TimedOut,
    /// It could not be started.
    Unrunnable(String),
}

/// Finds a tool on `path`, else in one of the directories where its vendor puts it.
pub(crate) fn find(
    tool: &str,
    path: Option<&OsStr>,
    elsewhere: &[Utf8PathBuf],
) -> Option<Utf8PathBuf> {
    let directories = elsewhere.iter().map(|dir| dir.as_std_path().as_os_str());
    path.into_iter().chain(directories).find_map(|list| {
        let found = which::which_in(tool, Some(list), "/").ok()?;
        Utf8PathBuf::from_path_buf(found).ok()
    })
}

/// Runs a tool to its end or to the deadline, at which it and all that it started are killed.
pub(crate) fn run(tool: &Utf8Path, arguments: &[&str], deadline: Instant) -> Ran {
    // C, so that numbers and messages are what the parsers know. A group of its own, because a
    // wrapper script's children would outlive it and hold its pipes open.
    let expression = duct::cmd(tool.as_std_path(), arguments)
        .env("LC_ALL", "C")
        .env_remove("LANGUAGE")
        .stdin_null()
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .before_spawn(|command| {
            std::os::unix::process::CommandExt::process_group(command, 0);
            Ok(())
        });
    let handle = loop {
        match expression.start() {
            Ok(handle) => break handle,
            // Somebody has it open for writing, as while it is being installed.
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(BUSY_PAUSE);
            }
            Err(error) => return Ran::Unrunnable(unrunnable(tool, &error)),
        }
    };
    match handle.wait_deadline(deadline) {
        Ok(Some(output)) => ended(output),
        Ok(None) => {
            for pid in handle.pids() {
                let group = i32::try_from(pid).ok().and_then(Pid::from_raw);
                // No such group: it ended between the deadline and here.
                let _ = group.map(|group| kill_process_group(group, Signal::KILL));
            }
            let _ = handle.wait_timeout(PARTING);
            Ran::TimedOut
        }
        Err(error) => Ran::Unrunnable(unrunnable(tool, &error)),
    }
}

fn unrunnable(tool: &Utf8Path, error: &io::Error) -> String {
    // An error of duct's names the command already.
    format!(
        "{} cannot be run: {error}",
        tool.file_name().unwrap_or("it")
    )
}

fn ended(output: &Output) -> Ran {
    Ran::Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A tool's words on one line, for a message.
pub(crate) fn words(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    let line = lines.join("; ");
    match line.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line.trim_end_matches('.').to_owned(),
    }
}

/// How a tool that said nothing ended.
pub(crate) fn silent_end(tool: &str, code: Option<i32>) -> String {
    match code {
        Some(code) => format!("{tool} failed with exit code {code} and said nothing"),
        None => format!("{tool} was ended by a signal"),
    }
}

/// What is said of a tool that did not end.
pub(crate) fn no_answer(tool: &str, timeout: Duration) -> String {
    format!("{tool} did not answer within {} s", timeout.as_secs_f32())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::testing::{script, scripts};

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn an_ordinary_end() {
        let dir = scripts(&[(
            "tool",
            "echo \"$1 $LC_ALL ${LANGUAGE-unset}\"; echo oops >&2; exit 7",
        )]);
        let tool = find("tool", Some(dir.path().as_os_str()), &[]).unwrap();
        assert_eq!(
            run(&tool, &["a b"], soon()),
            Ran::Ended {
                code: Some(7),
                stdout: "a b C unset\n".to_owned(),
                stderr: "oops\n".to_owned(),
            }
        );
    }

    #[test]
    fn a_hanging_tool_is_killed_with_its_children() {
        let dir = scripts(&[(
            "tool",
            "sleep 1000 & echo $! > \"$(dirname \"$0\")/child\"; wait",
        )]);
        let tool = script(&dir, "tool");
        let child = dir.path().join("child");
        let started = Instant::now();
        assert_eq!(
            run(&tool, &[], started + Duration::from_secs(2)),
            Ran::TimedOut
        );
        assert!(started.elapsed() < Duration::from_secs(10));

        let pid = fs_err::read_to_string(child).unwrap();
        let status = format!("/proc/{}/status", pid.trim());
        let gone = Instant::now() + Duration::from_secs(10);
        while fs_err::read_to_string(&status).is_ok_and(|status| !status.contains("State:\tZ")) {
            assert!(Instant::now() < gone, "the tool's child outlived it");
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_cannot_be_run_is_said() {
        let dir = scripts(&[("tool", "")]);
        let tool = script(&dir, "tool");
        fs_err::write(&tool, "#!/nonexistent/interpreter\n").unwrap();
        let Ran::Unrunnable(reason) = run(&tool, &[], soon()) else {
            panic!("it ran");
        };
        assert!(reason.starts_with("tool cannot be run: "), "{reason}");
    }

    #[test]
    fn path_comes_before_the_usual_directories() {
        let (first, second) = (scripts(&[("a", "")]), scripts(&[("a", ""), ("b", "")]));
        let elsewhere = [Utf8PathBuf::from_path_buf(second.path().to_owned()).unwrap()];
        let path = Some(first.path().as_os_str());
        assert_eq!(find("a", path, &elsewhere), Some(script(&first, "a")));
        assert_eq!(find("b", path, &elsewhere), Some(script(&second, "b")));
        assert_eq!(find("b", None, &elsewhere), Some(script(&second, "b")));
        assert_eq!(find("c", path, &elsewhere), None);
    }

    #[test]
    fn words_are_one_line() {
        assert_eq!(words(" a  b\n\n  c.\n"), "a b; c");
        assert_eq!(words(&"long ".repeat(100)).chars().count(), QUOTED);
        assert_eq!(words(""), "");
    }
}
