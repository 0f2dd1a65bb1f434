//! What happens in a round: drawn from a seed, before anything is started, and from nothing else.

use std::{fmt, time::Duration};

use fastrand::Rng;

/// One round.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draw {
    pub(crate) sites: u32,
    /// What `poc start --spawn` gets.
    pub(crate) spawn: &'static str,
    /// Whether a job runs when the faults come that need a running POC.
    pub(crate) job: bool,
    /// Processes that are killed one after the other are killed at once.
    pub(crate) at_once: bool,
    /// In the order in which they come.
    pub(crate) faults: Vec<Fault>,
}

/// One fault.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// A pid file lies in a kit before the start.
    PidFile {
        kit: String,
        file: &'static str,
        holds: Holds,
    },
    /// A request file lies in a kit before the start.
    RequestLeft { kit: String, file: &'static str },
    /// Cookie, record and pid files are those of another boot, and strangers have the numbers now.
    AnotherBoot,
    /// The participant's configuration is cut short.
    BrokenKit { kit: String },
    /// Two starts at once.
    TwoStarts,
    /// A stop while the start is under way.
    StopDuringStart { after: Duration },
    /// Somebody is killed while the start is under way.
    KilledDuringStart { whom: Whom, after: Duration },
    /// The participant has code that does not behave.
    Habit { kit: String, habit: Habit },
    /// SIGKILL of a participant.
    Kill { name: String },
    /// SIGKILL of the supervisor; then a start, or with `left` only the stop.
    KillSupervisor { left: bool },
    /// SIGKILL of the fork server.
    KillForkServer,
    /// SIGKILL of the admin helper.
    KillAdminHelper,
    /// SIGSTOP of a site; later SIGCONT, or with `left` only the stop.
    HaltSite { name: String, left: bool },
    /// SIGSTOP of the supervisor.
    HaltSupervisor { left: bool },
    /// SIGSTOP of the fork server; then SIGCONT, or with `needed` the death of this site, which needs it.
    HaltForkServer { needed: Option<String> },
    /// A request file appears in a kit.
    Request { name: String, file: &'static str },
    /// The site dies at every start from now on.
    CrashLoop { name: String },
    /// The file system that holds the workspace is full; with `left` it still is at the stop.
    FullDisk { name: String, left: bool },
    /// Somebody is killed while the stop is under way.
    KilledDuringStop { whom: Whom, after: Duration },
    /// The workspace goes: it is deleted, or moved away.
    WorkspaceGone { moved: bool },
}

/// Who can be killed while something is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// The command itself.
    Command,
    Supervisor,
    ForkServer,
    Server,
    Site,
}

/// What a pid file from earlier holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// The number of a process that has ended.
    Ended,
    Nothing,
    Garbage,
    /// The number of a living process of another POC.
    Stranger,
}

/// What a participant's own code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// It ignores SIGTERM.
    Deaf,
    /// It leaves two processes, in sessions of their own, whose parents have ended; one ignores SIGTERM.
    Strays,
    /// It fills its log with more than the log may hold.
    Flood,
}

/// When a fault comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Before the start.
    Before,
    /// In place of an undisturbed start.
    Start,
    /// While everything runs.
    Running,
    /// While everything runs, with nothing after it but the stop.
    Last,
}

/// The longest that a start takes on a machine with time to spare.
const START_MS: u64 = 2500;
/// And a stop.
const STOP_MS: u64 = 100;

impl Draw {
    /// Round number `round`, from 1 on, of the sequence that begins with `seed`.
    pub(crate) fn of(seed: u64, round: u32) -> Self {
        let mut sequence = Rng::with_seed(seed);
        for _ in 1..round {
            sequence.u64(..);
        }
        let mut rng = Rng::with_seed(sequence.u64(..));
        let sites = if one_in(&mut rng, 6) { 3 } else { 2 };
        let mut draw = Self {
            sites,
            spawn: pick(&mut rng, &["auto", "auto", "auto", "exec", "fork"]),
            job: one_in(&mut rng, 5),
            at_once: rng.bool(),
            faults: Vec::new(),
        };
        let wanted = rng.usize(1..=3);
        while draw.faults.len() < wanted {
            let fault = Fault::draw(&mut rng, sites);
            if draw.has_room_for(&fault) {
                draw.faults.push(fault);
            }
        }
        // Stable: those of one phase stay in the order in which they were drawn.
        draw.faults.sort_by_key(Fault::phase);
        draw
    }

    pub(crate) fn of_phase(&self, phase: Phase) -> impl Iterator<Item = &Fault> {
        self.faults
            .iter()
            .filter(move |fault| fault.phase() == phase)
    }

    pub(crate) fn fills_the_disk(&self) -> bool {
        self.faults
            .iter()
            .any(|fault| matches!(fault, Fault::FullDisk { .. }))
    }

