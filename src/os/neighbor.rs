//! Frames about the addresses of one device: those that ask or tell, as they come from the link,
//! and those that are sent there. What they say is not known here.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv6Addr;

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::packet::{Frames, Mark, PacketSocket};
use super::{netns, readiness};
use crate::net::EtherType;

/// Longer than any question with its options.
const FRAME_MAX: usize = 256;

/// The sockets of one device. Needs a tokio runtime.
#[derive(Debug)]
pub struct NeighborSocket {
    arp: AsyncFd<PacketSocket>,
    ipv6: AsyncFd<PacketSocket>,
    groups: Socket,
    joined: BTreeSet<Ipv6Addr>,
}

impl NeighborSocket {
    /// Opens a device of a namespace; `None` is that of this thread. Of IPv6 only frames with all
    /// marks of one line are received.
    pub fn open<const N: usize>(
        namespace: Option<&str>,
        device: &str,
        ipv6: &[[Mark; N]],
    ) -> Result<Self> {
        let arp = PacketSocket::open(namespace, device, Frames::Of(EtherType::ARP))?;
        let of_ipv6 = Frames::Of(EtherType::IPV6);
        let ipv6 = PacketSocket::open_marked(namespace, device, of_ipv6, ipv6)?;
        let open = || Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP));
        let groups = netns::within_or_here(namespace, open)?.context("joining groups")?;
        arp.set_nonblocking()?;
        ipv6.set_nonblocking()?;
        let (arp, ipv6) = (readiness::watch(arp)?, readiness::watch(ipv6)?);
        Ok(NeighborSocket { arp, ipv6, groups, joined: BTreeSet::new() })
    }

    /// Is a member of exactly these groups from now on: switches that snoop MLD pass questions
    /// only to members (RFC 4541 §3).
    pub fn join(&mut self, groups: &BTreeSet<Ipv6Addr>) {
        let index = self.arp.get_ref().index();
        for group in self.joined.difference(groups) {
            let _ = self.groups.leave_multicast_v6(group, index);
        }
        for group in groups.difference(&self.joined) {
            let _ = self.groups.join_multicast_v6(group, index);
        }
        self.joined.clone_from(groups);
    }

    /// Sends a frame, from its destination address on.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.arp.get_ref().send(frame)
    }

    /// Waits for the next frame. Cancelling the wait loses none.
    pub async fn receive(&self) -> io::Result<Vec<u8>> {
        tokio::select! {
            frame = receive(&self.arp) => frame,
            frame = receive(&self.ipv6) => frame,
        }
    }
}

async fn receive(socket: &AsyncFd<PacketSocket>) -> io::Result<Vec<u8>> {
    let mut buffer = [0; FRAME_MAX];
    loop {
        let read = socket.async_io(Interest::READABLE, |s| s.receive(&mut buffer)).await;
        match read {
            // A device that is down says so once and works again when it is up.
            Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => {}
            Err(error) => return Err(error),
            Ok(length) => return Ok(buffer.get(..length).unwrap_or_default().to_vec()),
        }
    }
}
