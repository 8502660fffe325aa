//! Who has an address on an Ethernet, as whole frames: ARP (RFC 826), and the Neighbor
//! Solicitations and Advertisements of IPv6 (RFC 4861 §4.3, §4.4).
//!
//! ```text
//!  frame   destination 6 │ source 6 │ EtherType 2 │ one of the three │ padding
//!  ARP     htype 2 ptype 2 hlen 1 plen 1 oper 2 │ sha 6 spa 4 tha 6 tpa 4
//!  NS      IPv6 40 │ type 1 code 1 checksum 2 reserved 4 target 16 │ options
//!  NA      IPv6 40 │ type 1 code 1 checksum 2 flags 4    target 16 │ options
//!  option  type 1 length 1 (in units of 8 octets) │ link-layer address 6
//! ```
//!
//! Octets behind the message are padding, with which an Ethernet fills its shortest frames. What
//! RFC 4861 §7.1 demands of a solicitation and of an advertisement holds of every decoded one.

use super::icmp::{Icmpv6Type, ipv6_header};
use super::ip::{Ipv6Header, protocol};
use super::{DecodeError, Fault, Reader, Writer, checksum, registry};
use crate::net::{EtherType, MacAddress};
use std::net::{Ipv4Addr, Ipv6Addr};

registry! {
    /// ARP operation codes.
    pub struct ArpOperation(u16) {
        REQUEST = 1,
        REPLY = 2,
    }
}

/// A frame with a message about an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighborFrame {
    /// The station, or the group of stations, that shall read it.
    pub destination: MacAddress,
    /// The station that sent it.
    pub source: MacAddress,
    /// What it says.
    pub message: NeighborMessage,
}

/// What stations tell each other about addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NeighborMessage {
    /// Of IPv4.
    Arp(Arp),
    /// A question of IPv6.
    Solicitation(NeighborSolicitation),
    /// An answer or an announcement of IPv6.
    Advertisement(NeighborAdvertisement),
}

/// An ARP message between Ethernet and IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Whether it asks or answers.
    pub operation: ArpOperation,
    /// The sender's Ethernet address.
    pub sender_mac: MacAddress,
    /// The sender's address; unspecified in a probe (RFC 5227 §2.1.1).
    pub sender: Ipv4Addr,
    /// The Ethernet address of the target; without meaning in a request.
    pub target_mac: MacAddress,
    /// The address that is asked for, or that of the station that is answered.
    pub target: Ipv4Addr,
}

/// A Neighbor Solicitation with the addresses of its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighborSolicitation {
    /// Who asks; unspecified while its own address is being tried (RFC 4862 §5.4).
    pub source: Ipv6Addr,
    /// The target itself or the group of [`solicited_node`].
    pub destination: Ipv6Addr,
    /// The address that is asked for.
    pub target: Ipv6Addr,
    /// The Source Link-Layer Address option.
    pub source_mac: Option<MacAddress>,
}

/// A Neighbor Advertisement with the addresses of its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighborAdvertisement {
    /// Who says so.
    pub source: Ipv6Addr,
    /// Who asked, or all nodes.
    pub destination: Ipv6Addr,
    /// The sender is a router.
    pub is_router: bool,
    /// It answers a solicitation; never to a group.
    pub is_solicited: bool,
    /// It replaces what is cached.
    pub overrides: bool,
    /// The address that it is about.
    pub target: Ipv6Addr,
    /// The Target Link-Layer Address option.
    pub target_mac: Option<MacAddress>,
}

/// All nodes of the link (RFC 4291 §2.7.1).
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

const WHAT: &str = "neighbor frame";
const HARDWARE_ETHERNET: u16 = 1;
/// Only a sender on the same link reaches us with this (RFC 4861 §7.1).
const HOP_LIMIT: u8 = 255;
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;
const SOURCE_LINK_LAYER_ADDRESS: u8 = 1;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;
/// Longer than any frame that is written here.
const CAPACITY: usize = 96;
/// Where a frame with IPv6 has its next header and, without extension headers, the ICMPv6 type.
const NEXT_HEADER_AT: usize = 20;
const ICMPV6_TYPE_AT: usize = 54;

/// The octets by which Neighbor Solicitations and Advertisements are told from all other frames
/// of IPv6: those of either line have these values, each at its offset.
pub const IPV6_MARKS: [[(usize, u8); 2]; 2] = [
    [(NEXT_HEADER_AT, protocol::ICMPV6), (ICMPV6_TYPE_AT, Icmpv6Type::NEIGHBOR_SOLICITATION.0)],
    [(NEXT_HEADER_AT, protocol::ICMPV6), (ICMPV6_TYPE_AT, Icmpv6Type::NEIGHBOR_ADVERTISEMENT.0)],
];

