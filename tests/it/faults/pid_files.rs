//! Pid files that mean nothing: left by a process that is gone, empty, garbage, or with a number that
//! somebody else has now.

use std::process::Command;

use poc_tests::{PocTest, poc_test};

const KITS: [&str; 4] = ["server", "site-1", "site-2", "site-3"];
const FILES: [&str; 2] = ["pid.fl", "daemon_pid.fl"];

/// What one file holds, and how it is spoken of.
struct Stale {
    text: Vec<u8>,
    said: String,
}

/// Each kind once for each file of the server and of the sites, in turn.
fn plant(world: &PocTest, strangers: &[u32], turn: usize) -> Vec<(String, Stale)> {
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let stranger = |pid: &u32| Stale {
        text: format!("{pid}\n").into_bytes(),
        said: format!("process {pid}: its process ID belongs to another process now"),
    };
    let nothing = |text: &[u8]| Stale {
        text: text.to_owned(),
        said: "it holds no process ID".to_owned(),
    };
    let mut all: Vec<Stale> = vec![
        nothing(b""),
        nothing(b"garbage\n"),
        nothing(b"-5\n"),
        nothing(b"\xff\xfe\x00"),
        nothing(b"99999999999999999999\n"),
        Stale {
            text: gone.id().to_string().into_bytes(),
            said: format!("process {}: the process is gone", gone.id()),
        },
    ];
    // Another POC's server, and its site.
    all.extend(strangers.iter().map(stranger));
    let places = KITS
        .iter()
        .flat_map(|kit| FILES.map(|file| world.kit(kit).join(file)));
    all.rotate_left(turn);
    let planted = places.zip(all).map(|(path, stale)| {
        fs_err::write(&path, &stale.text).unwrap();
        (path.into_string(), stale)
    });
    planted.collect()
}

#[test]
fn that_mean_nothing_are_removed_and_strangers_live() {
    let world = poc_test!().with_flare();
    world.prepare(3);
    let mut decoys = world.decoys();
    let strangers = &decoys.pids()[..2];
    let said = |output: &poc_tests::Output, planted: &[(String, Stale)]| {
        for (path, stale) in planted {
            // Those whose processes are gone are in one line.
            let line = if stale.said.ends_with("the process is gone") {
                path.clone()
            } else {
                format!("removed a stale {path} ({})", stale.said)
            };
            assert!(
                output.stderr.contains(&line),
                "{line}\n{}",
                output.transcript()
            );
        }
    };

    // Whoever looks leaves them; a stop of what does not run removes them, and says so.
    for turn in 0..8 {
        let planted = plant(&world, strangers, turn);
        assert_eq!(world.status()["state"], "stopped");
        for (path, _) in &planted {
            assert!(fs_err::exists(path).unwrap(), "{path}");
        }
        let stopped = world.stop_leaves_nothing(&mut decoys);
        assert!(
            stopped.stdout.contains("Nothing was running"),
            "{}",
            stopped.transcript()
        );
        said(&stopped, &planted);
    }

    // A start does, and starts.
    let planted = plant(&world, strangers, 5);
    let started = world.poc(["start"]).success();
    said(&started, &planted);
    decoys.assert_unharmed();
    for kit in KITS {
        let text = fs_err::read_to_string(world.kit(kit).join("pid.fl")).unwrap();
        assert_eq!(text.trim(), world.pid(kit).to_string());
    }

    // Beside those that run, one that does not.
    world.poc(["stop", "-p", "site-3"]).success();
    let path = world.kit("site-3").join("pid.fl");
    fs_err::write(&path, strangers[0].to_string()).unwrap();
    assert_eq!(world.status()["state"], "partial");
    let stopped = world.stop_leaves_nothing(&mut decoys);
    let line = format!("removed a stale {path}");
    assert!(stopped.stderr.contains(&line), "{}", stopped.transcript());
}
