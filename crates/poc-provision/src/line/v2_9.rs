//! NVFlare 2.9. Certificates are checked for what they say, and participants may be known by another identity.

use poc_core::Line;

use super::{Hierarchy, Listener, Profile, ServerName, Signed};
use crate::docker::{Form, StudyFile};

pub(super) static PROFILE: Profile = Profile {
    line: Line::V2_9,
    scheme: "http",
    listener: Listener::LoopbackOrAll,
    server_name: ServerName::Own,
    signed: Signed {
        nodes: &[],
        admins: &[],
    },
    signed_with_he: Signed {
        nodes: &["startup", "local"],
        admins: &[],
    },
    fed_server: include_str!("v2_9/fed_server.json"),
    fed_client: include_str!("v2_9/fed_client.json"),
    fed_admin: include_str!("v2_9/fed_admin.json"),
    hierarchy: Some(Hierarchy {
        fed_relay: include_str!("v2_9/fed_relay.json"),
        relay_resources: include_str!("v2_9/relay_resources.json"),
        comm_config: include_str!("v2_6/comm_config.json"),
    }),
    log_config_name: "log_config.json.default",
    log_config: include_str!("v2_8/log_config.json"),
    class_allow_list: include_str!("v2_9/class_allow_list.txt"),
    server_resources: include_str!("v2_8/server_resources.json"),
    client_resources: include_str!("v2_8/client_resources.json"),
    admin_resources: Some(include_str!("v2_7/admin_resources.json")),
    authorization: include_str!("v2_9/authorization.json"),
    privacy_sample: include_str!("v2_5/privacy.json"),
    has_aio: true,
    has_notebook: true,
    has_start_all: false,
    containers: Form::JobContainers {
        internal_security: "mtls",
        study_file: StudyFile::Runtime,
    },
};
