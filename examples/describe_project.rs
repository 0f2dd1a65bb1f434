//! What a project.yml says, or everything that is wrong with it.
//!
//!     cargo run -p poc-examples --example describe_project -- project.yml
//!     cargo run -p poc-examples --example describe_project            the default project
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people to read"
)]

use std::process::ExitCode;

use camino::Utf8PathBuf;
use poc_core::project::{Kind, Project};
use poc_core::{Error, Hint, Line};

fn main() -> ExitCode {
    match describe(std::env::args().nth(1).map(Utf8PathBuf::from)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            for hint in error.hints() {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

fn describe(path: Option<Utf8PathBuf>) -> Result<(), Error> {
    let line = Line::NEWEST;
    let project = match path {
        Some(path) => {
            let loaded = Project::load(&path)?;
            for warning in loaded.warnings {
                println!("warning: {warning}");
            }
            loaded.project
        }
        None => Project::poc_default(line, &Project::default_client_names(2))?,
    };
    println!("{}, for NVFlare {line}", project.name);
    println!(
        "ports: {} for sites, {} for admins",
        project.fed_learn_port(),
        project.admin_port(line)
    );
    for participant in project.participants() {
        let more = match &participant.kind {
            Kind::Admin(admin) => format!(", {}", admin.role),
            _ => String::new(),
        };
        println!(
            "  {:8} {} ({}{more})",
            participant.role(),
            participant.name,
            participant.org
        );
    }
    Ok(())
}
