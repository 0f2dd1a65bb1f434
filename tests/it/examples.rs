//! Each program of `examples/` runs, and each library crate has one.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use poc_tests::poc_test;
use serde_json::Value;

fn directory() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join("examples")
}

/// The sources, without the crate's empty library.
fn sources() -> Vec<Utf8PathBuf> {
    let entries = directory()
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().into_path());
    let mut sources: Vec<_> = entries
        .filter(|path| path.extension() == Some("rs") && path.file_stem() != Some("lib"))
        .collect();
    sources.sort();
    sources
}

/// Builds them all, in the profile that these tests were built in, and gives each one's program.
fn programs() -> Vec<Utf8PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--examples",
        "--message-format",
        "json",
        "--manifest-path",
        directory().join("Cargo.toml").as_str(),
    ]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let built = cargo.output().unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let messages = String::from_utf8(built.stdout).unwrap();
    let mut programs: Vec<Utf8PathBuf> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["kind"][0] == "example")
        .filter_map(|message| message["executable"].as_str().map(Into::into))
        .collect();
    programs.sort();
    programs
}

#[test]
fn every_library_crate_has_one() {
    let texts: String = sources()
        .iter()
        .map(|path| fs_err::read_to_string(path).unwrap())
        .collect();
    for library in ["poc_core", "poc_provision", "poc_gpu", "poc_launch"] {
        assert!(
            texts.contains(&format!("use {library}")),
            "no example uses {library}"
        );
    }
}

#[test]
fn they_run() {
    let programs = programs();
    assert_eq!(programs.len(), sources().len(), "{programs:?}");
    for program in programs {
        let world = poc_test!().with_flare();
        let output = world.program(&program).success();
        assert!(!output.stdout.is_empty(), "{program} shows nothing");
        world.assert_nothing_left();
    }
}
