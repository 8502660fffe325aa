//! ICMP errors that a gateway sends to inner hosts, as whole IP packets
//! (RFC 792, RFC 1191, RFC 1812 §4.3.2; RFC 4443).

use super::checksum::{self, Sum};
use super::ip::{Fragment, InnerPacket, Ipv4Header, Ipv6Header, protocol};
use super::{Writer, registry};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

registry! {
    /// ICMP message types for IPv4.
    pub struct IcmpType(u8) {
        ECHO_REPLY = 0,
        DESTINATION_UNREACHABLE = 3,
        SOURCE_QUENCH = 4,
        REDIRECT = 5,
        ECHO = 8,
        TIME_EXCEEDED = 11,
        PARAMETER_PROBLEM = 12,
    }
}

registry! {
    /// ICMP message types for IPv6. Below 128 they are errors (RFC 4443 §2.1).
    pub struct Icmpv6Type(u8) {
        DESTINATION_UNREACHABLE = 1,
        PACKET_TOO_BIG = 2,
        TIME_EXCEEDED = 3,
        PARAMETER_PROBLEM = 4,
        ECHO_REQUEST = 128,
        ECHO_REPLY = 129,
        ROUTER_SOLICITATION = 133,
        ROUTER_ADVERTISEMENT = 134,
        NEIGHBOR_SOLICITATION = 135,
        NEIGHBOR_ADVERTISEMENT = 136,
        REDIRECT = 137,
    }
}

/// What is wrong with a packet that a host sent through us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It does not fit: "fragmentation needed" (RFC 1191 §4), "packet too big" (RFC 4443 §3.2).
    TooBig {
        /// Octets of the largest packet that fits.
        mtu: u16,
    },
    /// No tunnel leads to its destination at the moment.
    NoRoute,
    /// Policy keeps it from its destination.
    Prohibited,
}

/// Octets of an ICMPv4 error at most, IP header included (RFC 1812 §4.3.2.3).
const LARGEST_V4: usize = 576;
/// Octets of an ICMPv6 error at most: the minimum IPv6 MTU (RFC 4443 §2.4(c)).
const LARGEST_V6: usize = 1280;
const TTL: u8 = 64;

/// The packet that tells the sender of `original` about the problem; `from` is the gateway's
/// address. `None` when nobody may be told: errors are never sent about errors, later fragments,
/// or packets without one sender or receiver (RFC 1122 §3.2.2, RFC 4443 §2.4(e)), nor when
/// `from` is of the other family.
pub fn error_about(original: &[u8], problem: Problem, from: IpAddr) -> Option<Vec<u8>> {
    let packet = InnerPacket::parse(original).ok()?;
    let original = original.get(..packet.total_len)?;
    if !deserves_an_error(&packet, original, problem) {
        return None;
    }
    match (packet.source, from) {
        (IpAddr::V4(to), IpAddr::V4(from)) => Some(error_v4(original, problem, from, to)),
        (IpAddr::V6(to), IpAddr::V6(from)) => Some(error_v6(original, problem, from, to)),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    }
}

fn deserves_an_error(packet: &InnerPacket, bytes: &[u8], problem: Problem) -> bool {
    // Path MTU discovery works for IPv6 multicast, too (RFC 4443 §2.4(e.3)).
    let told_to_groups = !packet.is_ipv4() && matches!(problem, Problem::TooBig { .. });
    let one_receiver = names_one_host(packet.destination) || told_to_groups;
    packet.fragment != Fragment::Later
        && names_one_host(packet.source)
        && one_receiver
        && !is_icmp_error(packet, bytes)
}

fn names_one_host(address: IpAddr) -> bool {
    let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    let this_host = address.is_unspecified() || address.is_loopback();
    !(address.is_multicast() || broadcast || this_host)
}

fn is_icmp_error(packet: &InnerPacket, bytes: &[u8]) -> bool {
    let Some(&icmp_type) = bytes.get(packet.transport_offset) else { return false };
    match packet.protocol {
        protocol::ICMP => !matches!(
            IcmpType(icmp_type),
            IcmpType::ECHO | IcmpType::ECHO_REPLY | IcmpType(13..=18)
        ),
        protocol::ICMPV6 => icmp_type < 128 || Icmpv6Type(icmp_type) == Icmpv6Type::REDIRECT,
        _ => false,
    }
}

