//! What GPUs this host has, and who of four sites would get which.
//!
//!     cargo run --example gpu_inventory              dealt automatically
//!     cargo run --example gpu_inventory -- 1 0 0 2   as `poc start -gpu 1 0 0 2` would
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people to read"
)]

use std::process::ExitCode;

use poc_gpu::{DiscoverOptions, Error, Host, Request, deal, discover};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            eprintln!("hint: {}", error.hint().unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    let host = discover(&DiscoverOptions::from_process());
    match &host {
        Host::NoDriver => println!("no GPU driver"),
        Host::Broken { reason, source } => println!("a broken driver, by {source}: {reason}"),
        Host::Present(found) => println!("{} found by {}", found.devices.len(), found.source),
    }
    for gpu in host.devices() {
        let memory = gpu
            .memory_total_mib
            .map_or_else(|| "unknown".to_owned(), |mib| format!("{mib} MiB"));
        let uuid = gpu.uuid.as_deref().unwrap_or("no UUID");
        println!("  {}  {}  {memory}  {uuid}", gpu.index, gpu.name);
        for instance in &gpu.mig {
            println!("     MIG {}  {}", instance.profile, instance.uuid);
        }
    }

    let words: Vec<String> = std::env::args().skip(1).collect();
    let sites = ["site-1", "site-2", "site-3", "site-4"].map(String::from);
    let dealt = deal(&Request::parse(&words)?, &sites, &sites, &host)?;
    for (site, share) in dealt.iter() {
        println!("{site}: {:?}", share.environment());
    }
    for warning in host.warnings().iter().chain(&dealt.warnings) {
        println!("warning: {warning}");
    }
    Ok(())
}
