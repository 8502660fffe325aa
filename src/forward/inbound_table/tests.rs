//! The table against a map, and what copies share.

use super::super::tests::entry;
use super::*;
use crate::random::{Random, Seeded};
use std::collections::BTreeMap;

#[test]
fn the_table_finds_what_a_map_finds() {
    let mut random = Seeded::new(1);
    let (mut table, mut map) = (InboundTable::default(), BTreeMap::new());
    for round in 0..4000 {
        // Few SPIs, close to each other, so that they meet often.
        let spi = EspSpi(256 + random.below(1500) as u32);
        if random.below(3) == 0 {
            table.remove(spi);
            map.remove(&spi);
        } else {
            table.insert(spi, InboundEntry { inner_mtu: round, ..entry(spi.0) });
            map.insert(spi, round);
        }
        let other = EspSpi(256 + random.below(1500) as u32);
        let found = table.get(other).map(|entry| (entry.sa.spi(), entry.inner_mtu));
        assert_eq!(found, map.get(&other).map(|round| (other, *round)));
        assert_eq!((table.len(), table.is_empty()), (map.len(), map.is_empty()));
    }
}

#[test]
fn a_change_leaves_copies_alone_and_makes_one_shard_anew() {
    let before: InboundTable = (256..1256).map(|spi| (EspSpi(spi), entry(spi))).collect();
    let mut after = before.clone();
    after.insert(EspSpi(5000), entry(5000));
    after.remove(EspSpi(5001));
    assert!(before.get(EspSpi(5000)).is_none() && after.get(EspSpi(5000)).is_some());
    let shards = |table: &InboundTable| -> Vec<Shard> {
        table.branches.iter().flat_map(|branch| branch.iter().cloned()).collect()
    };
    let pairs = shards(&before).into_iter().zip(shards(&after));
    assert_eq!(pairs.filter(|(one, other)| !Arc::ptr_eq(one, other)).count(), 1);
}
