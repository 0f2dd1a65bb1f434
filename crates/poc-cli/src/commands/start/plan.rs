//! From names and GPUs to a launch plan.

use std::collections::BTreeMap;

use poc_core::settings::Settings;
use poc_core::workspace::Prepared;
use poc_gpu::Request;
use poc_launch::plan::{self, LaunchPlan, PlanRequest, SiteGpus};
use poc_launch::runtime::{self, Runtime};

use super::ServiceArgs;
use crate::commands::gpus;
use crate::context::Context;
use crate::error::CliError;
use crate::selection::Selection;

/// The Python for kits that are there already.
///
/// # Errors
///
/// When there is none, with how to get one.
pub(crate) fn find_runtime(
    context: &Context,
    settings: &Settings,
    prepared: &Prepared,
) -> Result<Runtime, CliError> {
    let data_dir = runtime::managed::data_dir(&context.env)?;
    let found = runtime::find(
        prepared.line,
        settings.python.as_ref(),
        &context.env,
        &data_dir,
    )?;
    context.printer.debug(&format!(
        "NVFlare {} of {}",
        found.flare_version, found.python
    ));
    Ok(found)
}

/// Deals the GPUs and builds the launch plan. Starts nothing.
///
/// # Errors
///
/// For GPUs that are not there, and for kits of another NVFlare than the runtime has.
pub(crate) fn plan(
    context: &Context,
    prepared: &Prepared,
    runtime: &Runtime,
    selection: &Selection,
    args: &ServiceArgs,
) -> Result<(LaunchPlan, Vec<String>), CliError> {
    let (gpus, warnings) = deal(context, prepared, selection, args.gpu.as_deref())?;
    let plan = plan::build(&PlanRequest {
        prepared,
        runtime,
        selected: &selection.services,
        gpus: &gpus,
        env: &context.env,
        spawn: args.spawn.into(),
    })?;
    Ok((plan, warnings))
}

fn deal(
    context: &Context,
    prepared: &Prepared,
    selection: &Selection,
    words: Option<&[String]>,
) -> Result<(BTreeMap<String, SiteGpus>, Vec<String>), CliError> {
    let request = Request::parse(words.unwrap_or_default())?;
    let all: Vec<String> = prepared
        .project
        .clients()
        .map(|client| client.name.clone())
        .collect();
    let selected: Vec<String> = all
        .iter()
        .filter(|name| selection.services.contains(name))
        .cloned()
        .collect();
    let host = gpus::host(context);
    let dealt = poc_gpu::deal(&request, &all, &selected, &host)?;
    let mut warnings = host.warnings();
    warnings.extend(dealt.warnings.iter().cloned());
    let gpus = dealt
        .iter()
        .map(|(site, share)| {
            let ids = share.gpus().iter().map(ToString::to_string).collect();
            (
                site.to_owned(),
                SiteGpus {
                    ids,
                    environment: share.environment(),
                },
            )
        })
        .collect();
    Ok((gpus, warnings))
}
