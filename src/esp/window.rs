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

use super::atomic::AtomicU64;
use super::discard::Discard;
use super::inbound::Authentic;
use super::usage::Counter;
use std::cmp::Ordering as Age;
use std::sync::atomic::Ordering;

const BLOCK: u64 = 16;
/// The bits of a word that stand for sequence numbers.
const RECEIVED: u64 = (1 << BLOCK) - 1;
const SMALLEST: u32 = 64;
pub(super) const LARGEST: u32 = 65_536;
/// How far beyond the highest number's epoch the words of an exported window stand.
const NEVER: u64 = 1 << 62;
/// A highest number beyond which there is none to accept: the window was exported.
const EXPORTED: u64 = u64::MAX;

/// Which sequence numbers of an SA have been received.
#[derive(Debug)]
pub struct ReplayWindow {
    size: u64,
    ring: Box<[AtomicU64]>,
    highest: Counter,
}

/// What a window has received, apart from how it remembers.
#[derive(Debug)]
pub(super) struct WindowState {
    /// The highest sequence number accepted; zero before the first.
    pub highest: u64,
    /// One bit for each number of the window; that of `highest` is the top bit of the first octet.
    pub received: Vec<u8>,
}

impl WindowState {
    /// Nothing received in a window of `size` packets.
    pub(super) fn empty(size: u32) -> WindowState {
        WindowState { highest: 0, received: vec![0; (ReplayWindow::size_for(size) / 8) as usize] }
    }

    /// The sequence numbers received, the highest first.
    fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        let bits =
            self.received.iter().flat_map(|octet| (0..8).map(move |bit| octet << bit & 0x80));
        let below = (0..=self.highest).rev();
        below.zip(bits).filter(|(number, bit)| *bit != 0 && *number != 0).map(|(number, _)| number)
    }
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
        let size = ReplayWindow::size_for(size);
        // Twice the window: it may begin and end within a block.
        let words = 2 * size / BLOCK;
        let ring = (0..words).map(|_| AtomicU64::new(0)).collect();
        ReplayWindow { size, ring, highest: Counter::default() }
    }

    /// The size in packets of a window for which `size` was asked.
    pub(super) fn size_for(size: u32) -> u64 {
        u64::from(size.clamp(SMALLEST, LARGEST).next_power_of_two())
    }

    /// A window that has received what `state` says.
    pub(super) fn import(size: u32, state: &WindowState) -> ReplayWindow {
        let window = ReplayWindow::new(size);
        for blocks_ago in 0..window.ring.len() as u64 {
            let place = window.place(state.highest.saturating_sub(blocks_ago * BLOCK));
            if let Some(word) = window.ring.get(place.slot) {
                word.store(place.epoch, Ordering::Relaxed);
            }
        }
        for place in state.numbers().map(|number| window.place(number)) {
            if let Some(word) = window.ring.get(place.slot) {
                word.fetch_or(place.bit, Ordering::Relaxed);
            }
        }
        window.highest.raise_to(state.highest);
        window
    }

    /// Takes what was received out of the window, which accepts nothing from then on.
    ///
    /// A writer that has passed its checks meanwhile either marks its word before we take it, and
    /// is part of the result, or finds the word taken and is refused.
    pub(super) fn export(&self) -> WindowState {
        let before = self.highest.replace(EXPORTED);
        let taken = self.place(before).epoch.wrapping_add(NEVER);
        let take = |word: &AtomicU64| word.swap(taken, Ordering::Relaxed);
        let words: Vec<u64> = self.ring.iter().map(take).collect();
        let marked = words.iter().enumerate();
        let marked = marked.filter_map(|(slot, word)| self.highest_in(slot, *word, before));
        let highest = marked.fold(before, u64::max);
        WindowState { highest, received: self.bits_below(highest, &words) }
    }

    /// The marks in `words` of the window that ends with `highest`.
    fn bits_below(&self, highest: u64, words: &[u64]) -> Vec<u8> {
        let is_marked = |number: u64| {
            let place = self.place(number);
            let word = words.get(place.slot);
            word.is_some_and(|word| place.age_of(*word) == Age::Equal && word & place.bit != 0)
        };
        let bit = |below: u64| u8::from(highest.checked_sub(below).is_some_and(is_marked));
        let octet = |first: u64| (first..first + 8).fold(0, |octet, below| octet << 1 | bit(below));
        (0..self.size).step_by(8).map(octet).collect()
    }

    /// The highest number that a word marks, of about the time of `near`.
    fn highest_in(&self, slot: usize, word: u64, near: u64) -> Option<u64> {
        let bit = (word & RECEIVED).checked_ilog2()?;
        let words = self.ring.len() as u64;
        let ahead = (word & !RECEIVED).wrapping_sub(self.place(near).epoch) as i64 >> BLOCK;
        let epoch = (near / BLOCK / words).checked_add_signed(ahead)?;
        let block = epoch.checked_mul(words)?.checked_add(slot as u64)?;
        block.checked_mul(BLOCK)?.checked_add(bit.into())
    }

    /// Size of the window in packets.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The highest sequence number accepted; zero before the first.
    pub fn highest(&self) -> u64 {
        self.highest.read()
    }

    /// Whether the window goes on elsewhere, and accepts nothing here.
    pub fn is_exported(&self) -> bool {
        self.highest() == EXPORTED
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
    ///
    /// # Errors
    ///
    /// [`Discard::Replayed`] or [`Discard::Late`].
    pub fn check(&self, sequence: u64) -> Result<(), Discard> {
        self.check_reach(sequence)?;
        let place = self.place(sequence);
        let Some(word) = self.ring.get(place.slot) else { return Err(Discard::Late) };
        place.mark(word.load(Ordering::Relaxed)).map(|_| ())
    }

    /// Marks the sequence number of an authenticated packet as received. Refused when it was
    /// before, or when the window has moved on since [`ReplayWindow::check`].
    ///
    /// # Errors
    ///
    /// [`Discard::Replayed`] or [`Discard::Late`].
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
