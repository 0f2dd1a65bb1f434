//! What a directory is, before anything is done to it.

use std::io;
use std::os::unix::fs::MetadataExt;

use camino::Utf8PathBuf;

use super::line::judge_line;
use super::{Kit, Manifest, Workspace};
use crate::error::Error;
use crate::fsio;
use crate::project::{Participant, Project, Role};
use crate::version::Line;

/// What lies at a workspace's path.
#[derive(Debug)]
pub enum Recognised {
    /// Nothing.
    Absent,
    /// An empty directory.
    Empty,
    /// A prepared POC, ours or NVFlare's own.
    Poc(Box<Prepared>),
    /// A POC by what is in it, but damaged: project.yml does not read, or a part is missing. It may
    /// be replaced and removed like one.
    Broken {
        /// What is wrong.
        error: Error,
    },
    /// Something else, which `poc` must leave alone.
    Foreign {
        /// How that was told.
        reason: String,
    },
}

/// A prepared POC.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// Where.
    pub workspace: Workspace,
    /// The project as provisioned.
    pub project: Project,
    /// What `poc prepare` wrote; `None` where NVFlare itself made the workspace.
    pub manifest: Option<Manifest>,
    /// Where the kits lie.
    pub prod_dir: Utf8PathBuf,
    /// The line that the kits are for: the manifest's, else judged by what is in the kits; `None`
    /// where that does not tell.
    pub line: Option<Line>,
}

impl Workspace {
    /// Looks at what is there. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where it cannot be looked at.
    pub fn recognise(&self) -> Result<Recognised, Error> {
        let foreign = |reason: &str| {
            Ok(Recognised::Foreign {
                reason: reason.to_owned(),
            })
        };
        let metadata = match fs_err::metadata(self.root()) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return if self.root().is_symlink() {
                    foreign("it is a symbolic link that leads nowhere")
                } else {
                    Ok(Recognised::Absent)
                };
            }
            Err(error) => return Err(error.into()),
        };
        if !metadata.is_dir() {
            return foreign("it is a file");
        }
        let user = rustix::process::geteuid();
        if metadata.uid() != user.as_raw() && !user.is_root() {
            return foreign("it belongs to another user");
        }
        let names = fsio::entries(self.root())?;
        if names.is_empty() && fs_err::read_dir(self.root())?.next().is_none() {
            return Ok(Recognised::Empty);
        }
        if names.iter().any(|name| name == "project.yml") {
            self.recognise_by_project(&names)
        } else if self.has_kits(&names)
            || matches!(Manifest::load(&self.manifest_file()), Ok(Some(_)))
        {
            let missing = Utf8PathBuf::from("project.yml");
            Ok(Recognised::Broken {
                error: Error::Incomplete {
                    workspace: self.root().to_owned(),
                    missing,
                },
            })
        } else {
            Ok(Recognised::Foreign {
                reason: format!("it holds {}, and no project.yml", listed(&names)),
            })
        }
    }

    fn recognise_by_project(&self, names: &[String]) -> Result<Recognised, Error> {
        let project = match Project::load(&self.project_file()) {
            Ok(loaded) => loaded.project,
            Err(error @ Error::ProjectInvalid { .. }) => {
                return Ok(if self.has_kits(names) {
                    Recognised::Broken { error }
                } else {
                    Recognised::Foreign {
                        reason: format!("there are no startup kits, and {error}"),
                    }
                });
            }
            Err(error) => return Err(error),
        };
        let prod_dir = self.prod_dir(&project.name);
        let prepared = Prepared {
            workspace: self.clone(),
            project,
            manifest: None,
            prod_dir,
            line: None,
        };
        if prepared.kits().is_empty() {
            return Ok(self.without_kits(&prepared, names));
        }
        for kit in [prepared.server_kit(), prepared.project_admin_kit()] {
            if !kit.role_file().is_file() {
                let missing = kit.role_file();
                let missing = missing
                    .strip_prefix(self.root())
                    .unwrap_or(&missing)
                    .to_owned();
                return Ok(Recognised::Broken {
                    error: Error::Incomplete {
                        workspace: self.root().to_owned(),
                        missing,
                    },
                });
            }
        }
        let manifest = match Manifest::load(&self.manifest_file()) {
            Ok(manifest) => manifest,
            Err(error @ Error::Manifest { .. }) => return Ok(Recognised::Broken { error }),
            Err(error) => return Err(error),
        };
        let line = match &manifest {
            Some(manifest) => Some(manifest.line),
            None => judge_line(&prepared.server_kit()),
        };
        let mut project = prepared.project;
        if project.docker_image.is_some() && project.docker_network.is_none() {
            // The project files of NVFlare up to 2.7 have no place for it.
            let known = manifest.as_ref().and_then(|it| it.docker_network.clone());
            project.docker_network = known;
        }
        Ok(Recognised::Poc(Box::new(Prepared {
            project,
            manifest,
            line,
            ..prepared
        })))
    }

    /// A project without kits: what NVFlare leaves where its `prepare` failed, or somebody's own
    /// directory with a project.yml in it.
    fn without_kits(&self, prepared: &Prepared, names: &[String]) -> Recognised {
        let project = prepared.project.name.as_str();
        let known = [
            "project.yml",
            "data",
            ".poc",
            "jobs-storage",
            "snapshot-storage",
            project,
        ];
        let others: Vec<String> = names
            .iter()
            .filter(|name| !known.contains(&name.as_str()))
            .cloned()
            .collect();
        let has_more = others.is_empty() && names.iter().any(|name| name != "project.yml");
        if has_more {
            let missing = prepared
                .prod_dir
                .strip_prefix(self.root())
                .unwrap_or(&prepared.prod_dir)
                .to_owned();
            Recognised::Broken {
                error: Error::Incomplete {
                    workspace: self.root().to_owned(),
                    missing,
                },
            }
        } else if others.is_empty() {
            Recognised::Foreign {
                reason: "there is a project.yml, but nothing that was made from it".to_owned(),
            }
        } else {
            Recognised::Foreign {
                reason: format!("there are no startup kits, but {}", listed(&others)),
            }
        }
    }

    /// Whether there is a startup kit where one would be, whatever the project is called.
    fn has_kits(&self, names: &[String]) -> bool {
        let inside = |directory: Utf8PathBuf| {
            fsio::entries(&directory)
                .unwrap_or_default()
                .into_iter()
                .map(move |name| directory.join(name))
        };
        names
            .iter()
            .flat_map(|name| inside(self.root().join(name)))
            .filter(|path| {
                path.file_name()
                    .is_some_and(|name| name.starts_with("prod_"))
            })
            .flat_map(inside)
            .any(|kit| {
                ROLE_FILES
                    .iter()
                    .any(|file| kit.join("startup").join(file).is_file())
            })
    }

    /// The prepared POC.
    ///
    /// # Errors
    ///
    /// [`Error::NotPrepared`] where there is no project.yml, [`Error::Foreign`] for another directory
    /// with one, what is wrong with a damaged POC, [`Error::Io`].
    pub fn load(&self) -> Result<Prepared, Error> {
        let workspace = self.root().to_owned();
        match self.recognise()? {
            Recognised::Poc(prepared) => Ok(*prepared),
            Recognised::Broken { error } => Err(error),
            Recognised::Foreign { reason } if self.project_file().exists() => {
                Err(Error::Foreign { workspace, reason })
            }
            Recognised::Absent | Recognised::Empty | Recognised::Foreign { .. } => {
                Err(Error::NotPrepared { workspace })
            }
        }
    }
}

