//! Against a stand-in for NVIDIA's library, which is compiled here: `stand_in.c` says what it can.

use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::probe::testing::tree;

/// Compiles the stand-in into a directory of its own.
fn stand_in(defines: &[&str]) -> (TempDir, Utf8PathBuf) {
    let (dir, root) = tree(&[("nvml.c", include_str!("stand_in.c"))]);
    let library = root.join("libnvidia-ml.so.1");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o", library.as_str()])
        .args(defines.iter().map(|define| format!("-D{define}")))
        .arg(root.join("nvml.c"))
        .status()
        .expect("a C compiler, as for the build");
    assert!(compiled.success());
    (dir, library)
}

fn look_at(library: &Utf8PathBuf) -> Finding {
    Nvml {
        libraries: vec![library.clone()],
        timeout: Duration::from_secs(30),
    }
    .look()
}

fn look(defines: &[&str]) -> Finding {
    let (_dir, library) = stand_in(defines);
    look_at(&library)
}

fn devices(finding: Finding) -> Vec<Device> {
    match finding {
        Finding::Found { devices, warnings } if warnings.is_empty() => devices,
        other => panic!("{other:?}"),
    }
}

#[test]
fn everything_that_a_driver_tells() {
    let devices = devices(look(&[]));
    insta::assert_json_snapshot!(devices);
}

#[test]
fn older_drivers_tell_less() {
    let old = devices(look(&["OLD"]));
    assert_eq!(old[0].memory_total_mib, None);
    assert_eq!(old[0].processes, [4711, 4712]);

    let bare = devices(look(&["BARE", "GPUS=1"]));
    assert_eq!(
        bare,
        [Device::new(
            Vendor::Nvidia,
            0,
            "NVIDIA A100-SXM4-40GB",
            "nvml"
        )]
    );
}

#[test]
fn a_lost_gpu_keeps_its_number_free() {
    let Finding::Found { devices, warnings } = look(&["LOST=1"]) else {
        panic!("not found");
    };
    let indices: Vec<_> = devices.iter().map(|gpu| gpu.index).collect();
    assert_eq!(indices, [0, 2]);
    insta::assert_snapshot!(warnings.join("\n"), @"GPU 1 cannot be used: device fell off the bus or has otherwise become inacessible");
}

#[test]
fn no_gpu_is_an_empty_host() {
    assert_eq!(look(&["GPUS=0"]), Finding::found(Vec::new()));
}

#[test]
fn what_breaks() {
    let mut report = Vec::new();
    for defines in [
        ["INIT=9", "GPUS=0"],
        ["INIT=18", "GPUS=0"],
        ["INIT=4", "GPUS=0"],
        ["INIT=999", "GPUS=0"],
        ["LOST=0", "GPUS=1"],
    ] {
        let Finding::Broken { reason, hangs } = look(&defines) else {
            panic!("{defines:?}");
        };
        assert!(!hangs);
        report.push(format!("{}: {reason}", defines[0]));
    }
    insta::assert_snapshot!(report.join("\n"), @r"
    INIT=9: NVML cannot be initialized: NVIDIA driver is not loaded
    INIT=18: NVML cannot be initialized: RM detects a driver/library version mismatch
    INIT=4: NVML cannot be initialized: the current user does not have permission to perform this operation
    INIT=999: NVML cannot be initialized: an internal driver error occurred
    LOST=0: GPU 0 cannot be used: device fell off the bus or has otherwise become inacessible
    ");
}

#[test]
fn a_driver_that_hangs_is_left_behind() {
    let (_dir, library) = stand_in(&["HANG"]);
    let probe = Nvml {
        libraries: vec![library],
        timeout: Duration::from_millis(300),
    };
    assert_eq!(
        probe.look(),
        Finding::Broken {
            reason: "NVML did not answer within 0.3 s".to_owned(),
            hangs: true,
        }
    );
}

#[test]
fn a_library_that_is_not_there_and_one_that_is_none() {
    assert_eq!(
        look_at(&Utf8PathBuf::from("libnvidia-ml-of-nobody.so.1")),
        Finding::Absent
    );
    let (_dir, root) = tree(&[("libnvidia-ml.so.1", "not a library")]);
    assert_eq!(look_at(&root.join("elsewhere.so.1")), Finding::Absent);
    let Finding::Broken { reason, .. } = look_at(&root.join("libnvidia-ml.so.1")) else {
        panic!("it loaded");
    };
    assert!(reason.starts_with("NVML cannot be loaded: "), "{reason}");
}

#[test]
fn the_first_library_that_is_there_answers() {
    let (_dir, library) = stand_in(&["GPUS=1"]);
    let root = library.parent().unwrap().to_owned();
    let probe = Nvml::new(&DiscoverOptions {
        root,
        nvml: vec![
            "libnvidia-ml-of-nobody.so.1".into(),
            "/elsewhere/libnvidia-ml.so.1".into(),
            "/libnvidia-ml.so.1".into(),
        ],
        ..DiscoverOptions::default()
    });
    assert_eq!(devices(probe.look()).len(), 1);
}
