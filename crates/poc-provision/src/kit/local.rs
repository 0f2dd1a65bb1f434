//! `local/`: what the operator of a site may change. A file without `.default` wins over the one with it.

use poc_core::project::Client;
use serde_json::{Map, Value, json};

use super::{Federation, File};
use crate::{Error, json};

const RESOURCES: &str = "local/resources.json";
const RESOURCES_DEFAULT: &str = "local/resources.json.default";

/// The server's. Its storage of jobs and snapshots lies in the workspace, by an active
/// `resources.json` as NVFlare's own POC has it: in the default it would lie in `/tmp/nvflare`, where
/// all POCs of a machine would share it.
pub(super) fn server(federation: &Federation<'_>) -> Result<Vec<File>, Error> {
    let mut resources = document(federation.profile.server_resources)?;
    allow_classes(&mut resources, federation);
    let mut files = vec![File::plain(RESOURCES_DEFAULT, json::to_ascii(&resources)?)];

    let storage = |name: &str| Value::from(federation.workspace.join(name).into_string());
    if let Some(root) = resources.pointer_mut("/snapshot_persistor/args/storage/args/root_dir") {
        *root = storage("snapshot-storage");
    }
    if let Some(root) = component(&mut resources, "job_manager")
        .and_then(|manager| manager.pointer_mut("/args/uri_root"))
    {
        *root = storage("jobs-storage");
    }
    files.push(File::plain(RESOURCES, json::to_ascii(&resources)?));
    files.extend(policies(federation));

    let studies = &federation.project.studies;
    if !studies.is_empty() {
        let studies: Map<String, Value> = studies
            .iter()
            .map(|(name, study)| {
                (
                    name.clone(),
                    json!({ "site_orgs": study.site_orgs, "admins": study.admins }),
                )
            })
            .collect();
        let registry = json!({ "format_version": "1.0", "studies": studies });
        files.push(File::plain(
            "local/study_registry.json",
            json::to_ascii(&registry)?,
        ));
    }
    Ok(files)
}

/// A site's, with what its resource manager may promise to jobs.
pub(super) fn client(federation: &Federation<'_>, client: &Client) -> Result<Vec<File>, Error> {
    let mut resources = document(federation.profile.client_resources)?;
    allow_classes(&mut resources, federation);
    if let Some(capacity) = client.capacity
        && let Some(arguments) = component(&mut resources, "resource_manager")
            .and_then(|manager| manager.get_mut("args"))
    {
        arguments["num_of_gpus"] = capacity.num_of_gpus.into();
        arguments["mem_per_gpu_in_GiB"] = capacity.mem_per_gpu_in_gib.into();
    }
    let general = |key| match federation.project.extra.get(key) {
        Some(poc_core::project::Value::Bool(value)) => Some(*value),
        _ => None,
    };
    let allow = client
        .allow_log_streaming
        .or_else(|| general("allow_log_streaming"));
    if let Some(allow) = allow
        && let Some(field) = resources.get_mut("allow_log_streaming")
    {
        *field = allow.into();
    }
    let allow = client
        .allow_error_sending
        .or_else(|| general("allow_error_sending"));
    if allow != Some(true)
        && let Some(components) = resources
            .get_mut("components")
            .and_then(Value::as_array_mut)
    {
        components.retain(|component| component["id"] != "error_log_sender");
    }
    let mut files = vec![File::plain(RESOURCES_DEFAULT, json::to_ascii(&resources)?)];
    files.extend(policies(federation));
    Ok(files)
}

/// An admin's.
pub(super) fn admin(federation: &Federation<'_>) -> Option<File> {
    let resources = federation.profile.admin_resources?;
    Some(File::plain(RESOURCES_DEFAULT, resources))
}

/// What server and sites have alike: logging, who may do what, an example of privacy rules.
fn policies(federation: &Federation<'_>) -> [File; 3] {
    let profile = federation.profile;
    let file = |name: &str, text: &str| File::plain(format!("local/{name}"), text);
    [
        file(profile.log_config_name, profile.log_config),
        file("authorization.json.default", profile.authorization),
        file("privacy.json.sample", profile.privacy_sample),
    ]
}

fn document(text: &str) -> Result<Value, Error> {
    Ok(serde_json::from_str(text)?)
}

fn allow_classes(resources: &mut Value, federation: &Federation<'_>) {
    if let Some(list) = resources.get_mut("class_allow_list") {
        *list = federation.profile.class_allow_list.lines().collect();
    }
}

fn component<'a>(resources: &'a mut Value, id: &str) -> Option<&'a mut Value> {
    resources
        .get_mut("components")?
        .as_array_mut()?
        .iter_mut()
        .find(|component| component["id"] == id)
}
