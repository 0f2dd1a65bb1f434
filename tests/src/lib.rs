//! What the end-to-end tests stand on: a hermetic world for one test, the real NVFlare, and eyes for
//! what a test leaves behind.
//!
//! # A test's world
//!
//! [`PocTest`], made by [`poc_test!`], is a temporary directory with a home, a workspace whose path
//! holds a space and an `é`, and an environment that knows nothing of the machine's. Every program
//! that a test starts gets that environment; so every process of the test, and every process of
//! these, carries the directory's name in its environment, and none can hide. When the world goes,
//! whatever still lives is killed **and the test fails**; so does a pid file or a socket left in it.
//!
//! ```no_run
//! # macro_rules! poc_test { () => { poc_tests::PocTest::new(&poc_tests::Build { poc: "", on_terminal: "", tmp: "" }) } }
//! let poc = poc_test!();
//! let prepared = poc.poc(["prepare", "-n", "2", "--format", "json"]).success();
//! assert_eq!(prepared.data()["clients"][1], "site-2");
//! ```
//!
//! # The real NVFlare
//!
//! [`runtime`] is one virtual environment for each target directory, made by `poc runtime install`
//! itself on first use and shared by all test processes under a lock. `POC_TEST_PYTHON` names
//! another interpreter to use in its place. [`runtime_of`] has other releases.
//!
//! # Faults
//!
//! [`Decoys`] are strangers with the names of a POC's processes, which must survive whatever `poc` does;
//! [`PocTest::stop_leaves_nothing`] is the end of every fault. [`PocTest::misbehaves`] gives a real
//! participant a habit that it does not have by itself.
//!
//! # Waiting
//!
//! [`wait_for`] asks again and again until the answer is there or a deadline passes. There is no
//! other way to wait here.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this crate is a part of the tests, and a test fails by panicking"
)]

mod build;
mod decoys;
mod disk;
mod docker;
mod fakes;
mod federation;
mod filters;
mod leftovers;
mod listeners;
mod output;
mod poc;
mod port;
mod run;
mod runtime;
mod terminal;
mod tree;
mod wait;
mod world;

pub use build::Build;
pub use decoys::Decoys;
pub use disk::NO_SMALL_DISK;
pub use docker::{DockerEngine, InDocker};
pub use fakes::{FakeFlare, fake_nvidia_smi, fake_python, write_program};
pub use federation::{Federation, Job};
pub use leftovers::{Process, processes_of};
pub use output::Output;
pub use poc::{is_alive, send};
pub use run::{Run, Running};
pub use runtime::{managed_data_home, runtime, runtime_of};
pub use terminal::Terminal;
pub use tree::Tree;
pub use wait::{SHORT, give_up, given_up, wait_for, wait_until};
pub use world::PocTest;
