use std::{collections::BTreeSet, net::SocketAddr};

use procfs::{
    net::{TcpState, tcp, tcp6},
    process::{FDTarget, Process},
};

use crate::PocTest;

impl PocTest {
    /// The TCP addresses on which this world's processes listen.
    pub fn listeners(&self) -> BTreeSet<SocketAddr> {
        let sockets: BTreeSet<u64> = self
            .processes()
            .iter()
            .filter_map(|one| Process::new(i32::try_from(one.pid).ok()?).ok()?.fd().ok())
            .flatten()
            .filter_map(|descriptor| match descriptor.ok()?.target {
                FDTarget::Socket(inode) => Some(inode),
                _ => None,
            })
            .collect();
        let entries = tcp().unwrap().into_iter().chain(tcp6().unwrap_or_default());
        entries
            .filter(|entry| entry.state == TcpState::Listen && sockets.contains(&entry.inode))
            .map(|entry| entry.local_address)
            .collect()
    }
}
