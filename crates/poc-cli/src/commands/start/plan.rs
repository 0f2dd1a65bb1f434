//! From names and GPUs to a launch plan.

use std::collections::BTreeMap;

use poc_core::gpu_offer::GpuOffer;
use poc_core::settings::Settings;
use poc_core::workspace::Prepared;
use poc_gpu::{Assignment, Host, Request, Share};
use poc_launch::plan::{self, LaunchPlan, PlanRequest, SiteGpus};
use poc_launch::runtime::{self, Runtime};

use super::ServiceArgs;
use super::offer::offers;
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
    let host = gpus::host(context);
    let dealt = deal(prepared, selection, args.gpu.as_deref(), &host)?;
    let (offers, hindrance) = match offers(&dealt, &host, runtime.line, &context.env) {
        Ok(offers) => (offers, None),
        Err(reason) => (BTreeMap::new(), Some(reason)),
    };
    let gpus = dealt
        .iter()
        .map(|(site, share)| {
            let offer = offers.get(site).copied().unwrap_or_default();
            (site.to_owned(), site_gpus(share, offer))
        })
        .collect();
    let plan = plan::build(&PlanRequest {
        prepared,
        runtime,
        selected: &selection.services,
        gpus: &gpus,
        env: &context.env,
        spawn: args.spawn.into(),
    })?;
    let mut warnings = host.warnings();
    warnings.extend(dealt.warnings);
    warnings.extend(hindrance);
    Ok((plan, warnings))
}

/// Deals over all sites of the project, or over the selected ones: the request decides.
fn deal(
    prepared: &Prepared,
    selection: &Selection,
    words: Option<&[String]>,
    host: &Host,
) -> Result<Assignment, CliError> {
    let request = Request::parse(words.unwrap_or_default())?;
    let sites = prepared.project.clients();
    let all: Vec<String> = sites.map(|client| client.name.clone()).collect();
    let mut selected = all.clone();
    selected.retain(|name| selection.services.contains(name));
    Ok(poc_gpu::deal(&request, &all, &selected, host)?)
}

/// A share as the plain values that `poc-launch` knows.
fn site_gpus(share: &Share, offer: GpuOffer) -> SiteGpus {
    SiteGpus {
        ids: share.gpus().iter().map(ToString::to_string).collect(),
        environment: share.environment(),
        unset: share.unset().iter().copied().map(str::to_owned).collect(),
        offer,
    }
}
