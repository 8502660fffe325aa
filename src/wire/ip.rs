//! Headers of IPv4 (RFC 791) and IPv6 (RFC 8200), as far as a gateway looks at them.
//!
//! [`Ipv4Header`] and [`Ipv6Header`] are views with named fields. [`InnerPacket`] is what
//! forwarding and selectors ask about a packet of either version, behind extension headers.

use super::{DecodeError, Fault, Reader, checksum};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IP protocol numbers that mean something to us.
pub mod protocol {
    /// IPv6 Hop-by-Hop Options.
    pub const HOP_BY_HOP: u8 = 0;
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// IPv4 in IP; next header of a tunnelled IPv4 packet in ESP (RFC 4303 §2.6).
    pub const IPV4: u8 = 4;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// IPv6 in IP; next header of a tunnelled IPv6 packet in ESP (RFC 4303 §2.6).
    pub const IPV6: u8 = 41;
    /// IPv6 Routing.
    pub const ROUTING: u8 = 43;
    /// IPv6 Fragment.
    pub const FRAGMENT: u8 = 44;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
    /// IPv6 Destination Options.
    pub const DESTINATION_OPTIONS: u8 = 60;
    /// VRRP.
    pub const VRRP: u8 = 112;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// UDP-Lite.
    pub const UDP_LITE: u8 = 136;
}

/// Extension headers that we walk before we call a packet malformed.
const EXTENSION_HEADERS: usize = 8;

/// A view of an IPv4 header, options included.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4Header<'a> {
    fixed: &'a [u8; Ipv4Header::MIN_LEN],
    header: &'a [u8],
}

impl<'a> Ipv4Header<'a> {
    /// Octets of a header without options.
    pub const MIN_LEN: usize = 20;

    /// The header at the start of `packet`. Its total length covers the header and lies within
    /// `packet`; what is behind it is padding.
    ///
    /// # Errors
    ///
    /// When the packet is cut short or its lengths contradict each other.
    pub fn parse(packet: &'a [u8]) -> Result<Self, DecodeError> {
        let what = "IPv4 header";
        let Some(fixed) = packet.first_chunk::<{ Ipv4Header::MIN_LEN }>() else {
            let why = Fault::Truncated { needed: Ipv4Header::MIN_LEN, left: packet.len() };
            return Err(DecodeError { what, why, at: 0 });
        };
        if fixed[0] >> 4 != 4 {
            return Err(DecodeError { what, why: Fault::Invalid("the version is not 4"), at: 0 });
        }
        let header_len = usize::from(fixed[0] & 0x0f) * 4;
        let total_len = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        if header_len < Ipv4Header::MIN_LEN || total_len < header_len {
            return Err(DecodeError { what, why: Fault::Length(total_len), at: 2 });
        }
        let Some(header) = packet.get(..header_len).filter(|_| total_len <= packet.len()) else {
            let why = Fault::Truncated { needed: total_len, left: packet.len() };
            return Err(DecodeError { what, why, at: 0 });
        };
        Ok(Ipv4Header { fixed, header })
    }

    /// Octets of the header with its options: 20 to 60.
    pub fn header_len(&self) -> usize {
        self.header.len()
    }

    /// Octets of the packet.
    pub fn total_len(&self) -> usize {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]]).into()
    }

    /// DSCP and ECN (RFC 2474, RFC 3168).
    pub fn tos(&self) -> u8 {
        self.fixed[1]
    }

    /// Identification of the datagram for reassembly.
    pub fn identification(&self) -> u16 {
        u16::from_be_bytes([self.fixed[4], self.fixed[5]])
    }

    /// The Don't Fragment bit.
    pub fn dont_fragment(&self) -> bool {
        self.fixed[6] & 0x40 != 0
    }

    /// Whether other fragments of the datagram stand behind this one.
    pub fn more_fragments(&self) -> bool {
        self.fixed[6] & 0x20 != 0
    }

    /// Where the payload stands in the datagram's, in octets.
    pub fn fragment_offset(&self) -> usize {
        usize::from(u16::from_be_bytes([self.fixed[6] & 0x1f, self.fixed[7]])) * 8
    }

    /// Where this packet stands in its datagram.
    pub fn fragment(&self) -> Fragment {
        match (self.fragment_offset(), self.more_fragments()) {
            (0, false) => Fragment::Whole,
            (0, true) => Fragment::First,
            (_, _) => Fragment::Later,
        }
    }

    /// Time to live.
    pub fn ttl(&self) -> u8 {
        self.fixed[8]
    }

    /// The protocol behind the header.
    pub fn protocol(&self) -> u8 {
        self.fixed[9]
    }

    /// Whether the header checksum is right.
    pub fn checksum_is_valid(&self) -> bool {
        checksum::Sum::of(self.header).finish() == 0
    }

    /// The sender.
    pub fn source(&self) -> Ipv4Addr {
        let [.., a, b, c, d, _, _, _, _] = *self.fixed;
        Ipv4Addr::new(a, b, c, d)
    }

    /// The receiver.
    pub fn destination(&self) -> Ipv4Addr {
        let [.., a, b, c, d] = *self.fixed;
        Ipv4Addr::new(a, b, c, d)
    }
}

