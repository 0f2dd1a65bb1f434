//! Which code each error of each library gets. No match here has a catch-all.

use poc_launch::admin::Refusal;
use poc_launch::runtime::{Tried, Unfit};

use super::{CliError, ErrorCode};

impl From<poc_core::Error> for CliError {
    fn from(error: poc_core::Error) -> Self {
        use poc_core::Error as E;
        let code = match &error {
            E::NoHome | E::NotUtf8 { .. } | E::ProjectImpossible { .. } => ErrorCode::InvalidArgs,
            E::ConfigSyntax { .. } | E::ConfigValue { .. } => ErrorCode::ConfigInvalid,
            E::ProjectInvalid { .. } => ErrorCode::ProjectInvalid,
            E::NotPrepared { .. } => ErrorCode::NotPrepared,
            E::Foreign { .. } => ErrorCode::WorkspaceForeign,
            E::Incomplete { .. } | E::Manifest { .. } => ErrorCode::NotAPoc,
            E::Busy { .. } => ErrorCode::WorkspaceBusy,
            E::Io(_) => ErrorCode::Io,
        };
        Self::from_library(code, error)
    }
}

impl From<poc_provision::Error> for CliError {
    fn from(error: poc_provision::Error) -> Self {
        use poc_provision::Error as E;
        let code = match &error {
            E::Unsupported { .. } => ErrorCode::NotSupported,
            E::ListenAddress { .. }
            | E::InputInside { .. }
            | E::AuthorityUnusable { .. }
            | E::ParticipantExists { .. }
            | E::NoSuchParticipant { .. }
            | E::Indispensable { .. }
            | E::KitInUse { .. }
            | E::DockerName { .. }
            | E::JobsDirectory { .. }
            | E::TransferInUse { .. } => ErrorCode::InvalidArgs,
            E::CertificateUnusable { .. } | E::LineUnknown { .. } => ErrorCode::NotAPoc,
            E::Exists { .. } => ErrorCode::WorkspaceExists,
            E::PreviousInTheWay { .. } => ErrorCode::WorkspaceForeign,
            E::OtherOwner { .. } | E::NotWritable { .. } | E::Io(_) => ErrorCode::Io,
            E::HalfSwapped { .. } | E::Crypto { .. } => ErrorCode::ProvisionFailed,
            E::Cancelled => ErrorCode::Interrupted,
            E::Core(_) => {
                return match error {
                    E::Core(error) => error.into(),
                    error => Self::from_library(ErrorCode::Internal, error),
                };
            }
        };
        Self::from_library(code, error)
    }
}

impl From<poc_gpu::Error> for CliError {
    fn from(error: poc_gpu::Error) -> Self {
        use poc_gpu::Error as E;
        let code = match &error {
            E::NotAvailable { .. } => ErrorCode::GpuNotAvailable,
            E::AmbiguousId { .. }
            | E::Mixed { .. }
            | E::NoneNotAlone { .. }
            | E::UnclearList { .. }
            | E::Incomplete { .. }
            | E::SiteTwice { .. }
            | E::UnknownSite { .. } => ErrorCode::InvalidArgs,
        };
        let hint = error.hint();
        Self::from_error(code, error).hint_if(hint)
    }
}

impl From<poc_launch::Error> for CliError {
    fn from(error: poc_launch::Error) -> Self {
        use poc_launch::Error as E;
        let code = match &error {
            E::RuntimeMissing { .. } | E::RuntimeWithoutFlare { .. } => ErrorCode::RuntimeMissing,
            E::RuntimeBroken { .. } => ErrorCode::RuntimeBroken,
            E::RuntimeUnsupported { .. } | E::RuntimeMismatch { .. } => ErrorCode::RuntimeMismatch,
            E::NoBasePython { .. } | E::VenvMissing { .. } | E::InstallFailed { .. } => {
                ErrorCode::RuntimeInstallFailed
            }
            E::RuntimesBusy { .. } => ErrorCode::WorkspaceBusy,
            E::RuntimeInUse { .. } => ErrorCode::StillRunning,
            E::Version(_) | E::NoSuchRuntime { .. } | E::UnknownParticipant { .. } => {
                ErrorCode::InvalidArgs
            }
            E::KitMissing { .. } => ErrorCode::NotAPoc,
            E::AlreadyRunning { .. } | E::AllRunning { .. } => ErrorCode::AlreadyRunning,
            E::PortInUse { .. } => ErrorCode::PortInUse,
            E::DockerUnavailable { .. } => ErrorCode::DockerUnavailable,
            E::ImageMissing { .. } => ErrorCode::ImageMissing,
            E::DockerRefused { .. } => ErrorCode::DockerFailed,
            E::SpawnUnavailable { .. } => ErrorCode::NotSupported,
            E::KitDamaged { .. }
            | E::StartFailed { .. }
            | E::StopWon { .. }
            | E::SupervisorFailed { .. } => ErrorCode::StartFailed,
            E::SupervisorUnreachable { .. } => ErrorCode::SupervisorUnreachable,
            E::ServerUnreachable { .. } | E::AdminTimeout { .. } | E::AdminHelper { .. } => {
                ErrorCode::ServerUnreachable
            }
            E::AdminRefused { refusal, .. } => refusal_code(*refusal),
            E::Interrupted(_) => ErrorCode::Interrupted,
            E::DiskFull { .. } | E::Io(_) => ErrorCode::Io,
            E::Core(_) => {
                return match error {
                    E::Core(error) => error.into(),
                    error => Self::from_library(ErrorCode::Internal, error),
                };
            }
        };
        let (heading, lines) = excerpt(&error);
        Self::from_library(code, error).excerpt(heading, lines)
    }
}

