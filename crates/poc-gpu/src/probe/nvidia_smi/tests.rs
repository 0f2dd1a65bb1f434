//! The origin of each text is stated: "recorded" ones were published by users of real machines,
//! "made up" ones have the form of such.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::device::{ComputeMode, MigInstance};
use crate::probe::testing::{scripts, tree};

/// Made up, in the form of driver 535's answer to [`FULL_FIELDS`] on a machine with eight H100s;
/// GPU 3 drives a display and is exclusive, GPU 7 has no MIG line as on older cards.
const EIGHT: &str = "\
0, GPU-00000000-1111-2222-3333-444444444440, 00000000:18:00.0, 81559, 4, Default, Disabled, Disabled, NVIDIA H100 80GB HBM3
1, GPU-00000000-1111-2222-3333-444444444441, 00000000:2A:00.0, 81559, 4, Default, Disabled, Disabled, NVIDIA H100 80GB HBM3
2, GPU-00000000-1111-2222-3333-444444444442, 00000000:3A:00.0, 81559, 4, Default, Disabled, Disabled, NVIDIA H100 80GB HBM3
3, GPU-00000000-1111-2222-3333-444444444443, 00000000:5D:00.0, 81559, 60231, Exclusive_Process, Enabled, Disabled, NVIDIA H100 80GB HBM3
4, GPU-00000000-1111-2222-3333-444444444444, 00000000:9A:00.0, 81559, 4, Prohibited, Disabled, Disabled, NVIDIA H100 80GB HBM3
5, GPU-00000000-1111-2222-3333-444444444445, 00000000:AB:00.0, 81559, 4, Default, Disabled, Disabled, NVIDIA H100 80GB HBM3
6, GPU-00000000-1111-2222-3333-444444444446, 00000000:BA:00.0, 81559, 4, Default, Disabled, Disabled, NVIDIA H100 80GB HBM3
7, GPU-00000000-1111-2222-3333-444444444447, 00000000:DB:00.0, 81559, 4, Default, Disabled, [N/A], NVIDIA H100 80GB HBM3
";

/// Recorded on four A100s, one in MIG mode, with `nvidia-smi -L` (influxdata/telegraf issue 5812).
const MIG_LIST: &str = "\
GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-513536b6-7d19-9063-b049-1e69664bb298)
  MIG 1g.20gb     Device  0: (UUID: MIG-ce861fb0-a248-58ce-a9a8-f9adbc22a66a)
  MIG 1g.20gb     Device  1: (UUID: MIG-a45882f0-9215-5733-a0c1-49286ab31cb5)
  MIG 1g.20gb     Device  2: (UUID: MIG-f00d722c-f4e1-52c9-aa31-750441ae1bfe)
  MIG 1g.20gb     Device  3: (UUID: MIG-930574a9-d43a-5d2b-95da-3e68384c8d6b)
GPU 1: NVIDIA A100-SXM4-80GB (UUID: GPU-d8594bd4-0fc3-8595-e355-7c98138f3b95)
GPU 2: NVIDIA A100-SXM4-80GB (UUID: GPU-5e375e7e-b41f-155b-dcdc-534524c356fc)
GPU 3: NVIDIA A100-SXM4-80GB (UUID: GPU-69ec2344-ebac-b028-f88f-452abb3d7f11)
";

/// Made up for the first two of those.
const MIG_ROWS: &str = "\
0, GPU-513536b6-7d19-9063-b049-1e69664bb298, 00000000:01:00.0, 81920, 87, Default, Disabled, Enabled, NVIDIA A100-SXM4-80GB
1, GPU-d8594bd4-0fc3-8595-e355-7c98138f3b95, 00000000:41:00.0, 81920, 0, Default, Disabled, Disabled, NVIDIA A100-SXM4-80GB
";

/// Made up, with the memory fields that a DGX Spark gives (unslothai/unsloth pull 10283), on a
/// machine whose driver knows little of the rest either.
const UNIFIED: &str = "0, GPU-2dee1e25-0000-0000-0000-000000000000, 0000000F:01:00.0, [N/A], [N/A], Default, [Not Supported], [N/A], NVIDIA GB10\n";

/// Recorded (anderskm/gputil issue 55), exit code 18.
const MISMATCH: &str =
    "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.161\n";

