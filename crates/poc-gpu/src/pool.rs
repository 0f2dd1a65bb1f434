//! Which GPUs may be dealt: the host's, or what an inherited variable leaves of them.
//!
//! A scheduler (Slurm) or a container says by `CUDA_VISIBLE_DEVICES` which GPUs are ours. NVML and
//! nvidia-smi do not look at it, so it is applied here, with CUDA's own rules:
//! <https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html>.

use crate::device::{Device, GpuId, Vendor};
use crate::resolve::{Named, resolve};

/// The variables that narrow what a process may use, as inherited.
///
/// Unlike most variables, an empty one is not the same as an unset one: it hides every GPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inherited {
    /// `CUDA_VISIBLE_DEVICES`.
    pub cuda_visible_devices: Option<String>,
    /// `CUDA_DEVICE_ORDER`, which says what an index in it means.
    pub cuda_device_order: Option<String>,
    /// `ROCR_VISIBLE_DEVICES`, AMD's own.
    pub rocr_visible_devices: Option<String>,
    /// `HIP_VISIBLE_DEVICES`, which counts what `ROCR_VISIBLE_DEVICES` left.
    pub hip_visible_devices: Option<String>,
}

/// The ids that may be dealt, in their order, and what is to be said about it.
///
/// They are of one vendor, since no program uses both through one numbering: NVIDIA's where there
/// is a GPU of theirs, else AMD's.
pub(crate) fn pool(devices: &[Device], inherited: &Inherited) -> (Vec<GpuId>, Vec<String>) {
    let of = |vendor| -> Vec<&Device> {
        devices
            .iter()
            .filter(|device| device.vendor == vendor)
            .collect()
    };
    let (nvidia, amd) = (of(Vendor::Nvidia), of(Vendor::Amd));
    let mut warnings = Vec::new();
    let pool = if nvidia.is_empty() {
        amd_pool(&amd, inherited, &mut warnings)
    } else {
        if !amd.is_empty() {
            warnings.push(format!(
                "{} beside NVIDIA's {} not dealt",
                counted(amd.len(), "AMD GPU"),
                if amd.len() == 1 { "is" } else { "are" }
            ));
        }
        nvidia_pool(&nvidia, inherited, &mut warnings)
    };
    (pool, warnings)
}

fn nvidia_pool(
    devices: &[&Device],
    inherited: &Inherited,
    warnings: &mut Vec<String>,
) -> Vec<GpuId> {
    for device in devices {
        if device.mig_enabled && device.mig.is_empty() {
            warnings.push(format!(
                "GPU {} is in MIG mode and has no instance, so CUDA cannot use it \
                 (`nvidia-smi mig -cgi … -C` makes one)",
                device.index
            ));
        }
    }
    let Some(list) = &inherited.cuda_visible_devices else {
        return devices
            .iter()
            .flat_map(|device| device.dealable())
            .collect();
    };
    let (pool, used_index) = select("CUDA_VISIBLE_DEVICES", list, devices, warnings);
    let by_pci = inherited.cuda_device_order.as_deref() == Some("PCI_BUS_ID");
    let mixed = devices.windows(2).any(|pair| pair[0].name != pair[1].name);
    if used_index && mixed && !by_pci {
        warnings.push(
            "CUDA_VISIBLE_DEVICES is read in PCI bus order, as nvidia-smi numbers GPUs; without \
             CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA itself puts the fastest model first"
                .to_owned(),
        );
    }
    pool
}

