//! What a tunnel has carried and what it has discarded.

use crate::esp::DiscardCounters;
use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one tunnel. They outlive snapshots and SAs: whoever publishes keeps the `Arc`.
#[derive(Debug, Default)]
pub struct TunnelCounters {
    sent: CachePadded<Traffic>,
    received: CachePadded<Traffic>,
    /// Discarded packets of the tunnel by reason, both directions.
    pub discards: DiscardCounters,
}

/// Two numbers that one direction writes, away from those of the other.
#[derive(Debug, Default)]
struct Traffic {
    packets: AtomicU64,
    bytes: AtomicU64,
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
        self.received.packets.load(Ordering::Relaxed)
    }

    /// Bytes of inner packets received and delivered.
    pub fn received_bytes(&self) -> u64 {
        self.received.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn count_sent(&self, packets: u64, bytes: u64) {
        self.sent.add(packets, bytes);
    }

    pub(super) fn count_received(&self, packets: u64, bytes: u64) {
        self.received.add(packets, bytes);
    }
}

impl Traffic {
    fn add(&self, packets: u64, bytes: u64) {
        self.packets.fetch_add(packets, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
