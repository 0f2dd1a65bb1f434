//! The few styles that text is written in. They are written always, and stripped by the stream where
//! colours are off; nothing may be told by colour alone.

use std::fmt::Display;

use owo_colors::{AnsiColors, OwoColorize as _};

/// A path, a command to type, a name to use.
pub(crate) fn literal(text: impl Display) -> String {
    text.cyan().to_string()
}

/// What went well.
pub(crate) fn good(text: impl Display) -> String {
    text.green().to_string()
}

/// What may need a look.
pub(crate) fn doubtful(text: impl Display) -> String {
    text.yellow().to_string()
}

/// What went wrong.
pub(crate) fn bad(text: impl Display) -> String {
    text.red().to_string()
}

/// What is there for completeness.
pub(crate) fn dim(text: impl Display) -> String {
    text.dimmed().to_string()
}

/// A heading, or the word that matters in a line.
pub(crate) fn strong(text: impl Display) -> String {
    text.bold().to_string()
}

/// The colours that participants take in turn. Red is not among them: it means an error.
const PARTICIPANTS: [AnsiColors; 6] = [
    AnsiColors::Cyan,
    AnsiColors::Green,
    AnsiColors::Magenta,
    AnsiColors::Blue,
    AnsiColors::Yellow,
    AnsiColors::BrightCyan,
];

/// The text in the colour of the participant with this number.
pub(crate) fn participant(index: usize, text: impl Display) -> String {
    text.color(PARTICIPANTS[index % PARTICIPANTS.len()])
        .to_string()
}
