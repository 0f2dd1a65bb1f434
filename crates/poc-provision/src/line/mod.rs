//! What differs between the lines of NVFlare, as data: one [`Profile`] a line, one file a profile.
//!
//! A writer in `kit/` asks the profile and never asks which line it is. A new line is a new file here,
//! with its own documents where they changed.

mod v2_9;

use poc_core::Line;

use crate::Error;

/// Everything about a startup kit that NVFlare's line decides.
#[derive(Debug)]
pub(crate) struct Profile {
    /// The line.
    pub(crate) line: Line,
    /// How the processes talk where the project does not say: `http` needs no gRPC.
    pub(crate) scheme: &'static str,
    /// What the server does with the host of its own target.
    pub(crate) listener: Listener,
    /// The name of the log configuration in `local/`.
    pub(crate) log_config_name: &'static str,
    /// The log configuration.
    pub(crate) log_config: &'static str,
    /// The classes that a job may name without bringing code, a line each.
    pub(crate) class_allow_list: &'static str,
    /// `local/resources.json.default` of the server.
    pub(crate) server_resources: &'static str,
    /// `local/resources.json.default` of a site.
    pub(crate) client_resources: &'static str,
    /// `local/resources.json.default` of an admin.
    pub(crate) admin_resources: &'static str,
    /// `local/authorization.json.default` of server and sites. Without one everything is permitted.
    pub(crate) authorization: &'static str,
    /// `local/privacy.json.sample` of server and sites.
    pub(crate) privacy_sample: &'static str,
}

/// How a server picks the addresses that it listens on, from the host of `service.target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// A loopback name or IPv4 address: that address alone. Anything else: every interface.
    LoopbackOrAll,
}

impl Profile {
    /// The profile of a line.
    pub(crate) fn of(line: Line) -> Result<&'static Self, Error> {
        match line {
            Line::V2_9 => Ok(&v2_9::PROFILE),
            line @ (Line::V2_5 | Line::V2_6 | Line::V2_7 | Line::V2_8) => {
                Err(Error::UnsupportedLine { line })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn profiles() -> Vec<&'static Profile> {
        Line::ALL
            .into_iter()
            .filter_map(|line| Profile::of(line).ok())
            .collect()
    }

    #[test]
    fn the_newest_line_has_a_profile_of_its_own() {
        assert_eq!(Profile::of(Line::NEWEST).unwrap().line, Line::NEWEST);
    }

    #[test]
    fn a_line_without_a_profile_is_an_error_that_names_it() {
        let error = Profile::of(Line::V2_5).unwrap_err();
        assert!(error.to_string().contains("2.5"), "{error}");
    }

    #[test]
    fn every_document_is_a_json_object() {
        for profile in profiles() {
            for text in [
                profile.log_config,
                profile.server_resources,
                profile.client_resources,
                profile.admin_resources,
                profile.authorization,
                profile.privacy_sample,
            ] {
                assert!(serde_json::from_str::<Value>(text).unwrap().is_object());
            }
        }
    }

    #[test]
    fn allowed_classes_are_dotted_paths_each_once() {
        for profile in profiles() {
            let mut classes: Vec<&str> = profile.class_allow_list.lines().collect();
            let count = classes.len();
            assert!(
                classes
                    .iter()
                    .all(|class| class.starts_with("nvflare.") && !class.contains(' '))
            );
            classes.sort_unstable();
            classes.dedup();
            assert_eq!(classes.len(), count);
        }
    }
}
