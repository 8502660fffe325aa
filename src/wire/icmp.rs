//! ICMP as a gateway speaks it with inner hosts, in whole IP packets: errors that it sends, what
//! the errors of others are about, and answers to echo requests (RFC 792, RFC 1191, RFC 1812
//! §4.3.2; RFC 4443).

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
    /// It has used up its hops here: "time exceeded" (RFC 792, RFC 4443 §3.3).
    TimeExceeded,
}

/// Octets of a quoted packet that matter: its headers.
const QUOTED_HEADERS: usize = 128;

/// The packet that an ICMP error is about, as far as its first octets tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Who sent it.
    pub source: IpAddr,
    /// For whom it was.
    pub destination: IpAddr,
    /// The protocol behind extension headers.
    pub protocol: u8,
    /// Its ports (see [`InnerPacket::ports`]); `None` when it has none, or when they were not quoted.
    pub ports: Option<(u16, u16)>,
}

/// What an ICMP error quotes; `None` for any other packet. `packet` was parsed from `bytes`.
pub fn quoted(packet: &InnerPacket, bytes: &[u8]) -> Option<Quoted> {
    read_quote(bytes.get(quote_at(packet, bytes)?..packet.total_len)?)
}

/// Where the packet begins that an ICMP error quotes, and its headers, whose offsets count from there.
/// `None` for any other packet. `packet` was parsed from `bytes`.
pub fn quotation(packet: &InnerPacket, bytes: &[u8]) -> Option<(usize, InnerPacket)> {
    let at = quote_at(packet, bytes)?;
    let (_, headers) = headers_of(bytes.get(at..packet.total_len)?)?;
    Some((at, headers))
}

/// Where the quotation begins in an ICMP error.
fn quote_at(packet: &InnerPacket, bytes: &[u8]) -> Option<usize> {
    let message = bytes.get(packet.transport_offset..packet.total_len)?;
    let header = message.first_chunk::<8>()?;
    let complains = match packet.protocol {
        protocol::ICMP => matches!(
            IcmpType(header[0]),
            IcmpType::DESTINATION_UNREACHABLE
                | IcmpType::TIME_EXCEEDED
                | IcmpType::PARAMETER_PROBLEM
        ),
        protocol::ICMPV6 => (1..=4).contains(&header[0]), // RFC 4443 §2.1
        _ => false,
    };
    let is_error = complains && packet.fragment != Fragment::Later;
    is_error.then_some(packet.transport_offset + header.len())
}

/// What "fragmentation needed" (RFC 1191 §4) or "packet too big" (RFC 4443 §3.2) says, given from the
/// ICMP header on: the size that fits, and the packet that did not. `None` for any other message,
/// and for a router that names no size.
pub fn too_big(message: &[u8], ipv4: bool) -> Option<(u16, Quoted)> {
    const FRAGMENTATION_NEEDED: u8 = 4;
    let (&[kind, code, _, _, a, b, c, d], quote) = message.split_first_chunk::<8>()?;
    let (says_so, mtu) = match ipv4 {
        true => {
            let unreachable = IcmpType(kind) == IcmpType::DESTINATION_UNREACHABLE;
            (unreachable && code == FRAGMENTATION_NEEDED, u16::from_be_bytes([c, d]))
        }
        false => {
            let mtu = u16::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
            (Icmpv6Type(kind) == Icmpv6Type::PACKET_TOO_BIG, mtu)
        }
    };
    let quoted = read_quote(quote).filter(|quoted| quoted.source.is_ipv4() == ipv4)?;
    (says_so && mtu > 0).then_some((mtu, quoted))
}

/// The packet that a router or its destination says it did not deliver, given from the ICMP header on
/// (RFC 792, RFC 4443 §3.1); `None` for any other message, and for packets that were too big.
pub fn unreachable(message: &[u8], ipv4: bool) -> Option<Quoted> {
    const FRAGMENTATION_NEEDED: u8 = 4;
    let (&[kind, code, ..], quote) = message.split_first_chunk::<8>()?;
    let says_so = match ipv4 {
        true => IcmpType(kind) == IcmpType::DESTINATION_UNREACHABLE && code != FRAGMENTATION_NEEDED,
        false => Icmpv6Type(kind) == Icmpv6Type::DESTINATION_UNREACHABLE,
    };
    let quoted = read_quote(quote).filter(|quoted| quoted.source.is_ipv4() == ipv4)?;
    says_so.then_some(quoted)
}

