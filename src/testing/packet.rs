//! Inner packets as tests make them: IP headers around a payload, and the payload of one again.

use crate::wire::checksum;
use std::net::IpAddr;

/// TCP.
pub(super) const TCP: u8 = 6;
/// UDP.
pub(super) const UDP: u8 = 17;

/// An IP packet of `protocol` from `src` to `dst` around `payload`; the families must be equal.
pub(super) fn ip(src: IpAddr, dst: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let total = 20 + payload.len() as u16;
            let mut packet = vec![0x45, 0];
            packet.extend(total.to_be_bytes());
            packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
            packet.extend(src.octets());
            packet.extend(dst.octets());
            let sum = checksum::Sum::of(&packet).finish();
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            packet.extend(payload);
            packet
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend((payload.len() as u16).to_be_bytes());
            packet.extend([protocol, 64]);
            packet.extend(src.octets());
            packet.extend(dst.octets());
            packet.extend(payload);
            packet
        }
        _ => panic!("{src} and {dst} are of different families"),
    }
}

/// The same with a TTL of 255, as the ends of a tunnel send it to each other.
pub(super) fn neighborly(src: IpAddr, dst: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = ip(src, dst, protocol, payload);
    set_ttl(&mut packet, 255);
    packet
}

/// Gives a packet another TTL or hop limit.
pub(super) fn set_ttl(packet: &mut [u8], ttl: u8) {
    if packet[0] >> 4 == 6 {
        packet[7] = ttl;
        return;
    }
    packet[8] = ttl;
    packet[10..12].fill(0);
    let sum = checksum::Sum::of(&packet[..20]).finish();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// What a test sees in an inner packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen<'a> {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Protocol number.
    pub protocol: u8,
    /// What follows the IP header.
    pub payload: &'a [u8],
}

/// Reads a packet that [`ip`] made.
pub(super) fn read(packet: &[u8]) -> Seen<'_> {
    let v4 = |at: usize| IpAddr::from(<[u8; 4]>::try_from(&packet[at..at + 4]).expect("4 bytes"));
    let v6 = |at: usize| IpAddr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).expect("16"));
    match packet[0] >> 4 {
        4 => Seen { src: v4(12), dst: v4(16), protocol: packet[9], payload: &packet[20..] },
        6 => Seen { src: v6(8), dst: v6(24), protocol: packet[6], payload: &packet[40..] },
        version => panic!("IP version {version}"),
    }
}
