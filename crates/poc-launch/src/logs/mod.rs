//! Reading the console logs that the participants write.
//!
//! Logs are read from their end and in bounded pieces; they may grow, be cut off or be replaced
//! meanwhile. What is shown to people goes through [`redact`] first.

mod follow;
mod reason;
mod redact;
mod scan;
mod tail;

pub use follow::{Follower, Watch};
pub use reason::{Reason, reason, reason_in};
pub use redact::redact;
pub use scan::{Scanner, Sighting};
pub use tail::tail;