/// Recorded (GoogleCloudPlatform/compute-gpu-installation pull 18), exit code 9.
const NOT_LOADED: &str = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n\n";

/// Recorded under WSL (microsoft/WSL issue 14339), exit code 17 as NVML numbers it.
const BLOCKED: &str = "Failed to initialize NVML: GPU access blocked by the operating system\nFailed to properly shut down NVML: GPU access blocked by the operating system\n";

/// Recorded (NVIDIA/open-gpu-kernel-modules issue 387): one of several GPUs fell off the bus.
const LOST: &str = "Unable to determine the device handle for GPU 0000:0B:00.0: Unknown Error\n";

/// Recorded: an old driver asked for a field of a newer one, exit code 2.
const NO_FIELD: &str = "Field \"mig.mode.current\" is not a valid field to query.\n\n";

/// A tool that answers each question as it is told, and says nothing to all others.
fn tool(answers: &[(&'static str, i32, &'static str)]) -> impl Fn(&[&str]) -> Ran {
    let answers = answers.to_vec();
    move |arguments| {
        let asked = arguments.join(" ");
        let (code, stdout) = answers
            .iter()
            .find(|(question, ..)| asked.contains(question))
            .map_or((0, ""), |(_, code, stdout)| (*code, *stdout));
        Ran::Ended {
            code: Some(code),
            stdout: stdout.to_owned(),
            stderr: String::new(),
        }
    }
}

fn asked(answers: &[(&'static str, i32, &'static str)]) -> Finding {
    interview(Duration::from_secs(10), tool(answers))
}

fn devices(finding: Finding) -> Vec<Device> {
    match finding {
        Finding::Found { devices, warnings } if warnings.is_empty() => devices,
        other => panic!("{other:?}"),
    }
}

#[test]
fn eight_gpus_and_who_is_on_them() {
    let devices = devices(asked(&[
        ("mig.mode.current", 0, EIGHT),
        (
            "--query-compute-apps",
            0,
            "GPU-00000000-1111-2222-3333-444444444443, 4711\n\
             GPU-00000000-1111-2222-3333-444444444443, 4712\n\
             GPU-00000000-1111-2222-3333-444444444443, 4711\n\
             GPU-00000000-1111-2222-3333-444444444447, [N/A]\n\
             GPU-of-somebody-else, 1\n",
        ),
    ]));
    assert_eq!(
        devices.iter().map(|gpu| gpu.index).collect::<Vec<_>>(),
        (0..8).collect::<Vec<_>>()
    );
    let busy = &devices[3];
    assert_eq!(busy.name, "NVIDIA H100 80GB HBM3");
    assert_eq!(
        busy.uuid.as_deref(),
        Some("GPU-00000000-1111-2222-3333-444444444443")
    );
    assert_eq!(busy.pci_bus_id.as_deref(), Some("0000:5d:00.0"));
    assert_eq!(busy.memory_total_mib, Some(81559));
    assert_eq!(busy.memory_used_mib, Some(60231));
    assert_eq!(busy.compute_mode, Some(ComputeMode::ExclusiveProcess));
    assert_eq!(busy.display, Some(true));
    assert_eq!(busy.processes, [4711, 4712]);
    assert_eq!(devices[4].compute_mode, Some(ComputeMode::Prohibited));
    assert!(devices[7].processes.is_empty());
    assert!(devices.iter().all(|gpu| !gpu.mig_enabled));
}

#[test]
fn mig_instances_come_from_the_list() {
    let devices = devices(asked(&[
        ("mig.mode.current", 0, MIG_ROWS),
        ("-L", 0, MIG_LIST),
    ]));
    assert!(devices[0].mig_enabled && !devices[1].mig_enabled);
    assert_eq!(devices[0].mig.len(), 4);
    assert_eq!(
        devices[0].mig[1],
        MigInstance {
            index: 1,
            uuid: "MIG-a45882f0-9215-5733-a0c1-49286ab31cb5".to_owned(),
            profile: "1g.20gb".to_owned(),
        }
    );
    // MIG mode without an instance.
    let none = asked(&[
        ("mig.mode.current", 0, MIG_ROWS),
        (
            "-L",
            0,
            "GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-513536b6)\n",
        ),
    ]);
    let Finding::Found { devices, .. } = none else {
        panic!("{none:?}");
    };
    assert!(devices[0].mig_enabled && devices[0].mig.is_empty());
}

