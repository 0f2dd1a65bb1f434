//! YAML, behind one door: what is read here is what PyYAML would read, and what is written PyYAML
//! reads back unchanged.
//!
//! NVFlare reads project.yml with PyYAML, that is as YAML 1.1; `serde_yaml` reads YAML 1.2. The two
//! differ in what a scalar without quotes means: `yes` and `NO` are booleans, `010` is eight, `1_000`
//! a thousand and `12:30` a number of seconds in YAML 1.1, and `1e3` is text; `<<` merges mappings.
//! [`resolve`] decides as PyYAML does. What is written has every string in quotes, so that no reader
//! can take it for anything else.

mod emit;
mod locate;
mod parse;
mod resolve;
mod value;

pub(crate) use emit::emit;
pub(crate) use locate::Place;
pub(crate) use parse::{Document, YamlError};
pub use value::Value;
