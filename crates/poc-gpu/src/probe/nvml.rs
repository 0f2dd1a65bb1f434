//! NVIDIA by its management library, which is loaded at run time: a host without one costs nothing
//! but a failed `dlopen`.

use std::sync::mpsc;
use std::time::Duration;

use camino::Utf8PathBuf;
use nvml_wrapper::enum_wrappers::device as nvml_enums;
use nvml_wrapper::error::NvmlError;

use crate::device::{ComputeMode, Device, MigInstance, Vendor, normal_pci};
use crate::options::DiscoverOptions;
use crate::probe::{Finding, Probe, command};

const NAME: &str = "nvml";

/// nvml.h's `NVML_DEVICE_MIG_ENABLE`.
const MIG_ENABLED: u32 = 1;

const MIB: u64 = 1024 * 1024;

/// Asks NVML.
pub(crate) struct Nvml {
    libraries: Vec<Utf8PathBuf>,
    timeout: Duration,
}

impl Nvml {
    pub(crate) fn new(options: &DiscoverOptions) -> Self {
        // A bare name is left to the dynamic loader, and with it LD_LIBRARY_PATH.
        let at = |library: &Utf8PathBuf| match library.parent() {
            Some(parent) if parent != "" => options.at(library.as_str()),
            _ => library.clone(),
        };
        Self {
            libraries: options.nvml.iter().map(at).collect(),
            timeout: options.timeout,
        }
    }
}

impl Probe for Nvml {
    fn name(&self) -> &'static str {
        NAME
    }

    fn vendor(&self) -> Vendor {
        Vendor::Nvidia
    }

    fn look(&self) -> Finding {
        // The library calls into the driver, which may never return: it is asked in a thread that
        // can be left behind.
        let libraries = self.libraries.clone();
        let (sender, receiver) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("nvml".to_owned());
        let asked = thread.spawn(move || {
            let _ = sender.send(ask_first(&libraries));
        });
        if let Err(error) = asked {
            return Finding::broken(format!("no thread could be had for NVML: {error}"));
        }
        receiver
            .recv_timeout(self.timeout)
            .unwrap_or_else(|_| Finding::Broken {
                reason: command::no_answer("NVML", self.timeout),
                hangs: true,
            })
    }
}

/// The answer of the first library that is there.
fn ask_first(libraries: &[Utf8PathBuf]) -> Finding {
    libraries
        .iter()
        .map(ask)
        .find(|finding| *finding != Finding::Absent)
        .unwrap_or(Finding::Absent)
}

fn ask(library: &Utf8PathBuf) -> Finding {
    let nvml = nvml_wrapper::Nvml::builder()
        .lib_path(library.as_std_path().as_os_str())
        .init();
    let nvml = match nvml {
        Ok(nvml) => nvml,
        Err(NvmlError::LibloadingError(error)) => return not_loaded(library, &error),
        Err(error) => return Finding::broken(format!("NVML cannot be initialized: {error}")),
    };
    let count = match nvml.device_count() {
        Ok(count) => count,
        Err(error) => return Finding::broken(format!("NVML cannot count GPUs: {error}")),
    };
    let mut devices = Vec::new();
    let mut warnings = Vec::new();
    for index in 0..count {
        match nvml.device_by_index(index) {
            Ok(device) => devices.push(read(index, &device)),
            Err(error) => warnings.push(format!("GPU {index} cannot be used: {error}")),
        }
    }
    // With every GPU lost there is no other way left to one either.
    match warnings.first() {
        Some(first) if devices.is_empty() => Finding::broken(first),
        _ => Finding::Found { devices, warnings },
    }
}

/// A library that is not there is no driver; one that is there and does not load is a broken one.
fn not_loaded(library: &Utf8PathBuf, error: &(dyn std::error::Error + 'static)) -> Finding {
    let is_path = library.as_str().contains('/');
    // The loader has its reason in the source's text alone. It is not translated, since nothing
    // here calls setlocale.
    let text = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    let absent = if is_path {
        !library.exists()
    } else {
        text.contains("No such file")
    };
    if absent {
        return Finding::Absent;
    }
    Finding::broken(format!("NVML cannot be loaded: {}", command::words(&text)))
}

fn read(index: u32, found: &nvml_wrapper::Device<'_>) -> Device {
    let name = found.name().unwrap_or_else(|_| "NVIDIA GPU".to_owned());
    let mut device = Device::new(Vendor::Nvidia, index, name, NAME);
    device.uuid = found.uuid().ok();
    device.pci_bus_id = found
        .pci_info()
        .ok()
        .and_then(|pci| normal_pci(&pci.bus_id));
    if let Ok(memory) = found.memory_info() {
        device.memory_total_mib = Some(memory.total / MIB);
        device.memory_used_mib = Some(memory.used / MIB);
    }
    device.compute_mode = found.compute_mode().ok().map(|mode| match mode {
        nvml_enums::ComputeMode::Default => ComputeMode::Default,
        nvml_enums::ComputeMode::ExclusiveThread => ComputeMode::ExclusiveThread,
        nvml_enums::ComputeMode::Prohibited => ComputeMode::Prohibited,
        nvml_enums::ComputeMode::ExclusiveProcess => ComputeMode::ExclusiveProcess,
    });
    device.display = found.is_display_active().ok();
    device.mig_enabled = found
        .mig_mode()
        .is_ok_and(|mode| mode.current == MIG_ENABLED);
    if device.mig_enabled {
        device.mig = instances(found, &device.name);
    }
    // Drivers before 510 know the older function alone.
    let processes = found
        .running_compute_processes()
        .or_else(|_| found.running_compute_processes_v2());
    for process in processes.into_iter().flatten() {
        if !device.processes.contains(&process.pid) {
            device.processes.push(process.pid);
        }
    }
    device
}

/// The MIG instances. The count that NVML gives is the number of places for one, of which some are
/// empty.
fn instances(found: &nvml_wrapper::Device<'_>, gpu: &str) -> Vec<MigInstance> {
    (0..found.mig_device_count().unwrap_or(0))
        .filter_map(|place| {
            let instance = found.mig_device_by_index(place).ok()?;
            let name = instance.name().unwrap_or_default();
            // `NVIDIA A100-SXM4-40GB MIG 3g.20gb`
            let profile = name.strip_prefix(gpu).unwrap_or(&name).trim();
            Some(MigInstance {
                index: place,
                uuid: instance.uuid().ok()?,
                profile: profile.strip_prefix("MIG ").unwrap_or(profile).to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
