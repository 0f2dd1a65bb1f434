use std::{
    ffi::OsStr,
    os::unix::fs::FileTypeExt as _,
    thread,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::{Pid, Signal};

use crate::decoys::DECOY;

/// A live process of a test's world.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its ID.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// Its command line.
    pub command: String,
}

/// The processes that name `root` in their environment, command line or working directory: those
/// that a test in that directory started, and those that these started, whatever session or group
/// they moved to. A zombie is none: it holds nothing, and its parent may be in no hurry; and
/// [decoys](crate::Decoys) are strangers.
pub fn processes_of(root: &Utf8Path) -> Vec<Process> {
    let Ok(all) = procfs::process::all_processes() else {
        return Vec::new();
    };
    let myself = std::process::id();
    all.filter_map(Result::ok)
        .filter(|process| u32::try_from(process.pid).is_ok_and(|pid| pid != myself))
        .filter_map(|process| {
            let words = process.cmdline().unwrap_or_default();
            let environment = process.environ().unwrap_or_default();
            let named = words.iter().any(|word| word.contains(root.as_str()))
                || process
                    .cwd()
                    .is_ok_and(|directory| directory.starts_with(root))
                || environment
                    .values()
                    .any(|value| value.to_string_lossy().contains(root.as_str()));
            let named = named && !environment.contains_key(OsStr::new(DECOY));
            let stat = named.then(|| process.stat().ok()).flatten()?;
            (!matches!(stat.state, 'Z' | 'X')).then(|| Process {
                pid: stat.pid.unsigned_abs(),
                parent: stat.ppid.unsigned_abs(),
                command: if words.is_empty() {
                    format!("[{}]", stat.comm)
                } else {
                    words.join(" ")
                },
            })
        })
        .collect()
}

/// Ends every process of the world `root`, those included that are born meanwhile. What is done last
/// is not to be given up.
pub(crate) fn kill_all(root: &Utf8Path) {
    let start = Instant::now();
    loop {
        let left = processes_of(root);
        if left.is_empty() {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "what a test left does not die: {left:?}"
        );
        for process in &left {
            let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
            if let Some(pid) = pid {
                // It may be gone by now, which is what is wanted.
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The pid files and sockets under `directory`.
pub(crate) fn runtime_files(directory: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = directory.read_dir_utf8() else {
        return found;
    };
    for entry in entries.filter_map(Result::ok) {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            found.extend(runtime_files(entry.path()));
        } else if kind.is_socket() || entry.path().extension() == Some("fl") {
            found.push(entry.into_path());
        }
    }
    found
}
