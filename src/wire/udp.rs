//! The UDP header (RFC 768), and whole datagrams that a gateway makes and takes itself.

use super::checksum::{self, Sum};
use super::ip::{Fragment, InnerPacket, Ipv4Header, Ipv6Header, protocol};
use super::{DecodeError, Fault, Writer};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A view of a UDP header.
#[derive(Clone, Copy, Debug)]
pub struct UdpHeader<'a>(&'a [u8; UdpHeader::LEN]);

impl<'a> UdpHeader<'a> {
    /// Octets of the header.
    pub const LEN: usize = 8;

    /// The header at the start of `datagram`, whose length field is not checked: packets to be
    /// segmented have that of the whole.
    ///
    /// # Errors
    ///
    /// When the datagram is shorter than the header.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let Some(header) = datagram.first_chunk() else {
            let why = Fault::Truncated { needed: UdpHeader::LEN, left: datagram.len() };
            return Err(DecodeError { what: "UDP header", why, at: 0 });
        };
        Ok(UdpHeader(header))
    }

    /// The sender's port.
    pub fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    /// The receiver's port.
    pub fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.0[2], self.0[3]])
    }

    /// Octets of header and payload.
    pub fn length(&self) -> u16 {
        u16::from_be_bytes([self.0[4], self.0[5]])
    }

    /// The checksum; zero means none.
    pub fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.0[6], self.0[7]])
    }
}

/// How a datagram travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Travel {
    /// Its TTL or hop limit.
    pub ttl: u8,
    /// DSCP and ECN.
    pub tos: u8,
}

/// An IP packet that carries a UDP datagram between two addresses of one family; `None` for two
/// families, and for a payload that no packet holds.
pub fn packet(
    source: SocketAddr,
    destination: SocketAddr,
    travel: Travel,
    payload: &[u8],
) -> Option<Vec<u8>> {
    let length = u16::try_from(UdpHeader::LEN + payload.len()).ok()?;
    let (from, to) = (source.ip(), destination.ip());
    let mut header = [0; UdpHeader::LEN];
    header[..2].copy_from_slice(&source.port().to_be_bytes());
    header[2..4].copy_from_slice(&destination.port().to_be_bytes());
    header[4..6].copy_from_slice(&length.to_be_bytes());
    let sum = checksum::pseudo_header(from, to, protocol::UDP, length)?;
    let checksum = sum.bytes(&header).bytes(payload).finish_udp();
    header[6..].copy_from_slice(&checksum.to_be_bytes());
    let mut writer = Writer::with_capacity(Ipv6Header::LEN + usize::from(length));
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ipv4(length, travel, from, to, &mut writer)?,
        (IpAddr::V6(from), IpAddr::V6(to)) => ipv6(length, travel, from, to, &mut writer),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    }
    writer.bytes(&header);
    writer.bytes(payload);
    Some(writer.into_bytes())
}

fn ipv4(
    length: u16,
    travel: Travel,
    from: Ipv4Addr,
    to: Ipv4Addr,
    writer: &mut Writer,
) -> Option<()> {
    let mut header = [0; Ipv4Header::MIN_LEN];
    let total = length.checked_add(Ipv4Header::MIN_LEN as u16)?;
    (header[0], header[1]) = (0x45, travel.tos);
    header[2..4].copy_from_slice(&total.to_be_bytes());
    header[6] = 0x40; // Don't Fragment
    (header[8], header[9]) = (travel.ttl, protocol::UDP);
    header[12..16].copy_from_slice(&from.octets());
    header[16..].copy_from_slice(&to.octets());
    [header[10], header[11]] = Sum::of(&header).finish().to_be_bytes();
    writer.bytes(&header);
    Some(())
}

fn ipv6(length: u16, travel: Travel, from: Ipv6Addr, to: Ipv6Addr, writer: &mut Writer) {
    writer.u32(6 << 28 | u32::from(travel.tos) << 20);
    writer.u16(length);
    writer.u8(protocol::UDP);
    writer.u8(travel.ttl);
    writer.bytes(&from.octets());
    writer.bytes(&to.octets());
}

/// A UDP datagram in an IP packet.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// What the IP header says.
    pub ip: InnerPacket,
    /// Who sent it.
    pub source_port: u16,
    /// Who is to get it.
    pub destination_port: u16,
    /// What it carries.
    pub payload: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// The datagram in an IP packet; its length and checksum are checked. `None` when the packet
    /// holds none, or only a part of one.
    pub fn in_packet(packet: &'a [u8]) -> Option<Datagram<'a>> {
        let ip = InnerPacket::parse(packet).ok()?;
        if ip.protocol != protocol::UDP || ip.fragment != Fragment::Whole {
            return None;
        }
        let inside = packet.get(ip.transport_offset..ip.total_len)?;
        let header = UdpHeader::parse(inside).ok()?;
        let datagram = inside.get(..usize::from(header.length()))?;
        let payload = datagram.get(UdpHeader::LEN..)?;
        let sum =
            checksum::pseudo_header(ip.source, ip.destination, protocol::UDP, header.length());
        // Only IPv4 may do without (RFC 8200 §8.1).
        let without = header.checksum() == 0 && ip.is_ipv4();
        if !without && sum?.bytes(datagram).finish() != 0 {
            return None;
        }
        let (source_port, destination_port) = (header.source_port(), header.destination_port());
        Some(Datagram { ip, source_port, destination_port, payload })
    }
}

#[cfg(test)]
mod tests;
