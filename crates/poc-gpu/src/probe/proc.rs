//! NVIDIA by what its kernel module lists under `/proc/driver/nvidia`: the last resort, where
//! neither the library nor the tool is there.
//!
//! A container sees this directory of its host whatever GPUs it was given, so a GPU counts only if
//! its device file is there too.

use camino::Utf8PathBuf;

use crate::device::{Device, Vendor, normal_pci};
use crate::options::DiscoverOptions;
use crate::probe::{Finding, Probe};

const NAME: &str = "proc";

/// Reads `/proc/driver/nvidia`.
pub(crate) struct Proc {
    driver: Utf8PathBuf,
    dev: Utf8PathBuf,
}

impl Proc {
    pub(crate) fn new(options: &DiscoverOptions) -> Self {
        Self {
            driver: options.at("/proc/driver/nvidia"),
            dev: options.at("/dev"),
        }
    }
}

impl Probe for Proc {
    fn name(&self) -> &'static str {
        NAME
    }

    fn vendor(&self) -> Vendor {
        Vendor::Nvidia
    }

    fn reaches_driver(&self) -> bool {
        false
    }

    fn look(&self) -> Finding {
        let gpus = match fs_err::read_dir(self.driver.join("gpus")) {
            Ok(gpus) => gpus,
            // A loaded module without a GPU has its version there all the same.
            Err(_) if self.driver.join("version").exists() => return Finding::found(Vec::new()),
            Err(_) => return Finding::Absent,
        };
        let mut listed: Vec<Listed> = gpus
            .flatten()
            .filter_map(|gpu| fs_err::read_to_string(gpu.path().join("information")).ok())
            .filter_map(|text| information(&text))
            .filter(|gpu| !gpu.excluded)
            .collect();
        listed.sort_by(|one, other| one.pci_bus_id.cmp(&other.pci_bus_id));

        let total = listed.len();
        listed.retain(|gpu| {
            gpu.minor
                .is_some_and(|minor| self.dev.join(format!("nvidia{minor}")).exists())
        });
        let mut warnings = Vec::new();
        if listed.len() < total {
            warnings.push(format!(
                "the kernel has {total} NVIDIA GPU{}, of which {} cannot be opened here (no \
                 /dev/nvidia file, as in a container started without `--gpus`)",
                if total == 1 { "" } else { "s" },
                total - listed.len()
            ));
        }
        if !listed.is_empty() {
            warnings.push(
                "neither NVML nor nvidia-smi was found, so CUDA may be missing as well".to_owned(),
            );
        }
        let devices = listed
            .into_iter()
            .zip(0..)
            .map(|(gpu, index)| gpu.device(index))
            .collect();
        Finding::Found { devices, warnings }
    }
}

/// One `information` file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listed {
    model: String,
    uuid: Option<String>,
    pci_bus_id: Option<String>,
    minor: Option<u32>,
    excluded: bool,
}

impl Listed {
    fn device(self, index: u32) -> Device {
        let mut device = Device::new(Vendor::Nvidia, index, self.model, NAME);
        device.uuid = self.uuid;
        device.pci_bus_id = self.pci_bus_id;
        device
    }
}

/// Reads `Key: value` lines. A GPU that nobody has used since the boot has question marks for a
/// UUID.
fn information(text: &str) -> Option<Listed> {
    let mut gpu = Listed::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match key.trim() {
            "Model" => value.clone_into(&mut gpu.model),
            "GPU UUID" if !value.contains('?') => gpu.uuid = Some(value.to_owned()),
            "Bus Location" => gpu.pci_bus_id = normal_pci(value),
            "Device Minor" => gpu.minor = value.parse().ok(),
            // Called so before driver 455.
            "GPU Excluded" | "Blacklisted" => gpu.excluded = value == "Yes",
            _ => {}
        }
    }
    (!gpu.model.is_empty()).then_some(gpu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::testing::tree;

    // Recorded on a host with driver 535.129.03 (published at
    // landontclipp.github.io/sysadmin/gpu); the UUID is made up.
    const H100: &str = "\
Model:           NVIDIA H100 80GB HBM3
IRQ:             10
GPU UUID:        GPU-9221d5d1-0000-0000-0000-0a1819cfda3b
Video BIOS:      96.00.99.00.01
Bus Type:        PCIe
DMA Size:        52 bits
DMA Mask:        0xfffffffffffff
Bus Location:    0000:62:00.0
Device Minor:    5
GPU Firmware:    535.129.03
GPU Excluded:    No
";

    // Made up in the same form: a GPU that was not initialized since the boot.
    const UNUSED: &str = "\
Model: \t\t NVIDIA GeForce RTX 3090
IRQ:   \t\t 95
GPU UUID: \t GPU-????????-????-????-????-????????????
Video BIOS: \t ??.??.??.??.??
Bus Location: \t 0000:01:00.0
Device Minor: \t 0
GPU Excluded:\t No
";

    fn look(files: &[(&str, &str)]) -> Finding {
        let (_dir, root) = tree(files);
        Proc::new(&DiscoverOptions {
            root,
            ..DiscoverOptions::default()
        })
        .look()
    }

    #[test]
    fn the_information_file() {
        assert_eq!(
            information(H100),
            Some(Listed {
                model: "NVIDIA H100 80GB HBM3".to_owned(),
                uuid: Some("GPU-9221d5d1-0000-0000-0000-0a1819cfda3b".to_owned()),
                pci_bus_id: Some("0000:62:00.0".to_owned()),
                minor: Some(5),
                excluded: false,
            })
        );
        assert_eq!(information(UNUSED).unwrap().uuid, None);
        assert_eq!(information("nonsense\n"), None);
    }

    #[test]
    fn gpus_count_in_pci_order_as_far_as_they_can_be_opened() {
        let excluded = UNUSED
            .replace("01:00.0", "02:00.0")
            .replace("Excluded:\t No", "Excluded:\t Yes");
        let found = look(&[
            ("proc/driver/nvidia/gpus/0000:62:00.0/information", H100),
            ("proc/driver/nvidia/gpus/0000:01:00.0/information", UNUSED),
            (
                "proc/driver/nvidia/gpus/0000:02:00.0/information",
                &excluded,
            ),
            ("dev/nvidia5", ""),
            ("dev/nvidia0", ""),
        ]);
        let Finding::Found { devices, warnings } = found else {
            panic!("{found:?}");
        };
        let shown: Vec<_> = devices
            .iter()
            .map(|gpu| (gpu.index, gpu.name.as_str(), gpu.uuid.is_some()))
            .collect();
        assert_eq!(
            shown,
            [
                (0, "NVIDIA GeForce RTX 3090", false),
                (1, "NVIDIA H100 80GB HBM3", true)
            ]
        );
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn a_container_without_gpus_sees_its_hosts_list() {
        let found = look(&[("proc/driver/nvidia/gpus/0000:62:00.0/information", H100)]);
        let Finding::Found { devices, warnings } = found else {
            panic!("{found:?}");
        };
        assert_eq!(devices, []);
        insta::assert_snapshot!(warnings.join("\n"), @"the kernel has 1 NVIDIA GPU, of which 1 cannot be opened here (no /dev/nvidia file, as in a container started without `--gpus`)");
    }

    #[test]
    fn no_module_and_a_module_without_gpus() {
        assert_eq!(look(&[]), Finding::Absent);
        assert_eq!(
            look(&[("proc/driver/nvidia/version", "NVRM version: …\n")]),
            Finding::found(Vec::new())
        );
    }
}
