//! What the tests of this crate share.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::Line;
use poc_core::project::Role;
use poc_core::workspace::Kit;

/// Makes a shell script that can be run.
///
/// Another process writes the file. Were it this one, a child that another test starts at that moment
/// would hold the file open for writing until it runs its own program, and the script could not be
/// started meanwhile ("text file busy").
pub(crate) fn executable(path: &Utf8Path, script: &str) -> Utf8PathBuf {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    let mut writer = Command::new("install")
        .args(["-m", "755", "/dev/stdin", path.as_str()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let text = format!("#!/bin/sh\n{script}\n");
    let mut input = writer.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    assert!(writer.wait().unwrap().success());
    path.to_owned()
}

/// Waits until something holds. A child that another test starts at that moment holds every
/// descriptor of this process, listeners included, until it runs its own program.
pub(crate) fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// A startup kit in `dir` that has what NVFlare of that line needs, as far as `kit_check` looks.
pub(crate) fn whole_kit(dir: &Utf8Path, role: Role, line: Line) -> Kit {
    let kit = Kit {
        name: "site-1".to_owned(),
        role,
        org: "nvidia".to_owned(),
        dir: dir.to_owned(),
    };
    let base = if role == Role::Server {
        "server"
    } else {
        "client"
    };
    let pem = |label: &str| format!("-----BEGIN {label}-----\nMIIB\nAA==\n-----END {label}-----\n");
    let (startup, local) = (kit.startup(), kit.local());
    let certificate = pem("CERTIFICATE");
    let object = "{\"a\": [1]}";
    for (file, text) in [
        (kit.role_file(), object),
        (startup.join(format!("{base}.key")), &pem("RSA PRIVATE KEY")),
        (startup.join(format!("{base}.crt")), &certificate),
        (startup.join("rootCA.pem"), &certificate),
        (startup.join("signature.json"), object),
        (local.join("resources.json.default"), object),
        if line == Line::V2_5 {
            (local.join("log.config.default"), "[loggers]\nkeys=root\n")
        } else {
            (local.join("log_config.json.default"), object)
        },
    ] {
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, text).unwrap();
    }
    kit
}
