//! amd-smi's JSON: an array with an object a GPU, in newer versions inside `gpu_data`.

use serde_json::Value;

use crate::device::{Device, Vendor, normal_pci};

/// The devices of `static --asic --bus --vram --json`.
pub(super) fn devices(json: &Value) -> Vec<Device> {
    gpus(json)
        .iter()
        .filter_map(|gpu| {
            let asic = &gpu["asic"];
            let name = known(&asic["market_name"]).unwrap_or("AMD GPU");
            let mut device = Device::new(Vendor::Amd, index(gpu)?, name, "amd-smi");
            device.uuid = known(&asic["asic_serial"])
                .and_then(super::serial)
                .and_then(super::uuid);
            device.pci_bus_id = known(&gpu["bus"]["bdf"]).and_then(normal_pci);
            device.memory_total_mib = mib(&gpu["vram"]["size"]);
            Some(device)
        })
        .collect()
}

/// Adds what `metric --mem-usage --json` knows.
pub(super) fn add_memory(devices: &mut [Device], json: &Value) {
    for gpu in gpus(json) {
        let found = devices
            .iter_mut()
            .find(|device| Some(device.index) == index(gpu));
        if let Some(device) = found {
            let memory = &gpu["mem_usage"];
            device.memory_used_mib = mib(&memory["used_vram"]);
            device.memory_total_mib = device.memory_total_mib.or(mib(&memory["total_vram"]));
        }
    }
}

fn gpus(json: &Value) -> &[Value] {
    json.as_array()
        .or_else(|| json["gpu_data"].as_array())
        .map_or(&[], Vec::as_slice)
}

fn index(gpu: &Value) -> Option<u32> {
    u32::try_from(gpu["gpu"].as_u64()?).ok()
}

fn known(value: &Value) -> Option<&str> {
    value
        .as_str()
        .filter(|text| !text.is_empty() && *text != "N/A")
}

/// An amount of memory: `{"value": 16368, "unit": "MB"}`, in older versions `"16368 MB"`. The
/// tool's MB are MiB.
fn mib(value: &Value) -> Option<u64> {
    let (amount, unit) = match value {
        Value::Object(_) => (value["value"].as_u64()?, value["unit"].as_str()?),
        Value::String(text) => {
            let (amount, unit) = text.split_once(' ')?;
            (amount.parse().ok()?, unit)
        }
        _ => return None,
    };
    Some(match unit {
        "B" => amount / 1024 / 1024,
        "KB" => amount / 1024,
        "MB" => amount,
        "GB" => amount * 1024,
        _ => return None,
    })
}
