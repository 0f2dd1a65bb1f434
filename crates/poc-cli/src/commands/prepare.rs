//! `poc prepare`: from flags to a project, from a project to a workspace.

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::config_file::ConfigFile;
use poc_core::project::{Participant, Project, Role};
use poc_core::settings::Settings;
use poc_core::workspace::{Manifest, Prepared, Recognised, Workspace};
use poc_core::{FlareVersion, Line, Listen};
use poc_launch::Federation;
use poc_launch::runtime::{self, Runtime};
use poc_provision::{Event, Provisioned, Request};
use serde::Serialize;

use crate::args::{Ports, client_count};
use crate::commands::LOCK_WAIT;
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::{Progress, style, words};
use crate::terminal;

/// The sites that a project has where nothing says how many.
const DEFAULT_CLIENTS: u32 = 2;

/// The image that a bare `-d` means, as in NVFlare.
const DEFAULT_IMAGE: &str = "nvflare/nvflare";

/// Arguments of `poc prepare`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) project: ProjectArgs,

    /// Replace the POC that is there without asking
    #[arg(long)]
    pub(crate) force: bool,
}

/// The flags that say what is to be prepared; `poc up` has them too.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ProjectArgs {
    /// How many sites, named site-1, site-2, … [default: 2]
    #[arg(short = 'n', long = "number-of-clients", value_name = "N", value_parser = client_count, allow_negative_numbers = true)]
    number: Option<u32>,

    /// The sites by name; -n is then ignored
    #[arg(short = 'c', long, value_name = "NAME", num_args = 0..)]
    clients: Option<Vec<String>>,

    /// With keys for homomorphic encryption [also: -he]
    #[arg(long)]
    he: bool,

    /// Take the project from this project.yml; -n, -c and -d are then ignored
    #[arg(short = 'i', long = "project-input", value_name = "FILE")]
    pub(crate) input: Option<Utf8PathBuf>,

    /// For Docker, with this image [without a value: nvflare/nvflare]
    #[arg(short = 'd', long = "docker-image", value_name = "IMAGE", num_args = 0..=1, default_missing_value = DEFAULT_IMAGE)]
    docker_image: Option<String>,

    /// The server's ports: `auto` for free ones, FED, or FED:ADMIN [default: the project's]
    #[arg(long, value_name = "PORTS")]
    ports: Option<Ports>,

    /// Where the server listens [default: this machine alone, where its NVFlare can]
    #[arg(long, value_name = "ADDR")]
    listen: Option<Listen>,

    /// Make kits for this version of NVFlare [default: that of the Python in use]
    #[arg(long, value_name = "VERSION", value_parser = flare_version)]
    flare_version: Option<FlareVersion>,

    /// Keep the certificate authority of the POC that is replaced
    #[arg(long)]
    pub(crate) keep_ca: bool,
}

impl ProjectArgs {
    /// Whether a flag says what the project is to be.
    pub(crate) fn describes_a_project(&self) -> bool {
        let Self { number, clients, he, input, docker_image, ports, listen, flare_version, keep_ca } = self;
        number.is_some()
            || clients.is_some()
            || *he
            || input.is_some()
            || docker_image.is_some()
            || ports.is_some()
            || listen.is_some()
            || flare_version.is_some()
            || *keep_ca
    }

    /// The NVFlare that is asked for.
    pub(crate) const fn flare_version(&self) -> Option<&FlareVersion> {
        self.flare_version.as_ref()
    }

    /// Whether any free ports will do.
    pub(crate) fn has_automatic_ports(&self) -> bool {
        self.ports == Some(Ports::Auto)
    }

    /// Refuses what this version cannot make yet, before anything is touched.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::NotSupported`] for `-he` and `-d`.
    pub(crate) fn refuse_unsupported(&self) -> Result<(), CliError> {
        let refused = |what: &str, flag: &str| {
            Err(CliError::new(ErrorCode::NotSupported, format!("this version of poc cannot prepare {what} yet"))
                .hint(format!("leave out {flag} for sites that run as plain processes")))
        };
        if self.he {
            return refused("keys for homomorphic encryption", "`-he`");
        }
        if self.docker_image.is_some() && self.input.is_none() {
            return refused("a POC in Docker containers", "`-d`");
        }
        Ok(())
    }

