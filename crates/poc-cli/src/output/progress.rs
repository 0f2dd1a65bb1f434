//! A spinner or bar on stderr for work that takes a while: only on a terminal, only for people, and
//! only once half a second has gone by.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Printer;

/// Work shorter than this shows nothing: a flash of a spinner only disturbs.
const PATIENCE: Duration = Duration::from_millis(500);

/// Frames a second.
const RATE: u8 = 12;

/// A display of work under way; gone without a trace when dropped.
pub(crate) struct Progress<'a> {
    printer: &'a Printer,
    bar: ProgressBar,
    /// Dropping it wakes the thread that would show the bar.
    waiting: Option<mpsc::Sender<()>>,
    shows: Option<JoinHandle<()>>,
    /// Whether each step is a line of its own.
    each_step: bool,
}

impl<'a> Progress<'a> {
    /// A spinner with a text.
    pub(crate) fn spinner(printer: &'a Printer, text: impl Into<String>) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        // Templates are constants: a mistake in one shows at once, in the fallback's plain look.
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.set_message(text.into());
        let (waiting, shows) = if printer.shows_progress() {
            let (sender, receiver) = mpsc::channel::<()>();
            let shown = bar.clone();
            let thread = std::thread::spawn(move || {
                if receiver.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                    shown.set_draw_target(ProgressDrawTarget::stderr_with_hz(RATE));
                    shown.enable_steady_tick(Duration::from_millis(100));
                }
            });
            (Some(sender), Some(thread))
        } else {
            (None, None)
        };
        Self {
            printer,
            bar,
            waiting,
            shows,
            each_step: !printer.shows_progress(),
        }
    }

    /// No display at all, but a line for each step: beside output that scrolls.
    pub(crate) fn lines(printer: &'a Printer) -> Self {
        Self {
            printer,
            bar: ProgressBar::hidden(),
            waiting: None,
            shows: None,
            each_step: true,
        }
    }

    /// Another text.
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.bar.set_message(text.into());
    }

    /// A step that was taken: shown in passing on a terminal, as a line of its own elsewhere.
    pub(crate) fn step(&self, text: impl Into<String>) {
        if !self.each_step {
            self.say(text);
        } else if self.printer.is_for_people() {
            self.printer.note(&text.into());
        }
    }

    /// A step that was taken, and what it means for the wait: the one as a line of its own where there
    /// is no display, the other in the display.
    pub(crate) fn step_then(&self, step: impl Into<String>, then: impl Into<String>) {
        if self.each_step {
            self.step(step);
        } else {
            self.say(then);
        }
    }

    /// How far the work is, as a bar.
    pub(crate) fn at(&self, done: usize, total: usize) {
        if self.bar.length() != Some(total as u64) {
            if let Ok(style) =
                ProgressStyle::with_template("{spinner:.cyan} {msg} {bar:24.cyan/dim} {pos}/{len}")
            {
                self.bar.set_style(style);
            }
            self.bar.set_length(total as u64);
        }
        self.bar.set_position(done as u64);
    }

    /// Prints above the display: a note for people on stderr.
    pub(crate) fn note(&self, text: &str) {
        self.bar.suspend(|| self.printer.note(text));
    }

    /// Prints a warning above the display.
    pub(crate) fn warning(&self, text: &str) {
        self.bar.suspend(|| self.printer.warning(text));
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        drop(self.waiting.take());
        if let Some(thread) = self.shows.take() {
            // A panic in that thread has shown itself already.
            thread.join().ok();
        }
        self.bar.finish_and_clear();
    }
}
