//! The choice between ranked peers, case by case.

use super::*;

const A: PeerId = PeerId(1);
const B: PeerId = PeerId(2);

#[test]
fn first_usable_peer_wins() {
    let choice = choose(&[A, B], |_| Health::Usable);
    assert_eq!(choice, Some(Choice { peer: A, reason: Reason::RanksFirst }));
}

#[test]
fn an_unreachable_peer_is_passed_over_and_named() {
    let health = |peer| if peer == A { Health::Unreachable } else { Health::Usable };
    let choice = choose(&[A, B], health).expect("b is usable");
    assert_eq!(choice.peer, B);
    assert_eq!(choice.reason, Reason::BetterOnesOut(vec![(A, Health::Unreachable)]));
}

#[test]
fn a_peer_that_recovers_is_better_than_none_and_worse_than_any_other() {
    let health = |peer| if peer == A { Health::Held } else { Health::Usable };
    let choice = choose(&[A, B], health).expect("b is usable");
    assert_eq!(choice.peer, B);
    assert_eq!(choice.reason, Reason::BetterOnesOut(vec![(A, Health::Held)]));
    let health = |peer| if peer == A { Health::Unreachable } else { Health::Held };
    assert_eq!(choose(&[A, B], health).map(|choice| choice.peer), Some(B));
}

#[test]
fn nothing_usable_means_no_tunnel() {
    assert_eq!(choose(&[A, B], |_| Health::Down), None);
    assert_eq!(choose(&[], |_| Health::Usable), None);
}

#[test]
fn a_path_that_was_lost_lately_is_used_only_when_there_is_no_other() {
    let held = |peer| if peer == A { Health::Held } else { Health::Usable };
    assert_eq!(choose(&[A, B], held).map(|choice| choice.peer), Some(B));
    let alone = |peer| if peer == A { Health::Unreachable } else { Health::Held };
    let choice = choose(&[A, B], alone).expect("b is better than nothing");
    assert_eq!(choice.peer, B);
    assert_eq!(choice.reason, Reason::BetterOnesOut(vec![(A, Health::Unreachable)]));
}
