//! What a participant is in its federation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a participant is; the `type` of project.yml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The one server.
    Server,
    /// A site that trains.
    Client,
    /// A user of the FLARE console and API.
    Admin,
    /// A node between clients and server (NVFlare 2.6 and later).
    Relay,
}

impl Role {
    /// The word of project.yml.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Admin => "admin",
            Self::Relay => "relay",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not one of server, client, admin, relay")]
pub struct RoleError(String);

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Server, Self::Client, Self::Admin, Self::Relay]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| RoleError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_agree_in_all_directions() {
        for role in [Role::Server, Role::Client, Role::Admin, Role::Relay] {
            assert_eq!(role.to_string().parse(), Ok(role));
            assert_eq!(serde_json::to_string(&role).unwrap(), format!("\"{role}\""));
        }
        assert!("overseer".parse::<Role>().is_err());
    }
}
