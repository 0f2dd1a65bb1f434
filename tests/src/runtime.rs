use std::{fs::File, process::Command, sync::OnceLock};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::env::Env;

use crate::Build;

/// The version that the tests run against.
const VERSION: &str = "2.9.0";

/// The interpreter of a virtual environment with the real NVFlare: `POC_TEST_PYTHON`, else the one
/// below the target directory, which the first caller makes with `poc runtime install`, as a user
/// would, while others wait.
///
/// # Panics
///
/// When it cannot be made, with the installer's own words.
pub fn runtime(build: &Build) -> Utf8PathBuf {
    static PYTHON: OnceLock<Utf8PathBuf> = OnceLock::new();
    PYTHON
        .get_or_init(|| {
            Env::from_process()
                .path("POC_TEST_PYTHON")
                .unwrap_or_else(|| shared(build, VERSION))
        })
        .clone()
}

/// The same for another release of NVFlare, such as `2.7.3`: `POC_TEST_PYTHON_2_7`, else one that is
/// made on first use.
///
/// # Panics
///
/// When it cannot be made, with the installer's own words.
pub fn runtime_of(build: &Build, release: &str) -> Utf8PathBuf {
    let line = release.rsplit_once('.').map_or(release, |(line, _)| line);
    Env::from_process()
        .path(&format!("POC_TEST_PYTHON_{}", line.replace('.', "_")))
        .unwrap_or_else(|| shared(build, release))
}

/// The `XDG_DATA_HOME` in which the shared runtime is a managed one, unless `POC_TEST_PYTHON` is in
/// its place.
pub fn managed_data_home(build: &Build) -> Option<Utf8PathBuf> {
    runtime(build)
        .starts_with(data_home(build))
        .then(|| data_home(build))
}

fn data_home(build: &Build) -> Utf8PathBuf {
    build.tmp().join("runtime")
}

fn shared(build: &Build, version: &str) -> Utf8PathBuf {
    let data_home = data_home(build);
    fs_err::create_dir_all(&data_home).unwrap();
    // `poc` has a lock of its own; this one keeps a failed installation from being tried by every
    // test in turn, since the note below is written by the first.
    let lock = File::create(data_home.join("lock")).unwrap();
    lock.lock().unwrap();

    let note = data_home.join(format!("python-{version}"));
    if let Ok(python) = fs_err::read_to_string(&note)
        && Utf8Path::new(&python).exists()
    {
        return python.into();
    }
    // The caller's own environment, so that its pip and proxy settings hold.
    let installed = Command::new(build.poc)
        .args(["runtime", "install", version, "--format", "json"])
        .env("XDG_DATA_HOME", &data_home)
        .output()
        .unwrap();
    assert!(
        installed.status.success(),
        "`poc runtime install {version}` failed ({}):\n{}{}",
        installed.status,
        String::from_utf8_lossy(&installed.stdout),
        String::from_utf8_lossy(&installed.stderr),
    );
    let answer: serde_json::Value = serde_json::from_slice(&installed.stdout).unwrap();
    let python = answer["data"]["python"]
        .as_str()
        .unwrap_or_else(|| panic!("no data.python in {answer}"));
    fs_err::write(&note, python).unwrap();
    python.into()
}
