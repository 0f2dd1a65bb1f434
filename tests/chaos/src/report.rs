//! What people read: a line a round, and a summary.

use std::{collections::BTreeMap, fmt::Write as _, process::ExitCode, time::Instant};

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use crate::{
    Args,
    run::{Outcome, Plan},
};

pub(crate) struct Report {
    seed: u64,
    /// How to run a round again, but for its number.
    again: String,
    events: Utf8PathBuf,
    /// Where nobody named a place for them.
    temporary: Option<TempDir>,
    begun: Instant,
    rounds: u32,
    failed: Vec<u32>,
    no_disk: u32,
    leaked: usize,
    harmed: usize,
    kinds: BTreeMap<&'static str, u32>,
}

impl Report {
    pub(crate) fn begin(args: &Args, plan: &Plan) -> Self {
        let temporary = args.events.is_none().then(|| {
            tempfile::Builder::new()
                .prefix("poc-chaos-events-")
                .tempdir()
                .unwrap()
        });
        let events = match (&args.events, &temporary) {
            (Some(events), _) => events.clone(),
            (None, Some(directory)) => Utf8Path::from_path(directory.path()).unwrap().to_owned(),
            (None, None) => Utf8PathBuf::new(),
        };
        fs_err::create_dir_all(&events).unwrap();
        let mut again = format!("cargo run --release -p poc-chaos -- --seed {}", plan.seed);
        for (flag, value) in [("--python", &args.python), ("--poc", &args.poc)] {
            if let Some(value) = value {
                let _ = write!(again, " {flag} {value}");
            }
        }
        println!("seed {}, {} at once", plan.seed, plan.at_once);
        Self {
            seed: plan.seed,
            again,
            events,
            temporary,
            begun: Instant::now(),
            rounds: 0,
            failed: Vec::new(),
            no_disk: 0,
            leaked: 0,
            harmed: 0,
            kinds: BTreeMap::new(),
        }
    }

    pub(crate) fn events(&self) -> &Utf8Path {
        &self.events
    }

    pub(crate) fn tell(&mut self, outcome: &Outcome) {
        self.rounds += 1;
        self.no_disk += u32::from(outcome.no_disk);
        self.leaked += outcome.leaked;
        self.harmed += outcome.harmed.len();
        for fault in &outcome.draw.faults {
            *self.kinds.entry(fault.kind()).or_default() += 1;
        }
        let word = if outcome.failure.is_some() {
            "FAILED"
        } else {
            "ok"
        };
        let seconds = outcome.took.as_secs_f64();
        println!(
            "{:4} {word:6} {seconds:5.1} s  {}",
            outcome.round, outcome.draw
        );
        if let Some(failure) = &outcome.failure {
            println!("     {}", failure.trim_end().replace('\n', "\n     "));
            println!("     again: {} --only {}", self.again, outcome.round);
            self.failed.push(outcome.round);
        }
    }

    /// The summary, and what the program ends with.
    pub(crate) fn end(self, interrupted: bool) -> ExitCode {
        let kinds: Vec<String> = self
            .kinds
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        println!("\n{}", kinds.join(", "));
        if self.no_disk > 0 {
            println!(
                "{} times no disk could be filled: nothing can be mounted here, but perhaps under \
                 `unshare --map-root-user --mount`",
                self.no_disk
            );
        }
        println!(
            "{} rounds of seed {} in {:.0} s: {} failed, {} leaked processes, {} killed strangers",
            self.rounds,
            self.seed,
            self.begun.elapsed().as_secs_f64(),
            self.failed.len(),
            self.leaked,
            self.harmed,
        );
        if interrupted {
            println!("interrupted; what was started is ended");
            return ExitCode::from(130);
        }
        if self.failed.is_empty() {
            return ExitCode::SUCCESS;
        }
        if let Some(directory) = self.temporary {
            let _ = directory.keep();
        }
        println!(
            "rounds {:?} failed; their events are in {}",
            self.failed, self.events
        );
        ExitCode::FAILURE
    }
}
