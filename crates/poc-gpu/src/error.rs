//! Why a request for GPUs cannot be met.

use crate::device::GpuId;

/// A request for GPUs that cannot be met.
///
/// Messages are single sentences for people; [`Error::hint`] says what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An id that is not in the pool. The wording is NVFlare's, which documents it.
    #[error(
        "gpu_id provided is not available in the host machine, available GPUs are [{}]",
        list(available)
    )]
    NotAvailable {
        /// The id as given.
        id: String,
        /// What could have been asked for, in the pool's order.
        available: Vec<GpuId>,
        /// Why there may be less than expected: the driver's failure, or an inherited variable
        /// that narrows the pool.
        reason: Option<String>,
    },

    /// The beginning of several UUIDs.
    #[error("`{id}` is the beginning of several UUIDs: {}", matches.join(", "))]
    AmbiguousId {
        /// The id as given.
        id: String,
        /// The UUIDs that begin so.
        matches: Vec<String>,
    },

    /// Plain ids beside `site=ids`.
    #[error("`{plain}` names a GPU alone and `{pinned}` one for a site: the two cannot be mixed")]
    Mixed {
        /// The first plain word.
        plain: String,
        /// The first `site=ids` word.
        pinned: String,
    },

    /// `none` beside something else.
    #[error("`none` means that no site gets a GPU, so it stands alone, without `{other}`")]
    NoneNotAlone {
        /// The other word.
        other: String,
    },

    /// Several words with a comma in one of them, which reads in two ways.
    #[error(
        "`{word}` among other ids is unclear: it may be several ids in the row, or all of one site"
    )]
    UnclearList {
        /// The word with the comma.
        word: String,
    },

    /// A word without an id in it, or without a site before the `=`.
    #[error("`{word}` names no {missing}")]
    Incomplete {
        /// The word as given.
        word: String,
        /// `GPU` or `site`.
        missing: &'static str,
    },

    /// A site that is pinned twice.
    #[error("`{site}` is given GPUs twice")]
    SiteTwice {
        /// The site.
        site: String,
    },

    /// A site that the project does not have.
    #[error("there is no site `{site}`, only {}", sites.join(", "))]
    UnknownSite {
        /// The name as given.
        site: String,
        /// The sites there are, in the project's order.
        sites: Vec<String>,
    },
}

impl Error {
    /// What to do about it, where there is more to say than the message does.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotAvailable {
                id,
                available,
                reason,
            } => {
                let mut hint = format!("`{id}` is not among them");
                if let Some(reason) = reason {
                    hint.push_str(": ");
                    hint.push_str(reason);
                } else if available.is_empty() {
                    hint.push_str(": no GPU was found here; leave the ids out to start without");
                }
                hint
            }
            Self::AmbiguousId { .. } => "give more of the UUID, or the GPU's index".to_owned(),
            Self::Mixed { .. } => {
                "name a site for each (`site-1=0,1 site-2=2`), or for none (`0 1 2`)".to_owned()
            }
            Self::NoneNotAlone { .. } => {
                "to hide the GPUs from one site alone: `site-1=none site-2=0`".to_owned()
            }
            Self::UnclearList { .. } => {
                "write ids in a row with spaces (`0 1 2`), or name the sites \
                 (`site-1=0,1 site-2=2`)"
                    .to_owned()
            }
            Self::Incomplete { .. } => {
                "ids are indices (`0`), UUIDs (`GPU-…`, `MIG-…`) or `none`, for a site as \
                 `site-1=0,1`"
                    .to_owned()
            }
            Self::SiteTwice { site } => format!("write them as one list: `{site}=0,1`"),
            Self::UnknownSite { .. } => return None,
        })
    }
}

/// Ids as Python prints a list of numbers, between the brackets.
fn list(ids: &[GpuId]) -> String {
    ids.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
