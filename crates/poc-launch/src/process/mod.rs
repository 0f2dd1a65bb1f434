//! Processes by identity, not by number.
//!
//! A process ID alone says little: the kernel hands it out again. Here a process is an [`Identity`]
//! (ID, start time and boot), a signal goes through a descriptor of exactly that process ([`Handle`]),
//! and nothing is ended that was not first recognised as belonging to the workspace ([`Scope`]).

mod cgroup;
mod environ;
mod handle;
mod identity;
mod ladder;
pub mod pid_file;
mod recognise;
mod sweep;
mod trace;
mod usage;

pub(crate) use cgroup::{Cgroup, end_with_cgroups};
pub(crate) use handle::poll_until;
pub use handle::{Handle, wait_all};
pub use identity::{Identity, boot_id};
pub(crate) use identity::{group_lives, running_from, sockets};
pub use ladder::{Ended, Grace, LadderEvent, Survivor, end};
pub use recognise::Kind;
pub(crate) use recognise::real;
pub use rustix::process::Signal;
pub use sweep::{Found, Scope, Sign};
pub(crate) use trace::{Trace, traces};
pub use usage::Usage;
