//! Which code each error of each library gets.

use super::{CliError, ErrorCode};

impl From<poc_core::Error> for CliError {
    fn from(error: poc_core::Error) -> Self {
        let code = core_code(&error);
        Self::from_library(code, error)
    }
}

fn core_code(error: &poc_core::Error) -> ErrorCode {
    use poc_core::Error as E;
    match error {
        E::NoHome | E::NotUtf8 { .. } => ErrorCode::InvalidArgs,
        E::ConfigSyntax { .. } | E::ConfigValue { .. } => ErrorCode::ConfigInvalid,
        E::ProjectInvalid { .. } => ErrorCode::ProjectInvalid,
        E::ProjectImpossible { .. } => ErrorCode::InvalidArgs,
        E::NotPrepared { .. } => ErrorCode::NotPrepared,
        E::Foreign { .. } => ErrorCode::WorkspaceForeign,
        E::Incomplete { .. } | E::Manifest { .. } => ErrorCode::NotAPoc,
        E::Busy { .. } => ErrorCode::WorkspaceBusy,
        E::Io(_) => ErrorCode::Io,
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
