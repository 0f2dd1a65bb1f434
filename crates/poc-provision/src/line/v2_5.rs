//! NVFlare 2.5. The server is known by its address, admins have a listener of their own, and logging is
//! configured by an INI file.

use poc_core::Line;

use super::{Listener, Profile, ServerName, Signed};
use crate::docker::Form;

pub(super) static PROFILE: Profile = Profile {
    line: Line::V2_5,
    scheme: "grpc",
    listener: Listener::All,
    server_name: ServerName::Address,
    signed: Signed {
        nodes: &["startup"],
        admins: &[],
    },
    signed_with_he: Signed {
        nodes: &["startup"],
        admins: &[],
    },
    fed_server: include_str!("v2_5/fed_server.json"),
    fed_client: include_str!("v2_5/fed_client.json"),
    fed_admin: include_str!("v2_5/fed_admin.json"),
    hierarchy: None,
    log_config_name: "log.config.default",
    log_config: include_str!("v2_5/log.config"),
    class_allow_list: "",
    server_resources: include_str!("v2_5/server_resources.json"),
    client_resources: include_str!("v2_5/client_resources.json"),
    admin_resources: None,
    authorization: include_str!("v2_5/authorization.json"),
    privacy_sample: include_str!("v2_5/privacy.json"),
    has_aio: false,
    has_notebook: false,
    has_start_all: false,
    containers: Form::OneContainer,
};
