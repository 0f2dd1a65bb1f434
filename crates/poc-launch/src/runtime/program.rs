//! Running a program to its end, within a limit, listening to what it prints.

use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::Cancel;
use poc_core::env::Env;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::Error;
use crate::logs::Follower;
use crate::process::{self, Handle, Identity};

/// How soon what it printed is seen.
const LOOK: Duration = Duration::from_millis(100);
/// How long what was killed may take to be gone.
const LONGEST_END: Duration = Duration::from_secs(5);
/// How many lines are kept.
const KEPT: usize = 200;

/// What to run.
pub(super) struct Program<'a> {
    pub(super) path: &'a Utf8Path,
    pub(super) arguments: &'a [&'a str],
    pub(super) env: &'a Env,
    /// On top of `env`; `None` takes the variable away.
    pub(super) changes: &'a [(&'a str, Option<&'a str>)],
    pub(super) limit: Duration,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) status: ExitStatus,
    /// The last lines that it printed, on standard output and standard error.
    pub(super) lines: Vec<String>,
}

impl Finished {
    /// The last lines, and what the system says where they alone would not tell.
    pub(super) fn tail(mut self, lines: usize) -> Vec<String> {
        while self.lines.last().is_some_and(|line| line.trim().is_empty()) {
            self.lines.pop();
        }
        if let Some(signal) = self.status.signal() {
            self.lines.push(format!("it was ended by signal {signal}"));
        } else if self.lines.is_empty() {
            self.lines.push(format!("it ended with {}", self.status));
        }
        self.lines.split_off(self.lines.len().saturating_sub(lines))
    }
}

/// Why it did not come to its own end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// It could not be started.
    NotStarted(io::Error),
    /// It took longer than the limit, and was ended.
    TooSlow,
    /// Somebody asked for a stop, and it was ended.
    Cancelled(poc_core::Cancelled),
    /// The system failed us.
    Error(Error),
}

impl Program<'_> {
    /// Runs it to its end. Whatever the outcome, nothing of it is running afterwards.
    pub(super) fn run(
        &self,
        cancel: &Cancel,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<Finished, Stopped> {
        let output =
            tempfile::NamedTempFile::new().map_err(|error| Stopped::Error(error.into()))?;
        let handles = output
            .as_file()
            .try_clone()
            .and_then(|out| Ok((out, output.as_file().try_clone()?)));
        let (out, err) = handles.map_err(|error| Stopped::Error(error.into()))?;
        let mut command = Command::new(self.path);
        command
            .args(self.arguments)
            .env_clear()
            .envs(self.env.iter());
        for (name, value) in self.changes {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        // A group of its own: the terminal's Ctrl-C is for us, and what it starts ends with it.
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn();
        let mut group = Group(child.map_err(Stopped::NotStarted)?);
        let path = Utf8PathBuf::from_path_buf(output.path().to_owned()).map_err(|_| {
            Stopped::Error(io::Error::other("the temporary directory's path is not UTF-8").into())
        })?;
        let mut follower = Follower::at_start(path);
        let mut lines = Vec::new();
        let mut listen = |follower: &mut Follower| -> Result<(), Stopped> {
            loop {
                let new = follower.lines().map_err(Stopped::Error)?;
                if new.is_empty() {
                    return Ok(());
                }
                for line in &new {
                    on_line(line);
                }
                lines.extend(new);
                lines.drain(..lines.len().saturating_sub(KEPT));
            }
        };
        let deadline = Instant::now() + self.limit;
        let status = loop {
            let ended = group.wait(Instant::now() + LOOK).map_err(Stopped::Error)?;
            listen(&mut follower)?;
            if let Some(status) = ended {
                break status;
            }
            cancel.check().map_err(Stopped::Cancelled)?;
            if Instant::now() >= deadline {
                return Err(Stopped::TooSlow);
            }
        };
        lines.extend(follower.unfinished());
        Ok(Finished { status, lines })
    }
}

/// A child that leads a process group. Dropped, all of the group is ended.
struct Group(Child);

impl Group {
    fn wait(&mut self, deadline: Instant) -> Result<Option<ExitStatus>, Error> {
        if let Some(identity) = Identity::of(self.0.id())
            && let Some(handle) = Handle::open(&identity)?
            && !handle.wait(deadline)?
        {
            return Ok(None);
        }
        Ok(Some(self.0.wait()?))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let deadline = Instant::now() + LONGEST_END;
        // The leader's number stays the group's while one of the group lives, so it can be no other's.
        while process::group_lives(self.0.id()) && Instant::now() < deadline {
            if let Some(leader) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(leader, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Reaps the leader, if nobody has.
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(
        script: &str,
        limit: Duration,
        cancel: &Cancel,
    ) -> (Result<Finished, Stopped>, Vec<String>) {
        let env = Env::from_pairs([("PATH", "/usr/bin:/bin"), ("A", "1"), ("B", "2")]);
        let program = Program {
            path: "/bin/sh".into(),
            arguments: &["-c", script],
            env: &env,
            changes: &[("A", None), ("C", Some("3"))],
            limit,
        };
        let mut heard = Vec::new();
        let result = program.run(cancel, &mut |line| heard.push(line.to_owned()));
        (result, heard)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn it_is_heard_and_its_environment_is_as_said() {
        let (finished, heard) = run(
            "echo \"$A,$B,$C\"; echo err >&2; printf end; exit 3",
            LONG,
            &Cancel::new(),
        );
        let finished = finished.unwrap();
        assert_eq!(finished.status.code(), Some(3));
        assert_eq!(finished.lines, [",2,3", "err", "end"]);
        assert_eq!(heard, [",2,3", "err"]);
        assert_eq!(finished.tail(1), ["end"]);
    }

    #[test]
    fn silence_is_explained() {
        let (finished, _) = run("exit 4", LONG, &Cancel::new());
        assert_eq!(finished.unwrap().tail(5), ["it ended with exit status: 4"]);
        let (finished, _) = run("echo x; kill -SEGV $$", LONG, &Cancel::new());
        assert_eq!(
            finished.unwrap().tail(5),
            ["x", "it was ended by signal 11"]
        );
    }

    #[test]
    fn a_slow_one_is_ended_with_what_it_started() {
        let (stopped, heard) = run(
            "sleep 600 & echo $!; wait",
            Duration::from_millis(300),
            &Cancel::new(),
        );
        assert!(matches!(stopped, Err(Stopped::TooSlow)));
        assert_eq!(Identity::of(heard[0].parse().unwrap()), None);
    }

    #[test]
    fn a_cancelled_one_too_and_one_that_does_not_exist_never_starts() {
        let cancel = Cancel::new();
        cancel.cancel();
        assert!(matches!(
            run("sleep 600", LONG, &cancel).0,
            Err(Stopped::Cancelled(_))
        ));
        let env = Env::default();
        let missing = Program {
            path: "/no/such".into(),
            arguments: &[],
            env: &env,
            changes: &[],
            limit: LONG,
        };
        assert!(matches!(
            missing.run(&Cancel::new(), &mut |_| {}),
            Err(Stopped::NotStarted(_))
        ));
    }
}
