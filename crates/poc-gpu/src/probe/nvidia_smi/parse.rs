//! What nvidia-smi prints. Pure functions of its text.

use crate::device::{ComputeMode, Device, MigInstance, Vendor, normal_pci};

/// What is asked first. The name comes last, since it alone may hold a comma.
pub(super) const FULL_FIELDS: [&str; 9] = [
    "index",
    "uuid",
    "pci.bus_id",
    "memory.total",
    "memory.used",
    "compute_mode",
    "display_active",
    "mig.mode.current",
    "name",
];

/// What every driver knows.
pub(super) const BASIC_FIELDS: [&str; 6] = [
    "index",
    "uuid",
    "pci.bus_id",
    "memory.total",
    "memory.used",
    "name",
];

/// The devices of an answer, and the lines that are none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) devices: Vec<Device>,
    pub(super) rest: Vec<String>,
}

/// Reads CSV with these columns, with or without units and a header.
pub(super) fn rows(text: &str, fields: &[&str]) -> Rows {
    let mut rows = Rows::default();
    for line in lines(text) {
        let cells: Vec<&str> = line.splitn(fields.len(), ',').map(str::trim).collect();
        match cells[0].parse() {
            Ok(index) if cells.len() == fields.len() => {
                rows.devices.push(device(index, fields, &cells));
            }
            _ if cells[0].eq_ignore_ascii_case("index") => {}
            _ => rows.rest.push(line.to_owned()),
        }
    }
    rows
}

fn device(index: u32, fields: &[&str], cells: &[&str]) -> Device {
    let cell = |field: &str| {
        let at = fields.iter().position(|known| *known == field)?;
        known(cells[at])
    };
    let name = cell("name").unwrap_or("NVIDIA GPU");
    let mut device = Device::new(Vendor::Nvidia, index, name, super::TOOL);
    device.uuid = cell("uuid").map(ToOwned::to_owned);
    device.pci_bus_id = cell("pci.bus_id").and_then(normal_pci);
    device.memory_total_mib = cell("memory.total").and_then(mib);
    device.memory_used_mib = cell("memory.used").and_then(mib);
    device.compute_mode = cell("compute_mode").and_then(compute_mode);
    device.display = cell("display_active").and_then(switch);
    device.mig_enabled = cell("mig.mode.current").and_then(switch) == Some(true);
    device
}

/// Reads the output of `-L`: a line a GPU, and under it one a MIG instance.
pub(super) fn list(text: &str) -> Rows {
    let mut rows = Rows::default();
    for line in lines(text) {
        if let Some(device) = listed_gpu(line) {
            rows.devices.push(device);
        } else if let Some(instance) = listed_mig(line)
            && let Some(device) = rows.devices.last_mut()
        {
            device.mig_enabled = true;
            device.mig.push(instance);
        } else {
            rows.rest.push(line.to_owned());
        }
    }
    rows
}

/// `GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-…)`
fn listed_gpu(line: &str) -> Option<Device> {
    let (index, rest) = line.strip_prefix("GPU ")?.split_once(':')?;
    let (name, uuid) = rest.split_once("(UUID:").unwrap_or((rest, ""));
    let mut device = Device::new(
        Vendor::Nvidia,
        index.trim().parse().ok()?,
        name.trim(),
        super::TOOL,
    );
    device.uuid = known(uuid.trim_end_matches(')')).map(ToOwned::to_owned);
    Some(device)
}

/// `MIG 3g.20gb     Device  0: (UUID: MIG-…)`
fn listed_mig(line: &str) -> Option<MigInstance> {
    let (profile, rest) = line.strip_prefix("MIG ")?.split_once(" Device ")?;
    let (index, rest) = rest.split_once(':')?;
    let (_, uuid) = rest.split_once("(UUID:")?;
    Some(MigInstance {
        index: index.trim().parse().ok()?,
        uuid: uuid.trim().trim_end_matches(')').to_owned(),
        profile: profile.trim().to_owned(),
    })
}

/// Reads `gpu_uuid,pid` rows. Under WSL, and for another user's processes, there is no pid.
pub(super) fn processes(text: &str) -> impl Iterator<Item = (&str, u32)> {
    lines(text).filter_map(|line| {
        let (uuid, pid) = line.split_once(',')?;
        Some((uuid.trim(), pid.trim().parse().ok()?))
    })
}

/// A driver that works, on a host without GPUs (or in a container that was given none).
pub(super) fn says_no_devices(text: &str) -> bool {
    text.to_ascii_lowercase().contains("no devices were found")
}

/// The tool does not know a field or an option: exit code 2 is its "invalid argument".
pub(super) fn says_not_understood(code: Option<i32>, text: &str) -> bool {
    code == Some(2) || text.contains("is not a valid field to query")
}

/// The tool could not reach the driver, whatever its exit code.
pub(super) fn says_failed(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["nvidia-smi has failed", "failed to initialize nvml"]
        .iter()
        .any(|words| text.contains(words))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
}

/// A cell with a value in it. `[N/A]`, `[Not Supported]`, `[Unknown Error]` and the like say that
/// there is none.
fn known(cell: &str) -> Option<&str> {
    let cell = cell.trim();
    let unknown = cell.is_empty()
        || cell.starts_with('[')
        || cell.eq_ignore_ascii_case("N/A")
        || cell.eq_ignore_ascii_case("Unknown Error");
    (!unknown).then_some(cell)
}

fn mib(cell: &str) -> Option<u64> {
    cell.strip_suffix("MiB").unwrap_or(cell).trim().parse().ok()
}

fn switch(cell: &str) -> Option<bool> {
    match cell.to_ascii_lowercase().as_str() {
        "enabled" | "yes" | "on" => Some(true),
        "disabled" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn compute_mode(cell: &str) -> Option<ComputeMode> {
    Some(match cell {
        "Default" => ComputeMode::Default,
        "Exclusive_Process" => ComputeMode::ExclusiveProcess,
        "Exclusive_Thread" => ComputeMode::ExclusiveThread,
        "Prohibited" => ComputeMode::Prohibited,
        _ => return None,
    })
}