    /// Some happen once, and there is one start and one end.
    fn has_room_for(&self, fault: &Fault) -> bool {
        let phase = fault.phase();
        let kind = std::mem::discriminant(fault);
        let repeats = matches!(fault, Fault::Kill { .. } | Fault::PidFile { .. });
        let is_taken = match phase {
            Phase::Start | Phase::Last => self.of_phase(phase).next().is_some(),
            _ => false,
        };
        let clashes = |other: &Fault| {
            (!repeats && std::mem::discriminant(other) == kind)
                || fault.is_for_another_disk(other)
                || other.is_for_another_disk(fault)
        };
        !is_taken && !self.faults.iter().any(clashes)
    }
}

impl Fault {
    fn draw(rng: &mut Rng, sites: u32) -> Self {
        let site = |rng: &mut Rng| format!("site-{}", rng.u32(1..=sites));
        let anyone = |rng: &mut Rng| match rng.u32(0..=sites) {
            0 => "server".to_owned(),
            number => format!("site-{number}"),
        };
        let soon = |rng: &mut Rng| Duration::from_millis(rng.u64(0..START_MS));
        let request = |rng: &mut Rng| pick(rng, &["shutdown.fl", "restart.fl"]);
        match rng.u32(0..110) {
            0..8 => Self::PidFile {
                kit: anyone(rng),
                file: pick(rng, &["pid.fl", "daemon_pid.fl"]),
                holds: pick(
                    rng,
                    &[
                        Holds::Ended,
                        Holds::Nothing,
                        Holds::Garbage,
                        Holds::Stranger,
                        Holds::Stranger,
                    ],
                ),
            },
            8..10 => Self::RequestLeft {
                kit: anyone(rng),
                file: request(rng),
            },
            10..14 => Self::AnotherBoot,
            14..17 => Self::BrokenKit { kit: anyone(rng) },
            17..22 => Self::TwoStarts,
            22..28 => Self::StopDuringStart { after: soon(rng) },
            28..36 => Self::KilledDuringStart {
                whom: pick(
                    rng,
                    &[
                        Whom::Command,
                        Whom::Command,
                        Whom::Supervisor,
                        Whom::ForkServer,
                        Whom::Server,
                        Whom::Site,
                    ],
                ),
                after: soon(rng),
            },
            36..46 => Self::Habit {
                kit: anyone(rng),
                habit: pick(
                    rng,
                    &[Habit::Deaf, Habit::Strays, Habit::Strays, Habit::Flood],
                ),
            },
            46..57 => Self::Kill { name: site(rng) },
            57..63 => Self::Kill {
                name: "server".to_owned(),
            },
            63..71 => Self::KillSupervisor { left: rng.bool() },
            71..76 => Self::KillForkServer,
            76..80 => Self::KillAdminHelper,
            80..84 => Self::HaltSite {
                name: site(rng),
                left: rng.bool(),
            },
            84..87 => Self::HaltSupervisor { left: rng.bool() },
            87..92 => Self::HaltForkServer {
                needed: rng.bool().then(|| site(rng)),
            },
            92..96 => Self::Request {
                name: site(rng),
                file: request(rng),
            },
            96..97 => Self::CrashLoop { name: site(rng) },
            97..100 => Self::FullDisk {
                name: site(rng),
                left: rng.bool(),
            },
            100..106 => Self::KilledDuringStop {
                whom: pick(rng, &[Whom::Command, Whom::Supervisor]),
                after: Duration::from_millis(rng.u64(0..STOP_MS)),
            },
            _ => Self::WorkspaceGone { moved: rng.bool() },
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self {
            Self::PidFile { .. }
            | Self::RequestLeft { .. }
            | Self::AnotherBoot
            | Self::BrokenKit { .. }
            | Self::Habit { .. } => Phase::Before,
            Self::TwoStarts | Self::StopDuringStart { .. } | Self::KilledDuringStart { .. } => {
                Phase::Start
            }
            Self::KillSupervisor { left: true }
            | Self::HaltSupervisor { left: true }
            | Self::KilledDuringStop { .. }
            | Self::FullDisk { left: true, .. }
            | Self::WorkspaceGone { .. } => Phase::Last,
            _ => Phase::Running,
        }
    }

    /// A mount point can be neither deleted nor moved, and a flood is more than a small disk holds.
    fn is_for_another_disk(&self, other: &Self) -> bool {
        let flood = Habit::Flood;
        matches!(self, Self::FullDisk { .. })
            && match other {
                Self::WorkspaceGone { .. } => true,
                Self::Habit { habit, .. } => *habit == flood,
                _ => false,
            }
    }

    /// A participant, or who starts it, is killed while it starts.
    pub(crate) fn is_a_death(&self) -> bool {
        matches!(self, Self::KilledDuringStart { whom, .. } if *whom != Whom::Command)
    }

    /// A kill can come together with other kills.
    pub(crate) fn is_kill(&self) -> bool {
        matches!(
            self,
            Self::Kill { .. }
                | Self::KillSupervisor { .. }
                | Self::KillForkServer
                | Self::KillAdminHelper
        )
    }

    /// What the summary counts.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::PidFile { .. } => "old pid file",
            Self::RequestLeft { .. } => "old request file",
            Self::AnotherBoot => "another boot",
            Self::BrokenKit { .. } => "broken kit",
            Self::TwoStarts => "two starts",
            Self::StopDuringStart { .. } => "stop during start",
            Self::KilledDuringStart { .. } => "killed during start",
            Self::KilledDuringStop { .. } => "killed during stop",
            Self::Habit {
                habit: Habit::Deaf, ..
            } => "deaf to SIGTERM",
            Self::Habit {
                habit: Habit::Strays,
                ..
            } => "stray processes",
            Self::Habit {
                habit: Habit::Flood,
                ..
            } => "log flood",
            Self::Kill { name } if name == "server" => "server killed",
            Self::Kill { .. } => "site killed",
            Self::KillSupervisor { .. } => "supervisor killed",
            Self::KillForkServer => "fork server killed",
            Self::KillAdminHelper => "admin helper killed",
            Self::HaltSite { .. } => "site halted",
            Self::HaltSupervisor { .. } => "supervisor halted",
            Self::HaltForkServer { .. } => "fork server halted",
            Self::Request { .. } => "request file",
            Self::CrashLoop { .. } => "crash loop",
            Self::FullDisk { .. } => "full disk",
            Self::WorkspaceGone { .. } => "workspace gone",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = |left: &bool| if *left { ", and left so" } else { "" };
        match self {
            Self::PidFile { kit, file, holds } => write!(f, "old {file} of {kit} ({holds:?})"),
            Self::RequestLeft { kit, file } => write!(f, "old {file} of {kit}"),
            Self::BrokenKit { kit } => write!(f, "broken kit of {kit}"),
            Self::StopDuringStart { after } => {
                write!(f, "{} after {} ms", self.kind(), after.as_millis())
            }
            Self::KilledDuringStart { whom, after } | Self::KilledDuringStop { whom, after } => {
                write!(f, "{whom:?} {} after {} ms", self.kind(), after.as_millis())
            }
            Self::Habit { kit, .. } => write!(f, "{} ({kit})", self.kind()),
            Self::Kill { name } => write!(f, "{name} killed"),
            Self::KillSupervisor { left: it } | Self::HaltSupervisor { left: it } => {
                write!(f, "{}{}", self.kind(), left(it))
            }
            Self::HaltForkServer { needed } => {
                let needed = needed.as_ref().map(|name| format!(", and {name} killed"));
                write!(f, "{}{}", self.kind(), needed.unwrap_or_default())
            }
            Self::HaltSite { name, left: it } => write!(f, "{name} halted{}", left(it)),
            Self::Request { name, file } => write!(f, "{file} for {name}"),
            Self::CrashLoop { name } => write!(f, "{name} keeps crashing"),
            Self::FullDisk { name, left: it } => {
                write!(f, "full disk ({name} stopped meanwhile){}", left(it))
            }
            Self::WorkspaceGone { moved: true } => f.write_str("workspace moved away"),
            Self::WorkspaceGone { moved: false } => f.write_str("workspace deleted"),
            Self::AnotherBoot | Self::TwoStarts | Self::KillForkServer | Self::KillAdminHelper => {
                f.write_str(self.kind())
            }
        }
    }
}

impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sites, {}", self.sites, self.spawn)?;
        if self.job {
            f.write_str(", a job")?;
        }
        if self.at_once {
            f.write_str(", at once")?;
        }
        for (index, fault) in self.faults.iter().enumerate() {
            write!(f, "{} {fault}", if index == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

fn one_in(rng: &mut Rng, of: u32) -> bool {
    rng.u32(0..of) == 0
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(0..from.len())]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_is_a_sequence_and_another_seed_another() {
        for round in 1..200 {
            assert_eq!(Draw::of(7, round), Draw::of(7, round));
        }
        let of = |seed| {
            (1..20)
                .map(|round| Draw::of(seed, round))
                .collect::<Vec<_>>()
        };
        assert_ne!(of(7), of(8));
        assert_ne!(of(7)[0], of(7)[1]);
    }

    #[test]
    fn rounds_are_possible_and_every_fault_comes() {
        let mut kinds = BTreeSet::new();
        for round in 1..2000 {
            let draw = Draw::of(1, round);
            assert!((1..=3).contains(&draw.faults.len()));
            for phase in [Phase::Start, Phase::Last] {
                assert!(draw.of_phase(phase).count() <= 1, "{draw}");
            }
            let has = |kind| draw.faults.iter().any(|fault| fault.kind() == kind);
            assert!(
                !has("full disk") || !has("workspace gone") && !has("log flood"),
                "{draw}"
            );
            kinds.extend(draw.faults.iter().map(Fault::kind));
        }
        assert_eq!(kinds.len(), 23, "{kinds:?}");
    }
}
