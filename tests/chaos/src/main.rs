//! Draws faults at random against `poc` on the real NVFlare, and looks at what must hold after them:
//!
//! ```text
//! cargo run --release -p poc-chaos -- --rounds 200 --seed 7
//! ```
//!
//! A round starts a POC, lets one to three faults happen to it, and stops it; then nothing of it may
//! be left, and no stranger may have been touched. What a round consists of follows from the seed and
//! its number alone, so one round can be run again. docs/design/chaos.md says what is drawn, and what
//! is checked.

#![expect(clippy::print_stdout, reason = "a program for people to read")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a part of the tests: a check that fails panics, and ends the round"
)]

mod draw;
mod expect;
mod journal;
mod report;
mod round;
mod run;
mod scan;
mod seen;
mod stage;
mod start;
mod strike;

use std::process::ExitCode;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Parser;
use poc_tests::{Build, Decoys};

use crate::{draw::Draw, report::Report, run::Plan};

/// Draws faults against poc on the real NVFlare.
#[derive(Debug, Parser)]
struct Args {
    /// How many rounds
    #[arg(long, value_name = "N", default_value_t = 8)]
    rounds: u32,

    /// What the rounds are drawn from; the same seed draws the same
    #[arg(long, value_name = "S")]
    seed: u64,

    /// Only this round of the sequence
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    only: Option<u32>,

    /// Only rounds whose line has this text
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    with: String,

    /// How many rounds run at the same time [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    at_once: Option<u32>,

    /// A Python with NVFlare [default: the tests' own]
    #[arg(long, value_name = "PYTHON")]
    python: Option<Utf8PathBuf>,

    /// Where each round's events are kept, a file a round [default: a temporary directory, kept when a
    /// round fails]
    #[arg(long, value_name = "DIR")]
    events: Option<Utf8PathBuf>,

    /// The poc to test [default: this repository's, built like this program]
    #[arg(long, value_name = "PROGRAM")]
    poc: Option<Utf8PathBuf>,
}

fn main() -> ExitCode {
    if Decoys::is_one() {
        return ExitCode::SUCCESS;
    }
    let args = Args::parse();
    let profile = if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    };
    let build = Build::of(args.poc.as_deref(), env!("CARGO_PKG_NAME"), profile, &tmp());
    let python = match &args.python {
        // A virtual environment *is* its link to a Python: not resolved.
        Some(python) => camino::absolute_utf8(python).unwrap(),
        None => poc_tests::runtime(&build),
    };
    let rounds = match args.only {
        Some(round) => round..=round,
        None => 1..=args.rounds,
    };
    let plan = Plan {
        seed: args.seed,
        draws: rounds
            .map(|round| (round, Draw::of(args.seed, round)))
            .filter(|(_, draw)| draw.to_string().contains(&args.with))
            .collect(),
        at_once: args.at_once.unwrap_or_else(cores),
        build,
        python,
    };
    let report = Report::begin(&args, &plan);
    run::run(&plan, report)
}

fn cores() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores).unwrap_or(1)
}

/// In the target directory, beside the tests' own: what is kept there is the same.
fn tmp() -> Utf8PathBuf {
    let own = std::env::current_exe().unwrap();
    let own = Utf8Path::from_path(&own).unwrap();
    let target = own.parent().and_then(Utf8Path::parent).unwrap();
    target.join("tmp")
}
