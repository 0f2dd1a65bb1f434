//! Looking at a POC.

use std::time::{Duration, SystemTime};

use camino::Utf8PathBuf;
use poc_core::project::Role;
use poc_core::workspace::Kit;
use procfs::process::Stat;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Federation;
use super::survey::{Keeper, Survey};
use crate::Error;
use crate::error::remedy_for_missing;
use crate::logs;
use crate::plan;
use crate::process::Identity;
use crate::ready;
use crate::room;
use crate::supervisor::control::ParticipantState;

/// How a POC is.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// All in all.
    pub state: PocState,
    /// The supervisor's process, where one runs.
    pub supervisor: Option<u32>,
    /// Where the sites connect, as `host:port`.
    pub server_address: String,
    /// Where the admins connect, as `host:port`.
    pub admin_address: String,
    /// The server first, then the sites in the project's order.
    pub participants: Vec<ParticipantStatus>,
    /// FLARE consoles that are open.
    pub consoles: Vec<Console>,
    /// What the user should know: a supervisor that was killed, say.
    pub warnings: Vec<String>,
}

/// How a POC is, all in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PocState {
    /// Server and all sites run.
    Running,
    /// Some run.
    Partial,
    /// None runs.
    Stopped,
}

impl PocState {
    /// The word in the status table and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Partial => "partial",
            Self::Stopped => "stopped",
        }
    }
}

/// How one participant is.
#[derive(Clone, Debug, PartialEq)]
pub struct ParticipantStatus {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Where it is in its life.
    pub state: ParticipantState,
    /// Its process.
    pub pid: Option<u32>,
    /// What starts it again when it dies: the supervisor, or NVFlare's own watchdog.
    pub daemon_pid: Option<u32>,
    /// When its process was started (RFC 3339, UTC).
    pub started: Option<String>,
    /// How long its process has run, in seconds.
    pub uptime_s: Option<f64>,
    /// How often it was restarted since the user started it.
    pub restarts: u32,
    /// Processor use over the life of its process, in per cent of one core.
    pub cpu_percent: Option<f64>,
    /// Memory in bytes: its resident set, which counts what it shares with others in full. (The
    /// proportional share would take the kernel a millisecond for each process.)
    pub memory_bytes: Option<u64>,
    /// Its GPUs.
    pub gpus: Vec<String>,
    /// Of a site: whether it has registered with the server; `None` where that is not known.
    pub registered: Option<bool>,
    /// The ports that it serves on.
    pub ports: Vec<u16>,
    /// Its console log.
    pub log: Utf8PathBuf,
}

/// An open FLARE console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// Its process.
    pub pid: u32,
    /// The admin who uses it.
    pub user: String,
}

impl Federation {
    /// How the POC is. Only looks: with our supervisor, without it (killed), and on what NVFlare's own
    /// `nvflare poc start` made.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the system cannot be looked at.
    pub fn status(&self) -> Result<Status, Error> {
        let survey = Survey::glance(&self.prepared)?;
        Ok(self.status_of(&survey))
    }

    pub(super) fn status_of(&self, survey: &Survey) -> Status {
        let (server_address, admin_address) = plan::addresses(&self.prepared);
        let ports = [&server_address, &admin_address].map(|address| port(address));
        let server = survey.running(&self.prepared.server_kit());
        let here = Here {
            contained: self.prepared.project.docker_image.is_some(),
            server_runs: server.is_some_and(|server| server.identity.is_some()),
            ports: &ports,
        };
        let participants: Vec<ParticipantStatus> = survey
            .kits
            .iter()
            .map(|kit| participant(survey, kit, &here))
            .collect();
        let active = participants
            .iter()
            .filter(|it| it.state.is_active())
            .count();
        let state = match active {
            0 => PocState::Stopped,
            all if all == participants.len() => PocState::Running,
            _ => PocState::Partial,
        };
        Status {
            state,
            supervisor: survey
                .supervisor
                .as_ref()
                .map(|it| it.supervisor)
                .or(survey.silent),
            server_address,
            admin_address,
            warnings: warnings(survey, &participants)
                .into_iter()
                .chain(self.disk_warning())
                .collect(),
            participants,
            consoles: survey.consoles(),
        }
    }

