//! Inbound SAs by SPI, in shards that copies share.
//!
//! ```text
//!   SPI ──hash──► branch (32) ──hash──► shard (32) ──hash──► slots, half full at most:
//!                                                            (SPI, entry), empty, …
//! ```
//!
//! A shard is never changed: one more SA makes one of the 1024 shards anew, with the branch that
//! it is on, and leaves the others to whoever reads them. So taking an SA into use costs about
//! the same with ten and with ten thousand of them.

use super::InboundEntry;
use crate::net::EspSpi;
use std::sync::Arc;

/// Branches, and shards on each, as a power of two.
const BITS: u32 = 5;
/// The same as a number.
const FAN: usize = 1 << BITS;

/// An SA in its place, or a free place.
type Slot = Option<(EspSpi, Arc<InboundEntry>)>;

/// Open addressing with linear probing; the length is a power of two, or zero.
type Shard = Arc<[Slot]>;

/// Inbound SAs by SPI.
#[derive(Clone, Debug)]
pub struct InboundTable {
    branches: [Arc<[Shard; FAN]>; FAN],
    len: usize,
}

impl Default for InboundTable {
    fn default() -> Self {
        let empty: Shard = Arc::new([]);
        let branch = Arc::new(std::array::from_fn(|_| Arc::clone(&empty)));
        InboundTable { branches: std::array::from_fn(|_| Arc::clone(&branch)), len: 0 }
    }
}

impl InboundTable {
    /// The SA with this SPI.
    #[inline]
    pub fn get(&self, spi: EspSpi) -> Option<&InboundEntry> {
        let hash = hash(spi);
        let (branch, shard) = places(hash);
        let slots = self.branches[branch][shard].as_ref();
        slots.get(find(slots, spi, hash))?.as_ref().map(|(_, entry)| entry.as_ref())
    }

    /// Adds an SA in place of the one that had its SPI.
    pub fn insert(&mut self, spi: EspSpi, entry: InboundEntry) {
        self.replace(spi, Some(Arc::new(entry)));
    }

    /// Removes an SA.
    pub fn remove(&mut self, spi: EspSpi) {
        if self.get(spi).is_some() {
            self.replace(spi, None);
        }
    }

    /// How many SAs there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes the shard of `spi` anew.
    fn replace(&mut self, spi: EspSpi, entry: Option<Arc<InboundEntry>>) {
        let (branch, shard) = places(hash(spi));
        let slots = &mut Arc::make_mut(&mut self.branches[branch])[shard];
        let others = slots.iter().flatten().filter(|(other, _)| *other != spi).cloned();
        let before = slots.iter().flatten().count();
        let entries: Vec<_> = others.chain(entry.map(|entry| (spi, entry))).collect();
        self.len = self.len - before + entries.len();
        *slots = shard_of(entries);
    }
}

impl FromIterator<(EspSpi, InboundEntry)> for InboundTable {
    fn from_iter<I: IntoIterator<Item = (EspSpi, InboundEntry)>>(entries: I) -> Self {
        let mut table = InboundTable::default();
        entries.into_iter().for_each(|(spi, entry)| table.insert(spi, entry));
        table
    }
}

fn shard_of(entries: Vec<(EspSpi, Arc<InboundEntry>)>) -> Shard {
    let mut slots: Vec<Slot> = Vec::new();
    slots.resize((entries.len() * 2).next_power_of_two(), None);
    for (spi, entry) in entries {
        let place = find(&slots, spi, hash(spi));
        slots[place] = Some((spi, entry));
    }
    slots.into()
}

/// The place of `spi` among slots of which some are free, or the free place where it belongs.
#[inline]
fn find(slots: &[Slot], spi: EspSpi, hash: u64) -> usize {
    let mask = slots.len().wrapping_sub(1);
    let mut place = (hash >> 24) as usize & mask;
    while slots.get(place).is_some_and(|slot| slot.as_ref().is_some_and(|(other, _)| *other != spi))
    {
        place = (place + 1) & mask;
    }
    place
}

/// One multiplication. We choose our inbound SPIs ourselves, at random, so nobody else can make
/// them collide.
#[inline]
fn hash(spi: EspSpi) -> u64 {
    u64::from(spi.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The branch and the shard on it, by the highest bits, which are the best mixed ones.
#[inline]
fn places(hash: u64) -> (usize, usize) {
    let branch = hash >> (u64::BITS - BITS);
    let shard = hash >> (u64::BITS - 2 * BITS);
    (branch as usize, shard as usize % FAN)
}

#[cfg(test)]
mod tests;
