//! To be written.
pub mod cancel;
pub mod config_file;
pub mod env;
mod error;
pub mod fsio;
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
pub use listen::Listen;
pub use version::{FlareVersion, Line};