fn read_quote(quote: &[u8]) -> Option<Quoted> {
    let (octets, packet) = headers_of(quote)?;
    Some(Quoted {
        source: packet.source,
        destination: packet.destination,
        protocol: packet.protocol,
        ports: packet.ports(&octets),
    })
}

/// The first octets of a quoted packet, and its headers. Quotes are cut short, so the length that stands
/// in them is not that of the octets here.
fn headers_of(quote: &[u8]) -> Option<([u8; QUOTED_HEADERS], InnerPacket)> {
    let mut octets = [0; QUOTED_HEADERS];
    let quote = quote.get(..QUOTED_HEADERS).unwrap_or(quote);
    let headers = octets.get_mut(..quote.len())?;
    headers.copy_from_slice(quote);
    let (at, length) = match quote.first()? >> 4 {
        4 => (2, quote.len()),
        _ => (4, quote.len().checked_sub(Ipv6Header::LEN)?),
    };
    headers.get_mut(at..at + 2)?.copy_from_slice(&u16::try_from(length).ok()?.to_be_bytes());
    let packet = InnerPacket::parse(headers).ok()?;
    Some((octets, packet))
}

/// The answer to an echo request that came whole (RFC 1122 §3.2.2.6, RFC 4443 §4.2): the same data
/// back to the sender. `None` for any other packet.
pub fn echo_reply(request: &[u8]) -> Option<Vec<u8>> {
    let packet = InnerPacket::parse(request).ok()?;
    let message = request.get(packet.transport_offset..packet.total_len)?;
    let (header, data) = message.split_first_chunk::<8>()?;
    let [icmp_type, 0, _, _, rest @ ..] = *header else { return None };
    if packet.fragment != Fragment::Whole {
        return None;
    }
    let is_request = match packet.protocol {
        protocol::ICMP => IcmpType(icmp_type) == IcmpType::ECHO,
        protocol::ICMPV6 => Icmpv6Type(icmp_type) == Icmpv6Type::ECHO_REQUEST,
        _ => false,
    };
    let (from, to) = (packet.destination, packet.source);
    let types = (IcmpType::ECHO_REPLY, Icmpv6Type::ECHO_REPLY);
    let tos = if packet.is_ipv4() { packet.tos } else { 0 };
    echo(types, tos, (from, to), u32::from_be_bytes(rest), data).filter(|_| is_request)
}

/// An echo request with this data and, as identifier and sequence number, `rest`; `None` when the addresses
/// are of two families.
pub fn echo_request(from: IpAddr, to: IpAddr, rest: u32, data: &[u8]) -> Option<Vec<u8>> {
    echo((IcmpType::ECHO, Icmpv6Type::ECHO_REQUEST), 0, (from, to), rest, data)
}

/// The data of an echo reply that came whole; `None` for any other packet. `packet` was parsed from `bytes`.
pub fn echo_answer<'b>(packet: &InnerPacket, bytes: &'b [u8]) -> Option<&'b [u8]> {
    let message = bytes.get(packet.transport_offset..packet.total_len)?;
    let (&[icmp_type, 0, ..], data) = message.split_first_chunk::<8>()? else { return None };
    let is_reply = match packet.protocol {
        protocol::ICMP => IcmpType(icmp_type) == IcmpType::ECHO_REPLY,
        protocol::ICMPV6 => Icmpv6Type(icmp_type) == Icmpv6Type::ECHO_REPLY,
        _ => false,
    };
    (is_reply && packet.fragment == Fragment::Whole).then_some(data)
}

