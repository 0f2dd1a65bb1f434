//! What can go wrong in this crate.

use std::io;

use camino::Utf8PathBuf;
use openssl::error::ErrorStack;
use poc_core::{Cancelled, Hint};

/// What can go wrong when startup kits are made, linked or removed. The message says what and why,
/// [`Hint::hints`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The project asks for something that `poc` does not do; kits without it would not be what was
    /// asked for.
    #[error("{what} is not supported by this version of poc")]
    Unsupported {
        /// What, with where the project asks for it.
        what: String,
    },
    /// A name that Docker does not take.
    #[error("`{name}` is no name of {what} for Docker")]
    DockerName {
        /// An image or a network.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The address to listen on cannot be had.
    #[error("the server cannot listen on {address}: {reason}")]
    ListenAddress {
        /// The address as given.
        address: String,
        /// Why not.
        reason: String,
    },
    /// There is a POC already, and nobody said that it may go.
    #[error("there is a POC in {workspace} already")]
    Exists {
        /// The workspace.
        workspace: Utf8PathBuf,
    },
    /// The project file that was given would go with the old workspace.
    #[error("{input} lies inside the workspace {workspace}, which is about to be replaced")]
    InputInside {
        /// The project file.
        input: Utf8PathBuf,
        /// The workspace.
        workspace: Utf8PathBuf,
    },
    /// The workspace is another user's.
    #[error("{path} belongs to another user (user ID {owner})")]
    OtherOwner {
        /// The directory.
        path: Utf8PathBuf,
        /// The user ID of its owner.
        owner: u32,
    },
    /// A directory that would have to be made or swapped cannot be written to.
    #[error("{path} cannot be written to: {reason}")]
    NotWritable {
        /// The directory.
        path: Utf8PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Something that is no POC lies where the old workspace would be kept.
    #[error("the old workspace cannot be kept as {path}: {reason}")]
    PreviousInTheWay {
        /// The place.
        path: Utf8PathBuf,
        /// What is there.
        reason: String,
    },
    /// The certificate authority of a POC cannot issue further certificates.
    #[error("the certificate authority in {path} cannot be used: {reason}")]
    AuthorityUnusable {
        /// The authority's file, or the workspace that has none.
        path: Utf8PathBuf,
        /// Why not.
        reason: String,
        /// It is sound but for its age.
        expired: bool,
    },
    /// A participant's certificate cannot be renewed.
    #[error("the certificate of {name} cannot be renewed: {reason}")]
    CertificateUnusable {
        /// The participant.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The kits do not show which line of NVFlare they are for, so no further one can be made.
    #[error("the startup kits in {workspace} do not show which NVFlare they are for")]
    LineUnknown {
        /// The workspace.
        workspace: Utf8PathBuf,
    },
    /// Somebody of that name takes part already.
    #[error("`{name}` takes part already, as {what}")]
    ParticipantExists {
        /// The name.
        name: String,
        /// What it is: `client`, say.
        what: String,
        /// Whether it may be replaced: it is of the same kind.
        replaceable: bool,
    },
    /// Nobody of that name takes part.
    #[error("`{name}` does not take part in {project}")]
    NoSuchParticipant {
        /// The name.
        name: String,
        /// The project.
        project: String,
        /// The name most like it.
        nearest: Option<String>,
    },
    /// A POC cannot do without that participant.
    #[error("a POC cannot do without {what}, `{name}`")]
    Indispensable {
        /// The participant.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// A kit that would go holds files of the user's.
    #[error("the kit of {name} holds files that poc did not write: {}", and_more(&texts(files)))]
    KitInUse {
        /// The participant.
        name: String,
        /// The files and directories, relative to the workspace.
        files: Vec<Utf8PathBuf>,
    },
    /// The new workspace could not be put in place, nor the old one be put back. Nothing is lost.
    #[error("{workspace} is only half swapped: {reason}; the old POC is whole in {old}")]
    HalfSwapped {
        /// The workspace.
        workspace: Utf8PathBuf,
        /// Where the old one is.
        old: Utf8PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The directory with jobs cannot be linked.
    #[error("{path} cannot be the directory of jobs: {reason}")]
    JobsDirectory {
        /// The directory.
        path: Utf8PathBuf,
        /// Why not.
        reason: String,
    },
    /// The admin's transfer directory holds files of the user's.
    #[error("{transfer} is not empty: it holds {}", and_more(entries))]
    TransferInUse {
        /// The transfer directory.
        transfer: Utf8PathBuf,
        /// What is in it, sorted.
        entries: Vec<String>,
    },
    /// A key or certificate could not be made or read.
    #[error("cannot {action}")]
    Crypto {
        /// What was tried.
        action: &'static str,
        /// What OpenSSL says.
        #[source]
        source: ErrorStack,
    },
    /// Stopped on request. Everything is as it was.
    #[error("interrupted")]
    Cancelled,
    /// From `poc-core`: the workspace, the project.
    #[error(transparent)]
    Core(#[from] poc_core::Error),
    /// The operating system said no. The message names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Cancelled> for Error {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<serde_json::Error> for Error {
    /// Only ever of values in memory, so there is no path to name.
    fn from(error: serde_json::Error) -> Self {
        Self::Io(error.into())
    }
}

/// Turns what OpenSSL says into an error that says what was tried.
pub(crate) fn crypto(action: &'static str) -> impl FnOnce(ErrorStack) -> Error {
    move |source| Error::Crypto { action, source }
}

fn texts(paths: &[Utf8PathBuf]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}

/// The first few names, and how many more there are.
fn and_more(entries: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = entries
        .iter()
        .take(SHOWN)
        .map(|entry| format!("`{entry}`"))
        .collect::<Vec<_>>()
        .join(", ");
    match entries.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Unsupported { .. } => "take it out of the project, then prepare again".to_owned(),
            Self::ListenAddress { .. } => {
                "give `--listen` a host name or an IPv4 address, or leave it out to listen on this machine alone".to_owned()
            }
            Self::DockerName { .. } => {
                "give `-d` the name of an image as `docker images` shows it, such as nvflare/nvflare:2.9.0".to_owned()
            }
            Self::Exists { .. } => {
                "run `poc prepare --force` to replace it, or choose another workspace with `--workspace DIR`".to_owned()
            }
            Self::InputInside { .. } => "copy the project file to another place and name it there".to_owned(),
            Self::OtherOwner { .. } => {
                "run `poc` as that user, or choose another workspace with `--workspace DIR` or NVFLARE_POC_WORKSPACE".to_owned()
            }
            Self::NotWritable { .. } => {
                "choose a place that you may write to, with `--workspace DIR` or NVFLARE_POC_WORKSPACE".to_owned()
            }
            Self::PreviousInTheWay { path, .. } => format!("move {path} to another place, then run the command again"),
            Self::AuthorityUnusable { expired: true, .. } => "renew it with `poc certs renew`".to_owned(),
            Self::AuthorityUnusable { .. } => {
                "`poc prepare --force` without `--keep-ca` makes a new certificate authority, and new kits for all".to_owned()
            }
            Self::CertificateUnusable { .. } => {
                "give a site or a user a new kit with `poc add-site` or `poc add-user` and `--force`; for the server, `poc prepare --force --keep-ca` makes all kits anew".to_owned()
            }
            Self::LineUnknown { .. } => "`poc prepare --force` makes the POC anew".to_owned(),
            Self::ParticipantExists { replaceable: true, .. } => {
                "give it a new key and a new kit with `--force`".to_owned()
            }
            Self::ParticipantExists { .. } => "choose another name".to_owned(),
            Self::NoSuchParticipant { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::NoSuchParticipant { .. } => "`poc status` shows who takes part".to_owned(),
            Self::Indispensable { .. } => "`poc clean` removes the POC as a whole".to_owned(),
            Self::KitInUse { .. } => "run it again with `--force`: the kit is then set aside, not removed".to_owned(),
            Self::HalfSwapped { .. } => "put right what the system complains of, then run the command again: it goes on from there".to_owned(),
            Self::JobsDirectory { .. } => "name a directory that exists, with `-j DIR`".to_owned(),
            Self::TransferInUse { .. } => "run it again with `--force`: the files are then set aside, not removed".to_owned(),
            Self::Crypto { .. } => return Vec::new(),
            Self::Cancelled => "nothing was changed; run the command again when you like".to_owned(),
            Self::Core(error) => return error.hints(),
            Self::Io(error) => return io_hints(error),
        };
        vec![hint]
    }
}

fn io_hints(error: &io::Error) -> Vec<String> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            vec![
                "make room on that file system, or choose another workspace with `--workspace DIR`"
                    .to_owned(),
            ]
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            vec!["choose a place that you may write to, with `--workspace DIR` or NVFLARE_POC_WORKSPACE".to_owned()]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let names = |count: usize| (1..=count).map(|n| format!("job{n}")).collect::<Vec<_>>();
        assert_eq!(and_more(&names(2)), "`job1`, `job2`");
        assert_eq!(and_more(&names(5)), "`job1`, `job2`, `job3` and 2 more");
    }

    #[test]
    fn a_full_disk_says_what_to_do() {
        let error = Error::Io(io::ErrorKind::StorageFull.into());
        assert!(error.hints()[0].contains("room"));
    }
}
