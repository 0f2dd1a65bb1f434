//! How fast `poc` is, beside NVFlare's own `nvflare poc`:
//!
//! ```text
//! cargo run --release -p poc-bench -- --upstream /path/to/venv/bin/python
//! ```
//!
//! Both do the same work on the same project.yml (2 sites, 3 admins) with the same Python, in turn,
//! so that a busy moment of the machine hits both. A row gives the medians, and how many times as
//! long NVFlare takes. `--json` gives every single time.

#![expect(clippy::print_stdout, reason = "a program for people to read")]

mod bench;
mod keys;
mod report;

use std::process::{Command, ExitCode};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Parser;

use crate::bench::{Bench, Step};

/// Measures poc and NVFlare's own POC command in turn.
#[derive(Debug, Parser)]
struct Args {
    /// A Python with NVFlare: it runs NVFlare's command, and the processes that both start
    #[arg(long, value_name = "PYTHON")]
    upstream: Utf8PathBuf,

    /// The poc to measure [default: this repository's, built for release]
    #[arg(long, value_name = "PROGRAM")]
    poc: Option<Utf8PathBuf>,

    /// How often each is asked to prepare
    #[arg(long, value_name = "N", default_value_t = 9)]
    runs: usize,

    /// How often each is asked to start, for its status, and to stop
    #[arg(long, value_name = "N", default_value_t = 3)]
    starts: usize,

    /// One JSON object with every single time, in seconds
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let poc = args.poc.unwrap_or_else(built);
    let mut bench = Bench::new(&absolute(&poc), &absolute(&args.upstream));
    for _ in 0..args.runs {
        bench.prepare();
    }
    for _ in 0..args.starts {
        bench.start_and_stop();
    }
    let report = bench.report();
    println!(
        "{}",
        if args.json {
            report.json()
        } else {
            report.table()
        }
    );
    // The one promise that is made of every machine: see the row's own judgement.
    if report.keeps_promise(Step::Prepare) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Links are left as they are: a virtual environment *is* its link to a Python.
fn absolute(path: &Utf8Path) -> Utf8PathBuf {
    camino::absolute_utf8(path).unwrap_or_else(|_| path.to_owned())
}

/// Builds this repository's `poc` for release and gives its path, beside this program's own.
fn built() -> Utf8PathBuf {
    let manifest = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--release",
            "--package",
            "poc-cli",
            "--manifest-path",
            manifest.as_str(),
        ])
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "poc does not build"
    );
    let own = std::env::current_exe()
        .ok()
        .and_then(|path| Utf8PathBuf::try_from(path).ok());
    let target = own
        .as_deref()
        .and_then(Utf8Path::parent)
        .and_then(Utf8Path::parent);
    assert!(
        target.is_some(),
        "this program lies in no target directory: name the program with --poc"
    );
    target
        .map(|target| target.join("release/poc"))
        .unwrap_or_default()
}
