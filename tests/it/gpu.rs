//! `-gpu`, on hosts made up by an `nvidia-smi` of our own. Nothing is started: the launch plan says
//! who would get what.

use poc_tests::{PocTest, Run, fake_nvidia_smi, poc_test, write_program};
use serde_json::Value;

/// A prepared POC on a host with `gpus` GPUs.
fn host(gpus: u32, sites: u32) -> PocTest {
    let world = poc_test!().with_flare();
    world.poc(["prepare", "-n", &sites.to_string()]).success();
    fake_nvidia_smi(&world, gpus);
    world
}

/// Lets `poc` see that `nvidia-smi`, and nothing of this machine's own.
fn probed(run: Run) -> Run {
    run.env("POC_GPU_PROBES", "nvidia-smi")
}

fn plan(world: &PocTest, args: &[&str]) -> Run {
    probed(world.poc(["start", "--dry-run", "--format", "json"])).args(args)
}

/// Each site's GPUs in the plan, which must be what its environment says too.
#[track_caller]
fn dealt(run: Run) -> Vec<String> {
    let data = run.success().data();
    let participants = data["participants"].as_array().unwrap();
    let (sites, others): (Vec<_>, Vec<_>) =
        participants.iter().partition(|one| one["role"] == "client");
    for other in others {
        assert_eq!(other["gpus"], serde_json::json!([]), "{other}");
        assert!(
            other["environment"]["CUDA_VISIBLE_DEVICES"].is_null(),
            "{other}"
        );
    }
    sites.iter().map(|site| share(site)).collect()
}

fn share(site: &Value) -> String {
    // Indices are numbers; a UUID would be a string.
    let gpus: Vec<_> = site["gpus"]
        .as_array()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    let gpus = gpus.join(",");
    let environment = &site["environment"];
    let Some(visible) = environment["CUDA_VISIBLE_DEVICES"].as_str() else {
        assert_eq!(gpus, "", "{site}");
        return "-".to_owned();
    };
    assert_eq!(visible, gpus, "{site}");
    if !gpus.is_empty() {
        assert_eq!(environment["CUDA_DEVICE_ORDER"], "PCI_BUS_ID", "{site}");
    }
    format!("[{visible}]")
}

#[test]
fn as_documented() {
    let world = host(3, 4);
    assert_eq!(
        dealt(plan(&world, &["-gpu", "1", "0", "0", "2"])),
        ["[1]", "[0]", "[0]", "[2]"]
    );
    // Automatic: all of the host's GPUs, round.
    assert_eq!(dealt(plan(&world, &[])), ["[0]", "[1]", "[2]", "[0]"]);
    assert_eq!(dealt(plan(&world, &["-gpu"])), ["[0]", "[1]", "[2]", "[0]"]);
    assert_eq!(
        dealt(plan(&world, &["-gpu", "none"])),
        ["[]", "[]", "[]", "[]"]
    );
    assert_eq!(
        dealt(plan(&world, &["-gpu", "2", "1"])),
        ["[2]", "[1]", "[2]", "[1]"]
    );
    // Starting one by one gives what starting together gives.
    assert_eq!(dealt(plan(&world, &["-p", "site-2"])), ["[1]"]);
    // Explicit ids go over the selected sites.
    assert_eq!(
        dealt(plan(&world, &["-p", "site-2", "site-3", "-gpu", "2", "0"])),
        ["[2]", "[0]"]
    );
    // A pool that somebody (Slurm, say) gave, in its order.
    assert_eq!(
        dealt(plan(&world, &[]).env("CUDA_VISIBLE_DEVICES", "2,0")),
        ["[2]", "[0]", "[2]", "[0]"]
    );
    world.assert_nothing_left();
}

#[test]
fn more_ids_than_sites() {
    let world = host(3, 2);
    assert_eq!(
        dealt(plan(&world, &["-gpu", "0", "1", "2"])),
        ["[0,2]", "[1]"]
    );
    // A repeated id hides all GPUs from PyTorch, so it comes once.
    assert_eq!(
        dealt(plan(&world, &["-gpu", "0", "1", "0"])),
        ["[0]", "[1]"]
    );
}

#[test]
fn an_id_that_the_host_lacks() {
    let world = host(1, 2);
    let output = plan(&world, &["-gpu", "7"]).code(4);
    assert_eq!(output.error_code(), "GPU_NOT_AVAILABLE");
    let message = output.json()["message"].as_str().unwrap().to_owned();
    assert_eq!(
        message,
        "gpu_id provided is not available in the host machine, available GPUs are [0]"
    );
    // For the real start, too, before anything runs.
    probed(world.poc(["start", "-gpu", "0", "1"])).code(4);
    world.assert_nothing_left();
}

#[test]
fn a_host_without_gpus_is_no_error() {
    let world = host(0, 2);
    assert_eq!(dealt(plan(&world, &[])), ["-", "-"]);
    let gpus = probed(world.poc(["gpus", "--format", "json"]))
        .success()
        .data();
    assert_eq!(gpus["gpus"], serde_json::json!([]), "{gpus}");
}

#[test]
fn a_driver_that_is_there_and_broken_is_a_warning() {
    let world = host(0, 1);
    write_program(
        &world.bin().join("nvidia-smi"),
        "#!/bin/sh\necho 'Failed to initialize NVML: Driver/library version mismatch' >&2\nexit 18\n",
    );
    let output = plan(&world, &[]).success();
    assert!(
        output.stderr.contains("version mismatch"),
        "{}",
        output.transcript()
    );
    assert_eq!(dealt(plan(&world, &[])), ["-"]);
}
