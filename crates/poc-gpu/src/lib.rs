//! The GPUs of a host, and who gets which.
//!
//! ```
//! use poc_gpu::{DiscoverOptions, Host, Request, deal, discover};
//!
//! let host = discover(&DiscoverOptions::from_process());
//! if let Host::Present(found) = &host {
//!     for gpu in &found.devices {
//!         println!("{} {} {:?} MiB", gpu.index, gpu.name, gpu.memory_total_mib);
//!     }
//! }
//! let workers = ["a", "b", "c"].map(String::from);
//! let dealt = deal(&Request::Automatic, &workers, &workers, &host)?;
//! for (worker, share) in dealt.iter() {
//!     println!("{worker}: {:?}", share.environment());
//! }
//! # Ok::<(), poc_gpu::Error>(())
//! ```
//!
//! # Finding out
//!
//! [`discover`] asks a row of probes, each behind the trait [`Probe`]: for NVIDIA the management
//! library NVML (loaded at run time, so nothing is linked and a host without it loses nothing),
//! then `nvidia-smi`, then `/proc/driver/nvidia`; for AMD `amd-smi`, then `rocm-smi`, then KFD's
//! topology in `/sys`. Each has a time limit, because a broken driver does not fail: it hangs.
//!
//! The answer is one of three, which are not the same: [`Host::NoDriver`] (most hosts),
//! [`Host::Broken`] with a reason (worth a warning: GPUs may be there and cannot be used) and
//! [`Host::Present`] with an [`Inventory`], possibly empty.
//!
//! An inherited `CUDA_VISIBLE_DEVICES`, as Slurm and containers set it, does not hide devices from
//! the inventory; it decides its [`pool`](Inventory::pool), which is what may be dealt, and in which
//! order.
//!
//! # Dealing
//!
//! [`deal`] is a pure function of a [`Request`], the sites (any processes with names), and the
//! host. It follows the documentation of NVIDIA FLARE's `poc start -gpu`, for which this crate was
//! made: ids go to the sites in order, and round. Sharing a GPU is allowed and said.
//!
//! # Effect
//!
//! An assignment reaches a process through its environment alone: [`Share::environment`], or
//! [`Share::docker_gpus`] for a container. Set it before the process starts; CUDA reads it once.
//!
//! # What was tried on what
//!
//! The parsers are tested on outputs of the tools as their users published them (the tests name
//! the sources) and on made-up ones in the same form, the NVML probe on a stand-in library. None of
//! it has run on a machine with a GPU yet, and AMD's order of devices is as documented, not as
//! seen.

mod deal;
mod device;
mod error;
mod inventory;
mod notice;
mod options;
mod pool;
mod probe;
mod request;
mod resolve;
mod visibility;

pub use deal::{Assignment, deal};
pub use device::{ComputeMode, Device, GpuId, MigInstance, Vendor};
pub use error::Error;
pub use inventory::{Host, Inventory, discover, discover_with};
pub use options::{DEFAULT_TIMEOUT, DiscoverOptions, PROBES_VARIABLE};
pub use pool::Inherited;
pub use probe::{Finding, Probe};
pub use request::Request;
pub use visibility::Share;

/// The README's program, compiled and run with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
