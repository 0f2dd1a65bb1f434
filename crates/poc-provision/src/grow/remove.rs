//! A participant less.

use camino::Utf8PathBuf;
use poc_core::project::{Participant, Role};
use poc_core::workspace::{Prepared, WorkspaceLock};
use poc_core::{fsio, nearest};

use super::{aside, exists, relative, resting_place, save_project, save_start_all};
use crate::Error;
use crate::authority::state::State;
use crate::ours::{Foreign, update_manifest};

/// A participant that has been removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Who.
    pub name: String,
    /// What it was.
    pub role: Role,
    /// Where its kit is, if it held files of the user's.
    pub set_aside: Option<Utf8PathBuf>,
    /// Studies that it was part of, in project.yml. The server's own list of studies is not changed.
    pub studies: Vec<String>,
}

/// What a removal would take.
struct Departure {
    participant: Participant,
    foreign: Foreign,
    /// The files in the kit that are the user's.
    files: Vec<Utf8PathBuf>,
}

/// Checks that a participant can be removed, and changes nothing: for who has to stop it first.
///
/// # Errors
///
/// Those of [`remove`] that leave all as it is.
pub fn check_removal(prepared: &Prepared, name: &str, set_aside: bool) -> Result<(), Error> {
    Departure::of(prepared, name, set_aside).map(drop)
}

impl Departure {
    fn of(prepared: &Prepared, name: &str, set_aside: bool) -> Result<Self, Error> {
        let project = &prepared.project;
        let Some(participant) = project.find(name).cloned() else {
            let names = project.participants().iter().map(|it| it.name.as_str());
            return Err(Error::NoSuchParticipant {
                name: name.to_owned(),
                project: project.name.clone(),
                nearest: nearest(name, names).map(str::to_owned),
            });
        };
        for (indispensable, what) in [
            (project.server(), "its server"),
            (project.project_admin(), "its project admin"),
        ] {
            if participant == *indispensable {
                return Err(Error::Indispensable {
                    name: name.to_owned(),
                    what,
                });
            }
        }
        let foreign = Foreign::find(prepared)?;
        let files = foreign.in_kit(&relative(prepared, &prepared.prod_dir.join(name)));
        if !files.is_empty() && !set_aside {
            return Err(Error::KitInUse {
                name: name.to_owned(),
                files,
            });
        }
        Ok(Self {
            participant,
            foreign,
            files,
        })
    }
}

/// Takes a site or an admin out of a POC: out of project.yml and cert.json, with its kit.
///
/// Whether it *runs* is the caller's to know. A kit with files that `poc` did not write (job results,
/// edited settings) is set aside where `set_aside` is given. Its certificate stays valid until it
/// expires: NVFlare cannot revoke one.
///
/// # Errors
///
/// [`Error::NoSuchParticipant`]; [`Error::Indispensable`] for the server and the project admin;
/// [`Error::KitInUse`] without `set_aside`; nothing is changed
/// then. [`Error::Io`], after which the command can be run again and goes on.
pub fn remove(
    prepared: &Prepared,
    name: &str,
    set_aside: bool,
    _lock: &WorkspaceLock,
) -> Result<Removed, Error> {
    let Departure {
        participant,
        foreign,
        files,
    } = Departure::of(prepared, name, set_aside)?;
    let mut project = prepared.project.clone();
    let studies = project.studies.iter();
    let studies = studies
        .filter(|(_, study)| {
            let sites = study.site_orgs.values().flatten();
            sites.chain(&study.admins).any(|member| member == name)
        })
        .map(|(study, _)| study.clone())
        .collect();
    project.remove(name)?;

    let kit = prepared.prod_dir.join(name);
    let in_workspace = relative(prepared, &kit);
    let state_file = prepared.workspace.ca_file(&project.name);
    // A state that does not read keeps nobody: there is nothing to take out of it.
    let state = State::load(&state_file).ok();

    let keep = !files.is_empty();
    let aside = aside(prepared)?;
    let old = resting_place(prepared, &aside, name, keep)?;
    let has_kit = exists(&kit);
    if has_kit {
        fs_err::rename(&kit, &old)?;
        fsio::sync_dir(&prepared.prod_dir)?;
    }
    if let Err(error) = save_project(prepared, &project) {
        if has_kit {
            let _ = fs_err::rename(&old, &kit);
        }
        return Err(error);
    }
    if let Some(mut state) = state {
        state.remove(name);
        state.save()?;
    }
    save_start_all(prepared, &project, &foreign)?;
    update_manifest(prepared, &foreign, Some(&in_workspace), Vec::new())?;
    fsio::remove_tree(&aside)?;
    Ok(Removed {
        name: name.to_owned(),
        role: participant.role(),
        set_aside: keep.then_some(old),
        studies,
    })
}
