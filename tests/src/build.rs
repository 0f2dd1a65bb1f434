use camino::Utf8Path;

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
    pub(crate) fn tmp(&self) -> &'static Utf8Path {
        Utf8Path::new(self.tmp)
    }
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
