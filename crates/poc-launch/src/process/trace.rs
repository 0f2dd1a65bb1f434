//! What the processes of this user say of the POCs that they belong to, whichever these are.

use std::path::PathBuf;

use camino::{Utf8Path, Utf8PathBuf};
use procfs::process::Process;

use super::identity::{all, arguments, directory, is_over};
use super::sweep::cookie_of;
use super::{Identity, Kind, recognise};
use crate::Error;

/// A process with an instance's cookie, or with a command line that names a kit or a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The cookie in its environment.
    pub(crate) cookie: Option<String>,
    /// What its command line says that it is, and the kit (or, for a supervisor, the workspace).
    pub(crate) claim: Option<(Kind, Utf8PathBuf)>,
}

impl Trace {
    /// The workspace that it belongs to, where its command line tells: kits lie in
    /// `WORKSPACE/PROJECT/prod_NN`. Kits that lie elsewhere are nobody's proof of concept.
    pub(crate) fn workspace(&self) -> Option<&Utf8Path> {
        let (kind, place) = self.claim.as_ref()?;
        if *kind == Kind::Supervisor {
            return Some(place);
        }
        let prod = place.parent()?;
        let number = prod.file_name()?.strip_prefix("prod_")?;
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| prod.parent()?.parent()).flatten()
    }
}

/// Every such process of this user but this one. Those that see other files than this process does (in
/// a container) are left out: what their paths mean cannot be told from here, nor whether a supervisor
/// keeps them there.
///
/// # Errors
///
/// [`Error::Io`] where /proc cannot be read.
pub(crate) fn traces() -> Result<Vec<Trace>, Error> {
    let uid = rustix::process::geteuid().as_raw();
    let here = mounts("self");
    let mine = all()?.filter(|process| {
        process.uid().ok() == Some(uid)
            && u32::try_from(process.pid).is_ok_and(|pid| pid != std::process::id())
            && mounts(process.pid) == here
    });
    Ok(mine.filter_map(|process| trace(&process)).collect())
}

fn trace(process: &Process) -> Option<Trace> {
    let stat = process.stat().ok().filter(|stat| !is_over(stat))?;
    Identity::from_stat(&stat)?;
    let arguments = arguments(process);
    let claim = recognise::claim(&arguments);
    let claim = claim.and_then(|claim| {
        let place = recognise::resolve(&claim, directory(process).as_deref())?;
        Some((claim.kind, place))
    });
    let cookie = cookie_of(process).filter(|cookie| !cookie.is_empty());
    (claim.is_some() || cookie.is_some()).then_some(Trace { cookie, claim })
}

/// Which mount namespace a process is in.
fn mounts(pid: impl std::fmt::Display) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kits_tell_their_workspace_where_they_lie_as_in_a_poc() {
        for (kind, place, workspace) in [
            (Kind::Client, "/w/p/prod_00/site-1", Some("/w")),
            (Kind::Console, "/a b/w/p/prod_12/a@x.y", Some("/a b/w")),
            (Kind::Supervisor, "/w", Some("/w")),
            (Kind::Server, "/opt/nvflare/server", None),
            (Kind::Server, "/opt/prod_/server", None),
            (Kind::Server, "/opt/prod_0x/server", None),
            (Kind::Server, "/prod_00/server", None),
        ] {
            let trace = Trace {
                cookie: None,
                claim: Some((kind, place.into())),
            };
            assert_eq!(trace.workspace(), workspace.map(Utf8Path::new), "{place}");
        }
        let without = Trace {
            cookie: Some("x".to_owned()),
            claim: None,
        };
        assert_eq!(without.workspace(), None);
    }
}
