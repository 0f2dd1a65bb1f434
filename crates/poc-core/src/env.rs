//! Every environment variable that `poc` reads or sets, and the environment as a plain value.
//!
//! The process environment is read once, by [`Env::from_process`], and handed on: so a test needs no
//! `set_var`, and one list says all that matters.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use camino::Utf8PathBuf;

use crate::Error;

/// An environment variable with what it means, as the manual shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Var {
    /// The name.
    pub name: &'static str,
    /// One or two sentences for the user.
    pub doc: &'static str,
}

macro_rules! variables {
    ($($(#[$meta:meta])* $name:ident: $doc:expr;)*) => {
        $(
            #[doc = $doc]
            pub const $name: Var = Var { name: stringify!($name), doc: $doc };
        )*
        /// Every variable above, in this order.
        pub const ALL: &[Var] = &[$($name),*];
    };
}

variables! {
    NVFLARE_POC_WORKSPACE: "The POC workspace. Beats config.conf, as in NVFlare's own tools.";
    NVFLARE_STARTUP_KIT_DIR: "The startup kit that NVFlare's job and system commands use. Beats config.conf.";
    NVFLARE_HOME: "A checkout of NVFlare: `prepare` links its `examples` directory as the project admin's transfer directory.";
    POC_PYTHON: "The Python that runs the participants. Beats config.conf; without it the active environment, PATH and the managed runtimes are looked at.";
    HOME: "The home directory, where .nvflare/config.conf lies.";
    PATH: "Where python3, nvidia-smi, docker and uv are looked for.";
    VIRTUAL_ENV: "The active virtual environment; its Python is used where it has NVFlare.";
    CONDA_PREFIX: "The active conda environment; its Python is used where it has NVFlare.";
    XDG_DATA_HOME: "Managed runtimes lie in its `poc` directory (default: ~/.local/share).";
    TMPDIR: "Where `demo` makes its workspace (default: /tmp).";
    CUDA_VISIBLE_DEVICES: "The pool of GPUs that `start` deals to the sites, in its order. Set anew for each participant.";
    CUDA_DEVICE_ORDER: "Set to PCI_BUS_ID for participants that get GPUs, so that an index means what nvidia-smi shows.";
    POC_INSTANCE: "Set in every process that a POC starts: the identity by which `stop` finds what is left of it.";
    NVFL_WORKSPACE: "Unset for participants: NVFlare 2.8 and later would let all of them share one kit copy.";
    NO_COLOR: "If set, no colours.";
    FORCE_COLOR: "If set, colours even where the output is no terminal.";
    CLICOLOR_FORCE: "Like FORCE_COLOR.";
}

/// A snapshot of an environment. Variables that are empty or blank count as unset.
///
/// ```
/// use poc_core::env::{self, Env};
/// let env = Env::from_pairs([("NVFLARE_POC_WORKSPACE", "/srv/poc"), ("NO_COLOR", " ")]);
/// assert_eq!(env.text(env::NVFLARE_POC_WORKSPACE.name), Some("/srv/poc"));
/// assert_eq!(env.text(env::NO_COLOR.name), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env(BTreeMap<String, OsString>);

impl Env {
    /// The environment of this process. Variables whose *name* is not UTF-8 are left out.
    pub fn from_process() -> Self {
        let vars = std::env::vars_os();
        Self(
            vars.filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
        )
    }

    /// An environment of exactly these variables; a later pair replaces an earlier one.
    pub fn from_pairs(
        pairs: impl IntoIterator<Item = (impl Into<String>, impl Into<OsString>)>,
    ) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// The value, unless unset or blank.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0
            .get(name)
            .map(OsString::as_os_str)
            .filter(|value| !is_blank(value))
    }

    /// The value as text; `None` also where it is not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str()
    }

    /// The value as a path; `None` also where it is not UTF-8 (see [`Env::utf8_path`]).
    pub fn path(&self, name: &str) -> Option<Utf8PathBuf> {
        self.text(name).map(Utf8PathBuf::from)
    }

    /// The value as a path.
    ///
    /// # Errors
    ///
    /// [`Error::NotUtf8`] where the variable is set to something that is not UTF-8: silently taking
    /// a default in its place would work on another directory than the user named.
    pub fn utf8_path(&self, name: &'static str) -> Result<Option<Utf8PathBuf>, Error> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Some(text) => Ok(Some(Utf8PathBuf::from(text))),
                None => Err(Error::NotUtf8 {
                    what: name.to_owned(),
                }),
            },
        }
    }

    /// The user's home directory: `HOME`, else what /etc/passwd says (as Python's `Path.home()` does).
    ///
    /// # Errors
    ///
    /// [`Error::NoHome`] where neither gives one.
    pub fn home(&self) -> Result<Utf8PathBuf, Error> {
        if let Some(home) = self.utf8_path(HOME.name)? {
            return Ok(home);
        }
        let uid = rustix::process::getuid().as_raw();
        fs_err::read_to_string("/etc/passwd")
            .ok()
            .and_then(|passwd| home_in_passwd(&passwd, uid))
            .ok_or(Error::NoHome)
    }

    /// Every variable as it is, blank ones included.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_os_str()))
    }
}

fn is_blank(value: &OsStr) -> bool {
    value.as_encoded_bytes().iter().all(u8::is_ascii_whitespace)
}

/// The sixth field of the line whose third is the user's number.
fn home_in_passwd(passwd: &str, uid: u32) -> Option<Utf8PathBuf> {
    passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.get(2).and_then(|field| field.parse::<u32>().ok()) == Some(uid))
        .and_then(|fields| {
            fields
                .get(5)
                .filter(|home| !home.is_empty())
                .map(Utf8PathBuf::from)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn blank_counts_as_unset_but_stays_in_the_raw_view() {
        let env = Env::from_pairs([("A", ""), ("B", " \t"), ("C", " x ")]);
        assert_eq!(env.get("A"), None);
        assert_eq!(env.get("B"), None);
        assert_eq!(env.text("C"), Some(" x "));
        assert_eq!(env.iter().count(), 3);
    }

    #[test]
    fn a_path_that_is_not_utf8_is_an_error_not_a_default() {
        let env = Env::from_pairs([("HOME", OsString::from_vec(vec![b'/', 0xff]))]);
        assert_eq!(env.path("HOME"), None);
        assert!(matches!(env.home(), Err(Error::NotUtf8 { .. })));
    }

    #[test]
    fn home_comes_from_passwd_where_the_variable_is_missing() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nmia:x:1001:1001:Mia,,:/home/mia:/bin/bash\nx:x:7:7:::\n";
        assert_eq!(
            home_in_passwd(passwd, 1001).as_deref(),
            Some("/home/mia".into())
        );
        assert_eq!(home_in_passwd(passwd, 7), None);
        assert_eq!(home_in_passwd(passwd, 8), None);
    }

    #[test]
    fn every_variable_is_documented_once() {
        let mut names: Vec<_> = ALL.iter().map(|var| var.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|var| var.doc.ends_with('.')));
    }
}