/// The group on which an address is asked for (RFC 4291 §2.7.1).
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    let low = u128::from(u32::from_be_bytes([0, a, b, c]));
    Ipv6Addr::from_bits(0xff02_0000_0000_0000_0000_0001_ff00_0000 | low)
}

/// The Ethernet address of an IPv6 group (RFC 2464 §7).
pub fn group_mac(group: Ipv6Addr) -> MacAddress {
    let [.., a, b, c, d] = group.octets();
    MacAddress([0x33, 0x33, a, b, c, d])
}

impl NeighborFrame {
    /// Reads a whole frame.
    ///
    /// # Errors
    ///
    /// When it is no message of the three kinds, or one that its RFC tells to discard.
    pub fn decode(frame: &[u8]) -> Result<NeighborFrame, DecodeError> {
        let mut reader = Reader::new(WHAT, frame);
        let destination = MacAddress(reader.array()?);
        let source = MacAddress(reader.array()?);
        let message = match EtherType(reader.u16()?) {
            EtherType::ARP => NeighborMessage::Arp(Arp::decode(&mut reader)?),
            EtherType::IPV6 => decode_icmpv6(&mut reader)?,
            _ => return Err(reader.invalid("neither ARP nor IPv6")),
        };
        Ok(NeighborFrame { destination, source, message })
    }

    /// The frame's octets, without padding.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(CAPACITY);
        writer.bytes(&self.destination.0);
        writer.bytes(&self.source.0);
        let ethertype = match &self.message {
            NeighborMessage::Arp(_) => EtherType::ARP,
            NeighborMessage::Solicitation(_) | NeighborMessage::Advertisement(_) => EtherType::IPV6,
        };
        writer.u16(ethertype.0);
        match &self.message {
            NeighborMessage::Arp(arp) => arp.encode(&mut writer),
            NeighborMessage::Solicitation(solicitation) => solicitation.encode(&mut writer),
            NeighborMessage::Advertisement(advertisement) => advertisement.encode(&mut writer),
        }
        writer.into_bytes()
    }
}

impl Arp {
    fn decode(reader: &mut Reader<'_>) -> Result<Arp, DecodeError> {
        if (reader.u16()?, reader.u16()?) != (HARDWARE_ETHERNET, EtherType::IPV4.0) {
            return Err(reader.invalid("not between Ethernet and IPv4"));
        }
        if (reader.u8()?, reader.u8()?) != (6, 4) {
            return Err(reader.invalid("addresses of other lengths"));
        }
        Ok(Arp {
            operation: ArpOperation(reader.u16()?),
            sender_mac: MacAddress(reader.array()?),
            sender: Ipv4Addr::from(reader.array::<4>()?),
            target_mac: MacAddress(reader.array()?),
            target: Ipv4Addr::from(reader.array::<4>()?),
        })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u16(HARDWARE_ETHERNET);
        writer.u16(EtherType::IPV4.0);
        writer.u8(6);
        writer.u8(4);
        writer.u16(self.operation.0);
        writer.bytes(&self.sender_mac.0);
        writer.bytes(&self.sender.octets());
        writer.bytes(&self.target_mac.0);
        writer.bytes(&self.target.octets());
    }
}

impl NeighborSolicitation {
    /// RFC 4861 §7.1.1: who tries an address has none to tell, and asks the group.
    fn checked(self, reader: &Reader<'_>) -> Result<Self, DecodeError> {
        let tries = self.source.is_unspecified();
        let well_tried =
            self.destination == solicited_node(self.target) && self.source_mac.is_none();
        match !tries || well_tried {
            true => Ok(self),
            false => Err(reader.invalid("no way to try an address")),
        }
    }

    fn encode(&self, writer: &mut Writer) {
        let option = self.source_mac.map(|mac| (SOURCE_LINK_LAYER_ADDRESS, mac));
        let message = message(Icmpv6Type::NEIGHBOR_SOLICITATION, 0, self.target, option);
        packet(self.source, self.destination, message, writer);
    }
}

impl NeighborAdvertisement {
    /// RFC 4861 §7.1.2: a group solicits nothing.
    fn checked(self, reader: &Reader<'_>) -> Result<Self, DecodeError> {
        match self.is_solicited && self.destination.is_multicast() {
            true => Err(reader.invalid("solicited by a group")),
            false => Ok(self),
        }
    }

