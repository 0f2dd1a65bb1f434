//! Runs the startup kits of an NVFlare proof of concept as real, supervised processes.

pub mod admin;
mod error;
pub mod logs;
pub mod ports;
pub mod process;
pub mod runtime;

pub use error::Error;