    /// Says which flags have no effect beside others.
    fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if self.input.is_some() {
            let ignored = [("-n", self.number.is_some()), ("-c", self.clients.is_some()), ("-d", self.docker_image.is_some())];
            let ignored: Vec<&str> = ignored.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag).collect();
            if !ignored.is_empty() {
                notices.push(format!("{} ignored: the project comes from -i", words::list(&ignored)));
            }
        } else if self.named_clients().is_some() {
            if self.number.is_some() {
                notices.push("-n ignored: -c names the sites".to_owned());
            }
        } else if self.clients.is_some() {
            let number = self.number.unwrap_or(DEFAULT_CLIENTS);
            notices.push(format!("-c names no site: there will be {}", words::count(number as usize, "site")));
        }
        notices
    }

    fn named_clients(&self) -> Option<&[String]> {
        self.clients.as_deref().filter(|names| !names.is_empty())
    }
}

fn flare_version(text: &str) -> Result<FlareVersion, String> {
    // Both errors read well beside the value.
    text.parse::<Line>().map_err(|error| error.to_string())?;
    text.parse::<FlareVersion>().map_err(|error| error.to_string())
}

/// What is to be prepared: the project with its NVFlare.
pub(crate) struct Plan {
    pub(crate) project: Project,
    pub(crate) line: Line,
    pub(crate) flare_version: Option<FlareVersion>,
    pub(crate) listen: Listen,
}

/// Works out what the flags describe. Touches nothing.
///
/// # Errors
///
/// For a project that cannot be, and for what this version cannot make.
pub(crate) fn plan(context: &Context, args: &ProjectArgs, runtime: Option<&Runtime>) -> Result<Plan, CliError> {
    args.refuse_unsupported()?;
    for notice in args.notices() {
        context.printer.note(&notice);
    }
    let (line, flare_version) = version(args.flare_version.as_ref(), runtime);
    let mut project = match &args.input {
        Some(path) => read_project(context, path)?,
        None => {
            let clients = match args.named_clients() {
                Some(names) => names.to_vec(),
                None => Project::default_client_names(args.number.unwrap_or(DEFAULT_CLIENTS)),
            };
            Project::poc_default(line, &clients)?
        }
    };
    if project.docker_image.is_some() || project.he {
        let what = if project.he { "homomorphic encryption" } else { "Docker containers" };
        return Err(CliError::new(ErrorCode::NotSupported, format!("the project asks for {what}, which this version of poc cannot prepare yet"))
            .hint("take it out of the project file, then prepare again"));
    }
    match args.ports {
        None => {}
        Some(Ports::Fixed { fed_learn, admin }) => project.set_ports(fed_learn, admin),
        Some(Ports::Auto) => {
            // Up to 2.6 admins have a listener of their own.
            let count = if line <= Line::V2_6 { 2 } else { 1 };
            let free = poc_launch::ports::free(count)?;
            project.set_ports(free[0], free.get(1).copied());
        }
    }
    Ok(Plan { project, line, flare_version, listen: args.listen.clone().unwrap_or(Listen::Loopback) })
}

/// The line that kits are made for, with the exact version where it is known: what was asked for,
/// else what the runtime has, else the newest.
fn version(asked: Option<&FlareVersion>, runtime: Option<&Runtime>) -> (Line, Option<FlareVersion>) {
    let found = runtime.map(|runtime| (runtime.line, Some(runtime.flare_version.clone())));
    match asked.and_then(|version| Some((version.line()?, version))) {
        // `2.9` names the line alone; the runtime, if it is of that line, knows the rest.
        Some((line, version)) if version.as_str().matches('.').count() < 2 => match found {
            Some((found_line, exact)) if found_line == line => (line, exact),
            _ => (line, None),
        },
        Some((line, version)) => (line, Some(version.clone())),
        None => found.unwrap_or((Line::NEWEST, None)),
    }
}

