//! Where the server listens.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::project::names;

/// Where the server listens: on this machine alone (the default of `poc`), everywhere, or on one address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// On the loopback address: nobody outside this machine can connect.
    #[default]
    Loopback,
    /// On every interface.
    All,
    /// On this address or host name.
    Address(String),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback => f.pad("127.0.0.1"),
            Self::All => f.pad("0.0.0.0"),
            Self::Address(address) => f.pad(address),
        }
    }
}

/// The text is neither an IP address nor a host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an IP address nor a host name")]
pub struct ListenError(String);

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match text.to_ascii_lowercase().as_str() {
            "localhost" | "loopback" => return Ok(Self::Loopback),
            "*" | "all" => return Ok(Self::All),
            _ => {}
        }
        match text.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) if ip.is_unspecified() => Ok(Self::All),
            Ok(IpAddr::V6(ip)) if ip.is_unspecified() => Ok(Self::All),
            Ok(IpAddr::V4(ip)) if ip.octets() == [127, 0, 0, 1] => Ok(Self::Loopback),
            Ok(ip) => Ok(Self::Address(ip.to_string())),
            Err(_) if names::check_host(text).is_ok() => Ok(Self::Address(text.to_owned())),
            Err(_) => Err(ListenError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for text in ["127.0.0.1", "localhost", "LOCALHOST", "loopback"] {
            assert_eq!(text.parse(), Ok(Listen::Loopback), "{text}");
        }
        for text in ["0.0.0.0", "*", "all", "::", "[::]"] {
            assert_eq!(text.parse(), Ok(Listen::All), "{text}");
        }
        for (text, address) in [
            ("10.0.0.7", "10.0.0.7"),
            ("[::1]", "::1"),
            ("node7.example.org", "node7.example.org"),
        ] {
            assert_eq!(text.parse(), Ok(Listen::Address(address.into())), "{text}");
        }
        for text in ["", "  ", "a b", "-x", "10.0.0.7:8002", "x_y"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for listen in [
            Listen::Loopback,
            Listen::All,
            Listen::Address("10.1.2.3".into()),
        ] {
            assert_eq!(listen.to_string().parse(), Ok(listen));
        }
    }
}
