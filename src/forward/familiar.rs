//! A packet for the gateway that it has seen already and need not see again for a while. Workers ask
//! and who takes the packets says, without a lock: neither ever waits for the other.

use crate::time::Timestamp;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// What is known of the packets of one tunnel.
#[derive(Debug, Default)]
pub struct Familiar {
    /// A hash of the packet, and in microseconds until when it is known; zero for none.
    packet: AtomicU64,
    until: AtomicU64,
}

impl Familiar {
    /// Whether a packet is known at `now`.
    pub fn knows(&self, packet: &[u8], now: Timestamp) -> bool {
        let until = self.until.load(Ordering::Acquire);
        now.as_micros() < until && self.packet.load(Ordering::Relaxed) == hash(packet)
    }

    /// A packet is known until then, in place of the one before.
    pub fn learn(&self, packet: &[u8], until: Timestamp) {
        // Whoever looks meanwhile knows none.
        self.until.store(0, Ordering::Relaxed);
        self.packet.store(hash(packet), Ordering::Release);
        self.until.store(until.as_micros(), Ordering::Release);
    }

    /// None is known.
    pub fn forget(&self) {
        self.until.store(0, Ordering::Release);
    }
}

/// Who could make two packets of one hash has authenticated both, and harms its own tunnel.
fn hash(packet: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    packet.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
