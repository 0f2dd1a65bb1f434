//! From kits, runtime and GPUs to a plan.

use std::collections::BTreeMap;

use camino::Utf8Path;
use poc_core::Line;
use poc_core::env::Env;
use poc_core::gpu_offer::GpuOffer;
use poc_core::project::Role;
use poc_core::workspace::{Kit, Prepared};

use super::{
    AdminPlan, LaunchPlan, ParticipantPlan, RestartPolicy, Spawn, container, environment, quoting,
};
use crate::Error;
use crate::runtime::Runtime;

/// The GPUs of one site, as plain values: whoever dealt them is no business of this crate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteGpus {
    /// Indices or UUIDs, for people and for JSON.
    pub ids: Vec<String>,
    /// What makes the process see these GPUs and no other.
    pub environment: Vec<(String, String)>,
    /// Inherited variables that would say otherwise.
    pub unset: Vec<String>,
    /// What the site offers to jobs that ask for GPUs; a site without one offers none.
    pub offer: GpuOffer,
}

/// What a plan is built from.
#[derive(Clone, Copy, Debug)]
pub struct PlanRequest<'a> {
    /// The prepared POC.
    pub prepared: &'a Prepared,
    /// The Python that runs the participants.
    pub runtime: &'a Runtime,
    /// The server and sites to start, by name.
    pub selected: &'a [String],
    /// GPUs by site; a site that is missing here inherits what the environment says.
    pub gpus: &'a BTreeMap<String, SiteGpus>,
    /// The environment that participants inherit.
    pub env: &'a Env,
    /// Which back end.
    pub spawn: Spawn,
}

/// Builds the launch plan. Looks at the kits' directories and starts nothing.
///
/// # Errors
///
/// [`Error::RuntimeMismatch`] where the kits are for another line of NVFlare than the runtime has,
/// [`Error::UnknownParticipant`] for a name that is no server or site, [`Error::KitMissing`] for one
/// whose kit is not there, [`Error::DockerUnavailable`] where the kits are for containers and no daemon
/// answers.
pub fn build(request: &PlanRequest<'_>) -> Result<LaunchPlan, Error> {
    let PlanRequest {
        prepared, runtime, ..
    } = *request;
    check_line(prepared, runtime)?;
    let kits = startable_kits(prepared);
    if let Some(unknown) = request
        .selected
        .iter()
        .find(|name| kits.iter().all(|kit| kit.name != **name))
    {
        if let Some(kit) = services(prepared)
            .into_iter()
            .find(|it| it.name == *unknown)
        {
            return Err(Error::KitMissing {
                prod_dir: prepared.prod_dir.clone(),
                replaceable: kit.role == Role::Client,
                name: kit.name,
            });
        }
        return Err(Error::UnknownParticipant {
            name: unknown.clone(),
            known: kits.into_iter().map(|kit| kit.name).collect(),
        });
    }
    let containers = container::containers(request)?;
    let boxes = containers
        .as_ref()
        .map(|containers| container::Command::new(request, containers))
        .transpose()?;
    let participants = kits
        .iter()
        .filter(|kit| request.selected.contains(&kit.name))
        .map(|kit| match &boxes {
            Some(boxes) => boxes.participant(kit),
            None => participant(request, kit),
        })
        .collect();
    let (server_address, admin_address) = addresses(prepared);
    Ok(LaunchPlan {
        workspace: prepared.workspace.root().to_owned(),
        project: prepared.project.name.clone(),
        server_address,
        admin_address,
        python: runtime.python.clone(),
        flare_version: runtime.flare_version.to_string(),
        admin: admin(prepared),
        containers,
        participants,
    })
}

/// The FLARE console of an admin, to be run in the foreground with the terminal's own stdio. Its
/// log path is where a console log would lie; a console writes to its terminal.
///
/// # Errors
///
/// [`Error::RuntimeMismatch`], as for [`build`].
pub fn console(
    prepared: &Prepared,
    kit: &Kit,
    runtime: &Runtime,
    study: Option<&str>,
    debug: bool,
    env: &Env,
) -> Result<ParticipantPlan, Error> {
    check_line(prepared, runtime)?;
    let mut argv: Vec<String> = [
        runtime.python.as_str(),
        "-m",
        "nvflare.fuel.hci.tools.admin",
        "-m",
        kit.dir.as_str(),
        "-s",
        "fed_admin.json",
    ]
    .map(str::to_owned)
    .into();
    if debug {
        argv.push("--with_debug".to_owned());
    }
    if let Some(study) = study {
        argv.extend(["--study".to_owned(), study.to_owned()]);
    }
    Ok(ParticipantPlan {
        name: kit.name.clone(),
        role: Role::Admin,
        argv,
        environment: environment::set(env, &runtime.python),
        unset: environment::unset(),
        directory: kit.dir.clone(),
        log: kit.console_log(),
        gpus: Vec::new(),
        offer: None,
        spawn: Spawn::Exec,
        container: None,
        restart: RestartPolicy::NEVER,
    })
}

/// The kits that run in the background, as far as they are there.
fn startable_kits(prepared: &Prepared) -> Vec<Kit> {
    let mut kits = services(prepared);
    kits.retain(|kit| kit.dir.is_dir());
    kits
}

/// The kits of all that run in the background, there or not: the server first, then relays and sites
/// in the project's order.
pub(crate) fn services(prepared: &Prepared) -> Vec<Kit> {
    let mut kits: Vec<Kit> = prepared
        .all_kits()
        .into_iter()
        .filter(|kit| kit.role != Role::Admin)
        .collect();
    // Stable: relays, and sites, keep their order.
    kits.sort_by_key(|kit| match kit.role {
        Role::Server => 0,
        Role::Relay => 1,
        Role::Client | Role::Admin => 2,
    });
    kits
}

