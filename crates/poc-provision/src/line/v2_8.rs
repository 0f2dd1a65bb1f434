//! NVFlare 2.8. No overseer's agent, and no signatures any more; jobs may name only the classes of a list.

use poc_core::Line;

use super::{Hierarchy, Listener, Profile, ServerName, Signed};
use crate::docker::{Form, StudyFile};

pub(super) static PROFILE: Profile = Profile {
    line: Line::V2_8,
    scheme: "http",
    listener: Listener::LocalhostFrom((2, 8, 2)),
    server_name: ServerName::Own,
    signed: Signed {
        nodes: &[],
        admins: &[],
    },
    signed_with_he: Signed {
        nodes: &["startup", "local"],
        admins: &[],
    },
    fed_server: include_str!("v2_8/fed_server.json"),
    fed_client: include_str!("v2_8/fed_client.json"),
    fed_admin: include_str!("v2_7/fed_admin.json"),
    hierarchy: Some(Hierarchy {
        fed_relay: include_str!("v2_6/fed_relay.json"),
        relay_resources: include_str!("v2_6/relay_resources.json"),
        comm_config: include_str!("v2_6/comm_config.json"),
    }),
    log_config_name: "log_config.json.default",
    log_config: include_str!("v2_8/log_config.json"),
    class_allow_list: include_str!("v2_8/class_allow_list.txt"),
    server_resources: include_str!("v2_8/server_resources.json"),
    client_resources: include_str!("v2_8/client_resources.json"),
    admin_resources: Some(include_str!("v2_7/admin_resources.json")),
    authorization: include_str!("v2_5/authorization.json"),
    privacy_sample: include_str!("v2_5/privacy.json"),
    has_aio: true,
    has_notebook: true,
    has_start_all: false,
    containers: Form::JobContainers {
        internal_security: "clear",
        study_file: StudyFile::Data,
    },
};