#[test]
fn what_a_driver_does_not_tell_is_unknown_not_zero() {
    let devices = devices(asked(&[("mig.mode.current", 0, UNIFIED)]));
    let gpu = &devices[0];
    assert_eq!(gpu.name, "NVIDIA GB10");
    assert_eq!(gpu.pci_bus_id.as_deref(), Some("000f:01:00.0"));
    assert_eq!((gpu.memory_total_mib, gpu.memory_used_mib), (None, None));
    assert_eq!((gpu.display, gpu.mig_enabled), (None, false));
}

#[test]
fn an_older_driver_is_asked_for_less() {
    let basic = "0, GPU-aaaa, 0000:01:00.0, 11178, 5, GeForce GTX 1080 Ti\n";
    let devices = devices(asked(&[
        ("mig.mode.current", 2, NO_FIELD),
        ("memory.used,name", 0, basic),
    ]));
    assert_eq!(devices[0].name, "GeForce GTX 1080 Ti");
    assert_eq!(devices[0].memory_total_mib, Some(11178));
}

#[test]
fn a_tool_that_knows_only_its_list() {
    let devices = devices(asked(&[("--query-gpu", 2, NO_FIELD), ("-L", 0, MIG_LIST)]));
    assert_eq!(devices.len(), 4);
    assert_eq!(devices[0].mig.len(), 4);
    assert_eq!(devices[3].name, "NVIDIA A100-SXM4-80GB");
}

#[test]
fn a_tool_that_knows_only_what_nvflare_asks() {
    let devices = devices(asked(&[("--query-gpu=index ", 0, "index\n0\n1\n")]));
    let indices: Vec<_> = devices.iter().map(|gpu| gpu.index).collect();
    assert_eq!(indices, [0, 1]);
}

#[test]
fn units_headers_line_ends_and_odd_names_do_not_matter() {
    let text = "\u{feff}index, uuid, pci.bus_id, memory.total [MiB], memory.used [MiB], name\r\n\
                0, GPU-a, 00000000:01:00.0, 8192 MiB, 12 MiB, NVIDIA RTX, 2nd edition\r\n";
    let rows = parse::rows(text, &BASIC_FIELDS);
    assert_eq!(rows.rest, [""; 0]);
    assert_eq!(rows.devices[0].memory_total_mib, Some(8192));
    assert_eq!(rows.devices[0].name, "NVIDIA RTX, 2nd edition");
}

#[test]
fn one_lost_gpu_does_not_hide_the_others() {
    let rows = MIG_ROWS.replace("Enabled", "Disabled");
    let text: &'static str = Box::leak(format!("{LOST}{rows}").into_boxed_str());
    let found = asked(&[("mig.mode.current", 255, text)]);
    let Finding::Found { devices, warnings } = found else {
        panic!("{found:?}");
    };
    assert_eq!(devices.len(), 2);
    insta::assert_snapshot!(warnings.join("\n"), @"nvidia-smi says: Unable to determine the device handle for GPU 0000:0B:00.0: Unknown Error");
}

#[test]
fn an_empty_host_and_a_broken_driver_are_two_things() {
    for code in [0, 6] {
        assert_eq!(
            asked(&[("", code, "No devices were found\n")]),
            Finding::found(Vec::new())
        );
    }
    assert_eq!(asked(&[]), Finding::found(Vec::new()));

    let mut report = Vec::new();
    for (code, text) in [
        (18, MISMATCH),
        (9, NOT_LOADED),
        // As a wrapper would hand it on.
        (0, NOT_LOADED),
        (17, BLOCKED),
        (15, LOST),
        (255, ""),
        (
            127,
            "nvidia-smi: error while loading shared libraries: libnvidia-ml.so.1\n",
        ),
        (0, "Guten Tag\n"),
    ] {
        let Finding::Broken { reason, hangs } = asked(&[("", code, text)]) else {
            panic!("{text}");
        };
        assert!(!hangs);
        report.push(format!("{code}: {reason}"));
    }
    insta::assert_snapshot!(report.join("\n"), @r"
    18: Failed to initialize NVML: Driver/library version mismatch; NVML library version: 535.161
    9: NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running
    0: NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running
    17: Failed to initialize NVML: GPU access blocked by the operating system; Failed to properly shut down NVML: GPU access blocked by the operating system
    15: Unable to determine the device handle for GPU 0000:0B:00.0: Unknown Error
    255: nvidia-smi failed with exit code 255 and said nothing
    127: nvidia-smi: error while loading shared libraries: libnvidia-ml.so.1
    0: nvidia-smi says what cannot be read: Guten Tag
    ");
}

/// A stand-in that answers by its arguments, on a `PATH` of its own.
const SCRIPT: &str = r#"
case "$1" in
  --query-gpu=index,uuid*name) printf '0, GPU-a, 00000000:01:00.0, 8192, 12, Default, Disabled, [N/A], NVIDIA L4\n' ;;
  --query-compute-apps=*) printf 'GPU-a, %s\n' 42 ;;
  *) exit 2 ;;
