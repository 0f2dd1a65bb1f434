//! AMD: by amd-smi, by its predecessor rocm-smi, or by what the kernel's compute driver (KFD) lists
//! in `/sys`.
//!
//! The tools count GPUs in an order of their own, while `ROCR_VISIBLE_DEVICES` counts KFD's nodes.
//! So what a tool says is matched with KFD by PCI address, and a device's index is KFD's.

mod amd_smi;
mod kfd;
mod rocm_smi;

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::device::Vendor;
use crate::options::DiscoverOptions;
use crate::probe::command::{self, Ran};
use crate::probe::{Finding, Probe};

use kfd::Kfd;

/// Where ROCm puts its tools.
const ELSEWHERE: &str = "/opt/rocm/bin";

/// Asks `amd-smi`.
pub(crate) struct AmdSmi(Tool);

/// Asks `rocm-smi`.
pub(crate) struct RocmSmi(Tool);

/// Reads KFD's topology in `/sys`.
pub(crate) struct Sysfs {
    root: Utf8PathBuf,
}

struct Tool {
    name: &'static str,
    program: Option<Utf8PathBuf>,
    root: Utf8PathBuf,
    timeout: Duration,
}

impl Tool {
    fn new(name: &'static str, options: &DiscoverOptions) -> Self {
        Self {
            name,
            program: command::find(name, options.path.as_deref(), &[options.at(ELSEWHERE)]),
            root: options.root.clone(),
            timeout: options.timeout,
        }
    }

    /// The tool's JSON for these arguments, or its failure.
    fn json(&self, program: &Utf8Path, arguments: &[&str], deadline: Instant) -> Said {
        match command::run(program, arguments, deadline) {
            Ran::Ended {
                code,
                stdout,
                stderr,
            } => read(self.name, code, &stdout, &stderr),
            Ran::TimedOut => Said::Failed(Finding::Broken {
                reason: command::no_answer(self.name, self.timeout),
                hangs: true,
            }),
            Ran::Unrunnable(reason) => Said::Failed(Finding::broken(reason)),
        }
    }
}

/// What came of running a tool.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Json(Value),
    NoGpus,
    Failed(Finding),
}

fn read(tool: &str, code: Option<i32>, stdout: &str, stderr: &str) -> Said {
    // Warnings of Python's may stand before the object, on either stream.
    let json = stdout
        .find(['{', '['])
        .and_then(|start| serde_json::from_str(&stdout[start..]).ok());
    if let Some(json) = json {
        return Said::Json(json);
    }
    let said = format!("{stderr}\n{stdout}");
    if said.contains("No AMD GPUs") || said.contains("No JSON data to report") {
        return Said::NoGpus;
    }
    let words = command::words(&said);
    Said::Failed(Finding::broken(if words.is_empty() {
        command::silent_end(tool, code)
    } else {
        format!("{tool}: {words}")
    }))
}

impl Probe for AmdSmi {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn vendor(&self) -> Vendor {
        Vendor::Amd
    }

    fn look(&self) -> Finding {
        let Some(program) = &self.0.program else {
            return Finding::Absent;
        };
        let deadline = Instant::now() + self.0.timeout;
        let ask = |arguments: &[&str]| self.0.json(program, arguments, deadline);
        let mut devices = match ask(&["static", "--asic", "--bus", "--vram", "--json"]) {
            Said::Json(json) => amd_smi::devices(&json),
            Said::NoGpus => return Finding::found(Vec::new()),
            Said::Failed(finding) => return finding,
        };
        // What is in use is worth having, but not worth failing for.
        if !devices.is_empty()
            && let Said::Json(json) = ask(&["metric", "--mem-usage", "--json"])
        {
            amd_smi::add_memory(&mut devices, &json);
        }
        Kfd::new(&self.0.root).complete(&mut devices);
        Finding::found(devices)
    }
}

impl Probe for RocmSmi {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn vendor(&self) -> Vendor {
        Vendor::Amd
    }

    fn look(&self) -> Finding {
        let Some(program) = &self.0.program else {
            return Finding::Absent;
        };
        let arguments = [
            "--showproductname",
            "--showuniqueid",
            "--showbus",
            "--showmeminfo",
            "vram",
            "--json",
        ];
        let deadline = Instant::now() + self.0.timeout;
        match self.0.json(program, &arguments, deadline) {
            Said::Json(json) => {
                let mut devices = rocm_smi::devices(&json);
                Kfd::new(&self.0.root).complete(&mut devices);
                Finding::found(devices)
            }
            Said::NoGpus => Finding::found(Vec::new()),
            Said::Failed(finding) => finding,
        }
    }
}

impl Probe for Sysfs {
    fn name(&self) -> &'static str {
        "sysfs"
    }

    fn vendor(&self) -> Vendor {
        Vendor::Amd
    }

    fn look(&self) -> Finding {
        let kfd = Kfd::new(&self.root);
        if !kfd.is_there() {
            return Finding::Absent;
        }
        Finding::found(kfd.devices(self.name()))
    }
}

impl AmdSmi {
    pub(crate) fn new(options: &DiscoverOptions) -> Self {
        Self(Tool::new("amd-smi", options))
    }
}

impl RocmSmi {
    pub(crate) fn new(options: &DiscoverOptions) -> Self {
        Self(Tool::new("rocm-smi", options))
    }
}

impl Sysfs {
    pub(crate) fn new(options: &DiscoverOptions) -> Self {
        Self {
            root: options.root.clone(),
        }
    }
}

/// The runtime's UUID of a GPU: `GPU-` and the sixteen digits of its serial number.
fn uuid(serial: u64) -> Option<String> {
    (serial != 0).then(|| format!("GPU-{serial:016x}"))
}

/// A serial number as the tools write it, `0x4162405E51BB99B0`.
fn serial(text: &str) -> Option<u64> {
    let digits = text
        .trim()
        .strip_prefix("0x")
        .or_else(|| text.trim().strip_prefix("0X"))?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests;
