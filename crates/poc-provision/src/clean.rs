//! Removing a workspace.

use std::time::Duration;

use camino::Utf8PathBuf;
use poc_core::fsio;
use poc_core::workspace::{Recognised, Workspace, WorkspaceLock};

use crate::Error;

/// What was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// Whether there was anything to remove.
    pub removed: bool,
    /// An earlier workspace with files of the user's, which is left where it is.
    pub previous: Option<Utf8PathBuf>,
}

/// Removes a workspace, if it is one. Its links are removed, not what they lead to.
///
/// Whether it is running is the caller's to know. `lock` is the workspace's lock where the caller has
/// it already; otherwise it is taken here. An interruption leaves what can still be recognised and
/// cleaned.
///
/// # Errors
///
/// [`poc_core::Error::Foreign`] where it is no POC, [`poc_core::Error::Busy`] where another process has
/// the lock, [`Error::Io`] with the path at which it stopped.
pub fn clean(workspace: &Workspace, lock: Option<&WorkspaceLock>) -> Result<Cleaned, Error> {
    let root = workspace.root();
    let removed = match workspace.recognise()? {
        Recognised::Absent | Recognised::Empty => false,
        Recognised::Foreign { reason } => {
            return Err(poc_core::Error::Foreign {
                workspace: root.to_owned(),
                reason,
            }
            .into());
        }
        Recognised::Poc(_) | Recognised::Broken { .. } => {
            let _own = lock
                .is_none()
                .then(|| workspace.lock(Duration::ZERO))
                .transpose()?;
            // What it is recognised by goes last.
            let project = workspace.project_file();
            let names = fsio::entries(root)?;
            for name in names
                .iter()
                .filter(|name| Some(name.as_str()) != project.file_name())
            {
                fsio::remove_tree(&root.join(name))?;
            }
            fsio::remove_tree(&project)?;
            // A mount point stays, empty; so does a directory that cannot be removed from the one above.
            let _ = fs_err::remove_dir(root);
            true
        }
    };
    let previous = Some(workspace.previous()).filter(|previous| previous.is_dir());
    Ok(Cleaned { removed, previous })
}
