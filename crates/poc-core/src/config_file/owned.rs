//! The keys that `poc` owns, in both generations.

use camino::{Utf8Path, Utf8PathBuf};

use super::ConfigFile;
use crate::paths::is_within;

/// NVFlare 2.4 to 2.7.
const STARTUP_KIT: [&str; 2] = ["startup_kit", "path"];
const POC_WORKSPACE: [&str; 2] = ["poc_workspace", "path"];
/// NVFlare 2.8 and later.
const WORKSPACE: [&str; 2] = ["poc", "workspace"];
const ACTIVE: [&str; 2] = ["startup_kits", "active"];
const ENTRIES: [&str; 2] = ["startup_kits", "entries"];
/// `poc`'s own.
const PYTHON: [&str; 2] = ["poc", "python"];

/// How [`ConfigFile::point_at`] registered the kits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointed {
    /// The ID under which the active admin's kit is registered: its name, unless that was taken.
    pub active: String,
    /// Admins whose name was taken as ID by a kit outside this workspace, with the ID used instead.
    pub renamed: Vec<(String, String)>,
    /// The workspace that the file pointed at before, if another.
    pub previous: Option<Utf8PathBuf>,
}

impl ConfigFile {
    /// The key and value that name the POC workspace: `poc.workspace`, else `poc_workspace.path`.
    pub const WORKSPACE_KEYS: [[&'static str; 2]; 2] = [WORKSPACE, POC_WORKSPACE];

    /// The key of the Python that runs the participants.
    pub const PYTHON_KEY: [&'static str; 2] = PYTHON;

    /// The key of the startup kit directory of NVFlare 2.4 to 2.7.
    pub const STARTUP_KIT_KEY: [&'static str; 2] = STARTUP_KIT;

    /// The key of the active kit's ID.
    pub const ACTIVE_KEY: [&'static str; 2] = ACTIVE;

    /// The key under which kits are registered by ID.
    pub const ENTRIES_KEY: [&'static str; 2] = ENTRIES;

    /// Points NVFlare's tools of every line at a prepared workspace: the workspace, the startup kit
    /// (the prod directory, as documented, or the project admin's kit where there are several
    /// admins: a tool that searches the directory could find any of them), the registered kits and
    /// the active one.
    ///
    /// Registrations of the workspace that the file pointed at before go, as with NVFlare's own
    /// `prepare`. A kit of the same ID that lies elsewhere and exists is somebody's production kit:
    /// it keeps its ID, and ours takes another.
    pub fn point_at(
        &mut self,
        workspace: &Utf8Path,
        prod_dir: &Utf8Path,
        admin_kits: &[(String, Utf8PathBuf)],
        active: &str,
    ) -> Pointed {
        let previous = self.workspace();
        let own: Vec<&Utf8Path> = previous
            .iter()
            .map(Utf8PathBuf::as_path)
            .chain([workspace])
            .collect();
        for directory in &own {
            self.unregister_within(directory, admin_kits);
        }
        let mut pointed = Pointed {
            active: active.to_owned(),
            renamed: Vec::new(),
            previous: previous.clone().filter(|old| old != workspace),
        };
        let ids: Vec<(String, &Utf8PathBuf)> = admin_kits
            .iter()
            .map(|(name, kit)| {
                let id = self.free_id(name, kit, &own);
                if id != *name {
                    pointed.renamed.push((name.clone(), id.clone()));
                }
                if name == active {
                    pointed.active.clone_from(&id);
                }
                (id, kit)
            })
            .collect();

        self.set_version();
        let startup_kit = match admin_kits {
            [] | [_] => prod_dir,
            several => several
                .iter()
                .find(|(name, _)| name == active)
                .map_or(prod_dir, |(_, kit)| kit),
        };
        self.set(&STARTUP_KIT, startup_kit.as_str());
        self.set_workspace(workspace);
        self.set(&ACTIVE, &pointed.active);
        for (id, kit) in ids {
            self.set(&[ENTRIES[0], ENTRIES[1], &id], kit.as_str());
        }
        pointed
    }

    /// Registers the kit of one more admin of a workspace, and gives its ID; `None`, and nothing is
    /// changed, where the file points at another workspace. Who is active stays so.
    ///
    /// `lead` is the project admin's kit: with several admins it is the startup kit of NVFlare 2.4 to
    /// 2.7, as in [`ConfigFile::point_at`].
    pub fn register(
        &mut self,
        workspace: &Utf8Path,
        name: &str,
        kit: &Utf8Path,
        lead: &Utf8Path,
    ) -> Option<String> {
        if !self
            .workspace()
            .is_some_and(|named| is_same(&named, workspace))
        {
            return None;
        }
        let id = self.free_id(name, kit, &[workspace]);
        self.set(&[ENTRIES[0], ENTRIES[1], &id], kit.as_str());
        let startup_kit = self.get(&STARTUP_KIT);
        if startup_kit.is_some_and(|path| Some(Utf8Path::new(&path.text)) == lead.parent()) {
            self.set(&STARTUP_KIT, lead.as_str());
        }
        Some(id)
    }

    /// Takes away what points at the kit of an admin that is removed. Where that was the active one, or
    /// the startup kit, the project admin's (`lead`) takes its place. Whether anything pointed at it.
    pub fn unregister(&mut self, kit: &Utf8Path, lead: &Utf8Path) -> bool {
        let entry_of = |file: &Self, kit: &Utf8Path| {
            let entries = file.entries(&ENTRIES).into_iter();
            let mut ids = entries.filter(|(_, path)| is_same(Utf8Path::new(&path.text), kit));
            ids.next().map(|(id, _)| id)
        };
        let active = self.get(&ACTIVE).map(|active| active.text);
        let mut found = false;
        while let Some(id) = entry_of(self, kit) {
            found = true;
            self.remove(&[ENTRIES[0], ENTRIES[1], &id]);
            if active.as_ref() == Some(&id) {
                match entry_of(self, lead) {
                    Some(other) => self.set(&ACTIVE, &other),
                    None => {
                        self.remove(&ACTIVE);
                    }
                }
            }
        }
        let startup_kit = self.get(&STARTUP_KIT);
        if startup_kit.is_some_and(|path| is_within(Utf8Path::new(&path.text), kit)) {
            found = true;
            self.set(&STARTUP_KIT, lead.as_str());
        }
        found
    }

    /// Names the POC workspace, for every line (`config -pw`).
    pub fn set_workspace(&mut self, workspace: &Utf8Path) {
        self.set_version();
        self.set(&POC_WORKSPACE, workspace.as_str());
        self.set(&WORKSPACE, workspace.as_str());
    }

    /// Names the startup kit directory (`config -d`): for NVFlare 2.4 to 2.7 the directory; and, where
    /// it is an admin's kit, registered and active for the later ones.
    pub fn set_startup_kit(&mut self, directory: &Utf8Path) {
        self.set_version();
        self.set(&STARTUP_KIT, directory.as_str());
        if let (true, Some(name)) = (
            directory.join("startup/fed_admin.json").is_file(),
            directory.file_name(),
        ) {
            let own = self.workspace();
            let own: Vec<&Utf8Path> = own.iter().map(Utf8PathBuf::as_path).collect();
            let id = self.free_id(name, directory, &own);
            self.set(&[ENTRIES[0], ENTRIES[1], &id], directory.as_str());
            self.set(&ACTIVE, &id);
        }
    }

    /// Names the Python that runs the participants (`runtime use`).
    pub fn set_python(&mut self, python: &Utf8Path) {
        self.set(&PYTHON, python.as_str());
    }

    /// Takes away what points into a workspace that is removed: registered kits, the active one, the
    /// startup kit, and, unless `keep_workspace_path`, the workspace itself. Whether there was any.
    pub fn forget(&mut self, workspace: &Utf8Path, keep_workspace_path: bool) -> bool {
        let mut found = self.unregister_within(workspace, &[]);
        if self
            .get(&STARTUP_KIT)
            .is_some_and(|kit| is_within(Utf8Path::new(&kit.text), workspace))
        {
            found |= self.remove(&STARTUP_KIT);
        }
        if !keep_workspace_path {
            for key in [POC_WORKSPACE, WORKSPACE] {
                if self
                    .get(&key)
                    .is_some_and(|path| is_same(Utf8Path::new(&path.text), workspace))
                {
                    found |= self.remove(&key);
                }
            }
        }
        found
    }

    /// The workspace that the file names.
    fn workspace(&self) -> Option<Utf8PathBuf> {
        Self::WORKSPACE_KEYS
            .iter()
            .find_map(|key| self.get(key))
            .map(|value| Utf8PathBuf::from(value.text))
    }

    /// Removes the registrations of kits in a workspace, except those that are about to be set anyway
    /// (they then keep their place in the file), and the active ID where it is one of those.
    fn unregister_within(&mut self, workspace: &Utf8Path, kept: &[(String, Utf8PathBuf)]) -> bool {
        let gone: Vec<String> = self
            .entries(&ENTRIES)
            .into_iter()
            .filter(|(id, kit)| {
                is_within(Utf8Path::new(&kit.text), workspace)
                    && !kept.iter().any(|(name, _)| name == id)
            })
            .map(|(id, _)| id)
            .collect();
        if self
            .get(&ACTIVE)
            .is_some_and(|active| gone.contains(&active.text))
        {
            self.remove(&ACTIVE);
        }
        for id in &gone {
            self.remove(&[ENTRIES[0], ENTRIES[1], id]);
        }
        !gone.is_empty()
    }

    /// An ID for a kit: its name, or with a suffix where a kit outside `own` directories, which still
    /// exists, has that.
    fn free_id(&self, name: &str, kit: &Utf8Path, own: &[&Utf8Path]) -> String {
        let is_own =
            |path: &Utf8Path| path == kit || own.iter().any(|directory| is_within(path, directory));
        let taken = |id: &str| {
            self.get(&[ENTRIES[0], ENTRIES[1], id])
                .is_some_and(|entry| {
                    !is_own(Utf8Path::new(&entry.text)) && Utf8Path::new(&entry.text).exists()
                })
        };
        let mut id = name.to_owned();
        let mut number = 1;
        while taken(&id) {
            id = if number == 1 {
                format!("{name}-poc")
            } else {
                format!("{name}-poc-{number}")
            };
            number += 1;
        }
        id
    }

    /// NVFlare 2.8 and later write 2, and read it nowhere.
    fn set_version(&mut self) {
        if self.get(&["version"]).is_none() {
            self.set_literal(&["version"], "2");
        }
    }
}

fn is_same(one: &Utf8Path, other: &Utf8Path) -> bool {
    is_within(one, other) && is_within(other, one)
}
