//! Addresses of ours as a peer knows them, where those are others: 1:1 translation of prefixes.
//!
//! ```text
//!   to the peer    inside ──► outside   source; what an ICMP error quotes: destination
//!   from the peer  outside ──► inside   destination; what an ICMP error quotes: source
//! ```
//!
//! No state is kept, so nothing is lost with a gateway and every gateway of a region translates alike. The
//! bits behind a prefix stay, so that what a checksum changes by is known beforehand (RFC 1624), whatever
//! the address. Fragments but the first have no checksum to change, and one that a UDP packet does without
//! stays away (RFC 768, RFC 6935). Quotations are translated with the error around them, so that path MTU
//! discovery and traceroute work (RFC 5508 §4.2). What a transport says of addresses in its payload is not
//! looked for.

use crate::net::{Mapping, Mappings};
use crate::wire::checksum::{self, Sum};
use crate::wire::icmp;
use crate::wire::ip::{Fragment, InnerPacket, protocol};
use std::net::IpAddr;
use std::sync::Arc;

/// Where the checksum is in an IPv4 header (RFC 791 §3.1).
const IPV4_CHECKSUM_AT: usize = 10;

/// What a peer knows by other addresses; nothing for most peers, which costs their packets a comparison.
#[derive(Clone, Debug, Default)]
pub struct Translation(Option<Arc<[Rewrite]>>);

/// One mapping, as bits.
#[derive(Clone, Debug)]
struct Rewrite {
    mapping: Mapping,
    inside: u128,
    outside: u128,
    /// The bits that stay.
    behind: u128,
    /// What a sum over an address changes by in each direction.
    outward: Sum,
    inward: Sum,
}

/// In which direction a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Outward,
    Inward,
}

/// An end of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Source,
    Destination,
}

impl Translation {
    /// What these mappings ask for.
    pub fn of(mappings: &Mappings) -> Translation {
        let rewrites: Arc<[Rewrite]> = mappings.iter().map(Rewrite::of).collect();
        Translation((!rewrites.is_empty()).then_some(rewrites))
    }

    /// Whether an address lies in a prefix of ours that the peer knows by another, or in that other.
    pub(super) fn is_about(&self, address: IpAddr) -> bool {
        let about = |rewrite: &Rewrite| {
            let mapping = rewrite.mapping;
            mapping.inside().contains(address) || mapping.outside().contains(address)
        };
        self.0.as_deref().is_some_and(|rewrites| rewrites.iter().any(about))
    }

    /// How we know the address to which the peer sends.
    pub(super) fn inward_address(&self, address: IpAddr) -> IpAddr {
        let rewrites = self.0.as_deref().unwrap_or_default();
        find(rewrites, Way::Inward, address).map_or(address, |(inside, _)| inside)
    }

    /// How the peer knows an address.
    #[inline]
    pub(super) fn outward_address(&self, address: IpAddr) -> IpAddr {
        let rewrites = self.0.as_deref().unwrap_or_default();
        find(rewrites, Way::Outward, address).map_or(address, |(outside, _)| outside)
    }

    /// Turns a packet for the peer into what the peer is to see. `inner` was parsed from it, and follows.
    #[inline]
    pub(super) fn outward(&self, inner: &mut InnerPacket, packet: &mut [u8]) {
        if let Some(rewrites) = &self.0 {
            translate(rewrites, Way::Outward, inner, packet);
        }
    }

    /// Turns a packet of the peer into what our hosts are to see. `inner` was parsed from it, and follows.
    #[inline]
    pub(super) fn inward(&self, inner: &mut InnerPacket, packet: &mut [u8]) {
        if let Some(rewrites) = &self.0 {
            translate(rewrites, Way::Inward, inner, packet);
        }
    }
}

impl Rewrite {
    fn of(mapping: &Mapping) -> Rewrite {
        let (inside, outside) = (mapping.inside().addr(), mapping.outside().addr());
        let (bits, kept) = match inside {
            IpAddr::V4(_) => (32, u32::MAX.into()),
            IpAddr::V6(_) => (128, u128::MAX),
        };
        let front = u32::from(mapping.inside().len());
        Rewrite {
            mapping: *mapping,
            inside: number(inside),
            outside: number(outside),
            behind: kept & 1_u128.checked_shl(bits - front).map_or(u128::MAX, |end| end - 1),
            outward: checksum::change(&octets(inside), &octets(outside)),
            inward: checksum::change(&octets(outside), &octets(inside)),
        }
    }

