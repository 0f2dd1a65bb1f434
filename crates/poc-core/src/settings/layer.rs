//! One layer of settings, and how layers lie on one another.

use camino::{Utf8Path, Utf8PathBuf};

use super::{Overrides, Resolved, Source};
use crate::Error;
use crate::config_file::ConfigFile;
use crate::env::{self, Env};

/// The settings that one place gives, as written there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) workspace: Option<Resolved<Utf8PathBuf>>,
    pub(super) startup_kit_dir: Option<Resolved<Utf8PathBuf>>,
    pub(super) examples: Option<Resolved<Utf8PathBuf>>,
    pub(super) python: Option<Resolved<Utf8PathBuf>>,
}

impl Layer {
    /// This layer on top of another: what it does not say, the other does.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            workspace: self.workspace.or(below.workspace),
            startup_kit_dir: self.startup_kit_dir.or(below.startup_kit_dir),
            examples: self.examples.or(below.examples),
            python: self.python.or(below.python),
        }
    }

    pub(super) fn command_line(overrides: &Overrides) -> Self {
        let given = |value: &Option<Utf8PathBuf>, flag| {
            let value = value
                .clone()
                .filter(|path| !path.as_str().trim().is_empty())?;
            Some(Resolved::new(value, Source::CommandLine(flag)))
        };
        Self {
            workspace: given(&overrides.workspace, "--workspace"),
            startup_kit_dir: given(&overrides.startup_kit_dir, "--startup_kit_dir"),
            examples: given(&overrides.jobs_dir, "--jobs_dir"),
            python: given(&overrides.python, "--python"),
        }
    }

    pub(super) fn environment(env: &Env) -> Result<Self, Error> {
        let given = |var: env::Var| {
            let value = env.utf8_path(var.name)?;
            Ok::<_, Error>(value.map(|value| Resolved::new(value, Source::Environment(var.name))))
        };
        Ok(Self {
            workspace: given(env::NVFLARE_POC_WORKSPACE)?,
            startup_kit_dir: given(env::NVFLARE_STARTUP_KIT_DIR)?,
            examples: given(env::NVFLARE_HOME)?.map(|home| home.map(|home| home.join("examples"))),
            python: given(env::POC_PYTHON)?,
        })
    }

    /// What config.conf says, and what is odd about it.
    pub(super) fn config_file(file: &ConfigFile, env: &Env) -> Result<(Self, Vec<String>), Error> {
        let mut warnings = Vec::new();
        let value = |key: &[&str]| -> Result<Option<Resolved<Utf8PathBuf>>, Error> {
            let value = file
                .evaluate(key, env)?
                .filter(|value| !value.text.trim().is_empty());
            Ok(value.map(|value| {
                let source = Source::ConfigFile {
                    path: file.path().to_owned(),
                    line: value.line,
                    key: key.join("."),
                };
                Resolved::new(Utf8PathBuf::from(value.text), source)
            }))
        };
        let [newer, older] = ConfigFile::WORKSPACE_KEYS;
        let workspace = match (value(&newer)?, value(&older)?) {
            (Some(newer), Some(older)) => {
                if !same(&newer.value, &older.value) {
                    warnings.push(format!(
                        "config.conf names two workspaces: {} ({}) is used, {} ({}) is not",
                        newer.value, newer.source, older.value, older.source,
                    ));
                }
                Some(newer)
            }
            (newer, older) => newer.or(older),
        };
        let active = match value(&ConfigFile::ACTIVE_KEY)? {
            Some(active) => {
                let [group, entries] = ConfigFile::ENTRIES_KEY;
                let kit = value(&[group, entries, active.value.as_str()])?;
                if kit.is_none() {
                    warnings.push(format!(
                        "the active startup kit `{}` ({}) is not registered",
                        active.value, active.source
                    ));
                }
                kit
            }
            None => None,
        };
        let startup_kit_dir = match active {
            Some(kit) => Some(kit),
            None => value(&ConfigFile::STARTUP_KIT_KEY)?,
        };
        for line in file.include_lines() {
            warnings.push(format!(
                "{}:{line}: `include` is not followed here",
                file.path()
            ));
        }
        Ok((
            Self {
                workspace,
                startup_kit_dir,
                examples: None,
                python: value(&ConfigFile::PYTHON_KEY)?,
            },
            warnings,
        ))
    }
}

fn same(one: &Utf8Path, other: &Utf8Path) -> bool {
    // As `components` sees it: without doubled and trailing slashes.
    one.components().eq(other.components())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn setting() -> impl Strategy<Value = Option<Resolved<Utf8PathBuf>>> {
        let source = prop_oneof![
            Just(Source::CommandLine("--workspace")),
            Just(Source::Environment("NVFLARE_POC_WORKSPACE")),
            (1_usize..9).prop_map(|line| Source::ConfigFile {
                path: "/c".into(),
                line,
                key: "poc.workspace".into()
            }),
            Just(Source::Default),
        ];
        prop::option::of(
            ("/[a-c]", source).prop_map(|(path, source)| Resolved::new(path.into(), source)),
        )
    }

    fn layer() -> impl Strategy<Value = Layer> {
        (setting(), setting(), setting(), setting()).prop_map(
            |(workspace, startup_kit_dir, examples, python)| Layer {
                workspace,
                startup_kit_dir,
                examples,
                python,
            },
        )
    }

    proptest! {
        #[test]
        fn the_order_of_combining_does_not_matter(a in layer(), b in layer(), c in layer()) {
            prop_assert_eq!(a.clone().over(b.clone()).over(c.clone()), a.over(b.over(c)));
        }

        #[test]
        fn an_empty_layer_changes_nothing(a in layer()) {
            prop_assert_eq!(a.clone().over(Layer::default()), a.clone());
            prop_assert_eq!(Layer::default().over(a.clone()), a);
        }

        #[test]
        fn the_upper_layer_wins_wherever_it_speaks(a in layer(), b in layer()) {
            let both = a.clone().over(b.clone());
            for (upper, lower, combined) in [
                (a.workspace, b.workspace, both.workspace),
                (a.startup_kit_dir, b.startup_kit_dir, both.startup_kit_dir),
                (a.examples, b.examples, both.examples),
                (a.python, b.python, both.python),
            ] {
                prop_assert_eq!(combined, if upper.is_some() { upper } else { lower });
            }
        }
    }
}
