//! The machine went down while the POC ran, and is up again: what is on disk is of another boot.

use poc_tests::{Decoys, Federation, PocTest, SHORT, is_alive, poc_test, send, wait_for};
use procfs::process::Process;
use rustix::process::Signal;
use serde_json::{Value, json};

const KITS: [&str; 2] = ["server", "site-1"];

/// Ends everything at once, in the middle of its work.
fn power_cut(world: &PocTest) {
    // First of all what would start the others again.
    let mut pids = vec![world.supervisor()];
    pids.extend(world.processes().iter().map(|one| one.pid));
    for pid in &pids {
        if is_alive(*pid) {
            send(*pid, Signal::KILL);
        }
    }
    wait_for("all are dead", SHORT, || {
        world.processes().is_empty().then_some(())
    });
}

/// Writes what the supervisor of that boot had left: the strangers now have the numbers, and to the
/// tick the start times, of what it knew, and its cookie.
fn leave_behind(world: &PocTest, boot: &str, decoys: &Decoys) {
    let strangers = decoys.pids();
    let identity = |pid: u32| -> Value {
        let process = Process::new(i32::try_from(pid).unwrap()).unwrap();
        let start_time = process.stat().unwrap().starttime;
        json!({"pid": pid, "start_time": start_time, "boot_id": boot})
    };
    let path = world.workspace().join(".poc/state.json");
    let mut record: Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    record["supervisor"] = identity(strangers[2]);
    for (name, pid) in KITS.iter().zip(&strangers) {
        let participant = &mut record["participants"][name];
        assert!(participant["identity"].is_object(), "{record}");
        participant["identity"] = identity(*pid);
        for (file, pid) in [("pid.fl", *pid), ("daemon_pid.fl", strangers[2])] {
            fs_err::write(world.kit(name).join(file), pid.to_string()).unwrap();
        }
    }
    fs_err::write(&path, record.to_string()).unwrap();
    let instance = format!("{}\n{boot}\n", Decoys::COOKIE);
    fs_err::write(world.workspace().join(".poc/instance"), instance).unwrap();
}

#[test]
fn another_one() {
    let world = poc_test!().with_flare();
    Federation::start(&world, 1);
    let mut decoys = world.decoys();
    let record = world.workspace().join(".poc/state.json");
    let before = fs_err::read(&record).unwrap();
    power_cut(&world);
    fs_err::write(&record, &before).unwrap();

    // The control: of this boot, such a record is believed.
    let boot = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    leave_behind(&world, boot.trim(), &decoys);
    assert_eq!(world.pid("server"), decoys.pids()[0]);

    // Of another boot, nothing is.
    let other = "11111111-2222-4333-8444-555555555555";
    leave_behind(&world, other, &decoys);
    let status = world.status();
    assert_eq!(status["state"], "stopped", "{status}");
    assert_eq!(status["supervisor"], Value::Null, "{status}");
    let stopped = world.stop_leaves_nothing(&mut decoys);
    assert!(
        stopped.stdout.contains("Nothing was running"),
        "{}",
        stopped.transcript()
    );

    fs_err::write(&record, &before).unwrap();
    leave_behind(&world, other, &decoys);
    let started = world.poc(["start"]).success();
    let removed = started.stderr.matches("removed a stale ").count();
    assert_eq!(removed, 4, "{}", started.transcript());
    assert_ne!(world.cookie().unwrap(), Decoys::COOKIE);
    decoys.assert_unharmed();
    world.stop_leaves_nothing(&mut decoys);
}
