//! What a host has: the answer of the probes, put together.

use serde::Serialize;

use crate::device::{Device, GpuId, Vendor};
use crate::options::{DiscoverOptions, PROBES_VARIABLE};
use crate::pool::{Inherited, pool};
use crate::probe::{self, Finding, Probe};

/// What was found out about a host's GPUs. The three answers differ, and only the second is a
/// reason to worry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Host {
    /// No driver and no tool: a host without GPUs, as most are.
    NoDriver,
    /// A driver or its tools are there and do not work, so what GPUs there are cannot be used.
    Broken {
        /// What went wrong, in the tool's own words where it had any.
        reason: String,
        /// The probe that met it.
        source: &'static str,
    },
    /// A driver that works, with or without GPUs.
    Present(Inventory),
}

/// The GPUs of a host with a working driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// All of them, NVIDIA's first, in the order of their index.
    pub devices: Vec<Device>,
    /// The ids that may be dealt, in the order of dealing: all, or what an inherited
    /// `CUDA_VISIBLE_DEVICES` leaves.
    pub pool: Vec<GpuId>,
    /// The probe that found them (the first, where two vendors' did).
    pub source: &'static str,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Inventory {
    /// An inventory of these devices, with the pool that the inherited variables leave.
    pub fn new(mut devices: Vec<Device>, source: &'static str, inherited: &Inherited) -> Self {
        devices.sort_by_key(|device| (device.vendor, device.index));
        let (pool, warnings) = pool(&devices, inherited);
        Self {
            devices,
            pool,
            source,
            warnings,
        }
    }
}

impl Host {
    /// The GPUs found; none where there is no driver or a broken one.
    pub fn devices(&self) -> &[Device] {
        match self {
            Self::Present(inventory) => &inventory.devices,
            Self::NoDriver | Self::Broken { .. } => &[],
        }
    }

    /// The ids that may be dealt, in the order of dealing.
    pub fn pool(&self) -> &[GpuId] {
        match self {
            Self::Present(inventory) => &inventory.pool,
            Self::NoDriver | Self::Broken { .. } => &[],
        }
    }

    /// What the user should know, a broken driver first of all.
    pub fn warnings(&self) -> Vec<String> {
        match self {
            Self::NoDriver => Vec::new(),
            Self::Broken { reason, source } => {
                vec![format!("GPUs cannot be used: {reason} (by {source})")]
            }
            Self::Present(inventory) => inventory.warnings.clone(),
        }
    }

    /// What to do about a broken driver, where its words are known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Broken { reason, .. } => probe::remedy(reason),
            Self::NoDriver | Self::Present(_) => None,
        }
    }

    /// Why an id may be missing that the user expects.
    pub(crate) fn shortage(&self) -> Option<String> {
        match self {
            Self::NoDriver => Some("this host has no GPU driver".to_owned()),
            Self::Broken { reason, .. } => Some(format!("the GPU driver is broken: {reason}")),
            Self::Present(inventory) => {
                let vendor = inventory.devices.first()?.vendor;
                let all: usize = inventory
                    .devices
                    .iter()
                    .filter(|device| device.vendor == vendor)
                    .map(|device| device.dealable().len())
                    .sum();
                let variable = match vendor {
                    Vendor::Nvidia => "CUDA_VISIBLE_DEVICES",
                    Vendor::Amd => "ROCR_VISIBLE_DEVICES or HIP_VISIBLE_DEVICES",
                };
                (inventory.pool.len() < all).then(|| {
                    format!(
                        "the inherited {variable} leaves {} of the {all} GPUs of this host",
                        inventory.pool.len()
                    )
                })
            }
        }
    }
}

/// Asks the built-in probes, in their order, what GPUs this host has.
///
/// Takes as long as the vendor's driver does: milliseconds as a rule, seconds for a driver that
/// must first wake its GPUs, and for one that hangs [`DiscoverOptions::timeout`].
///
/// ```no_run
/// use poc_gpu::{DiscoverOptions, Host, discover};
///
/// match discover(&DiscoverOptions::from_process()) {
///     Host::NoDriver => println!("no GPU here"),
///     Host::Broken { reason, .. } => println!("a broken driver: {reason}"),
///     Host::Present(found) => println!("{} GPUs", found.devices.len()),
/// }
/// ```
pub fn discover(options: &DiscoverOptions) -> Host {
    let mut probes = probe::built_in(options);
    let Some(wanted) = &options.probes else {
        return discover_with(&probes, &options.inherited);
    };

    let names: Vec<&str> = probes.iter().map(|probe| probe.name()).collect();
    let unknown = wanted.iter().find(|name| !names.contains(&name.as_str()));
    let complaint =
        unknown.map(|name| format!("there is no GPU probe `{name}`, only {}", names.join(", ")));
    let mut chosen: Vec<Box<dyn Probe>> = Vec::new();
    for name in wanted {
        if let Some(at) = probes.iter().position(|probe| probe.name() == name) {
            chosen.push(probes.swap_remove(at));
        }
    }
    match (discover_with(&chosen, &options.inherited), complaint) {
        // A slip in the variable must not look like a host without GPUs.
        (Host::NoDriver, Some(reason)) => Host::Broken {
            reason,
            source: PROBES_VARIABLE,
        },
        (Host::Present(mut inventory), Some(complaint)) => {
            inventory.warnings.push(complaint);
            Host::Present(inventory)
        }
        (host, _) => host,
    }
}

