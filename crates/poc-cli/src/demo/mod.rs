//! The main job, end to end: hospitals train one model on the real NVFlare.
//!
//! - [`data`] holds the bundled records, [`split`] deals them to the sites, a pure function.
//! - [`job`] writes the job folder; what the job does is Python, in `job/`.
//! - [`poc`] is a POC of the demo's own, from its workspace to the proof that nothing is left of it.
//! - [`follow`] waits for the job's end and passes on its [`progress`]; [`failure`] finds out why it
//!   failed.
//! - [`model`] measures the global model anew; [`outcome`] is what came of it all, [`show`] how it
//!   looks.
//!
//! [`train`] strings them together for `commands/demo.rs`. `docs/design/demo.md` explains the data,
//! the split and the job.

mod data;
mod failure;
mod follow;
mod job;
mod model;
pub(crate) mod outcome;
pub(crate) mod poc;
mod progress;
pub(crate) mod show;
pub(crate) mod split;
mod training;

pub(crate) use training::{Size, train};
