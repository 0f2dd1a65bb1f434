//! Starts a federation under a supervisor, looks at it and stops it.
//!
//! ```text
//! cargo run -p poc-examples --example launch_federation                      one of its own, for a moment
//! cargo run -p poc-examples --example launch_federation -- WORKSPACE start
//! cargo run -p poc-examples --example launch_federation -- WORKSPACE foreground
//! cargo run -p poc-examples --example launch_federation -- WORKSPACE status
//! cargo run -p poc-examples --example launch_federation -- WORKSPACE stop [SITE...]
//! ```
//!
//! The supervisor is this program, executed again: `main` hands those calls on before anything else.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people to read"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::config_file::ConfigFile;
use poc_core::env::Env;
use poc_core::project::Project;
use poc_core::settings::{Overrides, Settings};
use poc_core::workspace::{Prepared, Workspace};
use poc_core::{Cancel, Hint, Line};
use poc_launch::plan::{LaunchPlan, PlanRequest, Spawn, build};
use poc_launch::runtime::{self, managed};
use poc_launch::{Federation, LaunchEvent, StartOptions, StopOptions, ports, supervisor};
use poc_provision::{Request, provision};

/// The first argument of a supervisor.
const SUPERVISE: &str = "__supervise";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((SUPERVISE, rest)) = arguments.split_first().map(|(a, b)| (a.as_str(), b)) {
        return match supervisor::main(rest) {
            Ok(()) => ExitCode::SUCCESS,
            // It has told whoever started it.
            Err(_) => ExitCode::FAILURE,
        };
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(error) = error.downcast_ref::<poc_launch::Error>() {
                for hint in error.hints() {
                    eprintln!("hint: {hint}");
                }
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [workspace, command, names @ ..] = arguments else {
        return for_a_moment();
    };
    let workspace = Workspace::new(Utf8Path::new(workspace).canonicalize_utf8()?);
    let prepared = workspace.load()?;
    match command.as_str() {
        "start" => start(&prepared),
        "foreground" => foreground(&prepared),
        "status" => status(&prepared),
        "stop" => stop(&prepared, names),
        other => Err(format!("`{other}` is not one of start, foreground, status, stop").into()),
    }
}

/// Prepares two sites in a temporary directory, on a free port, and goes through all of it.
fn for_a_moment() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let root = Utf8PathBuf::from_path_buf(directory.path().join("poc"))
        .map_err(|_| "the temporary directory is not UTF-8")?;
    let workspace = Workspace::new(root);
    let mut project = Project::poc_default(Line::V2_9, &Project::default_client_names(2))?;
    for port in ports::free(1)? {
        project.set_ports(port, None);
    }
    let cancel = Cancel::new();
    let mut lock = workspace.lock_create(Duration::from_secs(5))?;
    let request = Request::new(&project, &workspace, &cancel);
    provision(&request, &mut lock, &mut |_| {})?;
    drop(lock);

    let prepared = workspace.load()?;
    let seen = start(&prepared).and_then(|()| status(&prepared));
    stop(&prepared, &[])?;
    seen
}

/// The server and all sites, with whatever Python has NVFlare.
fn plan(prepared: &Prepared) -> Result<LaunchPlan, Box<dyn Error>> {
    let env = Env::from_process();
    let data_dir = managed::data_dir(&env)?;
    let file = ConfigFile::load(&ConfigFile::path_in(&env.home()?))?;
    let settings = Settings::resolve(&Overrides::default(), &env, &file, Utf8Path::new("/"))?;
    let runtime = runtime::find(prepared.line, settings.python.as_ref(), &env, &data_dir)?;
    println!("NVFlare {} of {}", runtime.flare_version, runtime.python);
    let clients = prepared.project.clients();
    let mut selected: Vec<String> = clients.map(|client| client.name.clone()).collect();
    selected.insert(0, prepared.project.server().name.clone());
    Ok(build(&PlanRequest {
        prepared,
        runtime: &runtime,
        selected: &selected,
        gpus: &BTreeMap::new(),
        env: &env,
        spawn: Spawn::Auto,
    })?)
}

fn start(prepared: &Prepared) -> Result<(), Box<dyn Error>> {
    let plan = plan(prepared)?;
    let supervisor = ["/proc/self/exe", SUPERVISE].map(str::to_owned);
    let cancel = Cancel::new();
    let options = StartOptions {
        wait: true,
        timeout: None,
        supervisor: &supervisor,
        named: false,
        cancel: &cancel,
    };
    let begun = Instant::now();
    let mut events = |event| show(begun, &event);
    let started = Federation::open(prepared).start(plan, &options, &mut events)?;
    if !started.ready {
        return Err(format!("not registered in time: {}", started.missing.join(", ")).into());
    }
    Ok(())
}

fn foreground(prepared: &Prepared) -> Result<(), Box<dyn Error>> {
    let plan = plan(prepared)?;
    // Ctrl-C reaches the supervisor, which is this process, as a signal.
    let cancel = Cancel::new();
    let options = StartOptions {
        wait: true,
        timeout: None,
        supervisor: &[],
        named: false,
        cancel: &cancel,
    };
    let begun = Instant::now();
    let mut events = |event| show(begun, &event);
    Federation::open(prepared).run_in_foreground(plan, &options, &mut events)?;
    Ok(())
}

fn status(prepared: &Prepared) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let status = Federation::open(prepared).status()?;
    let took = begun.elapsed();
    println!("{} at {}", status.state.as_str(), status.server_address);
    for it in &status.participants {
        let pid = it.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let mib = it.memory_bytes.unwrap_or(0) / (1024 * 1024);
        let registered = match it.registered {
            Some(true) => ", registered",
            _ => "",
        };
        println!(
            "  {:10} {:10} pid {pid}, {mib} MiB, {} restarts{registered}",
            it.name, it.state, it.restarts
        );
    }
    for warning in &status.warnings {
        println!("warning: {warning}");
    }
    println!("looked at in {:.1} ms", took.as_secs_f64() * 1000.0);
    Ok(())
}

fn stop(prepared: &Prepared, names: &[String]) -> Result<(), Box<dyn Error>> {
    let cancel = Cancel::new();
    let options = StopOptions {
        names: (!names.is_empty()).then(|| names.to_vec()),
        wait: true,
        timeout: Duration::from_secs(60),
        python: None,
        cancel: &cancel,
    };
    let begun = Instant::now();
    let mut events = |event| show(begun, &event);
    let stopped = Federation::open(prepared).stop(&options, &mut events)?;
    for survivor in &stopped.survivors {
        println!("{} is still there: {}", survivor.who(), survivor.why);
    }
    if !stopped.survivors.is_empty() {
        return Err("not everything could be stopped".into());
    }
    println!(
        "stopped in {:.2} s, nothing is left",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

fn show(begun: Instant, event: &LaunchEvent) {
    println!("{:6.2} s  {event:?}", begun.elapsed().as_secs_f64());
}
