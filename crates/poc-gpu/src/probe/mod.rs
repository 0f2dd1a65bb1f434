//! The probes: each one way to ask a host for its GPUs, all behind one trait.
//!
//! A probe fetches text or calls a library, and hands what it got to a parser that is a pure
//! function. Its answer keeps apart what callers must keep apart: nothing there, there and broken,
//! there with or without GPUs.

mod amd;
mod command;
mod nvidia_smi;
mod nvml;
mod proc;
#[cfg(test)]
mod testing;

use crate::device::{Device, Vendor};
use crate::options::DiscoverOptions;

/// One way to find out about a vendor's GPUs. Implement it to teach
/// [`discover_with`](crate::discover_with) another.
pub trait Probe {
    /// What it is called in messages, and in `POC_GPU_PROBES`.
    fn name(&self) -> &'static str;

    /// Whose GPUs it knows.
    fn vendor(&self) -> Vendor;

    /// Whether it goes through the driver as programs do, so that its success outweighs another's
    /// failure. One that only reads what the kernel lists cannot say that a GPU is usable.
    fn reaches_driver(&self) -> bool {
        true
    }

    /// Looks. Must return in reasonable time, whatever the driver does.
    fn look(&self) -> Finding;
}

/// A probe's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// What the probe asks (a library, a tool, a directory) is not there.
    Absent,
    /// It is there and does not work.
    Broken {
        /// Why, in the tool's own words where it had any; one line.
        reason: String,
        /// It did not answer in time, so that another probe would wait in vain.
        hangs: bool,
    },
    /// It works.
    Found {
        /// The GPUs, possibly none.
        devices: Vec<Device>,
        /// What the user should know.
        warnings: Vec<String>,
    },
}

impl Finding {
    /// A working driver with these GPUs, and nothing more to say.
    pub(crate) fn found(devices: Vec<Device>) -> Self {
        Self::Found {
            devices,
            warnings: Vec::new(),
        }
    }

    /// Broken, not hanging.
    pub(crate) fn broken(reason: impl Into<String>) -> Self {
        Self::Broken {
            reason: reason.into(),
            hangs: false,
        }
    }
}

/// Every probe there is, in the order of asking.
pub(crate) fn built_in(options: &DiscoverOptions) -> Vec<Box<dyn Probe>> {
    vec![
        Box::new(nvml::Nvml::new(options)),
        Box::new(nvidia_smi::NvidiaSmi::new(options)),
        Box::new(proc::Proc::new(options)),
        Box::new(amd::AmdSmi::new(options)),
        Box::new(amd::RocmSmi::new(options)),
        Box::new(amd::Sysfs::new(options)),
    ]
}

/// What to do about a broken driver, by the words that NVML and nvidia-smi have for it.
pub(crate) fn remedy(reason: &str) -> Option<&'static str> {
    let reason = reason.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if has(&["version mismatch"]) {
        Some(
            "the driver was updated while its old kernel module is loaded: reboot, or unload and \
             load the module (`sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia; sudo \
             modprobe nvidia`)",
        )
    } else if has(&["couldn't communicate", "driver is not loaded"]) {
        Some(
            "the driver's tools are installed but its kernel module is not loaded: `sudo modprobe \
             nvidia` says why (after a kernel update the module may have to be built again)",
        )
    } else if has(&[
        "blocked by the operating system",
        "operating system/cgroups",
    ]) {
        Some(
            "the system withholds the GPU: under WSL use Windows' driver and install none inside, \
             in a container start it with `--gpus`",
        )
    } else if has(&["did not answer"]) {
        Some(
            "the driver hangs: `sudo dmesg | grep -i nvrm` may name the GPU, and a reboot is the \
             usual way out; if it is only slow, run nvidia-persistenced",
        )
    } else if has(&["permission"]) {
        Some("this user may not open the GPU's device files: see `ls -l /dev/nvidia* /dev/kfd`")
    } else if has(&["lost", "fallen off", "requires a reset"]) {
        Some("the GPU needs a reset or the machine a reboot: `sudo dmesg | grep -i nvrm`")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_failures_have_a_remedy() {
        for words in [
            "Failed to initialize NVML: Driver/library version mismatch",
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
            "NVIDIA driver is not loaded",
            "Failed to initialize NVML: GPU access blocked by the operating system",
            "nvidia-smi did not answer within 10 s",
            "Failed to initialize NVML: Insufficient Permissions",
            "Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.",
        ] {
            assert!(remedy(words).is_some(), "{words}");
        }
        assert_eq!(remedy("an internal driver error occurred"), None);
    }
}
