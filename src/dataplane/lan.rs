//! From the devices to the underlay: one turn of a worker.

use super::counters::DataplaneCounters;
use super::outbox::Outbox;
use super::streams::{Outlets, Urgency};
use super::tun::VpcTun;
use crate::esp::Discard;
use crate::forward::{Egress, Held, Outbound, Packers, Released, Snapshot, TunnelEntry};
use crate::net::{VpcId, is_streamed};
use crate::offload::{MAX_PACKET, SuperPacket, VirtioNetHeader};
use crate::time::Timestamp;
use std::io;
use std::mem;
use std::sync::Arc;

/// Reads of one turn at most, so that the other direction gets its turn.
const READS: usize = 256;
/// So many octets that have to wait count as one more: a turn that only fills queues ends after 128 KiB, and
/// the queues get theirs.
const KEPT: usize = 512;

/// Where one read of a device goes, and what is made of several.
pub(super) struct ReadBuffer {
    read: Box<[u8]>,
    packers: Packers,
    /// What has begun to wait and nobody has been told of.
    pub began: Vec<Held>,
}

impl ReadBuffer {
    pub(super) fn new() -> ReadBuffer {
        let read = vec![0; VirtioNetHeader::LEN + MAX_PACKET].into_boxed_slice();
        ReadBuffer { read, packers: Packers::default(), began: Vec::new() }
    }
}

/// Takes packets from the device and seals them into the outboxes, until the device is empty or
/// an outbox is full.
pub(super) fn turn(
    tun: &mut VpcTun,
    (outboxes, outlets): (&mut [Outbox], &Outlets),
    (snapshot, now): (&Snapshot, Timestamp),
    buffer: &mut ReadBuffer,
    counters: &DataplaneCounters,
) -> io::Result<()> {
    let packers = mem::take(&mut buffer.packers);
    let mut outbound = Outbound::with(packers, snapshot, tun.vpc, now);
    let read = read_into(&mut outbound, tun, (outboxes, outlets), &mut buffer.read, counters);
    let mut egress = Ports { outboxes, outlets, tun: Some(tun), counters };
    buffer.began.append(&mut outbound.take_began());
    buffer.packers = outbound.finish(&mut egress);
    read
}

/// Seals into the outboxes what is due of what waits for a peer, for a turn.
pub(super) fn release(
    held: &Held,
    tuns: &mut [VpcTun],
    (outboxes, outlets): (&mut [Outbox], &Outlets),
    (snapshot, now): (&Snapshot, Timestamp),
    counters: &DataplaneCounters,
) -> Released {
    let tunnel = snapshot.shaped.get(held.peer.0 as usize);
    let tun = tunnel.and_then(|tunnel| queue_of(tuns, tunnel.vpc));
    held.release(tunnel.map(Arc::as_ref), now, &mut Ports { outboxes, outlets, tun, counters })
}

fn read_into(
    outbound: &mut Outbound<'_>,
    tun: &mut VpcTun,
    (outboxes, outlets): (&mut [Outbox], &Outlets),
    buffer: &mut [u8],
    counters: &DataplaneCounters,
) -> io::Result<()> {
    let mut reads = 0;
    while goes_on(reads, outbound.kept()) {
        reads += 1;
        if !outboxes.iter().all(Outbox::has_room) {
            break;
        }
        let Some(length) = tun.queue.read(buffer)? else { break };
        let packet = VirtioNetHeader::split_from(&mut buffer[..length])
            .and_then(|(header, packet)| SuperPacket::new(header, packet));
        let Ok(packet) = packet else {
            counters.malformed_super_packets.add(1);
            continue;
        };
        let (outboxes, tun) = (&mut *outboxes, Some(&mut *tun));
        let mut egress = Ports { outboxes, outlets, tun, counters };
        // Counted by reason where it is decided.
        let _ = outbound.send(packet, &mut egress);
    }
    Ok(())
}

/// Whether a turn goes on after so many reads, and so many octets that have to wait.
#[inline]
fn goes_on(reads: usize, kept: usize) -> bool {
    reads + kept / KEPT < READS
}

/// The ways out of a turn.
struct Ports<'w> {
    outboxes: &'w mut [Outbox],
    outlets: &'w Outlets,
    /// The device of the hosts that are answered, if it is there.
    tun: Option<&'w mut VpcTun>,
    counters: &'w DataplaneCounters,
}

impl Egress for Ports<'_> {
    #[inline]
    fn datagram(
        &mut self,
        tunnel: &TunnelEntry,
        tos: u8,
        length: usize,
        seal: impl FnOnce(&mut [u8]) -> Result<usize, Discard>,
    ) -> Result<(), Discard> {
        if is_streamed(tunnel.local) {
            return self.outlets.seal(tunnel, (length, Urgency::Ordinary), self.counters, seal);
        }
        let (mut outboxes, whole) = (self.outboxes.iter_mut(), tunnel.fits_whole(length));
        let outbox = outboxes.find(|outbox| outbox.socket.is_way_out(tunnel.local, whole));
        outbox.ok_or(Discard::SendFailed)?.push(tunnel.remote, tos, length, seal)
    }

    fn reply(&mut self, error: impl FnOnce() -> Option<Vec<u8>>) {
        let Some(tun) = &mut self.tun else { return };
        if !tun.allowance.take() {
            self.counters.replies_withheld.add(1);
        } else if let Some(error) = error() {
            tun.write_packet(&error, self.counters);
        }
    }
}

/// The queue of `vpc`.
pub(super) fn queue_of(tuns: &mut [VpcTun], vpc: VpcId) -> Option<&mut VpcTun> {
    tuns.iter_mut().find(|tun| tun.vpc == vpc)
}

#[cfg(test)]
mod tests;
