//! Versions of NVFlare: the exact one that a Python has, and the *line* (minor version) that decides
//! what a startup kit looks like.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A minor version of NVFlare that `poc` makes kits for. Kits are not portable between lines: class
/// paths, file names and signatures changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Line {
    /// NVFlare 2.5
    V2_5,
    /// NVFlare 2.6
    V2_6,
    /// NVFlare 2.7
    V2_7,
    /// NVFlare 2.8
    V2_8,
    /// NVFlare 2.9
    V2_9,
}

impl Line {
    /// Every line, oldest first.
    pub const ALL: [Self; 5] = [Self::V2_5, Self::V2_6, Self::V2_7, Self::V2_8, Self::V2_9];

    /// The line that kits are made for where nothing says otherwise.
    pub const NEWEST: Self = Self::V2_9;

    /// The Python versions that NVFlare's packages of this line accept, as the minor numbers of 3.x,
    /// both ends included (`requires-python` in the packages' metadata, and their native
    /// dependencies' wheels).
    ///
    /// ```
    /// assert_eq!(poc_core::Line::V2_9.python_versions(), (10, 14));
    /// ```
    pub const fn python_versions(self) -> (u8, u8) {
        match self {
            Self::V2_5 | Self::V2_6 => (8, 12),
            Self::V2_7 => (9, 12),
            Self::V2_8 | Self::V2_9 => (10, 14),
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::V2_5 => "2.5",
            Self::V2_6 => "2.6",
            Self::V2_7 => "2.7",
            Self::V2_8 => "2.8",
            Self::V2_9 => "2.9",
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

impl FromStr for Line {
    type Err = VersionError;

    /// Reads `2.9`, or a full version such as `2.9.0`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let version: FlareVersion = text.parse()?;
        version
            .line()
            .ok_or_else(|| VersionError::NoSuchLine(text.to_owned()))
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// Why a text is no version that `poc` can work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not of the form `2.9.0`.
    #[error("`{0}` is not a version such as 2.9.0")]
    Malformed(String),
    /// A version of NVFlare, but of no line that kits can be made for.
    #[error("NVFlare {0} is not supported, only 2.5 to 2.9")]
    NoSuchLine(String),
}

/// An exact version of NVFlare, such as `2.9.0` or `2.8.0rc1`, as its package's metadata gives it.
///
/// Versions order as PEP 440 says for the forms that NVFlare uses: a release candidate or a
/// development version comes before the release.
#[derive(Clone, Debug)]
pub struct FlareVersion {
    text: String,
    release: (u32, u32, u32),
    /// `dev0`, `rc1`, empty: whatever follows the release numbers.
    suffix: String,
}

impl FlareVersion {
    /// The line, or `None` for a version older or newer than all lines.
    pub fn line(&self) -> Option<Line> {
        match (self.release.0, self.release.1) {
            (2, 5) => Some(Line::V2_5),
            (2, 6) => Some(Line::V2_6),
            (2, 7) => Some(Line::V2_7),
            (2, 8) => Some(Line::V2_8),
            (2, 9) => Some(Line::V2_9),
            _ => None,
        }
    }

    /// Major, minor and patch number.
    pub const fn release(&self) -> (u32, u32, u32) {
        self.release
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a release candidate, a development version or the like.
    pub fn is_prerelease(&self) -> bool {
        self.rank() < Rank::Final
    }

    fn rank(&self) -> Rank {
        let suffix = self
            .suffix
            .trim_start_matches(['.', '-', '_'])
            .to_ascii_lowercase();
        if suffix.starts_with("dev") {
            Rank::Development
        } else if suffix.starts_with('a') {
            Rank::Alpha
        } else if suffix.starts_with('b') {
            Rank::Beta
        } else if suffix.starts_with("rc") || suffix.starts_with('c') {
            Rank::Candidate
        } else {
            Rank::Final
        }
    }

    fn sort_key(&self) -> ((u32, u32, u32), Rank, u32, &str) {
        let digits: String = self.suffix.chars().filter(char::is_ascii_digit).collect();
        (
            self.release,
            self.rank(),
            digits.parse().unwrap_or(0),
            &self.suffix,
        )
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Development,
    Alpha,
    Beta,
    Candidate,
    Final,
}

impl PartialEq for FlareVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for FlareVersion {}

impl PartialOrd for FlareVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FlareVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sort_key().cmp(&other.sort_key())
    }
}

impl fmt::Display for FlareVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for FlareVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let malformed = || VersionError::Malformed(text.to_owned());
        let mut rest = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = [0_u32; 3];
        for (index, number) in numbers.iter_mut().enumerate() {
            if index > 0 {
                match rest.strip_prefix('.') {
                    Some(after) if after.starts_with(|c: char| c.is_ascii_digit()) => rest = after,
                    _ => break,
                }
            }
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            *number = rest[..end].parse().map_err(|_| malformed())?;
            rest = &rest[end..];
            if index == 0 && !rest.starts_with('.') {
                return Err(malformed());
            }
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '_');
        if !rest.chars().all(allowed) || rest.starts_with('.') && rest.len() == 1 {
            return Err(malformed());
        }
        Ok(Self {
            text: text.to_owned(),
            release: (numbers[0], numbers[1], numbers[2]),
            suffix: rest.to_owned(),
        })
    }
}

impl Serialize for FlareVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for FlareVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> FlareVersion {
        text.parse().unwrap()
    }

    #[test]
    fn lines_read_and_write_as_two_numbers() {
        for line in Line::ALL {
            assert_eq!(line.to_string().parse(), Ok(line));
            let json = serde_json::to_string(&line).unwrap();
            assert_eq!(serde_json::from_str::<Line>(&json).unwrap(), line);
        }
        assert_eq!("2.9.0".parse(), Ok(Line::V2_9));
        assert_eq!(
            "2.4".parse::<Line>(),
            Err(VersionError::NoSuchLine("2.4".into()))
        );
        assert_eq!(Line::ALL.iter().max(), Some(&Line::NEWEST));
    }

    #[test]
    fn versions_keep_their_text() {
        for text in ["2.9.0", "2.8.0rc1", "2.9.0dev0", "2.7", "2.9.0+local.3"] {
            assert_eq!(version(text).to_string(), text);
        }
        assert_eq!(version("2.8.3").release(), (2, 8, 3));
        assert_eq!(version("3.0.0").line(), None);
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in [
            "",
            "2",
            "2.",
            "x",
            "2.9.",
            "2.9.0 beta",
            "2.99999999999.0",
            ".9",
            "../x",
            "2.9.0/x",
        ] {
            assert!(text.parse::<FlareVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn versions_order_as_releases_came_out() {
        let ordered = [
            "2.7.3",
            "2.8.0dev0",
            "2.8.0rc1",
            "2.8.0rc2",
            "2.8.0rc10",
            "2.8.0",
            "2.8.1",
            "2.10.0",
        ];
        for pair in ordered.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
        assert!(version("2.8.0rc1").is_prerelease());
        assert!(!version("2.8.0").is_prerelease());
    }
}
