use std::{
    fs::File,
    process::{Command, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{Build, PocTest, runtime};

/// The real Docker engine, and an image with the real NVFlare that is made on this machine: there may
/// be no registry to fetch one from.
#[derive(Clone, Debug)]
pub struct DockerEngine {
    image: String,
}

impl DockerEngine {
    /// The engine with its image, or why there is none. The image is made by the first caller, from
    /// Debian's packages and the index that pip is configured for, and kept in the engine.
    ///
    /// # Errors
    ///
    /// A reason to skip a test.
    ///
    /// # Panics
    ///
    /// When everything for the image is there and it cannot be made.
    pub fn find(build: &Build) -> Result<Self, String> {
        let answer = Command::new("docker")
            .args(["version", "--format", "{{.Server.Version}}"])
            .output()
            .map_err(|error| format!("there is no docker command: {error}"))?;
        if !answer.status.success() {
            let words = String::from_utf8_lossy(&answer.stderr);
            return Err(format!("no Docker daemon answers: {}", words.trim()));
        }
        let python = runtime(build);
        let minor = said(
            Command::new(&python).args(["-c", "import sys; print(sys.version_info.minor, end='')"]),
        );
        let image = format!("poc-test-nvflare:2.9.0-python3.{minor}");
        let engine = Self { image };
        // One maker on this machine, whatever directory it builds in.
        let lock = File::create(std::env::temp_dir().join("poc-test-image.lock")).unwrap();
        lock.lock().unwrap();
        if !engine.has_image() {
            engine.make(build, &python, &minor)?;
        }
        Ok(engine)
    }

    /// The image, with NVFlare 2.9.0 and the Python module `docker`.
    pub fn image(&self) -> &str {
        &self.image
    }

    fn has_image(&self) -> bool {
        docker(["image", "inspect", &self.image]).is_ok()
    }

    fn make(&self, build: &Build, python: &Utf8Path, minor: &str) -> Result<(), String> {
        // The release of Debian with that Python: what pip installs for the one runs on the other.
        let suite = match minor {
            "11" => "bookworm",
            "13" => "trixie",
            _ => {
                return Err(format!(
                    "no Debian has Python 3.{minor}, which the tests run with"
                ));
            }
        };
        if !rustix::process::geteuid().is_root() {
            return Err("making the image takes root".to_owned());
        }
        if Command::new("debootstrap")
            .arg("--version")
            .output()
            .is_err()
        {
            return Err("making the image takes debootstrap".to_owned());
        }
        let directory = tempfile::Builder::new()
            .prefix("image-")
            .tempdir_in(build.tmp())
            .unwrap();
        let root = Utf8PathBuf::try_from(directory.path().join("root")).unwrap();
        said(
            Command::new("debootstrap")
                .args([
                    "--variant=minbase",
                    "--include=python3,ca-certificates",
                    suite,
                ])
                .arg(&root),
        );
        let packages = root.join(format!("usr/local/lib/python3.{minor}/dist-packages"));
        said(
            Command::new(python)
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--no-compile",
                    "--target",
                ])
                .arg(&packages)
                .args(["nvflare==2.9.0", "docker"]),
        );
        let mut tar = Command::new("tar")
            .args([
                "--create",
                "--exclude=./dev/*",
                "--exclude=./var/cache/apt/*",
            ])
            .args(["--directory", root.as_str(), "."])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = tar.stdout.take().unwrap();
        said(
            Command::new("docker")
                .args(["import", "-", &self.image])
                .stdin(stdin),
        );
        assert!(tar.wait().unwrap().success());
        Ok(())
    }
}

/// What a program that must succeed prints.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

fn docker<const N: usize>(arguments: [&str; N]) -> Result<Vec<String>, String> {
    let output = Command::new("docker").args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout).lines().map(str::to_owned).collect())
    } else {
        Err(text(&output.stderr))
    }
}

/// What a world's POC has in the engine. When it goes, that is removed, **and the test fails** where
/// there was anything.
#[derive(Debug)]
pub struct InDocker {
    network: String,
}

impl InDocker {
    /// Looks for what the prepared POC of `world` may leave.
    pub fn of(world: &PocTest) -> Self {
        let project = fs_err::read_to_string(world.workspace().join("project.yml")).unwrap();
        let name = project
            .lines()
            .find_map(|line| line.trim().strip_prefix("network: "))
            .unwrap_or_else(|| panic!("no network in {project}"));
        Self {
            network: name.trim_matches('"').to_owned(),
        }
    }

    /// The names of its containers, sorted: those that run, or all.
    pub fn containers(&self, all: bool) -> Vec<String> {
        let label = format!("label=poc.network={}", self.network);
        let state = if all { "--all" } else { "--no-trunc" };
        let format = "{{.Names}}";
        let mut names = docker(["ps", state, "--filter", &label, "--format", format]).unwrap();
        names.sort();
        names
    }

    /// The name of a participant's container.
    pub fn container(&self, participant: &str) -> String {
        format!("{}-{participant}", self.network)
    }

    /// A value of `docker inspect`, by a template.
    pub fn inspect(&self, participant: &str, format: &str) -> String {
        let container = self.container(participant);
        docker(["inspect", "--format", format, &container])
            .unwrap()
            .join("\n")
    }

    fn networks(&self) -> Vec<String> {
        let mut networks = docker(["network", "ls", "--format", "{{.Name}}"]).unwrap();
        networks.retain(|name| *name == self.network);
        networks
    }

    /// Fails unless there is neither a container nor the network.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        assert_eq!(self.containers(true), [""; 0]);
        assert_eq!(self.networks(), [""; 0]);
    }
}

impl Drop for InDocker {
    fn drop(&mut self) {
        let left = [self.containers(true), self.networks()].concat();
        for container in self.containers(true) {
            let _ = docker(["rm", "--force", &container]);
        }
        let _ = docker(["network", "rm", &self.network]);
        if !std::thread::panicking() {
            assert!(left.is_empty(), "left in the engine: {left:?}");
        }
    }
}