/// NVFlare's refusals: of a wrong question, or of one at the wrong time.
fn refusal_code(refusal: Refusal) -> ErrorCode {
    match refusal {
        Refusal::NoSuchJob | Refusal::InvalidJob | Refusal::NoSuchClient => ErrorCode::InvalidArgs,
        Refusal::JobRunning | Refusal::ClientsRunning => ErrorCode::StillRunning,
        Refusal::JobNotRunning | Refusal::NoClients | Refusal::Denied | Refusal::Other => {
            ErrorCode::AdminRefused
        }
    }
}

/// The lines that show what happened, where an error of `poc-launch` has some.
fn excerpt(error: &poc_launch::Error) -> (String, Vec<String>) {
    use poc_launch::Error as E;
    match error {
        E::StartFailed { name, tail, .. } => (format!("The last lines of {name}:"), tail.clone()),
        // A single line is in the message already.
        E::RuntimeBroken { tail, .. }
        | E::InstallFailed { tail, .. }
        | E::AdminHelper { tail, .. }
            if tail.len() > 1 =>
        {
            ("What it said last:".to_owned(), tail.clone())
        }
        E::RuntimeMissing { tried, .. } | E::NoBasePython { tried, .. } => {
            ("Looked at:".to_owned(), tried_lines(tried))
        }
        _ => (String::new(), Vec::new()),
    }
}

/// Pythons that are there and will not do; those that are not there say nothing.
fn tried_lines(tried: &[Tried]) -> Vec<String> {
    tried
        .iter()
        .filter(|tried| tried.why != Unfit::Absent)
        .map(ToString::to_string)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use poc_core::{Cancelled, Line};

    fn shown(error: impl Into<CliError>) -> String {
        let error = error.into();
        let text = crate::error::render(&error, true);
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn errors_that_a_new_user_meets() {
        let python = camino::Utf8PathBuf::from("/usr/bin/python3");
        let kit = camino::Utf8PathBuf::from("/tmp/nvflare/poc/example_project/prod_00/site-1");
        let texts = [
            shown(poc_core::Error::NotPrepared {
                workspace: "/tmp/nvflare/poc".into(),
            }),
            shown(poc_launch::Error::RuntimeMissing {
                wanted: Some(Line::V2_9),
                tried: vec![
                    Tried {
                        python: python.clone(),
                        why: Unfit::NoFlare,
                    },
                    Tried {
                        python: "/gone/python3".into(),
                        why: Unfit::Absent,
                    },
                ],
            }),
            shown(poc_launch::Error::RuntimeMismatch {
                kits: Line::V2_9,
                runtime: "2.7.2".parse().unwrap(),
                python,
            }),
            shown(poc_launch::Error::AlreadyRunning {
                name: "site-1".into(),
                pid: 12458,
                kit,
                daemon_pid_file: true,
            }),
            shown(poc_launch::Error::StartFailed {
                name: "site-2".into(),
                status: "exit status 1".into(),
                cause: Some("ImportError: no module named torch".into()),
                tail: vec![
                    "Traceback (most recent call last):".into(),
                    "ImportError: no module named torch".into(),
                ],
            }),
            shown(poc_launch::Error::Core(poc_core::Error::Busy {
                workspace: "/w".into(),
                holder: Some(7),
            })),
            shown(poc_launch::Error::Interrupted(Cancelled)),
            shown(poc_provision::Error::Cancelled),
            shown(poc_provision::Error::Unsupported {
                what: "`listening_host` of the participant `site-1`".into(),
            }),
            shown(poc_provision::Error::Io(io::ErrorKind::StorageFull.into())),
            shown(poc_gpu::Error::NotAvailable {
                id: "7".into(),
                available: vec![poc_gpu::GpuId::Nvidia(0)],
                reason: None,
            }),
        ];
        insta::assert_snapshot!("new_user", texts.join("\n────\n"));
    }
}
