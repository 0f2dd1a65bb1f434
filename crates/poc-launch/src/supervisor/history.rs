//! Random histories: what may happen to a supervisor from outside. They run against a simulated world
//! (`simulation.rs`) and against real processes (`tests/processes/histories.rs`).

use proptest::prelude::*;

/// The participants: a server and three sites.
pub(crate) const NAMES: [&str; 4] = ["server", "site-1", "site-2", "site-3"];

/// Something that happens from outside.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Start(Vec<usize>),
    Stop(Option<Vec<usize>>, bool),
    Restart(usize),
    /// `restart.fl` or `shutdown.fl` appears, written by itself or by somebody else.
    File {
        name: usize,
        restart: bool,
        leaving: bool,
    },
    Dies(usize),
    Underway(usize),
    Ready(usize),
    Aborted,
    WorkspaceGone,
    /// The next launches of it fail, or come through late.
    LaunchesFail(usize, bool),
    /// It ignores SIGTERM from now on.
    Deaf(usize, bool),
    /// It leaves a process behind when it ends.
    Litters(usize, bool),
    /// It outlives SIGKILL from now on: the kernel is in the middle of something on its behalf.
    Undying(usize, bool),
}

/// Deeds, each with the milliseconds that pass before it.
pub(crate) fn deeds() -> impl Strategy<Value = Vec<(u32, Deed)>> {
    let one = 0..NAMES.len();
    let some = prop::collection::vec(one.clone(), 1..NAMES.len());
    let deed = prop_oneof![
        4 => some.clone().prop_map(Deed::Start),
        1 => prop::bool::ANY.prop_map(|jobs| Deed::Stop(None, jobs)),
        3 => (some, prop::bool::ANY).prop_map(|(names, jobs)| Deed::Stop(Some(names), jobs)),
        2 => one.clone().prop_map(Deed::Restart),
        3 => (one.clone(), prop::bool::ANY, prop::bool::ANY).prop_map(|(name, restart, leaving)| Deed::File { name, restart, leaving }),
        8 => one.clone().prop_map(Deed::Dies),
        5 => one.clone().prop_map(Deed::Underway),
        5 => one.clone().prop_map(Deed::Ready),
        1 => Just(Deed::Aborted),
        1 => (one.clone(), prop::bool::ANY).prop_map(|(name, fails)| Deed::LaunchesFail(name, fails)),
        1 => (one.clone(), prop::bool::ANY).prop_map(|(name, deaf)| Deed::Deaf(name, deaf)),
        1 => (one.clone(), prop::bool::ANY).prop_map(|(name, litters)| Deed::Litters(name, litters)),
        1 => (one, prop::bool::weighted(0.3)).prop_map(|(name, undying)| Deed::Undying(name, undying)),
    ];
    let pause = prop_oneof![4 => 0_u32..50, 3 => 0_u32..3_000, 1 => 0_u32..120_000];
    prop::collection::vec((pause, deed), 0..80)
}
