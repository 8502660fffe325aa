//! Packets that say once more what was said before. A session that is up learns nothing from them
//! beside that the peer lives, which every authentic packet shows; so it need not be woken for each.

use crate::wire::bfd::{ControlPacket, TTL};
use crate::wire::ip::InnerPacket;
use crate::wire::udp::UdpHeader;
use std::time::Duration;

/// How long a packet may be left out. Then it is news all the same: others stand in for the packets
/// of BFD for three times as long only.
pub const AGAIN: Duration = Duration::from_secs(1);

/// What tells an inner packet from others that say something else; its checksum covers the
/// addresses, too. `None` for one that no other can stand for: a poll, an answer to one, and what
/// was forwarded or is none of BFD's.
pub fn said(packet: &[u8]) -> Option<&[u8]> {
    let inner = InnerPacket::parse(packet).ok().filter(|inner| inner.ttl == TTL)?;
    let datagram = packet.get(inner.transport_offset..inner.total_len)?;
    let control = ControlPacket::decode(datagram.get(UdpHeader::LEN..)?).ok()?;
    (!control.poll && !control.is_final).then_some(datagram)
}

#[cfg(test)]
mod tests;
