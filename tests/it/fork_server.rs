//! Participants that are forked from one Python: what fork could break is not broken, and where it
//! cannot be done, it is not.

use std::collections::BTreeSet;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use poc_tests::{Federation, Job, PocTest, Run, SHORT, fake_nvidia_smi, poc_test, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const PARTICIPANTS: [&str; 3] = ["server", "site-1", "site-2"];

fn prepare(world: &PocTest, sites: u32) {
    let (sites, port) = (sites.to_string(), world.port().to_string());
    world
        .poc(["prepare", "-n", &sites, "--ports", &port])
        .success();
}

fn events(world: &PocTest) -> Vec<Value> {
    let data = world.poc(["events", "--format", "json"]).success().data();
    data["events"].as_array().unwrap().clone()
}

/// The events of one kind, the oldest first.
fn told(world: &PocTest, event: &str) -> Vec<Value> {
    let mut events = events(world);
    events.retain(|one| one["event"] == event);
    events
}

fn participant(world: &PocTest, name: &str) -> Value {
    let status = world.poc(["status", "--format", "json"]).success().data();
    let participants = status["participants"].as_array().unwrap().clone();
    let mut of_name = participants.into_iter().filter(|one| one["name"] == name);
    of_name.next().unwrap()
}

fn pids(world: &PocTest) -> Vec<Value> {
    PARTICIPANTS
        .map(|name| participant(world, name)["pid"].clone())
        .into()
}

fn kill(pid: &Value) {
    let pid = i32::try_from(pid.as_i64().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

fn halt(pid: &Value) {
    let pid = i32::try_from(pid.as_i64().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::STOP).unwrap();
}

/// The processes that are a fork server.
fn fork_servers(world: &PocTest) -> Vec<u32> {
    let processes = world.processes().into_iter();
    processes
        .filter(|one| one.command.contains(" poc-fork-server"))
        .map(|one| one.pid)
        .collect()
}

/// Has every participant, and every process that runs a job for it, write a report about itself.
struct Probes {
    reports: Utf8PathBuf,
}

impl Probes {
    fn plant(world: &PocTest) -> Self {
        for name in PARTICIPANTS {
            let local = world.kit(name).join("local");
            let ours = local.join("resources.json");
            // Ours wins over the default; what that holds besides is kept.
            let text = fs_err::read_to_string(&ours)
                .or_else(|_| fs_err::read_to_string(local.join("resources.json.default")));
            let mut resources: Value = serde_json::from_str(&text.unwrap()).unwrap();
            let probe = json!({"id": "probe", "path": "probe.Probe", "args": {}});
            resources["components"].as_array_mut().unwrap().push(probe);
            fs_err::write(&ours, resources.to_string()).unwrap();
        }
        let reports = world.root().join("reports");
        fs_err::create_dir(&reports).unwrap();
        Self { reports }
    }

    /// Adds what the probes need.
    fn environment(&self, run: Run) -> Run {
        let probe = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
        run.env("PYTHONPATH", probe)
            .env("PROBE_REPORTS", &self.reports)
    }

    /// What a program of a participant has reported.
    fn report(&self, participant: &str, program: &str) -> Value {
        let path = self.reports.join(format!("{participant}.{program}.json"));
        let text = wait_for(&format!("{path}"), SHORT, || {
            fs_err::read_to_string(&path).ok()
        });
        fs_err::remove_file(&path).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn participants(&self) -> Vec<Value> {
        let program = |name| match name {
            "server" => "server_train",
            _ => "client_train",
        };
        PARTICIPANTS
            .map(|name| self.report(name, program(name)))
            .into()
    }
}

/// Everything random is different in each.
#[track_caller]
fn assert_all_different(reports: &[Value]) {
    let first = reports[0]["random"].as_object().unwrap();
    assert!(first.len() >= 4, "{first:?}");
    for kind in first.keys() {
        let numbers = reports
            .iter()
            .map(|report| report["random"][kind].to_string());
        let numbers: BTreeSet<String> = numbers.collect();
        assert_eq!(numbers.len(), reports.len(), "{kind}: {numbers:?}");
    }
}

/// From inside and from outside, forked participants are what executed ones are; and what a job sees
/// comes from them.
#[test]
fn a_participant_cannot_tell_that_it_was_forked() {
    let world = poc_test!().with_flare();
    prepare(&world, 2);
    fake_nvidia_smi(&world, 2);
    let probes = Probes::plant(&world);
    let start = |spawn: &str| {
        let start = world.poc(["start", "-gpu", "1", "0", "--spawn", spawn]);
        probes
            .environment(start)
            .env("POC_GPU_PROBES", "nvidia-smi")
            .env("OPENBLAS_NUM_THREADS", "3")
            .env("OMP_NUM_THREADS", "5")
            .success();
    };
    start("exec");
    let executed = probes.participants();
    assert_eq!(fork_servers(&world), [0; 0]);
    world.poc(["stop"]).success();

    start("fork");
    let forked = probes.participants();
    let [fork_server] = fork_servers(&world)[..] else {
        panic!("{:?}", world.processes());
    };
    for (executed, forked) in executed.iter().zip(&forked) {
        let (executed, forked) = (&executed["same"], &forked["same"]);
        for (what, value) in executed.as_object().unwrap() {
            assert_eq!(&forked[what], value, "{what}");
        }
    }
    assert_all_different(&forked);
    let numbers: Vec<Value> = forked.iter().map(|report| report["pid"].clone()).collect();
    assert_eq!(numbers, pids(&world));
    // Whose child it is: the supervisor's, who sees how it ends.
    let status = world.poc(["status", "--format", "json"]).success().data();
    for report in &forked {
        assert_eq!(report["parent"], status["supervisor"]);
    }
    let environment = |report: &Value, name: &str| report["same"]["environment"][name].clone();
    let gpus = forked
        .iter()
        .map(|it| environment(it, "CUDA_VISIBLE_DEVICES"));
    assert_eq!(
        gpus.collect::<Vec<_>>(),
        [json!(null), json!("1"), json!("0")]
    );

    // The cookie is on each of them, and on the fork server.
    let cookie = fs_err::read_to_string(world.workspace().join(".poc/instance")).unwrap();
    let cookie = format!("POC_INSTANCE={}\0", cookie.lines().next().unwrap());
    let all = forked.iter().map(|report| report["pid"].to_string());
    for pid in all.chain([fork_server.to_string()]) {
        let shown = fs_err::read_to_string(format!("/proc/{pid}/environ")).unwrap();
        assert!(shown.contains(&cookie), "{pid}: {shown}");
    }

    // A job's own processes.
    let federation = Federation::running(&world);
    let job = federation.submit(Job::Counting);
    federation.wait_completed(&[&job]);
    federation.assert_counted(&job);
    let jobs = [
        probes.report("server", "runner_process"),
        probes.report("site-1", "worker_process"),
        probes.report("site-2", "worker_process"),
    ];
    assert_all_different(&jobs);
    for (job, parent) in jobs.iter().zip(&forked) {
        for name in [
            "CUDA_VISIBLE_DEVICES",
            "CUDA_DEVICE_ORDER",
            "OPENBLAS_NUM_THREADS",
            "OMP_NUM_THREADS",
            "POC_INSTANCE",
            "POC_PARTICIPANT",
        ] {
            assert_eq!(environment(job, name), environment(parent, name), "{name}");
        }
    }
    assert_eq!(environment(&jobs[1], "CUDA_VISIBLE_DEVICES"), "1");
    assert_eq!(environment(&jobs[1], "OPENBLAS_NUM_THREADS"), "3");

    world.poc(["stop"]).success();
    world.assert_nothing_left();
}

/// One that is there and does not answer costs a start some seconds, and no more.
#[test]
fn a_fork_server_that_hangs_is_given_up() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 2);
    let before = pids(&world);
    let first = told(&world, "fork_server_started")[0]["pid"].clone();
    world.poc(["stop", "-p", "site-2"]).success();
    halt(&first);
    let start = world.poc(["start", "-p", "site-2"]).success();
    assert!(start.elapsed < 3 * SHORT, "{:?}", start.elapsed);
    let lost = told(&world, "fork_server_lost");
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(lost[0]["pid"], first);
    let reason = lost[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("it has not answered for"), "{reason}");
    let not_forked = told(&world, "not_forked");
    assert_eq!(not_forked.len(), 1, "{not_forked:?}");
    assert_eq!(not_forked[0]["name"], "site-2");
    assert_eq!(not_forked[0]["reason"], reason);
    assert_eq!(fork_servers(&world), [0; 0], "it is ended");
    let after = pids(&world);
    assert_eq!(after[..2], before[..2], "nobody else is touched");
    assert_ne!(after[2], before[2]);

    // The next one is forked again, from another one.
    kill(&after[2]);
    wait_for("site-2 has registered again", 2 * SHORT, || {
        let site = participant(&world, "site-2");
        (site["registered"] == true && site["pid"] != after[2]).then_some(())
    });
    assert_eq!(fork_servers(&world).len(), 1);
    assert_eq!(told(&world, "not_forked").len(), 1);
    // Halted again, and there is a stop: that does not wait for it.
    halt(&json!(fork_servers(&world)[0]));
    let stop = world.poc(["stop"]).success();
    assert!(stop.elapsed < SHORT, "{:?}", stop.elapsed);
    world.assert_nothing_left();
}

#[test]
fn a_dead_fork_server_is_replaced_when_it_is_needed() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 2);
    let mut decoys = world.decoys();
    let before = pids(&world);
    let first = told(&world, "fork_server_started");
    assert_eq!(first.len(), 1);
    kill(&first[0]["pid"]);
    let lost = wait_for("the loss is noticed", SHORT, || {
        told(&world, "fork_server_lost").pop()
    });
    assert_eq!(lost["pid"], first[0]["pid"]);
    assert_eq!(lost["reason"], "it ended: signal 9 (SIGKILL)");
    assert_eq!(fork_servers(&world), [0; 0]);
    assert_eq!(pids(&world), before, "nobody else is touched");

    // A site that dies is forked again, from another one.
    kill(&before[1]);
    let again = wait_for("site-1 has registered again", 2 * SHORT, || {
        let site = participant(&world, "site-1");
        (site["registered"] == true && site["pid"] != before[1]).then_some(site)
    });
    assert_eq!(again["restarts"], 1, "{again}");
    assert_eq!(told(&world, "fork_server_started").len(), 2);
    assert_eq!(fork_servers(&world).len(), 1);
    assert_eq!(told(&world, "not_forked"), [json!(null); 0]);
    let after = pids(&world);
    assert_eq!((&after[0], &after[2]), (&before[0], &before[2]));
    let exits = told(&world, "exited");
    assert_eq!(exits.len(), 1);
    assert_eq!(exits[0]["status"], "signal 9 (SIGKILL)", "{exits:?}");

    // It ends with its supervisor; they go on, and the next supervisor forks too.
    let status = world.poc(["status", "--format", "json"]).success().data();
    kill(&status["supervisor"]);
    wait_for("the fork server has left", SHORT, || {
        fork_servers(&world).is_empty().then_some(())
    });
    assert_eq!(pids(&world), after);
    world.poc(["start"]).success();
    assert_eq!(pids(&world), after);
    kill(&after[2]);
    wait_for("site-2 has registered again", 2 * SHORT, || {
        let site = participant(&world, "site-2");
        (site["registered"] == true && site["pid"] != after[2]).then_some(())
    });
    assert_eq!(told(&world, "fork_server_started").len(), 3);
    assert_eq!(fork_servers(&world).len(), 1);

    world.stop_leaves_nothing(&mut decoys);
}

