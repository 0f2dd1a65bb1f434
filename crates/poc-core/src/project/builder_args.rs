//! The arguments of builders, as NVFlare's classes take them (`nvflare/lighter/impl/`).

use super::builder::BuilderKind;
use super::fields::{Fields, Notes};
use crate::yaml::Value;

/// NVFlare's schemes that need nothing beyond the package.
pub(super) const SCHEMES: [&str; 3] = ["http", "grpc", "tcp"];

/// A root that outlives everybody is a typing error.
const MOST_ROOT_DAYS: i64 = 36_500;

/// What the builder of the static files makes something of, or did in some line.
const STATIC_FILE: [&str; 9] = [
    "app_validator",
    "components",
    "config_folder",
    "docker_image",
    "download_job_url",
    "overseer_agent",
    "require_signed_jobs",
    "scheme",
    "snapshot_persistor",
];

/// Notes what is wrong with a builder's arguments. They stay as they are.
pub(super) fn check(kind: BuilderKind, args: &Fields, notes: &mut Notes) {
    for argument in args.keys() {
        let place = args.place.key(argument);
        if !kind.takes(argument) {
            let path = kind.path();
            notes.fault(place, format!("NVFlare's `{path}` takes no `{argument}`"));
        } else if kind == BuilderKind::StaticFile && !STATIC_FILE.contains(&argument) {
            notes.warn(place, "this builder has no such argument; it has no effect");
        }
    }
    match kind {
        BuilderKind::StaticFile => static_file(args, notes),
        BuilderKind::Cert => {
            if let Some(days) = args.get("root_valid_days")
                && !matches!(days, Value::Int(1..=MOST_ROOT_DAYS))
            {
                notes.fault(
                    args.place.key("root_valid_days"),
                    format!("a number of days from 1 on is expected, to {MOST_ROOT_DAYS}"),
                );
            }
        }
        BuilderKind::Workspace
        | BuilderKind::Template
        | BuilderKind::He
        | BuilderKind::Signature => {}
    }
}

fn static_file(args: &Fields, notes: &mut Notes) {
    if let Some(scheme) = args.get("scheme") {
        let known = scheme
            .as_text()
            .is_some_and(|scheme| SCHEMES.contains(&scheme.trim().to_lowercase().as_str()));
        if !known {
            notes.fault(
                args.place.key("scheme"),
                format!("not one of {}", SCHEMES.join(", ")),
            );
        }
    }
    if let Some(folder) = args.get("config_folder")
        && folder.as_text() != Some("config")
    {
        notes.fault(
            args.place.key("config_folder"),
            "only `config` is supported, which is where NVFlare's jobs have their configuration",
        );
    }
    if let Some(required) = args.get("require_signed_jobs")
        && !matches!(required, Value::Bool(_))
    {
        notes.fault(
            args.place.key("require_signed_jobs"),
            "neither true nor false",
        );
    }
    if let Some(Value::Map(agent)) = args.get("overseer_agent")
        && agent.get("overseer_exists") != Some(&Value::Bool(false))
    {
        notes.warn(
            args.place.key("overseer_agent"),
            "poc runs no overseer: sites find the server by its address",
        );
    }
}
