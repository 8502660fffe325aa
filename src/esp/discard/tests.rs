//! Tests of the discard registry.

use super::*;
use std::collections::BTreeSet;

#[test]
fn indices_and_names_are_unique_and_dense() {
    let names: BTreeSet<_> = Discard::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), Discard::ALL.len());
    for (at, reason) in Discard::ALL.iter().enumerate() {
        assert_eq!(reason.index(), at);
        assert!(reason.name().chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        assert!(reason.to_string().ends_with('.'));
    }
}

#[test]
fn each_reason_counts_for_itself() {
    let counters = DiscardCounters::new();
    counters.add(Discard::Late);
    counters.add_many(Discard::Fragment, 3);
    let occurred: Vec<_> = counters.occurred().collect();
    assert_eq!(occurred, [(Discard::Late, 1), (Discard::Fragment, 3)]);
}
