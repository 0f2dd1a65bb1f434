//! x
mod authority;
mod clean;
mod error;
mod jobs_dir;
mod json;
mod kit;
mod line;
mod provision;

pub use clean::{Cleaned, clean};
pub use error::Error;
pub use jobs_dir::{Linked, link_jobs_dir};
pub use provision::{Event, Provisioned, Request, provision};