pub(super) const ROLE_FILES: [&str; 4] = [
    "fed_server.json",
    "fed_client.json",
    "fed_admin.json",
    "fed_relay.json",
];

/// The first few names.
fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(3)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.len() {
        0 => "files whose names are not UTF-8".to_owned(),
        1..=3 => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), more - 3),
    }
}

impl Prepared {
    /// Every kit that exists, in the project's order.
    pub fn kits(&self) -> Vec<Kit> {
        let mut kits = self.all_kits();
        kits.retain(|kit| kit.dir.is_dir());
        kits
    }

    /// Where the kits of all participants are, or should be.
    pub fn all_kits(&self) -> Vec<Kit> {
        let participants = self.project.participants().iter();
        participants.map(|it| self.kit_of(it)).collect()
    }

    /// The kit of that participant, where it exists.
    pub fn kit(&self, name: &str) -> Option<Kit> {
        self.project
            .find(name)
            .map(|participant| self.kit_of(participant))
            .filter(|kit| kit.dir.is_dir())
    }

    /// The server's kit.
    pub fn server_kit(&self) -> Kit {
        self.kit_of(self.project.server())
    }

    /// The project admin's kit.
    pub fn project_admin_kit(&self) -> Kit {
        self.kit_of(self.project.project_admin())
    }

    /// The sites' kits, in the project's order.
    pub fn client_kits(&self) -> Vec<Kit> {
        self.kits_of(Role::Client)
    }

    /// The admins' kits, in the project's order.
    pub fn admin_kits(&self) -> Vec<Kit> {
        self.kits_of(Role::Admin)
    }

    fn kits_of(&self, role: Role) -> Vec<Kit> {
        self.kits()
            .into_iter()
            .filter(|kit| kit.role == role)
            .collect()
    }

    fn kit_of(&self, participant: &Participant) -> Kit {
        Kit {
            name: participant.name.clone(),
            role: participant.role(),
            org: participant.org.clone(),
            dir: self.prod_dir.join(&participant.name),
        }
    }
}

#[cfg(test)]
#[path = "recognise_tests.rs"]
mod tests;
