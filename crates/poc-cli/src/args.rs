//! What the command line may say. The structs of one command lie in that command's file; none of
//! them is passed below this crate.

use std::fmt;
use std::str::FromStr;

use camino::Utf8PathBuf;
use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Effects};
use clap::{Parser, Subcommand, ValueEnum};

use crate::commands;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

/// Runs a federated-learning proof of concept (POC) on this machine, with the real NVIDIA FLARE.
///
/// A POC is a server, some client sites and the FLARE console, each a process of its own. `poc`
/// prepares their startup kits, starts them, watches over them, and stops them and cleans up.
#[derive(Debug, Parser)]
#[command(
    name = "poc",
    version,
    styles = STYLES,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "A first look:        poc demo\n\
                  Your own project:    poc prepare -n 2 && poc start   (or: poc up -n 2)\n\
                  And away again:      poc stop && poc clean           (or: poc down --clean)"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The form of results
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,

    /// The POC workspace [default: $NVFLARE_POC_WORKSPACE, config.conf, /tmp/nvflare/poc]
    #[arg(long, global = true, value_name = "DIR", value_parser = directory)]
    pub(crate) workspace: Option<Utf8PathBuf>,

    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true
    )]
    pub(crate) color: ColorWhen,

    /// Say on stderr what is done in detail, and show errors with all their causes [also: -debug]
    #[arg(long, global = true)]
    pub(crate) debug: bool,
}

/// A directory that is named. An empty word is an unset shell variable in quotes: to take the
/// default in its place would be to work on, or remove, another directory than was meant.
pub(crate) fn directory(text: &str) -> Result<Utf8PathBuf, String> {
    if text.trim().is_empty() {
        return Err("it names no directory".to_owned());
    }
    Ok(Utf8PathBuf::from(text))
}

/// The commands, in the order of the help text.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the workspace: project.yml and the startup kits of server, sites and admins
    Prepare(commands::prepare::Args),
    /// Link a directory of jobs as the project admin's transfer directory
    PrepareJobsDir(commands::prepare_jobs_dir::Args),
    /// Start participants, and wait until the sites have registered
    Start(commands::start::Args),
    /// Stop participants, and make sure that nothing of them is left
    Stop(commands::stop::Args),
    /// Remove the workspace
    Clean(commands::clean::Args),
    /// Prepare if needed, then start
    Up(commands::up::Args),
    /// Stop, and with --clean remove the workspace
    Down(commands::down::Args),
    /// Show who runs: state, pid, uptime, restarts, CPU, memory, GPUs, registered, ports
    Status(commands::status::Args),
    /// Show the participants' console logs
    Logs(commands::logs::Args),
    /// Show what happened: starts, exits, signals, restarts, requests
    Events(commands::events::Args),
    /// Show the GPUs of this host, and who has what
    Gpus(commands::gpus::Args),
    /// Show every setting with its source, or edit config.conf
    Config(commands::config::Args),
    /// Add a site to the prepared POC, running or not
    AddSite(commands::grow::add_site::Args),
    /// Add a user of the FLARE console and API to the prepared POC, running or not
    AddUser(commands::grow::add_user::Args),
    /// Remove a site or a user from the prepared POC
    Remove(commands::grow::remove::Args),
    /// Show the certificates: who has one, until when; or renew them
    Certs(commands::certs::Args),
    /// Manage Python environments with NVFlare in them
    Runtime(commands::runtime::Args),
    /// Train a model federated over three hospitals, from nothing to the result
    Demo(commands::demo::Args),
    /// Show what earlier POCs of this user left running, and end it
    ///
    /// Left behind is what belongs to a POC whose workspace was removed or replaced, or whose
    /// supervisor died. POCs that run are named and left alone, and so are FLARE consoles. Without
    /// --workspace it is about every workspace of this user, wherever it is or was.
    Prune(commands::prune::Args),
    /// Check what `poc` needs on this machine
    Doctor(commands::doctor::Args),
    /// Print a completion script for a shell
    Completions(commands::completions::Args),
    /// Print the manual page, or write all of them into a directory
    Man(commands::man::Args),
}

