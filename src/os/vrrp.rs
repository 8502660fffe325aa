//! Raw IP sockets for VRRP: protocol 112, multicast on one link, TTL or hop limit 255 in both
//! directions (RFC 9568 §5.1.1, §5.1.2). What the bytes mean is not known here.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::{netns, readiness};

/// VRRP's number among the IP protocols.
const PROTOCOL: i32 = 112;
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// Only a sender on the same link reaches us with this (RFC 9568 §5.1.1.3).
const TTL: u8 = 255;
/// More than the largest advertisement: 8 + 255 × 16 bytes and an IPv4 header.
const MESSAGE_MAX: usize = 4200;

/// The address family of a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Multicast to 224.0.0.18.
    V4,
    /// Multicast to ff02::12.
    V6,
}

impl Family {
    /// Where advertisements go.
    pub fn group(self) -> IpAddr {
        match self {
            Family::V4 => GROUP_V4.into(),
            Family::V6 => GROUP_V6.into(),
        }
    }
}

/// An advertisement as it came from the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Who sent it.
    pub source: IpAddr,
    /// The VRRP message, without an IP header.
    pub bytes: Vec<u8>,
}

/// The sockets of one family on one device. Needs a tokio runtime.
#[derive(Debug)]
pub struct VrrpSocket {
    socket: AsyncFd<Socket>,
    family: Family,
    index: u32,
    source: IpAddr,
}

impl VrrpSocket {
    /// Joins the group on a device of a namespace; `None` is that of this thread. Fails when
    /// the device has no address of that family (link-local for IPv6).
    pub fn open(namespace: Option<&str>, device: &str, family: Family) -> Result<Self> {
        let (socket, index, source) =
            netns::within_or_here(namespace, || open_here(device, family))?
                .with_context(|| format!("opening VRRP on {device}"))?;
        Ok(VrrpSocket { socket: readiness::watch(socket)?, family, index, source })
    }

    /// The address that our advertisements come from; it goes into their checksum.
    pub fn source(&self) -> IpAddr {
        self.source
    }

    /// Whether its source is still the address that it would be opened with.
    pub fn is_current(&self, namespace: Option<&str>, device: &str) -> bool {
        let address = netns::within_or_here(namespace, || own_address(device, self.family));
        matches!(address, Ok(Ok(address)) if address == self.source)
    }

    /// Sends a message to the group.
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        let group = match self.family {
            Family::V4 => SocketAddr::new(GROUP_V4.into(), 0),
            Family::V6 => SocketAddrV6::new(GROUP_V6, 0, 0, self.index).into(),
        };
        self.socket.get_ref().send_to(message, &group.into()).map(drop)
    }

    /// Waits for the next message that comes from this link (TTL 255) and not from ourselves.
    /// Cancelling the wait loses none.
    pub async fn receive(&self) -> io::Result<Received> {
        loop {
            let received =
                self.socket.async_io(tokio::io::Interest::READABLE, |s| self.read(s)).await?;
            if let Some(message) = received.filter(|message| message.source != self.source) {
                return Ok(message);
            }
        }
    }

    fn read(&self, socket: &Socket) -> io::Result<Option<Received>> {
        let mut buffer = [0; MESSAGE_MAX];
        let (length, hops, from) = read_message(socket, &mut buffer)?;
        let datagram = buffer.get(..length).unwrap_or_default();
        Ok(match self.family {
            Family::V4 => strip_ipv4(datagram),
            Family::V6 => (hops == Some(TTL))
                .then_some(from)
                .flatten()
                .map(|source| Received { source: source.into(), bytes: datagram.to_vec() }),
        })
    }
}

fn open_here(device: &str, family: Family) -> Result<(Socket, u32, IpAddr)> {
    let index = if_nametoindex(device)?;
    let source = own_address(device, family)?;
    let domain = match family {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(PROTOCOL)))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(device.as_bytes()))?;
    match source {
        IpAddr::V4(source) => set_up_v4(&socket, index, source)?,
        IpAddr::V6(source) => set_up_v6(&socket, index, source)?,
    }
    Ok((socket, index, source))
}

fn set_up_v4(socket: &Socket, index: u32, source: Ipv4Addr) -> io::Result<()> {
    socket.set_multicast_ttl_v4(TTL.into())?;
    socket.set_multicast_loop_v4(false)?;
    socket.set_multicast_if_v4(&source)?;
    // Internetwork control (RFC 2474 §4.2.2.2): the advertisements must pass a full link.
    socket.set_tos_v4(0xc0)?;
    socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(index))
}

/// While the link-local address is not yet known to be ours alone, the kernel would send from another
/// one, which RFC 9568 §5.1.2.1 forbids: then it refuses to bind.
fn set_up_v6(socket: &Socket, index: u32, source: Ipv6Addr) -> io::Result<()> {
    socket.bind(&SocketAddrV6::new(source, 0, 0, index).into())?;
    socket.set_multicast_hops_v6(TTL.into())?;
    socket.set_multicast_loop_v6(false)?;
    socket.set_multicast_if_v6(index)?;
    socket.set_recv_hoplimit_v6(true)?;
    socket.set_tclass_v6(0xc0)?;
    socket.join_multicast_v6(&GROUP_V6, index)
}

/// The first IPv4 address of a device, or its link-local IPv6 address: the kernel sends from
/// these.
fn own_address(device: &str, family: Family) -> Result<IpAddr> {
    getifaddrs()?
        .filter(|entry| entry.interface_name == device)
        .filter_map(|entry| entry.address)
        .find_map(|address| match family {
            Family::V4 => address.as_sockaddr_in().map(|a| a.ip().into()),
            Family::V6 => address
                .as_sockaddr_in6()
                .map(|a| a.ip())
                .filter(Ipv6Addr::is_unicast_link_local)
                .map(IpAddr::from),
        })
        .with_context(|| match family {
            Family::V4 => format!("{device} has no IPv4 address"),
            Family::V6 => format!("{device} has no link-local IPv6 address"),
        })
}

/// Length, hop limit and IPv6 source, the latter two only from IPv6 sockets.
fn read_message(
    socket: &Socket,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<u8>, Option<Ipv6Addr>)> {
    let mut control = nix::cmsg_space!(libc::c_int);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::empty(),
    )?;
    let hops = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv6HopLimit(hops) => u8::try_from(hops).ok(),
        _ => None,
    });
    let from = message.address.and_then(|a| a.as_sockaddr_in6().map(|a| a.ip()));
    Ok((message.bytes, hops, from))
}

/// A raw IPv4 socket hands out the IP header too. `None` unless its TTL is 255.
fn strip_ipv4(datagram: &[u8]) -> Option<Received> {
    let first = datagram.first()?;
    let header = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header < 20 || *datagram.get(8)? != TTL {
        return None;
    }
    let source: [u8; 4] = datagram.get(12..16)?.try_into().ok()?;
    Some(Received { source: source.into(), bytes: datagram.get(header..)?.to_vec() })
}

#[cfg(test)]
mod tests;
