//! The crate as its users see it.

#![allow(clippy::unwrap_used, reason = "what supports tests fails as tests do")]

mod clean;
mod jobs;
mod kits;
mod lines;
mod refusals;
mod replace;
mod scripts;
mod support;
