//! What differs between the lines of NVFlare, as data: one [`Profile`] a line, one file a profile.
//!
//! A writer in `kit/` asks the profile and never asks which line it is. A new line is a new file here,
//! with its own documents where they changed: a document lies in the folder of the first line that has
//! it in that form.

mod v2_5;
mod v2_6;
mod v2_7;
mod v2_8;
mod v2_9;

use poc_core::{FlareVersion, Line};

/// Everything about a startup kit that NVFlare's line decides.
#[derive(Debug)]
pub(crate) struct Profile {
    /// The line.
    pub(crate) line: Line,
    /// How the processes talk where the project does not say: `http` needs no gRPC.
    pub(crate) scheme: &'static str,
    /// What the server does with the host of its own target.
    pub(crate) listener: Listener,
    /// What the server's certificate says that it is.
    pub(crate) server_name: ServerName,
    /// Which directories of a kit have a `signature.json`.
    pub(crate) signed: Signed,
    /// The same for kits with keys for homomorphic encryption: NVFlare takes these keys only signed.
    pub(crate) signed_with_he: Signed,
    /// The server's role file, with `@PLACES@` for values.
    pub(crate) fed_server: &'static str,
    /// A site's.
    pub(crate) fed_client: &'static str,
    /// An admin's.
    pub(crate) fed_admin: &'static str,
    /// What relays and listening hosts need, where the line has them.
    pub(crate) hierarchy: Option<Hierarchy>,
    /// The name of the log configuration in `local/`.
    pub(crate) log_config_name: &'static str,
    /// The log configuration.
    pub(crate) log_config: &'static str,
    /// The classes that a job may name without bringing code, a line each; none where all may be named.
    pub(crate) class_allow_list: &'static str,
    /// `local/resources.json.default` of the server.
    pub(crate) server_resources: &'static str,
    /// `local/resources.json.default` of a site.
    pub(crate) client_resources: &'static str,
    /// `local/resources.json.default` of an admin, where admins have one.
    pub(crate) admin_resources: Option<&'static str>,
    /// `local/authorization.json.default` of server and sites. Without one everything is permitted.
    pub(crate) authorization: &'static str,
    /// `local/privacy.json.sample` of server and sites.
    pub(crate) privacy_sample: &'static str,
    /// Whether participants may use asynchronous drivers (`use_aio`).
    pub(crate) has_aio: bool,
    /// Whether admins get `startup/system_info.ipynb`.
    pub(crate) has_notebook: bool,
    /// Whether there is a `start_all.sh` beside the kits even if the project does not ask for one.
    pub(crate) has_start_all: bool,
    /// How its kits run in containers.
    pub(crate) containers: crate::docker::Form,
}

/// How a server picks the addresses that it listens on, from the host of `service.target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Every interface, whatever the host.
    All,
    /// From this release on `localhost`, exactly: the loopback address. Anything else, and every
    /// earlier release: every interface.
    LocalhostFrom((u32, u32, u32)),
    /// A loopback name or IPv4 address: that address alone. Anything else: every interface.
    LoopbackOrAll,
}

impl Listener {
    /// Whether a server of that release can listen on the loopback address alone; where the release is
    /// not known, the newest of its line.
    pub(crate) fn can_be_private(self, version: Option<&FlareVersion>) -> bool {
        match self {
            Self::All => false,
            Self::LocalhostFrom(first) => version.is_none_or(|version| version.release() >= first),
            Self::LoopbackOrAll => true,
        }
    }
}

/// The common name of the server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerName {
    /// The host that it is reached by: sites compare it with the host that they dial.
    Address,
    /// Its name: role files say what it must be.
    Own,
}

/// The directories of a kit in which NVFlare checks what a `signature.json` says of the other files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// Of the server, the sites and the relays.
    pub(crate) nodes: &'static [&'static str],
    /// Of the admins.
    pub(crate) admins: &'static [&'static str],
}

/// Documents, with `@PLACES@` for values, of whoever does not connect to the server and nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hierarchy {
    /// A relay's role file.
    pub(crate) fed_relay: &'static str,
    /// `local/relay__resources.json` of a site that connects to a relay.
    pub(crate) relay_resources: &'static str,
    /// `local/comm_config.json` of whoever listens for others, or connects to a relay.
    pub(crate) comm_config: &'static str,
}

impl Profile {
    /// Whether a role file of this line has a place of that name.
    pub(crate) fn has_place(&self, place: &str) -> bool {
        let documents = [self.fed_server, self.fed_client, self.fed_admin];
        documents.iter().any(|document| document.contains(place))
    }

    /// The profile of a line.
    pub(crate) const fn of(line: Line) -> &'static Self {
        match line {
            Line::V2_5 => &v2_5::PROFILE,
            Line::V2_6 => &v2_6::PROFILE,
            Line::V2_7 => &v2_7::PROFILE,
            Line::V2_8 => &v2_8::PROFILE,
            Line::V2_9 => &v2_9::PROFILE,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn profiles() -> impl Iterator<Item = &'static Profile> {
        Line::ALL.into_iter().map(Profile::of)
    }

    #[test]
    fn every_line_has_a_profile_of_its_own() {
        for line in Line::ALL {
            assert_eq!(Profile::of(line).line, line);
        }
    }

    #[test]
    fn every_document_is_a_json_object_of_ascii() {
        for profile in profiles() {
            let documents = [
                profile.fed_server,
                profile.fed_client,
                profile.fed_admin,
                profile.hierarchy.map_or("{}", |it| it.fed_relay),
                profile.hierarchy.map_or("{}", |it| it.relay_resources),
                profile.hierarchy.map_or("{}", |it| it.comm_config),
                profile.server_resources,
                profile.client_resources,
                profile.authorization,
                profile.privacy_sample,
            ];
            let log_config = profile
                .log_config_name
                .contains(".json")
                .then_some(profile.log_config);
            for text in documents
                .into_iter()
                .chain(profile.admin_resources)
                .chain(log_config)
            {
                assert!(serde_json::from_str::<Value>(text).unwrap().is_object());
                assert!(text.is_ascii());
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
            // A list that is there must not be empty: then no job would run.
            let has_list = profile.server_resources.contains("class_allow_list");
            assert_eq!(has_list, count > 0, "{}", profile.line);
        }
    }

    #[test]
    fn a_private_server_takes_a_release_that_can() {
        let version = |text: &str| text.parse::<FlareVersion>().unwrap();
        let listener = Listener::LocalhostFrom((2, 8, 2));
        assert!(listener.can_be_private(None));
        assert!(listener.can_be_private(Some(&version("2.8.3"))));
        assert!(!listener.can_be_private(Some(&version("2.8.1"))));
        assert!(!Listener::All.can_be_private(Some(&version("2.7.3"))));
    }
}
