//! What a tunnel has carried and what it has discarded.

use super::familiar::Familiar;
use crate::esp::DiscardCounters;
use crate::time::Timestamp;
use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one tunnel. They outlive snapshots and SAs: whoever publishes keeps the `Arc`.
#[derive(Debug, Default)]
pub struct TunnelCounters {
    sent: CachePadded<Traffic>,
    received: CachePadded<Received>,
    /// Packets for the gateway that need not be handed to it.
    pub familiar: Familiar,
    /// Discarded packets of the tunnel by reason, both directions.
    pub discards: DiscardCounters,
}

/// Numbers that one direction writes, away from those of the other.
#[derive(Debug, Default)]
struct Traffic {
    packets: AtomicU64,
    bytes: AtomicU64,
    /// Packets of the gateways themselves, and of their hosts.
    own: AtomicU64,
}

/// What the receiving direction writes.
#[derive(Debug, Default)]
struct Received {
    traffic: Traffic,
    /// When the last authentic packet was opened, in microseconds; zero before the first.
    heard: AtomicU64,
}

impl TunnelCounters {
    /// Inner packets sent.
    pub fn sent_packets(&self) -> u64 {
        self.sent.packets.load(Ordering::Relaxed)
    }

    /// Bytes of inner packets sent.
    pub fn sent_bytes(&self) -> u64 {
        self.sent.bytes.load(Ordering::Relaxed)
    }

    /// Inner packets received and delivered.
    pub fn received_packets(&self) -> u64 {
        self.received.traffic.packets.load(Ordering::Relaxed)
    }

    /// Bytes of inner packets received and delivered.
    pub fn received_bytes(&self) -> u64 {
        self.received.traffic.bytes.load(Ordering::Relaxed)
    }

    /// Packets that were carried for others than the gateways themselves, both ways.
    pub fn carried(&self) -> u64 {
        self.sent.for_others().wrapping_add(self.received.traffic.for_others())
    }

    /// When the last authentic packet of the peer was opened, whatever became of what was inside;
    /// `None` before the first.
    pub fn last_heard(&self) -> Option<Timestamp> {
        let heard = self.received.heard.load(Ordering::Relaxed);
        (heard > 0).then(|| Timestamp::from_micros(heard))
    }

    /// An authentic packet was opened.
    pub(super) fn hear(&self, now: Timestamp) {
        self.received.heard.fetch_max(now.as_micros(), Ordering::Relaxed);
    }

    pub(super) fn count_sent(&self, packets: u64, bytes: u64) {
        self.sent.add(packets, bytes);
    }

    pub(super) fn count_received(&self, packets: u64, bytes: u64) {
        self.received.traffic.add(packets, bytes);
    }

    /// So many of the packets sent are the gateway's or its host's own.
    pub(super) fn count_own_sent(&self, packets: u64) {
        self.sent.own.fetch_add(packets, Ordering::Relaxed);
    }

    /// So many of the packets received are for the gateway or its host.
    pub(super) fn count_own_received(&self, packets: u64) {
        self.received.traffic.own.fetch_add(packets, Ordering::Relaxed);
    }
}

impl Traffic {
    fn for_others(&self) -> u64 {
        // Read one after the other while workers write: never more than there were.
        let own = self.own.load(Ordering::Relaxed);
        self.packets.load(Ordering::Relaxed).saturating_sub(own)
    }

    fn add(&self, packets: u64, bytes: u64) {
        self.packets.fetch_add(packets, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
