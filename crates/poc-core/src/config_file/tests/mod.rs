//! Tests of the file as a whole; what pyhocon reads and refuses was tried with pyhocon 0.3.63.

mod disk;
mod editing;
mod laws;
mod owned_keys;
mod reading;

use super::*;

fn parse(text: &str) -> ConfigFile {
    ConfigFile::parse(Utf8Path::new("config.conf"), text).unwrap()
}

fn get(text: &str, key: &[&str]) -> Option<String> {
    parse(text).get(key).map(|value| value.text)
}

fn refused(text: &str) -> String {
    ConfigFile::parse(Utf8Path::new("config.conf"), text)
        .unwrap_err()
        .to_string()
}
