//! A participant more.

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::project::{Participant, Project, Role};
use poc_core::workspace::{Kit, Prepared, WorkspaceLock};
use poc_core::{Cancel, Listen, fsio};

use super::{aside, exists, line_unknown, relative, resting_place, save_project, save_start_all};
use crate::Error;
use crate::authority::state::State;
use crate::authority::{self, Authority, Held, Identity};
use crate::kit::{self, Signatures};
use crate::ours::{Foreign, update_manifest};
use crate::provision::build::{sign_kit, write_kit};
use crate::provision::plan::Plan;
use crate::provision::tree::Tree;
use crate::provision::{Request, unix_time};

/// Who is to take part in what.
#[derive(Clone, Debug)]
pub struct Addition<'a> {
    /// The POC, as loaded under the lock. Whether it runs does not matter.
    pub prepared: &'a Prepared,
    /// The newcomer: a site or an admin.
    pub participant: Participant,
    /// Whether one of that name may get a new key and a new kit. Whether it *runs* is the caller's to
    /// know.
    pub replace: bool,
    /// Asks for a stop.
    pub cancel: &'a Cancel,
}

/// A participant that has been added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// Its kit.
    pub kit: Kit,
    /// Whether there was one of that name, which this one has replaced.
    pub replaced: bool,
    /// Where the old kit is, if it held files of the user's.
    pub set_aside: Option<Utf8PathBuf>,
    /// When its certificate expires, RFC 3339.
    pub certificate_until: String,
}

/// Makes a kit for one more site or admin, with the POC's own certificate authority, and enters it in
/// project.yml and cert.json. The others' kits are not touched.
///
/// # Errors
///
/// [`poc_core::Error::ProjectImpossible`] for a name that cannot be, [`Error::ParticipantExists`],
/// [`Error::AuthorityUnusable`], [`Error::LineUnknown`], [`Error::Unsupported`],
/// [`Error::Cancelled`]: nothing is changed then. [`Error::Io`] and
/// [`Error::Crypto`], after which all is as it was as well, as far as the system lets it be put back.
pub fn add(addition: &Addition<'_>, _lock: &WorkspaceLock) -> Result<Added, Error> {
    let Addition {
        prepared,
        participant,
        replace,
        cancel,
    } = addition;
    let line = prepared.line.ok_or_else(|| line_unknown(prepared))?;
    let name = &participant.name;
    let target = prepared.prod_dir.join(name);
    let project = grown(prepared, participant, *replace, &target)?;
    let now = unix_time();
    let state_file = prepared.workspace.ca_file(&project.name);
    let mut state = State::load(&state_file)?;
    let authority = state.authority(now, line)?;
    let root = prepared.server_kit().startup().join("rootCA.pem");
    if !authority.is_same(&Held::from_pem(&fs_err::read(&root)?)?) {
        return Err(Error::AuthorityUnusable {
            path: state_file,
            reason: format!("the server trusts another one, that of {root}"),
            expired: false,
        });
    }
    let request = Request {
        line,
        listen: listen(prepared),
        flare_version: prepared
            .manifest
            .as_ref()
            .and_then(|manifest| manifest.flare_version.clone()),
        ..Request::new(&project, &prepared.workspace, cancel)
    };
    let plan = Plan::of(&request)?;

    let foreign = Foreign::find(prepared)?;
    let keep_old = !foreign.in_kit(&relative(prepared, &target)).is_empty();
    let mut keys = authority::generate(1, cancel, &mut |_| (), || Ok(()))?;
    let key = keys.pop().ok_or(Error::Cancelled)?;
    let identity = authority.issue(&plan.subject(participant), key, now)?;
    let aside = aside(prepared)?;
    let fresh = aside.join("new");
    let files = write(&fresh, &plan, participant, &identity, &authority)?;
    cancel.check()?;

    let before = fs_err::read(prepared.workspace.project_file())?;
    state.put(name, &identity)?;
    state.save()?;
    save_project(prepared, &project)?;
    let replaced = exists(&target);
    let old = resting_place(prepared, &aside, name, keep_old)?;
    if let Err(error) = move_in(&fresh, &target, &old) {
        // The participant stays unknown rather than without a kit. That cert.json has a certificate
        // for nobody does no harm.
        let _ = fsio::write_atomic(
            &prepared.workspace.project_file(),
            &before,
            kit::Access::Plain.mode(),
        );
        return Err(error);
    }
    save_start_all(prepared, &project, &foreign)?;
    let in_workspace = relative(prepared, &target);
    let files = files.iter().map(|file| in_workspace.join(file)).collect();
    update_manifest(prepared, &foreign, Some(&in_workspace), files)?;
    fsio::remove_tree(&aside)?;
    Ok(Added {
        kit: Kit {
            name: name.clone(),
            role: participant.role(),
            org: participant.org.clone(),
            dir: target,
        },
        replaced,
        set_aside: keep_old.then_some(old),
        certificate_until: authority::rfc3339(identity.not_after),
    })
}

