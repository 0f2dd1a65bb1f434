//! TCP ports: who listens on one, and which are free.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::ops::Range;

use procfs::net::TcpState;
use procfs::process::FDTarget;

use crate::Error;

/// Where free ports are looked for: below the range from which Linux gives outgoing connections
/// their ports (32768 and up), so that no connection takes a port between its choice and its use.
const RANGE: Range<u16> = 20_000..32_000;

/// The listener on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The address that it listens on.
    pub address: SocketAddr,
    /// Its process ID; `None` where the process belongs to another user.
    pub pid: Option<u32>,
    /// The name of its program, where it is known.
    pub name: Option<String>,
}

impl fmt::Display for Holder {
    /// `python3 (PID 4711)`, or what is known of that.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.pid) {
            (Some(name), Some(pid)) => write!(f, "{name} (PID {pid})"),
            (None, Some(pid)) => write!(f, "PID {pid}"),
            _ => f.write_str("a process of another user"),
        }
    }
}

/// Who listens on a TCP port, on whatever address; `None` where nobody does. Only listeners count: a
/// connection that has just ended (TIME_WAIT) keeps nobody from listening.
///
/// # Errors
///
/// [`Error::Io`] where /proc cannot be read.
pub fn holder(port: u16) -> Result<Option<Holder>, Error> {
    let Some((address, inode)) = listeners()?
        .into_iter()
        .find(|(address, _)| address.port() == port)
    else {
        return Ok(None);
    };
    let process = owner(inode);
    let name = process
        .as_ref()
        .and_then(|process| process.stat().ok())
        .map(|stat| stat.comm);
    let pid = process.and_then(|process| u32::try_from(process.pid).ok());
    Ok(Some(Holder { address, pid, name }))
}

/// The ports that a process listens on, in ascending order; empty where that cannot be seen.
///
/// # Errors
///
/// [`Error::Io`] where /proc cannot be read.
pub fn of_process(pid: u32) -> Result<Vec<u16>, Error> {
    let inodes = crate::process::sockets(pid);
    if inodes.is_empty() {
        return Ok(Vec::new());
    }
    let mut ports: Vec<u16> = listeners()?
        .into_iter()
        .filter(|(_, inode)| inodes.contains(inode))
        .map(|(address, _)| address.port())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    Ok(ports)
}

/// So many different ports that nobody listens on, neither here nor on any other address of this
/// machine.
///
/// # Errors
///
/// [`Error::Io`] where there are not so many.
pub fn free(count: usize) -> Result<Vec<u16>, Error> {
    // Two that choose at the same time should not choose the same.
    let seed = RandomState::new().hash_one(std::process::id());
    let ports = choose(count, RANGE, seed, is_free);
    if ports.len() < count {
        let message = format!(
            "there are no {count} free TCP ports between {} and {}",
            RANGE.start, RANGE.end
        );
        return Err(Error::Io(std::io::Error::new(
            ErrorKind::AddrNotAvailable,
            message,
        )));
    }
    Ok(ports)
}

fn choose(
    count: usize,
    range: Range<u16>,
    seed: u64,
    mut is_free: impl FnMut(u16) -> bool,
) -> Vec<u16> {
    let length = u64::from(range.end - range.start);
    let start = u16::try_from(seed % length).unwrap_or(0);
    (range.start + start..range.end)
        .chain(range.start..range.start + start)
        .filter(|port| is_free(*port))
        .take(count)
        .collect()
}

/// Whether a listener could be had. The standard library lets a listener reuse a port in TIME_WAIT.
fn is_free(port: u16) -> bool {
    let can_listen = |address: IpAddr| match TcpListener::bind((address, port)) {
        Ok(_) => true,
        // No such address family here: nobody can listen there either.
        Err(error) => matches!(
            error.kind(),
            ErrorKind::Unsupported | ErrorKind::AddrNotAvailable
        ),
    };
    // One after the other: bound at once, the two would be in each other's way.
    can_listen(Ipv4Addr::UNSPECIFIED.into()) && can_listen(Ipv6Addr::UNSPECIFIED.into())
}

/// Every listener with the inode of its socket.
fn listeners() -> Result<Vec<(SocketAddr, u64)>, Error> {
    let tcp = procfs::net::tcp().map_err(|error| Error::Io(std::io::Error::other(error)))?;
    // A kernel without IPv6 has no such file.
    let tcp6 = procfs::net::tcp6().unwrap_or_default();
    let entries = tcp.into_iter().chain(tcp6);
    Ok(entries
        .filter(|entry| entry.state == TcpState::Listen)
        .map(|entry| (entry.local_address, entry.inode))
        .collect())
}

/// The process that holds a socket, where this user can see it.
fn owner(inode: u64) -> Option<procfs::process::Process> {
    procfs::process::all_processes()
        .ok()?
        .flatten()
        .find(|process| {
            process.fd().is_ok_and(|fds| {
                fds.flatten()
                    .any(|fd| matches!(fd.target, FDTarget::Socket(i) if i == inode))
            })
        })
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::eventually;

    fn listen(port: u16) -> TcpListener {
        let mut listener = None;
        assert!(eventually(|| {
            listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).ok();
            listener.is_some()
        }));
        listener.unwrap()
    }

    #[test]
    fn a_listener_is_named_and_its_end_frees_the_port() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let holder = holder(port).unwrap().unwrap();
        assert_eq!(holder.pid, Some(std::process::id()));
        assert_eq!(holder.address, listener.local_addr().unwrap());
        assert!(
            holder
                .to_string()
                .ends_with(&format!("(PID {})", std::process::id()))
        );
        assert!(!is_free(port));
        assert!(of_process(std::process::id()).unwrap().contains(&port));
        drop(listener);
        assert!(eventually(|| super::holder(port).unwrap().is_none()));
    }

    #[test]
    fn a_listener_on_ipv6_counts() {
        // Where there is no IPv6 there is nothing to test.
        if let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
            let port = listener.local_addr().unwrap().port();
            assert!(holder(port).unwrap().is_some());
            assert!(!is_free(port));
        }
    }

    #[test]
    fn a_connection_that_has_ended_holds_nothing() {
        let port = free(1).unwrap()[0];
        let listener = listen(port);
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let (server, _) = listener.accept().unwrap();
        // The side that closes first is left in TIME_WAIT, with the listener's port.
        drop(server);
        drop(client);
        drop(listener);
        assert!(eventually(|| holder(port).unwrap().is_none()));
        assert!(eventually(|| is_free(port)));
    }

    #[test]
    fn free_ports_are_different_and_can_be_had_at_once() {
        let ports = free(4).unwrap();
        let listeners: Vec<_> = ports.iter().map(|port| listen(*port)).collect();
        assert_eq!(listeners.len(), 4);
        assert!(ports.iter().all(|port| RANGE.contains(port)));
        assert!(free(1).unwrap().iter().all(|port| !ports.contains(port)));
    }

    proptest! {
        #[test]
        fn chosen_ports_are_free_and_different(count in 0_usize..20, seed: u64, step in 1_u16..9) {
            let range = 100..150;
            let is_free = |port: u16| port.is_multiple_of(step);
            let available = range.clone().filter(|port| is_free(*port)).count();
            let mut ports = choose(count, range, seed, is_free);
            prop_assert_eq!(ports.len(), count.min(available));
            prop_assert!(ports.iter().all(|port| is_free(*port)));
            ports.sort_unstable();
            ports.dedup();
            prop_assert_eq!(ports.len(), count.min(available));
        }
    }
}
