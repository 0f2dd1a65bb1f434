//! `step` against a simulated world, over random histories.
//!
//! The world has processes that die, ignore SIGTERM, leave others behind or outlive SIGKILL, and some that
//! an earlier supervisor had started; it carries out the actions that the core asks for and checks, after each event, what must
//! always be true. `PROPTEST_CASES=10000` runs more histories than the default.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use poc_core::project::Role;
use proptest::prelude::*;

use super::Happening;
use super::history::{Deed, NAMES, deeds};
use super::state::{Action, Entry, Event, Phase, RequestFile, State};
use super::step::step;
use crate::plan::RestartPolicy;

const AT_ONCE: usize = 2;

#[derive(Default)]
struct World {
    state: State,
    now: Duration,
    next_pid: u32,
    live: BTreeMap<u32, &'static str>,
    /// Launches that are under way: a fork server takes its time.
    launching: Vec<&'static str>,
    late: bool,
    pid_files: BTreeSet<&'static str>,
    litter: BTreeMap<&'static str, u32>,
    fails: BTreeSet<&'static str>,
    deaf: BTreeSet<&'static str>,
    litters: BTreeSet<&'static str>,
    undying: BTreeSet<&'static str>,
    /// Those that die as soon as the kernel lets them.
    doomed: BTreeSet<u32>,
    /// Stop was asked for and nothing has started it since.
    must_stay_down: BTreeSet<&'static str>,
    everything_ends: bool,
    automatic: BTreeMap<&'static str, Vec<Duration>>,
    restarting: BTreeSet<&'static str>,
    left: Option<Vec<u32>>,
    told: Vec<Happening>,
}

fn known(name: &str) -> &'static str {
    NAMES
        .into_iter()
        .find(|known| *known == name)
        .expect("a participant of this world")
}

fn entry(index: usize) -> Entry {
    Entry {
        name: NAMES[index].to_owned(),
        role: if index == 0 {
            Role::Server
        } else {
            Role::Client
        },
        policy: RestartPolicy::default(),
    }
}

impl World {
    fn new(seed: u64, late: bool) -> Self {
        Self {
            state: State::new(seed, AT_ONCE),
            next_pid: 100,
            late,
            ..Self::default()
        }
    }

    fn pid_of(&self, name: &str) -> Option<u32> {
        self.live
            .iter()
            .find(|(_, live)| **live == name)
            .map(|(pid, _)| *pid)
    }

    fn tell(&mut self, event: Event) {
        let mut queue = vec![event];
        while !queue.is_empty() {
            let event = queue.remove(0);
            let (state, actions) = step(std::mem::take(&mut self.state), event, self.now);
            self.state = state;
            for action in actions {
                self.carry_out(action, &mut queue);
            }
        }
        self.check();
    }

    fn carry_out(&mut self, action: Action, queue: &mut Vec<Event>) {
        assert!(self.left.is_none(), "{action:?} after the supervisor left");
        match action {
            Action::Launch { name } => self.launch(known(&name), queue),
            Action::Signal { pid, kill, .. } => {
                if let Some(name) = self.live.get(&pid).copied() {
                    if self.undying.contains(name) {
                        self.doomed.extend(kill.then_some(pid));
                    } else if kill || !self.deaf.contains(name) {
                        queue.push(self.dies(pid, "signal"));
                    }
                }
            }
            Action::AbortJobs { .. } => {}
            Action::Sweep { name } => {
                let name = known(&name);
                let left = self.litter.remove(name).into_iter().collect();
                queue.push(Event::Swept {
                    name: name.to_owned(),
                    left,
                });
            }
            Action::SweepAll => {
                let left = std::mem::take(&mut self.litter).into_values().collect();
                queue.push(Event::SweptAll { left });
            }
            Action::ForgetProcess { name } | Action::Forget { name } => {
                assert!(
                    self.pid_of(&name).is_none(),
                    "the pid file of a living process is removed"
                );
                self.pid_files.remove(known(&name));
            }
            Action::Tell(Happening::Restarting { name, .. }) => {
                self.restarting.insert(known(&name));
            }
            Action::Tell(happening) => self.told.push(happening),
            Action::Leave { survivors } => self.left = Some(survivors),
        }
    }

