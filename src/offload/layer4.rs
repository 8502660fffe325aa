//! The fields of IP, TCP and UDP that splitting and merging touch, by their offsets
//! (RFC 791 §3.1, RFC 8200 §3, RFC 9293 §3.1, RFC 768).

use super::{MAX_HEAD, Malformed};
use crate::wire::checksum::Sum;

/// The two transports whose segments form super-packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Protocol 6.
    Tcp,
    /// Protocol 17.
    Udp,
}

impl Transport {
    /// The IP protocol number.
    pub(super) const fn protocol(self) -> u8 {
        match self {
            Transport::Tcp => 6,
            Transport::Udp => 17,
        }
    }

    pub(super) const fn from_protocol(protocol: u8) -> Option<Transport> {
        match protocol {
            6 => Some(Transport::Tcp),
            17 => Some(Transport::Udp),
            _ => None,
        }
    }

    /// Where the checksum lies in the transport header.
    pub(super) const fn checksum_at(self) -> usize {
        match self {
            Transport::Tcp => 16,
            Transport::Udp => 6,
        }
    }

    /// The checksum for a sum: zero means "none" in UDP and is sent as all ones (RFC 768).
    pub(super) fn checksum_of(self, sum: Sum) -> u16 {
        match self {
            Transport::Tcp => sum.finish(),
            Transport::Udp => sum.finish_udp(),
        }
    }

    const fn shortest_header(self) -> usize {
        match self {
            Transport::Tcp => 20,
            Transport::Udp => 8,
        }
    }
}

/// Where the headers of a TCP or UDP packet end. Both offsets lie within the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub transport: Transport,
    /// Start of the transport header; at least 20.
    pub l4: usize,
    /// Length of all headers, at most [`MAX_HEAD`]; the transport header is complete.
    pub head_len: usize,
}

impl Layout {
    /// The layout of `packet`, whose transport header starts at `l4`.
    pub(super) fn of(packet: &[u8], transport: Transport, l4: usize) -> Result<Layout, Malformed> {
        let header = packet.get(l4..).unwrap_or_default();
        if header.len() < transport.shortest_header() {
            return Err(Malformed("transport header cut short"));
        }
        let length = match transport {
            Transport::Tcp => usize::from(header[12] >> 4) * 4,
            Transport::Udp => 8,
        };
        let head_len = l4 + length;
        let fits = length >= transport.shortest_header() && head_len <= packet.len().min(MAX_HEAD);
        if !fits {
            return Err(Malformed("impossible transport header length"));
        }
        Ok(Layout { transport, l4, head_len })
    }
}

/// Whether the packet is IPv4; everything else that reaches this module is IPv6.
pub(super) fn is_ipv4(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first >> 4 == 4)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(super) fn put_u16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

pub(super) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

/// Writes the lengths of a packet of `total` bytes into its headers and renews the checksum of
/// the IPv4 header. `head` holds all headers.
pub(super) fn set_lengths(head: &mut [u8], layout: Layout, total: usize) {
    let l4 = layout.l4;
    if is_ipv4(head) {
        put_u16(head, 2, total as u16);
        put_u16(head, 10, 0);
        let checksum = Sum::of(&head[..l4]).finish();
        put_u16(head, 10, checksum);
    } else {
        put_u16(head, 4, (total - 40) as u16);
    }
    if layout.transport == Transport::Udp {
        put_u16(head, l4 + 4, (total - l4) as u16);
    }
}

/// Sum of the pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1) for a transport length of `length`.
pub(super) fn pseudo_header(head: &[u8], transport: Transport, length: usize) -> Sum {
    let addresses = if is_ipv4(head) { &head[12..20] } else { &head[8..40] };
    Sum::of(addresses).u16(transport.protocol().into()).u16(length as u16)
}

/// Computes and stores the transport checksum of the packet `head ‖ payload`.
pub(super) fn store_checksum(head: &mut [u8], layout: Layout, payload: &[u8]) {
    let at = layout.l4 + layout.transport.checksum_at();
    put_u16(head, at, 0);
    let length = head.len() - layout.l4 + payload.len();
    let sum =
        pseudo_header(head, layout.transport, length).bytes(&head[layout.l4..]).bytes(payload);
    put_u16(head, at, layout.transport.checksum_of(sum));
}

/// Whether the transport checksum of a whole packet is right.
pub(super) fn checksum_holds(packet: &[u8], layout: Layout) -> bool {
    let segment = &packet[layout.l4..];
    pseudo_header(packet, layout.transport, segment.len()).bytes(segment).finish() == 0
}
