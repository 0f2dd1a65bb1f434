//! How fast `poc` is, beside NVFlare's own `nvflare poc`:
//!
//! ```text
//! cargo run --release -p poc-bench -- --upstream /path/to/venv/bin/python
//! ```
//!
//! Both do the same work on the same project.yml (some sites, three admins) with the same Python, in
//! turn, so that a busy moment of the machine hits both. A row gives the medians, how many times as
//! much NVFlare takes, what is promised, and whether that was kept; if not, the exit code is 1.
//! `--json` gives every single value. Without `--upstream` only `poc` is measured.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people to read"
)]

mod bench;
mod goal;
mod keys;
mod measure;
mod project;
mod report;

use std::{collections::BTreeMap, process::ExitCode};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Parser;
use poc_tests::Build;

use crate::{bench::Bench, report::Report};

/// Measures poc, and NVFlare's own POC command in turn.
#[derive(Debug, Parser)]
struct Args {
    /// A Python with NVFlare: its command is measured too, and what both start runs on it
    #[arg(long, value_name = "PYTHON")]
    upstream: Option<Utf8PathBuf>,

    /// The poc to measure [default: this repository's, built for release]
    #[arg(long, value_name = "PROGRAM")]
    poc: Option<Utf8PathBuf>,

    /// The numbers of sites to measure
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [2, 10, 20, 50])]
    sites: Vec<u32>,

    /// How often each is asked to prepare
    #[arg(long, value_name = "N", default_value_t = 7)]
    prepares: usize,

    /// How often each is asked to start and to stop
    #[arg(long, value_name = "N", default_value_t = 3)]
    starts: usize,

    /// How often poc is asked for its status, all starts together
    #[arg(long, value_name = "N", default_value_t = 51)]
    statuses: usize,

    /// One JSON object with every single value, in seconds and megabytes
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let tmp = std::env::temp_dir().join("poc-bench");
    let tmp = Utf8Path::from_path(&tmp).unwrap_or(Utf8Path::new("."));
    let build = Build::of(args.poc.as_deref(), env!("CARGO_PKG_NAME"), "release", tmp);
    let python = args
        .upstream
        .as_deref()
        .map_or_else(|| poc_tests::runtime(&build), absolute);
    let one_key = keys::time_of_one();
    let mut measured = BTreeMap::new();
    for &sites in &args.sites {
        let mut bench = Bench::new(&build, &python, args.upstream.is_some(), sites);
        for turn in 1..=args.prepares.max(1) {
            eprintln!("{sites} sites: prepare {turn} of {}", args.prepares.max(1));
            bench.prepare();
        }
        for turn in 1..=args.starts {
            eprintln!("{sites} sites: start {turn} of {}", args.starts);
            bench.start_and_stop(args.statuses.div_ceil(args.starts));
        }
        measured.insert(sites, bench.values());
    }
    let report = Report::new(&measured, one_key);
    println!(
        "{}",
        if args.json {
            report.json()
        } else {
            report.table()
        }
    );
    if report.kept() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Links are left as they are: a virtual environment *is* its link to a Python.
fn absolute(path: &Utf8Path) -> Utf8PathBuf {
    camino::absolute_utf8(path).unwrap_or_else(|_| path.to_owned())
}
