//! The origin of each text is stated: "recorded" ones were published by users of real machines,
//! "made up" ones have the form of such.

use super::*;
use crate::device::Device;
use crate::probe::testing::{scripts, tree};

/// Recorded on a desktop with `amd-smi static --json` (nathaninline/ajean issue 39), shortened; the
/// amount of memory is made up.
const STATIC: &str = r#"/usr/lib/python3.14/site-packages/amdsmi/amdsmi_interface.py:3569: SyntaxWarning: 'return' in a 'finally' block
  return return_dictionary
{
    "gpu_data": [
        {
            "gpu": 0,
            "asic": {
                "market_name": "AMD Radeon RX 7800 XT",
                "vendor_id": "0x1002",
                "asic_serial": "0x4162405E51BB99B0",
                "oam_id": "N/A",
                "target_graphics_version": "gfx1101"
            },
            "bus": { "bdf": "0000:03:00.0", "max_pcie_width": 16 },
            "vram": { "type": "GDDR6", "size": { "value": 16368, "unit": "MB" } }
        }
    ]
}
"#;

/// Made up, in the form of older versions: a bare array, amounts as text, a value that is missing.
const OLD_STATIC: &str = r#"[
  {"gpu": 0, "asic": {"market_name": "MI300A", "asic_serial": "0x7E8F7E20764E2714"},
   "bus": {"bdf": "0000:83:00.0"}, "vram": {"size": "65536 MB"}},
  {"gpu": 1, "asic": {"market_name": "N/A", "asic_serial": "N/A"},
   "bus": {"bdf": "0000:03:00.0"}, "vram": {"size": {"value": "N/A", "unit": "MB"}}}
]"#;

/// Made up, in the form that amd-smi's sources give it.
const METRIC: &str = r#"{"gpu_data": [{"gpu": 0, "mem_usage": {
  "total_vram": {"value": 16368, "unit": "MB"}, "used_vram": {"value": 2048, "unit": "MB"}}}]}"#;

/// Recorded with rocm-smi (marimo-team/marimo issue 9237 for the first card,
/// sebhildebrandt/systeminformation pull 960 for the second), put together and shortened.
const ROCM: &str = r#"{
  "card1": {
    "Device Name": "Phoenix3", "Unique ID": "N/A", "PCI Bus": "0000:C4:00.0"
  },
  "card0": {
    "VRAM Total Memory (B)": "21458059264",
    "VRAM Total Used Memory (B)": "27856896",
    "Card Series": "Radeon RX 7900 XT",
    "Card Model": "0x744c",
    "Unique ID": "0x9246a0b1c2d3e4f5",
    "PCI Bus": "0000:03:00.0",
    "Node ID": "1"
  },
  "system": {"Driver version": "6.12.12"}
}"#;

/// Made up, in the form of the kernel's lines for a GPU.
fn node(location: u32, unique_id: u64) -> String {
    format!(
        "cpu_cores_count 0\nsimd_count 480\nmem_banks_count 1\ngfx_target_version 90008\n\
         vendor_id 4098\ndevice_id 29580\nlocation_id {location}\ndomain 0\n\
         drm_render_minor 128\nunique_id {unique_id}\n"
    )
}

/// Made up: a CPU, then two GPUs, the one at bus 3 first.
fn kfd_files() -> Vec<(String, String)> {
    let nodes = "sys/class/kfd/kfd/topology/nodes";
    let pci = "sys/bus/pci/devices";
    [
        (
            format!("{nodes}/0/properties"),
            "cpu_cores_count 16\nsimd_count 0\n".to_owned(),
        ),
        (format!("{nodes}/0/gpu_id"), "0\n".to_owned()),
        (
            format!("{nodes}/1/properties"),
            node(0x0300, 4_711_398_934_025_312_688),
        ),
        (format!("{nodes}/1/gpu_id"), "51887\n".to_owned()),
        (format!("{nodes}/1/name"), "navi32\n".to_owned()),
        (format!("{nodes}/2/properties"), node(0x8300, 0)),
        (format!("{nodes}/2/gpu_id"), "42700\n".to_owned()),
        (format!("{nodes}/2/name"), "arcturus\n".to_owned()),
        (
            format!("{pci}/0000:03:00.0/mem_info_vram_total"),
            "17163091968\n".to_owned(),
        ),
        (
            format!("{pci}/0000:03:00.0/mem_info_vram_used"),
            "692142080\n".to_owned(),
        ),
        (
            format!("{pci}/0000:03:00.0/drm/card1/card1-DP-1/enabled"),
            "disabled\n".to_owned(),
        ),
        (
            format!("{pci}/0000:03:00.0/drm/card1/card1-DP-2/enabled"),
            "enabled\n".to_owned(),
        ),
        (
            format!("{pci}/0000:83:00.0/product_name"),
            "AMD Instinct MI100\n".to_owned(),
        ),
        (
            "sys/class/kfd/kfd/proc/4711/vram_42700".to_owned(),
            "1048576\n".to_owned(),
        ),
        (
            "sys/class/kfd/kfd/proc/4712/vram_42700".to_owned(),
            "0\n".to_owned(),
        ),
    ]
    .to_vec()
}

fn with_kfd() -> (tempfile::TempDir, Utf8PathBuf) {
    let files = kfd_files();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    tree(&files)
}

fn json(text: &str) -> Value {
    match read("tool", Some(0), text, "") {
        Said::Json(json) => json,
        other => panic!("{other:?}"),
    }
}

fn devices(finding: Finding) -> Vec<Device> {
    match finding {
        Finding::Found { devices, .. } => devices,
        other => panic!("{other:?}"),
    }
}

