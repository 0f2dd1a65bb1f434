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
    let mut used: Vec<&GpuId> = shares.iter().flat_map(|(_, share)| share.gpus()).collect();
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
    warnings.extend(about_mig(shares));
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
        warnings.push(format!(
            "{gpu} admits no process: its compute mode is prohibited"
        ));
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
        && memory.is_some_and(|(used, total)| {
            used.saturating_mul(100) > total.saturating_mul(BUSY_PERCENT)
        })
    {
        warnings.push(format!("{gpu} is busy: {in_use}"));
    }
    if device.display == Some(true) {
        warnings.push(format!("{gpu} drives a display"));
    }
    warnings
}

fn about_mig(shares: &[(String, Share)]) -> Vec<String> {
    let with_mig: Vec<&(String, Share)> = shares
        .iter()
        .filter(|(_, share)| share.gpus().iter().any(|id| matches!(id, GpuId::Mig(_))))
        .collect();
    let names = |sites: &[&(String, Share)]| -> Option<String> {
        let names: Vec<&str> = sites.iter().map(|(site, _)| site.as_str()).collect();
        (!names.is_empty()).then(|| listed(&names, "gets", "get"))
    };
    let several: Vec<&(String, Share)> = with_mig
        .iter()
        .copied()
        .filter(|(_, share)| share.gpus().len() > 1)
        .collect();

    let mut warnings = Vec::new();
    warnings.extend(names(&with_mig).map(|sites| {
        format!(
            "{sites} MIG instances, which have a UUID and no index: NVFlare's GPU resource \
             manager does not read it, and would count all GPUs of the host as a site's own"
        )
    }));
    warnings.extend(names(&several).map(|sites| {
        format!(
            "{sites} several devices with a MIG instance among them, of which CUDA shows a \
             process one alone"
        )
    }));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::MigInstance;

    fn device(index: u32) -> Device {
        Device::new(Vendor::Nvidia, index, "test", "test")
    }

    fn said(shares: &[(&str, &[GpuId])], devices: &[Device]) -> String {
        let shares: Vec<(String, Share)> = shares
            .iter()
            .map(|(site, gpus)| ((*site).to_owned(), Share::Gpus(gpus.to_vec())))
            .collect();
        about(&shares, devices).join("\n")
    }

    #[test]
    fn a_quiet_gpu_is_not_spoken_of() {
        let mut quiet = device(0);
        quiet.memory_total_mib = Some(81559);
        quiet.memory_used_mib = Some(700);
        quiet.display = Some(false);
        quiet.compute_mode = Some(ComputeMode::Default);
        assert_eq!(said(&[("site-1", &[GpuId::Nvidia(0)])], &[quiet]), "");
    }

    #[test]
    fn gpus_that_others_use() {
        let mut desktop = device(0);
        desktop.display = Some(true);
        let mut busy = device(1);
        busy.processes = vec![4711];
        busy.memory_total_mib = Some(40960);
        busy.memory_used_mib = Some(30000);
        let mut hidden = device(2);
        hidden.memory_total_mib = Some(40960);
        hidden.memory_used_mib = Some(30000);
        let mut crowded = device(3);
        crowded.processes = (1..=6).collect();
        let mut closed = device(4);
        closed.compute_mode = Some(ComputeMode::Prohibited);
        // Busy, but not dealt.
        let mut other = device(5);
        other.processes = vec![1];
        let ids: Vec<GpuId> = (0..5).map(GpuId::Nvidia).collect();
        let devices = [desktop, busy, hidden, crowded, closed, other];
        insta::assert_snapshot!(said(&[("site-1", &ids)], &devices), @r"
        GPU 0 drives a display
        GPU 1 is busy: process 4711, 30000 of 40960 MiB in use
        GPU 2 is busy: 30000 of 40960 MiB in use
        GPU 3 is busy: processes 1, 2, 3 and 3 more
        GPU 4 admits no process: its compute mode is prohibited
        ");
    }

    #[test]
    fn sharing_is_said() {
        let mut exclusive = device(1);
        exclusive.compute_mode = Some(ComputeMode::ExclusiveProcess);
        let devices = [device(0), exclusive];
        let (zero, one) = ([GpuId::Nvidia(0)], [GpuId::Nvidia(1)]);
        let two: &[(&str, &[GpuId])] = &[("a", &zero), ("b", &one), ("c", &zero), ("d", &one)];
        let many: Vec<(String, &[GpuId])> =
            (1..=9).map(|i| (format!("site-{i}"), &zero[..])).collect();
        let many: Vec<(&str, &[GpuId])> = many
            .iter()
            .map(|(site, gpus)| (site.as_str(), *gpus))
            .collect();
        insta::assert_snapshot!([said(two, &devices), said(&many, &devices)].join("\n"), @r"
        GPU 0 is shared by a and c
        GPU 1 is shared by b and d, but its compute mode admits one process at a time
        GPU 0 is shared by site-1, site-2, site-3 and 6 more
        ");
    }

    #[test]
    fn mig_has_its_notes() {
        let mut gpu = device(0);
        gpu.mig_enabled = true;
        gpu.mig = vec![MigInstance {
            index: 0,
            uuid: "MIG-a".to_owned(),
            profile: "1g.5gb".to_owned(),
        }];
        let shares: &[(&str, &[GpuId])] = &[
            ("site-1", &[GpuId::Mig("MIG-a".to_owned())]),
            (
                "site-2",
                &[
                    GpuId::Mig("MIG-a".to_owned()),
                    GpuId::Mig("MIG-b".to_owned()),
                ],
            ),
            ("site-3", &[GpuId::Nvidia(0)]),
        ];
        insta::assert_snapshot!(said(shares, &[gpu]), @r"
        GPU 0 is in MIG mode: CUDA takes its first instance alone (an instance is chosen by its UUID)
        MIG-a is shared by site-1 and site-2
        site-1 and site-2 get MIG instances, which have a UUID and no index: NVFlare's GPU resource manager does not read it, and would count all GPUs of the host as a site's own
        site-2 gets several devices with a MIG instance among them, of which CUDA shows a process one alone
        ");
    }

    #[test]
    fn lists() {
        for (names, text) in [
            (&["a"][..], "a is"),
            (&["a", "b"], "a and b are"),
            (&["a", "b", "c", "d"], "a, b, c and d are"),
            (&["a", "b", "c", "d", "e"], "a, b, c and 2 more are"),
        ] {
            assert_eq!(listed(names, "is", "are"), text);
        }
    }
}
