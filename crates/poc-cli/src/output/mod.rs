//! What the user sees: data on stdout, everything else on stderr; text for people, or JSON.
//!
//! A command builds one plain value (a struct that implements `Serialize`) and a function that turns
//! it into text, and gives both to the [`Printer`]. So text and JSON cannot tell different stories,
//! and the text is tested without a process.

mod envelope;
mod gpu_ref;
mod printer;
mod progress;
pub(crate) mod style;
mod table;
pub(crate) mod words;

pub(crate) use gpu_ref::GpuRef;
pub(crate) use printer::Printer;
pub(crate) use progress::Progress;
pub(crate) use table::{Look, Table};
