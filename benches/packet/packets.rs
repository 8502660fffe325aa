//! Inner packets: headers that are right, payloads of one repeated octet.

use vpngw::offload::{Segmentation, VirtioNetHeader};
use vpngw::wire::checksum::Sum;

/// From the west to the east.
const ADDRESSES: [u8; 8] = [10, 1, 0, 1, 10, 2, 0, 1];

/// A UDP packet over IPv4 of `length` bytes.
pub(crate) fn udp(length: usize) -> Vec<u8> {
    let mut packet = ipv4(17, length);
    packet[20..24].copy_from_slice(&[0x30, 0x39, 0x14, 0x51]); // ports 12345 and 5201
    packet[24..26].copy_from_slice(&(length as u16 - 20).to_be_bytes());
    packet[26..28].fill(0); // no checksum (RFC 768)
    packet
}

/// The packet with the checksum that it lacks.
pub(crate) fn with_checksum(mut packet: Vec<u8>) -> Vec<u8> {
    let length = packet.len() as u16 - 20;
    let sum = Sum::of(&packet[12..20]).u16(17).u16(length).bytes(&packet[20..]).finish_udp();
    packet[26..28].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// The packet as another host sends it to another one.
pub(crate) fn udp_between(packet: &[u8], host: u8) -> Vec<u8> {
    let mut packet = packet.to_vec();
    // Every pair of hosts is one flow.
    (packet[15], packet[19]) = (packet[15] + host, packet[19] + 100 - host);
    let checksum = |sum: Sum| sum.finish().to_be_bytes();
    packet[10..12].fill(0);
    let header = checksum(Sum::of(&packet[..20]));
    packet[10..12].copy_from_slice(&header);
    if packet[26..28] == [0, 0] {
        packet
    } else {
        packet[26..28].fill(0);
        with_checksum(packet)
    }
}

/// `segments` TCP segments of `payload` bytes as one read of a device gives them.
pub(crate) fn tcp_train(segments: usize, payload: usize) -> (VirtioNetHeader, Vec<u8>) {
    let mut packet = ipv4(6, 40 + segments * payload);
    packet[20..24].copy_from_slice(&[0x30, 0x39, 0x14, 0x51]);
    packet[24..32].fill(0);
    packet[32..40].copy_from_slice(&[0x50, 0x10, 0x01, 0xf5, 0, 0, 0, 0]);
    let header = VirtioNetHeader {
        needs_checksum: true,
        segmentation: Segmentation::TcpV4,
        head_len: 40,
        segment_size: payload as u16,
        checksum_start: 20,
        checksum_offset: 16,
    };
    (header, packet)
}

fn ipv4(protocol: u8, length: usize) -> Vec<u8> {
    let mut packet = vec![0x5a; length];
    packet[..12].copy_from_slice(&[0x45, 0, 0, 0, 0, 7, 0x40, 0, 64, protocol, 0, 0]);
    packet[2..4].copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    packet[12..20].copy_from_slice(&ADDRESSES);
    let checksum = Sum::of(&packet[..20]).finish();
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet
}
