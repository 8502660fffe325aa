//! Packets that share datagrams (RFC 9347): what waits together leaves together, and nothing waits for more.

use super::outbound::OWN_HOP_LIMIT;
use super::{Egress, TunnelEntry};
use crate::esp::Discard;
use crate::esp::aggfrag::{Pacer, Packer};
use crate::offload::SuperPacket;
use crate::wire::aggfrag::AGGFRAG_PAYLOAD;
use crate::wire::ip::InnerPacket;
use std::mem;
use std::ptr;

/// TOS of datagrams that are shared: what is in them has no class of service in common (RFC 9347
/// §2.2.5.3), and none of it can be told of congestion (§3.1).
pub(super) const AGGREGATE_TOS: u8 = 0;
/// Beyond so many octets nothing is added: a super-packet more has room in every send buffer.
const OCTETS: usize = 64 << 10;

/// Packets by the SA that they leave by, until [`seal`](Packing::seal).
#[derive(Debug, Default)]
pub(super) struct Packing<'t> {
    waiting: Vec<Waiting<'t>>,
    octets: usize,
    packers: Packers,
}

/// Memory of packets that have left, for the next turn.
#[derive(Debug, Default)]
pub struct Packers(Vec<Packer>);

#[derive(Debug)]
struct Waiting<'t> {
    tunnel: &'t TunnelEntry,
    packer: Packer,
    /// How many of the packets are the host's own.
    own: u64,
}

impl<'t> Packing<'t> {
    /// Nothing yet, in the memory of earlier turns.
    pub(super) fn new(packers: Packers) -> Packing<'t> {
        Packing { waiting: Vec::new(), octets: 0, packers }
    }

    /// Adds all that a packet stands for. What waited is sealed when it has become much.
    pub(super) fn push(
        &mut self,
        tunnel: &'t TunnelEntry,
        inner: &InnerPacket,
        packet: &mut SuperPacket<'_>,
        egress: &mut impl Egress,
    ) {
        if let Some(pacer) = &tunnel.pacer {
            return wait(tunnel, pacer, inner, packet);
        }
        if self.octets >= OCTETS {
            self.seal(None, egress);
        }
        self.octets += packet.total();
        let waiting = self.of(tunnel);
        if inner.ttl == OWN_HOP_LIMIT {
            waiting.own += packet.count() as u64;
        }
        // What may follow a packet is nobody's, and would be taken for the next one.
        if let Some(single) = packet.single_mut() {
            return waiting.packer.push(&single[..inner.total_len], &[]);
        }
        let mut segments = packet.segments();
        while let Some(segment) = segments.next() {
            waiting.packer.push(segment.head, segment.payload);
        }
    }

    /// What waits for an SA.
    fn of(&mut self, tunnel: &'t TunnelEntry) -> &mut Waiting<'t> {
        let known = self.waiting.iter().position(|one| ptr::eq(one.tunnel, tunnel));
        let place = known.unwrap_or_else(|| {
            let packer = self.packers.0.pop().unwrap_or_default();
            self.waiting.push(Waiting { tunnel, packer, own: 0 });
            self.waiting.len() - 1
        });
        &mut self.waiting[place]
    }

    /// Seals what waits, in datagrams with this TOS or that of packets of many. What is discarded is counted here.
    pub(super) fn seal(&mut self, tos: Option<u8>, egress: &mut impl Egress) {
        self.octets = 0;
        for Waiting { tunnel, mut packer, own } in self.waiting.drain(..) {
            let mut left = 0;
            let tos = tos.unwrap_or(tunnel.dscp.tos_for(AGGREGATE_TOS));
            let sealed = seal(tunnel, &packer, tos, egress, &mut left);
            let (packets, octets) = packer.whole_within(left);
            tunnel.counters.count_sent(packets as u64, octets as u64);
            tunnel.counters.count_own_sent(own.min(packets as u64));
            if let Err(reason) = sealed {
                let lost = packer.packets() - packets;
                tunnel.counters.discards.add_many(reason, lost as u64);
            }
            packer.clear();
            self.packers.0.push(packer);
        }
    }

    /// The memory, when nothing waits any more.
    pub(super) fn into_packers(mut self) -> Packers {
        mem::take(&mut self.packers)
    }
}

/// Lets packets wait for the clock.
fn wait(tunnel: &TunnelEntry, pacer: &Pacer, inner: &InnerPacket, packet: &mut SuperPacket<'_>) {
    let take = |head: &[u8], payload: &[u8]| match pacer.push(head, payload) {
        Ok(()) if inner.ttl == OWN_HOP_LIMIT => tunnel.counters.count_own_sent(1),
        Ok(()) => {}
        Err(reason) => tunnel.counters.discards.add(reason),
    };
    if let Some(single) = packet.single_mut() {
        return take(&single[..inner.total_len], &[]);
    }
    let mut segments = packet.segments();
    while let Some(segment) = segments.next() {
        take(segment.head, segment.payload);
    }
}

/// The pieces of a packet have consecutive sequence numbers (§2.2.3): one train takes all. `left` counts
/// the octets of packets that have left, also when the rest cannot.
fn seal(
    tunnel: &TunnelEntry,
    packer: &Packer,
    tos: u8,
    egress: &mut impl Egress,
    left: &mut usize,
) -> Result<(), Discard> {
    let longest = usize::from(tunnel.inner_mtu);
    let payloads = packer.payloads(longest);
    let count = packer.count(longest);
    let octets: usize = payloads.clone().map(|payload| payload.octets()).sum();
    let mut train = tunnel.outbound.reserve(count as u32, octets as u64)?;
    for payload in payloads {
        let length = tunnel.outbound.layout().sealed_len(payload.octets());
        egress.datagram(tunnel, tos, length, |out| {
            train.seal(AGGFRAG_PAYLOAD, &payload.header, payload.data, out)
        })?;
        *left += payload.data.len();
    }
    Ok(())
}
