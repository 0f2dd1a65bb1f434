//! NVFlare 2.7. Admins are cells like any other, on the port of the sites or one beside it.

use poc_core::Line;

use super::{Hierarchy, Listener, Profile, ServerName, Signed};
use crate::docker::Form;

pub(super) static PROFILE: Profile = Profile {
    line: Line::V2_7,
    scheme: "http",
    listener: Listener::All,
    server_name: ServerName::Own,
    signed: Signed {
        nodes: &["startup", "local"],
        admins: &["startup", "local"],
    },
    signed_with_he: Signed {
        nodes: &["startup", "local"],
        admins: &["startup", "local"],
    },
    fed_server: include_str!("v2_7/fed_server.json"),
    fed_client: include_str!("v2_7/fed_client.json"),
    fed_admin: include_str!("v2_7/fed_admin.json"),
    hierarchy: Some(Hierarchy {
        fed_relay: include_str!("v2_6/fed_relay.json"),
        relay_resources: include_str!("v2_6/relay_resources.json"),
        comm_config: include_str!("v2_6/comm_config.json"),
    }),
    log_config_name: "log_config.json.default",
    log_config: include_str!("v2_6/log_config.json"),
    class_allow_list: "",
    server_resources: include_str!("v2_6/server_resources.json"),
    client_resources: include_str!("v2_6/client_resources.json"),
    admin_resources: Some(include_str!("v2_7/admin_resources.json")),
    authorization: include_str!("v2_5/authorization.json"),
    privacy_sample: include_str!("v2_5/privacy.json"),
    has_aio: true,
    has_notebook: true,
    has_start_all: false,
    containers: Form::OneContainer,
};