    /// What is written on a full disk is lost, which is why logs and events do not tell.
    pub(super) fn disk_warning(&self) -> Option<String> {
        let workspace = self.prepared.workspace.root();
        let bytes = room::shortage(workspace)?;
        let error = Error::DiskFull {
            workspace: workspace.to_owned(),
            bytes,
        };
        Some(format!("{error}; logs and events may be missing"))
    }
}

/// What is the same for all participants.
struct Here<'a> {
    /// They run in containers.
    contained: bool,
    /// Nobody is registered with a server that does not.
    server_runs: bool,
    /// The server's.
    ports: &'a [Option<u16>],
}

fn participant(survey: &Survey, kit: &Kit, here: &Here<'_>) -> ParticipantStatus {
    let snapshot = survey.snapshot(&kit.name);
    let running = survey.running(kit);
    let identity = running.as_ref().and_then(|it| it.identity.as_ref());
    let use_of = |identity| usage(identity, here.contained);
    let usage = identity.and_then(use_of);
    let state = match (snapshot, &running) {
        _ if usage.as_ref().is_some_and(|usage| usage.suspended) => ParticipantState::Suspended,
        // Dead since a moment ago; the supervisor is about to see it.
        (Some(snapshot), _)
            if snapshot.state == ParticipantState::Running && identity.is_none() =>
        {
            ParticipantState::Restarting
        }
        (Some(snapshot), _) if snapshot.state.is_active() => snapshot.state,
        (_, Some(running)) if running.identity.is_some() => ParticipantState::Running,
        // A watchdog that is about to start it.
        (_, Some(_)) => ParticipantState::Starting,
        (_, None) if !kit.dir.is_dir() => ParticipantState::MissingKit,
        (Some(snapshot), None) => snapshot.state,
        (None, None) => ParticipantState::Stopped,
    };
    let recorded = survey.record.participants.get(&kit.name);
    let recorded = recorded.filter(|recorded| Some(&recorded.identity) == identity);
    let registered = match (kit.role, snapshot, recorded) {
        (Role::Server, ..) => None,
        _ if identity.is_none() || !here.server_runs => Some(false),
        (_, Some(snapshot), _) if snapshot.state.is_active() => Some(snapshot.ready),
        (_, _, Some(recorded)) if recorded.ready => Some(true),
        _ => ready::has_become_ready(&kit.console_log(), &kit.name, kit.role).then_some(true),
    };
    let uptime = identity.and_then(Identity::uptime);
    ParticipantStatus {
        name: kit.name.clone(),
        role: kit.role,
        state,
        pid: identity.map(|identity| identity.pid),
        daemon_pid: running.as_ref().and_then(|running| match running.keeper {
            Keeper::Supervisor(pid) | Keeper::Watchdog(pid) => Some(pid),
            Keeper::Nobody => None,
        }),
        started: uptime.and_then(started),
        uptime_s: uptime.map(|uptime| uptime.as_secs_f64()),
        restarts: snapshot
            .map(|it| it.restarts)
            .or(recorded.map(|it| it.restarts))
            .unwrap_or(0),
        cpu_percent: usage
            .as_ref()
            .zip(uptime)
            .and_then(|(usage, uptime)| percent(usage.cpu, uptime)),
        memory_bytes: usage.map(|usage| usage.memory_bytes),
        gpus: snapshot.map(|it| it.gpus.clone()).unwrap_or_default(),
        registered,
        ports: if kit.role == Role::Server {
            let mut ports: Vec<u16> = here.ports.iter().flatten().copied().collect();
            ports.dedup();
            ports
        } else {
            Vec::new()
        },
        log: kit.console_log(),
    }
}

