//! One call of the `docker` command.

use std::io;
use std::time::Duration;

use super::{DOCKER_HOST, Docker};
use crate::Error;

/// For what a healthy daemon does in a tenth of a second.
pub(super) const SHORT: Duration = Duration::from_secs(10);

/// What a call printed.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) success: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Output {
    /// The words of an error: what the command says, without what it says about itself.
    pub(super) fn words(&self) -> String {
        let lines = self.stderr.lines().map(str::trim);
        let mut said: Vec<&str> = lines
            .filter(|line| !line.is_empty())
            .filter(|line| !line.starts_with("See 'docker") && !line.starts_with("Run 'docker"))
            .collect();
        said.dedup();
        let said = said.join(" ");
        // `docker: Error response from daemon: …`
        let said = said.strip_prefix("docker: ").unwrap_or(&said);
        let said = said
            .strip_prefix("Error response from daemon: ")
            .unwrap_or(said);
        if said.is_empty() {
            "it gave no reason".to_owned()
        } else {
            said.to_owned()
        }
    }
}

impl Docker {
    /// Runs `docker ARGUMENT…` to its end.
    pub(super) fn run<I>(&self, arguments: I, limit: Duration) -> Result<Output, Error>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let arguments: Vec<String> = arguments.into_iter().map(Into::into).collect();
        let call = duct::cmd(self.program.as_std_path(), &arguments).env(DOCKER_HOST, self.host());
        self.finish(&call, limit)
    }

    /// Runs a call that was put together elsewhere.
    pub(super) fn finish(&self, call: &duct::Expression, limit: Duration) -> Result<Output, Error> {
        let unavailable = |reason: String| Error::DockerUnavailable { reason };
        let handle = call
            .stdin_null()
            .stdout_capture()
            .stderr_capture()
            .unchecked()
            .before_spawn(|command| {
                // Ctrl-C at the caller's terminal is not for it.
                std::os::unix::process::CommandExt::process_group(command, 0);
                Ok(())
            })
            .start()
            .map_err(|error| unavailable(format!("{} cannot be run: {error}", self.program)))?;
        let Some(output) = handle.wait_timeout(limit)? else {
            handle.kill()?;
            return Err(unavailable(format!(
                "the Docker daemon at {} did not answer within {} s",
                self.socket,
                limit.as_secs()
            )));
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let output = Output {
            success: output.status.success(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        let words = output.stderr.to_lowercase();
        let unreachable = [
            "cannot connect to the docker daemon",
            "permission denied while trying",
        ];
        if !output.success && unreachable.iter().any(|it| words.contains(it)) {
            return Err(unavailable(output.words()));
        }
        Ok(output)
    }

    /// The same for a call that is to succeed.
    pub(super) fn ask<I>(&self, action: &'static str, arguments: I) -> Result<String, Error>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let output = self.run(arguments, SHORT)?;
        if output.success {
            Ok(output.stdout)
        } else {
            Err(Error::DockerRefused {
                action,
                message: output.words(),
            })
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            other => Self::other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_daemon_says_is_told_and_nothing_else() {
        let output = |stderr: &str| Output {
            success: false,
            stdout: String::new(),
            stderr: stderr.to_owned(),
        };
        for (said, told) in [
            (
                "docker: Error response from daemon: Conflict. The name is in use.\n\nRun 'docker run --help' for more information\n",
                "Conflict. The name is in use.",
            ),
            ("Error: No such object: x\n", "Error: No such object: x"),
            ("", "it gave no reason"),
        ] {
            assert_eq!(output(said).words(), told);
        }
    }
}
