//! What a supervisor costs while nothing happens.

use std::time::Duration;

use poc_tests::{Federation, poc_test};
use procfs::process::Process;

/// Of one core.
const PROCESSOR: f64 = 0.001;
const IDLE: Duration = Duration::from_secs(60);
/// Proportional set size, in bytes. Most of it are pages of the program file. A build for debugging has
/// several times as many of those, so its limit says little; what it has allocated is the same in both.
const MEMORY: u64 = if cfg!(debug_assertions) { 20 } else { 10 } * 1024 * 1024;
const ALLOCATED: u64 = 3 * 1024 * 1024;

#[test]
fn an_idle_supervisor_costs_next_to_nothing() {
    let world = poc_test!().with_flare();
    let federation = Federation::start(&world, 2);
    assert_eq!(federation.clients(), ["site-1", "site-2"]);
    let status = world.poc(["status", "--format", "json"]).success().data();
    let supervisor = i32::try_from(status["supervisor"].as_i64().unwrap()).unwrap();
    let supervisor = Process::new(supervisor).unwrap();
    let ticks = || {
        let stat = supervisor.stat().unwrap();
        stat.utime + stat.stime
    };
    let before = ticks();
    // This is what is measured, and no wait for something.
    std::thread::sleep(IDLE);
    #[expect(clippy::cast_precision_loss, reason = "a few ticks")]
    let used = (ticks() - before) as f64 / procfs::ticks_per_second() as f64;
    let share = used / IDLE.as_secs_f64();
    assert!(share < PROCESSOR, "{used} s of processor time in {IDLE:?}");

    let maps = supervisor.smaps_rollup().unwrap().memory_map_rollup;
    let of = |what: &str| {
        let sizes = maps.iter().filter_map(|map| map.extension.map.get(what));
        sizes.sum::<u64>()
    };
    let (memory, allocated) = (of("Pss"), of("Pss_Anon"));
    println!("PSS {memory} bytes, allocated {allocated}, {used} s of processor time");
    assert!(memory > 0 && memory < MEMORY, "{memory} bytes");
    assert!(allocated > 0 && allocated < ALLOCATED, "{allocated} bytes");
    world.poc(["stop"]).success();
    world.assert_nothing_left();
}
