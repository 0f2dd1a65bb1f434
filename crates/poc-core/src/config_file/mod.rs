//! `~/.nvflare/config.conf`, read and edited without losing a byte of what is not ours.

use camino::{Utf8Path, Utf8PathBuf};

use crate::Error;

/// config.conf, as text that can be asked and edited.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    path: Utf8PathBuf,
    text: String,
}

/// A value of config.conf with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The text, without quotes.
    pub text: String,
    /// The line, from 1.
    pub line: usize,
}

/// What [`ConfigFile::point_at`] changed beyond its own keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointed {
    /// The ID under which the active admin kit is registered.
    pub active: String,
    /// Kits whose own ID was taken by a kit outside the workspace: their name, and the ID used.
    pub renamed: Vec<(String, String)>,
}

impl ConfigFile {
    /// Where the file lies in a home directory.
    pub fn path_in(home: &Utf8Path) -> Utf8PathBuf {
        home.join(".nvflare/config.conf")
    }
    /// Reads the file; a missing one is empty.
    pub fn load(path: &Utf8Path) -> Result<Self, Error> {
        Self::parse(path, &fs_err::read_to_string(path).unwrap_or_default())
    }
    /// Reads a text.
    pub fn parse(path: &Utf8Path, text: &str) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
        })
    }
    /// The file.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }
    /// A value.
    pub fn get(&self, key: &[&str]) -> Option<Value> {
        let _ = key;
        todo!()
    }
    /// The values directly under a key.
    pub fn entries(&self, key: &[&str]) -> Vec<(String, Value)> {
        let _ = key;
        todo!()
    }
    /// Sets a value, quoted.
    pub fn set(&mut self, key: &[&str], value: &str) {
        let _ = (key, value);
        todo!()
    }
    /// Removes a key; whether it was there.
    pub fn remove(&mut self, key: &[&str]) -> bool {
        let _ = key;
        todo!()
    }
    /// The text as it would be saved.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// Writes the file.
    pub fn save(&self) -> Result<(), Error> {
        todo!()
    }
    /// Points both generations of keys at a prepared workspace.
    pub fn point_at(
        &mut self,
        workspace: &Utf8Path,
        prod_dir: &Utf8Path,
        admin_kits: &[(String, Utf8PathBuf)],
        active: &str,
    ) -> Pointed {
        let _ = (workspace, prod_dir, admin_kits, active);
        todo!()
    }
    /// `config -pw`.
    pub fn set_workspace(&mut self, workspace: &Utf8Path) {
        let _ = workspace;
        todo!()
    }
    /// `config -d`.
    pub fn set_startup_kit(&mut self, kit: &Utf8Path) {
        let _ = kit;
        todo!()
    }
    /// `config`'s `poc runtime use`.
    pub fn set_python(&mut self, python: &Utf8Path) {
        let _ = python;
        todo!()
    }
    /// Removes what points into a workspace; whether there was any.
    pub fn forget(&mut self, workspace: &Utf8Path, keep_workspace_path: bool) -> bool {
        let _ = (workspace, keep_workspace_path);
        todo!()
    }
}