/// How results are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for people
    #[default]
    Txt,
    /// Exactly one JSON object on stdout
    Json,
    /// One JSON object a line, for what streams
    Jsonl,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The ports of the server: `auto`, `FED` or `FED:ADMIN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ports {
    /// Any free ones.
    Auto,
    /// These.
    Fixed {
        /// Where sites connect.
        fed_learn: u16,
        /// Where admins connect; `None` leaves it to the NVFlare line.
        admin: Option<u16>,
    },
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        let port = |text: &str| match text.parse::<u16>() {
            Ok(0) | Err(_) => Err(format!(
                "`{text}` is no port: ports are numbers from 1 to 65535 (`8002`, `8002:8003`), or `auto`"
            )),
            Ok(port) => Ok(port),
        };
        match text.split_once(':') {
            None => Ok(Self::Fixed {
                fed_learn: port(text)?,
                admin: None,
            }),
            Some((fed_learn, admin)) => Ok(Self::Fixed {
                fed_learn: port(fed_learn)?,
                admin: Some(port(admin)?),
            }),
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed {
                fed_learn,
                admin: None,
            } => write!(f, "{fed_learn}"),
            Self::Fixed {
                fed_learn,
                admin: Some(admin),
            } => write!(f, "{fed_learn}:{admin}"),
        }
    }
}

/// Which back end starts processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spawn {
    /// The fastest one that works here
    #[default]
    Auto,
    /// A Python of its own for each participant
    Exec,
    /// One Python that loads NVFlare once, and is forked for each participant
    Fork,
}

impl From<Spawn> for poc_launch::plan::Spawn {
    fn from(spawn: Spawn) -> Self {
        match spawn {
            Spawn::Auto => Self::Auto,
            Spawn::Exec => Self::Exec,
            Spawn::Fork => Self::Fork,
        }
    }
}

/// The most sites that `-n` makes: some hundred Python processes are more than a machine carries, and
/// a slip such as `-n 20000` should not fill the disk with keys first.
pub(crate) const MOST_CLIENTS: u32 = 1000;

/// Reads the number of `-n`.
///
/// # Errors
///
/// A text for the user, for what is no number from 1 to [`MOST_CLIENTS`].
pub(crate) fn client_count(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "a number of sites is needed, from 1 to {MOST_CLIENTS}"
        ));
    }
    match text.parse::<u32>() {
        Ok(count @ 1..=MOST_CLIENTS) => Ok(count),
        Ok(0) => Err("a POC needs at least one site".to_owned()),
        Err(_) if text.starts_with('-') => Err("a POC needs at least one site".to_owned()),
        _ => Err(format!("at most {MOST_CLIENTS} sites can be made")),
    }
}

/// Reads a time limit in seconds.
///
/// # Errors
///
/// A text for the user, for what is no number above 0.
pub(crate) fn seconds(text: &str) -> Result<std::time::Duration, String> {
    text.parse::<f64>()
        .ok()
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "a number of seconds above 0 is needed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use proptest::prelude::*;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn counts() {
        for (text, count) in [("1", 1), ("2", 2), ("+3", 3), ("1000", 1000)] {
            assert_eq!(client_count(text), Ok(count));
        }
        for text in [
            "0",
            "-3",
            "-0",
            "1001",
            "99999999999",
            "-99999999999",
            "x",
            "",
            "-",
            "2.0",
            "0x2",
            " 2",
            "٣",
        ] {
            assert!(client_count(text).is_err(), "{text}");
        }
        assert_eq!(
            client_count("-3").unwrap_err(),
            "a POC needs at least one site"
        );
    }

    #[test]
    fn times() {
        assert_eq!(seconds("1.5"), Ok(std::time::Duration::from_millis(1500)));
        for text in ["0", "-1", "x", "", "inf", "NaN", "1e300"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn ports_read_back(fed_learn in 1_u16.., admin in proptest::option::of(1_u16..)) {
            let ports = Ports::Fixed { fed_learn, admin };
            prop_assert_eq!(ports.to_string().parse(), Ok(ports));
        }
    }

    #[test]
    fn ports_that_are_none() {
        for text in [
            "0",
            "65536",
            "-1",
            "x",
            "",
            "8002:",
            ":8003",
            "8002:8003:8004",
            "8002:0",
        ] {
            assert!(text.parse::<Ports>().is_err(), "{text}");
        }
        assert_eq!("AUTO".parse(), Ok(Ports::Auto));
    }
}