    fn launch(&mut self, name: &'static str, queue: &mut Vec<Event>) {
        assert!(
            self.pid_of(name).is_none() && !self.launching.contains(&name),
            "two processes of {name}"
        );
        assert!(
            !self.everything_ends,
            "{name} is started after the stop of all"
        );
        assert!(
            !self.must_stay_down.contains(name),
            "{name} is started after its stop"
        );
        if self.restarting.remove(name) {
            self.automatic.entry(name).or_default().push(self.now);
        }
        self.launching.push(name);
        if !self.late {
            queue.push(self.comes_through(name));
        }
    }

    fn comes_through(&mut self, name: &'static str) -> Event {
        self.launching.retain(|launching| *launching != name);
        let name_text = name.to_owned();
        if self.fails.contains(name) {
            let error = "no such file".to_owned();
            return Event::LaunchFailed {
                name: name_text,
                error,
            };
        }
        self.next_pid += 1;
        self.live.insert(self.next_pid, name);
        self.pid_files.insert(name);
        Event::Launched {
            name: name_text,
            pid: self.next_pid,
        }
    }

    fn dies(&mut self, pid: u32, status: &str) -> Event {
        let name = self.live.remove(&pid).expect("it lives");
        if self.litters.contains(name) {
            self.next_pid += 1;
            self.litter.insert(name, self.next_pid);
        }
        Event::Exited {
            name: name.to_owned(),
            pid,
            status: status.to_owned(),
        }
    }

    fn check(&self) {
        self.check_turns();
        for (name, starts) in &self.automatic {
            for first in starts {
                let within = starts.iter().filter(|start| {
                    *start >= first && **start < *first + RestartPolicy::default().window()
                });
                assert!(within.count() <= 5, "{name}: more than 5 restarts in 300 s");
            }
        }
        for (name, participant) in &self.state.participants {
            match participant.phase {
                Phase::Alive { pid } => assert_eq!(self.live.get(&pid).copied(), Some(known(name))),
                Phase::Stopped | Phase::Failed | Phase::Held | Phase::Waiting { .. } => {
                    assert_eq!(self.pid_of(name), None, "{name} counts as down and lives");
                    assert!(!self.pid_files.contains(known(name)));
                }
                _ => {}
            }
            assert!(
                !participant.ready
                    || matches!(
                        participant.phase,
                        Phase::Alive { .. } | Phase::Stopping { .. }
                    )
            );
        }
    }

    /// Nobody waits for a turn without a reason.
    fn check_turns(&self) {
        let everyone = || self.state.participants.values();
        if everyone().all(|participant| participant.phase != Phase::Held) {
            return;
        }
        let server = &self.state.participants.get("server");
        let server_comes = server.is_some_and(|server| {
            server.busy_until().is_some() || matches!(server.phase, Phase::Waiting { .. })
        });
        let busy = everyone().filter(|it| it.busy_until().is_some()).count();
        assert!(server_comes || busy >= AT_ONCE, "{:?}", self.state);
    }

    /// Lets time pass, event by event, up to then.
    fn pass(&mut self, until: Duration) {
        while let Some(due) = self.state.next_deadline().filter(|due| *due <= until) {
            // A deadline that does not move on would be a busy loop.
            self.now = self.now.max(due);
            self.tell(Event::Tick);
            let next = self.state.next_deadline();
            assert!(next.is_none_or(|next| next > due), "{next:?} after {due:?}");
        }
        self.now = self.now.max(until);
        while let Some(name) = self.launching.first().copied() {
            let event = self.comes_through(name);
            self.tell(event);
        }
    }

    fn started(&mut self, indices: &[usize]) {
        for name in indices.iter().map(|index| NAMES[*index]) {
            if self.state.refusal(name).is_none() {
                self.must_stay_down.remove(name);
                self.automatic.remove(name);
                self.restarting.remove(name);
            }
        }
    }

    fn adopts(&mut self, index: usize, ready: bool) {
        self.next_pid += 1;
        self.live.insert(self.next_pid, NAMES[index]);
        self.pid_files.insert(NAMES[index]);
        self.tell(Event::Adopted {
            entry: entry(index),
            pid: self.next_pid,
            ready,
            restarts: 0,
        });
    }

