//! rocm-smi's JSON: an object with `card0`, `card1`, …, whose keys changed their case over time.

use serde_json::Value;

use crate::device::{Device, Vendor, normal_pci};

const MIB: u64 = 1024 * 1024;

/// The devices of `--showproductname --showuniqueid --showbus --showmeminfo vram --json`.
pub(super) fn devices(json: &Value) -> Vec<Device> {
    let mut devices: Vec<Device> = json
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(card, facts)| {
            let index = card.strip_prefix("card")?.parse().ok()?;
            let name = fact(facts, "Card Series")
                .or_else(|| fact(facts, "Device Name"))
                .or_else(|| fact(facts, "Card Model"))
                .unwrap_or("AMD GPU");
            let bytes = |key| fact(facts, key)?.parse::<u64>().ok();
            let mut device = Device::new(Vendor::Amd, index, name, "rocm-smi");
            device.uuid = fact(facts, "Unique ID")
                .and_then(super::serial)
                .and_then(super::uuid);
            device.pci_bus_id = fact(facts, "PCI Bus").and_then(normal_pci);
            device.memory_total_mib = bytes("VRAM Total Memory (B)").map(|total| total / MIB);
            device.memory_used_mib = bytes("VRAM Total Used Memory (B)").map(|used| used / MIB);
            Some(device)
        })
        .collect();
    devices.sort_by_key(|device| device.index);
    devices
}

fn fact<'a>(facts: &'a Value, key: &str) -> Option<&'a str> {
    let (_, value) = facts
        .as_object()?
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(key))?;
    value
        .as_str()
        .filter(|text| !text.is_empty() && *text != "N/A")
}
