//! Where a workspace may lie, and where it may not.

use poc_tests::{NO_SMALL_DISK, PocTest, Tree, poc_test};

/// `poc prepare` there, and all of it under exactly this path.
#[track_caller]
fn prepares(world: &PocTest, workspace: &str) {
    let prepared = world
        .poc(["prepare", "--workspace", workspace, "--format", "json"])
        .success();
    let told = prepared.data()["workspace"].as_str().unwrap().to_owned();
    let expected = world.root().join(workspace);
    assert_eq!(told, expected.as_str());
    assert!(
        expected
            .join("example_project/prod_00/site-2/startup/client.key")
            .exists()
    );
    world.poc(["status", "--workspace", workspace]).success();
    world.poc(["clean", "--workspace", workspace]).success();
    assert!(!expected.exists());
}

#[test]
fn a_path_with_spaces_letters_and_quotes_and_a_relative_one() {
    let world = poc_test!();
    prepares(&world, "with several  spaces");
    prepares(&world, "pré-étude 試験");
    prepares(&world, "it's \"quoted\" ${HOME} #1");
    prepares(&world, "nested/not/yet/there");
    // Longer than a Unix socket's address may be (108 bytes).
    prepares(&world, &format!("{}/{}", "a".repeat(120), "b".repeat(120)));
}

/// Files that `prepare` did not write are named, and kept once.
#[test]
fn what_is_in_a_workspace_that_is_replaced_is_kept_once() {
    let world = poc_test!();
    let previous = world.root().join("proof of concept é.previous");
    world.poc(["prepare"]).success();
    world.poc(["prepare", "--force"]).success();
    assert!(!previous.exists(), "there was nothing to keep");

    fs_err::write(world.workspace().join("data/mine.csv"), "1,2").unwrap();
    fs_err::write(
        world.kit("admin@nvidia.com").join("transfer/job.py"),
        "pass",
    )
    .unwrap();
    let output = world.poc(["prepare", "--force"]).success();
    for place in ["data", "admin@nvidia.com/transfer", previous.as_str()] {
        assert!(output.text().contains(place), "{}", output.transcript());
    }
    assert_eq!(
        fs_err::read_to_string(previous.join("data/mine.csv")).unwrap(),
        "1,2"
    );
    assert!(
        previous
            .join("example_project/prod_00/admin@nvidia.com/transfer/job.py")
            .exists()
    );

    // Once: the next time it is the newer one that is kept.
    fs_err::write(world.workspace().join("data/newer.csv"), "3").unwrap();
    world.poc(["prepare", "--force"]).success();
    assert!(previous.join("data/newer.csv").exists() && !previous.join("data/mine.csv").exists());
}

#[test]
fn two_prepares_at_once() {
    let world = poc_test!();
    let both = [(); 2].map(|()| world.poc(["prepare", "-n", "20"]).spawn());
    let mut codes = both.map(|running| running.wait().exit.unwrap());
    codes.sort_unstable();
    // One makes it, and the other finds a POC that it may not replace.
    assert_eq!(codes, [0, 4]);
    let root = fs_err::read(world.kit("server").join("startup/rootCA.pem")).unwrap();
    for site in 1..=20 {
        assert_eq!(
            fs_err::read(
                world
                    .kit(&format!("site-{site}"))
                    .join("startup/rootCA.pem")
            )
            .unwrap(),
            root
        );
    }
}

#[test]
fn an_unwritable_place() {
    let world = poc_test!();
    // Not even root can make a directory in /proc.
    let output = world
        .poc(["prepare", "--workspace", "/proc/poc", "--format", "json"])
        .run();
    assert!(
        matches!(output.exit, Some(1 | 4)),
        "{}",
        output.transcript()
    );
    assert_eq!(output.error_code(), "IO_ERROR");
    assert!(
        output.json()["message"]
            .as_str()
            .unwrap()
            .contains("/proc/poc"),
        "{}",
        output.transcript()
    );
    assert!(
        !world.config().exists(),
        "config.conf points at a workspace that was never made"
    );
}

/// A shell line in a mount namespace of its own, with a file system of this size at `$1`; as root, or
/// as a user who may have user namespaces.
fn on_small_disk(world: &PocTest, size: &str, line: &str) -> Option<poc_tests::Run> {
    let place = world.root().join("disk");
    fs_err::create_dir_all(&place).unwrap();
    let script = format!("mount -t tmpfs -o size={size},mode=755 tmpfs \"$1\" && cd / && {line}");
    let shell = |script: &str| {
        world
            .program("/usr/bin/env")
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("POC", world.poc_path())
            .args([
                "unshare",
                "--user",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                script,
                "sh",
                place.as_str(),
            ])
    };
    let possible = shell("mount -t tmpfs tmpfs \"$1\"").run().exit == Some(0);
    possible.then(|| shell(&script))
}

