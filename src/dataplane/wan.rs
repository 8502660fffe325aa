//! From the underlay to the devices: one turn of a worker.

use super::FromDataplane;
use super::counters::DataplaneCounters;
use super::lan::queue_of;
use super::tun::VpcTun;
use crate::forward::{Inbound, Snapshot};
use crate::net::VpcId;
use crate::offload::{Coalescer, Merged};
use crate::os::udp::{ReceiveBatch, UdpSocket};
use crate::wire::esp::{Encapsulated, classify};
use std::io;
use std::net::SocketAddr;
use tokio::sync::mpsc::Sender;

/// Where a turn's packets and datagrams go.
pub(super) struct Exits<'w> {
    pub tuns: &'w mut [VpcTun],
    pub control: &'w Sender<FromDataplane>,
    pub counters: &'w DataplaneCounters,
}

/// Takes one batch from the socket: ESP is opened, judged, merged and written to the device of
/// its VPC, IKE goes to the control plane.
pub(super) fn turn(
    socket: &UdpSocket,
    batch: &mut ReceiveBatch,
    snapshot: &Snapshot,
    exits: &mut Exits<'_>,
) -> io::Result<()> {
    if batch.receive(socket)? == 0 {
        return Ok(());
    }
    let mut inbound = Inbound::new(snapshot);
    let mut coalescer = Coalescer::new();
    for message in batch.messages() {
        let (remote, tos) = (message.remote, message.tos);
        for datagram in message.bytes.chunks_mut(message.segment) {
            match classify(datagram) {
                Encapsulated::Esp(_) => {
                    // What is discarded is counted where it is decided.
                    if let Ok(permitted) = inbound.open(tos, datagram) {
                        exits.deliver(&mut coalescer, permitted.vpc(), permitted.packet());
                    }
                }
                Encapsulated::Ike(_) => exits.to_control(socket.local(), remote, datagram),
                Encapsulated::Keepalive => exits.counters.keepalives.add(1),
                Encapsulated::Malformed => exits.counters.malformed.add(1),
            }
        }
    }
    coalescer.flush(&mut |vpc, merged| exits.write(vpc, &merged));
    Ok(())
}

impl Exits<'_> {
    fn deliver<'a>(&mut self, coalescer: &mut Coalescer<'a, VpcId>, vpc: VpcId, packet: &'a [u8]) {
        match queue_of(self.tuns, vpc) {
            Some(tun) if !tun.merging.takes(packet) => tun.write_packet(packet, self.counters),
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

    fn to_control(&self, local: SocketAddr, remote: SocketAddr, datagram: &[u8]) {
        // A place first: in a flood nothing is copied only to be dropped.
        let Ok(place) = self.control.try_reserve() else {
            return self.counters.control_dropped.add(1);
        };
        place.send(FromDataplane::Datagram { local, remote, bytes: datagram.to_vec() });
        self.counters.control_received.add(1);
    }
}
