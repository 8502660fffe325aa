//! What is found where, and what copies share.

use super::*;

#[test]
fn values_are_found_where_they_were_put() {
    let mut array: Chunked<u32> = [(0, 1), (63, 2), (64, 3), (1000, 4)].into_iter().collect();
    let found =
        |array: &Chunked<u32>| [0, 1, 63, 64, 999, 1000, 9999].map(|n| array.get(n).copied());
    assert_eq!(found(&array), [Some(1), None, Some(2), Some(3), None, Some(4), None]);
    array.set(63, None);
    array.set(9999, None);
    array.set(64, Some(5));
    assert_eq!(found(&array), [Some(1), None, None, Some(5), None, Some(4), None]);
    assert_eq!(array.iter().copied().collect::<Vec<_>>(), [1, 5, 4]);
}

#[test]
fn a_change_leaves_copies_alone_and_shares_all_other_chunks() {
    let before: Chunked<u32> = (0..200).map(|n| (n, 0)).collect();
    let mut after = before.clone();
    after.set(70, Some(1));
    assert_eq!((before.get(70), after.get(70)), (Some(&0), Some(&1)));
    let leaves = |array: &Chunked<u32>| -> Vec<Arc<Leaf<u32>>> {
        array.0.iter().flat_map(|branch| branch.iter().cloned()).collect()
    };
    let pairs = leaves(&before).into_iter().zip(leaves(&after));
    let copied: Vec<usize> = pairs
        .enumerate()
        .filter(|(_, (one, other))| !Arc::ptr_eq(one, other))
        .map(|(place, _)| place)
        .collect();
    assert_eq!(copied, [70 / LEAF]);
}
