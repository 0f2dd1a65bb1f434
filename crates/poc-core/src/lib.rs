#![doc = include_str!("../README.md")]
//!
//! # The modules
//!
//! | module | question |
//! | --- | --- |
//! | [`settings`] | what applies, and where does each value come from? |
//! | [`config_file`] | what does `~/.nvflare/config.conf` say, and how is it changed without harm? |
//! | [`project`] | who takes part, and can that be? |
//! | [`workspace`] | what lies in a directory, and who may change it now? |
//! | [`fsio`] | how does a file get whole onto the disk, and a tree safely off it? |
//! | [`gpu_offer`] | what does a site tell NVFlare's scheduler about its GPUs? |
//! | [`mod@env`] | which environment variables matter? |
//! | [`version`] | which NVFlare is it, and which kits fit? |
//! | [`cancel`] | should long work stop? |
//!
//! Nothing here prints, ends the process, or reads the environment by itself: what a function depends
//! on, it is given. [`Error`] carries data, says what went wrong and why, and through [`Hint`] what to
//! do about it.

pub mod cancel;
pub mod config_file;
pub mod docker;
pub mod env;
mod error;
pub mod fsio;
pub mod gpu_offer;
mod hint;
mod listen;
mod paths;
pub mod project;
pub mod settings;
pub mod version;
pub mod workspace;
mod yaml;

pub use cancel::{Cancel, Cancelled};
pub use error::{Error, Problem};
pub use hint::{Hint, nearest};
pub use listen::{Listen, ListenError};
pub use version::{FlareVersion, Line};
