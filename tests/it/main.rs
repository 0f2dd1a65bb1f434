//! The real `poc` against the real NVFlare, and against fakes for the faults that the real one cannot
//! be made to show. One topic a file.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helper functions too"
)]

mod certs;
mod config;
mod demo;
mod detached;
mod docs;
mod events;
mod examples;
mod faults;
mod fork_server;
mod gpu;
mod grow;
mod interrupts;
mod judged;
mod kits;
mod prune;
mod runtimes;
mod spellings;
mod supervise;
mod tour;
mod two_pocs;
mod up_down;
mod upstream_tools;
mod words;
mod workspaces;
mod world;
mod wrong_use;
