//! A setting as users and programs see it: its value, and where that came from.

use camino::Utf8PathBuf;
use poc_core::settings::{Resolved, Source};
use poc_launch::runtime::{Origin, Runtime};
use serde::Serialize;

/// A setting with where it came from.
#[derive(Debug, Serialize)]
pub(crate) struct Setting {
    pub(crate) value: String,
    /// `command_line`, `environment`, `config_file`, `discovered` or `default`.
    pub(crate) source: &'static str,
    /// The flag, the variable, the place in config.conf, or how it was found.
    pub(crate) detail: Option<String>,
}

impl Setting {
    fn new(value: &str, source: &Source) -> Self {
        let (source, detail) = match source {
            Source::CommandLine(flag) => ("command_line", Some((*flag).to_owned())),
            Source::Environment(variable) => ("environment", Some((*variable).to_owned())),
            Source::ConfigFile { line, key, .. } => {
                ("config_file", Some(format!("line {line}, {key}")))
            }
            Source::Discovered(how) => ("discovered", Some(how.clone())),
            Source::Default => ("default", None),
        };
        Self {
            value: value.to_owned(),
            source,
            detail,
        }
    }

    /// Where it came from, in a few words.
    pub(crate) fn origin(&self) -> String {
        let word = match self.source {
            "command_line" => "command line",
            "config_file" => "config.conf",
            other => other,
        };
        match &self.detail {
            Some(detail) if self.source == "discovered" => detail.clone(),
            Some(detail) => format!("{word}: {detail}"),
            None => word.to_owned(),
        }
    }
}

impl From<&Resolved<Utf8PathBuf>> for Setting {
    fn from(resolved: &Resolved<Utf8PathBuf>) -> Self {
        Self::new(resolved.value.as_str(), &resolved.source)
    }
}

/// The Python in use; how it was found is its source.
impl From<&Runtime> for Setting {
    fn from(runtime: &Runtime) -> Self {
        match &runtime.origin {
            Origin::Setting(source) => Self::new(runtime.python.as_str(), source),
            found @ (Origin::ActiveEnvironment | Origin::Path | Origin::Managed) => Self::new(
                runtime.python.as_str(),
                &Source::Discovered(found.to_string()),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_in_words() {
        let origin = |source| Setting::new("/x", &source).origin();
        assert_eq!(
            origin(Source::CommandLine("--workspace")),
            "command line: --workspace"
        );
        assert_eq!(
            origin(Source::Environment("POC_PYTHON")),
            "environment: POC_PYTHON"
        );
        let file = Source::ConfigFile {
            path: "/c".into(),
            line: 3,
            key: "poc.workspace".into(),
        };
        assert_eq!(origin(file), "config.conf: line 3, poc.workspace");
        assert_eq!(origin(Source::Discovered("PATH".into())), "PATH");
        assert_eq!(origin(Source::Default), "default");
    }
}
