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
    pub(super) fn new() -> Merging {
        Merging { tcp: true, udp: true }
    }

    /// Whether an inner packet of this protocol may be merged with others of its flow.
    pub(super) fn takes(self, protocol: u8) -> bool {
        if protocol == protocol::UDP { self.udp } else { self.tcp }
    }

    /// The device has refused a merged packet; returns whether that is news.
    pub(super) fn on_refused(&mut self, kind: Segmentation) -> bool {
        match kind {
            Segmentation::Udp => std::mem::replace(&mut self.udp, false),
            Segmentation::TcpV4 | Segmentation::TcpV6 => std::mem::replace(&mut self.tcp, false),
            Segmentation::None => false,
        }
    }
}

#[cfg(test)]
mod tests;