    fn does(&mut self, deed: Deed) {
        match deed {
            Deed::Start(indices) => {
                self.started(&indices);
                self.tell(Event::Start(indices.into_iter().map(entry).collect()));
            }
            Deed::Stop(indices, jobs) => {
                let names: Option<Vec<String>> = indices
                    .as_ref()
                    .map(|all| all.iter().map(|index| NAMES[*index].to_owned()).collect());
                match &indices {
                    None => self.everything_ends = true,
                    Some(all) => {
                        let known = all.iter().map(|index| NAMES[*index]);
                        self.must_stay_down.extend(
                            known.filter(|name| self.state.participants.contains_key(*name)),
                        );
                    }
                }
                let jobs = jobs.then_some(Duration::from_secs(15));
                self.tell(Event::Stop { names, jobs });
            }
            Deed::Restart(index) => {
                // Asked for while it is down, a restart is a start, unless it is stopped for good.
                let name = NAMES[index];
                let stopping = matches!(
                    self.state.participants.get(name).map(|it| it.phase),
                    Some(Phase::Stopping { .. })
                );
                if !stopping {
                    self.must_stay_down.remove(name);
                }
                self.restarting.remove(name);
                let name = name.to_owned();
                self.tell(Event::Restart { name });
            }
            Deed::File {
                name,
                restart,
                leaving,
            } => {
                let name = NAMES[name];
                let file = if restart {
                    RequestFile::Restart
                } else {
                    RequestFile::Shutdown
                };
                let runs = self.state.refusal(name).is_some();
                match file {
                    RequestFile::Shutdown if runs => {
                        self.must_stay_down.insert(name);
                    }
                    RequestFile::Restart => {
                        self.restarting.remove(name);
                    }
                    RequestFile::Shutdown => {}
                }
                let name = name.to_owned();
                self.tell(Event::Asked {
                    name,
                    file,
                    leaving,
                });
            }
            Deed::Dies(index) => {
                if let Some(pid) = self.pid_of(NAMES[index]) {
                    let event = self.dies(pid, "exit status 1");
                    self.tell(event);
                }
            }
            Deed::Underway(index) => self.tell(Event::Underway {
                name: NAMES[index].to_owned(),
            }),
            Deed::Ready(index) => self.tell(Event::Ready {
                name: NAMES[index].to_owned(),
            }),
            Deed::Aborted => self.tell(Event::JobsAborted),
            Deed::WorkspaceGone => {
                self.everything_ends = true;
                self.tell(Event::WorkspaceGone);
            }
            Deed::LaunchesFail(index, fails) => toggle(&mut self.fails, NAMES[index], fails),
            Deed::Deaf(index, deaf) => toggle(&mut self.deaf, NAMES[index], deaf),
            Deed::Litters(index, litters) => toggle(&mut self.litters, NAMES[index], litters),
            Deed::Undying(index, undying) => {
                toggle(&mut self.undying, NAMES[index], undying);
                let pid = self.pid_of(NAMES[index]).filter(|_| !undying);
                if let Some(pid) = pid.filter(|pid| self.doomed.contains(pid)) {
                    let event = self.dies(pid, "signal");
                    self.tell(event);
                }
            }
        }
    }
}

fn toggle(set: &mut BTreeSet<&'static str>, name: &'static str, member: bool) {
    if member {
        set.insert(name);
    } else {
        set.remove(name);
    }
}

/// What an earlier supervisor had started, that is still running and perhaps ready.
fn adopted() -> impl Strategy<Value = BTreeMap<usize, bool>> {
    prop_oneof![
        2 => Just(BTreeMap::new()),
        1 => prop::collection::btree_map(0..NAMES.len(), prop::bool::ANY, 1..NAMES.len()),
    ]
}

fn run(
    seed: u64,
    late: bool,
    adopted: BTreeMap<usize, bool>,
    history: Vec<(u32, Deed)>,
    last: Deed,
) -> World {
    let mut world = World::new(seed, late);
    for (index, ready) in adopted {
        world.adopts(index, ready);
    }
    for (pause, deed) in history {
        world.pass(world.now + Duration::from_millis(u64::from(pause)));
        if world.state.is_over() {
            break;
        }
        world.does(deed);
    }
    if !world.state.is_over() {
        world.does(last);
    }
    for _ in 0..10 {
        world.pass(world.now + Duration::from_secs(10));
    }
    world
}