/// The identifier of an echo request or reply that came whole (RFC 792, RFC 4443 §4); `None` for any other
/// packet. `packet` was parsed from `bytes`.
pub fn echo_identifier(packet: &InnerPacket, bytes: &[u8]) -> Option<u16> {
    let message = bytes.get(packet.transport_offset..packet.total_len)?;
    let &[icmp_type, _, _, _, high, low, ..] = message.first_chunk::<8>()?;
    let is_echo = match packet.protocol {
        protocol::ICMP => {
            matches!(IcmpType(icmp_type), IcmpType::ECHO | IcmpType::ECHO_REPLY)
        }
        protocol::ICMPV6 => {
            matches!(Icmpv6Type(icmp_type), Icmpv6Type::ECHO_REQUEST | Icmpv6Type::ECHO_REPLY)
        }
        _ => false,
    };
    (is_echo && packet.fragment == Fragment::Whole).then_some(u16::from_be_bytes([high, low]))
}

/// An echo message of the type for its family.
fn echo(
    (v4, v6): (IcmpType, Icmpv6Type),
    tos: u8,
    (from, to): (IpAddr, IpAddr),
    rest: u32,
    data: &[u8],
) -> Option<Vec<u8>> {
    let length = 8 + data.len();
    let mut writer = Writer::with_capacity(Ipv6Header::LEN + length);
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            ipv4_header(tos, length, from, to, &mut writer);
            writer.bytes(&with_checksum(icmp_header(v4.0, 0, rest), data, Sum::ZERO));
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let octets = u32::try_from(length).ok()?;
            let pseudo = checksum::pseudo_header_v6(from, to, protocol::ICMPV6, octets);
            ipv6_header(length, protocol::ICMPV6, TTL, from, to, &mut writer);
            writer.bytes(&with_checksum(icmp_header(v6.0, 0, rest), data, pseudo));
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    }
    writer.bytes(data);
    Some(writer.into_bytes())
}

/// Octets of an ICMPv4 error at most, IP header included (RFC 1812 §4.3.2.3).
const LARGEST_V4: usize = 576;
/// Octets of an ICMPv6 error at most: the minimum IPv6 MTU (RFC 4443 §2.4(c)).
const LARGEST_V6: usize = 1280;
const TTL: u8 = 64;
/// Errors have precedence 6 and the bits of service zero (RFC 1812 §4.3.2.5).
const ERROR_TOS: u8 = 0xc0;

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
    // RFC 792: unreachable, code 4 fragmentation needed; time exceeded, code 0 in transit.
    let (icmp_type, code, mtu) = match problem {
        Problem::TooBig { mtu } => (IcmpType::DESTINATION_UNREACHABLE, 4, mtu),
        Problem::TimeExceeded => (IcmpType::TIME_EXCEEDED, 0, 0),
    };
    let quoted = quote(original, LARGEST_V4 - Ipv4Header::MIN_LEN - 8);
    let mut writer = Writer::with_capacity(LARGEST_V4);
    ipv4_header(ERROR_TOS, 8 + quoted.len(), from, to, &mut writer);
    let icmp = icmp_header(icmp_type.0, code, mtu.into());
    writer.bytes(&with_checksum(icmp, quoted, Sum::ZERO));
    writer.bytes(quoted);
    writer.into_bytes()
}

fn error_v6(original: &[u8], problem: Problem, from: Ipv6Addr, to: Ipv6Addr) -> Vec<u8> {
    let (icmp_type, mtu) = match problem {
        Problem::TooBig { mtu } => (Icmpv6Type::PACKET_TOO_BIG, mtu),
        Problem::TimeExceeded => (Icmpv6Type::TIME_EXCEEDED, 0),
    };
    let quoted = quote(original, LARGEST_V6 - Ipv6Header::LEN - 8);
    let length = 8 + quoted.len();
    let mut writer = Writer::with_capacity(LARGEST_V6);
    ipv6_header(length, protocol::ICMPV6, TTL, from, to, &mut writer);
    let pseudo = checksum::pseudo_header_v6(from, to, protocol::ICMPV6, length as u32);
    let icmp = icmp_header(icmp_type.0, 0, mtu.into());
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

/// An IPv4 header in front of `payload` octets of ICMP.
fn ipv4_header(tos: u8, payload: usize, from: Ipv4Addr, to: Ipv4Addr, writer: &mut Writer) {
    let [length_high, length_low] = ((Ipv4Header::MIN_LEN + payload) as u16).to_be_bytes();
    let mut header = [0; Ipv4Header::MIN_LEN];
    header[..10].copy_from_slice(&[
        0x45,
        tos,
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
