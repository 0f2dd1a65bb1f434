//! Finding a Python with NVFlare, and what is said of those that will not do. The Pythons are real;
//! what is in NVFlare's place in them is not.

use poc_tests::{FakeFlare, PocTest, SHORT, fake_python, poc_test, runtime, write_program};

/// A prepared POC whose configured Python has this in NVFlare's place.
fn with_flare(flare: FakeFlare<'_>) -> PocTest {
    let world = poc_test!();
    let python = fake_python(&world, "venv", flare);
    let world = world.with_python(&python);
    let port = world.port().to_string();
    // Kits of 2.9, whatever the Python.
    world
        .poc(["prepare", "--flare-version", "2.9.0", "--ports", &port])
        .success();
    world
}

#[track_caller]
fn start_refuses(world: &PocTest, exit: i32, codes: &[&str]) -> String {
    let output = world.poc(["start", "--format", "json"]).code(exit);
    assert!(
        codes.contains(&output.error_code().as_str()),
        "{}",
        output.transcript()
    );
    world.assert_nothing_left();
    format!("{} {}", output.json()["message"], output.json()["hint"])
}

#[test]
fn none_at_all() {
    let world = poc_test!();
    // Kits of the newest line need no Python.
    let prepared = world.poc(["prepare", "--format", "json"]).success().data();
    assert!(
        prepared["flare_version"]
            .as_str()
            .unwrap()
            .starts_with("2.9"),
        "{prepared}"
    );
    let said = start_refuses(&world, 4, &["RUNTIME_MISSING"]);
    assert!(said.contains("poc runtime install"), "{said}");
}

#[test]
fn one_without_nvflare() {
    let world = with_flare(FakeFlare::Absent);
    let said = start_refuses(&world, 4, &["RUNTIME_MISSING"]);
    assert!(
        said.contains(world.python_path().as_str()),
        "does not name the Python: {said}"
    );
    assert!(
        said.contains("poc runtime install") || said.contains("pip install"),
        "{said}"
    );
}

#[test]
fn one_of_another_version() {
    let world = with_flare(FakeFlare::Version("2.7.2"));
    let said = start_refuses(&world, 4, &["RUNTIME_MISMATCH"]);
    assert!(said.contains("2.7.2") && said.contains("2.9"), "{said}");
}

#[test]
fn one_of_a_version_that_nobody_knows() {
    let world = poc_test!();
    let python = fake_python(&world, "venv", FakeFlare::Version("1.2.0"));
    let world = world.with_python(&python);
    let output = world.poc(["prepare", "--format", "json"]).code(4);
    assert_eq!(
        output.error_code(),
        "RUNTIME_MISMATCH",
        "{}",
        output.transcript()
    );
    assert!(
        output.json()["message"].as_str().unwrap().contains("1.2.0"),
        "{}",
        output.transcript()
    );
    assert!(!world.workspace().exists());
}

#[test]
fn one_that_crashes_on_import() {
    let world = with_flare(FakeFlare::Package(
        "raise OSError('libcuda.so.1 is haunted')\n",
    ));
    let output = world.poc(["start", "--timeout", "60"]).code(1);
    assert!(
        output.stderr.contains("libcuda.so.1 is haunted"),
        "{}",
        output.transcript()
    );
    assert!(
        output.elapsed < SHORT,
        "it waited for something that was dead: {:?}",
        output.elapsed
    );
    start_refuses(&world, 1, &["START_FAILED"]);
}

#[test]
fn one_that_is_not_a_python() {
    let world = poc_test!();
    let program = world.bin().join("not-python");
    write_program(&program, "#!/bin/sh\necho 'I am no Python' >&2\nexit 3\n");
    let world = world.with_python(&program);
    let output = world.poc(["prepare", "--format", "json"]).code(4);
    assert!(
        output.error_code().starts_with("RUNTIME_"),
        "{}",
        output.transcript()
    );
    assert!(
        output.text().contains(program.as_str()),
        "{}",
        output.transcript()
    );

    let world = poc_test!();
    let nowhere = world.root().join("nowhere/python");
    let world = world.with_python(&nowhere);
    let output = world.poc(["prepare", "--format", "json"]).code(4);
    assert!(
        output.error_code().starts_with("RUNTIME_"),
        "{}",
        output.transcript()
    );
    assert!(
        output.text().contains(nowhere.as_str()),
        "{}",
        output.transcript()
    );
    assert!(!world.workspace().exists());
}

#[test]
fn one_that_hangs_can_be_interrupted() {
    let world = with_flare(FakeFlare::Package("import time\ntime.sleep(1000)\n"));
    let running = world.poc(["start"]).spawn();
    // Whichever process of it imports nvflare first.
    let hangs = format!("{} -", world.python_path());
    poc_tests::wait_for("a Python that imports nvflare", SHORT, || {
        world
            .processes()
            .iter()
            .any(|one| one.command.starts_with(&hangs))
            .then_some(())
    });
    running.signal(rustix::process::Signal::INT);
    running.wait().code(130);
    world.assert_nothing_left();
}

/// With nothing configured: the active virtual environment, then `python3` on PATH that has nvflare.
#[test]
fn the_order_in_which_they_are_looked_for() {
    let build = poc_tests::build!();
    let real = runtime(&build);
    let world = poc_test!();
    let plan = || world.poc(["start", "--dry-run", "--format", "json"]);
    world.poc(["prepare", "--flare-version", "2.9.0"]).success();
    let python = |run: poc_tests::Run| {
        let data = run.success().data();
        data["participants"][0]["argv"][0]
            .as_str()
            .unwrap()
            .to_owned()
    };

    // On PATH: one without nvflare is passed over.
    let bare = fake_python(&world, "bare", FakeFlare::Absent);
    let path = format!("{}:{}", bare.parent().unwrap(), real.parent().unwrap());
    let found = python(plan().env("PATH", &path));
    assert!(
        found.starts_with(real.parent().unwrap().as_str()),
        "{found}"
    );
    // An active virtual environment comes first.
    let active = fake_python(&world, "active", FakeFlare::Version("2.9.0"));
    let venv = active.parent().unwrap().parent().unwrap();
    let found = python(plan().env("PATH", &path).env("VIRTUAL_ENV", venv));
    assert!(found.starts_with(venv.as_str()), "{found}");
    // And what is configured comes before that.
    let found = python(plan().env("VIRTUAL_ENV", venv).env("POC_PYTHON", &real));
    assert!(
        found.starts_with(real.parent().unwrap().as_str()),
        "{found}"
    );
}

/// A managed runtime is found with nothing configured, listed, and chosen with `use`.
#[test]
fn managed_ones() {
    let build = poc_tests::build!();
    let Some(data_home) = poc_tests::managed_data_home(&build) else {
        return; // POC_TEST_PYTHON is in its place; the long tests install one in any case.
    };
    let python = runtime(&build);
    let world = poc_test!();
    let poc = |args: &[&str]| world.poc(args).env("XDG_DATA_HOME", &data_home);
    let listed = poc(&["runtime", "list", "--format", "json"])
        .success()
        .data();
    assert!(listed.to_string().contains(python.as_str()), "{listed}");
    poc(&["prepare"]).success();
    let plan = poc(&["start", "--dry-run", "--format", "json"])
        .success()
        .data();
    assert_eq!(plan["participants"][0]["argv"][0], python.as_str());

    // Without the data directory it takes a word in config.conf.
    world.poc(["start", "--dry-run"]).code(4);
    world.poc(["runtime", "use", python.as_str()]).success();
    world.poc(["start", "--dry-run"]).success();
}
