//! The crate as its users see it.

#![allow(clippy::unwrap_used, reason = "what supports tests fails as tests do")]

mod certs;
mod clean;
mod grow;
mod jobs;
mod kits;
mod lines;
mod refusals;
mod replace;
mod scripts;
mod support;
