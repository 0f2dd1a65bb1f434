//! What to say about an assignment: nothing here forbids it.

use crate::Share;
use crate::device::{ComputeMode, Device, GpuId, Vendor};

/// Above this part of its memory a GPU counts as busy even where its processes cannot be seen
/// (containers, WSL). A desktop and the driver's own share stay below it.
const BUSY_PERCENT: u64 = 10;

/// Names in a list before the rest are only counted.
const LISTED: usize = 4;

/// The warnings for these shares of these devices, GPU by GPU.
pub(crate) fn about(shares: &[(String, Share)], devices: &[Device]) -> Vec<String> {
    let mut used: Vec<&GpuId> = shares
        .iter()
        .flat_map(|(_, share)| share.gpus())
        .collect();
    used.sort_unstable();
    used.dedup();

    let mut warnings = Vec::new();
    for id in used {
        let sites: Vec<&str> = shares
            .iter()
            .filter(|(_, share)| share.gpus().contains(id))
            .map(|(site, _)| site.as_str())
            .collect();
        let device = devices.iter().find(|device| device.id() == *id);
        if sites.len() > 1 {
            warnings.push(shared(id, &sites, device));
        }
        if let Some(device) = device {
            warnings.extend(about_device(device));
        }
    }
    for (site, share) in shares {
        warnings.extend(about_mig(site, share));
    }
    warnings
}

fn shared(id: &GpuId, sites: &[&str], device: Option<&Device>) -> String {
    let sharing = format!(
        "{} is shared by {}",
        named(id),
        listed(sites, "", "").trim_end()
    );
    match device.and_then(|device| device.compute_mode) {
        Some(ComputeMode::ExclusiveProcess | ComputeMode::ExclusiveThread) => {
            format!("{sharing}, but its compute mode admits one process at a time")
        }
        _ => sharing,
    }
}

fn about_device(device: &Device) -> Vec<String> {
    let gpu = named(&device.id());
    let mut warnings = Vec::new();
    if device.compute_mode == Some(ComputeMode::Prohibited) {
        warnings.push(format!("{gpu} admits no process: its compute mode is prohibited"));
    }
    if device.mig_enabled {
        warnings.push(format!(
            "{gpu} is in MIG mode: CUDA takes its first instance alone (an instance is chosen by \
             its UUID)"
        ));
        return warnings;
    }
    let memory = device
        .memory_used_mib
        .zip(device.memory_total_mib)
        .filter(|(_, total)| *total > 0);
    let in_use = memory.map(|(used, total)| format!("{used} of {total} MiB in use"));
    if !device.processes.is_empty() {
        let pids: Vec<String> = device.processes.iter().map(ToString::to_string).collect();
        let pids: Vec<&str> = pids.iter().map(String::as_str).collect();
        warnings.push(format!(
            "{gpu} is busy: process{} {}{}",
            if pids.len() == 1 { "" } else { "es" },
            listed(&pids, "", "").trim_end(),
            in_use.map(|text| format!(", {text}")).unwrap_or_default()
        ));
    } else if let Some(in_use) = in_use
        && memory.is_some_and(|(used, total)| used.saturating_mul(100) > total.saturating_mul(BUSY_PERCENT))
    {
        warnings.push(format!("{gpu} is busy: {in_use}"));
    }
    if device.display == Some(true) {
        warnings.push(format!("{gpu} drives a display"));
    }
    warnings
}

fn about_mig(site: &str, share: &Share) -> Vec<String> {
    let instances: Vec<&GpuId> = share
        .gpus()
        .iter()
        .filter(|id| matches!(id, GpuId::Mig(_)))
        .collect();
    let Some(first) = instances.first() else {
        return Vec::new();
    };
    let mut warnings = vec![format!(
        "{site} gets {first} by UUID, which NVFlare's GPU resource manager does not read: it would \
         count the whole host's GPUs as that site's"
    )];
    if share.gpus().len() > 1 {
        warnings.push(format!(
            "{site} gets several devices with a MIG instance among them, of which CUDA shows a \
             process one alone"
        ));
    }
    warnings
}

/// How a GPU is called in a sentence.
fn named(id: &GpuId) -> String {
    match (id, id.vendor()) {
        (GpuId::Mig(uuid), _) => uuid.clone(),
        (_, Vendor::Nvidia) => format!("GPU {id}"),
        (_, Vendor::Amd) => format!("AMD GPU {id}"),
    }
}

/// `a`, `a and b`, `a, b and c`, or the first few `and 9 more`, with the verb that fits.
pub(crate) fn listed(names: &[&str], singular: &str, plural: &str) -> String {
    let verb = if names.len() == 1 { singular } else { plural };
    let text = match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] if names.len() <= LISTED => {
            format!("{} and {last}", first.join(", "))
        }
        _ => format!(
            "{} and {} more",
            names[..LISTED - 1].join(", "),
            names.len() - (LISTED - 1)
        ),
    };
    format!("{text} {verb}")
}
