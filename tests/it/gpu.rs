//! `-gpu`, on hosts made up by an `nvidia-smi` of our own. The launch plan says who would get what, so
//! most tests start nothing.

use poc_tests::{
    Federation, Job, PocTest, Run, SHORT, fake_nvidia_smi, poc_test, wait_for, write_program,
};
use serde_json::{Value, json};

/// A prepared POC on a host with `gpus` GPUs.
fn host(gpus: u32, sites: u32) -> PocTest {
    let world = poc_test!().with_flare();
    let (sites, port) = (sites.to_string(), world.port().to_string());
    world
        .poc(["prepare", "-n", &sites, "--ports", &port])
        .success();
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

/// The scheduler of the real NVFlare sends a job that asks for GPUs to sites that offer them, and each
/// site's job sees the GPU that the site was dealt.
#[test]
fn a_job_that_asks_for_gpus_runs_on_the_ones_dealt() {
    let world = host(2, 2);
    let start = |gpus: &[&str]| {
        let start = probed(world.poc(["start", "--format", "json", "-gpu"])).args(gpus);
        let started = start.success();
        assert_eq!(started.data()["warnings"], json!([]));
    };
    let offered = |site: &str| {
        let text = fs_err::read_to_string(world.kit(site).join("local/resources.json")).ok()?;
        let document: Value = serde_json::from_str(&text).unwrap();
        let manager = &document["components"][0];
        assert_eq!(manager["id"], "resource_manager");
        // Shared by nobody: the whole of it. The stand-in's GPUs have 16384 MiB.
        assert_eq!(manager["args"]["mem_per_gpu_in_GiB"], 16);
        manager["args"]["num_of_gpus"].as_u64()
    };
    start(&["1", "0"]);
    assert_eq!([offered("site-1"), offered("site-2")], [Some(1), Some(1)]);

    let job = Job::Waiting.directory(&world);
    let meta = job.join("meta.json");
    let mut text: Value = serde_json::from_str(&fs_err::read_to_string(&meta).unwrap()).unwrap();
    let ask = json!({"num_of_gpus": 1, "mem_per_gpu_in_GiB": 2});
    text["resource_spec"] = json!({"site-1": ask, "site-2": ask});
    fs_err::write(&meta, text.to_string()).unwrap();
    let federation = Federation::running(&world);
    let job = federation.submit_directory(&job);
    federation.wait_running(&job);
    for (site, gpu) in [("site-1", "1"), ("site-2", "0")] {
        let kit = world.kit(site);
        let process = wait_for("the site's job process", SHORT, || {
            let mut all = world.processes().into_iter();
            all.find(|one| {
                one.command.contains("worker_process") && one.command.contains(kit.as_str())
            })
        });
        assert_eq!(
            variable(process.pid, "CUDA_VISIBLE_DEVICES").as_deref(),
            Some(gpu)
        );
    }
    world.poc(["stop"]).success();

    // What was offered is taken back.
    probed(world.poc(["start", "-gpu", "none"])).success();
    assert_eq!([offered("site-1"), offered("site-2")], [None, None]);
    world.poc(["stop"]).success();

    // A file of the user's own stays as it is, and a word says what that means.
    let own = world.kit("site-1").join("local/resources.json");
    let mut document: Value = serde_json::from_str(
        &fs_err::read_to_string(own.with_file_name("resources.json.default")).unwrap(),
    )
    .unwrap();
    document["client"]["retry_timeout"] = json!(7);
    fs_err::write(&own, document.to_string()).unwrap();
    let started = probed(world.poc(["start", "-gpu", "0", "1"])).success();
    assert!(
        started.stderr.contains("is your own and stays"),
        "{}",
        started.transcript()
    );
    assert_eq!(fs_err::read_to_string(&own).unwrap(), document.to_string());
    world.poc(["stop"]).success();

    // An offer is not taken for the user's own work by the next `prepare`.
    assert_eq!(offered("site-2"), Some(1));
    let prepared = world
        .poc(["prepare", "--force", "--format", "json", "--ports"])
        .args([world.port().to_string()])
        .success();
    let foreign = prepared.data()["foreign_files"].to_string();
    assert!(foreign.contains("site-1/local/resources.json"), "{foreign}");
    assert!(!foreign.contains("site-2/local"), "{foreign}");
    world.assert_nothing_left();
}

fn variable(pid: u32, name: &str) -> Option<String> {
    let environment = fs_err::read(format!("/proc/{pid}/environ")).ok()?;
    let text = String::from_utf8(environment).ok()?;
    text.split('\0').find_map(|pair| {
        pair.strip_prefix(name)?
            .strip_prefix('=')
            .map(str::to_owned)
    })
}
