use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

/// What cargo built, told to tests at compile time and to nobody else; [`poc_test!`](crate::poc_test)
/// fills it in.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// The `poc` program under test.
    pub poc: &'static str,
    /// `poc-on-terminal`, see [`Terminal`](crate::Terminal).
    pub on_terminal: &'static str,
    /// A directory in the target directory that outlives the run: runtimes and port locks go there.
    pub tmp: &'static str,
}

impl Build {
    /// For a program of this `package` that is no test: with this `poc`, or where none is named with the
    /// repository's, which is built in the profile `release` or `dev`, and with a directory for what
    /// outlives a run.
    ///
    /// # Panics
    ///
    /// When the build fails.
    pub fn of(poc: Option<&Utf8Path>, package: &str, profile: &str, tmp: &Utf8Path) -> Self {
        let poc = match poc {
            Some(poc) => camino::absolute_utf8(poc).unwrap(),
            None => build(package, profile),
        };
        Self {
            // As long-lived as the program, like what a test has at compile time.
            poc: poc.into_string().leak(),
            on_terminal: "",
            tmp: tmp.to_string().leak(),
        }
    }

    pub(crate) fn tmp(&self) -> &'static Utf8Path {
        Utf8Path::new(self.tmp)
    }
}

/// Builds this repository's `poc` and gives its path.
fn build(package: &str, profile: &str) -> Utf8PathBuf {
    let manifest = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    // Cargo itself knows best where the target directory is.
    let built = Command::new(env!("CARGO"))
        .args(["build", "--profile", profile, "--bin", "poc"])
        // Together they have the features of dependencies with which the program itself was built, and
        // next to nothing is built again.
        .args(["--package", "poc-cli", "--package", package])
        .args(["--message-format", "json-render-diagnostics"])
        .args(["--manifest-path", manifest.as_str()])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(built.status.success(), "poc does not build");
    let lines = String::from_utf8_lossy(&built.stdout);
    lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "poc")
        .find_map(|message| Some(message["executable"].as_str()?.into()))
        .unwrap_or_else(|| panic!("cargo does not say where it put poc:\n{lines}"))
}

/// The [`Build`] of the test that says it.
#[macro_export]
macro_rules! build {
    () => {
        $crate::Build {
            poc: env!("CARGO_BIN_EXE_poc-under-test"),
            on_terminal: env!("CARGO_BIN_EXE_poc-on-terminal"),
            tmp: env!("CARGO_TARGET_TMPDIR"),
        }
    };
}

/// A [`PocTest`](crate::PocTest) for the test that says it.
#[macro_export]
macro_rules! poc_test {
    () => {
        $crate::PocTest::new(&$crate::build!())
    };
}

/// Compares an [`Output`](crate::Output) with an inline snapshot, with what changes from run to run
/// replaced by words like `[PID]`.
#[macro_export]
macro_rules! poc_snapshot {
    ($world:expr, $output:expr, @$snapshot:literal) => {
        let filters = $world.filters();
        let filters: Vec<(&str, &str)> =
            filters.iter().map(|(pattern, word)| (pattern.as_str(), word.as_str())).collect();
        ::insta::with_settings!({ filters => filters }, {
            ::insta::assert_snapshot!($output.transcript(), @$snapshot);
        });
    };
}
