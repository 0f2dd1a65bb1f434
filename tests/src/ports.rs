use std::{
    fs::{File, TryLockError},
    net::TcpListener,
    process,
};

use crate::Build;

/// Below the range from which the kernel takes ports for outgoing connections (32768 on Linux), or
/// another test's client could sit on a port between its choice and its use.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// TCP ports that no other test will take while this value lives, in this process or another.
#[derive(Debug)]
pub struct Ports {
    /// Each with its locked file; the kernel unlocks them however the test ends.
    held: Vec<(u16, File)>,
}

impl Ports {
    /// Reserves `count` ports on which nothing listens.
    pub fn reserve(build: &Build, count: usize) -> Self {
        let directory = build.tmp().join("ports");
        fs_err::create_dir_all(&directory).unwrap();
        let mut reserved = Self { held: Vec::new() };
        let first = RANGE.start + u16::try_from(process::id() % 10_000).unwrap();
        for port in (first..RANGE.end).chain(RANGE.start..first) {
            if reserved.held.len() == count {
                return reserved;
            }
            let lock = File::create(directory.join(port.to_string())).unwrap();
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => panic!("locking port {port}: {error}"),
            }
            // All addresses at once: a listener on any of them is in the way.
            if TcpListener::bind(("0.0.0.0", port)).is_ok() {
                reserved.held.push((port, lock));
            }
        }
        panic!("no {count} free ports in {RANGE:?}");
    }

    /// The port at `index`.
    pub fn get(&self, index: usize) -> u16 {
        self.held[index].0
    }
}
