//! Runs the startup kits of an NVFlare proof of concept as real, supervised processes.

pub mod admin;
mod backend;
mod error;
mod federation;
pub mod logs;
pub mod plan;
pub mod ports;
pub mod process;
mod ready;
pub mod runtime;
mod stop;
pub mod supervisor;
#[cfg(test)]
mod testing;

pub use error::Error;
pub use federation::{
    Console, Federation, LaunchEvent, ParticipantStatus, PocState, StartOptions, Started, Status,
    StopOptions, Stopped, Survivor,
};
pub use supervisor::control::ParticipantState;
