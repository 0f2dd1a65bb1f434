//! Making a POC: plan, look, build aside, swap, tidy up.

pub(crate) mod build;
pub(crate) mod foreign;
mod place;
pub(crate) mod plan;
mod request;
pub(crate) mod tree;

use std::os::unix::fs::MetadataExt;
use std::time::{SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::fsio;
use poc_core::workspace::{Kit, Prepared, Recognised, Workspace, WorkspaceLock};

pub use request::{Event, Provisioned, Request};

use self::place::Place;
use self::plan::Plan;
use crate::Error;
use crate::authority::state::State;
use crate::authority::{self, Authority};

/// Makes the startup kits of a project, with a new certificate authority, in a workspace.
///
/// `lock` is the workspace's lock; take it with [`Workspace::lock_create`]. It covers the new
/// workspace as well when this returns.
///
/// Everything that can be checked is checked before anything is made. The new workspace is built aside
/// and swapped in as a whole: after an error, and after a stop that was asked for, the old one is as it
/// was and nothing is left of the new one. Whether the old one is *running* is the caller's to know.
///
/// # Errors
///
/// [`Error`] says which of them leave what.
pub fn provision(
    request: &Request<'_>,
    lock: &mut WorkspaceLock,
    events: &mut dyn FnMut(Event),
) -> Result<Provisioned, Error> {
    let now = unix_time();
    request.cancel.check()?;
    let plan = Plan::of(request)?;

    let root = request.workspace.root();
    refuse_another_users(root)?;
    let place = Place::of(root)?;
    recover(&place, lock, events)?;

    let existing = Existing::look(request, &place)?;
    let kept = existing.authority(request, now)?;
    for warning in &plan.warnings {
        events(Event::Warning(warning.clone()));
    }
    if let Some(authority) = &kept {
        events(Event::KeptAuthority {
            until: authority::rfc3339(authority.not_after()),
        });
    }

    let staging = place.stage()?;
    if staging.becomes_the_workspace() {
        lock.also(staging.root())?;
    }
    let built = build::build(request, &plan, kept, staging.root(), now, events)?;
    request.cancel.check()?;
    staging.install()?;
    events(Event::Swapped);

    let previous = retire(&place, existing.is_worth_keeping(), events);
    let prod_dir = request
        .workspace
        .project_dir(&request.project.name)
        .join(build::PROD);
    Ok(Provisioned {
        kits: kits(request, &prod_dir),
        prod_dir,
        certificates_until: authority::rfc3339(built.until),
        previous,
        foreign_files: existing.foreign,
        fed_learn_port: plan.federation.fed_learn_port,
        admin_port: plan.federation.admin_port,
        server_host: plan.federation.server_host,
        listens: plan.listens,
    })
}

fn kits(request: &Request<'_>, prod_dir: &Utf8Path) -> Vec<Kit> {
    let kit = |participant: &poc_core::project::Participant| Kit {
        name: participant.name.clone(),
        role: participant.role(),
        org: participant.org.clone(),
        dir: prod_dir.join(&participant.name),
    };
    request.project.participants().iter().map(kit).collect()
}

/// What is to be replaced.
struct Existing {
    poc: Option<Box<Prepared>>,
    /// It is a POC, but cannot be read: what in it is the user's cannot be told.
    is_broken: bool,
    foreign: Vec<Utf8PathBuf>,
}

impl Existing {
    /// Finds out what is there, and whether it may go.
    fn look(request: &Request<'_>, place: &Place) -> Result<Self, Error> {
        let root = request.workspace.root();
        let mut existing = Self {
            poc: None,
            is_broken: false,
            foreign: Vec::new(),
        };
        match request.workspace.recognise()? {
            Recognised::Absent | Recognised::Empty => return Ok(existing),
            Recognised::Foreign { reason } => {
                return Err(poc_core::Error::Foreign {
                    workspace: root.to_owned(),
                    reason,
                }
                .into());
            }
            Recognised::Broken { .. } => existing.is_broken = true,
            Recognised::Poc(prepared) => existing.poc = Some(prepared),
        }
        if let Some(input) = request.input.filter(|input| lies_in(input, root)) {
            return Err(Error::InputInside {
                input: input.to_owned(),
                workspace: root.to_owned(),
            });
        }
        if !request.replace {
            return Err(Error::Exists {
                workspace: root.to_owned(),
            });
        }
        if let Some(poc) = &existing.poc {
            existing.foreign = foreign::find(poc)?;
            existing.foreign.retain(|path| !place.is_own(path));
        }
        if existing.is_worth_keeping() {
            refuse_to_overwrite(&place.previous())?;
        }
        Ok(existing)
    }

    fn is_worth_keeping(&self) -> bool {
        self.is_broken || !self.foreign.is_empty()
    }

    /// The authority that is to go on, if one is.
    fn authority(&self, request: &Request<'_>, now: i64) -> Result<Option<Authority>, Error> {
        if !request.keep_ca {
            return Ok(None);
        }
        match &self.poc {
            Some(poc) => State::load(&request.workspace.ca_file(&poc.project.name))?
                .authority(now, request.line)
                .map(Some),
            None => Err(Error::AuthorityUnusable {
                path: request.workspace.root().to_owned(),
                reason: "there is no POC with one".to_owned(),
                expired: false,
            }),
        }
    }
}

/// Puts in order what an interrupted run left.
fn recover(
    place: &Place,
    lock: &mut WorkspaceLock,
    events: &mut dyn FnMut(Event),
) -> Result<(), Error> {
    let old = place.old_root();
    if old.is_dir() {
        // It may become the workspace again.
        lock.also(&old)?;
    }
    if let Some(what) = place.recover()? {
        events(Event::Recovered {
            what: what.to_owned(),
        });
    }
    if old.is_dir() {
        let keep = match Workspace::new(&old).recognise()? {
            Recognised::Poc(prepared) => !foreign::find(&prepared)?.is_empty(),
            Recognised::Absent | Recognised::Empty => false,
            Recognised::Broken { .. } | Recognised::Foreign { .. } => true,
        };
        if keep {
            refuse_to_overwrite(&place.previous())?;
        }
        retire(place, keep, events);
    }
    Ok(())
}

/// Removes the old workspace, or keeps it. The new one is in place, so what goes wrong here is said
/// and undoes nothing.
fn retire(place: &Place, keep: bool, events: &mut dyn FnMut(Event)) -> Option<Utf8PathBuf> {
    let old = place.old_root();
    let previous = place.previous();
    let outcome = if keep {
        fsio::remove_tree(&previous).and_then(|()| fs_err::rename(&old, &previous))
    } else {
        fsio::remove_tree(&old)
    };
    match outcome {
        Ok(()) if keep => {
            events(Event::KeptPrevious {
                path: previous.clone(),
            });
            Some(previous)
        }
        Ok(()) => None,
        Err(error) => {
            let what = if keep {
                "kept under its name"
            } else {
                "removed wholly"
            };
            events(Event::Warning(format!(
                "the old workspace could not be {what}, it is in {old}: {error}"
            )));
            keep.then_some(old)
        }
    }
}

/// What is kept is kept once: the one before it goes. But only if it is one.
fn refuse_to_overwrite(previous: &Utf8Path) -> Result<(), Error> {
    let reason = match Workspace::new(previous).recognise()? {
        Recognised::Absent | Recognised::Empty | Recognised::Poc(_) | Recognised::Broken { .. } => {
            return Ok(());
        }
        Recognised::Foreign { reason } => reason,
    };
    Err(Error::PreviousInTheWay {
        path: previous.to_owned(),
        reason,
    })
}

/// An empty directory of another user's is fine if it can be written to; a POC of another's is not.
fn refuse_another_users(root: &Utf8Path) -> Result<(), Error> {
    let owner = fs_err::metadata(root)?.uid();
    if owner == rustix::process::geteuid().as_raw() || place::is_empty(root)? {
        return Ok(());
    }
    Err(Error::OtherOwner {
        path: root.to_owned(),
        owner,
    })
}

/// Whether the file lies in the directory, links resolved.
fn lies_in(file: &Utf8Path, directory: &Utf8Path) -> bool {
    match (fs_err::canonicalize(file), fs_err::canonicalize(directory)) {
        (Ok(file), Ok(directory)) => file.starts_with(directory),
        _ => file.starts_with(directory),
    }
}

/// Seconds since 1970.
pub(crate) fn unix_time() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
