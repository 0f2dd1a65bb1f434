//! What a fork server must have in common with the participants that are forked from it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// Starts one thread for each core when NumPy is imported, if it is not told otherwise.
const THREADS: (&str, &str) = ("OPENBLAS_NUM_THREADS", "1");
/// Room for larger environments; see [`super::server`].
const ROOM: &str = "POC_FORK_SERVER_ROOM";

/// The interpreter and the environment of its start. Python, the C library and whatever is imported
/// read variables when they start, and a fork cannot repeat that; so a participant is forked only from a
/// server that was started in the same environment, what is each participant's own left aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) python: String,
    shared: BTreeMap<OsString, OsString>,
}

impl Origin {
    pub(super) fn new(python: &str, environment: &[(OsString, OsString)]) -> Self {
        let shared = environment.iter().filter(|(name, _)| !is_own(name));
        Self {
            python: python.to_owned(),
            shared: shared.cloned().collect(),
        }
    }

    /// What a server is started with, with `room` bytes more than that takes.
    pub(super) fn environment(&self, room: usize) -> Vec<(OsString, OsString)> {
        let mut environment = self.shared.clone();
        environment.insert(THREADS.0.into(), THREADS.1.into());
        environment.insert(ROOM.into(), " ".repeat(room).into());
        environment.into_iter().collect()
    }
}

/// Whether a variable is each participant's own affair: which participant it is, its GPUs, and what a
/// shell notes down for itself, which nothing depends on before a program runs.
fn is_own(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.ends_with("_VISIBLE_DEVICES")
        || [
            crate::supervisor::PARTICIPANT,
            "CUDA_DEVICE_ORDER",
            "OLDPWD",
            "PWD",
            "SHLVL",
            "_",
        ]
        .contains(&name.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(pairs: &[(&str, &str)]) -> Origin {
        let pairs: Vec<(OsString, OsString)> = pairs
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Origin::new("/venv/bin/python", &pairs)
    }

    #[test]
    fn what_is_ones_own_makes_no_difference_and_all_else_does() {
        let mine = origin(&[("A", "1"), ("CUDA_VISIBLE_DEVICES", "0"), ("PWD", "/x")]);
        assert_eq!(mine, origin(&[("POC_PARTICIPANT", "site-2"), ("A", "1")]));
        assert_ne!(mine, origin(&[("A", "2")]));
        assert_ne!(mine, origin(&[("A", "1"), ("LD_PRELOAD", "/x.so")]));
        assert_ne!(mine, Origin::new("/usr/bin/python3", &[]));
    }

    #[test]
    fn the_server_has_no_threads_and_room() {
        let environment = origin(&[("OPENBLAS_NUM_THREADS", "8"), ("SHLVL", "3")]).environment(4);
        let environment: Vec<String> = environment
            .iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        assert_eq!(
            environment,
            ["OPENBLAS_NUM_THREADS=1", "POC_FORK_SERVER_ROOM=    "]
        );
    }
}
