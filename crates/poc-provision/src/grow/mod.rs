//! Growing and shrinking a POC that is prepared, running or not: one participant more or less, with
//! the certificate authority that is there.
//!
//! What others have is not touched, so whoever runs goes on running. A kit is written aside and moved
//! in whole. An interruption leaves, at worst, a participant that project.yml names and that has no
//! kit: the same command, run again, then goes on from there.

mod add;
mod remove;

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::fsio;
use poc_core::project::Project;
use poc_core::workspace::Prepared;

pub use add::{Added, Addition, add};
pub use remove::{Removed, check_removal, remove};

use crate::Error;
use crate::kit::{self, Access};
use crate::line::Profile;
use crate::ours::Foreign;

/// Where a kit is built, and where one waits to be removed that holds nothing of the user's: in the
/// workspace, so that it can be renamed from and to its place, and where no tool of NVFlare looks.
fn aside(prepared: &Prepared) -> Result<Utf8PathBuf, Error> {
    let aside = prepared.workspace.poc_dir().join("aside");
    // What an interrupted run left.
    fsio::remove_tree(&aside)?;
    fsio::create_dir_private(&aside)?;
    Ok(aside)
}

/// A kit as the manifest names it.
fn relative(prepared: &Prepared, kit: &Utf8Path) -> Utf8PathBuf {
    kit.strip_prefix(prepared.workspace.root())
        .unwrap_or(kit)
        .to_owned()
}

/// Writes project.yml anew.
fn save_project(prepared: &Prepared, project: &Project) -> Result<(), Error> {
    let line = prepared.line.ok_or_else(|| line_unknown(prepared))?;
    let text = project.to_yaml(line);
    let file = prepared.workspace.project_file();
    Ok(fsio::write_atomic(
        &file,
        text.as_bytes(),
        Access::Plain.mode(),
    )?)
}

/// Writes the script anew that starts all, where the line has one and the user has not changed it.
fn save_start_all(prepared: &Prepared, project: &Project, foreign: &Foreign) -> Result<(), Error> {
    let line = prepared.line.ok_or_else(|| line_unknown(prepared))?;
    let Some(script) = kit::start_all(project, Profile::of(line)) else {
        return Ok(());
    };
    let file = prepared.prod_dir.join(&script.path);
    if !file.is_file() || foreign.contains(&relative(prepared, &file)) {
        return Ok(());
    }
    Ok(fsio::write_atomic(
        &file,
        &script.bytes,
        script.access.mode(),
    )?)
}

fn line_unknown(prepared: &Prepared) -> Error {
    Error::LineUnknown {
        workspace: prepared.workspace.root().to_owned(),
    }
}

/// Where an old kit goes: to be removed; or, where it holds files of the user's, to stay as
/// `<project>/removed/NAME`, with a number where that is taken.
fn resting_place(
    prepared: &Prepared,
    aside: &Utf8Path,
    name: &str,
    keep: bool,
) -> io::Result<Utf8PathBuf> {
    if !keep {
        return Ok(aside.join("old"));
    }
    let project = prepared.workspace.project_dir(&prepared.project.name);
    let directory = project.join("removed");
    fsio::create_dir_private(&directory)?;
    let numbered =
        std::iter::once(name.to_owned()).chain((2..).map(|n: u32| format!("{name}.{n}")));
    numbered
        .map(|name| directory.join(name))
        .find(|path| !exists(path))
        .ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}

fn exists(path: &Utf8Path) -> bool {
    path.symlink_metadata().is_ok()
}
