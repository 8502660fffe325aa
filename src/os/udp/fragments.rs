//! UDP datagrams over IPv6 in fragments (RFC 8200 §4.5) that every path carries.
//!
//! Linux cuts at what it knows of a path, which is the MTU of the first link until a router says
//! otherwise, and `IPV6_MTU` does not make it cut earlier. On a path that is narrower further on and
//! says so to nobody, everything longer would be lost. So we cut ourselves, and send by a raw socket.

use super::{IPV6_MINIMUM_MTU, mark};
use crate::os::checksum;
use crate::os::random::OsRandom;
use crate::random::Random;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Octets of an IPv6, of a Fragment and of a UDP header.
const IPV6_HEADER: usize = 40;
const FRAGMENT_HEADER: usize = 8;
const UDP_HEADER: usize = 8;
/// Octets of a datagram in one fragment, a multiple of eight.
const PART: usize = (IPV6_MINIMUM_MTU as usize - IPV6_HEADER - FRAGMENT_HEADER) / 8 * 8;
/// Protocol numbers.
const UDP: u8 = 17;
const FRAGMENT: u8 = 44;
const HOP_LIMIT: u8 = 64;

/// Sends datagrams from one address and port.
#[derive(Debug)]
pub(super) struct Fragmenter {
    raw: Socket,
    local: SocketAddrV6,
    next_identification: Arc<AtomicU32>,
}

impl Fragmenter {
    /// Needs CAP_NET_RAW.
    pub(super) fn open(local: SocketAddrV6) -> io::Result<Fragmenter> {
        // Of this protocol nothing is received, and headers are ours.
        let everything = Protocol::from(nix::libc::IPPROTO_RAW);
        let raw = Socket::new(Domain::IPV6, Type::RAW.nonblocking().cloexec(), Some(everything))?;
        mark(&raw)?;
        raw.bind(&SockAddr::from(SocketAddrV6::new(*local.ip(), 0, 0, local.scope_id())))?;
        let mut first = [0; 4];
        OsRandom.fill(&mut first);
        let next_identification = Arc::new(AtomicU32::new(u32::from_ne_bytes(first)));
        Ok(Fragmenter { raw, local, next_identification })
    }

    /// Sends one datagram. When a fragment is refused, the datagram is.
    pub(super) fn send(
        &self,
        remote: SocketAddrV6,
        traffic_class: u8,
        payload: &[u8],
    ) -> io::Result<()> {
        let datagram = datagram(self.local, remote, payload)?;
        let route = Route { from: *self.local.ip(), to: *remote.ip(), traffic_class };
        let to = SockAddr::from(SocketAddrV6::new(*remote.ip(), 0, 0, remote.scope_id()));
        if datagram.len() + IPV6_HEADER <= IPV6_MINIMUM_MTU as usize {
            return self.raw.send_to(&route.packet(UDP, &[&datagram]), &to).map(drop);
        }
        let identification = self.next_identification.fetch_add(1, Ordering::Relaxed);
        let parts = datagram.len().div_ceil(PART);
        for (index, part) in datagram.chunks(PART).enumerate() {
            let header = fragment_header(index, index + 1 < parts, identification);
            self.raw.send_to(&route.packet(FRAGMENT, &[&header, part]), &to)?;
        }
        Ok(())
    }

    pub(super) fn try_clone(&self) -> io::Result<Fragmenter> {
        let next_identification = Arc::clone(&self.next_identification);
        Ok(Fragmenter { raw: self.raw.try_clone()?, local: self.local, next_identification })
    }
}

struct Route {
    from: Ipv6Addr,
    to: Ipv6Addr,
    traffic_class: u8,
}

impl Route {
    /// An IPv6 packet (RFC 8200 §3) of these parts.
    fn packet(&self, next_header: u8, parts: &[&[u8]]) -> Vec<u8> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut packet = Vec::with_capacity(IPV6_HEADER + length);
        packet.extend((6 << 28 | u32::from(self.traffic_class) << 20).to_be_bytes());
        // A part is shorter than what every path carries.
        packet.extend((length as u16).to_be_bytes());
        packet.extend([next_header, HOP_LIMIT]);
        packet.extend(self.from.octets());
        packet.extend(self.to.octets());
        parts.iter().for_each(|part| packet.extend_from_slice(part));
        packet
    }
}

/// RFC 8200 §4.5.
fn fragment_header(index: usize, has_more: bool, identification: u32) -> [u8; FRAGMENT_HEADER] {
    // Offsets are in units of eight octets, above three bits of which the last says that more come.
    let offset = (index * PART) as u16 | u16::from(has_more);
    let ([high, low], [a, b, c, d]) = (offset.to_be_bytes(), identification.to_be_bytes());
    [UDP, 0, high, low, a, b, c, d]
}

/// A UDP header (RFC 768) and its payload.
fn datagram(local: SocketAddrV6, remote: SocketAddrV6, payload: &[u8]) -> io::Result<Vec<u8>> {
    let too_long = |_| io::Error::from_raw_os_error(nix::libc::EMSGSIZE);
    let length = u16::try_from(UDP_HEADER + payload.len()).map_err(too_long)?;
    let mut datagram = Vec::with_capacity(length.into());
    for field in [local.port(), remote.port(), length, 0] {
        datagram.extend(field.to_be_bytes());
    }
    datagram.extend_from_slice(payload);
    let checksum = checksum(local.ip(), remote.ip(), length, &datagram);
    datagram[6..UDP_HEADER].copy_from_slice(&checksum.to_be_bytes());
    Ok(datagram)
}

/// RFC 8200 §8.1: over the pseudo-header, too, and never zero.
fn checksum(from: &Ipv6Addr, to: &Ipv6Addr, length: u16, datagram: &[u8]) -> u16 {
    let rest = [0, 0, length.to_be_bytes()[0], length.to_be_bytes()[1], 0, 0, 0, UDP];
    match checksum::checksum(&[&from.octets(), &to.octets(), &rest, datagram]) {
        0 => 0xffff,
        checksum => checksum,
    }
}
