//! The environment of a participant: what NVFlare's own start scripts set, and no surprise.

use std::collections::BTreeMap;

use camino::Utf8Path;
use poc_core::env::{self, Env};

/// Where the distributions keep jemalloc, in the order in which NVFlare's scripts look.
const JEMALLOC: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
    "/usr/lib64/libjemalloc.so.2",
    "/usr/local/lib/libjemalloc.so",
];

/// Variables that a participant must not inherit: with `NVFL_WORKSPACE`, NVFlare 2.8 and later would
/// have every participant work in the same directory.
pub(super) fn unset() -> Vec<String> {
    vec![env::NVFL_WORKSPACE.name.to_owned()]
}

/// What is set on top of the inherited environment, GPUs left out.
pub(super) fn set(inherited: &Env, python: &Utf8Path) -> BTreeMap<String, String> {
    set_with(inherited, python, Utf8Path::exists)
}

fn set_with(
    inherited: &Env,
    python: &Utf8Path,
    exists: impl Fn(&Utf8Path) -> bool,
) -> BTreeMap<String, String> {
    let raw = |name: &str| inherited.text(name).unwrap_or_default();
    let mut set = BTreeMap::new();

    // Shared custom code comes first, as in the scripts; their trailing colon is kept too, since
    // jobs may have come to rely on what it means (the current directory).
    set.insert(
        "PYTHONPATH".to_owned(),
        format!("/local/custom:{}", raw("PYTHONPATH")),
    );

    // Jobs call `python3` by name: it must be the runtime's.
    if let Some(directory) = python.parent() {
        let path = match raw(env::PATH.name) {
            "" => directory.to_string(),
            rest => format!("{directory}:{rest}"),
        };
        set.insert(env::PATH.name.to_owned(), path);
    }

    // Fewer arenas, less memory lost to fragmentation.
    if inherited.get("MALLOC_ARENA_MAX").is_none() {
        set.insert("MALLOC_ARENA_MAX".to_owned(), "4".to_owned());
    }

    if inherited.text("NVFLARE_ENABLE_JEMALLOC_PRELOAD") == Some("true")
        && let Some(library) = JEMALLOC.iter().find(|path| exists(Utf8Path::new(path)))
    {
        let preload = match raw("LD_PRELOAD") {
            "" => (*library).to_owned(),
            rest => format!("{rest}:{library}"),
        };
        set.insert("LD_PRELOAD".to_owned(), preload);
        if inherited.get("MALLOC_CONF").is_none() {
            let conf = "dirty_decay_ms:5000,muzzy_decay_ms:5000";
            set.insert("MALLOC_CONF".to_owned(), conf.to_owned());
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(set: &BTreeMap<String, String>) -> Vec<String> {
        set.iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn a_bare_environment_gets_what_the_scripts_set() {
        let set = set_with(&Env::default(), "/venv/bin/python3".into(), |_| true);
        insta::assert_debug_snapshot!(pairs(&set), @r#"
        [
            "MALLOC_ARENA_MAX=4",
            "PATH=/venv/bin",
            "PYTHONPATH=/local/custom:",
        ]
        "#);
    }

    #[test]
    fn what_the_user_set_is_kept_or_extended() {
        let env = Env::from_pairs([
            ("PYTHONPATH", "/home/mia/lib"),
            ("PATH", "/usr/bin:/bin"),
            ("MALLOC_ARENA_MAX", "2"),
            ("LD_PRELOAD", "/x.so"),
            ("NVFLARE_ENABLE_JEMALLOC_PRELOAD", "true"),
        ]);
        let set = set_with(&env, "/venv/bin/python3".into(), |path| {
            path.starts_with("/usr/lib64")
        });
        insta::assert_debug_snapshot!(pairs(&set), @r#"
        [
            "LD_PRELOAD=/x.so:/usr/lib64/libjemalloc.so.2",
            "MALLOC_CONF=dirty_decay_ms:5000,muzzy_decay_ms:5000",
            "PATH=/venv/bin:/usr/bin:/bin",
            "PYTHONPATH=/local/custom:/home/mia/lib",
        ]
        "#);
    }
}
