//! The identity of a POC: a cookie in the environment of everything that it starts.

use std::io;

use camino::Utf8PathBuf;
use poc_core::workspace::Workspace;

use super::driver::replace;
use crate::Error;
use crate::process::{Found, Kind, boot_id};

/// The variable that says which participant a process belongs to, beside the cookie.
pub(crate) const PARTICIPANT: &str = "POC_PARTICIPANT";

/// The cookie of the workspace's POC, where something was ever started in this boot.
pub(crate) fn load(workspace: &Workspace) -> Option<String> {
    let text = fs_err::read_to_string(workspace.instance_file()).ok()?;
    let mut lines = text.lines();
    let (cookie, boot) = (lines.next()?, lines.next()?);
    // Processes of an earlier boot are gone, and so is the use of their cookie.
    (!cookie.is_empty() && boot_id().is_ok_and(|now| now == boot)).then(|| cookie.to_owned())
}

/// The same, made where there is none. It stays the same as long as anything may carry it.
///
/// # Errors
///
/// [`Error::Io`].
pub(crate) fn load_or_create(workspace: &Workspace) -> Result<String, Error> {
    if let Some(cookie) = load(workspace) {
        return Ok(cookie);
    }
    let cookie = procfs::sys::kernel::random::uuid().map_err(io::Error::other)?;
    let cookie = cookie.trim().to_owned();
    let text = format!("{cookie}\n{}\n", boot_id()?);
    replace(&workspace.instance_file(), text.as_bytes(), 0o600)?;
    Ok(cookie)
}

/// Of the processes of a workspace, those of one participant: by its kit, by what its environment
/// says, or because one of these is its parent. Consoles, supervisors and helpers are nobody's.
pub(crate) fn of_participant(
    found: Vec<Found>,
    kit: Option<&Utf8PathBuf>,
    name: &str,
) -> Vec<Found> {
    let mut its: Vec<Found> = Vec::new();
    for found in found {
        let wanted = !matches!(
            found.kind,
            Kind::Console | Kind::Supervisor | Kind::AdminHelper
        );
        let by_kit = found.kit.is_some() && found.kit.as_ref() == kit;
        let parent = found.identity.parent();
        let by_parent = || its.iter().any(|one| parent == Some(one.identity.pid));
        if wanted && (by_kit || found.identity.has_variable(PARTICIPANT, name) || by_parent()) {
            its.push(found);
        }
    }
    its
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;

    #[test]
    fn the_cookie_stays_until_the_boot_changes() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(Utf8Path::from_path(dir.path()).unwrap());
        fs_err::create_dir(workspace.poc_dir()).unwrap();
        assert_eq!(load(&workspace), None);
        let cookie = load_or_create(&workspace).unwrap();
        assert_eq!(cookie.len(), 36);
        assert_eq!(load_or_create(&workspace).unwrap(), cookie);
        assert_eq!(load(&workspace), Some(cookie.clone()));
        fs_err::write(
            workspace.instance_file(),
            format!("{cookie}\nanother boot\n"),
        )
        .unwrap();
        assert_eq!(load(&workspace), None);
        assert_ne!(load_or_create(&workspace).unwrap(), cookie);
    }
}
