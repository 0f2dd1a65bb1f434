//! NVIDIA by its tool, where the library could not be asked.

mod parse;

use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use crate::device::{Device, Vendor};
use crate::options::DiscoverOptions;
use crate::probe::command::{self, Ran};
use crate::probe::{Finding, Probe};

use parse::{BASIC_FIELDS, FULL_FIELDS, Rows};

const TOOL: &str = "nvidia-smi";

/// Where the tool is when it is not on `PATH`: Windows' driver under WSL, and container hosts that
/// mount the driver.
const ELSEWHERE: [&str; 3] = [
    "/usr/lib/wsl/lib",
    "/usr/local/nvidia/bin",
    "/run/opengl-driver/bin",
];

/// Asks `nvidia-smi`.
pub(crate) struct NvidiaSmi {
    tool: Option<Utf8PathBuf>,
    timeout: Duration,
}

impl NvidiaSmi {
    pub(crate) fn new(options: &DiscoverOptions) -> Self {
        let elsewhere = ELSEWHERE.map(|dir| options.at(dir));
        Self {
            tool: command::find(TOOL, options.path.as_deref(), &elsewhere),
            timeout: options.timeout,
        }
    }
}

impl Probe for NvidiaSmi {
    fn name(&self) -> &'static str {
        TOOL
    }

    fn vendor(&self) -> Vendor {
        Vendor::Nvidia
    }

    fn look(&self) -> Finding {
        let Some(tool) = &self.tool else {
            return Finding::Absent;
        };
        let deadline = Instant::now() + self.timeout;
        interview(self.timeout, |arguments| {
            command::run(tool, arguments, deadline)
        })
    }
}

/// What reads an answer.
type Parser = fn(&str) -> Rows;

/// Asks until an answer can be read: drivers differ in the fields they know, and old ones know
/// little but their list.
fn interview(timeout: Duration, run: impl Fn(&[&str]) -> Ran) -> Finding {
    let query = |fields: &[&str]| format!("--query-gpu={}", fields.join(","));
    let (full, basic) = (query(&FULL_FIELDS), query(&BASIC_FIELDS));
    let csv = "--format=csv,noheader,nounits";
    let questions: [(&[&str], Parser); 4] = [
        (&[&full, csv], |text| parse::rows(text, &FULL_FIELDS)),
        (&[&basic, csv], |text| parse::rows(text, &BASIC_FIELDS)),
        (&["-L"], parse::list),
        // What NVFlare itself asks.
        (&["--query-gpu=index", "--format=csv"], |text| {
            parse::rows(text, &["index"])
        }),
    ];

    let mut last_words = String::new();
    for (arguments, parser) in questions {
        let (code, stdout, stderr) = match run(arguments) {
            Ran::Ended {
                code,
                stdout,
                stderr,
            } => (code, stdout, stderr),
            Ran::TimedOut => {
                return Finding::Broken {
                    reason: command::no_answer(TOOL, timeout),
                    hangs: true,
                };
            }
            Ran::Unrunnable(reason) => return Finding::broken(reason),
        };
        let said = format!("{stdout}\n{stderr}");
        if parse::says_no_devices(&said) {
            return Finding::found(Vec::new());
        }
        let Rows { devices, rest } = parser(&stdout);
        if !devices.is_empty() {
            let warnings = rest
                .iter()
                .map(|line| format!("{TOOL} says: {}", command::words(line)))
                .collect();
            return Finding::Found {
                devices: completed(devices, &run),
                warnings,
            };
        }
        if code != Some(0) && !parse::says_not_understood(code, &said) || parse::says_failed(&said)
        {
            let words = command::words(&said);
            return Finding::broken(if words.is_empty() {
                command::silent_end(TOOL, code)
            } else {
                words
            });
        }
        last_words = command::words(&said);
    }
    if last_words.is_empty() {
        return Finding::found(Vec::new());
    }
    Finding::broken(format!("{TOOL} says what cannot be read: {last_words}"))
}

/// The devices with what takes a further question: MIG instances and processes. Both are left out
/// where the tool does not say.
fn completed(mut devices: Vec<Device>, run: impl Fn(&[&str]) -> Ran) -> Vec<Device> {
    if devices
        .iter()
        .any(|device| device.mig_enabled && device.mig.is_empty())
        && let Ran::Ended { stdout, .. } = run(&["-L"])
    {
        let listed = parse::list(&stdout).devices;
        for device in &mut devices {
            if let Some(same) = listed.iter().find(|listed| listed.index == device.index) {
                device.mig.clone_from(&same.mig);
            }
        }
    }
    let apps = ["--query-compute-apps=gpu_uuid,pid", "--format=csv,noheader"];
    if let Ran::Ended { stdout, .. } = run(&apps) {
        for (uuid, pid) in parse::processes(&stdout) {
            let device = devices
                .iter_mut()
                .find(|device| device.uuid.as_deref() == Some(uuid));
            if let Some(device) = device
                && !device.processes.contains(&pid)
            {
                device.processes.push(pid);
            }
        }
    }
    devices
}

#[cfg(test)]
mod tests;
