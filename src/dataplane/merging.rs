//! Which merged packets a device takes, as it has shown.

use crate::offload::Segmentation;
use crate::wire::ip::protocol;

/// What a device has refused once is not merged for it again. Each transport stands for itself:
/// a TUN device of Linux takes merged TCP since long ago, merged UDP since 6.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Merging {
    tcp: bool,
    udp: bool,
}

impl Merging {
    pub fn new() -> Merging {
        Merging { tcp: true, udp: true }
    }

    /// Whether an inner packet may be merged with others of its flow.
    pub fn takes(self, packet: &[u8]) -> bool {
        match protocol_of(packet) {
            Some(protocol::UDP) => self.udp,
            Some(_) | None => self.tcp,
        }
    }

    /// The device has refused a merged packet; returns whether that is news.
    pub fn on_refused(&mut self, kind: Segmentation) -> bool {
        match kind {
            Segmentation::Udp => std::mem::replace(&mut self.udp, false),
            Segmentation::TcpV4 | Segmentation::TcpV6 => std::mem::replace(&mut self.tcp, false),
            Segmentation::None => false,
        }
    }
}

/// The protocol of a packet without extension headers; nothing else is merged.
fn protocol_of(packet: &[u8]) -> Option<u8> {
    let at = if packet.first()? >> 4 == 4 { 9 } else { 6 };
    packet.get(at).copied()
}

#[cfg(test)]
mod tests;
