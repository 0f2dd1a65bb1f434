//! The workspace on disk: its paths, what it is, its lock.
//!
//! ```
//! use poc_core::workspace::{Recognised, Workspace};
//!
//! let workspace = Workspace::new("/srv/my poc");
//! assert_eq!(workspace.ca_file("example_project"), "/srv/my poc/example_project/state/cert.json");
//!
//! // Nothing is removed, replaced or started before it is known what it is.
//! # let dir = tempfile::tempdir()?;
//! # let path = camino::Utf8Path::from_path(dir.path()).ok_or("not UTF-8")?;
//! # std::fs::write(path.join("thesis.tex"), "")?;
//! match Workspace::new(path).recognise()? {
//!     Recognised::Foreign { reason } => assert_eq!(reason, "it holds `thesis.tex`, and no project.yml"),
//!     other => panic!("{other:?}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod kit;
mod line;
mod lock;
mod manifest;
mod recognise;
mod salvage;

use camino::{Utf8Path, Utf8PathBuf};

pub use kit::Kit;
pub use lock::WorkspaceLock;
pub use manifest::Manifest;
pub use recognise::{Prepared, Recognised};
pub use salvage::Salvaged;

/// A POC workspace by its path. Cheap: nothing is looked at until asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    root: Utf8PathBuf,
}

impl Workspace {
    /// The workspace at this absolute path, whether or not anything is there.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The project as provisioned.
    pub fn project_file(&self) -> Utf8PathBuf {
        self.root.join("project.yml")
    }

    /// Data for the sites.
    pub fn data_dir(&self) -> Utf8PathBuf {
        self.root.join("data")
    }

    /// Everything of a project.
    pub fn project_dir(&self, project: &str) -> Utf8PathBuf {
        self.root.join(project)
    }

    /// Where the kits lie: the highest `prod_NN`, else `prod_00`.
    pub fn prod_dir(&self, project: &str) -> Utf8PathBuf {
        let directory = self.project_dir(project);
        let newest = crate::fsio::entries(&directory)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|name| Some((name.strip_prefix("prod_")?.parse::<u32>().ok()?, name)))
            .max();
        directory.join(newest.map_or_else(|| "prod_00".to_owned(), |(_, name)| name))
    }

    /// A participant's startup kit.
    pub fn kit(&self, project: &str, participant: &str) -> Utf8PathBuf {
        self.prod_dir(project).join(participant)
    }

    /// The certificate authority's directory.
    pub fn state_dir(&self, project: &str) -> Utf8PathBuf {
        self.project_dir(project).join("state")
    }

    /// The certificate authority's file: keys and certificates.
    pub fn ca_file(&self, project: &str) -> Utf8PathBuf {
        self.state_dir(project).join("cert.json")
    }

    /// What `poc` keeps for itself.
    pub fn poc_dir(&self) -> Utf8PathBuf {
        self.root.join(".poc")
    }

    /// What `prepare` wrote.
    pub fn manifest_file(&self) -> Utf8PathBuf {
        self.poc_dir().join("manifest.json")
    }

    /// The launch plan that the supervisor works by.
    pub fn plan_file(&self) -> Utf8PathBuf {
        self.poc_dir().join("plan.json")
    }

    /// Held by the supervisor for life.
    pub fn supervisor_lock(&self) -> Utf8PathBuf {
        self.poc_dir().join("supervisor.lock")
    }

    /// What the supervisor itself says when something is wrong.
    pub fn supervisor_log(&self) -> Utf8PathBuf {
        self.poc_dir().join("supervisor.log")
    }

    /// Where the supervisor listens for requests.
    pub fn control_socket(&self) -> Utf8PathBuf {
        self.poc_dir().join("control.sock")
    }

    /// What happened, a JSON object a line.
    pub fn events_file(&self) -> Utf8PathBuf {
        self.poc_dir().join("events.jsonl")
    }

    /// The identity of the running POC.
    pub fn instance_file(&self) -> Utf8PathBuf {
        self.poc_dir().join("instance")
    }

    /// Where an old workspace that held files of the user's is kept, once.
    pub fn previous(&self) -> Utf8PathBuf {
        Utf8PathBuf::from(format!("{}.previous", self.root))
    }
}
