//! `~/.nvflare/config.conf`, read and edited without losing a byte of what is not ours.
//!
//! The file belongs to NVFlare's tools and to the user as much as to `poc`. So it is not read into a
//! tree and written out again: an edit replaces the one value, or adds the one line, and leaves
//! comments, foreign keys, order and line ends alone. A file that does not parse is an error that
//! names the line, and is never written.
//!
//! Two generations of keys live in it side by side: `startup_kit` and `poc_workspace` for NVFlare 2.4
//! to 2.7, `poc` and `startup_kits` from 2.8 on. What `poc` writes, both read.
//!
//! ```
//! use camino::Utf8Path;
//! use poc_core::config_file::ConfigFile;
//!
//! let text = "# mine\npoc_workspace { path = /tmp/nvflare/poc }\n";
//! let mut file = ConfigFile::parse(Utf8Path::new("config.conf"), text)?;
//! assert_eq!(file.get(&["poc_workspace", "path"]).map(|value| value.text).as_deref(), Some("/tmp/nvflare/poc"));
//!
//! file.set(&["poc_workspace", "path"], "/srv/my poc");
//! assert_eq!(file.text(), "# mine\npoc_workspace { path = \"/srv/my poc\" }\n");
//! # Ok::<(), poc_core::Error>(())
//! ```

mod edit;
mod evaluate;
mod lookup;
mod owned;
mod quoting;
mod syntax;
mod tree;

use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

pub use owned::Pointed;

use crate::Error;
use crate::env::Env;
use crate::fsio::{self, DirectoryLock, poll_until};
use edit::Edit;
use quoting::quote;
use tree::{Block, SyntaxError, line_at};

/// config.conf, as text that can be asked and edited.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    path: Utf8PathBuf,
    text: String,
    root: Block,
    /// The text as it was read.
    before: String,
    /// An edit that would have made the file unreadable: a bug, and no reason to save it.
    spoiled: Option<SyntaxError>,
}

/// A value of config.conf with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The text, without quotes.
    pub text: String,
    /// The line of its key, from 1.
    pub line: usize,
}

impl ConfigFile {
    /// Where the file lies in a home directory.
    pub fn path_in(home: &Utf8Path) -> Utf8PathBuf {
        home.join(".nvflare/config.conf")
    }

