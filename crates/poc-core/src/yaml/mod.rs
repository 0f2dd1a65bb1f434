//! YAML, behind one door: what this crate reads is what PyYAML would read, and what it writes PyYAML
//! reads back unchanged.

mod value;

pub use value::Value;
