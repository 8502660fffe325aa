//! A question to a host behind a peer, and its answer: an ICMP echo request whose data has a name of ours
//! in front, so that the reply is told from those to the host's own pings, and who asked behind it: the host
//! may answer by another way.

use super::ip::InnerPacket;
use super::{Reader, icmp};
use std::net::IpAddr;

/// What tells its data from that of others; the last octet is a version.
const NAME: [u8; 8] = *b"vpngw p\x01";
/// The identifier of its requests, which those who look at packets may see.
const IDENTIFIER: u32 = 0x7670;

/// Which question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Through which tunnel, by a number of the gateway's own.
    pub tunnel: u32,
    /// Its number.
    pub number: u64,
}

/// Whether an inner packet is an answer. `packet` was parsed from `bytes`.
pub fn is_answer(packet: &InnerPacket, bytes: &[u8]) -> bool {
    question_in(packet, bytes).is_some()
}

/// The question that a whole inner packet answers, and who does; `None` for any other packet.
pub fn answer(bytes: &[u8]) -> Option<(IpAddr, Question)> {
    let packet = InnerPacket::parse(bytes).ok()?;
    Some((packet.source, question_in(&packet, bytes)?))
}

/// The packet that asks; `None` when the addresses are of two families.
pub fn question(from: IpAddr, to: IpAddr, question: Question) -> Option<Vec<u8>> {
    let Question { tunnel, number } = question;
    let sequence = (number & 0xffff) as u32;
    let data = [&NAME[..], &tunnel.to_be_bytes(), &number.to_be_bytes()].concat();
    icmp::echo_request(from, to, IDENTIFIER << 16 | sequence, &data)
}

fn question_in(packet: &InnerPacket, bytes: &[u8]) -> Option<Question> {
    let data = icmp::echo_answer(packet, bytes)?.strip_prefix(&NAME)?;
    let mut reader = Reader::new("answer to a probe", data);
    let (tunnel, number) = (reader.u32().ok()?, reader.u64().ok()?);
    reader.is_empty().then_some(Question { tunnel, number })
}

#[cfg(test)]
mod tests;