#[test]
fn a_full_disk() {
    let world = poc_test!();
    let line =
        r#""$POC" prepare --workspace "$1/poc" --format json; code=$?; ls -A "$1" >&2; exit $code"#;
    let output = match on_small_disk(&world, "48k", line) {
        Some(run) => run.run(),
        // Where namespaces are forbidden: no file may grow beyond 1 KiB, so a write fails half-way.
        None => world
            .program("/bin/bash")
            .env("POC", world.poc_path())
            .args(["-c", r#"trap '' XFSZ; ulimit -f 1; mkdir disk; "$POC" prepare --workspace disk/poc --format json; code=$?; ls -A disk >&2; exit $code"#])
            .run(),
    };
    assert_eq!(output.exit, Some(1), "{}", output.transcript());
    assert_eq!(output.error_code(), "IO_ERROR");
    // Nothing half-made stays, not even under another name.
    let left = output.stderr.lines().last().unwrap_or_default();
    assert!(
        !left.contains("poc"),
        "left on the disk: {left}\n{}",
        output.transcript()
    );
}

#[test]
fn a_full_disk_leaves_the_old_poc_whole() {
    let world = poc_test!();
    let line = r#"
        "$POC" prepare -n 1 --workspace "$1/poc" >&2 || exit 90
        find "$1/poc" -type f | sort | xargs md5sum > "$TMPDIR/before"
        dd if=/dev/zero of="$1/filler" bs=1k 2>/dev/null
        "$POC" prepare -n 20 --force --workspace "$1/poc" --format json
        code=$?
        find "$1/poc" -type f | sort | xargs md5sum > "$TMPDIR/after"
        cmp "$TMPDIR/before" "$TMPDIR/after" || exit 91
        exit $code"#;
    let run = on_small_disk(&world, "1m", line).unwrap_or_else(|| panic!("{NO_SMALL_DISK}"));
    let output = run.code(1);
    assert_eq!(output.error_code(), "IO_ERROR");
}

#[test]
fn a_workspace_that_is_a_mount_point_is_prepared_twice() {
    let world = poc_test!();
    let line = r#"
        "$POC" prepare -n 1 --workspace "$1" || exit 90
        "$POC" prepare -n 2 --force --workspace "$1" || exit 91
        test -f "$1/example_project/prod_00/site-2/startup/client.key" || exit 92
        "$POC" clean --workspace "$1" || exit 93
        test -z "$(ls -A "$1")""#;
    let run = on_small_disk(&world, "8m", line).unwrap_or_else(|| panic!("{NO_SMALL_DISK}"));
    run.success();
}

#[test]
fn somebody_elses() {
    let world = poc_test!();
    if !rustix::process::geteuid().is_root() {
        // A plain user cannot make a directory that belongs to somebody else, but knows one.
        let output = world
            .poc([
                "prepare",
                "--force",
                "--workspace",
                "/etc",
                "--format",
                "json",
            ])
            .code(4);
        assert_eq!(output.error_code(), "WORKSPACE_FOREIGN");
        return;
    }
    world.poc(["prepare"]).success();
    let before = Tree::of(world.workspace());
    // A stranger: may walk here, owns a home, and has a copy of the program that can be read.
    let opened = world.program("/bin/sh").args([
        "-c",
        "chmod 755 . && cp \"$POC\" bin/poc && mkdir -m 777 stranger",
    ]);
    opened
        .env("POC", world.poc_path())
        .env("PATH", "/usr/bin:/bin")
        .success();
    let stranger = |args: &[&str]| {
        let home = world.root().join("stranger");
        world
            .program("/usr/bin/setpriv")
            .args([
                "--reuid",
                "65534",
                "--regid",
                "65534",
                "--clear-groups",
                "--",
            ])
            .args([world.bin().join("poc").as_str()])
            .args(args)
            .args(["--format", "json"])
            .env("HOME", home)
            .run()
    };
    for args in [
        &["prepare", "--force"][..],
        &["start"],
        &["stop"],
        &["clean", "--force"],
    ] {
        let output = stranger(args);
        assert!(
            matches!(output.exit, Some(1 | 4)),
            "{args:?}: {}",
            output.transcript()
        );
        let message = output.json()["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains(world.workspace().as_str()),
            "{args:?}: {message}"
        );
    }
    before.assert_still(world.workspace());
}
