//! What in a workspace is ours, kept up to date by what changes a POC that is there.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::workspace::Prepared;

use crate::Error;
use crate::provision::foreign;

/// What in the workspace is not ours, or is not as `poc` wrote it.
pub(crate) struct Foreign(Vec<Utf8PathBuf>);

impl Foreign {
    pub(crate) fn find(prepared: &Prepared) -> io::Result<Self> {
        foreign::find(prepared).map(Self)
    }

    /// Whether that file, relative to the workspace, is among them by name.
    pub(crate) fn contains(&self, file: &Utf8Path) -> bool {
        self.0
            .binary_search_by(|path| path.as_path().cmp(file))
            .is_ok()
    }

    /// The part of it that lies in that kit, or is the kit as a whole.
    pub(crate) fn in_kit(&self, kit: &Utf8Path) -> Vec<Utf8PathBuf> {
        let inside = self.0.iter().filter(|path| path.starts_with(kit));
        inside.cloned().collect()
    }
}

/// Keeps the list of what `poc` wrote, after a change of it: without what is now gone, and with what is
/// new. All of that is relative to the workspace.
///
/// The list's own time says since when a file counts as changed by the user. It becomes now, so what
/// was changed before is taken off the list: it stays the user's.
pub(crate) fn update_manifest(
    prepared: &Prepared,
    foreign: &Foreign,
    gone: Option<&Utf8Path>,
    fresh: Vec<Utf8PathBuf>,
) -> Result<(), Error> {
    // A workspace that NVFlare made has none, and gets none: it would not list the rest.
    let Some(manifest) = &prepared.manifest else {
        return Ok(());
    };
    let mut manifest = manifest.clone();
    manifest
        .files
        .retain(|file| !gone.is_some_and(|gone| file.starts_with(gone)) && !foreign.contains(file));
    manifest.files.extend(fresh);
    manifest.files.sort_unstable();
    manifest.save(&prepared.workspace.manifest_file())?;
    Ok(())
}
