//! Participants in containers: what is different in their kits.
//!
//! A finished kit is adapted, as NVFlare's own `poc prepare -d` does it. Up to NVFlare 2.7 that is one
//! script more: participant and jobs share a container. From 2.8 on a job gets a container of its own,
//! which the participant's container starts through the Docker socket; so the launcher of jobs is
//! another, and what it needs to know stands in `local/`.

mod script;
mod settings;

use poc_core::docker;
use poc_core::project::{Kind, Participant, Project};

use crate::Error;
use crate::kit::{Federation, File};

/// How the kits of a line run in containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Up to 2.7: jobs run in the participant's container, which has the host's network.
    OneContainer,
    /// From 2.8 on: jobs run in containers of their own.
    JobContainers {
        /// How a participant and its jobs' containers talk.
        internal_security: &'static str,
        /// The file that tells a site's data.
        study_file: StudyFile,
    },
}

/// The file in `local/` that says what jobs in containers get to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StudyFile {
    /// `study_data.yaml`, of 2.8.
    Data,
    /// `study_runtime.yaml`, of 2.9: it can name an image as well.
    Runtime,
}

/// The containers of a project.
#[derive(Clone, Debug)]
pub(crate) struct Containers {
    /// The image that participants run in, and jobs that name no other.
    pub(crate) image: String,
    /// The name of their network, with which their own names begin.
    pub(crate) network: String,
}

impl Containers {
    /// `None` for a project whose participants are plain processes.
    pub(crate) fn of(project: &Project) -> Result<Option<Self>, Error> {
        let Some(image) = project.docker_image.clone() else {
            return Ok(None);
        };
        let is_relay = |it: &&Participant| matches!(it.kind, Kind::Relay(_));
        if let Some(relay) = project.participants().iter().find(is_relay) {
            let what = format!("the relay `{}` of a POC in containers", relay.name);
            return Err(Error::Unsupported { what });
        }
        let network = match project.docker_network.clone() {
            Some(network) => network,
            None => docker::new_network()?,
        };
        Ok(Some(Self {
            image: checked("an image", image, "/:@")?,
            network: checked("a network", network, "")?,
        }))
    }

    /// The kit of a participant, for its container. Admins stay outside.
    pub(crate) fn adapt(
        &self,
        federation: &Federation<'_>,
        participant: &Participant,
        mut files: Vec<File>,
    ) -> Result<Vec<File>, Error> {
        if !matches!(participant.kind, Kind::Server(_) | Kind::Client(_)) {
            return Ok(files);
        }
        match federation.profile.containers {
            Form::OneContainer => {
                settings::one_container(&mut files)?;
                files.push(script::one_container(self, participant));
            }
            Form::JobContainers {
                internal_security,
                study_file,
            } => {
                // They would start it outside of a container.
                files.retain(|file| {
                    !["start.sh", "sub_start.sh", "stop_fl.sh"]
                        .iter()
                        .any(|name| file.path == format!("startup/{name}"))
                });
                settings::job_containers(self, federation, participant, &mut files)?;
                files.push(settings::internal(internal_security)?);
                files.push(settings::study(self, federation, study_file));
                files.extend(script::job_containers(self, federation, participant));
            }
        }
        Ok(files)
    }
}

/// Letters, digits and `_.-`, beginning with a letter or digit: it becomes a word of docker's command
/// line and of scripts, where nobody is to take it for something else.
fn checked(what: &'static str, name: String, more: &str) -> Result<String, Error> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    let begins_well = name.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    if begins_well && name.chars().all(|it| allowed(it) || more.contains(it)) {
        Ok(name)
    } else {
        Err(Error::DockerName { what, name })
    }
}
