//! A constant rate (RFC 9347 §2.4.1, IP-TFS without congestion control): payloads of one size leave at
//! times that nothing inside has a say in. What waits goes along, and padding fills the rest.
//!
//! ```text
//!   workers ── packets ──┐                 due? ── by the clock alone ──┐
//!   gateway ── its own ──┼──► Pacer ◄──────────────────────────────────┤
//!   gateway ── words ────┘      └── fill: the rest of a packet, packets, padding ──► one payload
//! ```

use crate::esp::Discard;
use crate::net::EspSpi;
use crate::time::Timestamp;
use crate::wire::aggfrag::{AggfragHeader, PAD};
use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Packets wait so long at most, by the rate; what comes beyond is dropped, as a full link would.
const LONGEST_WAIT: Duration = Duration::from_millis(200);
/// So many octets may wait in any case: a burst of TCP, even where the rate is low.
const OCTETS: usize = 64 << 10;
/// So many more of the gateway's own: a few seconds of BGP and BFD.
const OWN_OCTETS: usize = 16 << 10;
/// Words that wait.
const WORDS: usize = 8;
/// Who was not let run for longer does not make up for it.
const LATE: Duration = Duration::from_millis(50);

/// What waits for its turn in a strand of Child SAs, and when that comes.
#[derive(Debug)]
pub struct Pacer {
    /// Bits per second of the datagrams, IP headers included.
    rate: NonZeroU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    packets: VecDeque<Vec<u8>>,
    octets: usize,
    /// Octets of the first packet that have left.
    sent: usize,
    /// In this SA.
    spi: Option<EspSpi>,
    words: VecDeque<Vec<u8>>,
    /// Since when datagrams are counted, and how many bits they had; none before the first.
    since: Option<Timestamp>,
    bits: u64,
}

/// What has left in a payload to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// Packets.
    pub packets: u64,
    /// Their octets.
    pub octets: u64,
}

impl Pacer {
    /// With `rate` bits per second for datagrams as the underlay carries them.
    pub fn new(rate: NonZeroU64) -> Pacer {
        Pacer { rate, state: Mutex::default() }
    }

    /// Bits per second.
    pub fn rate(&self) -> NonZeroU64 {
        self.rate
    }

    /// Lets a packet wait behind all others.
    ///
    /// # Errors
    ///
    /// [`Discard::QueueFull`] when more waits already than the rate carries away soon.
    pub fn push(&self, head: &[u8], payload: &[u8]) -> Result<(), Discard> {
        let mut state = self.lock();
        let len = head.len() + payload.len();
        if state.octets + len > self.most() {
            return Err(Discard::QueueFull);
        }
        state.octets += len;
        state.packets.push_back([head, payload].concat());
        Ok(())
    }

    /// Lets a packet of the gateway itself wait before all others that have not begun to leave.
    ///
    /// # Errors
    ///
    /// As [`push`](Pacer::push); there is some room that others do not get.
    pub fn push_first(&self, packet: &[u8]) -> Result<(), Discard> {
        let mut state = self.lock();
        if state.octets + packet.len() > self.most() + OWN_OCTETS {
            return Err(Discard::QueueFull);
        }
        state.octets += packet.len();
        let place = usize::from(state.sent > 0).min(state.packets.len());
        state.packets.insert(place, packet.to_vec());
        Ok(())
    }

    /// Octets of packets that may wait.
    fn most(&self) -> usize {
        let soon = self.rate.get() / 8 * LONGEST_WAIT.as_millis() as u64 / 1000;
        OCTETS.max(usize::try_from(soon).unwrap_or(usize::MAX))
    }

    /// Lets a word wait that takes the place of padding. Of too many the oldest is forgotten.
    pub fn push_word(&self, word: &[u8]) {
        let mut state = self.lock();
        if state.words.len() == WORDS {
            state.words.pop_front();
        }
        state.words.push_back(word.to_vec());
    }

    /// How many datagrams of `octets` octets (IP header included) are due, which counts as sent then, and
    /// when the next one is.
    pub fn due(&self, octets: usize, now: Timestamp) -> (u32, Timestamp) {
        const MICROS: u64 = 1_000_000;
        let (rate, each) = (self.rate.get(), octets as u64 * 8);
        let mut state = self.lock();
        let at = |since: Timestamp, bits: u64| {
            let micros = u128::from(bits) * u128::from(MICROS) / u128::from(rate);
            since + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
        };
        let mut since = *state.since.get_or_insert(now);
        // Begins anew after a pause, and now and then so that numbers stay small.
        if now.since(at(since, state.bits)) > LATE || state.bits > rate {
            since =
                if now.since(at(since, state.bits)) > LATE { now } else { at(since, state.bits) };
            (state.since, state.bits) = (Some(since), 0);
        }
        let mut count = 0;
        while at(since, state.bits) <= now {
            state.bits += each;
            count += 1;
        }
        (count, at(since, state.bits))
    }

    /// Fills a payload for the SA `spi`, header and all. A packet that has begun in another SA begins anew
    /// (§2.2.3).
    pub fn fill(&self, spi: EspSpi, payload: &mut [u8]) -> Filled {
        let mut state = self.lock();
        if state.spi.replace(spi) != Some(spi) {
            state.sent = 0;
        }
        let Some((header, data)) = payload.split_at_mut_checked(AggfragHeader::LEN) else {
            return Filled::default();
        };
        data.fill(PAD);
        if state.words.front().is_some_and(|word| word.len() < data.len()) {
            header.copy_from_slice(&AggfragHeader::plain(0));
            let word = state.words.pop_front().unwrap_or_default();
            data[1..=word.len()].copy_from_slice(&word);
            return Filled::default();
        }
        header.copy_from_slice(&AggfragHeader::plain(state.left()));
        state.fill(data)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What the packet that has begun to leave has still to come.
    fn left(&self) -> u16 {
        let left = self.packets.front().filter(|_| self.sent > 0).map(|one| one.len() - self.sent);
        u16::try_from(left.unwrap_or(0)).unwrap_or(u16::MAX)
    }

    fn fill(&mut self, data: &mut [u8]) -> Filled {
        let (mut rest, mut filled) = (data, Filled::default());
        while let Some(packet) = self.packets.front().filter(|_| !rest.is_empty()) {
            let piece = &packet[self.sent..];
            let len = piece.len().min(rest.len());
            rest[..len].copy_from_slice(&piece[..len]);
            rest = &mut rest[len..];
            self.sent += len;
            if self.sent == packet.len() {
                filled.packets += 1;
                filled.octets += self.sent as u64;
                self.octets -= self.sent;
                self.sent = 0;
                self.packets.pop_front();
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests;
