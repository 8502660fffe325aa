//! A question to a host behind a peer, and its answer: an ICMP echo request whose data has a name of ours
//! in front, so that the reply is told from those to the host's own pings.

use super::icmp;
use super::ip::InnerPacket;
use std::net::IpAddr;

/// What tells its data from that of others; the last octet is a version.
const NAME: [u8; 8] = *b"vpngw p\x01";
/// The identifier of its requests, which those who look at packets may see.
const IDENTIFIER: u32 = 0x7670;

/// Whether an inner packet is an answer. `packet` was parsed from `bytes`.
pub fn is_answer(packet: &InnerPacket, bytes: &[u8]) -> bool {
    number_in(packet, bytes).is_some()
}

/// The number of the question that a whole inner packet answers, and who does; `None` for any other packet.
pub fn answer(bytes: &[u8]) -> Option<(IpAddr, u64)> {
    let packet = InnerPacket::parse(bytes).ok()?;
    Some((packet.source, number_in(&packet, bytes)?))
}

/// A question of this number; `None` when the addresses are of two families.
pub fn question(from: IpAddr, to: IpAddr, number: u64) -> Option<Vec<u8>> {
    let sequence = (number & 0xffff) as u32;
    let data = [NAME, number.to_be_bytes()].concat();
    icmp::echo_request(from, to, IDENTIFIER << 16 | sequence, &data)
}

fn number_in(packet: &InnerPacket, bytes: &[u8]) -> Option<u64> {
    let data = icmp::echo_answer(packet, bytes)?.strip_prefix(&NAME)?;
    Some(u64::from_be_bytes(data.try_into().ok()?))
}

#[cfg(test)]
mod tests;
