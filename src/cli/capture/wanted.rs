//! Which packets are of a peer: told from their addresses, wherever the link-layer header ends.

use crate::net::Prefix;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets before the type of an Ethernet frame, and that type.
const ETHER_TYPE: std::ops::Range<usize> = 12..14;
const ETHER_HEADER: usize = 14;

/// Whose packets.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// Frames with an IP packet between two hosts.
    Between(IpAddr, IpAddr),
    /// IP packets from or to one of these prefixes.
    With(BTreeSet<Prefix>),
}

impl Wanted {
    pub(super) fn between(one: IpAddr, other: IpAddr) -> Wanted {
        Wanted::Between(one, other)
    }

    pub(super) fn with(prefixes: BTreeSet<Prefix>) -> Wanted {
        Wanted::With(prefixes)
    }

    /// Whether these octets are one of them. What is cut off is none.
    pub(super) fn is_met(&self, bytes: &[u8]) -> bool {
        match self {
            Wanted::Between(one, other) => {
                let is_ip = matches!(bytes.get(ETHER_TYPE), Some([0x08, 0x00] | [0x86, 0xdd]));
                let ends = bytes.get(ETHER_HEADER..).filter(|_| is_ip).and_then(ends);
                ends.is_some_and(|ends| ends == (*one, *other) || ends == (*other, *one))
            }
            Wanted::With(prefixes) => ends(bytes).is_some_and(|(source, destination)| {
                let has = |prefix: &Prefix| prefix.contains(source) || prefix.contains(destination);
                prefixes.iter().any(has)
            }),
        }
    }
}

/// Source and destination of an IP packet.
fn ends(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
    match packet.first()? >> 4 {
        4 => Some((ipv4(packet, 12)?, ipv4(packet, 16)?)),
        6 => Some((ipv6(packet, 8)?, ipv6(packet, 24)?)),
        _ => None,
    }
}

fn ipv4(packet: &[u8], at: usize) -> Option<IpAddr> {
    let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
    Some(Ipv4Addr::from(octets).into())
}

fn ipv6(packet: &[u8], at: usize) -> Option<IpAddr> {
    let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
    Some(Ipv6Addr::from(octets).into())
}

#[cfg(test)]
mod tests;
