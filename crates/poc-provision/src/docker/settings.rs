//! What NVFlare has to know to run jobs in containers.

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::docker;
use poc_core::project::{Kind, Participant};
use serde_json::{Map, Value, json};

use super::{Containers, StudyFile};
use crate::kit::{Federation, File};
use crate::{Error, json};

const RESOURCES: &str = "local/resources.json";
const RESOURCES_DEFAULT: &str = "local/resources.json.default";
const FED_CLIENT: &str = "startup/fed_client.json";

/// Components that start jobs as processes, and those that count GPUs for them: GPUs are Docker's
/// business now.
const REPLACED: [&str; 3] = ["process_launcher", "resource_manager", "resource_consumer"];

/// Paths as they are in the container, jobs being its own processes.
pub(super) fn one_container(files: &mut Vec<File>) -> Result<(), Error> {
    files.retain(|file| file.path != RESOURCES);
    for file in files
        .iter_mut()
        .filter(|file| file.path == RESOURCES_DEFAULT)
    {
        let mut resources: Value = serde_json::from_slice(&file.bytes)?;
        store_in_kit(&mut resources, docker::OLD_KIT_MOUNT);
        file.bytes = json::to_ascii(&resources)?;
    }
    Ok(())
}

/// Another launcher of jobs, and paths as they are in the container.
pub(super) fn job_containers(
    containers: &Containers,
    federation: &Federation<'_>,
    participant: &Participant,
    files: &mut Vec<File>,
) -> Result<(), Error> {
    // The server's has the paths of this machine; in the container the default is right.
    files.retain(|file| file.path != RESOURCES);
    for file in files {
        if file.path == RESOURCES_DEFAULT {
            let mut resources: Value = serde_json::from_slice(&file.bytes)?;
            launch_in_containers(&mut resources, containers, participant);
            store_in_kit(&mut resources, docker::KIT_MOUNT);
            file.bytes = json::to_ascii(&resources)?;
        } else if file.path == FED_CLIENT
            && let Kind::Client(client) = &participant.kind
            && client.connect_to.is_none()
        {
            let mut role: Value = serde_json::from_slice(&file.bytes)?;
            if let Some(target) = role.pointer_mut("/servers/0/service/target") {
                let server = &federation.project.server().name;
                *target = format!("{server}:{}", federation.fed_learn_port).into();
            }
            file.bytes = json::to_ascii(&role)?;
        }
    }
    Ok(())
}

fn launch_in_containers(resources: &mut Value, containers: &Containers, participant: &Participant) {
    let role = match participant.kind {
        Kind::Server(_) => "Server",
        Kind::Client(_) | Kind::Admin(_) | Kind::Relay(_) => "Client",
    };
    let labels: Map<String, Value> =
        docker::labels(&containers.network, &participant.name, docker::JOB)
            .into_iter()
            .map(|(label, value)| (label.to_owned(), value.into()))
            .collect();
    if let Some(components) = resources
        .get_mut("components")
        .and_then(Value::as_array_mut)
    {
        components.retain(|component| {
            let id = component["id"].as_str().unwrap_or_default();
            !REPLACED.contains(&id)
        });
        components.push(json!({
            "id": "resource_manager",
            "path": "nvflare.app_common.resource_managers.passthrough_resource_manager.PassthroughResourceManager",
            "args": {},
        }));
        components.push(json!({
            "id": "docker_launcher",
            "path": format!("nvflare.app_opt.job_launcher.docker_launcher.{role}DockerJobLauncher"),
            "args": {
                "network": containers.network,
                "default_python_path": "python3",
                // By its labels a job's container is known as this POC's.
                "default_job_container_kwargs": { "labels": labels },
                "default_job_env": {},
            },
        }));
    }
}

/// The server's storage, in its kit: that is what a container leaves on this machine.
fn store_in_kit(resources: &mut Value, mount: &str) {
    let place = |name: &str| Value::from(Utf8Path::new(mount).join(name).into_string());
    if let Some(root) = resources.pointer_mut("/snapshot_persistor/args/storage/args/root_dir") {
        *root = place("snapshot-storage");
    }
    let components = resources
        .get_mut("components")
        .and_then(Value::as_array_mut);
    for component in components.into_iter().flatten() {
        if component["id"] == "job_manager" {
            component["args"]["uri_root"] = place("jobs-storage");
        }
    }
}

/// How jobs reach their participant: over the network of the containers.
pub(super) fn internal(security: &str) -> Result<File, Error> {
    let config = json!({
        "allow_adhoc_conns": false,
        "backbone_conn_gen": 2,
        "internal": {
            "scheme": "tcp",
            "resources": { "host": "0.0.0.0", "connection_security": security },
        },
    });
    Ok(File::plain(
        "local/comm_config.json",
        json::to_ascii(&config)?,
    ))
}

/// What jobs of the study `default` get: the workspace's `data`, and where the line can the image.
pub(super) fn study(containers: &Containers, federation: &Federation<'_>, file: StudyFile) -> File {
    let data: Utf8PathBuf = federation.workspace.join("data");
    // JSON is YAML.
    let (source, image) = (json!(data), json!(containers.image));
    match file {
        StudyFile::Data => File::plain(
            "local/study_data.yaml",
            format!("default:\n  poc:\n    source: {source}\n    mode: rw\n"),
        ),
        StudyFile::Runtime => File::plain(
            "local/study_runtime.yaml",
            format!(
                "format_version: 2\n\
                 studies:\n\
                 \x20 default:\n\
                 \x20   # For jobs that name no image of their own.\n\
                 \x20   container:\n\
                 \x20     image: {image}\n\
                 \x20   datasets:\n\
                 \x20     poc:\n\
                 \x20       source: {source}\n\
                 \x20       mode: rw\n"
            ),
        ),
    }
}
