//! What a supervisor leaves for the next one, should it be killed: which processes are whose.

use std::collections::BTreeMap;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::workspace::Workspace;
use serde::{Deserialize, Serialize};

use crate::process::Identity;

/// `.poc/state.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The supervisor that wrote this.
    pub(crate) supervisor: Option<Identity>,
    /// Processes by participant.
    pub(crate) participants: BTreeMap<String, Recorded>,
}

/// One participant's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// The process.
    pub(crate) identity: Identity,
    /// Automatic restarts so far.
    pub(crate) restarts: u32,
    /// Whether it was up, or registered.
    pub(crate) ready: bool,
}

impl Record {
    /// Reads the record; one that is missing or damaged is an empty one, and is not trusted further
    /// than the identities in it are alive.
    pub(crate) fn load(workspace: &Workspace) -> Self {
        fs_err::read(path(workspace))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    pub(crate) fn save(&self, workspace: &Workspace) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        replace(&path(workspace), &text, 0o600)
    }

    pub(crate) fn remove(workspace: &Workspace) {
        // Gone with the workspace, perhaps.
        let _ = fs_err::remove_file(path(workspace));
    }

    /// The identities, for judging pid files.
    pub(crate) fn identities(&self) -> Vec<Identity> {
        let processes = self.participants.values().map(|it| it.identity.clone());
        processes.chain(self.supervisor.clone()).collect()
    }
}

fn path(workspace: &Workspace) -> Utf8PathBuf {
    workspace.poc_dir().join("state.json")
}

/// Replaces a file at once for every reader, without waiting for the disk: what it says is about
/// processes, and does not outlive a power cut any more than they do.
pub(crate) fn replace(path: &Utf8Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = path.parent().unwrap_or(Utf8Path::new("/"));
    let mut file = tempfile::Builder::new()
        .prefix(".poc-")
        .permissions(std::fs::Permissions::from_mode(mode))
        .tempfile_in(directory)?;
    io::Write::write_all(&mut file, bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_what_is_damaged_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let workspace = Workspace::new(root);
        fs_err::create_dir(workspace.poc_dir()).unwrap();
        assert_eq!(Record::load(&workspace), Record::default());
        let identity = Identity::of_this_process().unwrap();
        let recorded = Recorded {
            identity: identity.clone(),
            restarts: 2,
            ready: true,
        };
        let record = Record {
            supervisor: None,
            participants: [("site-1".to_owned(), recorded)].into(),
        };
        record.save(&workspace).unwrap();
        assert_eq!(Record::load(&workspace), record);
        assert_eq!(record.identities(), [identity]);
        fs_err::write(path(&workspace), "{\"supervisor\": ").unwrap();
        assert_eq!(Record::load(&workspace), Record::default());
        Record::remove(&workspace);
        Record::remove(&workspace);
    }
}
