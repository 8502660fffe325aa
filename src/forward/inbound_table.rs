//! Inbound SAs by SPI, in shards that copies share.
//!
//! ```text
//!   SPI ──hash──► shard ──hash──► slots: (SPI, entry), empty, … linear probing, half full at most
//! ```
//!
//! A shard is never changed: one more SA makes one of the shards anew and leaves the others to
//! whoever reads them, so that taking an SA into use costs about the same with ten and with ten
//! thousand of them.

use super::InboundEntry;
use crate::net::EspSpi;
use std::sync::Arc;

/// How many shards there are, as a power of two.
const SHARD_BITS: u32 = 7;

/// An SA in its place, or a free place.
type Slot = Option<(EspSpi, Arc<InboundEntry>)>;

/// Inbound SAs by SPI.
#[derive(Clone, Debug)]
pub struct InboundTable {
    shards: Arc<[Arc<[Slot]>; 1 << SHARD_BITS]>,
    len: usize,
}

impl Default for InboundTable {
    fn default() -> Self {
        let empty: Arc<[Slot]> = Arc::new([]);
        InboundTable { shards: Arc::new(std::array::from_fn(|_| Arc::clone(&empty))), len: 0 }
    }
}

impl InboundTable {
    /// The SA with this SPI.
    #[inline]
    pub fn get(&self, spi: EspSpi) -> Option<&InboundEntry> {
        let hash = hash(spi);
        let slots = self.shards[shard(hash)].as_ref();
        match slots.get(find(slots, spi, hash)?)? {
            Some((_, entry)) => Some(entry),
            None => None,
        }
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
        let slots = &mut Arc::make_mut(&mut self.shards)[shard(hash(spi))];
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

fn shard_of(entries: Vec<(EspSpi, Arc<InboundEntry>)>) -> Arc<[Slot]> {
    let mut slots: Vec<Slot> = Vec::new();
    slots.resize((entries.len() * 2).next_power_of_two(), None);
    for (spi, entry) in entries {
        if let Some(slot) = find(&slots, spi, hash(spi)).and_then(|place| slots.get_mut(place)) {
            *slot = Some((spi, entry));
        }
    }
    slots.into()
}

/// The place of `spi` among slots of which some are free, or the free place where it belongs.
#[inline]
fn find(slots: &[Slot], spi: EspSpi, hash: u64) -> Option<usize> {
    let mask = slots.len().wrapping_sub(1);
    let first = (hash >> 24) as usize;
    (0..slots.len()).map(|step| first.wrapping_add(step) & mask).find(|&place| {
        match &slots[place] {
            Some((other, _)) => *other == spi,
            None => true,
        }
    })
}

/// One multiplication. We choose our inbound SPIs ourselves, at random, so nobody else can make
/// them collide.
#[inline]
fn hash(spi: EspSpi) -> u64 {
    u64::from(spi.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The highest bits are the best mixed ones.
#[inline]
fn shard(hash: u64) -> usize {
    (hash >> (u64::BITS - SHARD_BITS)) as usize
}

#[cfg(test)]
mod tests;
