//! A worker's queue of a VPC's device, and how packets are written to it.

use super::allowance::Allowance;
use super::counters::DataplaneCounters;
use super::merging::Merging;
use crate::net::VpcId;
use crate::offload::{Merged, SuperPacket, VirtioNetHeader};
use crate::os::tun::TunQueue;
use nix::libc;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Virtio-net header, packet header, and the payloads of a run.
const PARTS: usize = 2 + crate::offload::MAX_SEGMENTS;

/// One queue of a VPC's device.
pub(super) struct VpcTun {
    pub vpc: VpcId,
    pub queue: TunQueue,
    /// Which merged packets the device takes.
    pub merging: Merging,
    /// How many ICMP errors its hosts may still cause.
    pub allowance: Allowance,
    /// Whether a worker has said that the device is gone.
    pub gone: Arc<AtomicBool>,
}

impl VpcTun {
    pub(super) fn new(vpc: VpcId, queue: TunQueue, gone: Arc<AtomicBool>) -> VpcTun {
        VpcTun { vpc, queue, merging: Merging::new(), allowance: Allowance::new(), gone }
    }

    /// Writes a packet or a merged run.
    pub(super) fn write(&mut self, merged: &Merged<'_, '_>, counters: &DataplaneCounters) {
        let vnet = merged.vnet.encode();
        let mut parts = [IoSlice::new(&[]); PARTS];
        let places = parts.iter_mut();
        let pieces = [&vnet[..], merged.head].into_iter().chain(merged.parts.iter().copied());
        places.zip(pieces).for_each(|(place, piece)| *place = IoSlice::new(piece));
        let used = (2 + merged.parts.len()).min(PARTS);
        let Err(error) = self.queue.write(&parts[..used]) else { return };
        if error.raw_os_error() == Some(libc::EINVAL) && merged.count() > 1 {
            self.write_singly(merged, &error, counters);
        } else {
            counters.write_failed.add(merged.count() as u64);
        }
    }

    /// Writes one finished packet.
    pub(super) fn write_packet(&mut self, packet: &[u8], counters: &DataplaneCounters) {
        if self.write_plain(&[packet]).is_err() {
            counters.write_failed.add(1);
        }
    }

    /// Some kernels refuse some super-packets (stricter checks of virtio-net headers): the run is
    /// split here again, and its transport is not merged for this device any more.
    fn write_singly(
        &mut self,
        merged: &Merged<'_, '_>,
        error: &io::Error,
        counters: &DataplaneCounters,
    ) {
        counters.merge_fallbacks.add(1);
        let kind = merged.vnet.segmentation;
        if self.merging.on_refused(kind) {
            let device = self.queue.name();
            tracing::info!(device, ?kind, %error, "the device does not take such merged packets");
        }
        let mut packet = [merged.head, &merged.parts.concat()].concat();
        let Ok(packet) = SuperPacket::new(merged.vnet, &mut packet) else { return };
        let mut segments = packet.segments();
        while let Some(segment) = segments.next() {
            if self.write_plain(&[segment.head, segment.payload]).is_err() {
                counters.write_failed.add(1);
            }
        }
    }

    fn write_plain(&self, pieces: &[&[u8]]) -> io::Result<()> {
        const VNET: [u8; VirtioNetHeader::LEN] = [0; VirtioNetHeader::LEN];
        match pieces {
            [packet] => self.queue.write(&[IoSlice::new(&VNET), IoSlice::new(packet)]),
            [head, payload, ..] => {
                self.queue.write(&[IoSlice::new(&VNET), IoSlice::new(head), IoSlice::new(payload)])
            }
            [] => Ok(()),
        }
    }
}
