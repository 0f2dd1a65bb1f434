//! Error codes and exit codes: what scripts may rely on.

pub(crate) const DONE: u8 = 0;
pub(crate) const FAILED: u8 = 1;
pub(crate) const UNREACHED: u8 = 2;
pub(crate) const WRONG: u8 = 4;
pub(crate) const BUG: u8 = 5;
pub(crate) const INTERRUPTED: u8 = 130;

/// What the exit codes mean, as the manual lists them.
pub(crate) const EXIT_CODES: [(u8, &str); 6] = [
    (DONE, "Done."),
    (FAILED, "It ran, and failed."),
    (
        UNREACHED,
        "The system could not be reached, or was not ready in time.",
    ),
    (
        WRONG,
        "Wrong arguments, or a state in which this cannot be done.",
    ),
    (BUG, "A bug in poc."),
    (INTERRUPTED, "Interrupted."),
];

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $exit:ident;)+) => {
        /// The error codes of the JSON object. A code never changes its meaning or its exit code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum ErrorCode {
            $($(#[doc = $doc])+ $name,)+
        }

        impl ErrorCode {
            /// All codes with what they mean, as the manual lists them.
            pub(crate) const ALL: &[(Self, &str)] = &[$((Self::$name, concat!($($doc),+)),)+];

            /// The code as programs see it.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The exit code of a run that ends with it.
            pub(crate) const fn exit_code(self) -> u8 {
                match self { $(Self::$name => $exit,)+ }
            }
        }
    };
}

