//! Packets one by one, with owned results, for tests and simulations. The decisions are those of
//! [`Outbound`] and [`Inbound`].

use super::{Egress, Inbound, Outbound, Permitted, Snapshot, TunnelEntry, Verdict};
use crate::esp::Discard;
use crate::net::VpcId;
use crate::offload::SuperPacket;
use crate::time::Timestamp;
use std::net::SocketAddr;

/// A sealed datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Our address and port.
    pub local: SocketAddr,
    /// The peer's address and port.
    pub remote: SocketAddr,
    /// Outer TOS or traffic class.
    pub tos: u8,
    /// The ESP packet.
    pub bytes: Vec<u8>,
    /// Whether the path carries it in one piece; else it is to be fragmented.
    pub whole: bool,
}

/// What became of one packet from a TUN device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What leaves: one datagram, or one for each fragment.
    pub datagrams: Vec<Datagram>,
    /// The ICMP error for the inner host.
    pub reply: Option<Vec<u8>>,
    /// Why the packet was discarded.
    pub discarded: Option<Discard>,
}

impl Egress for Outcome {
    fn datagram(
        &mut self,
        tunnel: &TunnelEntry,
        tos: u8,
        length: usize,
        seal: impl FnOnce(&mut [u8]) -> Result<usize, Discard>,
    ) -> Result<(), Discard> {
        let mut bytes = vec![0; length];
        let sealed = seal(&mut bytes)?;
        bytes.truncate(sealed);
        let (local, remote, whole) = (tunnel.local, tunnel.remote, tunnel.fits_whole(sealed));
        self.datagrams.push(Datagram { local, remote, tos, bytes, whole });
        Ok(())
    }

    fn reply(&mut self, error: impl FnOnce() -> Option<Vec<u8>>) {
        self.reply = error();
    }
}

/// Sends one packet of a VPC. Its MSS may be lowered in place.
pub fn outbound_packet(snapshot: &Snapshot, vpc: VpcId, packet: &mut [u8]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut outbound = Outbound::new(snapshot, vpc, Timestamp::ZERO);
    let result = outbound.send(SuperPacket::whole(packet), &mut outcome);
    outbound.finish(&mut outcome);
    outcome.discarded = result.err();
    outcome
}

/// Opens and judges one ESP packet in place that is for a host.
pub fn inbound_packet<'a>(
    snapshot: &'a Snapshot,
    outer_tos: u8,
    datagram: &'a mut [u8],
) -> Result<Permitted<'a>, Discard> {
    match Inbound::new(snapshot, Timestamp::ZERO).open(outer_tos, datagram)? {
        Verdict::ToHost(permitted) => Ok(permitted),
        Verdict::ToGateway(packet) => panic!("{packet:?} is for the gateway itself"),
        Verdict::Echo(peer, echo) => panic!("{echo:?} of {peer:?} is no packet"),
        Verdict::Aggregate(aggregate) => panic!("{aggregate:?} is several packets"),
    }
}