/// Where sites and admins connect.
pub(crate) fn addresses(prepared: &Prepared) -> (String, String) {
    let project = &prepared.project;
    let (host, fed_learn, admin) = match &prepared.manifest {
        Some(manifest) => (
            manifest.server_host.clone(),
            manifest.fed_learn_port,
            manifest.admin_port,
        ),
        None => (
            project
                .server_spec()
                .default_host
                .clone()
                .unwrap_or_else(|| project.server().name.clone()),
            project.fed_learn_port(),
            project.admin_port(prepared.line.unwrap_or(Line::NEWEST)),
        ),
    };
    (format!("{host}:{fed_learn}"), format!("{host}:{admin}"))
}

pub(crate) fn admin(prepared: &Prepared) -> Option<AdminPlan> {
    let kit = prepared.project_admin_kit();
    kit.dir.is_dir().then_some(AdminPlan {
        user: kit.name,
        kit: kit.dir,
    })
}

fn check_line(prepared: &Prepared, runtime: &Runtime) -> Result<(), Error> {
    match prepared.line {
        Some(kits) if kits != runtime.line => Err(Error::RuntimeMismatch {
            kits,
            runtime: runtime.flare_version.clone(),
            python: runtime.python.clone(),
        }),
        _ => Ok(()),
    }
}

fn participant(request: &PlanRequest<'_>, kit: &Kit) -> ParticipantPlan {
    let python = &request.runtime.python;
    let mut environment = environment::set(request.env, python);
    let gpus = request.gpus.get(&kit.name).cloned().unwrap_or_default();
    environment.extend(gpus.environment);
    let mut unset = environment::unset();
    unset.extend(gpus.unset);
    ParticipantPlan {
        name: kit.name.clone(),
        role: kit.role,
        argv: argv(python, kit),
        environment,
        unset,
        directory: kit.dir.clone(),
        log: kit.console_log(),
        gpus: gpus.ids,
        offer: (kit.role == Role::Client && offers_gpus(request.runtime.line))
            .then_some(gpus.offer),
        spawn: request.spawn,
        container: None,
        restart: RestartPolicy::default(),
    }
}

/// Whether a site can offer just the GPUs that it sees. Up to NVFlare 2.8 its resource manager hands out
/// 0, 1, … whatever `CUDA_VISIBLE_DEVICES` says, so that two sites' jobs would meet on GPU 0.
pub const fn offers_gpus(line: Line) -> bool {
    matches!(line, Line::V2_9)
}

/// The command of NVFlare's own start script, with the runtime's Python in place of whichever
/// `python3` comes first. Each word is a word of its own, so a path may hold spaces; that NVFlare
/// does not lose them later is [`quoting`]'s business.
fn argv(python: &Utf8Path, kit: &Kit) -> Vec<String> {
    let mut argv = vec![python.to_string(), "-u".to_owned()];
    argv.extend(quoting::words(python, &kit.dir));
    argv.extend(module(kit, kit.dir.as_str()));
    argv
}

/// The module that a participant runs, and its arguments, its kit lying in `directory`.
pub(super) fn module(kit: &Kit, directory: &str) -> Vec<String> {
    let (module, file) = match kit.role {
        Role::Server => (
            "nvflare.private.fed.app.server.server_train",
            "fed_server.json",
        ),
        Role::Relay => ("nvflare.private.fed.app.relay.relay", "fed_relay.json"),
        Role::Client | Role::Admin => (
            "nvflare.private.fed.app.client.client_train",
            "fed_client.json",
        ),
    };
    let mut argv: Vec<String> = [
        "-m",
        module,
        "-m",
        directory,
        "-s",
        file,
        "--set",
        "secure_train=true",
    ]
    .map(str::to_owned)
    .into();
    if kit.role != Role::Server {
        argv.push(format!("uid={}", kit.name));
    }
    argv.push(format!("org={}", kit.org));
    argv.push("config_folder=config".to_owned());
    argv
}

#[cfg(test)]
mod tests {
    use super::*;

    use camino::Utf8PathBuf;

    fn kit(name: &str, role: Role) -> Kit {
        Kit {
            name: name.to_owned(),
            role,
            org: "nvidia".to_owned(),
            dir: Utf8PathBuf::from("/srv/poc/example_project/prod_00").join(name),
        }
    }

    #[test]
    fn command_lines_are_those_of_the_start_scripts() {
        let python = Utf8Path::new("/venv/bin/python3");
        let server = argv(python, &kit("server", Role::Server));
        insta::assert_snapshot!(server.join("|"), @"/venv/bin/python3|-u|-m|nvflare.private.fed.app.server.server_train|-m|/srv/poc/example_project/prod_00/server|-s|fed_server.json|--set|secure_train=true|org=nvidia|config_folder=config");
        let site = argv(python, &kit("site-1", Role::Client));
        insta::assert_snapshot!(site.join("|"), @"/venv/bin/python3|-u|-m|nvflare.private.fed.app.client.client_train|-m|/srv/poc/example_project/prod_00/site-1|-s|fed_client.json|--set|secure_train=true|uid=site-1|org=nvidia|config_folder=config");
        let relay = argv(python, &kit("r1", Role::Relay));
        insta::assert_snapshot!(relay.join("|"), @"/venv/bin/python3|-u|-m|nvflare.private.fed.app.relay.relay|-m|/srv/poc/example_project/prod_00/r1|-s|fed_relay.json|--set|secure_train=true|uid=r1|org=nvidia|config_folder=config");
    }
}
