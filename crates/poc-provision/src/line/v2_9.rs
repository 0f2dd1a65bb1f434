//! NVFlare 2.9.

use poc_core::Line;

use super::{Listener, Profile};

pub(super) static PROFILE: Profile = Profile {
    line: Line::V2_9,
    scheme: "http",
    listener: Listener::LoopbackOrAll,
    log_config_name: "log_config.json.default",
    log_config: include_str!("v2_9/log_config.json"),
    class_allow_list: include_str!("v2_9/class_allow_list.txt"),
    server_resources: include_str!("v2_9/server_resources.json"),
    client_resources: include_str!("v2_9/client_resources.json"),
    admin_resources: include_str!("v2_9/admin_resources.json"),
    authorization: include_str!("v2_9/authorization.json"),
    privacy_sample: include_str!("v2_9/privacy.json"),
};
