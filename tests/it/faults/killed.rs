//! SIGKILL: of the server and sites, of the supervisor, and of the processes that serve it.

use std::time::{Duration, Instant};

use poc_tests::{Federation, Job, PocTest, SHORT, is_alive, poc_test, wait_for};
use rustix::process::Signal;
use serde_json::Value;

/// Within which a site that was killed is registered again, and the sites of a server that was.
const SITE: Duration = Duration::from_secs(20);
const SERVER: Duration = Duration::from_secs(60);

const SITES: [&str; 2] = ["site-1", "site-2"];

/// Kills the site, and sees it come back.
fn kill_site(world: &PocTest, restarts: u64) {
    let (server, other) = (world.pid("server"), world.pid("site-2"));
    let begun = Instant::now();
    let old = world.signal("site-1", Signal::KILL);
    let again = world.wait_again("site-1", old, SITE);
    assert!(begun.elapsed() < SITE, "{:?}", begun.elapsed());
    assert_eq!(again["restarts"], restarts, "{again}");
    assert_restart_is_told(world, "site-1", old, &again["pid"]);
    // Nobody else is touched, and the server knows it.
    assert_eq!((world.pid("server"), world.pid("site-2")), (server, other));
    assert_eq!(Federation::running(world).clients(), SITES);
}

/// Kills the server, and sees it and its sites come back.
fn kill_server(world: &PocTest, restarts: u64) {
    let sites = SITES.map(|name| world.pid(name));
    let begun = Instant::now();
    let old = world.signal("server", Signal::KILL);
    let again = world.wait_again("server", old, SERVER);
    world.wait_registered(&SITES, SERVER);
    assert!(begun.elapsed() < SERVER, "{:?}", begun.elapsed());
    assert_eq!(again["restarts"], restarts, "{again}");
    assert_restart_is_told(world, "server", old, &again["pid"]);
    // The sites came back by themselves: the same processes.
    assert_eq!(SITES.map(|name| world.pid(name)), sites);
    assert_eq!(Federation::running(world).clients(), SITES);
}

/// The event log explains it: how it ended, that it is started again, as what, and that it is up.
#[track_caller]
fn assert_restart_is_told(world: &PocTest, name: &str, old: u32, new: &Value) {
    let events = world.events();
    let its = events.iter().filter(|one| one["name"] == name);
    let end = its
        .clone()
        .position(|one| one["event"] == "exited" && one["pid"] == old);
    let end = end.unwrap_or_else(|| panic!("the end of {old} is not told: {events:?}"));
    let story: Vec<&Value> = its.skip(end).collect();
    let said: Vec<&str> = story
        .iter()
        .map(|one| one["event"].as_str().unwrap())
        .collect();
    assert_eq!(said, ["exited", "restarting", "started", "ready"]);
    assert_eq!(story[0]["status"], "signal 9 (SIGKILL)");
    assert_eq!(&story[2]["pid"], new);
    let text = world.poc(["events"]).success().stdout;
    let ended = format!("process {old} ended: signal 9 (SIGKILL)");
    assert!(text.contains(&ended), "{text}");
}

/// The processes that run jobs.
fn job_processes(world: &PocTest) -> Vec<u32> {
    let processes = world.processes().into_iter();
    let is_job =
        |command: &str| command.contains("worker_process") || command.contains("runner_process");
    processes
        .filter(|one| is_job(&one.command))
        .map(|one| one.pid)
        .collect()
}

/// The helper through which the server is asked.
fn admin_helper(world: &PocTest) -> Option<u32> {
    let processes = world.processes().into_iter();
    let mut helpers = processes.filter(|one| one.command.contains(" poc-admin "));
    helpers.next().map(|one| one.pid)
}

#[test]
fn a_site_or_the_server_while_idle() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 2);
    let mut decoys = world.decoys();
    kill_site(&world, 1);
    kill_server(&world, 1);
    world.stop_leaves_nothing(&mut decoys);
}