esac"#;

#[test]
fn the_tool_is_run_from_path() {
    let dir = scripts(&[("nvidia-smi", SCRIPT)]);
    let probe = NvidiaSmi::new(&DiscoverOptions {
        path: Some(dir.path().into()),
        ..DiscoverOptions::default()
    });
    let devices = devices(probe.look());
    assert_eq!((devices.len(), &devices[0].processes[..]), (1, &[42][..]));
}

#[test]
fn under_wsl_the_tool_is_not_on_path() {
    let (_dir, root) = tree(&[("usr/lib/wsl/lib/nvidia-smi", "#!/bin/sh\n")]);
    let tool = root.join("usr/lib/wsl/lib/nvidia-smi");
    fs_err::write(&tool, format!("#!/bin/sh\n{SCRIPT}\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(&tool, mode).unwrap();
    let probe = NvidiaSmi::new(&DiscoverOptions {
        root,
        ..DiscoverOptions::default()
    });
    assert_eq!(devices(probe.look()).len(), 1);
}

#[test]
fn a_hanging_driver_is_given_up() {
    let dir = scripts(&[("nvidia-smi", "exec sleep 1000")]);
    let probe = NvidiaSmi::new(&DiscoverOptions {
        path: Some(dir.path().into()),
        timeout: Duration::from_millis(300),
        ..DiscoverOptions::default()
    });
    assert_eq!(
        probe.look(),
        Finding::Broken {
            reason: "nvidia-smi did not answer within 0.3 s".to_owned(),
            hangs: true,
        }
    );
}

#[test]
fn no_tool_no_answer() {
    let (_dir, root) = tree(&[]);
    let options = DiscoverOptions {
        root,
        ..DiscoverOptions::default()
    };
    assert_eq!(NvidiaSmi::new(&options).look(), Finding::Absent);
}

proptest! {
    #[test]
    fn what_is_printed_is_read(
        gpus in prop::collection::vec(
            (0_u64..200_000, 0_u64..200_000, any::<bool>(), "[A-Za-z0-9][A-Za-z0-9 ,-]{0,20}[a-z]"),
            1..10
        ),
        unknown in "\\[N/A\\]|\\[Not Supported\\]|\\[Unknown Error\\]|N/A|",
        unit in " MiB|",
        end in "\r\n|\n",
    ) {
        let rows: Vec<String> = gpus
            .iter()
            .enumerate()
            .map(|(index, (total, used, known, name))| {
                let used = if *known { format!("{used}{unit}") } else { unknown.clone() };
                let bus = format!("00000000:{index:02X}:00.0");
                format!("{index}, GPU-{index}, {bus}, {total}{unit}, {used}, {name}{end}")
            })
            .collect();
        let text = rows.concat();
        let rows = parse::rows(&text, &BASIC_FIELDS);
        prop_assert_eq!(&rows.rest, &[""; 0]);
        prop_assert_eq!(rows.devices.len(), gpus.len());
        for (device, (total, used, known, name)) in rows.devices.iter().zip(&gpus) {
            prop_assert_eq!(&device.name, name);
            prop_assert_eq!(device.memory_total_mib, Some(*total));
            prop_assert_eq!(device.memory_used_mib, known.then_some(*used));
        }
    }

    #[test]
    fn no_output_panics_the_parsers(text in "(GPU |MIG |Device |[0-9a-f:.,\\[\\]() \\n-]){0,40}") {
        let _ = parse::rows(&text, &FULL_FIELDS);
        let _ = parse::list(&text);
        let _ = parse::processes(&text).count();
    }
}
