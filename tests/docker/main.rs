//! Participants in real containers, on the real Docker engine, with the real NVFlare.
//!
//! Where there is none these tests are reported as ignored, with the reason in their name; the usual
//! harness could only pass or fail them.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests, though their harness is not the usual one"
)]

mod faults;
mod life;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use poc_tests::DockerEngine;

/// A test and its name.
type Test = (&'static str, fn(&DockerEngine));

/// Names each test function by its own name.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(crate) const TESTS: &[crate::Test] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use tests;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // A list says what there is, and makes no image.
    let engine = if arguments.list {
        Err("not looked for".to_owned())
    } else {
        DockerEngine::find(&poc_tests::build!())
    };
    let tests = [life::TESTS, faults::TESTS].concat();
    let trials = tests
        .into_iter()
        .map(|(name, test)| match engine.clone() {
            Ok(engine) => Trial::test(name, move || {
                test(&engine);
                Ok(())
            }),
            Err(_) if arguments.list => Trial::test(name, || Ok(())),
            Err(reason) => Trial::test(name, || Err(Failed::without_message()))
                .with_kind(format!("skipped: {reason}"))
                .with_ignored_flag(true),
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