    /// Reads the file; one that is missing counts as empty.
    ///
    /// # Errors
    ///
    /// [`Error::ConfigSyntax`] with the line where it does not parse, [`Error::Io`].
    pub fn load(path: &Utf8Path) -> Result<Self, Error> {
        let bytes = match fs_err::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let line = line_at(&String::from_utf8_lossy(error.as_bytes()), valid);
            Error::ConfigSyntax {
                path: path.to_owned(),
                line,
                reason: "this is not UTF-8".to_owned(),
            }
        })?;
        Self::parse(path, &text)
    }

    /// Takes a text as the file's; `path` is for messages and for [`ConfigFile::save`].
    ///
    /// # Errors
    ///
    /// [`Error::ConfigSyntax`] with the line where it does not parse.
    pub fn parse(path: &Utf8Path, text: &str) -> Result<Self, Error> {
        let root = checked(text).map_err(|SyntaxError { line, reason }| Error::ConfigSyntax {
            path: path.to_owned(),
            line,
            reason,
        })?;
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            root,
            before: text.to_owned(),
            spoiled: None,
        })
    }

    /// Locks, reads, edits and saves the file in one go, so that two `poc` at a time lose nothing.
    /// Nothing is written where the edit changes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`ConfigFile::load`], [`ConfigFile::save`] and of the edit; [`Error::Busy`] where
    /// another process holds the lock for longer than a few seconds.
    pub fn edit<T>(
        path: &Utf8Path,
        edit: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // The lock is on the directory: a file of its own would be one more thing in ~/.nvflare.
        let real = real_path(path)?;
        let directory = real.parent().unwrap_or(Utf8Path::new("/"));
        fsio::create_dir_private(directory)?;
        let Some(_lock) = poll_until(Duration::from_secs(5), || {
            DirectoryLock::try_exclusive(directory)
        })?
        else {
            return Err(Error::Busy {
                workspace: path.to_owned(),
                holder: DirectoryLock::holder(directory),
            });
        };
        let mut file = Self::load(path)?;
        let result = edit(&mut file)?;
        file.save()?;
        Ok(result)
    }

    /// The file's path.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The text, with all edits.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether an edit changed anything since it was read.
    pub fn is_changed(&self) -> bool {
        self.text != self.before
    }

    /// The value of a key, given by its parts: `["startup_kits", "entries", "admin@nvidia.com"]`.
    /// `None` for a key that is missing, `null`, an object or a list, and for a value that refers to
    /// something unknown (see [`ConfigFile::evaluate`]).
    pub fn get(&self, key: &[&str]) -> Option<Value> {
        self.evaluate(key, &Env::default()).ok().flatten()
    }

    /// The value of a key, with its references (`${HOME}`) worked out from the file and then from the
    /// environment.
    ///
    /// # Errors
    ///
    /// [`Error::ConfigValue`] where a reference leads nowhere or in a circle.
    pub fn evaluate(&self, key: &[&str], env: &Env) -> Result<Option<Value>, Error> {
        let Some(field) = lookup::effective(&self.root, key) else {
            return Ok(None);
        };
        if field.is_null() || field.is_object() {
            return Ok(None);
        }
        let line = line_at(&self.text, field.key_span.start);
        if let Some(text) = field.text() {
            return Ok(Some(Value { text, line }));
        }
        let text = evaluate::evaluate(&self.root, key, field, env).map_err(|reason| {
            Error::ConfigValue {
                path: self.path.clone(),
                line,
                key: key.join("."),
                reason,
            }
        })?;
        Ok(Some(Value { text, line }))
    }

    /// The values directly under a key, in the file's order.
    pub fn entries(&self, key: &[&str]) -> Vec<(String, Value)> {
        lookup::names_under(&self.root, key)
            .into_iter()
            .filter_map(|name| {
                let value = self.get(&[key, &[name.as_str()]].concat())?;
                Some((name, value))
            })
            .collect()
    }

    /// The lines of `include` statements: what they bring in is not looked at here.
    pub fn include_lines(&self) -> Vec<usize> {
        self.root
            .includes
            .iter()
            .map(|offset| line_at(&self.text, *offset))
            .collect()
    }

    /// Gives a key a value, in quotes: in place where the key is there, else at the end of the object
    /// that it belongs in.
    pub fn set(&mut self, key: &[&str], value: &str) {
        self.set_literal(key, &quote(value));
    }

    fn set_literal(&mut self, key: &[&str], literal: &str) {
        if key.is_empty() {
            return;
        }
        // A value that stands where an object is needed goes, and an object where the value is to be:
        // pyhocon refuses to merge the two, and what was shadowed must not come back.
        for length in 1..key.len() {
            if lookup::effective(&self.root, &key[..length]).is_some_and(|field| !field.is_object())
            {
                self.remove(&key[..length]);
            }
        }
        if !lookup::names_under(&self.root, key).is_empty() {
            self.remove(key);
        }
        if edit::is_overtaken(&self.root, key) {
            self.remove(key);
            self.apply(edit::append(&self.text, &self.root, key, literal));
        } else {
            self.apply(edit::set(&self.text, &self.root, key, literal));
        }
    }

    /// Takes a key away, with all that is under it and every earlier value; then the objects around
    /// it in which nothing is left. Whether it was there.
    pub fn remove(&mut self, key: &[&str]) -> bool {
        let mut found = false;
        while let Some(edit) = edit::remove(&self.text, &self.root, key) {
            found = true;
            self.apply(edit);
        }
        if found {
            for length in (1..key.len()).rev() {
                while let Some(edit) =
                    edit::remove_if_hollow(&self.text, &self.root, &key[..length])
                {
                    self.apply(edit);
                }
            }
        }
        found
    }

    fn apply(&mut self, Edit { span, text }: Edit) {
        let mut edited = self.text.clone();
        edited.replace_range(span, &text);
        match syntax::parse(&edited) {
            Ok(root) => {
                self.text = edited;
                self.root = root;
            }
            Err(error) => self.spoiled = Some(error),
        }
    }

    /// Writes the file if an edit changed it: atomically, readable by its owner alone (it names
    /// directories with private keys), through a symbolic link where the file is one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; the file is then as it was.
    pub fn save(&self) -> Result<(), Error> {
        if let Some(SyntaxError { line, reason }) = &self.spoiled {
            let reason =
                format!("an edit would have spoiled the file, which is left as it is: {reason}");
            return Err(Error::ConfigSyntax {
                path: self.path.clone(),
                line: *line,
                reason,
            });
        }
        if !self.is_changed() {
            return Ok(());
        }
        let real = real_path(&self.path)?;
        if let Some(directory) = real.parent() {
            fsio::create_dir_private(directory)?;
        }
        Ok(fsio::write_atomic(&real, self.text.as_bytes(), 0o600)?)
    }
}

fn checked(text: &str) -> Result<Block, SyntaxError> {
    let root = syntax::parse(text)?;
    lookup::check(text, &root)?;
    Ok(root)
}

/// Where a symbolic link leads, also where there is nothing yet.
fn real_path(path: &Utf8Path) -> io::Result<Utf8PathBuf> {
    // As many links as the kernel follows.
    let mut real = path.to_owned();
    for _ in 0..40 {
        match real.read_link_utf8() {
            Ok(target) => real = real.parent().unwrap_or(Utf8Path::new("/")).join(target),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::NotFound
                ) =>
            {
                return Ok(real);
            }
            Err(error) => return Err(fsio::at("follow", path)(error)),
        }
    }
    Err(fsio::at("follow", path)(io::Error::from(
        rustix::io::Errno::LOOP,
    )))
}

#[cfg(test)]
mod tests;
