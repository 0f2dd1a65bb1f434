//! What a GPU is here: the fields that probes fill in, and the id by which one is dealt.

use std::fmt;

use serde::{Serialize, Serializer};

/// Who made the GPU, which decides the environment variables that select it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// NVIDIA: CUDA, selected by `CUDA_VISIBLE_DEVICES`.
    Nvidia,
    /// AMD: ROCm, selected by `ROCR_VISIBLE_DEVICES`.
    Amd,
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nvidia => "NVIDIA",
            Self::Amd => "AMD",
        })
    }
}

/// Which processes the driver admits (NVIDIA's compute mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComputeMode {
    /// Any number of processes.
    Default,
    /// One process at a time.
    ExclusiveProcess,
    /// One thread at a time; drivers no longer offer it.
    ExclusiveThread,
    /// None at all.
    Prohibited,
}

/// A slice of a GPU in MIG mode that CUDA sees as a device of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MigInstance {
    /// Position on its GPU, from 0.
    pub index: u32,
    /// `MIG-…`, the only name by which CUDA selects it.
    pub uuid: String,
    /// Size, such as `3g.20gb`, or the whole name where the probe gives no more.
    pub profile: String,
}

/// One GPU of the host.
///
/// A field is `None` where the probe could not tell, which is not rare: unified-memory parts report
/// no memory, drivers under Windows (WSL) hide processes, `/proc` knows little more than names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// The number by which the vendor's runtime selects it, in PCI bus order: nvidia-smi's index,
    /// or the position among ROCm's compute nodes.
    pub index: u32,
    /// Who made it.
    pub vendor: Vendor,
    /// `GPU-…`, as the vendor's runtime spells it.
    pub uuid: Option<String>,
    /// Domain, bus, device and function, in lower case with a domain of four digits:
    /// `0000:3b:00.0`.
    pub pci_bus_id: Option<String>,
    /// The product's name.
    pub name: String,
    /// Memory on board, in MiB.
    pub memory_total_mib: Option<u64>,
    /// Memory that processes hold, in MiB.
    pub memory_used_mib: Option<u64>,
    /// Which processes it admits.
    pub compute_mode: Option<ComputeMode>,
    /// Whether a display is drawn by it.
    pub display: Option<bool>,
    /// Whether MIG mode is on; then only its instances can be used.
    pub mig_enabled: bool,
    /// Its MIG instances, in their order.
    pub mig: Vec<MigInstance>,
    /// Ids of the processes with a compute context on it; empty also where the probe cannot tell.
    pub processes: Vec<u32>,
    /// The probe that found it.
    pub source: &'static str,
}

impl Device {
    /// A device of which no more than its number and name are known.
    pub fn new(vendor: Vendor, index: u32, name: impl Into<String>, source: &'static str) -> Self {
        Self {
            index,
            vendor,
            uuid: None,
            pci_bus_id: None,
            name: name.into(),
            memory_total_mib: None,
            memory_used_mib: None,
            compute_mode: None,
            display: None,
            mig_enabled: false,
            mig: Vec::new(),
            processes: Vec::new(),
            source,
        }
    }

    /// The id by which the whole GPU is dealt.
    pub fn id(&self) -> GpuId {
        match self.vendor {
            Vendor::Nvidia => GpuId::Nvidia(self.index),
            Vendor::Amd => GpuId::Amd(self.index),
        }
    }

    /// The ids that dealing hands out for it: itself, or its instances in MIG mode, which are none
    /// as long as nobody has made any.
    pub fn dealable(&self) -> Vec<GpuId> {
        if self.mig_enabled {
            self.mig.iter().map(MigInstance::id).collect()
        } else {
            vec![self.id()]
        }
    }
}

impl MigInstance {
    /// The id by which the instance is dealt.
    pub fn id(&self) -> GpuId {
        GpuId::Mig(self.uuid.clone())
    }
}

/// What a site is given: a whole GPU by its index, or a MIG instance by its UUID.
///
/// Displayed and serialized as that index or UUID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GpuId {
    /// An NVIDIA GPU, by nvidia-smi's index.
    Nvidia(u32),
    /// A MIG instance of an NVIDIA GPU, by its UUID.
    Mig(String),
    /// An AMD GPU, by ROCm's index.
    Amd(u32),
}

impl GpuId {
    /// The vendor whose variables select it.
    pub fn vendor(&self) -> Vendor {
        match self {
            Self::Nvidia(_) | Self::Mig(_) => Vendor::Nvidia,
            Self::Amd(_) => Vendor::Amd,
        }
    }
}

impl fmt::Display for GpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nvidia(index) | Self::Amd(index) => index.fmt(f),
            Self::Mig(uuid) => f.pad(uuid),
        }
    }
}

impl Serialize for GpuId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nvidia(index) | Self::Amd(index) => serializer.serialize_u32(*index),
            Self::Mig(uuid) => serializer.serialize_str(uuid),
        }
    }
}

/// A PCI address in one spelling, whatever the probe's: tools differ in case and in the number of
/// digits of the domain (nvidia-smi has eight, `/proc` and `/sys` four).
pub(crate) fn normal_pci(text: &str) -> Option<String> {
    let text = text.trim();
    let (domain, rest) = match text.matches(':').count() {
        1 => ("0", text),
        2 => text.split_once(':')?,
        _ => return None,
    };
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let hex = |part: &str| u32::from_str_radix(part, 16).ok();
    Some(format!(
        "{:04x}:{:02x}:{:02x}.{:x}",
        hex(domain)?,
        hex(bus)?,
        hex(device)?,
        hex(function)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_of_a_pci_address() {
        for (given, normal) in [
            ("00000000:3B:00.0", Some("0000:3b:00.0")),
            ("0000:3b:00.0", Some("0000:3b:00.0")),
            ("3B:00.0", Some("0000:3b:00.0")),
            ("0000000F:01:00.0", Some("000f:01:00.0")),
            (" 0000:05:00.1\n", Some("0000:05:00.1")),
            ("[N/A]", None),
            ("", None),
            ("a:b:c:d.e", None),
        ] {
            assert_eq!(normal_pci(given).as_deref(), normal, "{given:?}");
        }
    }

    #[test]
    fn a_gpu_in_mig_mode_is_dealt_by_its_instances() {
        let mut device = Device::new(Vendor::Nvidia, 1, "A100", "test");
        assert_eq!(device.dealable(), [GpuId::Nvidia(1)]);
        device.mig_enabled = true;
        assert_eq!(device.dealable(), []);
        device.mig.push(MigInstance {
            index: 0,
            uuid: "MIG-a".into(),
            profile: "1g.5gb".into(),
        });
        assert_eq!(device.dealable(), [GpuId::Mig("MIG-a".into())]);
    }

    #[test]
    fn ids_serialize_as_numbers_and_uuids() {
        let ids = [GpuId::Nvidia(0), GpuId::Mig("MIG-a".into()), GpuId::Amd(2)];
        assert_eq!(serde_json::to_string(&ids).unwrap(), r#"[0,"MIG-a",2]"#);
    }
}