fn warnings(survey: &Survey, participants: &[ParticipantStatus]) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(pid) = survey.silent {
        warnings.push(format!(
            "the supervisor (PID {pid}) does not answer; `poc stop` ends everything"
        ));
    } else if survey.supervisor.is_none()
        && participants
            .iter()
            .any(|it| it.pid.is_some() && it.daemon_pid.is_none())
    {
        warnings.push(
            "the supervisor is gone, so nothing is started again when it dies; \
             `poc start` takes over what runs, `poc stop` ends it"
                .to_owned(),
        );
    }
    warnings.extend(participants.iter().filter_map(warning));
    warnings
}

/// What there is to say about one participant.
fn warning(participant: &ParticipantStatus) -> Option<String> {
    let name = &participant.name;
    match participant.state {
        ParticipantState::Suspended => {
            let pid = participant.pid?;
            Some(format!(
                "{name} is stopped by a signal; `kill -CONT {pid}` lets it go on"
            ))
        }
        ParticipantState::Failed => {
            let reason = logs::reason(&participant.log, 0).unwrap_or_default();
            let cause = reason.cause.map(|cause| format!(": {cause}"));
            Some(format!(
                "{name} died too often and was given up{}; `poc logs {name}` shows what it said, \
                 `poc start -p {name}` tries again",
                cause.unwrap_or_default()
            ))
        }
        ParticipantState::MissingKit => {
            let kit = participant.log.parent()?;
            let remedy = remedy_for_missing(name, participant.role == Role::Client);
            Some(format!(
                "{name}'s startup kit is missing: there is no {kit}; {remedy}"
            ))
        }
        _ => None,
    }
}

/// What a participant uses.
struct Usage {
    cpu: Duration,
    memory_bytes: u64,
    suspended: bool,
}

/// What /proc says of it, while it is alive. In a container the participant is its init's child.
fn usage(identity: &Identity, contained: bool) -> Option<Usage> {
    let process = process(identity.pid)?;
    let stat = process.stat().ok()?;
    (stat.starttime == identity.start_time).then_some(())?;
    let mut stats = vec![stat];
    if contained {
        let main = process.task_main_thread().and_then(|task| task.children());
        let children = main.unwrap_or_default().into_iter();
        stats.extend(children.filter_map(|pid| self::process(pid)?.stat().ok()));
    }
    Some(Usage {
        cpu: stats.iter().map(cpu).sum(),
        memory_bytes: stats
            .iter()
            .map(|stat| stat.rss.saturating_mul(procfs::page_size()))
            .sum(),
        suspended: stats.iter().any(is_suspended),
    })
}

fn process(pid: u32) -> Option<procfs::process::Process> {
    procfs::process::Process::new(i32::try_from(pid).ok()?).ok()
}

/// Halted by a signal, or by a debugger.
fn is_suspended(stat: &Stat) -> bool {
    matches!(stat.state, 'T' | 't')
}

/// Processor time so far.
fn cpu(stat: &Stat) -> Duration {
    let ticks = Duration::from_secs(stat.utime + stat.stime);
    ticks
        / u32::try_from(procfs::ticks_per_second())
            .unwrap_or(100)
            .max(1)
}

fn port(address: &str) -> Option<u16> {
    address.rsplit(':').next()?.parse().ok()
}

fn started(uptime: Duration) -> Option<String> {
    let started = OffsetDateTime::from(SystemTime::now() - uptime);
    started.replace_nanosecond(0).ok()?.format(&Rfc3339).ok()
}

fn percent(used: Duration, of: Duration) -> Option<f64> {
    let percent = 100.0 * used.as_secs_f64() / of.as_secs_f64();
    // A tenth is as much as a glance can use.
    percent.is_finite().then(|| (percent * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_percentages() {
        assert_eq!(port("localhost:8002"), Some(8002));
        assert_eq!(port("[::1]:8002"), Some(8002));
        assert_eq!(port("localhost"), None);
        let second = Duration::from_secs(1);
        assert_eq!(percent(second, 3 * second), Some(33.3));
        assert_eq!(percent(second, Duration::ZERO), None);
    }
}
