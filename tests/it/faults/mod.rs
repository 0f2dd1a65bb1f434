//! What can go wrong with a running POC, and how it must end. Each fault is met on the real NVFlare,
//! ends in a `poc stop` that leaves nothing behind, and has strangers with the same names beside it
//! that live on ([`PocTest::stop_leaves_nothing`](poc_tests::PocTest::stop_leaves_nothing)).
//!
//! The table in docs/design/supervision.md names the test of each fault.

mod boot;
mod damage;
mod disk;
mod habits;
mod halted;
mod killed;
mod kits;
mod pid_files;
mod starts;
mod workspace;
