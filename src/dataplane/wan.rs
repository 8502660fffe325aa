//! From the underlay to the devices: one turn of a worker.

use super::FromDataplane;
use super::allowance::{Allowance, EchoGates};
use super::bfd;
use super::counters::DataplaneCounters;
use super::lan::queue_of;
use super::streams::Streamed;
use super::tun::VpcTun;
use crate::esp::aggfrag::Room;
use crate::forward::{ForGateway, Inbound, Permitted, Snapshot, Strayed, Verdict};
use crate::net::{PeerId, VpcId};
use crate::offload::{Coalescer, Merged};
use crate::os::clock::Clock;
use crate::os::udp::{ReceiveBatch, UdpSocket};
use crate::time::Timestamp;
use crate::wire::echo::Echo;
use crate::wire::esp::{Encapsulated, classify};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc::Sender;

/// Packets from elsewhere are told this seldom by one worker.
const BETWEEN_STRAYS: Duration = Duration::from_millis(10);

/// Where a turn's packets and datagrams go.
pub(super) struct Exits<'w> {
    pub tuns: &'w mut [VpcTun],
    pub control: &'w Sender<FromDataplane>,
    pub bfd: &'w bfd::Inbox,
    /// How many inner packets may still go to the daemon.
    pub allowance: &'w mut Allowance,
    /// How many echoes may still go to the daemon.
    pub echo_gates: &'w mut EchoGates,
    /// From when on the daemon may be told of packets from elsewhere again.
    pub strays_after: &'w mut Timestamp,
    pub clock: &'w Clock,
    pub counters: &'w DataplaneCounters,
}

/// Takes one batch from the socket: ESP is opened, judged, merged and written to the device of
/// its VPC, IKE goes to the control plane.
pub(super) fn turn(
    socket: &UdpSocket,
    (batch, memory): (&mut ReceiveBatch, &mut Vec<u8>),
    snapshot: &Snapshot,
    exits: &mut Exits<'_>,
) -> io::Result<()> {
    if batch.receive(socket)? == 0 {
        return Ok(());
    }
    let mut inbound = Inbound::new(snapshot, exits.clock.now());
    let (mut coalescer, mut room) = (Coalescer::new(), Room::new(memory));
    let mut strayed = None;
    for message in batch.messages() {
        let (remote, tos) = (message.remote, message.tos);
        for datagram in message.bytes.chunks_mut(message.segment) {
            match classify(datagram) {
                Encapsulated::Esp(_) => {
                    let ways = (&mut coalescer, &mut room);
                    if exits.open(&mut inbound, ways, tos, datagram) {
                        strayed = inbound.strayed(remote).or(strayed);
                    }
                }
                Encapsulated::Ike(_) => exits.to_control(socket.local(), remote, datagram),
                Encapsulated::Keepalive => exits.counters.keepalives.add(1),
                Encapsulated::Malformed => exits.counters.malformed.add(1),
            }
        }
    }
    coalescer.flush(&mut |vpc, merged| exits.write(vpc, &merged));
    if let Some(strayed) = strayed {
        exits.tell_strayed(socket.local(), strayed);
    }
    Ok(())
}

/// Takes ESP packets that have come in a TCP connection.
pub(super) fn turn_of_stream(
    streamed: &mut Streamed,
    memory: &mut Vec<u8>,
    snapshot: &Snapshot,
    exits: &mut Exits<'_>,
) {
    let Streamed { local, remote, packets, .. } = streamed;
    let mut inbound = Inbound::new(snapshot, exits.clock.now());
    let (mut coalescer, mut room) = (Coalescer::new(), Room::new(memory));
    let mut strayed = None;
    for packet in packets {
        // The kernel keeps DSCP and ECN of the segments to itself (RFC 9329 §9.3, §9.5).
        if exits.open(&mut inbound, (&mut coalescer, &mut room), 0, packet) {
            strayed = inbound.strayed(*remote).or(strayed);
        }
    }
    coalescer.flush(&mut |vpc, merged| exits.write(vpc, &merged));
    if let Some(strayed) = strayed {
        exits.tell_strayed(*local, strayed);
    }
}

