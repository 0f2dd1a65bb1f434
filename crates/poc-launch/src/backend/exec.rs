//! A process of its own for each participant: works always.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{Process, child};
use crate::plan::ParticipantPlan;

/// Starts a participant in exactly this environment, its output going to its console log.
pub(super) fn start(
    participant: &ParticipantPlan,
    environment: &[(OsString, OsString)],
) -> io::Result<Box<dyn Process>> {
    let Some((program, arguments)) = participant.argv.split_first() else {
        let message = "it was not started by poc, and its command is not known";
        return Err(io::Error::other(message));
    };
    // Appending, and straight to the file: several may write, none stands in between, and the
    // participant outlives its supervisor.
    let log = File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&participant.log)?;
    let handle = duct::cmd(program, arguments)
        .dir(&participant.directory)
        .full_env(environment.iter().cloned())
        .stdin_null()
        // duct applies what stands last first: the output goes to the file, the errors with it.
        .stderr_to_stdout()
        .stdout_file(log)
        .before_spawn(|command| {
            // Signals of the caller's terminal are not for it.
            command.process_group(0);
            Ok(())
        })
        .unchecked()
        .start()?;
    let pid = handle.pids().first().copied().unwrap_or_default();
    let group = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("the process has no number"))?;
    // A child keeps its number until it is reaped, so this is the right one even where it has
    // ended already.
    let pidfd = pidfd_open(group, PidfdFlags::empty())?;
    Ok(Box::new(Child {
        pid,
        group,
        pidfd,
        handle,
    }))
}

struct Child {
    pid: u32,
    group: Pid,
    pidfd: OwnedFd,
    handle: duct::Handle,
}

impl Process for Child {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn ended_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    fn signal(&self, kill: bool) -> io::Result<()> {
        child::signal(self.group, &self.pidfd, kill)
    }

    fn ended(&mut self) -> io::Result<Option<String>> {
        Ok(self
            .handle
            .try_wait()?
            .map(|output| child::words(output.status)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use camino::Utf8Path;
    use poc_core::project::Role;
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    fn shell(dir: &Utf8Path, script: &str) -> ParticipantPlan {
        let mut plan = ParticipantPlan::foreign("site-1", Role::Client, dir);
        plan.argv = ["/bin/sh", "-c", script].map(str::to_owned).into();
        plan
    }

    fn wait(process: &mut dyn Process) -> String {
        let begun = Instant::now();
        loop {
            if let Some(status) = process.ended().unwrap() {
                return status;
            }
            assert!(begun.elapsed().as_secs() < 20);
            let mut fds = [PollFd::from_borrowed_fd(process.ended_fd(), PollFlags::IN)];
            poll(&mut fds, None).unwrap();
        }
    }

    fn with_dir(check: impl FnOnce(&Utf8Path)) {
        let dir = tempfile::tempdir().unwrap();
        check(Utf8Path::from_path(dir.path()).unwrap());
    }

    #[test]
    fn it_runs_where_and_with_what_the_plan_says_and_appends_to_its_log() {
        with_dir(|dir| {
            let plan = shell(dir, "pwd; env; cat; echo err >&2; exit 3");
            fs_err::write(&plan.log, "earlier\n").unwrap();
            let environment = [("ONLY".into(), "this".into())];
            let mut process = start(&plan, &environment).unwrap();
            assert_eq!(wait(process.as_mut()), "exit status 3");
            let log = fs_err::read_to_string(&plan.log).unwrap();
            assert!(
                log.starts_with("earlier\n") && log.ends_with("err\n"),
                "{log}"
            );
            assert!(log.contains("ONLY=this") && !log.contains("CARGO"), "{log}");
        });
    }

    #[test]
    fn a_signal_reaches_the_whole_group_even_when_it_is_halted() {
        with_dir(|dir| {
            let plan = shell(dir, "sleep 600 & echo $!; kill -STOP $$; wait");
            let mut process = start(&plan, &[]).unwrap();
            let halted = || {
                let stat = procfs::process::Process::new(i32::try_from(process.pid()).unwrap());
                stat.and_then(|it| it.stat())
                    .is_ok_and(|it| it.state == 'T')
            };
            let begun = Instant::now();
            while !halted() {
                assert!(begun.elapsed().as_secs() < 20);
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            process.signal(false).unwrap();
            assert_eq!(wait(process.as_mut()), "signal 15 (SIGTERM)");
            let log = fs_err::read_to_string(&plan.log).unwrap();
            let background: u32 = log.trim().parse().unwrap();
            let begun = Instant::now();
            while crate::process::Identity::of(background).is_some() {
                assert!(begun.elapsed().as_secs() < 20);
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            // Reaped and gone: a further signal finds nobody, which is fine.
            process.signal(true).unwrap();
        });
    }

    #[test]
    fn what_cannot_be_started_says_why() {
        with_dir(|dir| {
            let mut plan = shell(dir, "");
            plan.argv[0] = "/no/such/python".to_owned();
            let error = start(&plan, &[]).err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            let foreign = ParticipantPlan::foreign("site-1", Role::Client, dir);
            assert!(start(&foreign, &[]).is_err());
        });
    }
}