codes! {
    /// The command line says something that cannot be.
    InvalidArgs = "INVALID_ARGS", WRONG;
    /// config.conf does not parse.
    ConfigInvalid = "CONFIG_INVALID", WRONG;
    /// A project.yml is not valid.
    ProjectInvalid = "PROJECT_INVALID", WRONG;
    /// There is no prepared POC in the workspace.
    NotPrepared = "NOT_PREPARED", WRONG;
    /// The workspace is no POC, or a damaged one.
    NotAPoc = "NOT_A_POC", WRONG;
    /// There is a POC in the workspace already.
    WorkspaceExists = "WORKSPACE_EXISTS", WRONG;
    /// The directory holds something else than a POC, and is left alone.
    WorkspaceForeign = "WORKSPACE_FOREIGN", WRONG;
    /// Another `poc` is at work on the workspace.
    WorkspaceBusy = "WORKSPACE_BUSY", WRONG;
    /// What is to be started runs already.
    AlreadyRunning = "ALREADY_RUNNING", WRONG;
    /// What is to be removed or replaced still runs.
    StillRunning = "STILL_RUNNING", WRONG;
    /// A port that the server needs is taken.
    PortInUse = "PORT_IN_USE", WRONG;
    /// No Python with NVFlare was found.
    RuntimeMissing = "RUNTIME_MISSING", WRONG;
    /// The Python that was found does not work.
    RuntimeBroken = "RUNTIME_BROKEN", WRONG;
    /// The Python has another NVFlare than the startup kits were made for.
    RuntimeMismatch = "RUNTIME_MISMATCH", WRONG;
    /// A managed runtime could not be installed.
    RuntimeInstallFailed = "RUNTIME_INSTALL_FAILED", FAILED;
    /// A GPU was asked for that is not there.
    GpuNotAvailable = "GPU_NOT_AVAILABLE", WRONG;
    /// Docker is not there or does not answer.
    DockerUnavailable = "DOCKER_UNAVAILABLE", UNREACHED;
    /// Docker does not have the image.
    ImageMissing = "IMAGE_MISSING", WRONG;
    /// The Docker daemon refused something.
    DockerFailed = "DOCKER_FAILED", FAILED;
    /// This version of `poc` cannot do that yet.
    NotSupported = "NOT_SUPPORTED", WRONG;
    /// A participant ended while it was starting.
    StartFailed = "START_FAILED", FAILED;
    /// Not every site had registered in time.
    StartTimeout = "START_TIMEOUT", UNREACHED;
    /// Something still runs after the stop.
    StopIncomplete = "STOP_INCOMPLETE", FAILED;
    /// The server could not be reached.
    ServerUnreachable = "SERVER_UNREACHABLE", UNREACHED;
    /// The POC's supervisor could not be reached.
    SupervisorUnreachable = "SUPERVISOR_UNREACHABLE", UNREACHED;
    /// The server refused what was asked of it.
    AdminRefused = "ADMIN_REFUSED", FAILED;
    /// A job ended otherwise than completed.
    JobFailed = "JOB_FAILED", FAILED;
    /// The startup kits could not be made.
    ProvisionFailed = "PROVISION_FAILED", FAILED;
    /// `poc doctor` found what has to be put right first.
    ProblemsFound = "PROBLEMS_FOUND", FAILED;
    /// The operating system said no.
    Io = "IO_ERROR", FAILED;
    /// Ctrl-C or a signal.
    Interrupted = "INTERRUPTED", INTERRUPTED;
    /// A bug in `poc`.
    Internal = "INTERNAL_ERROR", BUG;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract() {
        let lines = ErrorCode::ALL.iter().map(|(code, doc)| {
            format!(
                "{:>3} {:<24}{}",
                code.exit_code(),
                code.as_str(),
                doc.trim()
            )
        });
        let table = lines.collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(table, @r"
          4 INVALID_ARGS            The command line says something that cannot be.
          4 CONFIG_INVALID          config.conf does not parse.
          4 PROJECT_INVALID         A project.yml is not valid.
          4 NOT_PREPARED            There is no prepared POC in the workspace.
          4 NOT_A_POC               The workspace is no POC, or a damaged one.
          4 WORKSPACE_EXISTS        There is a POC in the workspace already.
          4 WORKSPACE_FOREIGN       The directory holds something else than a POC, and is left alone.
          4 WORKSPACE_BUSY          Another `poc` is at work on the workspace.
          4 ALREADY_RUNNING         What is to be started runs already.
          4 STILL_RUNNING           What is to be removed or replaced still runs.
          4 PORT_IN_USE             A port that the server needs is taken.
          4 RUNTIME_MISSING         No Python with NVFlare was found.
          4 RUNTIME_BROKEN          The Python that was found does not work.
          4 RUNTIME_MISMATCH        The Python has another NVFlare than the startup kits were made for.
          1 RUNTIME_INSTALL_FAILED  A managed runtime could not be installed.
          4 GPU_NOT_AVAILABLE       A GPU was asked for that is not there.
          2 DOCKER_UNAVAILABLE      Docker is not there or does not answer.
          4 IMAGE_MISSING           Docker does not have the image.
          1 DOCKER_FAILED           The Docker daemon refused something.
          4 NOT_SUPPORTED           This version of `poc` cannot do that yet.
          1 START_FAILED            A participant ended while it was starting.
          2 START_TIMEOUT           Not every site had registered in time.
          1 STOP_INCOMPLETE         Something still runs after the stop.
          2 SERVER_UNREACHABLE      The server could not be reached.
          2 SUPERVISOR_UNREACHABLE  The POC's supervisor could not be reached.
          1 ADMIN_REFUSED           The server refused what was asked of it.
          1 JOB_FAILED              A job ended otherwise than completed.
          1 PROVISION_FAILED        The startup kits could not be made.
          1 PROBLEMS_FOUND          `poc doctor` found what has to be put right first.
          1 IO_ERROR                The operating system said no.
        130 INTERRUPTED             Ctrl-C or a signal.
          5 INTERNAL_ERROR          A bug in `poc`.
        ");
        for (code, _) in ErrorCode::ALL {
            assert!(
                EXIT_CODES
                    .iter()
                    .any(|(exit_code, _)| *exit_code == code.exit_code()),
                "{code:?}"
            );
        }
        let mut names: Vec<_> = ErrorCode::ALL
            .iter()
            .map(|(code, _)| code.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }
}