/// A view of the fixed IPv6 header.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6Header<'a>(&'a [u8; Ipv6Header::LEN]);

impl<'a> Ipv6Header<'a> {
    /// Octets of the header.
    pub const LEN: usize = 40;

    /// The header at the start of `packet`. Its payload lies within `packet`; what is behind is
    /// padding. Jumbograms (RFC 2675) are refused by the packets' extension header.
    ///
    /// # Errors
    ///
    /// When the packet is cut short or its lengths contradict each other.
    pub fn parse(packet: &'a [u8]) -> Result<Self, DecodeError> {
        let what = "IPv6 header";
        let Some(fixed) = packet.first_chunk::<{ Ipv6Header::LEN }>() else {
            let why = Fault::Truncated { needed: Ipv6Header::LEN, left: packet.len() };
            return Err(DecodeError { what, why, at: 0 });
        };
        if fixed[0] >> 4 != 6 {
            return Err(DecodeError { what, why: Fault::Invalid("the version is not 6"), at: 0 });
        }
        let header = Ipv6Header(fixed);
        if header.total_len() > packet.len() {
            let why = Fault::Truncated { needed: header.total_len(), left: packet.len() };
            return Err(DecodeError { what, why, at: 0 });
        }
        Ok(header)
    }

    /// Octets of the packet, this header included.
    pub fn total_len(&self) -> usize {
        Ipv6Header::LEN + usize::from(u16::from_be_bytes([self.0[4], self.0[5]]))
    }

    /// DSCP and ECN.
    pub fn traffic_class(&self) -> u8 {
        self.0[0] << 4 | self.0[1] >> 4
    }

    /// The flow label (RFC 6437).
    pub fn flow_label(&self) -> u32 {
        u32::from_be_bytes([0, self.0[1] & 0x0f, self.0[2], self.0[3]])
    }

    /// The header behind this one.
    pub fn next_header(&self) -> u8 {
        self.0[6]
    }

    /// Hops that remain.
    pub fn hop_limit(&self) -> u8 {
        self.0[7]
    }

    /// The sender.
    pub fn source(&self) -> Ipv6Addr {
        let mut octets = [0; 16];
        octets.copy_from_slice(&self.0[8..24]);
        octets.into()
    }

    /// The receiver.
    pub fn destination(&self) -> Ipv6Addr {
        let mut octets = [0; 16];
        octets.copy_from_slice(&self.0[24..40]);
        octets.into()
    }
}

/// Where a packet stands in the datagram that it may be a fragment of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// Not a fragment.
    Whole,
    /// The first fragment; the transport header is here, as far as it reaches.
    First,
    /// A later fragment, without transport header.
    Later,
}

impl Fragment {
    fn new(offset: u16, more: bool) -> Fragment {
        match (offset, more) {
            (0, false) => Fragment::Whole,
            (0, true) => Fragment::First,
            (_, _) => Fragment::Later,
        }
    }
}

/// What forwarding asks about an IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InnerPacket {
    /// The sender.
    pub source: IpAddr,
    /// The receiver, of the same family.
    pub destination: IpAddr,
    /// The protocol behind extension headers.
    pub protocol: u8,
    /// Offset of that protocol's header; of the payload in later fragments.
    pub transport_offset: usize,
    /// Whether this is a fragment.
    pub fragment: Fragment,
    /// Octets of the packet; what is behind is padding (RFC 4303 §2.7).
    pub total_len: usize,
    /// DSCP and ECN.
    pub tos: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Whether nobody on the way may fragment it; always so for IPv6.
    pub dont_fragment: bool,
}

impl InnerPacket {
    /// Reads the headers at the start of `packet`.
    ///
    /// # Errors
    ///
    /// When the packet is cut short or its lengths contradict each other.
    #[inline]
    pub fn parse(packet: &[u8]) -> Result<InnerPacket, DecodeError> {
        match packet.first().map(|octet| octet >> 4) {
            Some(6) => InnerPacket::parse_v6(packet),
            _ => InnerPacket::parse_v4(packet),
        }
    }

    fn parse_v4(packet: &[u8]) -> Result<InnerPacket, DecodeError> {
        let header = Ipv4Header::parse(packet)?;
        Ok(InnerPacket {
            source: header.source().into(),
            destination: header.destination().into(),
            protocol: header.protocol(),
            transport_offset: header.header_len(),
            fragment: header.fragment(),
            total_len: header.total_len(),
            tos: header.tos(),
            ttl: header.ttl(),
            dont_fragment: header.dont_fragment(),
        })
    }

