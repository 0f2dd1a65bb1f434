//! Is there an engine, what is it like, and does it have the image?

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::env::{self, Env};
use serde::Deserialize;

use super::command::SHORT;
use super::{DOCKER_HOST, Docker};
use crate::Error;

/// Where the daemon listens unless something says otherwise.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// What of the engine matters for a container's command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Engine {
    /// The daemon runs as an ordinary user, who is root in the containers.
    pub(crate) rootless: bool,
    /// Users of containers are other users on this machine, unless a container asks for it.
    pub(crate) remapped: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Info {
    server_version: String,
    security_options: Vec<String>,
    server_errors: Vec<String>,
}

impl Docker {
    /// The `docker` of PATH, and the daemon that it would speak to. Does not ask the daemon anything.
    ///
    /// # Errors
    ///
    /// [`Error::DockerUnavailable`] where there is no such command, or where the daemon is on another
    /// machine, which does not have the kits.
    pub fn find(env: &Env) -> Result<Self, Error> {
        let unavailable = |reason: &str| Error::DockerUnavailable {
            reason: reason.to_owned(),
        };
        let path = env.get(env::PATH.name).unwrap_or_default();
        let program = which::which_in("docker", Some(path), "/")
            .ok()
            .and_then(|path| Utf8PathBuf::from_path_buf(path).ok())
            .ok_or_else(|| unavailable("there is no `docker` command on PATH"))?;
        let guess = Self {
            program,
            socket: DEFAULT_SOCKET.into(),
        };
        let host = match env.text(DOCKER_HOST).filter(|host| !host.trim().is_empty()) {
            Some(host) => host.trim().to_owned(),
            None => guess.context().unwrap_or_else(|| guess.host()),
        };
        let Some(socket) = host.strip_prefix("unix://") else {
            let reason = format!(
                "the Docker daemon is on another machine ({host}), which does not have the startup kits"
            );
            return Err(Error::DockerUnavailable { reason });
        };
        let socket = Utf8Path::new(socket);
        Ok(Self {
            socket: socket
                .canonicalize_utf8()
                .unwrap_or_else(|_| socket.to_owned()),
            ..guess
        })
    }

    /// The daemon of docker's own current context.
    fn context(&self) -> Option<String> {
        let format = "{{.Endpoints.docker.Host}}";
        let call = duct::cmd!(
            self.program.as_std_path(),
            "context",
            "inspect",
            "--format",
            format
        )
        .env_remove(DOCKER_HOST);
        let output = self.finish(&call, SHORT).ok()?;
        let host = output.stdout.trim();
        (output.success && !host.is_empty()).then(|| host.to_owned())
    }

    /// Asks the daemon what it is like.
    ///
    /// # Errors
    ///
    /// [`Error::DockerUnavailable`], with the daemon's or the command's words.
    pub(crate) fn engine(&self) -> Result<Engine, Error> {
        let output = self.run(["info", "--format", "{{json .}}"], SHORT)?;
        let info: Info = serde_json::from_str(output.stdout.trim()).unwrap_or_default();
        if let Some(error) = info.server_errors.first() {
            let reason = error.clone();
            return Err(Error::DockerUnavailable { reason });
        }
        if !output.success || info.server_version.is_empty() {
            let reason = output.words();
            return Err(Error::DockerUnavailable { reason });
        }
        let has = |name: &str| {
            let options = info.security_options.iter();
            options
                .flat_map(|option| option.split(','))
                .any(|option| option == name)
        };
        Ok(Engine {
            rootless: has("name=rootless"),
            remapped: has("name=userns"),
        })
    }

    /// Makes sure that the engine has the image. It is not pulled: that can take long and cost much,
    /// and is the user's to decide.
    ///
    /// # Errors
    ///
    /// [`Error::ImageMissing`], [`Error::DockerUnavailable`].
    pub(crate) fn require_image(&self, image: &str) -> Result<(), Error> {
        let output = self.run(["image", "inspect", "--format", "{{.Id}}", image], SHORT)?;
        if output.success {
            return Ok(());
        }
        let words = output.words();
        if words.to_lowercase().contains("no such image") {
            let image = image.to_owned();
            return Err(Error::ImageMissing { image });
        }
        Err(Error::DockerRefused {
            action: "looking for the image",
            message: words,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_command_that_is_said() {
        let nothing = Env::from_pairs([("PATH", "/no/such/directory")]);
        let error = Docker::find(&nothing).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Docker cannot be used: there is no `docker` command on PATH"
        );
    }

    #[test]
    fn another_machines_daemon_does_not_have_the_kits() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let docker = dir.join("docker");
        fs_err::write(&docker, "").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(&docker, mode).unwrap();
        let find = |host: &str| {
            let pairs = [(DOCKER_HOST, host), ("PATH", dir.as_str())];
            Docker::find(&Env::from_pairs(pairs))
        };
        for host in ["tcp://10.0.0.7:2376", "ssh://mia@gpu-box"] {
            let error = find(host).unwrap_err();
            assert!(error.to_string().contains(host), "{error}");
        }
        let found = find(" unix:///run/user/7/podman/podman.sock ").unwrap();
        assert_eq!(found.socket, "/run/user/7/podman/podman.sock");
        assert_eq!(found.program, docker);
    }
}
