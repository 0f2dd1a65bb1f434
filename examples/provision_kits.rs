//! Provisions a small federation into a temporary directory and shows what was made.
//!
//! ```text
//! cargo run -p poc-examples --example provision_kits
//! ```

use std::time::{Duration, Instant};

use camino::Utf8Path;
use poc_core::project::Project;
use poc_core::workspace::Workspace;
use poc_core::{Cancel, Line, fsio};
use poc_provision::{Event, Request, provision};

#[allow(clippy::print_stdout, reason = "an example shows what it does")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let directory =
        Utf8Path::from_path(directory.path()).ok_or("the temporary directory is not UTF-8")?;
    let workspace = Workspace::new(directory.join("poc"));

    let sites = ["hospital-a", "hospital-b"].map(String::from);
    let project = Project::poc_default(Line::V2_9, &sites)?;
    // Set by whoever wants it stopped: a signal handler, a button.
    let cancel = Cancel::new();

    let begun = Instant::now();
    let mut lock = workspace.lock_create(Duration::from_secs(5))?;
    let made = provision(
        &Request::new(&project, &workspace, &cancel),
        &mut lock,
        &mut |event| match event {
            Event::Keys { done, total } => println!("key {done} of {total}"),
            Event::Warning(text) => println!("warning: {text}"),
            _ => {}
        },
    )?;
    println!("made in {} ms\n", begun.elapsed().as_millis());

    for kit in &made.kits {
        println!("{} ({}, {})", kit.name, kit.role, kit.org);
        for part in [kit.startup(), kit.local()] {
            let files = fsio::entries(&part)?.join(" ");
            println!("  {}/  {files}", part.file_name().unwrap_or_default());
        }
    }
    println!(
        "\nsites connect to {}:{}",
        made.server_host, made.fed_learn_port
    );
    println!("certificates are valid until {}", made.certificates_until);
    Ok(())
}
