//! To be written.
#![allow(dead_code)]
mod authority;
mod error;
mod json;
mod kit;
mod line;
pub use error::Error;
