//! The scripts that run a kit in its container without `poc`.

use poc_core::docker;
use poc_core::project::{Kind, Participant};

use super::Containers;
use crate::kit::{Federation, File};

/// `docker.sh` of NVFlare up to 2.7.
pub(super) fn one_container(containers: &Containers, participant: &Participant) -> File {
    let values = Values::of(containers, participant, docker::OLD_KIT_MOUNT);
    File::script(
        "startup/docker.sh",
        values.fill(include_str!("scripts/docker_one_container.sh")),
    )
}

/// `start_docker.sh`, and `docker.sh`, the name that all lines' documentation has.
pub(super) fn job_containers(
    containers: &Containers,
    federation: &Federation<'_>,
    participant: &Participant,
) -> [File; 2] {
    let mut values = Values::of(containers, participant, docker::KIT_MOUNT);
    let mut ports = Vec::new();
    if matches!(participant.kind, Kind::Server(_)) {
        ports.extend([federation.fed_learn_port, federation.admin_port]);
        ports.dedup();
    }
    // Admins reach it by this machine's loopback, containers by their network.
    let publish: Vec<String> = ports
        .iter()
        .map(|port| format!("--publish 127.0.0.1:{port}:{port}"))
        .collect();
    values.0.push(("PUBLISH", publish.join(" ")));
    [
        File::script(
            "startup/start_docker.sh",
            values.fill(include_str!("scripts/start_docker.sh")),
        ),
        File::script(
            "startup/docker.sh",
            include_str!("scripts/docker.sh").to_owned(),
        ),
    ]
}

/// What the scripts of all lines hold.
struct Values(Vec<(&'static str, String)>);

impl Values {
    fn of(containers: &Containers, participant: &Participant, mount: &str) -> Self {
        let name = &participant.name;
        let (role, module, role_file, identity) = match participant.kind {
            Kind::Server(_) => (
                "server",
                "nvflare.private.fed.app.server.server_train",
                "fed_server.json",
                format!("org={}", participant.org),
            ),
            Kind::Client(_) | Kind::Admin(_) | Kind::Relay(_) => (
                "client",
                "nvflare.private.fed.app.client.client_train",
                "fed_client.json",
                format!("uid={name} org={}", participant.org),
            ),
        };
        let network = &containers.network;
        let labels: Vec<String> = docker::labels(network, name, docker::PARTICIPANT)
            .iter()
            .map(|(label, value)| format!("--label {}", quoted(&format!("{label}={value}"))))
            .collect();
        let network_label = format!("{}={network}", docker::NETWORK_LABEL);
        Self(vec![
            ("IMAGE", quoted(&containers.image)),
            ("NETWORK_LABEL", quoted(&network_label)),
            ("NETWORK", quoted(network)),
            ("CONTAINER", quoted(&docker::container_name(network, name))),
            ("ALIAS", quoted(name)),
            ("LABELS", labels.join(" ")),
            ("MOUNT", mount.to_owned()),
            ("ROLE_FILE", role_file.to_owned()),
            ("ROLE", role.to_owned()),
            ("MODULE", module.to_owned()),
            ("IDENTITY", identity),
        ])
    }

    fn fill(&self, script: &str) -> String {
        self.0.iter().fold(script.to_owned(), |text, (key, value)| {
            text.replace(&format!("@{key}@"), value)
        })
    }
}

/// One word of a shell's.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
