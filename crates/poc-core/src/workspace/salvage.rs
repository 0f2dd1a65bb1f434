//! A damaged POC, as far as it must be known to look at it and to end it.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::line::judge_line;
use super::recognise::ROLE_FILES;
use super::{Manifest, Prepared, Recognised, Workspace};
use crate::error::Error;
use crate::fsio;
use crate::project::{Project, Role};

/// What is left of a POC.
#[derive(Debug)]
pub struct Salvaged {
    /// The POC. Where it is damaged, its participants are known by their kits and by the plan of its
    /// last start, and other properties may be missing or made up: look at it and stop it, but start
    /// nothing and change nothing by it.
    pub prepared: Prepared,
    /// What is wrong with it; `None` where it is whole.
    pub damage: Option<Error>,
}

/// What the launch plan says that matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Plan {
    project: Option<String>,
    admin: Option<Admin>,
    participants: Vec<Planned>,
}

#[derive(Debug, Deserialize)]
struct Admin {
    user: String,
}

#[derive(Debug, Deserialize)]
struct Planned {
    name: String,
    role: Role,
}

impl Workspace {
    /// The prepared POC, or what is left of a damaged one.
    ///
    /// # Errors
    ///
    /// As [`Workspace::load`], but for a damaged POC only where neither a kit nor a plan is left.
    pub fn salvage(&self) -> Result<Salvaged, Error> {
        let damage = match self.recognise()? {
            Recognised::Poc(prepared) => {
                return Ok(Salvaged {
                    prepared: *prepared,
                    damage: None,
                });
            }
            Recognised::Broken { error } => error,
            Recognised::Absent | Recognised::Empty | Recognised::Foreign { .. } => {
                return self.load().map(|prepared| Salvaged {
                    prepared,
                    damage: None,
                });
            }
        };
        let project = match Project::load(&self.project_file()) {
            Ok(loaded) => Some(loaded.project),
            Err(_) => self.project_of_kits(),
        };
        let Some(mut project) = project else {
            return Err(damage);
        };
        let manifest = Manifest::load(&self.manifest_file()).ok().flatten();
        if let Some(manifest) = &manifest {
            // Whether its participants are containers decides how they are found and ended.
            let Project {
                docker_image,
                docker_network,
                ..
            } = &mut project;
            *docker_image = docker_image.take().or(manifest.docker_image.clone());
            *docker_network = docker_network.take().or(manifest.docker_network.clone());
        }
        let mut prepared = Prepared {
            workspace: self.clone(),
            prod_dir: self.prod_dir(&project.name),
            project,
            line: manifest.as_ref().map(|manifest| manifest.line),
            manifest,
        };
        prepared.line = prepared.line.or_else(|| judge_line(&prepared.server_kit()));
        Ok(Salvaged {
            prepared,
            damage: Some(damage),
        })
    }

    /// The project by its kits and its last plan: who was started comes first, in the plan's order.
    fn project_of_kits(&self) -> Option<Project> {
        let plan = fs_err::read(self.plan_file()).ok();
        let plan: Plan = plan
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        // A plan is a file that anybody may have changed: its names become parts of paths.
        let is_name = |name: &String| !name.contains('/') && name != "." && name != "..";
        let names = fsio::entries(self.root()).ok()?;
        let planned = plan.project.filter(is_name);
        let project = planned.or_else(|| {
            let mut names = names.into_iter();
            names.find(|name| !roles(&self.prod_dir(name)).is_empty())
        })?;
        let mut participants: Vec<(String, Role)> = plan
            .participants
            .into_iter()
            .map(|it| (it.name, it.role))
            .filter(|(name, _)| is_name(name))
            .collect();
        for (name, role) in roles(&self.prod_dir(&project)) {
            if participants.iter().all(|(known, _)| *known != name) {
                participants.push((name, role));
            }
        }
        let lead = plan.admin.map(|admin| admin.user).filter(is_name);
        (!participants.is_empty())
            .then(|| Project::of_kits(&project, participants, lead.as_deref()))
    }
}

/// The kits in a directory, with what each is by its role file.
fn roles(prod_dir: &Utf8Path) -> Vec<(String, Role)> {
    let role = |kit: Utf8PathBuf| {
        ROLE_FILES.iter().find_map(|file| {
            let role = file.strip_prefix("fed_")?.strip_suffix(".json")?;
            let there = kit.join("startup").join(file).is_file();
            there.then(|| role.parse().ok()).flatten()
        })
    };
    let names = fsio::entries(prod_dir).unwrap_or_default();
    let kits = names.into_iter();
    kits.filter_map(|name| Some((name.clone(), role(prod_dir.join(name))?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Utf8Path, text: &str) {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    #[test]
    fn a_cut_project_is_known_by_its_kits_and_its_plan() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let workspace = Workspace::new(root);
        let prod = root.join("mine/prod_00");
        for (name, role) in [
            ("fl", "server"),
            ("a@x.org", "admin"),
            ("z@x.org", "admin"),
            ("site-1", "client"),
            ("r1", "relay"),
        ] {
            write(
                &prod.join(name).join(format!("startup/fed_{role}.json")),
                "{}",
            );
        }
        write(&workspace.project_file(), "api_version: 3\nname: mi");
        let names = |salvaged: &Salvaged| -> Vec<String> {
            let participants = salvaged.prepared.project.participants();
            participants.iter().map(|it| it.name.clone()).collect()
        };

        let salvaged = workspace.salvage().unwrap();
        assert!(matches!(
            salvaged.damage,
            Some(Error::ProjectInvalid { .. })
        ));
        assert_eq!(
            names(&salvaged),
            ["a@x.org", "fl", "r1", "site-1", "z@x.org"]
        );
        let project = &salvaged.prepared.project;
        assert_eq!(
            (project.name.as_str(), project.server().name.as_str()),
            ("mine", "fl")
        );
        assert_eq!(project.project_admin().name, "a@x.org");

        // The plan knows whose kit is gone, and who the project admin is; a name that leads out of
        // the workspace is none.
        let plan = serde_json::json!({
            "project": "mine", "admin": {"user": "z@x.org", "kit": "/k"},
            "participants": [
                {"name": "fl", "role": "server"},
                {"name": "site-2", "role": "client"},
                {"name": "../x", "role": "client"},
            ]
        });
        write(&workspace.plan_file(), &plan.to_string());
        let salvaged = workspace.salvage().unwrap();
        assert_eq!(
            names(&salvaged),
            ["fl", "site-2", "a@x.org", "r1", "site-1", "z@x.org"]
        );
        assert_eq!(salvaged.prepared.project.project_admin().name, "z@x.org");

        // Gone altogether, with the kit of the server.
        fs_err::remove_file(workspace.project_file()).unwrap();
        fs_err::remove_dir_all(prod.join("fl")).unwrap();
        fs_err::remove_file(workspace.plan_file()).unwrap();
        let salvaged = workspace.salvage().unwrap();
        assert!(matches!(salvaged.damage, Some(Error::Incomplete { .. })));
        assert_eq!(salvaged.prepared.project.server().name, "server");
        assert!(salvaged.prepared.kit("server").is_none());
    }

    #[test]
    fn what_is_no_poc_is_not_salvaged() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(Utf8Path::from_path(dir.path()).unwrap());
        assert!(matches!(
            workspace.salvage(),
            Err(Error::NotPrepared { .. })
        ));
        fs_err::write(workspace.root().join("thesis.tex"), "").unwrap();
        assert!(matches!(
            workspace.salvage(),
            Err(Error::NotPrepared { .. })
        ));
    }
}
