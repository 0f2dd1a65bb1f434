//! KFD, the kernel's compute driver for AMD GPUs: `/sys/class/kfd/kfd/topology/nodes/N`, a node a
//! processor, CPUs among them. ROCm counts the GPUs among the nodes that it can read, in the order
//! of their numbers, and so does `ROCR_VISIBLE_DEVICES`.

use std::collections::HashMap;

use camino::{Utf8Path, Utf8PathBuf};

use crate::device::{Device, Vendor};

const MIB: u64 = 1024 * 1024;

/// KFD's part of `/sys`.
pub(super) struct Kfd {
    root: Utf8PathBuf,
}

/// A GPU as KFD knows it.
#[derive(Debug, PartialEq, Eq)]
struct Node {
    number: u32,
    gpu_id: u64,
    name: String,
    pci_bus_id: String,
    uuid: Option<String>,
}

impl Kfd {
    pub(super) fn new(root: &Utf8Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    fn nodes_dir(&self) -> Utf8PathBuf {
        self.root.join("sys/class/kfd/kfd/topology/nodes")
    }

    /// Whether the driver is loaded.
    pub(super) fn is_there(&self) -> bool {
        self.nodes_dir().is_dir()
    }

    /// The GPUs that the driver lists.
    pub(super) fn devices(&self, source: &'static str) -> Vec<Device> {
        self.nodes()
            .into_iter()
            .zip(0..)
            .map(|(node, index)| {
                let pci = self.pci_dir(&node.pci_bus_id);
                let product = text(&pci.join("product_name"));
                let bytes = |file: &str| text(&pci.join(file))?.parse::<u64>().ok();
                let name = product.unwrap_or_else(|| format!("AMD GPU ({})", node.name));
                let mut device = Device::new(Vendor::Amd, index, name, source);
                device.memory_total_mib = bytes("mem_info_vram_total").map(|total| total / MIB);
                device.memory_used_mib = bytes("mem_info_vram_used").map(|used| used / MIB);
                self.add(&mut device, &node);
                device.pci_bus_id = Some(node.pci_bus_id);
                device.uuid = node.uuid;
                device
            })
            .collect()
    }

    /// Gives devices that a tool listed KFD's index, if KFD lists the very same ones, and adds what
    /// only the kernel knows.
    pub(super) fn complete(&self, devices: &mut [Device]) {
        let nodes = self.nodes();
        let place = |device: &Device| {
            nodes
                .iter()
                .position(|node| Some(&node.pci_bus_id) == device.pci_bus_id.as_ref())
        };
        let mut places: Vec<usize> = devices.iter().filter_map(place).collect();
        let all_found = places.len() == devices.len() && places.len() == nodes.len();
        places.sort_unstable();
        places.dedup();
        let one_to_one = all_found && places.len() == nodes.len();
        for device in devices {
            let Some(place) = place(device) else {
                continue;
            };
            self.add(device, &nodes[place]);
            if one_to_one && let Ok(index) = u32::try_from(place) {
                device.index = index;
            }
        }
    }

    fn add(&self, device: &mut Device, node: &Node) {
        device.display = self.drives_display(&node.pci_bus_id);
        device.processes = self.processes(node.gpu_id);
    }

    fn pci_dir(&self, pci_bus_id: &str) -> Utf8PathBuf {
        self.root.join("sys/bus/pci/devices").join(pci_bus_id)
    }

    fn nodes(&self) -> Vec<Node> {
        let mut nodes: Vec<Node> = names(&self.nodes_dir())
            .into_iter()
            .filter_map(|name| {
                let number = name.parse().ok()?;
                let dir = self.nodes_dir().join(name);
                // A node whose device is withheld from this container cannot be read.
                let properties = text(&dir.join("properties"))?;
                let gpu_id = text(&dir.join("gpu_id"))?.parse().ok()?;
                let name = text(&dir.join("name")).unwrap_or_default();
                node(number, gpu_id, name, &properties)
            })
            .collect();
        nodes.sort_by_key(|node| node.number);
        nodes
    }

    /// Whether a connector of the card is lit; `None` where its connectors cannot be read.
    fn drives_display(&self, pci_bus_id: &str) -> Option<bool> {
        let drm = self.pci_dir(pci_bus_id).join("drm");
        let card = names(&drm)
            .into_iter()
            .find(|name| name.starts_with("card"))?;
        let card_dir = drm.join(&card);
        Some(
            names(&card_dir)
                .iter()
                .filter(|name| name.starts_with(&card))
                .any(|connector| {
                    text(&card_dir.join(connector).join("enabled")).as_deref() == Some("enabled")
                }),
        )
    }

    /// The processes that hold memory of a GPU: `/sys/class/kfd/kfd/proc/PID/vram_GPUID`.
    fn processes(&self, gpu_id: u64) -> Vec<u32> {
        let dir = self.root.join("sys/class/kfd/kfd/proc");
        let holds = |pid: &str| {
            text(&dir.join(pid).join(format!("vram_{gpu_id}")))
                .and_then(|bytes| bytes.parse::<u64>().ok())
                .is_some_and(|bytes| bytes > 0)
        };
        let mut pids: Vec<u32> = names(&dir)
            .into_iter()
            .filter(|pid| holds(pid))
            .filter_map(|pid| pid.parse().ok())
            .collect();
        pids.sort_unstable();
        pids
    }
}

/// A node of a GPU, from its `name value` lines; `None` for a CPU's.
fn node(number: u32, gpu_id: u64, name: String, properties: &str) -> Option<Node> {
    let properties: HashMap<&str, u64> = properties
        .lines()
        .filter_map(|line| {
            let (key, value) = line.split_once(' ')?;
            Some((key, value.trim().parse().ok()?))
        })
        .collect();
    let value = |key| properties.get(key).copied().unwrap_or(0);
    if value("simd_count") == 0 {
        return None;
    }
    let (domain, location) = (value("domain"), value("location_id"));
    Some(Node {
        number,
        gpu_id,
        name,
        pci_bus_id: format!(
            "{domain:04x}:{:02x}:{:02x}.{:x}",
            location >> 8 & 0xff,
            location >> 3 & 0x1f,
            location & 0x7
        ),
        uuid: super::uuid(value("unique_id")),
    })
}

fn text(file: &Utf8Path) -> Option<String> {
    let text = fs_err::read_to_string(file).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The names in a directory; none if it cannot be read.
fn names(dir: &Utf8Path) -> Vec<String> {
    dir.read_dir_utf8()
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_owned())
        .collect()
}
