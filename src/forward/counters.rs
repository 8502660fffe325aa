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

/// Two numbers that one direction writes, away from those of the other.
#[derive(Debug, Default)]
struct Traffic {
    packets: AtomicU64,
    bytes: AtomicU64,
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
}

impl Traffic {
    fn add(&self, packets: u64, bytes: u64) {
        self.packets.fetch_add(packets, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