fn amd_pool(devices: &[&Device], inherited: &Inherited, warnings: &mut Vec<String>) -> Vec<GpuId> {
    let mut pool: Vec<GpuId> = match &inherited.rocr_visible_devices {
        Some(list) => select("ROCR_VISIBLE_DEVICES", list, devices, warnings).0,
        None => devices.iter().map(|device| device.id()).collect(),
    };
    // HIP takes CUDA's variable in place of its own, and either counts what ROCr left.
    let (name, list) = match (
        &inherited.hip_visible_devices,
        &inherited.cuda_visible_devices,
    ) {
        (Some(list), _) => ("HIP_VISIBLE_DEVICES", list),
        (None, Some(list)) => ("CUDA_VISIBLE_DEVICES", list),
        (None, None) => return pool,
    };
    let renumbered: Vec<Device> = pool
        .iter()
        .zip(0..)
        .filter_map(|(id, position)| {
            let device = devices.iter().find(|device| device.id() == *id)?;
            let mut device = (*device).clone();
            device.index = position;
            Some(device)
        })
        .collect();
    let renumbered: Vec<&Device> = renumbered.iter().collect();
    let kept = select(name, list, &renumbered, warnings).0;
    pool = kept
        .iter()
        .filter_map(|id| match id {
            GpuId::Amd(position) => pool.get(usize::try_from(*position).ok()?).cloned(),
            _ => None,
        })
        .collect();
    pool
}

/// What a variable's list selects, and whether any of it was by index. As in CUDA, the first entry
/// that names nothing ends the list.
fn select(
    variable: &str,
    list: &str,
    devices: &[&Device],
    warnings: &mut Vec<String>,
) -> (Vec<GpuId>, bool) {
    let mut pool: Vec<GpuId> = Vec::new();
    let mut used_index = false;
    for entry in list.split(',').map(str::trim) {
        let ids = match resolve(devices, entry) {
            Named::Gpu(device) => device.dealable(),
            Named::Mig(_, instance) => vec![instance.id()],
            Named::Several(_) | Named::Nothing => {
                // These are how schedulers spell "nothing".
                let means_none = entry.is_empty()
                    || entry.starts_with('-')
                    || entry.eq_ignore_ascii_case("NoDevFiles")
                    || entry.eq_ignore_ascii_case("none")
                    || entry.eq_ignore_ascii_case("void");
                if !means_none {
                    warnings.push(format!(
                        "the inherited {variable} has `{entry}`, which is no GPU of this host: it and \
                         what follows is left out, as the runtime does"
                    ));
                }
                break;
            }
        };
        used_index |= !entry.contains('-');
        for id in ids {
            if !pool.contains(&id) {
                pool.push(id);
            }
        }
    }
    if pool.is_empty() && !devices.is_empty() {
        warnings.push(format!(
            "the inherited {variable} (`{list}`) hides {} of this host",
            match devices.len() {
                1 => "the GPU".to_owned(),
                n => format!("all {n} GPUs"),
            }
        ));
    }
    (pool, used_index)
}

