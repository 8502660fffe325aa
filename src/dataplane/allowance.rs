//! How many ICMP errors the hosts of a VPC may cause (RFC 1812 §4.3.2.8, RFC 4443 §2.4(f)), and how
//! many packets peers may have the gateway itself look at.

use crate::net::PeerId;
use crate::time::{Bucket, Rate, Timestamp};
use std::time::Duration;

/// So many may follow each other at once.
const BURST: u64 = 100;
/// Microseconds in which one more becomes allowed: 1000 a second.
const INTERVAL: u64 = 1000;

/// A token bucket, full at first. Every queue of a device has one, so that the hosts of one VPC
/// cannot use up what those of another need for path MTU discovery.
#[derive(Debug)]
pub(super) struct Allowance {
    tokens: u64,
    /// Until when tokens have been added.
    filled: Timestamp,
}

impl Allowance {
    pub(super) fn new() -> Allowance {
        Allowance { tokens: BURST, filled: Timestamp::ZERO }
    }

    /// Adds what the time since the last call is worth.
    pub(super) fn refill(&mut self, now: Timestamp) {
        let earned =
            (now.as_micros() / INTERVAL).saturating_sub(self.filled.as_micros() / INTERVAL);
        self.tokens = self.tokens.saturating_add(earned).min(BURST);
        self.filled = self.filled.max(now);
    }

    /// Takes one token; says whether there was one.
    pub(super) fn take(&mut self) -> bool {
        let left = self.tokens.checked_sub(1);
        self.tokens = left.unwrap_or(0);
        left.is_some()
    }
}

/// How many echoes of each peer the daemon looks at: enough for what an honest one asks and answers,
/// and never so many that others would wait for it.
#[derive(Debug, Default)]
pub(super) struct EchoGates {
    /// By the peer's number, which are dense.
    buckets: Vec<Bucket>,
}

impl EchoGates {
    /// 50 a second, five at once.
    const RATE: Rate = Rate { burst: 5, every: Duration::from_millis(20) };
    /// Peers beyond this number have no gate, and no echoes.
    const MOST: usize = 1 << 20;

    /// Whether an echo of this peer passes at `now`.
    pub(super) fn passes(&mut self, peer: PeerId, now: Timestamp) -> bool {
        let place = peer.0 as usize;
        if place >= self.buckets.len() {
            self.buckets.resize((place + 1).min(EchoGates::MOST), Bucket::default());
        }
        self.buckets.get_mut(place).is_some_and(|bucket| bucket.take(EchoGates::RATE, now))
    }
}

#[cfg(test)]
mod tests;
