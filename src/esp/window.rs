//! The anti-replay window (RFC 4303 §3.4.3 and Appendix A), lock-free and safe for many
//! writers.
//!
//! Sequence numbers are grouped in blocks of 16. A ring of words holds the newest blocks:
//!
//! ```text
//! sequence ──► block = sequence / 16 ──► slot  = block mod ring
//!                                        epoch = block / ring
//!
//! word = epoch (48 bits) ‖ one bit for each sequence number of the block (16 bits)
//! ```
//!
//! A word whose epoch is older than the block's stands for a block that the ring has left
//! behind; the first packet of the new block replaces it. So nothing has to be cleared when the
//! window jumps, and a compare-and-swap of one word decides about a packet. Because a word's
//! epoch only grows, a bit once set stays set until its whole block is out of reach: no sequence
//! number is ever accepted twice, however threads interleave.
//!
//! Epochs are compared in serial number arithmetic. A word would have to stay untouched for 2⁴⁷
//! epochs, at least 2⁵⁴ packets, to be mistaken for a newer one; its packets would then be
//! refused as late.

use super::discard::Discard;
use super::inbound::Authentic;
use super::usage::Counter;
use std::cmp::Ordering as Age;
use std::sync::atomic::{AtomicU64, Ordering};

const BLOCK: u64 = 16;
/// The bits of a word that stand for sequence numbers.
const RECEIVED: u64 = (1 << BLOCK) - 1;
const SMALLEST: u32 = 64;
const LARGEST: u32 = 65_536;

/// Which sequence numbers of an SA have been received.
#[derive(Debug)]
pub struct ReplayWindow {
    size: u64,
    ring: Box<[AtomicU64]>,
    highest: Counter,
}

/// Where a sequence number lives in the ring.
struct Place {
    slot: usize,
    /// The epoch where a word has it: in the upper 48 bits.
    epoch: u64,
    /// The packet's bit in the lower 16.
    bit: u64,
}

impl ReplayWindow {
    /// An empty window of `size` packets: a power of two from 64 to 65536; other sizes are
    /// brought to the next one.
    pub fn new(size: u32) -> ReplayWindow {
        let size = u64::from(size.clamp(SMALLEST, LARGEST).next_power_of_two());
        // Twice the window: it may begin and end within a block.
        let words = 2 * size / BLOCK;
        let ring = (0..words).map(|_| AtomicU64::new(0)).collect();
        ReplayWindow { size, ring, highest: Counter::default() }
    }

    /// Size of the window in packets.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The highest sequence number accepted; zero before the first.
    pub fn highest(&self) -> u64 {
        self.highest.read()
    }

    /// The 64-bit sequence number of which a packet carries the low half; `None` when it would
    /// lie before the first (RFC 4303 Appendix A2.1).
    ///
    /// ```text
    /// window within one subspace:   low ≥ bottom ? this subspace : the next one
    /// window over two subspaces:    low ≥ bottom ? the one before : this one
    /// ```
    pub fn extend(&self, low: u32) -> Option<u64> {
        let highest = self.highest.read();
        let (high, highest_low) = (highest >> 32, highest & u64::from(u32::MAX));
        let span = self.size - 1;
        let low = u64::from(low);
        let high = match highest_low.checked_sub(span) {
            Some(bottom) if low >= bottom => Some(high),
            Some(_) => high.checked_add(1).filter(|high| *high <= u64::from(u32::MAX)),
            None if low >= highest_low + (1 << 32) - span => high.checked_sub(1),
            None => Some(high),
        };
        high.map(|high| (high << 32) | low)
    }

    /// Whether a packet with this sequence number would be accepted; nothing changes.
    pub fn check(&self, sequence: u64) -> Result<(), Discard> {
        self.check_reach(sequence)?;
        let place = self.place(sequence);
        let Some(word) = self.ring.get(place.slot) else { return Err(Discard::Late) };
        place.mark(word.load(Ordering::Relaxed)).map(|_| ())
    }

    /// Marks the sequence number of an authenticated packet as received. Refused when it was
    /// before, or when the window has moved on since [`ReplayWindow::check`].
    pub fn accept(&self, packet: &Authentic) -> Result<(), Discard> {
        let sequence = packet.sequence();
        self.check_reach(sequence)?;
        let place = self.place(sequence);
        let Some(word) = self.ring.get(place.slot) else { return Err(Discard::Late) };
        let mut current = word.load(Ordering::Relaxed);
        loop {
            let marked = place.mark(current)?;
            match word.compare_exchange_weak(current, marked, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => break,
                Err(changed) => current = changed,
            }
        }
        self.highest.raise_to(sequence);
        Ok(())
    }

    /// Zero is never sent (RFC 4303 §3.3.3), and what lies behind the window is unknown.
    fn check_reach(&self, sequence: u64) -> Result<(), Discard> {
        let behind = self.highest.read().saturating_sub(sequence) >= self.size;
        if behind || sequence == 0 { Err(Discard::Late) } else { Ok(()) }
    }

    fn place(&self, sequence: u64) -> Place {
        let block = sequence / BLOCK;
        let words = self.ring.len() as u64;
        Place {
            slot: (block & (words - 1)) as usize, // a power of two
            epoch: (block / words) << BLOCK,
            bit: 1 << (sequence % BLOCK),
        }
    }
}

impl Place {
    /// The word with this place marked as received.
    fn mark(&self, word: u64) -> Result<u64, Discard> {
        match self.age_of(word) {
            Age::Less => Ok(self.epoch | self.bit),
            Age::Equal if word & self.bit == 0 => Ok(word | self.bit),
            Age::Equal => Err(Discard::Replayed),
            Age::Greater => Err(Discard::Late),
        }
    }

    /// Whether the word's epoch lies before, at or after this one.
    fn age_of(&self, word: u64) -> Age {
        let ahead = (word & !RECEIVED).wrapping_sub(self.epoch) as i64;
        ahead.cmp(&0)
    }
}

#[cfg(test)]
mod tests;