impl Exits<'_> {
    /// Opens an ESP packet and passes on what was in it; says whether it was authentic. What is
    /// discarded is counted where it is decided.
    #[inline]
    fn open<'a>(
        &mut self,
        inbound: &mut Inbound<'a>,
        (coalescer, room): (&mut Coalescer<'a, VpcId>, &mut Room<'a>),
        tos: u8,
        packet: &'a mut [u8],
    ) -> bool {
        match inbound.open(tos, packet) {
            Ok(Verdict::Aggregate(aggregate)) => {
                let Ok(mut packets) = inbound.unpack(aggregate, room) else { return false };
                while let Some(verdict) = inbound.judge_next(tos, &mut packets) {
                    let Ok(verdict) = verdict else { continue };
                    self.take(coalescer, verdict);
                }
            }
            Ok(verdict) => self.take(coalescer, verdict),
            Err(_) => return false,
        }
        true
    }

    #[inline]
    fn take<'a>(&mut self, coalescer: &mut Coalescer<'a, VpcId>, verdict: Verdict<'a>) {
        match verdict {
            Verdict::ToHost(permitted) => self.deliver(coalescer, permitted),
            Verdict::ToGateway(inner) => self.hand_over(&inner),
            Verdict::Echo(peer, echo) => self.pass_echo(peer, echo),
            // No payload holds others.
            Verdict::Aggregate(_) => {}
        }
    }

    fn deliver<'a>(&mut self, coalescer: &mut Coalescer<'a, VpcId>, permitted: Permitted<'a>) {
        let (vpc, protocol) = (permitted.vpc(), permitted.protocol());
        let packet = permitted.packet();
        match queue_of(self.tuns, vpc) {
            Some(tun) if !tun.merging.takes(protocol) => tun.write_packet(packet, self.counters),
            Some(_) => coalescer.push(vpc, packet, &mut |vpc, merged| self.write(vpc, &merged)),
            None => self.counters.write_failed.add(1),
        }
    }

    fn write(&mut self, vpc: VpcId, merged: &Merged<'_, '_>) {
        match queue_of(self.tuns, vpc) {
            Some(tun) => tun.write(merged, self.counters),
            None => self.counters.write_failed.add(merged.count() as u64),
        }
    }

    /// Hands an inner packet on: BFD's to its thread, any other to the daemon, as many as the
    /// allowance lets through: what a peer sends must not take the place of IKE.
    fn hand_over(&mut self, inner: &ForGateway<'_>) {
        if bfd::is_control(inner.packet) {
            if !self.bfd.hand_over(inner, self.clock.now()) {
                self.counters.inner_dropped.add(1);
            }
            return;
        }
        self.allowance.refill(self.clock.now());
        let place = if self.allowance.take() { self.control.try_reserve().ok() } else { None };
        let Some(place) = place else { return self.counters.inner_dropped.add(1) };
        let (peer, vpc, packet) = (inner.peer, inner.vpc, inner.packet.to_vec());
        place.send(FromDataplane::Inner { peer, vpc, packet });
        self.counters.inner_received.add(1);
    }

    /// Hands an echo to the daemon, as many of each peer as its gate lets through.
    fn pass_echo(&mut self, peer: PeerId, echo: Echo) {
        let passes = self.echo_gates.passes(peer, self.clock.now());
        let place = if passes { self.control.try_reserve().ok() } else { None };
        let Some(place) = place else { return self.counters.inner_dropped.add(1) };
        place.send(FromDataplane::Echo { peer, echo });
    }

    /// Tells the daemon where a peer's packets come from, now and then: one word is enough to ask
    /// the peer there, and whoever is still elsewhere sends more.
    fn tell_strayed(&mut self, local: SocketAddr, strayed: Strayed) {
        let now = self.clock.now();
        if now < *self.strays_after {
            return;
        }
        let Ok(place) = self.control.try_reserve() else { return };
        *self.strays_after = now + BETWEEN_STRAYS;
        place.send(FromDataplane::Strayed { local, strayed });
        self.counters.strayed.add(1);
    }

    fn to_control(&self, local: SocketAddr, remote: SocketAddr, datagram: &[u8]) {
        // A place first: in a flood nothing is copied only to be dropped.
        let Ok(place) = self.control.try_reserve() else {
            return self.counters.control_dropped.add(1);
        };
        place.send(FromDataplane::Datagram { local, remote, bytes: datagram.to_vec() });
        self.counters.control_received.add(1);
    }
}
