//! VRRP version 3 advertisements (RFC 9568 §5).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Version| Type  | Virtual Rtr ID|   Priority    |IPvX Addr Count|
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Reserve| Max Advertise Interval|          Checksum             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                       IPvX Address(es)                        |
//! ```
//!
//! The IPv6 checksum covers a pseudo-header, the IPv4 checksum does not (RFC 9568 §5.2.8; some
//! implementations of RFC 5798 read it otherwise). That the hop limit is 255 is checked by whoever
//! has the IP header (RFC 9568 §7.1).

use super::checksum::{self, Sum};
use super::icmp::ipv6_header;
use super::ip::protocol;
use super::neighbor::group_mac;
use super::{DecodeError, Fault, Reader, Writer};
use crate::net::{EtherType, MacAddress};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where advertisements over IPv4 go (RFC 9568 §5.1.1.2).
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// Where advertisements over IPv6 go (RFC 9568 §5.1.2.2).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// Octets in front of the addresses.
pub const HEADER_LEN: usize = 8;
/// Longest interval that the field can say, in centiseconds.
pub const MAX_INTERVAL: u16 = 0x0fff;

/// Priority of a router that gives up being active (RFC 9568 §5.2.4).
pub const PRIORITY_RESIGNING: u8 = 0;
/// Priority of the router that owns the virtual addresses.
pub const PRIORITY_OWNER: u8 = 255;

const VERSION_AND_TYPE: u8 = 3 << 4 | 1;
const CHECKSUM_AT: usize = 6;
const ETHERNET_LEN: usize = 14;
/// The Ethernet address of [`GROUP_V4`] (RFC 1112 §6.4).
const GROUP_V4_MAC: [u8; 6] = [0x01, 0x00, 0x5e, 0x00, 0x00, 0x12];
/// Only a sender on the same link reaches us with this (RFC 9568 §5.1.1.3).
const HOP_LIMIT: u8 = 255;
/// The advertisements must pass a full link (RFC 2474 §4.2.2.2).
const INTERNETWORK_CONTROL: u8 = 0xc0;

/// What an active router says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// Virtual Router Identifier, 1 to 255.
    pub virtual_router_id: u8,
    /// Priority of the sender; 0 when it resigns.
    pub priority: u8,
    /// Max Advertise Interval in centiseconds, 12 bits.
    pub interval: u16,
    /// The virtual addresses, all of the family that carries the advertisement; for IPv6 the
    /// link-local one first.
    pub addresses: Vec<IpAddr>,
}

impl Advertisement {
    /// Reads the IP payload of a packet from `source` to `destination`.
    ///
    /// # Errors
    ///
    /// When the packet is not VRRPv3 of this family as RFC 9568 §5.2 has it, or its checksum is
    /// wrong.
    pub fn decode(
        bytes: &[u8],
        source: IpAddr,
        destination: IpAddr,
    ) -> Result<Advertisement, DecodeError> {
        let mut reader = Reader::new("VRRP advertisement", bytes);
        if reader.u8()? != VERSION_AND_TYPE {
            return Err(reader.invalid("neither version 3 nor an advertisement"));
        }
        let virtual_router_id = reader.u8()?;
        let priority = reader.u8()?;
        let count = reader.u8()?;
        let interval = reader.u16()? & MAX_INTERVAL;
        reader.u16()?; // Checksum, verified over the whole
        if virtual_router_id == 0 || count == 0 {
            return Err(reader.invalid("no virtual router or no address"));
        }
        let addresses =
            (0..count).map(|_| read_address(&mut reader, source)).collect::<Result<Vec<_>, _>>()?;
        let end = reader.clone();
        reader.finish()?;
        match checksum_base(source, destination, bytes.len()) {
            Some(base) if base.bytes(bytes).finish() == 0 => {}
            Some(_) | None => return Err(end.error(Fault::Checksum)),
        }
        Ok(Advertisement { virtual_router_id, priority, interval, addresses })
    }

    /// The IP payload of a packet from `source` to `destination`, which are of one family.
    /// Addresses of the other family, and those past the 255th, are left out; they have no place
    /// in the format.
    pub fn encode(&self, source: IpAddr, destination: IpAddr) -> Vec<u8> {
        let family = |address: &&IpAddr| address.is_ipv4() == source.is_ipv4();
        let addresses: Vec<_> = self.addresses.iter().filter(family).take(255).collect();
        let mut writer = Writer::with_capacity(HEADER_LEN + 16 * addresses.len());
        writer.u8(VERSION_AND_TYPE);
        writer.u8(self.virtual_router_id);
        writer.u8(self.priority);
        writer.u8(addresses.len() as u8);
        writer.u16(self.interval.min(MAX_INTERVAL));
        writer.u16(0);
        for address in addresses {
            write_address(*address, &mut writer);
        }
        let mut bytes = writer.into_bytes();
        set_checksum(&mut bytes, source, destination);
        bytes
    }
}