/// Whoever lives outlives SIGKILL, and is named; nothing is left of all others.
fn check_the_end(world: &World) {
    let undying: Vec<u32> = world.live.keys().copied().collect();
    assert_eq!(
        world.left.as_ref(),
        Some(&undying),
        "the supervisor leaves, and says what is left"
    );
    check_the_stopped(world);
}

fn check_the_stopped(world: &World) {
    assert!(world.litter.is_empty());
    let living: BTreeSet<&str> = world.live.values().copied().collect();
    assert!(living.is_subset(&world.undying), "{living:?}");
    assert!(world.pid_files.is_subset(&living));
    for (name, participant) in &world.state.participants {
        match participant.phase {
            Phase::Stopped => assert_eq!(world.pid_of(name), None),
            Phase::Stuck { pid } => assert_eq!(world.pid_of(name), Some(pid)),
            phase => panic!("{name} ends as {phase:?}"),
        }
    }
}

/// Those that have a process.
fn up(world: &World) -> Vec<&'static str> {
    NAMES
        .into_iter()
        .filter(|name| world.pid_of(name).is_some())
        .collect()
}

#[test]
fn the_server_first_and_then_a_few_sites_at_a_time() {
    let mut world = World::new(0, false);
    world.does(Deed::Start(vec![3, 2, 1, 0]));
    assert_eq!(up(&world), ["server"]);
    world.does(Deed::Underway(0));
    assert_eq!(up(&world), ["server", "site-1", "site-2"]);
    world.does(Deed::Ready(2));
    assert_eq!(up(&world), NAMES);
}

#[test]
fn nobody_is_waited_for_for_ever() {
    let mut world = World::new(0, false);
    world.does(Deed::Start(vec![0, 1, 2, 3]));
    world.pass(Duration::from_millis(1999));
    assert_eq!(up(&world), ["server"]);
    world.pass(Duration::from_secs(2));
    assert_eq!(up(&world), ["server", "site-1", "site-2"]);
    world.pass(Duration::from_secs(4));
    assert_eq!(up(&world), NAMES);
}

#[test]
fn a_server_that_comes_back_is_waited_for() {
    let mut world = World::new(0, false);
    world.does(Deed::Start(vec![0, 1]));
    world.does(Deed::Dies(0));
    assert_eq!(up(&world), [""; 0]);
    world.pass(Duration::from_secs(1));
    assert_eq!(up(&world), ["server"]);
    world.does(Deed::Underway(0));
    assert_eq!(up(&world), ["server", "site-1"]);
}

#[test]
fn without_a_server_sites_begin_at_once() {
    let mut world = World::new(0, false);
    world.does(Deed::Start(vec![1, 2]));
    assert_eq!(up(&world), ["site-1", "site-2"]);
}

proptest! {
    // A history that failed becomes a test of its own, not a seed in a file.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Never two processes of one participant, no restart after a stop, at most 5 in 300 s: checked
    /// in the world as it goes. And a stop of everything, whenever it comes, ends everything.
    #[test]
    fn whatever_happened_a_stop_ends_everything(seed: u64, late: bool, adopted in adopted(), history in deeds(), jobs: bool) {
        check_the_end(&run(seed, late, adopted, history, Deed::Stop(None, jobs)));
    }

    #[test]
    fn whatever_happened_a_workspace_that_goes_takes_everything_with_it(seed: u64, late: bool, adopted in adopted(), history in deeds()) {
        check_the_end(&run(seed, late, adopted, history, Deed::WorkspaceGone));
    }

    #[test]
    fn stopping_one_by_one_is_stopping_all(seed: u64, late: bool, adopted in adopted(), history in deeds(), jobs: bool) {
        let everyone = Deed::Stop(Some((0..NAMES.len()).collect()), jobs);
        let world = run(seed, late, adopted, history, everyone);
        check_the_stopped(&world);
        let stuck = !world.live.is_empty();
        prop_assert!(world.left.is_some() || !world.state.begun || stuck);
    }
}
