//! The JSON object that `--format json` puts on stdout, exactly one for each run.

use serde::Serialize;
use serde_json::Value;

use crate::error::CliError;

/// Changes when a key changes its meaning or goes; new keys may come at any time.
const SCHEMA_VERSION: &str = "1";

/// The object of a run that did what it was asked.
#[derive(Serialize)]
struct Success<'a, T: Serialize> {
    schema_version: &'static str,
    status: &'static str,
    exit_code: u8,
    data: &'a T,
}

/// The object of a run that did not.
#[derive(Serialize)]
struct Failure<'a> {
    schema_version: &'static str,
    status: &'static str,
    exit_code: u8,
    error_code: &'static str,
    message: String,
    hint: String,
    data: &'a Value,
}

/// The object of a success, on one line.
///
/// # Errors
///
/// For data that JSON cannot hold (a map whose keys are no strings): a bug.
pub(super) fn success<T: Serialize>(data: &T) -> serde_json::Result<String> {
    serde_json::to_string(&Success {
        schema_version: SCHEMA_VERSION,
        status: "ok",
        exit_code: 0,
        data,
    })
}

/// The object of a failure, on one line.
///
/// # Errors
///
/// As [`success`].
pub(super) fn failure(error: &CliError) -> serde_json::Result<String> {
    serde_json::to_string(&Failure {
        schema_version: SCHEMA_VERSION,
        status: "error",
        exit_code: error.code().exit_code(),
        error_code: error.code().as_str(),
        message: error.full_message(),
        hint: error.hints().join("; "),
        data: error.data(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[derive(Serialize)]
    struct Data {
        workspace: &'static str,
        clients: Vec<&'static str>,
    }

    #[test]
    fn a_success() {
        let text = success(&Data {
            workspace: "/tmp/nvflare/poc",
            clients: vec!["site-1"],
        })
        .unwrap();
        insta::assert_snapshot!(text, @r#"{"schema_version":"1","status":"ok","exit_code":0,"data":{"workspace":"/tmp/nvflare/poc","clients":["site-1"]}}"#);
    }

    #[test]
    fn a_failure() {
        let error = CliError::new(ErrorCode::PortInUse, "port 8002 is taken")
            .because(std::io::Error::other("address in use"))
            .hint("stop it")
            .hint("run `poc prepare --ports auto`")
            .with_data(&Data {
                workspace: "/w",
                clients: vec![],
            });
        insta::assert_snapshot!(failure(&error).unwrap(), @r#"{"schema_version":"1","status":"error","exit_code":4,"error_code":"PORT_IN_USE","message":"port 8002 is taken: address in use","hint":"stop it; run `poc prepare --ports auto`","data":{"workspace":"/w","clients":[]}}"#);
    }

    #[test]
    fn a_failure_has_every_key() {
        let error = CliError::new(ErrorCode::Interrupted, "interrupted");
        insta::assert_snapshot!(failure(&error).unwrap(), @r#"{"schema_version":"1","status":"error","exit_code":130,"error_code":"INTERRUPTED","message":"interrupted","hint":"","data":{}}"#);
    }
}