    fn encode(&self, writer: &mut Writer) {
        let flag = |is_set: bool, bit| if is_set { bit } else { 0 };
        let flags = flag(self.is_router, ROUTER)
            | flag(self.is_solicited, SOLICITED)
            | flag(self.overrides, OVERRIDE);
        let option = self.target_mac.map(|mac| (TARGET_LINK_LAYER_ADDRESS, mac));
        let message = message(Icmpv6Type::NEIGHBOR_ADVERTISEMENT, flags, self.target, option);
        packet(self.source, self.destination, message, writer);
    }
}

/// RFC 4861 §7.1.1, §7.1.2: hop limit 255, checksum valid, code 0, no group as target, no option
/// without length.
fn decode_icmpv6(reader: &mut Reader<'_>) -> Result<NeighborMessage, DecodeError> {
    let packet = reader.clone().rest();
    let header = Ipv6Header::parse(packet)?;
    let (source, destination) = (header.source(), header.destination());
    if (header.next_header(), header.hop_limit()) != (protocol::ICMPV6, HOP_LIMIT) {
        return Err(reader.invalid("not ICMPv6 from this link"));
    }
    reader.take(Ipv6Header::LEN)?;
    let mut body = reader.nested(WHAT, header.total_len() - Ipv6Header::LEN)?;
    if !is_intact(source, destination, body.clone().rest()) {
        return Err(body.error(Fault::Checksum));
    }
    let kind = (Icmpv6Type(body.u8()?), body.u8()?);
    body.u16()?; // Checksum, verified over the whole
    let flags = body.u32()?.to_be_bytes()[0];
    let target = Ipv6Addr::from(body.array::<16>()?);
    if target.is_multicast() {
        return Err(body.invalid("a group as target"));
    }
    match kind {
        (Icmpv6Type::NEIGHBOR_SOLICITATION, 0) => {
            let source_mac = link_layer_address(&mut body, SOURCE_LINK_LAYER_ADDRESS)?;
            let asked = NeighborSolicitation { source, destination, target, source_mac };
            asked.checked(&body).map(NeighborMessage::Solicitation)
        }
        (Icmpv6Type::NEIGHBOR_ADVERTISEMENT, 0) => {
            let target_mac = link_layer_address(&mut body, TARGET_LINK_LAYER_ADDRESS)?;
            let told = NeighborAdvertisement {
                source,
                destination,
                is_router: flags & ROUTER != 0,
                is_solicited: flags & SOLICITED != 0,
                overrides: flags & OVERRIDE != 0,
                target,
                target_mac,
            };
            told.checked(&body).map(NeighborMessage::Advertisement)
        }
        _ => Err(body.invalid("neither a solicitation nor an advertisement")),
    }
}

fn is_intact(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> bool {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let pseudo = checksum::pseudo_header_v6(source, destination, protocol::ICMPV6, length);
    pseudo.bytes(message).finish() == 0
}

/// Reads all options; of those of the wanted kind the last counts. Others, and those with a
/// link-layer address of another length, say nothing to us (RFC 4861 §4.6).
fn link_layer_address(
    options: &mut Reader<'_>,
    wanted: u8,
) -> Result<Option<MacAddress>, DecodeError> {
    let mut found = None;
    while !options.is_empty() {
        let (kind, units) = (options.u8()?, options.u8()?);
        let Some(length) = (usize::from(units) * 8).checked_sub(2) else {
            return Err(options.error(Fault::Length(0)));
        };
        let value = options.take(length)?;
        if kind == wanted {
            found = value.try_into().ok().map(MacAddress);
        }
    }
    Ok(found)
}

/// An ICMPv6 message whose checksum is not set yet.
fn message(
    kind: Icmpv6Type,
    flags: u8,
    target: Ipv6Addr,
    option: Option<(u8, MacAddress)>,
) -> Vec<u8> {
    let mut writer = Writer::with_capacity(CAPACITY);
    writer.bytes(&[kind.0, 0, 0, 0, flags, 0, 0, 0]);
    writer.bytes(&target.octets());
    if let Some((number, mac)) = option {
        writer.bytes(&[number, 1]);
        writer.bytes(&mac.0);
    }
    writer.into_bytes()
}

/// An IPv6 packet around an ICMPv6 message, whose checksum it sets.
fn packet(source: Ipv6Addr, destination: Ipv6Addr, mut message: Vec<u8>, writer: &mut Writer) {
    let length = message.len() as u32;
    let pseudo = checksum::pseudo_header_v6(source, destination, protocol::ICMPV6, length);
    let sum = pseudo.bytes(&message).finish().to_be_bytes();
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&sum);
    }
    ipv6_header(message.len(), protocol::ICMPV6, HOP_LIMIT, source, destination, writer);
    writer.bytes(&message);
}

#[cfg(test)]
mod tests;