    /// The other address, and what a sum over it changes by; `None` when this is not about the address.
    #[inline]
    fn apply(&self, way: Way, address: IpAddr) -> Option<(IpAddr, Sum)> {
        let (from, to, change) = match way {
            Way::Outward => (self.inside, self.outside, self.outward),
            Way::Inward => (self.outside, self.inside, self.inward),
        };
        let bits = number(address);
        let same_family = address.is_ipv4() == self.mapping.inside().is_ipv4();
        let other = same_family && bits & !self.behind == from;
        other.then(|| (like(address, bits & self.behind | to), change))
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address of these bits, of the family of another.
fn like(other: IpAddr, bits: u128) -> IpAddr {
    match other {
        IpAddr::V4(_) => IpAddr::V4((bits as u32).into()),
        IpAddr::V6(_) => IpAddr::V6(bits.into()),
    }
}

/// An address as it stands in a sum: what an IPv4 address is padded with adds nothing.
fn octets(address: IpAddr) -> [u8; 16] {
    number(address).to_be_bytes()
}

#[inline]
fn find(rewrites: &[Rewrite], way: Way, address: IpAddr) -> Option<(IpAddr, Sum)> {
    rewrites.iter().find_map(|rewrite| rewrite.apply(way, address))
}

impl Way {
    /// The end of a packet that is on our side.
    fn ours(self) -> End {
        match self {
            Way::Outward => End::Source,
            Way::Inward => End::Destination,
        }
    }

    /// The end on our side of what an ICMP error quotes: that went the other way.
    fn quoted(self) -> End {
        match self {
            Way::Outward => End::Destination,
            Way::Inward => End::Source,
        }
    }
}

impl End {
    fn of(self, packet: &mut InnerPacket) -> &mut IpAddr {
        match self {
            End::Source => &mut packet.source,
            End::Destination => &mut packet.destination,
        }
    }

    /// Writes the address into the IP header that `packet` begins with.
    #[inline]
    fn write(self, packet: &mut [u8], address: IpAddr) {
        match (address, self) {
            (IpAddr::V4(v4), End::Source) => put(packet, 12, &v4.octets()),
            (IpAddr::V4(v4), End::Destination) => put(packet, 16, &v4.octets()),
            (IpAddr::V6(v6), End::Source) => put(packet, 8, &v6.octets()),
            (IpAddr::V6(v6), End::Destination) => put(packet, 24, &v6.octets()),
        }
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

#[inline]
fn translate(rewrites: &[Rewrite], way: Way, inner: &mut InnerPacket, packet: &mut [u8]) {
    let Some(packet) = packet.get_mut(..inner.total_len) else { return };
    if matches!(inner.protocol, protocol::ICMP | protocol::ICMPV6) {
        translate_quote(rewrites, way, inner, packet);
    }
    let end = way.ours();
    let address = end.of(inner);
    let Some((other, change)) = find(rewrites, way, *address) else { return };
    *address = other;
    replace(packet, inner, end, (other, change));
}

/// Puts another address into a packet, with the checksums that cover it; says what the sum of all its
/// octets changes by.
#[inline]
fn replace(packet: &mut [u8], headers: &InnerPacket, end: End, other: (IpAddr, Sum)) -> Sum {
    let (address, change) = other;
    end.write(packet, address);
    let header = match address {
        IpAddr::V4(_) => adjust(packet, IPV4_CHECKSUM_AT, change, Zero::IsSum),
        IpAddr::V6(_) => Sum::ZERO,
    };
    let transport = match pseudo_checksum(headers) {
        Some((at, zero)) => adjust(packet, at, change, zero),
        None => Sum::ZERO,
    };
    change.and(header).and(transport)
}

/// What a checksum of zero means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zero {
    /// What it says.
    IsSum,
    /// That there is none.
    IsNone,
}

/// Where the checksum of a packet is that covers its addresses; `None` for transports without such a one
/// (SCTP, ESP, ICMP for IPv4), and in later fragments.
#[inline]
fn pseudo_checksum(packet: &InnerPacket) -> Option<(usize, Zero)> {
    /// Datagram Congestion Control Protocol.
    const DCCP: u8 = 33;
    let (at, zero) = match packet.protocol {
        protocol::TCP => (16, Zero::IsSum),      // RFC 9293 §3.1
        protocol::UDP => (6, Zero::IsNone),      // RFC 768, RFC 8200 §8.1
        protocol::ICMPV6 => (2, Zero::IsSum),    // RFC 4443 §2.3
        protocol::UDP_LITE => (6, Zero::IsNone), // RFC 3828 §3.1
        DCCP => (6, Zero::IsSum),                // RFC 4340 §9.1
        _ => return None,
    };
    (packet.fragment != Fragment::Later).then_some((packet.transport_offset + at, zero))
}

/// Keeps a checksum right over a change of what it covers; says what the sum of the octets changes by.
#[inline]
fn adjust(packet: &mut [u8], at: usize, change: Sum, zero: Zero) -> Sum {
    let field = packet.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<2>);
    let Some(field) = field else { return Sum::ZERO };
    let before = *field;
    let after = match (checksum::adjusted(u16::from_be_bytes(before), change), zero) {
        (_, Zero::IsNone) if before == [0, 0] => return Sum::ZERO,
        (0, Zero::IsNone) => 0xffff,
        (sum, Zero::IsSum | Zero::IsNone) => sum,
    };
    *field = after.to_be_bytes();
    checksum::change(&before, field)
}

/// Translates the packet that an ICMP error is about, so that who sent it knows it again.
#[cold]
fn translate_quote(rewrites: &[Rewrite], way: Way, error: &InnerPacket, packet: &mut [u8]) {
    let Some((at, mut quoted)) = icmp::quotation(error, packet) else { return };
    let end = way.quoted();
    let Some(other) = find(rewrites, way, *end.of(&mut quoted)) else { return };
    let Some(quote) = packet.get_mut(at..) else { return };
    let change = replace(quote, &quoted, end, other);
    // RFC 792, RFC 4443 §2.1: both have it in the same place.
    adjust(packet, error.transport_offset + 2, change, Zero::IsSum);
}

#[cfg(test)]
mod tests;
