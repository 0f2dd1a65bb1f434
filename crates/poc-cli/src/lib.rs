//! The `poc` command line: words in, words out, and one library call between.
//!
//! A run goes through these rooms:
//!
//! 1. `argv` rewrites NVFlare's spellings (`-gpu 0 1`) into those that clap reads;
//! 2. `args` and the `Args` struct of each file in `commands` say what may be typed;
//! 3. a command turns its arguments and the [settings](poc_core::settings) into plain options, and
//!    makes one call into `poc-provision`, `poc-launch` or `poc-gpu`;
//! 4. `output` shows what came back, for people or as JSON, and `error` what went wrong.
//!
//! Everything that another program could want lies in the libraries below; they do not print, do not
//! exit, and do not read the environment.
//!
//! [`main_impl`] is the whole program. A second binary (the end-to-end tests have one) needs no more
//! than to call it.

#![expect(
    clippy::format_push_string,
    reason = "text for people is put together once a run; `write!` into a String would only add a Result to throw away"
)]

mod args;
mod argv;
mod commands;
mod context;
mod demo;
mod error;
#[cfg(test)]
mod help;
mod output;
mod run;
mod selection;
mod setting;
mod signals;
mod terminal;

pub use run::main_impl;
