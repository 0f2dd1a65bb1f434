//! What the sites offer to jobs that ask for GPUs, and why where that is nothing.

use std::collections::BTreeMap;

use poc_core::Line;
use poc_core::env::Env;
use poc_core::gpu_offer::GpuOffer;
use poc_gpu::{Assignment, Device, GpuId, Host};
use poc_launch::plan;

const MIB_PER_GIB: u64 = 1024;

/// The offer of each site; where none can be made though GPUs were dealt, the reason.
pub(super) fn offers(
    dealt: &Assignment,
    host: &Host,
    line: Line,
    env: &Env,
) -> Result<BTreeMap<String, GpuOffer>, String> {
    if dealt.is_empty() {
        return Ok(BTreeMap::new());
    }
    if let Some(reason) = hindrance(dealt, host, line, env) {
        return Err(format!(
            "jobs that ask for GPUs in their resource_spec will not be scheduled: {reason}; jobs that ask for none use the GPUs dealt"
        ));
    }
    Ok(dealt
        .iter()
        .map(|(site, share)| {
            let gpus = share.gpus();
            let offer = GpuOffer {
                count: u32::try_from(gpus.len()).unwrap_or(u32::MAX),
                memory_gib: gpus
                    .iter()
                    .filter_map(|gpu| memory_gib(gpu, dealt, host))
                    .min()
                    .unwrap_or(0),
            };
            (site.to_owned(), offer)
        })
        .collect())
}

/// NVFlare asks `nvidia-smi` for indices and memory sizes, and does not start a site that offers more
/// than that tells.
fn hindrance(dealt: &Assignment, host: &Host, line: Line, env: &Env) -> Option<String> {
    let dealt_gpus = || dealt.iter().flat_map(|(_, share)| share.gpus());
    if !plan::offers_gpus(line) {
        return Some(format!(
            "NVFlare {line} gives them GPU 0 and up, whatever a site may see"
        ));
    }
    if dealt_gpus().any(|gpu| matches!(gpu, GpuId::Mig(_))) {
        return Some("NVFlare counts whole GPUs, not MIG instances".to_owned());
    }
    if dealt_gpus().any(|gpu| matches!(gpu, GpuId::Amd(_))) {
        return Some("NVFlare counts NVIDIA's GPUs alone".to_owned());
    }
    let path = env.get("PATH").unwrap_or_default();
    if which::which_in_global("nvidia-smi", Some(path))
        .map_or(true, |mut found| found.next().is_none())
    {
        return Some("NVFlare counts GPUs by nvidia-smi, which is not on PATH".to_owned());
    }
    if host
        .devices()
        .iter()
        .any(|device| device.memory_total_mib.is_none())
    {
        return Some("NVFlare needs the size of each GPU's memory, which is not known".to_owned());
    }
    None
}

/// Of a GPU that several sites share, each offers its part.
fn memory_gib(gpu: &GpuId, dealt: &Assignment, host: &Host) -> Option<u32> {
    let device: &Device = host.devices().iter().find(|device| device.id() == *gpu)?;
    let sharing = dealt
        .iter()
        .filter(|(_, share)| share.gpus().contains(gpu))
        .count();
    let sharing = u64::try_from(sharing.max(1)).ok()?;
    u32::try_from(device.memory_total_mib? / MIB_PER_GIB / sharing).ok()
}