fn counted(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::MigInstance;
    use proptest::prelude::*;

    fn gpus(vendor: Vendor, names: &[&str]) -> Vec<Device> {
        names
            .iter()
            .zip(0..)
            .map(|(name, index)| {
                let mut device = Device::new(vendor, index, *name, "test");
                device.uuid = Some(format!("GPU-{index}{index}{index}"));
                device
            })
            .collect()
    }

    fn cuda(list: &str) -> Inherited {
        Inherited {
            cuda_visible_devices: Some(list.to_owned()),
            ..Inherited::default()
        }
    }

    fn shown((pool, warnings): (Vec<GpuId>, Vec<String>)) -> String {
        let ids: Vec<String> = pool.iter().map(ToString::to_string).collect();
        format!("[{}] {}", ids.join(", "), warnings.join(" | "))
    }

    #[test]
    fn an_inherited_variable_is_the_pool_in_its_order() {
        let devices = gpus(Vendor::Nvidia, &["A", "A", "A", "A"]);
        let of = |list: &str| shown(pool(&devices, &cuda(list)));
        assert_eq!(
            shown(pool(&devices, &Inherited::default())),
            "[0, 1, 2, 3] "
        );
        assert_eq!(of("2,0"), "[2, 0] ");
        assert_eq!(of(" 3 , 1 "), "[3, 1] ");
        assert_eq!(of("1,1,0"), "[1, 0] ");
        assert_eq!(of("GPU-33,0"), "[3, 0] ");
        // The documentation's own example of an invalid index.
        assert_eq!(of("0,2,-1,1"), "[0, 2] ");
        insta::assert_snapshot!(of("1,7,0"), @"[1] the inherited CUDA_VISIBLE_DEVICES has `7`, which is no GPU of this host: it and what follows is left out, as the runtime does");
        insta::assert_snapshot!(of(""), @"[] the inherited CUDA_VISIBLE_DEVICES (``) hides all 4 GPUs of this host");
        insta::assert_snapshot!(of("NoDevFiles"), @"[] the inherited CUDA_VISIBLE_DEVICES (`NoDevFiles`) hides all 4 GPUs of this host");
    }

    #[test]
    fn an_index_is_unclear_on_a_host_of_several_models() {
        let devices = gpus(Vendor::Nvidia, &["A", "B"]);
        let mut inherited = cuda("1");
        assert_eq!(pool(&devices, &inherited).1.len(), 1);
        inherited.cuda_device_order = Some("PCI_BUS_ID".into());
        assert_eq!(shown(pool(&devices, &inherited)), "[1] ");
        assert_eq!(shown(pool(&devices, &cuda("GPU-11"))), "[1] ");
    }

    #[test]
    fn mig_instances_stand_for_their_gpu() {
        let mut devices = gpus(Vendor::Nvidia, &["A", "A", "A"]);
        devices[0].mig_enabled = true;
        devices[1].mig_enabled = true;
        devices[1].mig = ["MIG-a", "MIG-b"]
            .iter()
            .zip(0..)
            .map(|(uuid, index)| MigInstance {
                index,
                uuid: (*uuid).to_owned(),
                profile: "3g.20gb".to_owned(),
            })
            .collect();
        insta::assert_snapshot!(shown(pool(&devices, &Inherited::default())), @"[MIG-a, MIG-b, 2] GPU 0 is in MIG mode and has no instance, so CUDA cannot use it (`nvidia-smi mig -cgi … -C` makes one)");
        assert!(shown(pool(&devices, &cuda("MIG-b"))).starts_with("[MIG-b]"));
        assert!(shown(pool(&devices, &cuda("1"))).starts_with("[MIG-a, MIG-b]"));
    }

    #[test]
    fn hip_counts_what_rocr_left() {
        let devices = gpus(Vendor::Amd, &["M", "M", "M", "M"]);
        let of = |rocr: Option<&str>, hip: Option<&str>, cuda: Option<&str>| {
            shown(pool(
                &devices,
                &Inherited {
                    rocr_visible_devices: rocr.map(ToOwned::to_owned),
                    hip_visible_devices: hip.map(ToOwned::to_owned),
                    cuda_visible_devices: cuda.map(ToOwned::to_owned),
                    ..Inherited::default()
                },
            ))
        };
        assert_eq!(of(None, None, None), "[0, 1, 2, 3] ");
        assert_eq!(of(Some("3,1"), None, None), "[3, 1] ");
        assert_eq!(of(Some("3,1"), Some("1"), None), "[1] ");
        assert_eq!(of(Some("3,1"), None, Some("1,0")), "[1, 3] ");
        assert_eq!(of(None, Some("2"), Some("0")), "[2] ");
        assert_eq!(of(Some("GPU-22"), None, None), "[2] ");
    }

    #[test]
    fn one_vendor_a_pool() {
        let mut devices = gpus(Vendor::Nvidia, &["A"]);
        devices.extend(gpus(Vendor::Amd, &["M"]));
        insta::assert_snapshot!(shown(pool(&devices, &Inherited::default())), @"[0] 1 AMD GPU beside NVIDIA's is not dealt");
    }

    proptest! {
        #[test]
        fn a_pool_holds_each_gpu_once_and_only_ours(list in "[0-9,GPU -]{0,16}") {
            let devices = gpus(Vendor::Nvidia, &["A", "A", "A"]);
            let (pool, _) = pool(&devices, &cuda(&list));
            for (at, id) in pool.iter().enumerate() {
                prop_assert!(devices.iter().any(|device| device.id() == *id));
                prop_assert!(!pool[at + 1..].contains(id));
            }
        }
    }
}
