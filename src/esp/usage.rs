//! How much an SA has carried, and how much it may (RFC 4301 §4.4.2.1, lifetimes).

use super::atomic::AtomicU64;
use crossbeam_utils::CachePadded;
use std::sync::atomic::Ordering;

/// How much an SA may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of inner packets.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
}

impl Limits {
    /// No limit but the sequence number's.
    pub const NONE: Limits = Limits { bytes: u64::MAX, packets: u64::MAX };

    pub(super) fn reached_by(self, bytes: u64, packets: u64) -> bool {
        bytes >= self.bytes || packets >= self.packets
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::NONE
    }
}

/// How much an SA has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of inner packets, with TFC padding as the peer sent it.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// A soft limit is reached: time to rekey.
    pub soft_exceeded: bool,
    /// A hard limit is reached: every further packet is refused.
    pub hard_exceeded: bool,
}

/// An atomic counter on a cache line of its own, so that workers that share an SA do not slow
/// each other down more than they must.
#[derive(Debug, Default)]
pub(super) struct Counter(CachePadded<AtomicU64>);

impl Counter {
    pub(super) fn new(value: u64) -> Counter {
        Counter(CachePadded::new(AtomicU64::new(value)))
    }

    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(super) fn raise_to(&self, value: u64) {
        if value > self.read() {
            self.0.fetch_max(value, Ordering::Relaxed);
        }
    }

    pub(super) fn lower_to(&self, value: u64) {
        self.0.fetch_min(value, Ordering::Relaxed);
    }

    /// Sets the value and returns the one before.
    pub(super) fn replace(&self, value: u64) -> u64 {
        self.0.swap(value, Ordering::Relaxed)
    }

    /// Adds `amount` unless the sum exceeds `limit`; the value before, or `None` when refused.
    pub(super) fn add_within(&self, amount: u64, limit: u64) -> Option<u64> {
        let add = |value: u64| value.checked_add(amount).filter(|sum| *sum <= limit);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()
    }
}
