//! The right to seal: a key, and sequence numbers under it that nobody else holds.
//!
//! A sequence number makes the nonce, and a nonce used twice gives an AEAD's key away (RFC 4106
//! §3, RFC 7634 §4). So numbers are a thing that one owner has and hands on, never a count that
//! somebody remembers:
//!
//! ```text
//! new key ──first_use──► Reservation ──OutboundSa::new──► OutboundSa ──reserve──► Train
//!                         │   ▲   ▲                          │
//!               split_off ▼   │   └────────── export ────────┘   the rest, and only once
//!                      two of them
//! ```
//!
//! A reservation is no `Clone`; each step consumes what it takes from. What a crash destroys is
//! lost with its numbers, which the receiver takes for lost packets.

use super::SaConfig;

/// Consecutive sequence numbers under one key that belong to the holder alone.
#[derive(Debug)]
pub struct Reservation {
    pub(super) config: SaConfig,
    /// Bytes of inner packets that the numbers before carried.
    pub(super) bytes: u64,
    /// The number before the first; so many packets count as sent.
    pub(super) last: u64,
    /// The last number.
    pub(super) end: u64,
}

impl Reservation {
    /// Every sequence number of a key that has sealed nothing (RFC 4303 §3.3.3: from 1 to the
    /// highest).
    ///
    /// Only who receives a key from the key exchange may call this, once for that key.
    pub fn first_use(config: SaConfig) -> Reservation {
        let end = config.highest_sequence();
        Reservation { config, bytes: 0, last: 0, end }
    }

    /// How many sequence numbers there are.
    pub fn remaining(&self) -> u64 {
        self.end - self.last
    }

    /// Keeps the first `count` sequence numbers (or as many as there are) and gives the rest away:
    /// who stores the rest before it goes on with the first part leaves, whatever happens to it, a
    /// state behind that repeats nothing.
    pub fn split_off(&mut self, count: u64) -> Reservation {
        let cut = self.last + count.min(self.remaining());
        let config = self.config.clone();
        let rest = Reservation { config, bytes: self.bytes, last: cut, end: self.end };
        self.end = cut;
        rest
    }
}

#[cfg(test)]
mod tests;
