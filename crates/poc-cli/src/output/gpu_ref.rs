//! A GPU in JSON and in text.

use std::fmt;

use serde::Serialize;

/// What a participant was given: a number in JSON for an index, a string for a MIG instance's UUID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum GpuRef {
    /// The index that nvidia-smi shows.
    Index(u32),
    /// A UUID.
    Uuid(String),
}

impl GpuRef {
    /// Those of a participant.
    pub(crate) fn all(ids: &[String]) -> Vec<Self> {
        ids.iter().map(|id| Self::from(id.as_str())).collect()
    }
}

impl From<&str> for GpuRef {
    fn from(id: &str) -> Self {
        id.parse()
            .map_or_else(|_| Self::Uuid(id.to_owned()), Self::Index)
    }
}

impl fmt::Display for GpuRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => index.fmt(f),
            Self::Uuid(uuid) => f.pad(uuid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_numbers() {
        let gpus: Vec<GpuRef> = ["0", "12", "MIG-1", "4294967296"]
            .map(GpuRef::from)
            .to_vec();
        assert_eq!(
            serde_json::to_string(&gpus).unwrap(),
            r#"[0,12,"MIG-1","4294967296"]"#
        );
    }
}