/// What ran the job for the one that was killed ends too; and at the end, when nobody supervises, the
/// stop aborts the job by itself.
#[test]
fn a_site_or_the_server_during_a_job() {
    let world = poc_test!().with_flare();
    let federation = Federation::start(&world, 2);
    let mut decoys = world.decoys();
    let run_a_job = || {
        let job = federation.submit(Job::Waiting);
        federation.wait_running(&job);
        let all = wait_for("the job's processes", SHORT, || {
            Some(job_processes(&world)).filter(|all| all.len() == 3)
        });
        (job, all)
    };

    let (_, before) = run_a_job();
    kill_site(&world, 1);
    let left = before.iter().filter(|pid| is_alive(**pid)).count();
    assert_eq!(left, 2, "the killed site's part of the job has ended");
    let swept = world.told("swept");
    assert_eq!(swept.len(), 1, "{swept:?}");

    kill_server(&world, 1);
    wait_for("all that ran the job has ended", SERVER, || {
        before.iter().all(|pid| !is_alive(*pid)).then_some(())
    });

    // The federation works again, and a stop that nobody helps aborts what runs.
    let (job, _) = run_a_job();
    world.kill_supervisor();
    let stopped = world.stop_leaves_nothing(&mut decoys);
    let aborted = format!("aborted 1 job: {job}");
    assert!(
        stopped.text().contains(&aborted),
        "{}",
        stopped.transcript()
    );
}

#[test]
fn the_supervisor() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 1);
    let mut decoys = world.decoys();
    let pids = || ["server", "site-1"].map(|name| world.pid(name));
    let before = pids();
    world.kill_supervisor();

    // The others go on, which is said; and looking changes nothing.
    let tree = poc_tests::Tree::of(&world.workspace().join(".poc"));
    let looked = world.poc(["status"]).success();
    assert!(
        looked.stderr.contains("the supervisor is gone") && looked.stderr.contains("`poc start`"),
        "{}",
        looked.transcript()
    );
    let looked = world.status();
    assert_eq!(looked["state"], "running", "{looked}");
    world.poc(["logs", "-n", "1"]).success();
    tree.assert_still(&world.workspace().join(".poc"));
    assert_eq!(pids(), before);

    // The next start takes the same processes over, and watches them.
    let started = world.poc(["start"]).success();
    assert!(
        started.stderr.contains("watched over again"),
        "{}",
        started.transcript()
    );
    assert_eq!(pids(), before);
    let adopted = world.told("adopted");
    assert_eq!(adopted.len(), 2, "{adopted:?}");
    let looked = world.poc(["status"]).success();
    assert_eq!(looked.stderr, "");
    let old = world.signal("site-1", Signal::KILL);
    let again = world.wait_again("site-1", old, SITE);
    assert_eq!(again["restarts"], 1, "{again}");

    // Dead again; now `stop` finds everything by itself.
    world.kill_supervisor();
    world.stop_leaves_nothing(&mut decoys);
}

/// It is needed where the logs do not tell who has registered.
#[test]
fn the_admin_helper() {
    let world = poc_test!().with_flare();
    world.prepare(1);
    for name in ["server", "site-1"] {
        let path = world.kit(name).join("local/log_config.json");
        let text = fs_err::read_to_string(world.kit(name).join("local/log_config.json.default"));
        let mut config: Value = serde_json::from_str(&text.unwrap()).unwrap();
        config["loggers"]["root"]["level"] = "ERROR".into();
        fs_err::write(path, config.to_string()).unwrap();
    }
    world.poc(["start"]).success();
    let mut decoys = world.decoys();
    let first = admin_helper(&world).unwrap();
    let server = world.pid("server");
    poc_tests::send(first, Signal::KILL);
    wait_for("it is dead", SHORT, || (!is_alive(first)).then_some(()));

    // Needed again.
    let old = world.signal("site-1", Signal::KILL);
    world.wait_again("site-1", old, 2 * SITE);
    let second = admin_helper(&world).unwrap();
    assert_ne!(second, first);
    assert_eq!(world.pid("server"), server, "nobody else is touched");
    world.stop_leaves_nothing(&mut decoys);
}

/// It is needed at once: a job that was not aborted in order is listed as running for ever.
#[test]
fn the_admin_helper_while_it_aborts_a_job() {
    let world = poc_test!().with_flare();
    let federation = Federation::start(&world, 2);
    let mut decoys = world.decoys();
    let job = federation.submit(Job::Waiting);
    federation.wait_running(&job);
    let stop = world.poc(["stop"]).spawn();
    let helper = wait_for("the helper", SHORT, || admin_helper(&world));
    poc_tests::send(helper, Signal::KILL);
    let stopped = stop.wait();
    stopped.code(0);
    let aborted = format!("aborted 1 job: {job}");
    assert!(
        stopped.text().contains(&aborted),
        "{}",
        stopped.transcript()
    );
    world.assert_is_over(world.cookie().as_deref(), &mut decoys);
}