/// A later start from a shell with another environment: it has to be there when Python starts.
#[test]
fn another_environment_needs_another_fork_server() {
    let world = poc_test!().with_flare();
    prepare(&world, 2);
    let probes = Probes::plant(&world);
    let start = |names: &[&str], language: &str| {
        let run = probes.environment(world.poc(["start", "-p"])).args(names);
        run.env("LANG", language).success();
    };
    start(&["server", "site-1"], "C.UTF-8");
    start(&["site-2"], "C");
    assert_eq!(told(&world, "fork_server_started").len(), 2);
    wait_for("the first one has left", SHORT, || {
        (fork_servers(&world).len() == 1).then_some(())
    });
    let languages = probes.participants();
    let languages = languages
        .iter()
        .map(|it| &it["same"]["environment"]["LANG"]);
    assert_eq!(languages.collect::<Vec<_>>(), ["C.UTF-8", "C.UTF-8", "C"]);
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}

/// Something that the user has installed starts a thread: fork would copy a process without it.
#[test]
fn where_forking_is_not_safe_each_participant_is_a_python_of_its_own() {
    let world = poc_test!().with_flare();
    prepare(&world, 1);
    let site = world.root().join("site");
    fs_err::create_dir(&site).unwrap();
    let thread = "import threading, time\n\
                  threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n";
    fs_err::write(site.join("sitecustomize.py"), thread).unwrap();
    let start = |spawn: &str| {
        let run = world.poc(["start", "--spawn", spawn, "--format", "json"]);
        run.env("PYTHONPATH", &site)
    };

    let output = start("fork").code(4);
    assert_eq!(output.error_code(), "NOT_SUPPORTED");
    assert!(
        output.text().contains("2 threads"),
        "does not say why: {}",
        output.transcript()
    );
    world.assert_nothing_left();

    let started = start("auto").success().data();
    assert_eq!(started["ready"], true);
    let lost = told(&world, "fork_server_lost").pop().unwrap();
    let reason = lost["reason"].as_str().unwrap();
    assert!(reason.contains("2 threads"), "{lost}");
    assert_eq!(fork_servers(&world), [0; 0]);
    // A restart does not try it again.
    let tries = told(&world, "fork_server_started").len();
    let old = participant(&world, "site-1")["pid"].clone();
    kill(&old);
    wait_for("site-1 runs again", 2 * SHORT, || {
        let site = participant(&world, "site-1");
        (site["registered"] == true && site["pid"] != old).then_some(())
    });
    assert_eq!(told(&world, "fork_server_started").len(), tries);
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}

/// NVFlare reads this file while it is imported, and a fork server imports for everybody.
#[test]
fn a_kit_with_a_comm_config_is_left_to_a_python_of_its_own() {
    let world = poc_test!().with_flare();
    prepare(&world, 2);
    let file = world.kit("site-2").join("local/comm_config.json");
    fs_err::write(file, r#"{"streaming_chunk_size": 65536}"#).unwrap();
    world
        .poc(["start"])
        .limit(Duration::from_secs(60))
        .success();
    let alone = told(&world, "not_forked");
    assert_eq!(alone.len(), 1, "{alone:?}");
    assert_eq!(alone[0]["name"], "site-2");
    let reason = alone[0]["reason"].as_str().unwrap();
    assert!(reason.contains("local/comm_config.json"), "{reason}");
    assert_eq!(fork_servers(&world).len(), 1);
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}
