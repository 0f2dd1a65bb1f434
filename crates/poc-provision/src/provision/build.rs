//! Fills the new workspace, aside.

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::project::Participant;
use poc_core::workspace::{Manifest, Workspace};

use super::plan::Plan;
use super::tree::Tree;
use super::{Event, Request};
use crate::Error;
use crate::authority::state;
use crate::authority::{self, Authority, Identity};
use crate::kit::{self, Access, Signatures};

/// Where the kits of a new POC lie, below the project's directory.
pub(super) const PROD: &str = "prod_00";

/// What has been built.
pub(super) struct Built {
    /// When the first certificate expires, in seconds since 1970.
    pub(super) until: i64,
}

/// Builds the workspace in the empty directory `root`, complete and durable.
///
/// While the keys are made, which takes nearly all of the time, the caller's thread writes everything
/// that does not need them.
pub(super) fn build(
    request: &Request<'_>,
    plan: &Plan<'_>,
    kept: Option<Authority>,
    root: &Utf8Path,
    now: i64,
    events: &mut dyn FnMut(Event),
) -> Result<Built, Error> {
    let project = request.project;
    let participants = project.participants();
    let paths = Paths::of(request);
    let mut tree = Tree::new(root);

    let root_keys = usize::from(kept.is_none());
    let total = participants.len() + root_keys;
    let mut keys = authority::generate(
        total,
        request.cancel,
        &mut |done| events(Event::Keys { done, total }),
        || write_settings(request, plan, &paths, &mut tree),
    )?;

    let authority = if let Some(authority) = kept {
        authority
    } else {
        let key = keys.swap_remove(0);
        Authority::create(&project.name, key, now, plan.root_days)?
    };
    let root_certificate = authority.certificate_pem()?;
    let mut signatures = Signatures::of(&authority);
    let mut issued: Vec<(String, Identity)> = Vec::with_capacity(participants.len());
    for (participant, key) in participants.iter().zip(keys) {
        let subject = plan.subject(participant);
        let identity = authority.issue(&subject, key, now)?;
        let files = kit::credentials(participant, &identity, &root_certificate)?;
        let kit = paths.kit(participant);
        write_kit(&mut tree, &kit, files)?;
        sign_kit(&mut tree, &kit, plan, participant, &mut signatures)?;
        issued.push((subject.common_name, identity));
        events(Event::Kit {
            name: participant.name.clone(),
        });
    }
    let state = state::to_json(&authority, &issued)?;
    tree.file(&paths.state, state.as_bytes(), Access::Secret.mode())?;

    // Last: a workspace with a manifest is whole.
    let mut files = tree.files();
    files.push(paths.manifest.clone());
    files.sort_unstable();
    let manifest = manifest(request, plan, files);
    tree.file(
        &paths.manifest,
        manifest.to_json()?.as_bytes(),
        Access::Secret.mode(),
    )?;
    tree.sync()?;

    let until = issued
        .iter()
        .map(|(_, identity)| identity.not_after)
        .fold(authority.not_after(), i64::min);
    Ok(Built { until })
}

/// Everything but keys, certificates and what lists them.
fn write_settings(
    request: &Request<'_>,
    plan: &Plan<'_>,
    paths: &Paths,
    tree: &mut Tree,
) -> Result<(), Error> {
    // What NVFlare's `poc add-site` makes further kits from.
    let mut project = request.project.clone();
    project.set_default_host(&plan.federation.server_host);
    project.docker_network = network(plan);
    let project_yml = project.to_yaml(request.line);
    tree.file(&paths.project, project_yml.as_bytes(), Access::Plain.mode())?;
    for directory in [&paths.data, parent(&paths.manifest), parent(&paths.state)] {
        tree.directory(directory)?;
    }
    for participant in request.project.participants() {
        request.cancel.check()?;
        let kit = paths.kit(participant);
        for directory in kit::DIRECTORIES {
            match plan
                .transfer_link(participant)
                .filter(|_| directory == kit::TRANSFER)
            {
                Some(target) => tree.link(&kit.join(directory), target)?,
                None => tree.directory(&kit.join(directory))?,
            }
        }
        write_kit(tree, &kit, kit::settings(&plan.federation, participant)?)?;
    }
    if let Some(script) = kit::start_all(request.project, plan.federation.profile) {
        write_kit(tree, &paths.prod, vec![script])?;
    }
    tree.sync()?;
    Ok(())
}

/// Writes files of a kit that lies in the tree at `kit`.
pub(crate) fn write_kit(
    tree: &mut Tree,
    kit: &Utf8Path,
    files: Vec<kit::File>,
) -> Result<(), Error> {
    for file in files {
        tree.file(&kit.join(&file.path), &file.bytes, file.access.mode())?;
    }
    Ok(())
}

/// Signs what is in a kit, where its line asks for that. Everything else of it has been written.
pub(crate) fn sign_kit(
    tree: &mut Tree,
    kit: &Utf8Path,
    plan: &Plan<'_>,
    participant: &Participant,
    signatures: &mut Signatures<'_>,
) -> Result<(), Error> {
    for directory in plan.federation.signed(participant) {
        let files = tree.read_directory(&kit.join(directory))?;
        write_kit(tree, kit, vec![signatures.file(directory, &files)?])?;
    }
    Ok(())
}

fn manifest(request: &Request<'_>, plan: &Plan<'_>, files: Vec<Utf8PathBuf>) -> Manifest {
    Manifest {
        schema: Manifest::SCHEMA,
        poc_version: env!("CARGO_PKG_VERSION").to_owned(),
        line: request.line,
        flare_version: request.flare_version.clone(),
        files,
        listen: request.listen.to_string(),
        server_host: plan.federation.server_host.clone(),
        fed_learn_port: plan.federation.fed_learn_port,
        admin_port: plan.federation.admin_port,
        config_written: false,
        docker_image: request.project.docker_image.clone(),
        docker_network: network(plan),
        he: request.project.he,
    }
}

fn network(plan: &Plan<'_>) -> Option<String> {
    let containers = plan.federation.containers.as_ref();
    containers.map(|containers| containers.network.clone())
}

/// The workspace's paths, relative to it: it is built in one place and used in another.
struct Paths {
    project: Utf8PathBuf,
    data: Utf8PathBuf,
    prod: Utf8PathBuf,
    state: Utf8PathBuf,
    manifest: Utf8PathBuf,
}

impl Paths {
    fn of(request: &Request<'_>) -> Self {
        let here = Workspace::new("");
        let name = &request.project.name;
        Self {
            project: here.project_file(),
            data: here.data_dir(),
            prod: here.project_dir(name).join(PROD),
            state: here.ca_file(name),
            manifest: here.manifest_file(),
        }
    }

    fn kit(&self, participant: &Participant) -> Utf8PathBuf {
        self.prod.join(&participant.name)
    }
}

fn parent(path: &Utf8Path) -> &Utf8Path {
    path.parent().unwrap_or(Utf8Path::new(""))
}