#[test]
fn amd_smi_new_and_old() {
    let mut new = amd_smi::devices(&json(STATIC));
    amd_smi::add_memory(&mut new, &json(METRIC));
    let [gpu] = new.as_slice() else {
        panic!("{new:?}");
    };
    assert_eq!((gpu.index, gpu.name.as_str()), (0, "AMD Radeon RX 7800 XT"));
    assert_eq!(gpu.uuid.as_deref(), Some("GPU-4162405e51bb99b0"));
    assert_eq!(gpu.pci_bus_id.as_deref(), Some("0000:03:00.0"));
    assert_eq!(gpu.memory_total_mib, Some(16368));
    assert_eq!(gpu.memory_used_mib, Some(2048));

    let old = amd_smi::devices(&json(OLD_STATIC));
    assert_eq!(
        (old[0].name.as_str(), old[0].memory_total_mib),
        ("MI300A", Some(65536))
    );
    assert_eq!(
        (old[1].name.as_str(), old[1].memory_total_mib),
        ("AMD GPU", None)
    );
    assert_eq!(old[1].uuid, None);
}

#[test]
fn rocm_smi_by_card() {
    let found = rocm_smi::devices(&json(ROCM));
    let shown: Vec<_> = found
        .iter()
        .map(|gpu| (gpu.index, gpu.name.as_str(), gpu.uuid.as_deref()))
        .collect();
    assert_eq!(
        shown,
        [
            (0, "Radeon RX 7900 XT", Some("GPU-9246a0b1c2d3e4f5")),
            (1, "Phoenix3", None),
        ]
    );
    assert_eq!(found[0].memory_total_mib, Some(20464));
    assert_eq!(found[0].memory_used_mib, Some(26));
    assert_eq!(found[1].pci_bus_id.as_deref(), Some("0000:c4:00.0"));
}

#[test]
fn the_kernels_own_list() {
    let (_dir, root) = with_kfd();
    let found = devices(Sysfs { root }.look());
    let [first, second] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((first.index, first.name.as_str()), (0, "AMD GPU (navi32)"));
    assert_eq!(first.uuid.as_deref(), Some("GPU-4162405e51bb99b0"));
    assert_eq!(first.pci_bus_id.as_deref(), Some("0000:03:00.0"));
    assert_eq!(first.memory_total_mib, Some(16368));
    assert_eq!(first.memory_used_mib, Some(660));
    assert_eq!(first.display, Some(true));
    assert!(first.processes.is_empty());
    assert_eq!(
        (second.index, second.name.as_str()),
        (1, "AMD Instinct MI100")
    );
    assert_eq!(second.uuid, None);
    assert_eq!(second.display, None);
    assert_eq!(second.processes, [4711]);
}

#[test]
fn a_tools_order_gives_way_to_kfds() {
    let (_dir, root) = with_kfd();
    let bin = scripts(&[(
        "amd-smi",
        &format!("case $1 in static) cat <<'E'\n{OLD_STATIC}\nE\n;; *) exit 1;; esac"),
    )]);
    let probe = AmdSmi::new(&DiscoverOptions {
        path: Some(bin.path().into()),
        root,
        ..DiscoverOptions::default()
    });
    let found = devices(probe.look());
    let shown: Vec<_> = found
        .iter()
        .map(|gpu| {
            (
                gpu.index,
                gpu.pci_bus_id.as_deref().unwrap(),
                gpu.processes.len(),
            )
        })
        .collect();
    assert_eq!(shown, [(1, "0000:83:00.0", 1), (0, "0000:03:00.0", 0)]);
}

#[test]
fn a_tools_order_stands_where_kfd_lists_other_gpus() {
    let (_dir, root) = with_kfd();
    let mut found = amd_smi::devices(&json(STATIC));
    found[0].index = 5;
    Kfd::new(&root).complete(&mut found);
    assert_eq!((found[0].index, found[0].display), (5, Some(true)));
}

#[test]
fn empty_and_broken() {
    // Recorded (ROCm/legacy-rocm-build issue 4374) and made up.
    for text in [
        "WARNING: No JSON data to report\n",
        "WARNING: No AMD GPUs specified\n",
    ] {
        assert_eq!(read("rocm-smi", Some(0), text, ""), Said::NoGpus);
    }
    // The message is amd-smi's (its amdsmi_init.py).
    let broken = read(
        "amd-smi",
        Some(255),
        "",
        "ERROR: Driver not loaded (amdgpu not found in modules)\n",
    );
    assert_eq!(
        broken,
        Said::Failed(Finding::broken(
            "amd-smi: ERROR: Driver not loaded (amdgpu not found in modules)"
        ))
    );
    assert_eq!(amd_smi::devices(&json("[]")), []);

    let (_dir, root) = tree(&[]);
    let options = DiscoverOptions {
        root,
        ..DiscoverOptions::default()
    };
    assert_eq!(AmdSmi::new(&options).look(), Finding::Absent);
    assert_eq!(RocmSmi::new(&options).look(), Finding::Absent);
    assert_eq!(Sysfs::new(&options).look(), Finding::Absent);
}

#[test]
fn a_hanging_tool_is_given_up() {
    let bin = scripts(&[("rocm-smi", "exec sleep 1000")]);
    let probe = RocmSmi::new(&DiscoverOptions {
        path: Some(bin.path().into()),
        timeout: Duration::from_millis(300),
        ..DiscoverOptions::default()
    });
    let Finding::Broken { hangs: true, .. } = probe.look() else {
        panic!("it answered");
    };
}
