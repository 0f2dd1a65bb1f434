//! What containers of a POC are called and by what they are known, whoever starts them: `poc start`,
//! the scripts of a kit, or NVFlare's own job launcher.

use std::io;

/// The label that every container and the network of a POC carry: the network's name.
pub const NETWORK_LABEL: &str = "poc.network";
/// The label with the participant that a container belongs to.
pub const PARTICIPANT_LABEL: &str = "poc.participant";
/// The label that says what a container is: a [`PARTICIPANT`] itself, or a [`JOB`] of its.
pub const PART_LABEL: &str = "poc.part";
/// The container of a participant.
pub const PARTICIPANT: &str = "participant";
/// A container in which a participant runs a job (NVFlare 2.8 and later).
pub const JOB: &str = "job";

/// The image that NVFlare means by a bare `-d`.
pub const DEFAULT_IMAGE: &str = "nvflare/nvflare";
/// The network that all POCs of NVFlare's own `nvflare poc prepare -d` share.
pub const SHARED_NETWORK: &str = "nvflare-network";

/// Where a kit lies in its container from NVFlare 2.8 on; NVFlare's job launcher expects it there.
pub const KIT_MOUNT: &str = "/var/tmp/nvflare/workspace";
/// Where the workspace's `data` lies in the containers of sites and jobs from NVFlare 2.8 on: NVFlare's
/// place for the data set `poc` of the study `default`.
pub const DATA_MOUNT: &str = "/data/default/poc";

/// Where a kit lies in its container up to NVFlare 2.7, whose jobs run in that same container.
pub const OLD_KIT_MOUNT: &str = "/workspace";
/// Where the workspace's `data` lies there, to be read only.
pub const OLD_DATA_MOUNT: &str = "/data";

const PREFIX: &str = "poc-";

/// A network name that no other POC has: `poc-` and eight hexadecimal digits.
///
/// # Errors
///
/// [`io::Error`] where the kernel gives no random numbers.
pub fn new_network() -> io::Result<String> {
    let uuid = fs_err::read_to_string("/proc/sys/kernel/random/uuid")?;
    let digits: String = uuid.chars().take(8).collect();
    Ok(format!("{PREFIX}{digits}"))
}

/// Whether a network is one POC's alone: its name came from [`new_network`].
pub fn is_own_network(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|digits| {
        digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

/// The name of a participant's container. It begins with the network's, so that containers of two POCs
/// can have participants of the same name.
pub fn container_name(network: &str, participant: &str) -> String {
    format!("{network}-{participant}")
}

/// The labels of a participant's container, or of its jobs' containers.
pub fn labels(network: &str, participant: &str, part: &str) -> [(&'static str, String); 3] {
    [
        (NETWORK_LABEL, network.to_owned()),
        (PARTICIPANT_LABEL, participant.to_owned()),
        (PART_LABEL, part.to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_ones_own_and_never_the_same() {
        let (one, other) = (new_network().unwrap(), new_network().unwrap());
        assert!(is_own_network(&one) && is_own_network(&other));
        assert_ne!(one, other);
        for name in [
            SHARED_NETWORK,
            "poc-",
            "poc-1234567",
            "poc-12345678x",
            "poc-1234567g",
            "bridge",
        ] {
            assert!(!is_own_network(name), "{name}");
        }
        assert_eq!(
            container_name("poc-00c0ffee", "site-1"),
            "poc-00c0ffee-site-1"
        );
    }
}