fn read_project(context: &Context, path: &Utf8Path) -> Result<Project, CliError> {
    let path = context.absolute(path)?;
    if !path.is_file() {
        let what = if path.exists() { "is no file" } else { "does not exist" };
        return Err(CliError::new(ErrorCode::InvalidArgs, format!("the project file {path} {what}"))
            .hint("`-i` takes a project.yml, such as the one in a prepared workspace"));
    }
    let loaded = Project::load(&path)?;
    for warning in &loaded.warnings {
        context.printer.warning(&format!("{path}: {warning}"));
    }
    Ok(loaded.project)
}

/// The Python that the kits will be run by. That none is there is no reason not to make kits. One that
/// the settings name and that does not work is a reason, unless the version was given: then nothing
/// has to be asked of it, and it is only warned about.
///
/// # Errors
///
/// For a Python that the settings name and that cannot be used.
fn find_runtime(context: &Context, settings: &Settings, version: Option<&FlareVersion>) -> Result<Option<Runtime>, CliError> {
    let data_dir = runtime::managed::data_dir(&context.env)?;
    let want = version.and_then(FlareVersion::line);
    match runtime::find(want, settings.python.as_ref(), &context.env, &data_dir) {
        Ok(found) => {
            context.printer.debug(&format!("NVFlare {} of {}", found.flare_version, found.python));
            Ok(Some(found))
        }
        Err(poc_launch::Error::RuntimeMissing { .. }) => Ok(None),
        Err(error) if version.is_some() => {
            context.printer.warning(&format!("`poc start` will need another Python: {error}"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let settings = context.settings()?;
    args.project.refuse_unsupported()?;
    let runtime = find_runtime(context, &settings, args.project.flare_version.as_ref())?;
    let plan = plan(context, &args.project, runtime.as_ref())?;
    let data = prepare(context, &settings, &plan, &args.project, args.force, runtime.is_some())?;
    context.printer.result(&data, text)?;
    Ok(0)
}

/// What `prepare` did.
#[derive(Debug, Serialize)]
pub(crate) struct Data {
    pub(crate) workspace: Utf8PathBuf,
    project: String,
    prod_dir: Utf8PathBuf,
    server: String,
    pub(crate) clients: Vec<String>,
    admins: Vec<String>,
    flare_version: String,
    /// Whether a Python with that NVFlare is there to start it.
    runtime_found: bool,
    server_address: String,
    listen: String,
    ports: PortsData,
    /// RFC 3339.
    certificates_until: String,
    config_file: Utf8PathBuf,
    /// Where the old workspace is, if it held files that `prepare` had not written.
    previous: Option<Utf8PathBuf>,
    /// Those files, relative to it.
    foreign_files: Vec<Utf8PathBuf>,
    next: &'static str,
}

/// The server's ports.
#[derive(Debug, Serialize)]
struct PortsData {
    fed_learn: u16,
    admin: u16,
}

/// Writes the workspace and points config.conf at it.
///
/// # Errors
///
/// When the workspace is taken, runs, or cannot be written; nothing is changed then.
pub(crate) fn prepare(
    context: &Context,
    settings: &Settings,
    plan: &Plan,
    args: &ProjectArgs,
    force: bool,
    runtime_found: bool,
) -> Result<Data, CliError> {
    // Read before anything is written: a config.conf that does not parse must stop it.
    let mut config = context.config_file()?;
    let workspace = Workspace::new(&settings.workspace.value);
    // Before the lock, which would make the directory: a foreign one is not to be touched at all.
    what_is_there(&workspace)?;
    let mut lock = workspace.lock_create(LOCK_WAIT)?;
    let there = what_is_there(&workspace)?;
    let owns_path = there.as_ref().is_some_and(|there| there.owns_config_path);
    let replace = may_replace(context, &workspace, there.as_ref(), force)?;
    let input = args.input.as_deref().map(|path| context.absolute(path)).transpose()?;
    let request = Request {
        project: &plan.project,
        workspace: &workspace,
        line: plan.line,
        flare_version: plan.flare_version.as_ref().map(ToString::to_string),
        listen: plan.listen.clone(),
        replace,
        input: input.as_deref(),
        keep_ca: args.keep_ca,
        examples: settings.examples.as_ref().map(|examples| examples.value.as_path()),
        cancel: &context.cancel,
    };
    let provisioned = {
        let progress = Progress::spinner(&context.printer, "making keys");
        poc_provision::provision(&request, &mut lock, &mut |event| show(context, &progress, event))?
    };
    let owned = owns_path || !names_workspace(&config, &workspace);
    point_config(&mut config, &workspace, plan, &provisioned)?;
    if owned {
        remember_config(&workspace)?;
    }
    drop(lock);
    Ok(data(settings, plan, provisioned, runtime_found))
}

/// The POC that is in the way.
struct There {
    /// In a few words.
    what: String,
    /// Whether its `prepare` put the workspace's path into config.conf, and not `config -pw`.
    owns_config_path: bool,
}

/// Looks what is in the workspace.
///
/// # Errors
///
/// For a directory that is no POC, and for a POC that runs.
fn what_is_there(workspace: &Workspace) -> Result<Option<There>, CliError> {
    match workspace.recognise()? {
        Recognised::Absent | Recognised::Empty => Ok(None),
        Recognised::Foreign { reason } => {
            Err(poc_core::Error::Foreign { workspace: workspace.root().to_owned(), reason }.into())
        }
        Recognised::Broken { .. } => Ok(Some(There { what: "a damaged POC".to_owned(), owns_config_path: false })),
        Recognised::Poc(prepared) => {
            refuse_running(&prepared)?;
            let sites = words::count(prepared.project.clients().count(), "site");
            Ok(Some(There {
                what: format!("a POC ({} with {sites})", prepared.project.name),
                owns_config_path: prepared.manifest.is_some_and(|manifest| manifest.config_written),
            }))
        }
    }
}

/// Whether what is there may be replaced: by the flag, or by a yes.
fn may_replace(context: &Context, workspace: &Workspace, there: Option<&There>, force: bool) -> Result<bool, CliError> {
    let Some(There { what, .. }) = there else { return Ok(false) };
    let root = workspace.root();
    if force {
        return Ok(true);
    }
    if terminal::can_ask(context) {
        if terminal::confirm(context, &format!("There is {what} in {root}. Replace it?"))? {
            return Ok(true);
        }
        return Err(CliError::new(ErrorCode::WorkspaceExists, format!("the POC in {root} was left as it is")));
    }
    Err(CliError::new(ErrorCode::WorkspaceExists, format!("there is {what} in {root} already"))
        .hint("run it again with `--force` to replace it")
        .hint("or choose another workspace with `--workspace DIR`"))
}

/// Refuses to touch a POC whose participants run.
///
/// # Errors
///
/// [`ErrorCode::StillRunning`] with who runs.
pub(crate) fn refuse_running(prepared: &Prepared) -> Result<(), CliError> {
    let status = Federation::open(prepared).status()?;
    let running: Vec<String> =
        status.participants.iter().filter(|participant| participant.pid.is_some()).map(|participant| participant.name.clone()).collect();
    if running.is_empty() && status.supervisor.is_none() {
        return Ok(());
    }
    let who = if running.is_empty() { "its supervisor".to_owned() } else { words::list(&running) };
    Err(CliError::new(ErrorCode::StillRunning, format!("the POC in {} is running: {who}", prepared.workspace.root()))
        .hint("stop it first with `poc stop`"))
}

fn show(context: &Context, progress: &Progress<'_>, event: Event) {
    match event {
        Event::Keys { done, total } => progress.at(done, total),
        Event::Kit { name } => progress.say(format!("writing the kit of {name}")),
        Event::Warning(text) => progress.warning(&text),
        Event::Recovered { what } => progress.note(&what),
        Event::KeptAuthority { until } => {
            progress.note(&format!("the certificate authority is kept; it is valid until {}", words::day(&until)));
        }
        // Both are told at the end.
        Event::Swapped | Event::KeptPrevious { .. } => context.printer.debug(&format!("{event:?}")),
    }
}

/// Whether config.conf names the workspace, in the key of either generation.
fn names_workspace(config: &ConfigFile, workspace: &Workspace) -> bool {
    [["poc", "workspace"], ["poc_workspace", "path"]]
        .iter()
        .any(|key| config.get(key).is_some_and(|value| value.text == workspace.root().as_str()))
}

/// Points config.conf at the new kits.
fn point_config(config: &mut ConfigFile, workspace: &Workspace, plan: &Plan, provisioned: &Provisioned) -> Result<(), CliError> {
    let admins: Vec<(String, Utf8PathBuf)> = provisioned
        .kits
        .iter()
        .filter(|kit| kit.role == Role::Admin)
        .map(|kit| (kit.name.clone(), kit.dir.clone()))
        .collect();
    config.point_at(workspace.root(), &provisioned.prod_dir, &admins, &plan.project.project_admin().name);
    config.save()?;
    Ok(())
}

/// Notes in the workspace that its path in config.conf is ours: `clean` takes it out again.
fn remember_config(workspace: &Workspace) -> Result<(), CliError> {
    let file = workspace.manifest_file();
    if let Some(manifest) = Manifest::load(&file)? {
        Manifest { config_written: true, ..manifest }.save(&file)?;
    }
    Ok(())
}

fn data(settings: &Settings, plan: &Plan, provisioned: Provisioned, runtime_found: bool) -> Data {
    let project = &plan.project;
    let names = |participants: &mut dyn Iterator<Item = &Participant>| {
        participants.map(|participant| participant.name.clone()).collect()
    };
    Data {
        workspace: settings.workspace.value.clone(),
        project: project.name.clone(),
        prod_dir: provisioned.prod_dir,
        server: project.server().name.clone(),
        clients: names(&mut project.clients()),
        admins: names(&mut project.admins()),
        flare_version: plan.flare_version.as_ref().map_or_else(|| plan.line.to_string(), ToString::to_string),
        runtime_found,
        server_address: format!("{}:{}", provisioned.server_host, provisioned.fed_learn_port),
        listen: plan.listen.to_string(),
        ports: PortsData { fed_learn: provisioned.fed_learn_port, admin: provisioned.admin_port },
        certificates_until: provisioned.certificates_until,
        config_file: settings.config_path.clone(),
        previous: provisioned.previous,
        foreign_files: provisioned.foreign_files,
        next: if runtime_found { "poc start" } else { "poc runtime install" },
    }
}

/// What `prepare` did, in a line.
pub(crate) fn headline(data: &Data) -> String {
    format!(
        "{} Prepared {} in {} for NVFlare {}\n",
        style::good("✓"),
        data.project,
        style::literal(&data.workspace),
        data.flare_version
    )
}

/// What `prepare` says at its end: what is where, until when, and what to do next.
fn text(data: &Data) -> String {
    let mut text = headline(data) + "\n";
    let mut line = |name: &str, value: String| text += &format!("  {name:<14}{value}\n");
    let admin = match data.ports.admin {
        admin if admin == data.ports.fed_learn => String::new(),
        admin => format!(", admins on {admin}"),
    };
    line("server", format!("{} at {}{admin}, {}", data.server, data.server_address, reach(&data.listen)));
    line("sites", words::list(&data.clients));
    line("admins", words::list(&data.admins));
    line("startup kits", style::literal(&data.prod_dir));
    line("certificates", format!("valid until {}", words::day(&data.certificates_until)));
    line("config.conf", format!("{} points here now", style::literal(&data.config_file)));
    if let Some(previous) = &data.previous {
        let files: Vec<&str> = data.foreign_files.iter().map(|file| file.as_str()).collect();
        line("old workspace", format!("kept as {}, because of {}", style::literal(previous), words::list(&files)));
    }
    if !data.runtime_found {
        text += "\nNo Python with NVFlare was found to run it.\n";
    }
    text += &format!("\nNext: {}\n", style::literal(format_args!("`{}`", data.next)));
    text
}

/// Who can reach the server.
fn reach(listen: &str) -> String {
    match listen.parse() {
        Ok(Listen::Loopback) => "from this machine only".to_owned(),
        Ok(Listen::All) => "on every network of this machine".to_owned(),
        _ => format!("on {listen}"),
    }
}
