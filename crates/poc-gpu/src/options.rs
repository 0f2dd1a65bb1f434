//! Where to look, and for how long.

use std::ffi::OsString;
use std::time::Duration;

use camino::Utf8PathBuf;

use crate::pool::Inherited;

/// The variable that restricts discovery to some probes, for tests and for hosts where one of them
/// misleads: names with commas between, such as `nvidia-smi,proc`, or `none`.
pub const PROBES_VARIABLE: &str = "POC_GPU_PROBES";

/// How long a driver may take to answer before it counts as hanging, unless told otherwise. Eight
/// GPUs without the persistence daemon take some seconds to wake.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where [`discover`](crate::discover) looks, and for how long.
///
/// Nothing is read from the process's environment but by [`from_process`](Self::from_process):
/// [`default`](Self::default) looks at the machine alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoverOptions {
    /// `PATH`, where the vendors' tools are looked up before the usual directories of theirs.
    pub path: Option<OsString>,
    /// The variables that narrow which GPUs are ours.
    pub inherited: Inherited,
    /// The probes to ask, by name and in this order; `None` for all.
    pub probes: Option<Vec<String>>,
    /// How long one probe may take.
    pub timeout: Duration,
    /// The directory that stands for `/`, under which `/proc`, `/sys` and the vendors' directories
    /// are.
    pub root: Utf8PathBuf,
    /// NVML, to be tried in this order: a bare file name is the dynamic loader's to find, a path
    /// is taken under `root`.
    pub nvml: Vec<Utf8PathBuf>,
}

impl Default for DiscoverOptions {
    fn default() -> Self {
        Self {
            path: None,
            inherited: Inherited::default(),
            probes: None,
            timeout: DEFAULT_TIMEOUT,
            root: Utf8PathBuf::from("/"),
            nvml: [
                "libnvidia-ml.so.1",
                // Windows' driver under WSL, where the loader is not told of it.
                "/usr/lib/wsl/lib/libnvidia-ml.so.1",
                // Container hosts that mount the driver (Google's among them), and NixOS.
                "/usr/local/nvidia/lib64/libnvidia-ml.so.1",
                "/run/opengl-driver/lib/libnvidia-ml.so.1",
            ]
            .map(Utf8PathBuf::from)
            .to_vec(),
        }
    }
}

impl DiscoverOptions {
    /// The options that this process's environment asks for.
    pub fn from_process() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "for programs that keep no snapshot of their environment"
        )]
        Self::from_environment(|name| std::env::var_os(name))
    }

    /// The options that an environment asks for: `PATH`, the variables of [`Inherited`] and
    /// [`PROBES_VARIABLE`].
    ///
    /// The lookup must give an empty variable as empty, not as unset: an empty
    /// `CUDA_VISIBLE_DEVICES` hides every GPU.
    pub fn from_environment(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name: &str| get(name).map(|value| value.to_string_lossy().into_owned());
        Self {
            path: get("PATH"),
            inherited: Inherited {
                cuda_visible_devices: text("CUDA_VISIBLE_DEVICES"),
                cuda_device_order: text("CUDA_DEVICE_ORDER"),
                rocr_visible_devices: text("ROCR_VISIBLE_DEVICES"),
                hip_visible_devices: text("HIP_VISIBLE_DEVICES"),
            },
            probes: text(PROBES_VARIABLE).and_then(|list| probes(&list)),
            ..Self::default()
        }
    }

    /// A path of the host, under [`root`](Self::root).
    pub(crate) fn at(&self, path: &str) -> Utf8PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

/// The names in the variable; `None` if it says nothing.
fn probes(list: &str) -> Option<Vec<String>> {
    let names: Vec<String> = list
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    match names.as_slice() {
        [] => None,
        [none] if none == "none" => Some(Vec::new()),
        _ => Some(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_environment_asks_for() {
        let options = DiscoverOptions::from_environment(|name| match name {
            "PATH" => Some("/bin".into()),
            "CUDA_VISIBLE_DEVICES" => Some("".into()),
            "POC_GPU_PROBES" => Some(" Nvidia-SMI, proc,".into()),
            _ => None,
        });
        assert_eq!(options.path.as_deref(), Some("/bin".as_ref()));
        assert_eq!(options.inherited.cuda_visible_devices.as_deref(), Some(""));
        assert_eq!(options.inherited.rocr_visible_devices, None);
        assert_eq!(
            options.probes.as_deref(),
            Some(&["nvidia-smi".to_owned(), "proc".to_owned()][..])
        );
    }

    #[test]
    fn the_probe_variable() {
        assert_eq!(probes(" , "), None);
        assert_eq!(probes("none"), Some(vec![]));
        assert_eq!(probes("proc"), Some(vec!["proc".to_owned()]));
    }
}
