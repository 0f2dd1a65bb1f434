use std::{
    fs::{File, TryLockError},
    io,
    net::{Ipv4Addr, SocketAddrV4},
    process,
    sync::atomic::{AtomicU16, Ordering},
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use crate::Build;

/// Below the range from which the kernel takes ports for outgoing connections (32768 on Linux), or
/// another test's client could sit on a port between its choice and its use.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A TCP port that no other test will take while this value lives, in this process or another.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    /// Locked; the kernel unlocks it however the test ends.
    _lock: File,
}

impl Port {
    /// Reserves a port on which nothing listens, or has listened in the last minute.
    pub(crate) fn reserve(build: &Build) -> Self {
        // Each test of a process begins behind the one before it.
        static TURN: AtomicU16 = AtomicU16::new(0);
        let own = u16::try_from(process::id() % u32::from(COUNT)).unwrap();

        let directory = build.tmp().join("ports");
        fs_err::create_dir_all(&directory).unwrap();
        for _ in 0..COUNT {
            let turn = TURN.fetch_add(1, Ordering::Relaxed);
            let number = FIRST + (own + turn % COUNT) % COUNT;
            let lock = File::create(directory.join(number.to_string())).unwrap();
            match lock.try_lock() {
                Ok(()) if is_unused(number).is_ok() => {
                    return Self {
                        number,
                        _lock: lock,
                    };
                }
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => panic!("locking port {number}: {error}"),
            }
        }
        panic!("no free port from {FIRST} on");
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

/// Whether a port could be bound on every address, with no connection of an earlier test in TIME_WAIT
/// on it. The standard library's listener would not mind those; NVFlare's preflight check does.
fn is_unused(port: u16) -> io::Result<()> {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))?;
    Ok(())
}
