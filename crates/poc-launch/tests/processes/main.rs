//! The supervisor with real processes: small shell scripts play the participants.
//!
//! A supervisor is the embedding program executed again, so this test program has a `main` of its own
//! that can be one, and no ordinary test harness.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "these are tests, though their harness is not the usual one"
)]

mod faults;
mod histories;
#[path = "../../src/supervisor/history.rs"]
#[expect(dead_code, reason = "some deeds are only for the simulation")]
mod history;
mod life;
mod poc;
mod prune;
mod requests;
mod runaway;

use std::cell::Cell;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

thread_local! {
    /// Why the test that ran here tested nothing.
    static SKIPPED: Cell<Option<String>> = const { Cell::new(None) };
}

/// Says that this test cannot be made here, and why: it counts as ignored then, not as passed.
fn skip(reason: impl Into<String>) {
    SKIPPED.set(Some(reason.into()));
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == poc::SUPERVISE => {
            match poc_launch::supervisor::main(rest) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
        Some((first, rest)) if first == poc::START => poc::start_elsewhere(rest),
        Some((first, rest)) if first == poc::ASK => requests::ask_elsewhere(rest),
        Some((first, rest)) if first == poc::FOREGROUND => poc::in_the_foreground(rest),
        _ => {
            let trials = [
                life::TESTS,
                requests::TESTS,
                faults::TESTS,
                prune::TESTS,
                histories::TESTS,
                runaway::TESTS,
            ]
            .concat()
            .into_iter()
            .map(|(name, test)| {
                Trial::ignorable_test(name, move || {
                    test();
                    Ok(SKIPPED
                        .take()
                        .map_or(Completion::Completed, Completion::ignored_with))
                })
            })
            .collect();
            libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
        }
    }
}

/// A test and its name.
type Test = (&'static str, fn());

/// Names each test function by its own name.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(crate) const TESTS: &[crate::Test] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use tests;