    fn parse_v6(packet: &[u8]) -> Result<InnerPacket, DecodeError> {
        let header = Ipv6Header::parse(packet)?;
        let (inside, _padding) = packet.split_at(header.total_len());
        let upper = UpperLayer::find(header.next_header(), inside)?;
        Ok(InnerPacket {
            source: header.source().into(),
            destination: header.destination().into(),
            protocol: upper.protocol,
            transport_offset: upper.offset,
            fragment: upper.fragment,
            total_len: header.total_len(),
            tos: header.traffic_class(),
            ttl: header.hop_limit(),
            dont_fragment: true,
        })
    }

    /// Whether the packet is IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.source.is_ipv4()
    }

    /// What ESP's next header field says for this packet in tunnel mode (RFC 4303 §2.6).
    pub fn esp_next_header(&self) -> u8 {
        if self.is_ipv4() { protocol::IPV4 } else { protocol::IPV6 }
    }

    /// The number that the fragments of one datagram have in common; `None` where the packet, which
    /// must be the one that `self` was parsed from, is no fragment.
    pub fn identification(&self, packet: &[u8]) -> Option<u32> {
        if self.fragment == Fragment::Whole {
            return None;
        }
        match Ipv4Header::parse(packet) {
            Ok(header) => Some(header.identification().into()),
            Err(_) => {
                let header = Ipv6Header::parse(packet).ok()?;
                UpperLayer::find(header.next_header(), packet).ok()?.identification
            }
        }
    }

    /// Source and destination port, or for ICMP the type and code as both (RFC 7296 §3.13.1).
    /// `None` when the protocol has none or they are not in this packet, which must be the one
    /// that `self` was parsed from.
    #[inline]
    pub fn ports(&self, packet: &[u8]) -> Option<(u16, u16)> {
        if self.fragment == Fragment::Later {
            return None;
        }
        let transport = packet.get(self.transport_offset..self.total_len)?;
        let [a, b, c, d] = *transport.first_chunk::<4>()?;
        match self.protocol {
            protocol::TCP | protocol::UDP | protocol::SCTP | protocol::UDP_LITE => {
                Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
            }
            protocol::ICMP | protocol::ICMPV6 => {
                let type_and_code = u16::from_be_bytes([a, b]);
                Some((type_and_code, type_and_code))
            }
            _ => None,
        }
    }
}

/// Writes the TOS (its header's checksum stays right) or the traffic class of a packet that was
/// parsed.
pub fn set_tos(packet: &mut [u8], tos: u8) {
    match packet {
        [first @ 0x40..=0x4f, old, _, _, _, _, _, _, _, _, high, low, ..] => {
            let checksum = u16::from_be_bytes([*high, *low]);
            let before = u16::from_be_bytes([*first, *old]);
            let after = u16::from_be_bytes([*first, tos]);
            [*high, *low] = checksum::update(checksum, before, after).to_be_bytes();
            *old = tos;
        }
        [first, second, ..] => {
            *first = *first & 0xf0 | tos >> 4;
            *second = tos << 4 | *second & 0x0f;
        }
        _ => {}
    }
}

/// The end of an IPv6 header chain (RFC 8200 §4).
struct UpperLayer {
    protocol: u8,
    offset: usize,
    fragment: Fragment,
    /// What the last fragment header says.
    identification: Option<u32>,
}

impl UpperLayer {
    fn find(first: u8, packet: &[u8]) -> Result<UpperLayer, DecodeError> {
        let mut reader = Reader::new("IPv6 extension header", packet);
        reader.take(Ipv6Header::LEN)?;
        let mut protocol = first;
        let mut fragment = Fragment::Whole;
        let mut identification = None;
        for _ in 0..EXTENSION_HEADERS {
            match protocol {
                protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS => {
                    protocol = skip_options(&mut reader)?;
                }
                protocol::FRAGMENT => {
                    let [next, _, high, low, id @ ..] = reader.array::<8>()?;
                    identification = Some(u32::from_be_bytes(id));
                    let offset_and_flags = u16::from_be_bytes([high, low]);
                    fragment = Fragment::new(offset_and_flags >> 3, offset_and_flags & 1 != 0);
                    protocol = next;
                }
                _ => {
                    let offset = reader.position();
                    return Ok(UpperLayer { protocol, offset, fragment, identification });
                }
            }
            if fragment == Fragment::Later {
                // What follows is a piece of a payload, whatever its first octets look like.
                let offset = reader.position();
                return Ok(UpperLayer { protocol, offset, fragment, identification });
            }
        }
        Err(reader.error(Fault::TooMany { limit: EXTENSION_HEADERS }))
    }
}

/// Skips a header of options; returns the next header's number.
fn skip_options(reader: &mut Reader<'_>) -> Result<u8, DecodeError> {
    let [next, length] = reader.array()?;
    reader.take(usize::from(length) * 8 + 6)?;
    Ok(next)
}

#[cfg(test)]
mod tests;