/// The project with the newcomer in it, whose name is now known to be good.
fn grown(
    prepared: &Prepared,
    participant: &Participant,
    replace: bool,
    target: &Utf8Path,
) -> Result<Project, Error> {
    let mut project = prepared.project.clone();
    let taken = |what: &str, replaceable| Error::ParticipantExists {
        name: participant.name.clone(),
        what: what.to_owned(),
        replaceable,
    };
    match project.find(&participant.name) {
        Some(other) => {
            let same_kind = other.role() == participant.role()
                && *other != *project.project_admin()
                && other.role() != Role::Server;
            // One without a kit: an earlier run was interrupted, and this one goes on.
            let is_half = same_kind && !exists(target);
            if !(same_kind && (replace || is_half)) {
                let what = match other.role() {
                    Role::Server => "the server",
                    Role::Client => "a site",
                    Role::Admin if *other == *project.project_admin() => "the project admin",
                    Role::Admin => "an admin",
                    Role::Relay => "a relay",
                };
                return Err(taken(what, same_kind));
            }
            project.remove(&participant.name)?;
        }
        None if exists(target) && !replace => {
            // A name with a bad character is a bad name before it is a taken one.
            project.add(participant.clone())?;
            return Err(taken("a startup kit that project.yml does not name", true));
        }
        None => {}
    }
    project.add(participant.clone())?;
    Ok(project)
}

/// Where the server listens, which says how it is reached. NVFlare's own POC keeps no note of it but
/// `default_host`.
fn listen(prepared: &Prepared) -> Listen {
    let noted = prepared
        .manifest
        .as_ref()
        .and_then(|manifest| manifest.listen.parse().ok());
    noted.unwrap_or_else(|| {
        let server = prepared.project.server();
        let host = prepared.project.server_spec().default_host.clone();
        Listen::Address(host.unwrap_or_else(|| server.name.clone()))
    })
}

/// Writes the kit, durable, into a directory of its own; its files, relative to it.
fn write(
    directory: &Utf8Path,
    plan: &Plan<'_>,
    participant: &Participant,
    identity: &Identity,
    authority: &Authority,
) -> Result<Vec<Utf8PathBuf>, Error> {
    fsio::create_dir_private(directory)?;
    let mut tree = Tree::new(directory);
    for name in kit::DIRECTORIES {
        tree.directory(Utf8Path::new(name))?;
    }
    let mut files = kit::settings(&plan.federation, participant)?;
    let root_certificate = authority.certificate_pem()?;
    files.extend(kit::credentials(participant, identity, &root_certificate)?);
    let top = Utf8Path::new("");
    write_kit(&mut tree, top, files)?;
    sign_kit(
        &mut tree,
        top,
        plan,
        participant,
        &mut Signatures::of(authority),
    )?;
    tree.sync()?;
    Ok(tree.files())
}

/// Moves the new kit to its place; what is there goes to `old`.
fn move_in(fresh: &Utf8Path, target: &Utf8Path, old: &Utf8Path) -> Result<(), Error> {
    let replaces = exists(target);
    if replaces {
        fs_err::rename(target, old)?;
    }
    if let Err(error) = fs_err::rename(fresh, target) {
        if replaces {
            let _ = fs_err::rename(old, target);
        }
        return Err(error.into());
    }
    if let Some(prod) = target.parent() {
        fsio::sync_dir(prod)?;
    }
    Ok(())
}
