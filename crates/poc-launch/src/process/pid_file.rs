//! `pid.fl` and `daemon_pid.fl`: what other tools read, and what `poc` never takes on trust.
//!
//! The files hold a number and a line end. That number is a claim; whether a process of this kit
//! stands behind it is found out by [`judge`].

use std::fmt;
use std::io;

use camino::Utf8Path;
use poc_core::fsio;

use super::{Identity, Kind, Scope};
use crate::Error;

/// The largest number that Linux hands out as a process ID (2^22).
const LARGEST_PID: u32 = 4_194_304;

/// What a pid file says about the present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// There is no such file.
    Absent,
    /// The process lives and belongs to the kit.
    Ours {
        /// The process.
        identity: Identity,
        /// Its part; `None` for one that was known by its identity alone.
        kind: Option<Kind>,
    },
    /// The file is left over.
    Stale {
        /// The number in it, where there is one.
        pid: Option<u32>,
        /// How that is known.
        reason: Stale,
    },
}

/// Why a pid file means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// It holds no process ID.
    Garbage,
    /// There is no such process.
    Gone,
    /// The process ID belongs to something else by now.
    Reused,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Garbage => "it holds no process ID",
            Self::Gone => "the process is gone",
            Self::Reused => "its process ID belongs to another process now",
        })
    }
}

/// Writes a process ID, so that a reader finds the whole number or the old one.
///
/// # Errors
///
/// [`Error::Io`], with the path.
pub fn write(path: &Utf8Path, pid: u32) -> Result<(), Error> {
    // Readable for all, as NVFlare's scripts leave it: the number is no secret.
    Ok(fsio::write_atomic(
        path,
        format!("{pid}\n").as_bytes(),
        0o644,
    )?)
}

/// Removes the file; one that is not there is as good.
///
/// # Errors
///
/// [`Error::Io`], with the path.
pub fn remove(path: &Utf8Path) -> Result<(), Error> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// What the file says now.
///
/// `known` are processes that the caller knows to be of this kit (the supervisor's own records):
/// one of them is recognised by its identity. Any other must be recognised by `scope` as a part of
/// this kit: its kit is the directory that the file lies in, or it is the workspace's supervisor.
///
/// # Errors
///
/// [`Error::Io`] where the file is there and cannot be read.
pub fn judge(path: &Utf8Path, known: &[Identity], scope: &Scope) -> Result<Judgement, Error> {
    let text = match fs_err::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Judgement::Absent),
        Err(error) => return Err(error.into()),
    };
    let Some(pid) = parse(&text) else {
        return Ok(Judgement::Stale {
            pid: None,
            reason: Stale::Garbage,
        });
    };
    let Some(identity) = Identity::of(pid) else {
        return Ok(Judgement::Stale {
            pid: Some(pid),
            reason: Stale::Gone,
        });
    };
    if known.contains(&identity) {
        return Ok(Judgement::Ours {
            identity,
            kind: None,
        });
    }
    let kit = path.parent();
    match scope.recognise(&identity) {
        Some(found) if found.kind == Kind::Supervisor || found.kit.as_deref() == kit => {
            Ok(Judgement::Ours {
                identity,
                kind: Some(found.kind),
            })
        }
        _ => Ok(Judgement::Stale {
            pid: Some(pid),
            reason: Stale::Reused,
        }),
    }
}

/// The process ID in the text of a pid file.
fn parse(text: &str) -> Option<u32> {
    let digits = text.trim();
    // `parse` alone would take a sign as well.
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(())?;
    digits
        .parse()
        .ok()
        .filter(|pid| (1..=LARGEST_PID).contains(pid))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use camino::Utf8PathBuf;
    use proptest::prelude::*;

    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().join("pid.fl");
        fs_err::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn what_is_not_there_is_absent_and_what_is_no_number_is_garbage() {
        let (dir, path) = file("");
        for text in [
            "",
            "\n",
            "abc",
            "-1",
            "+1",
            "0",
            "1 2",
            "99999999999999",
            "4194305",
            "\u{661}",
        ] {
            fs_err::write(&path, text).unwrap();
            let judged = judge(&path, &[], &Scope::default()).unwrap();
            assert_eq!(
                judged,
                Judgement::Stale {
                    pid: None,
                    reason: Stale::Garbage
                },
                "{text:?}"
            );
        }
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(
            judge(&path, &[], &Scope::default()).unwrap(),
            Judgement::Absent
        );
        drop(dir);
    }

    #[test]
    fn a_living_process_counts_only_when_it_is_recognised() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let (_dir, path) = file("");
        write(&path, child.id()).unwrap();
        let identity = Identity::of(child.id()).unwrap();
        let earlier = Identity {
            start_time: identity.start_time - 1,
            ..identity.clone()
        };
        let reused = Judgement::Stale {
            pid: Some(child.id()),
            reason: Stale::Reused,
        };
        assert_eq!(judge(&path, &[], &Scope::default()).unwrap(), reused);
        assert_eq!(judge(&path, &[earlier], &Scope::default()).unwrap(), reused);
        let ours = Judgement::Ours {
            identity: identity.clone(),
            kind: None,
        };
        assert_eq!(
            judge(&path, std::slice::from_ref(&identity), &Scope::default()).unwrap(),
            ours
        );
        child.kill().unwrap();
        child.wait().unwrap();
        let gone = Judgement::Stale {
            pid: Some(child.id()),
            reason: Stale::Gone,
        };
        assert_eq!(judge(&path, &[identity], &Scope::default()).unwrap(), gone);
    }

    #[test]
    fn a_process_of_another_kit_does_not_stand_behind_this_file() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let kits: Vec<_> = ["site-1", "site-2"].map(|name| dir.join(name)).into();
        for kit in &kits {
            fs_err::create_dir_all(kit.join("startup")).unwrap();
            fs_err::write(kit.join("startup/sub_start.sh"), "read _\n").unwrap();
        }
        let mut child = Command::new("sh")
            .arg(kits[0].join("startup/sub_start.sh"))
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let scope = Scope {
            workspace: dir.to_owned(),
            kits: kits.clone(),
            cookie: None,
        };
        let verdict = |kit: &Utf8Path| {
            let path = kit.join("daemon_pid.fl");
            write(&path, child.id()).unwrap();
            judge(&path, &[], &scope).unwrap()
        };
        assert!(matches!(
            verdict(&kits[0]),
            Judgement::Ours {
                kind: Some(Kind::Watchdog),
                ..
            }
        ));
        assert!(matches!(
            verdict(&kits[1]),
            Judgement::Stale {
                reason: Stale::Reused,
                ..
            }
        ));
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pid in 1..=LARGEST_PID) {
            prop_assert_eq!(parse(&format!("{pid}\n")), Some(pid));
        }

        #[test]
        fn no_text_is_too_odd(text in ".{0,20}") {
            if let Some(pid) = parse(&text) {
                prop_assert_eq!(text.trim().trim_start_matches('0'), pid.to_string());
            }
        }
    }
}
