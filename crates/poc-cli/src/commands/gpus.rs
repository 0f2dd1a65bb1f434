//! `poc gpus`: what this host has, and which participant has what.

use std::collections::BTreeMap;

use poc_gpu::{Device, DiscoverOptions, GpuId, Host};
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::output::{Table, style};

/// Arguments of `poc gpus`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Data {
    /// `present`, `no_driver` or `broken`.
    state: &'static str,
    /// The probe that found the GPUs, or met the broken driver.
    source: Option<&'static str>,
    gpus: Vec<Gpu>,
    /// The ids that `poc start` deals, in its order.
    pool: Vec<GpuId>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Gpu {
    #[serde(flatten)]
    device: Device,
    /// The running participants that were given it.
    participants: Vec<String>,
}

pub(crate) fn run(context: &Context, _args: &Args) -> Result<u8, CliError> {
    let host = host(context);
    let holders = holders(context);
    let data = data(&host, &holders);
    for warning in &data.warnings {
        context.printer.warning(warning);
    }
    if let Some(hint) = host.hint() {
        context.printer.note(&format!(
            "{} {hint}",
            style::strong(style::literal("hint:"))
        ));
    }
    context
        .printer
        .result(&data, |data| text(data, context.printer.width()))?;
    Ok(0)
}

/// The host's GPUs, as `start` sees them.
pub(crate) fn host(context: &Context) -> Host {
    let options = DiscoverOptions::from_environment(|name| {
        // Blank values too: an empty CUDA_VISIBLE_DEVICES means that there is nothing to deal.
        context
            .env
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.to_owned())
    });
    poc_gpu::discover(&options)
}

/// GPU ids of running participants, by participant. No POC, or one that cannot be looked at, is no
/// reason to hide the GPUs.
fn holders(context: &Context) -> BTreeMap<String, Vec<String>> {
    let Ok(prepared) = context.prepared() else {
        return BTreeMap::new();
    };
    let status = poc_launch::Federation::open(&prepared).status();
    let participants = status.map(|status| status.participants).unwrap_or_default();
    participants
        .into_iter()
        .filter(|participant| participant.pid.is_some())
        .map(|participant| (participant.name, participant.gpus))
        .collect()
}

fn data(host: &Host, holders: &BTreeMap<String, Vec<String>>) -> Data {
    let participants = |device: &Device| {
        let ids: Vec<String> = std::iter::once(device.id())
            .chain(device.mig.iter().map(poc_gpu::MigInstance::id))
            .map(|id| id.to_string())
            .collect();
        let has = |gpus: &&Vec<String>| gpus.iter().any(|gpu| ids.contains(gpu));
        holders
            .iter()
            .filter(|(_, gpus)| has(gpus))
            .map(|(name, _)| name.clone())
            .collect()
    };
    let (state, source) = match host {
        Host::NoDriver => ("no_driver", None),
        Host::Broken { source, .. } => ("broken", Some(*source)),
        Host::Present(inventory) => ("present", Some(inventory.source)),
    };
    Data {
        state,
        source,
        gpus: host
            .devices()
            .iter()
            .map(|device| Gpu {
                participants: participants(device),
                device: device.clone(),
            })
            .collect(),
        pool: host.pool().to_vec(),
        warnings: host.warnings(),
    }
}

fn text(data: &Data, width: Option<u16>) -> String {
    if data.gpus.is_empty() {
        return match data.state {
            "no_driver" => "No GPU: this host has no GPU driver. Sites train on the CPU.\n",
            "broken" => "No GPU can be used: the driver is broken. Sites train on the CPU.\n",
            _ => "No GPU: the driver works, but finds none. Sites train on the CPU.\n",
        }
        .to_owned();
    }
    let mut table = Table::new(
        &["gpu", "name", "memory", "used", "processes", "participants"],
        width,
    );
    for gpu in &data.gpus {
        let mib = |value: Option<u64>| {
            value.map_or_else(|| "?".to_owned(), |value| format!("{value} MiB"))
        };
        let count = |number: usize| {
            if number == 0 {
                "-".to_owned()
            } else {
                number.to_string()
            }
        };
        let device = &gpu.device;
        table.row([
            device.index.to_string(),
            device.name.clone(),
            mib(device.memory_total_mib),
            mib(device.memory_used_mib),
            count(device.processes.len()),
            if gpu.participants.is_empty() {
                "-".to_owned()
            } else {
                gpu.participants.join(", ")
            },
        ]);
        for instance in &device.mig {
            table.row([
                "",
                &format!("  {} {}", instance.profile, instance.uuid),
                "",
                "",
                "",
                "",
            ]);
        }
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use poc_gpu::{Inherited, Inventory, MigInstance, Vendor};

    fn host() -> Host {
        let mut first = Device::new(Vendor::Nvidia, 0, "NVIDIA L4", "nvml");
        first.memory_total_mib = Some(23034);
        first.memory_used_mib = Some(512);
        first.processes = vec![41, 42];
        let mut second = Device::new(Vendor::Nvidia, 1, "NVIDIA A100", "nvml");
        second.mig_enabled = true;
        second.mig = vec![MigInstance {
            index: 0,
            uuid: "MIG-c738".into(),
            profile: "3g.20gb".into(),
        }];
        Host::Present(Inventory::new(
            vec![first, second],
            "nvml",
            &Inherited::default(),
        ))
    }

    #[test]
    fn gpus_and_who_has_them() {
        let holders = BTreeMap::from([
            ("site-1".to_owned(), vec!["0".to_owned()]),
            ("site-2".to_owned(), vec!["MIG-c738".to_owned()]),
            ("site-3".to_owned(), vec!["0".to_owned()]),
        ]);
        let data = data(&host(), &holders);
        insta::assert_snapshot!(anstream::adapter::strip_str(&text(&data, None)), @r"
        gpu  name                memory     used     processes  participants
        0    NVIDIA L4           23034 MiB  512 MiB  2          site-1, site-3
        1    NVIDIA A100         ?          ?        -          site-2
               3g.20gb MIG-c738
        ");
        insta::assert_json_snapshot!(data.pool, @r#"
        [
          0,
          "MIG-c738"
        ]
        "#);
    }

    #[test]
    fn a_host_without_is_told_apart_from_one_that_is_broken() {
        let broken = Host::Broken {
            reason: "driver/library version mismatch".into(),
            source: "nvml",
        };
        for host in [
            Host::NoDriver,
            broken,
            Host::Present(Inventory::new(vec![], "proc", &Inherited::default())),
        ] {
            let data = data(&host, &BTreeMap::new());
            let said = text(&data, None);
            assert!(said.starts_with("No GPU"), "{said}");
            assert_eq!(data.warnings.len(), usize::from(data.state == "broken"));
        }
    }
}