/// The Ethernet address of a virtual router (RFC 9568 §7.3).
pub fn virtual_mac(vrid: u8, ipv4: bool) -> MacAddress {
    MacAddress([0x00, 0x00, 0x5e, 0x00, if ipv4 { 0x01 } else { 0x02 }, vrid])
}

/// The frame in which an advertisement leaves from an Ethernet address that is not the interface's
/// own (RFC 9568 §5.1, §7.2): `bytes` as [`Advertisement::encode`] has written them for `source` and
/// its group.
pub fn frame(mac: MacAddress, source: IpAddr, bytes: &[u8]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(ETHERNET_LEN + 40 + bytes.len());
    match source {
        IpAddr::V4(source) => {
            writer.bytes(&GROUP_V4_MAC);
            writer.bytes(&mac.0);
            writer.u16(EtherType::IPV4.0);
            writer.bytes(&ipv4_header(source, bytes.len()));
        }
        IpAddr::V6(source) => {
            writer.bytes(&group_mac(GROUP_V6).0);
            writer.bytes(&mac.0);
            writer.u16(EtherType::IPV6.0);
            ipv6_header(bytes.len(), protocol::VRRP, HOP_LIMIT, source, GROUP_V6, &mut writer);
        }
    }
    writer.bytes(bytes);
    writer.into_bytes()
}

/// Of a packet to the group, in one piece.
fn ipv4_header(source: Ipv4Addr, payload: usize) -> [u8; 20] {
    let length = u16::try_from(20 + payload).unwrap_or(u16::MAX).to_be_bytes();
    let ([a, b, c, d], [e, f, g, h]) = (source.octets(), GROUP_V4.octets());
    let [high, low] = length;
    let mut header = [
        0x45,
        INTERNETWORK_CONTROL,
        high,
        low,
        0,
        0,
        0x40,
        0,
        HOP_LIMIT,
        protocol::VRRP,
        0,
        0,
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
    ];
    let [high, low] = Sum::ZERO.bytes(&header).finish().to_be_bytes();
    (header[10], header[11]) = (high, low);
    header
}

/// The version that a packet says it has; nothing else of it is looked at.
pub fn version(bytes: &[u8]) -> Option<u8> {
    bytes.first().map(|octet| octet >> 4)
}

/// The VRID of a packet, which stands at the same place in versions 2 and 3.
pub fn virtual_router_id(bytes: &[u8]) -> Option<u8> {
    bytes.get(1).copied()
}

/// Whether a packet over IPv4 has the checksum that its message and a pseudo-header would have.
pub fn has_pseudo_header_checksum(bytes: &[u8], source: IpAddr, destination: IpAddr) -> bool {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let pseudo = checksum::pseudo_header(source, destination, protocol::VRRP, length);
    source.is_ipv4() && pseudo.is_some_and(|pseudo| pseudo.bytes(bytes).finish() == 0)
}

fn read_address(reader: &mut Reader<'_>, family: IpAddr) -> Result<IpAddr, DecodeError> {
    Ok(match family {
        IpAddr::V4(_) => Ipv4Addr::from(reader.array::<4>()?).into(),
        IpAddr::V6(_) => Ipv6Addr::from(reader.array::<16>()?).into(),
    })
}

fn write_address(address: IpAddr, writer: &mut Writer) {
    match address {
        IpAddr::V4(v4) => writer.bytes(&v4.octets()),
        IpAddr::V6(v6) => writer.bytes(&v6.octets()),
    }
}

/// What the checksum covers besides the message (RFC 9568 §5.2.8).
fn checksum_base(source: IpAddr, destination: IpAddr, length: usize) -> Option<Sum> {
    match (source, destination) {
        (IpAddr::V4(_), IpAddr::V4(_)) => Some(Sum::ZERO),
        _ => {
            let length = u16::try_from(length).ok()?;
            checksum::pseudo_header(source, destination, protocol::VRRP, length)
        }
    }
}

fn set_checksum(bytes: &mut [u8], source: IpAddr, destination: IpAddr) {
    let base = checksum_base(source, destination, bytes.len()).unwrap_or_default();
    let checksum = base.bytes(bytes).finish();
    if let Some(field) = bytes.get_mut(CHECKSUM_AT..CHECKSUM_AT + 2) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