/// Asks these probes, in this order: the first of a vendor that finds a driver speaks for it.
///
/// A probe that finds a broken driver passes the question on to the next one that can tell better
/// ([`Probe::reaches_driver`]), unless the driver hangs: the next would hang as well. If no other
/// one finds a working driver, the first reason stands.
pub fn discover_with(probes: &[Box<dyn Probe>], inherited: &Inherited) -> Host {
    let mut found: Vec<(&'static str, Vec<Device>)> = Vec::new();
    let mut broken: Option<(String, &'static str)> = None;
    let mut warnings = Vec::new();
    for vendor in [Vendor::Nvidia, Vendor::Amd] {
        match ask(probes, vendor) {
            Answer::Nothing => {}
            Answer::Broken { reason, source } => {
                broken = broken.or(Some((reason, source)));
            }
            Answer::Found {
                devices,
                warnings: said,
                source,
            } => {
                found.push((source, devices));
                warnings.extend(said);
            }
        }
    }

    // A driver without GPUs does not speak for the other vendor, whose broken one matters more.
    let with_gpus = found.iter().find(|(_, devices)| !devices.is_empty());
    let source = match (with_gpus, &broken) {
        (Some((source, _)), _) => *source,
        (None, Some((reason, source))) => {
            return Host::Broken {
                reason: reason.clone(),
                source,
            };
        }
        (None, None) => match found.first() {
            Some((source, _)) => *source,
            None => return Host::NoDriver,
        },
    };
    let devices = found.into_iter().flat_map(|(_, devices)| devices).collect();
    let mut inventory = Inventory::new(devices, source, inherited);
    warnings.extend(broken.map(|(reason, source)| format!("{reason} (by {source})")));
    warnings.append(&mut inventory.warnings);
    inventory.warnings = warnings;
    Host::Present(inventory)
}

enum Answer {
    Nothing,
    Broken {
        reason: String,
        source: &'static str,
    },
    Found {
        devices: Vec<Device>,
        warnings: Vec<String>,
        source: &'static str,
    },
}

fn ask(probes: &[Box<dyn Probe>], vendor: Vendor) -> Answer {
    let mut failure: Option<(String, &'static str)> = None;
    for probe in probes.iter().filter(|probe| probe.vendor() == vendor) {
        if failure.is_some() && !probe.reaches_driver() {
            continue;
        }
        match probe.look() {
            Finding::Absent => {}
            Finding::Found {
                devices,
                mut warnings,
            } => {
                if let Some((reason, source)) = failure {
                    warnings.insert(
                        0,
                        format!("{reason} (by {source}; asked {} instead)", probe.name()),
                    );
                }
                return Answer::Found {
                    devices,
                    warnings,
                    source: probe.name(),
                };
            }
            Finding::Broken { reason, hangs } => {
                let (reason, source) = failure.take().unwrap_or((reason, probe.name()));
                if hangs {
                    return Answer::Broken { reason, source };
                }
                failure = Some((reason, source));
            }
        }
    }
    match failure {
        Some((reason, source)) => Answer::Broken { reason, source },
        None => Answer::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Told {
        name: &'static str,
        vendor: Vendor,
        reaches_driver: bool,
        finding: Option<Finding>,
    }

    impl Probe for Told {
        fn name(&self) -> &'static str {
            self.name
        }

        fn vendor(&self) -> Vendor {
            self.vendor
        }

        fn reaches_driver(&self) -> bool {
            self.reaches_driver
        }

        fn look(&self) -> Finding {
            match &self.finding {
                Some(finding) => finding.clone(),
                None => panic!("{} was asked", self.name),
            }
        }
    }

    /// A probe; `None` for one that must not be asked.
    fn told(name: &'static str, finding: impl Into<Option<Finding>>) -> Box<dyn Probe> {
        let vendor = match name {
            "amd-smi" | "rocm-smi" | "sysfs" => Vendor::Amd,
            _ => Vendor::Nvidia,
        };
        Box::new(Told {
            name,
            vendor,
            reaches_driver: name != "proc",
            finding: finding.into(),
        })
    }

    fn found(vendor: Vendor, n: u32) -> Finding {
        let device = |index| Device::new(vendor, index, "GPU", "test");
        Finding::found((0..n).map(device).collect())
    }

    fn host(probes: &[Box<dyn Probe>]) -> Host {
        discover_with(probes, &Inherited::default())
    }

    fn hang() -> Finding {
        Finding::Broken {
            reason: "no answer".to_owned(),
            hangs: true,
        }
    }

    #[test]
    fn three_answers() {
        let nothing = host(&[
            told("nvml", Finding::Absent),
            told("sysfs", Finding::Absent),
        ]);
        assert_eq!(nothing, Host::NoDriver);
        assert_eq!(nothing.warnings(), [""; 0]);

        let broken = host(&[told("nvml", Finding::broken("driver is not loaded"))]);
        assert_eq!(
            broken,
            Host::Broken {
                reason: "driver is not loaded".to_owned(),
                source: "nvml"
            }
        );
        assert_eq!(broken.warnings().len(), 1);
        assert!(broken.hint().is_some());

        let empty = host(&[told("nvml", found(Vendor::Nvidia, 0))]);
        let Host::Present(inventory) = &empty else {
            panic!("{empty:?}");
        };
        assert_eq!((inventory.devices.len(), inventory.source), (0, "nvml"));
        assert_eq!(empty.warnings(), [""; 0]);
    }

    #[test]
    fn the_first_that_finds_a_driver_speaks_for_it() {
        let host = host(&[
            told("nvml", Finding::Absent),
            told("nvidia-smi", found(Vendor::Nvidia, 2)),
            told("proc", None),
        ]);
        assert_eq!(host.pool(), [GpuId::Nvidia(0), GpuId::Nvidia(1)]);
    }

    #[test]
    fn a_tool_may_know_better_than_a_broken_library() {
        let host = host(&[
            told("nvml", Finding::broken("NVML cannot be loaded")),
            told("nvidia-smi", found(Vendor::Nvidia, 1)),
        ]);
        assert_eq!(host.devices().len(), 1);
        insta::assert_snapshot!(host.warnings().join("\n"), @"NVML cannot be loaded (by nvml; asked nvidia-smi instead)");
    }

    #[test]
    fn what_the_kernel_lists_does_not_mend_a_broken_driver() {
        let host = host(&[
            told("nvml", Finding::broken("version mismatch")),
            told("nvidia-smi", Finding::broken("something else")),
            told("proc", None),
        ]);
        let Host::Broken { reason, source } = host else {
            panic!("{host:?}");
        };
        assert_eq!((reason.as_str(), source), ("version mismatch", "nvml"));
    }

    #[test]
    fn a_hanging_driver_is_not_asked_again() {
        let host = host(&[told("nvml", hang()), told("nvidia-smi", None)]);
        assert!(matches!(host, Host::Broken { source: "nvml", .. }));
    }

    #[test]
    fn two_vendors() {
        // A broken NVIDIA driver does not hide AMD's GPUs, nor an empty AMD driver its failure.
        let beside = |amd| host(&[told("nvml", hang()), told("sysfs", found(Vendor::Amd, amd))]);
        let Host::Present(inventory) = beside(1) else {
            panic!("hidden");
        };
        assert_eq!((inventory.source, inventory.warnings.len()), ("sysfs", 1));
        assert!(matches!(beside(0), Host::Broken { .. }));

        let both = host(&[
            told("sysfs", found(Vendor::Amd, 1)),
            told("nvml", found(Vendor::Nvidia, 1)),
        ]);
        let vendors: Vec<_> = both.devices().iter().map(|gpu| gpu.vendor).collect();
        assert_eq!(vendors, [Vendor::Nvidia, Vendor::Amd]);
        assert_eq!(both.pool(), [GpuId::Nvidia(0)]);

        let empty_nvidia = host(&[
            told("nvml", found(Vendor::Nvidia, 0)),
            told("sysfs", found(Vendor::Amd, 2)),
        ]);
        assert_eq!(empty_nvidia.pool(), [GpuId::Amd(0), GpuId::Amd(1)]);
        assert!(matches!(empty_nvidia, Host::Present(found) if found.source == "sysfs"));
    }

    /// Options under which no probe but a chosen one could find anything.
    fn nowhere(probes: &[&str]) -> DiscoverOptions {
        DiscoverOptions {
            root: "/nonexistent".into(),
            nvml: Vec::new(),
            probes: Some(probes.iter().map(|name| (*name).to_owned()).collect()),
            ..DiscoverOptions::default()
        }
    }

    #[test]
    fn probes_can_be_chosen() {
        let all = ["nvml", "nvidia-smi", "proc", "amd-smi", "rocm-smi", "sysfs"];
        assert_eq!(discover(&nowhere(&all)), Host::NoDriver);
        assert_eq!(discover(&nowhere(&[])), Host::NoDriver);
        let Host::Broken { reason, .. } = discover(&nowhere(&["nvidia_smi"])) else {
            panic!("a slip went unseen");
        };
        insta::assert_snapshot!(reason, @"there is no GPU probe `nvidia_smi`, only nvml, nvidia-smi, proc, amd-smi, rocm-smi, sysfs");
    }
}
