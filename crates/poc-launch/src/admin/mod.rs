//! Admin operations: what the FLARE console can do, for programs.
//!
//! They go through NVFlare's own admin API, in a helper process of the runtime's Python that stays
//! ([`Link`]): the first answer takes some 0.7 s, every later one some 10 ms. [`AdminOps`] is what one
//! can ask for; whoever passes requests on to a link elsewhere (through the supervisor's control socket)
//! implements its one method [`AdminOps::call`].

mod failure;
mod link;
mod ops;
mod reply;

pub use failure::{Failure, Refusal};
pub(crate) use link::HELPER_MARK;
pub use link::Link;
pub use ops::{AdminOps, Op, Target};
pub use reply::{Job, JobStatus, ServerState, Site, SystemInfo};
