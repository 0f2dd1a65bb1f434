//! Runs the startup kits of an NVFlare proof of concept as real, supervised processes.
//!
//! # The way through
//!
//! [`runtime::find`] finds a Python with NVFlare ([`runtime::managed`] makes one), [`plan::build`] turns
//! kits, runtime and GPUs into a [`LaunchPlan`](plan::LaunchPlan), and [`Federation`] starts, shows and
//! stops what the plan says. Long work reports through a callback ([`LaunchEvent`]); nothing here prints
//! or ends the process.
//!
//! # Who does what
//!
//! Participants run under a *supervisor*: a detached process, one a workspace, that starts them, starts
//! again what dies, and ends them. It is the embedding program itself, executed again, so that program
//! hands one kind of call on to [`supervisor::main`]; [`StartOptions::supervisor`] says how it is called.
//! [`Federation::run_in_foreground`] does without: it supervises in the calling process.
//!
//! Everything else is a client of the supervisor for a moment, and every client can be killed at any
//! moment. So can the supervisor: participants go on, [`Federation::status`] and [`Federation::stop`] work
//! without it, and the next [`Federation::start`] takes over what still runs. What NVFlare's own
//! `nvflare poc start` made is seen and stopped just the same.
//!
//! # What is left on disk
//!
//! In each started kit `pid.fl` and `daemon_pid.fl`, as NVFlare's own tools read them, and
//! `poc_console.log`. In the workspace's `.poc` the plan, the control socket, the event log, and what the
//! next supervisor must know. After a stop no pid file and no socket is left, and no process: that is
//! looked at, not assumed ([`process`]).
//!
//! # Example
//!
//! The README has a whole program, and `examples/launch_federation.rs` of the repository a longer one.
//!
//! ```no_run
//! use poc_core::workspace::Workspace;
//! use poc_launch::Federation;
//!
//! let prepared = Workspace::new("/tmp/nvflare/poc").load()?;
//! let status = Federation::open(&prepared).status()?;
//! for participant in &status.participants {
//!     println!("{:10} {:10} {:?}", participant.name, participant.state, participant.pid);
//! }
//! # Ok::<(), poc_launch::Error>(())
//! ```

pub mod admin;
mod backend;
pub mod docker;
mod error;
mod federation;
pub mod kit_check;
pub mod logs;
pub mod plan;
pub mod ports;
pub mod process;
pub mod prune;
mod ready;
mod room;
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

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
