//! What a worker releases, in which order and how much of it at once.

use super::*;
use crate::forward::{Shaper, TunnelCounters};
use crate::random::Seeded;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_millis(1000);
const PEER: PeerId = PeerId(7);

fn held(peer: PeerId) -> Held {
    let shaper = Shaper::of(None, NonZeroU64::new(1_000_000), &mut Seeded::new(1)).unwrap();
    Held::new(peer, shaper, Arc::new(TunnelCounters::default()))
}

fn releasing() -> Releasing {
    Releasing::new(0, Vec::new())
}

fn released(octets: usize, next: Option<Timestamp>) -> Released {
    Released { octets, next }
}

#[test]
fn what_waited_for_a_peer_before_it_was_begun_anew_takes_nobodys_place() {
    let (new, old) = (held(PEER), held(PEER));
    for order in [[&new, &old], [&old, &new]] {
        let mut releasing = releasing();
        order.into_iter().for_each(|held| releasing.hold(held.clone(), NOW));
        while let Some(due) = releasing.next(NOW) {
            // Nothing has the old shaper any more.
            let is_new = due.key() == new.key();
            releasing.again(&due, released(0, is_new.then_some(NOW + Duration::from_millis(1))));
        }
        let due = releasing.next(NOW + Duration::from_millis(1)).expect("the new one is held");
        assert_eq!(due.key(), new.key());
    }
}

#[test]
fn other_work_has_its_turn_however_many_peers_are_due() {
    const TURN: usize = 64 << 10;
    let mut releasing = releasing();
    (0..500).for_each(|peer| releasing.hold(held(PeerId(peer)), NOW));
    let (mut later, mut seen) = (NOW + Duration::from_micros(1), std::collections::BTreeSet::new());
    for _ in 0..125 {
        releasing.begin_turn();
        let mut octets = 0;
        while let Some(due) = releasing.next(later) {
            octets += TURN;
            assert!(seen.insert(due.peer), "nobody has two turns before all had one");
            releasing.again(&due, released(TURN, Some(later)));
            later += Duration::from_micros(1);
        }
        assert_eq!(octets, BUDGET);
        assert_eq!(releasing.timeout(later), EpollTimeout::ZERO, "the rest is due at once");
    }
    assert_eq!(seen.len(), 500);
}

#[test]
fn a_peer_that_is_alone_goes_on_while_it_is_due() {
    let mut releasing = releasing();
    releasing.hold(held(PEER), NOW);
    for _ in 0..4 {
        let due = releasing.next(NOW).expect("it is due");
        releasing.again(&due, released(64 << 10, Some(NOW)));
    }
    assert!(releasing.next(NOW).is_none(), "other work comes first");
    releasing.begin_turn();
    let due = releasing.next(NOW).expect("it is due again");
    releasing.again(&due, released(100, None));
    assert!(releasing.is_idle());
}
