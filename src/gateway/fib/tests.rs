//! Two copies that say the same, and what is published stays as it is.

use super::*;
use crate::random::{Random, Seeded};
use std::collections::BTreeMap;

fn prefix(number: u64) -> Prefix {
    format!("10.{}.{}.0/24", number >> 8, number & 0xff).parse().expect("a prefix")
}

fn entries(map: &PrefixMap<GroupId>) -> BTreeMap<Prefix, GroupId> {
    map.iter().map(|(prefix, group)| (prefix, *group)).collect()
}

#[test]
fn whatever_is_published_and_read_the_fib_says_what_a_map_says() {
    let mut random = Seeded::new(1);
    let (mut fib, mut map) = (Fib::default(), BTreeMap::new());
    let mut readers = Vec::new();
    for _ in 0..5000 {
        let prefix = prefix(random.below(40));
        let group = (random.below(3) > 0).then(|| GroupId(random.below(9) as u32));
        let before = match group {
            Some(group) => map.insert(prefix, group),
            None => map.remove(&prefix),
        };
        assert_eq!(fib.get(&prefix), before);
        assert_eq!(fib.set(prefix, group), before);
        match random.below(4) {
            0 => readers.push((fib.publish(), map.clone())),
            1 if !readers.is_empty() => {
                let (published, then) = readers.remove(random.below(readers.len() as u64) as usize);
                assert_eq!(entries(&published), then);
            }
            _ => {}
        }
    }
    assert_eq!(entries(&fib.publish()), map);
}

#[test]
fn two_copies_take_turns_while_each_is_read_until_the_next() {
    let mut fib = Fib::default();
    for number in 0..100 {
        fib.set(prefix(number), Some(GroupId(0)));
    }
    let mut reader = fib.publish();
    let mut copies = std::collections::BTreeSet::new();
    for number in 100..150 {
        fib.set(prefix(number), Some(GroupId(1)));
        reader = fib.publish();
        copies.insert(Arc::as_ptr(&reader));
    }
    assert_eq!((copies.len(), reader.len()), (2, 150));
}
