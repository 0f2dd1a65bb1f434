//! A temporary place to provision in, whose path has what paths can have.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::project::Project;
use poc_core::workspace::Workspace;
use poc_core::{Cancel, Line, fsio};
use poc_provision::{Error, Event, Provisioned, Request, provision};

pub(crate) struct Scene {
    _directory: tempfile::TempDir,
    /// The directory above the workspace.
    pub(crate) above: Utf8PathBuf,
    pub(crate) workspace: Workspace,
    pub(crate) cancel: Cancel,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("poc é ").tempdir().unwrap();
        let above = Utf8PathBuf::from_path_buf(directory.path().canonicalize().unwrap()).unwrap();
        let workspace = Workspace::new(above.join("ws"));
        Self {
            _directory: directory,
            above,
            workspace,
            cancel: Cancel::new(),
        }
    }

    /// One that is prepared for `site-1`.
    pub(crate) fn prepared() -> (Self, Provisioned) {
        let scene = Self::new();
        let made = scene.provision(&project(), |_| ()).unwrap();
        (scene, made)
    }

    pub(crate) fn provision<'a>(
        &'a self,
        project: &'a Project,
        adjust: impl FnOnce(&mut Request<'a>),
    ) -> Result<Provisioned, Error> {
        self.provision_with(project, adjust, &mut |_| ())
    }

    pub(crate) fn provision_with<'a>(
        &'a self,
        project: &'a Project,
        adjust: impl FnOnce(&mut Request<'a>),
        events: &mut dyn FnMut(Event),
    ) -> Result<Provisioned, Error> {
        let mut request = Request::new(project, &self.workspace, &self.cancel);
        adjust(&mut request);
        let mut lock = self.workspace.lock_create(Duration::from_secs(5))?;
        provision(&request, &mut lock, events)
    }

    /// The text of a file of the workspace.
    pub(crate) fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.workspace.root().join(path)).unwrap()
    }

    /// Writes a file into the workspace, as a user or a running process would.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.workspace.root().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    /// What lies beside the workspace and in it at the top.
    pub(crate) fn names(&self) -> (Vec<String>, Vec<String>) {
        (
            fsio::entries(&self.above).unwrap(),
            fsio::entries(self.workspace.root()).unwrap_or_default(),
        )
    }
}

/// The default project with `site-1`.
pub(crate) fn project() -> Project {
    Project::poc_default(Line::V2_9, &["site-1".to_owned()]).unwrap()
}

/// Every file below a directory with its mode, relative and sorted; directories end in a slash.
pub(crate) fn listing(root: &Utf8Path) -> Vec<String> {
    fn visit(root: &Utf8Path, below: &Utf8Path, found: &mut Vec<String>) {
        for name in fsio::entries(&root.join(below)).unwrap() {
            let path = below.join(name);
            let metadata = root.join(&path).symlink_metadata().unwrap();
            let mode = metadata.permissions().mode() & 0o7777;
            let slash = if metadata.is_dir() { "/" } else { "" };
            found.push(format!("{mode:04o} {path}{slash}"));
            if metadata.is_dir() {
                visit(root, &path, found);
            }
        }
    }
    let mut found = Vec::new();
    visit(root, Utf8Path::new(""), &mut found);
    found
}

/// Waits for something to become so; fails when it takes too long.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "waited in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
