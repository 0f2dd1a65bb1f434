//! The main job, end to end: hospitals train one model on the real NVFlare.
//!
//! - [`data`] holds the bundled records, [`split`] deals them to the sites, a pure function.
//! - [`job`] writes the job folder; what the job does is Python, in `job/`.
//! - [`stage`] is a POC of the demo's own, from its workspace to the proof that nothing of it is left.
//! - [`follow`] waits for the job's end and passes on its [`progress`]; [`failure`] finds out why it failed.
//! - [`model`] measures the global model anew; [`outcome`] is what came of it all, [`show`] how it looks.
//!
//! [`play`] strings them together for `commands/demo.rs`. Data, split and job are explained in `docs/design/demo.md`.

mod data;
mod failure;
mod follow;
mod job;
mod model;
pub(crate) mod outcome;
mod play;
mod progress;
pub(crate) mod show;
pub(crate) mod split;
pub(crate) mod stage;

pub(crate) use play::{Script, play};
