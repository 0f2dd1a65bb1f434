//! The containers and the network of one POC.

use std::time::{Duration, Instant};

use poc_core::docker::{JOB, NETWORK_LABEL, PART_LABEL, PARTICIPANT_LABEL};
use serde::{Deserialize, Serialize};

use super::Docker;
use super::command::SHORT;
use crate::Error;

/// Ending a container and removing its layer can take the daemon a while on a busy disk.
const REMOVAL: Duration = Duration::from_secs(30);

/// All containers of one POC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Containers {
    /// Docker.
    pub docker: Docker,
    /// The image that participants run in.
    pub image: String,
    /// The name that containers and network have in common.
    pub network: String,
    /// Whether there is a network of that name, or the containers have this machine's.
    pub has_network: bool,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its ID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `running`, `exited`, `created`, …
    pub state: String,
    /// The participant that it belongs to.
    pub participant: String,
    /// Whether it runs a job.
    pub is_job: bool,
}

impl Containers {
    /// Sees that the image is there, and makes the network.
    ///
    /// # Errors
    ///
    /// [`Error::ImageMissing`], [`Error::DockerUnavailable`], [`Error::DockerRefused`].
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        self.docker.require_image(&self.image)?;
        if self.has_network && !self.network_exists()? {
            let label = format!("{NETWORK_LABEL}={}", self.network);
            self.docker.ask(
                "making the network of the POC",
                ["network", "create", "--label", &label, &self.network],
            )?;
        }
        Ok(())
    }

    fn network_exists(&self) -> Result<bool, Error> {
        let format = "{{.Name}}";
        let networks = self.docker.ask(
            "looking for the network of the POC",
            ["network", "ls", "--format", format],
        )?;
        Ok(networks.lines().any(|name| name == self.network))
    }

    /// The POC's containers, running or not; of one participant, where it is named.
    ///
    /// # Errors
    ///
    /// [`Error::DockerUnavailable`], [`Error::DockerRefused`].
    pub fn list(&self, participant: Option<&str>) -> Result<Vec<Container>, Error> {
        let format = format!(
            "{{{{.ID}}}}\t{{{{.Names}}}}\t{{{{.State}}}}\t{{{{.Label \"{PARTICIPANT_LABEL}\"}}}}\t{{{{.Label \"{PART_LABEL}\"}}}}"
        );
        let mut arguments = vec![
            "ps".to_owned(),
            "--all".to_owned(),
            "--no-trunc".to_owned(),
            "--format".to_owned(),
            format,
            "--filter".to_owned(),
            format!("label={NETWORK_LABEL}={}", self.network),
        ];
        if let Some(participant) = participant {
            arguments.push("--filter".to_owned());
            arguments.push(format!("label={PARTICIPANT_LABEL}={participant}"));
        }
        let listed = self.docker.ask("looking for containers", arguments)?;
        Ok(listed.lines().filter_map(container).collect())
    }

    /// Whether a job runs in one of them.
    pub(crate) fn jobs_run(&self) -> Result<bool, Error> {
        let containers = self.list(None)?;
        Ok(containers
            .iter()
            .any(|container| container.is_job && container.state == "running"))
    }

    /// Ends and removes the POC's containers, or one participant's, and returns what is left then.
    ///
    /// # Errors
    ///
    /// [`Error::DockerUnavailable`], [`Error::DockerRefused`].
    pub(crate) fn remove(&self, participant: Option<&str>) -> Result<Vec<Container>, Error> {
        let deadline = Instant::now() + SHORT;
        loop {
            let containers = self.list(participant)?;
            if containers.is_empty() || Instant::now() >= deadline {
                return Ok(containers);
            }
            let ids = containers.into_iter().map(|container| container.id);
            let command = ["rm", "--force", "--volumes"].map(str::to_owned);
            // One that somebody else is just removing is refused, and gone at the next look.
            self.docker.run(command.into_iter().chain(ids), REMOVAL)?;
        }
    }

    /// Removes the network where it is this POC's own.
    ///
    /// # Errors
    ///
    /// [`Error::DockerRefused`], where a container of somebody else's is attached to it say.
    pub(crate) fn remove_network(&self) -> Result<(), Error> {
        if !self.has_network {
            return Ok(());
        }
        let own = self.docker.ask(
            "looking for the network of the POC",
            [
                "network".to_owned(),
                "ls".to_owned(),
                "--format".to_owned(),
                "{{.Name}}".to_owned(),
                "--filter".to_owned(),
                format!("label={NETWORK_LABEL}={}", self.network),
            ],
        )?;
        if own.lines().any(|name| name == self.network) {
            self.docker.ask(
                "removing the network of the POC",
                ["network", "rm", &self.network],
            )?;
        }
        Ok(())
    }
}

fn container(line: &str) -> Option<Container> {
    let [id, name, state, participant, part] = line.split('\t').collect::<Vec<_>>()[..] else {
        return None;
    };
    Some(Container {
        id: id.to_owned(),
        name: name.to_owned(),
        state: state.to_owned(),
        participant: participant.to_owned(),
        is_job: part == JOB,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_docker_ps() {
        let job = container("0a1b\tsite-1-2f\trunning\tsite-1\tjob").unwrap();
        assert!(job.is_job && job.participant == "site-1");
        let stopped = container("0a1b\tpoc-1-server\texited\tserver\tparticipant").unwrap();
        assert_eq!((stopped.is_job, stopped.state.as_str()), (false, "exited"));
        assert_eq!(container(""), None);
    }
}