fn error_v4(original: &[u8], problem: Problem, from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    // RFC 792, RFC 1812 §5.2.7.1: code 4 fragmentation needed, 0 network unreachable,
    // 13 communication administratively prohibited.
    let (code, mtu) = match problem {
        Problem::TooBig { mtu } => (4, mtu),
        Problem::NoRoute => (0, 0),
        Problem::Prohibited => (13, 0),
    };
    let quoted = quote(original, LARGEST_V4 - Ipv4Header::MIN_LEN - 8);
    let mut writer = Writer::with_capacity(LARGEST_V4);
    ipv4_header(8 + quoted.len(), from, to, &mut writer);
    let icmp = icmp_header(IcmpType::DESTINATION_UNREACHABLE.0, code, mtu.into());
    writer.bytes(&with_checksum(icmp, quoted, Sum::ZERO));
    writer.bytes(quoted);
    writer.into_bytes()
}

fn error_v6(original: &[u8], problem: Problem, from: Ipv6Addr, to: Ipv6Addr) -> Vec<u8> {
    // RFC 4443 §3.1: code 0 no route to destination, 1 administratively prohibited.
    let (icmp_type, code, mtu) = match problem {
        Problem::TooBig { mtu } => (Icmpv6Type::PACKET_TOO_BIG, 0, mtu),
        Problem::NoRoute => (Icmpv6Type::DESTINATION_UNREACHABLE, 0, 0),
        Problem::Prohibited => (Icmpv6Type::DESTINATION_UNREACHABLE, 1, 0),
    };
    let quoted = quote(original, LARGEST_V6 - Ipv6Header::LEN - 8);
    let length = 8 + quoted.len();
    let mut writer = Writer::with_capacity(LARGEST_V6);
    ipv6_header(length, protocol::ICMPV6, TTL, from, to, &mut writer);
    let pseudo = checksum::pseudo_header_v6(from, to, protocol::ICMPV6, length as u32);
    let icmp = icmp_header(icmp_type.0, code, mtu.into());
    writer.bytes(&with_checksum(icmp, quoted, pseudo));
    writer.bytes(quoted);
    writer.into_bytes()
}

fn quote(original: &[u8], room: usize) -> &[u8] {
    original.split_at(original.len().min(room)).0
}

fn icmp_header(icmp_type: u8, code: u8, rest: u32) -> [u8; 8] {
    let [a, b, c, d] = rest.to_be_bytes();
    [icmp_type, code, 0, 0, a, b, c, d]
}

fn with_checksum(mut icmp: [u8; 8], body: &[u8], pseudo: Sum) -> [u8; 8] {
    let checksum = pseudo.bytes(&icmp).bytes(body).finish();
    [icmp[2], icmp[3]] = checksum.to_be_bytes();
    icmp
}

/// An IPv4 header in front of `payload` octets of ICMP. Errors have precedence 6 and the bits of
/// service zero (RFC 1812 §4.3.2.5).
fn ipv4_header(payload: usize, from: Ipv4Addr, to: Ipv4Addr, writer: &mut Writer) {
    let [length_high, length_low] = ((Ipv4Header::MIN_LEN + payload) as u16).to_be_bytes();
    let mut header = [0; Ipv4Header::MIN_LEN];
    header[..10].copy_from_slice(&[
        0x45,
        0xc0,
        length_high,
        length_low,
        0,
        0,
        0,
        0,
        TTL,
        protocol::ICMP,
    ]);
    header[12..16].copy_from_slice(&from.octets());
    header[16..].copy_from_slice(&to.octets());
    [header[10], header[11]] = Sum::of(&header).finish().to_be_bytes();
    writer.bytes(&header);
}

/// An IPv6 header in front of `payload` octets.
pub(super) fn ipv6_header(
    payload: usize,
    next_header: u8,
    hop_limit: u8,
    from: Ipv6Addr,
    to: Ipv6Addr,
    writer: &mut Writer,
) {
    writer.u32(6 << 28);
    writer.u16(u16::try_from(payload).unwrap_or(u16::MAX));
    writer.u8(next_header);
    writer.u8(hop_limit);
    writer.bytes(&from.octets());
    writer.bytes(&to.octets());
}

#[cfg(test)]
mod tests;
