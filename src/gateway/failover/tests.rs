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
fn nothing_usable_means_no_tunnel() {
    assert_eq!(choose(&[A, B], |_| Health::Down), None);
    assert_eq!(choose(&[], |_| Health::Usable), None);
}
