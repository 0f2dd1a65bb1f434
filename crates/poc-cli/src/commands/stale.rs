//! Pid files that meant nothing any more, in words: those of one crash in one line.

use camino::{Utf8Path, Utf8PathBuf};
use poc_launch::LaunchEvent;
use poc_launch::process::pid_file::Stale;

use crate::output::Progress;

/// Gathers what comes in a row, until something else happens.
#[derive(Debug, Default)]
pub(crate) struct StaleFiles {
    /// Of processes that are gone, with their process IDs.
    gone: Vec<(Utf8PathBuf, Option<u32>)>,
}

impl StaleFiles {
    /// Keeps the event if it is about a process that is gone. Any other ends the row, and is to be
    /// shown after it.
    pub(crate) fn keeps(&mut self, progress: &Progress<'_>, event: &LaunchEvent) -> bool {
        if let LaunchEvent::StaleRemoved {
            file,
            pid,
            reason: Stale::Gone,
        } = event
        {
            self.gone.push((file.clone(), *pid));
            return true;
        }
        self.tell(progress);
        false
    }

    /// Tells what was gathered.
    pub(crate) fn tell(&mut self, progress: &Progress<'_>) {
        if let Some(text) = told(&std::mem::take(&mut self.gone)) {
            progress.note(&text);
        }
    }
}

fn told(gone: &[(Utf8PathBuf, Option<u32>)]) -> Option<String> {
    match gone {
        [] => None,
        [(file, pid)] => Some(stale(file, *pid, Stale::Gone)),
        several => {
            let files: Vec<String> = several
                .iter()
                .map(|(file, pid)| match pid {
                    Some(pid) => format!("{file} ({pid})"),
                    None => file.to_string(),
                })
                .collect();
            let number = files.len();
            let files = files.join(", ");
            Some(format!(
                "removed {number} stale pid files, whose processes are gone: {files}"
            ))
        }
    }
}

/// One such file.
pub(crate) fn stale(file: &Utf8Path, pid: Option<u32>, reason: Stale) -> String {
    let pid = pid
        .map(|pid| format!("process {pid}: "))
        .unwrap_or_default();
    format!("removed a stale {file} ({pid}{reason})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_of_one_crash_are_one_line() {
        let file = |name: &str, pid| (Utf8PathBuf::from(name), pid);
        let all = [
            file("/k/pid.fl", Some(7)),
            file("/k/daemon_pid.fl", Some(8)),
        ];
        assert_eq!(told(&[]), None);
        insta::assert_snapshot!(told(&all[..1]).unwrap(), @"removed a stale /k/pid.fl (process 7: the process is gone)");
        insta::assert_snapshot!(told(&all).unwrap(), @"removed 2 stale pid files, whose processes are gone: /k/pid.fl (7), /k/daemon_pid.fl (8)");
    }
}
