//! Rounds, several at the same time, each on a stage of its own.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    slice::Iter,
    sync::{
        Mutex,
        mpsc::{Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use poc_tests::{Build, give_up, given_up};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{draw::Draw, journal::Journal, report::Report, round::Round, stage::Stage};

/// What is to be run.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// The rounds, by their numbers.
    pub(crate) draws: Vec<(u32, Draw)>,
    pub(crate) at_once: u32,
    pub(crate) build: Build,
    pub(crate) python: Utf8PathBuf,
}

/// What came of a round.
pub(crate) struct Outcome {
    pub(crate) round: u32,
    pub(crate) draw: Draw,
    pub(crate) took: Duration,
    /// Why it failed.
    pub(crate) failure: Option<String>,
    /// A disk was to be filled, and none can be mounted here.
    pub(crate) no_disk: bool,
    /// How many processes were left after the stop.
    pub(crate) leaked: usize,
    /// The strangers that were not left alone.
    pub(crate) harmed: Vec<String>,
}

thread_local! {
    /// Where and with which words this thread panicked last.
    static LAST_WORDS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs them all and tells how it went.
pub(crate) fn run(plan: &Plan, mut report: Report) -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("a panic without words");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        LAST_WORDS.set(format!("{text} ({place})"));
    }));
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).unwrap();
    let handle = signals.handle();
    let events = report.events().to_owned();
    let draws = Mutex::new(plan.draws.iter());
    thread::scope(|scope| {
        scope.spawn(move || {
            // Whoever waits or starts something fails from now on, so that every round ends.
            for _ in &mut signals {
                give_up();
            }
        });
        let (sender, outcomes) = channel();
        for _ in 0..plan.at_once {
            let (sender, draws, events) = (sender.clone(), &draws, &events);
            scope.spawn(move || work(plan, draws, events, &sender));
        }
        drop(sender);
        for outcome in outcomes {
            report.tell(&outcome);
        }
        handle.close();
    });
    report.end(given_up())
}

/// One round after the other, as long as there are any.
fn work(
    plan: &Plan,
    draws: &Mutex<Iter<'_, (u32, Draw)>>,
    events: &Utf8Path,
    outcomes: &Sender<Outcome>,
) {
    let mut stage = None;
    loop {
        // Not for the whole round: the others want one too.
        let Some((round, draw)) = draws.lock().unwrap().next() else {
            break;
        };
        let begun = Instant::now();
        let mut outcome = Outcome {
            round: *round,
            draw: draw.clone(),
            took: Duration::ZERO,
            failure: None,
            no_disk: false,
            leaked: 0,
            harmed: Vec::new(),
        };
        let played = catch_unwind(AssertUnwindSafe(|| {
            let stage = stage.get_or_insert_with(|| Stage::build(&plan.build, &plan.python));
            play(plan.seed, stage, events, &mut outcome);
        }));
        if played.is_err() {
            // Not the round but what is around it.
            outcome.failure.get_or_insert_with(|| LAST_WORDS.take());
            stage = None;
        }
        if given_up() {
            break;
        }
        outcome.took = begun.elapsed();
        outcomes.send(outcome).unwrap();
    }
}

fn play(seed: u64, stage: &mut Stage, events: &Utf8Path, outcome: &mut Outcome) {
    let mut journal = Journal::begin(events, seed, outcome.round, &outcome.draw);
    let mut round = Round::new(stage, &outcome.draw, &mut journal);
    let mut failure = attempt(|| round.run());
    outcome.no_disk = outcome.draw.fills_the_disk() && !round.stage.has_small_disk();
    if failure.is_none() {
        let left = round.left();
        outcome.leaked = left.len();
        failure = attempt(|| round.check_nothing_left());
    }
    if failure.is_some() {
        round.take_everything();
    }
    round.take_events();
    outcome.harmed = stage.harmed();
    if !outcome.harmed.is_empty() && failure.is_none() {
        failure = Some(format!("strangers were harmed: {:?}", outcome.harmed));
    }
    journal.result(failure.as_deref());
    outcome.failure = failure;
    stage.clear();
}

/// The words with which it fails, if it does.
fn attempt(act: impl FnOnce()) -> Option<String> {
    let result = catch_unwind(AssertUnwindSafe(act));
    result.is_err().then(|| LAST_WORDS.take())
}
