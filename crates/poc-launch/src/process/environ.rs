//! What stands in a process's environment, as it was when its program began.

use std::io::Read as _;

use procfs::process::Process;

use super::Identity;

/// The largest environment that is looked through; the kernel allows no larger one by default.
const LARGEST: u64 = 6 * 1024 * 1024;

/// The value of a variable. Where there are several, the first one counts, as it does for the process
/// itself. `None` also where it may not be looked at.
pub(super) fn value(process: &Process, name: &str) -> Option<String> {
    let prefix = format!("{name}=");
    let mut environment = Vec::new();
    let file = process.open_relative("environ").ok()?;
    file.take(LARGEST).read_to_end(&mut environment).ok()?;
    let mut entries = environment.split(|byte| *byte == 0);
    let value = entries.find_map(|entry| entry.strip_prefix(prefix.as_bytes()))?;
    String::from_utf8(value.to_vec()).ok()
}

impl Identity {
    /// Whether the process's environment has the variable with that value.
    pub(crate) fn has_variable(&self, name: &str, value: &str) -> bool {
        let process = super::identity::process(self.pid);
        let there = process.and_then(|process| self::value(&process, name));
        there.as_deref() == Some(value) && self.is_alive()
    }
}
