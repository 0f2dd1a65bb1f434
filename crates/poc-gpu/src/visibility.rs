//! How an assignment reaches a process: environment variables, or an argument for Docker.

use serde::{Serialize, Serializer};

use crate::device::{GpuId, Vendor};

const CUDA_VISIBLE_DEVICES: &str = "CUDA_VISIBLE_DEVICES";
const CUDA_DEVICE_ORDER: &str = "CUDA_DEVICE_ORDER";
const ROCR_VISIBLE_DEVICES: &str = "ROCR_VISIBLE_DEVICES";
const HIP_VISIBLE_DEVICES: &str = "HIP_VISIBLE_DEVICES";

/// What one site gets.
///
/// Serialized as the list of its ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Share {
    /// No assignment was made, since the host has nothing to deal: the environment stays as it is.
    Untouched,
    /// The site shall see no GPU.
    Hidden {
        /// Whether there are AMD's to hide too, which takes a variable more.
        amd: bool,
    },
    /// These, each once, the first being the program's first.
    Gpus(Vec<GpuId>),
}

impl Share {
    /// The GPUs; none for a site that is left alone or sees nothing.
    pub fn gpus(&self) -> &[GpuId] {
        match self {
            Self::Gpus(gpus) => gpus,
            Self::Untouched | Self::Hidden { .. } => &[],
        }
    }

    /// The variables to set for the site's process.
    ///
    /// NVIDIA: `CUDA_VISIBLE_DEVICES` with indices, because NVFlare's GPU resource manager reads
    /// nothing else there (a UUID makes it take every GPU of the host for its own), and
    /// `CUDA_DEVICE_ORDER=PCI_BUS_ID`, without which an index means another GPU to CUDA than to
    /// nvidia-smi. MIG instances have no index, so theirs are UUIDs. AMD: `ROCR_VISIBLE_DEVICES`
    /// with indices; see [`unset`](Self::unset) for what must not stand beside it.
    ///
    /// ```
    /// use poc_gpu::{GpuId, Share};
    ///
    /// let share = Share::Gpus(vec![GpuId::Nvidia(0), GpuId::Nvidia(2)]);
    /// assert_eq!(
    ///     share.environment(),
    ///     [
    ///         ("CUDA_VISIBLE_DEVICES".to_string(), "0,2".to_string()),
    ///         ("CUDA_DEVICE_ORDER".to_string(), "PCI_BUS_ID".to_string()),
    ///     ]
    /// );
    /// ```
    pub fn environment(&self) -> Vec<(String, String)> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        match self {
            Self::Untouched => Vec::new(),
            Self::Hidden { amd } => {
                let mut set = vec![pair(CUDA_VISIBLE_DEVICES, "")];
                if *amd {
                    // HIP takes an empty variable for an unset one; no GPU has this index.
                    set.push(pair(HIP_VISIBLE_DEVICES, "-1"));
                }
                set
            }
            Self::Gpus(gpus) => match gpus.first().map(GpuId::vendor) {
                None => Vec::new(),
                Some(Vendor::Nvidia) => vec![
                    pair(CUDA_VISIBLE_DEVICES, &joined(gpus)),
                    pair(CUDA_DEVICE_ORDER, "PCI_BUS_ID"),
                ],
                Some(Vendor::Amd) => vec![pair(ROCR_VISIBLE_DEVICES, &joined(gpus))],
            },
        }
    }

    /// The variables to take out of the inherited environment.
    ///
    /// On AMD, HIP's variables (and CUDA's, which HIP heeds too) count what `ROCR_VISIBLE_DEVICES`
    /// left over: an inherited one would select twice, and often nothing.
    pub fn unset(&self) -> &'static [&'static str] {
        match self.gpus().first().map(GpuId::vendor) {
            Some(Vendor::Amd) => &[HIP_VISIBLE_DEVICES, CUDA_VISIBLE_DEVICES],
            Some(Vendor::Nvidia) | None => &[],
        }
    }

    /// The value of Docker's `--gpus` for the site's container, or `None` where the option has no
    /// place: nothing assigned, everything hidden, or AMD, which Docker passes by `--device`.
    ///
    /// The quotes are part of the value: Docker reads it as CSV, and a bare `device=0,2` would end
    /// at the comma, as a bare number would be a count. In a shell: `--gpus '"device=0,2"'`. Inside
    /// the container the GPUs count from 0 again, so [`environment`](Self::environment) does not
    /// belong there.
    pub fn docker_gpus(&self) -> Option<String> {
        let gpus = self.gpus();
        (gpus.first()?.vendor() == Vendor::Nvidia).then(|| format!("\"device={}\"", joined(gpus)))
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.gpus().serialize(serializer)
    }
}

fn joined(gpus: &[GpuId]) -> String {
    gpus.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(share: &Share) -> String {
        let set: Vec<String> = share
            .environment()
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!(
            "set {set:?}, unset {:?}, docker {:?}",
            share.unset(),
            share.docker_gpus()
        )
    }

    #[test]
    fn the_effect_of_each_share() {
        let shares = [
            ("untouched", Share::Untouched),
            ("hidden", Share::Hidden { amd: false }),
            ("hidden, AMD too", Share::Hidden { amd: true }),
            ("one", Share::Gpus(vec![GpuId::Nvidia(3)])),
            (
                "several",
                Share::Gpus(vec![GpuId::Nvidia(2), GpuId::Nvidia(0)]),
            ),
            ("mig", Share::Gpus(vec![GpuId::Mig("MIG-c7384736".into())])),
            ("amd", Share::Gpus(vec![GpuId::Amd(0), GpuId::Amd(1)])),
        ];
        let report: Vec<String> = shares
            .iter()
            .map(|(name, share)| format!("{name}: {}", shown(share)))
            .collect();
        insta::assert_snapshot!(report.join("\n"), @r#"
        untouched: set [], unset [], docker None
        hidden: set ["CUDA_VISIBLE_DEVICES="], unset [], docker None
        hidden, AMD too: set ["CUDA_VISIBLE_DEVICES=", "HIP_VISIBLE_DEVICES=-1"], unset [], docker None
        one: set ["CUDA_VISIBLE_DEVICES=3", "CUDA_DEVICE_ORDER=PCI_BUS_ID"], unset [], docker Some("\"device=3\"")
        several: set ["CUDA_VISIBLE_DEVICES=2,0", "CUDA_DEVICE_ORDER=PCI_BUS_ID"], unset [], docker Some("\"device=2,0\"")
        mig: set ["CUDA_VISIBLE_DEVICES=MIG-c7384736", "CUDA_DEVICE_ORDER=PCI_BUS_ID"], unset [], docker Some("\"device=MIG-c7384736\"")
        amd: set ["ROCR_VISIBLE_DEVICES=0,1"], unset ["HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"], docker None
        "#);
    }
}
