//! The choice between ranked peers, case by case.

use super::*;

const A: PeerId = PeerId(1);
const B: PeerId = PeerId(2);

/// Nobody shares.
fn alone(_: PeerId, _: PeerId) -> bool {
    false
}

/// One after the other, each worse than the one before.
fn ranked(peers: &[PeerId]) -> Vec<Ranked> {
    peers.iter().map(|&peer| Ranked { peer, ties: false }).collect()
}

#[test]
fn those_that_tie_share_and_nobody_before_or_behind_them() {
    let ranking: Vec<Ranked> = [(1, false), (2, false), (3, true), (4, true), (5, false)]
        .map(|(peer, ties)| Ranked { peer: PeerId(peer), ties })
        .into();
    let peers = |shares: bool, out: &[u32]| {
        let health = |peer: PeerId| match out.contains(&peer.0) {
            true => Health::Unreachable,
            false => Health::Usable,
        };
        let choice = choose(&ranking, |_, _| shares, health).expect("somebody is usable");
        choice.peers.iter().map(|peer| peer.0).collect::<Vec<_>>()
    };
    assert_eq!(peers(true, &[]), [1]);
    assert_eq!(peers(true, &[1]), [2, 3, 4]);
    assert_eq!(peers(true, &[1, 2]), [3, 4]);
    assert_eq!(peers(true, &[1, 3]), [2, 4]);
    assert_eq!(peers(false, &[1]), [2]);
    assert_eq!(peers(true, &[1, 2, 3, 4]), [5]);
}

#[test]
fn who_may_not_share_with_the_first_leaves_the_others_alone() {
    let tied = |count: u32| -> Vec<Ranked> {
        (0..count).map(|peer| Ranked { peer: PeerId(peer), ties: peer > 0 }).collect()
    };
    let of_one_kind = |one: PeerId, other: PeerId| one.0 % 2 == other.0 % 2;
    let choice = choose(&tied(5), of_one_kind, |_| Health::Usable).expect("all are usable");
    assert_eq!(*choice.peers, [PeerId(0), PeerId(2), PeerId(4)]);
    let many = choose(&tied(40), |_, _| true, |_| Health::Usable).expect("all are usable");
    assert_eq!(many.peers.len(), MOST_MEMBERS);
}

#[test]
fn first_usable_peer_wins() {
    let choice = choose(&ranked(&[A, B]), alone, |_| Health::Usable);
    assert_eq!(choice, Some(Choice { peers: [A].into(), reason: Reason::RanksFirst }));
}

#[test]
fn an_unreachable_peer_is_passed_over_and_named() {
    let health = |peer| if peer == A { Health::Unreachable } else { Health::Usable };
    let choice = choose(&ranked(&[A, B]), alone, health).expect("b is usable");
    assert_eq!(*choice.peers, [B]);
    assert_eq!(choice.reason, Reason::BetterOnesOut(vec![(A, Health::Unreachable)]));
}

#[test]
fn a_peer_that_recovers_is_better_than_none_and_worse_than_any_other() {
    let health = |peer| if peer == A { Health::Held } else { Health::Usable };
    let choice = choose(&ranked(&[A, B]), alone, health).expect("b is usable");
    assert_eq!(*choice.peers, [B]);
    assert_eq!(choice.reason, Reason::BetterOnesOut(vec![(A, Health::Held)]));
    let health = |peer| if peer == A { Health::Unreachable } else { Health::Held };
    assert_eq!(
        choose(&ranked(&[A, B]), alone, health).map(|choice| choice.peers),
        Some([B].into())
    );
}

#[test]
fn the_healthiest_is_chosen_whatever_ranks_first_and_shares_with_its_like_only() {
    let order = [Health::Usable, Health::Poor, Health::Held, Health::Silent, Health::Leaving];
    let tied = [(A, false), (B, true)].map(|(peer, ties)| Ranked { peer, ties });
    for (place, worse) in order.iter().enumerate().skip(1) {
        for better in &order[..place] {
            for ranking in [&*ranked(&[A, B]), &tied] {
                let health = |peer| if peer == A { *worse } else { *better };
                let choice = choose(ranking, |_, _| true, health).expect("both are usable");
                assert_eq!(*choice.peers, [B], "{better:?} before {worse:?}");
                assert_eq!(choice.reason, Reason::BetterOnesOut(vec![(A, *worse)]));
            }
        }
        let alike = choose(&tied, |_, _| true, |_| *worse).expect("both are usable");
        assert_eq!(*alike.peers, [A, B], "{worse:?}");
    }
}

#[test]
fn nothing_usable_means_no_tunnel() {
    assert_eq!(choose(&ranked(&[A, B]), alone, |_| Health::Down), None);
    assert_eq!(choose(&[], alone, |_| Health::Usable), None);
}

#[test]
fn a_path_that_was_lost_lately_is_used_only_when_there_is_no_other() {
    let held = |peer| if peer == A { Health::Held } else { Health::Usable };
    assert_eq!(choose(&ranked(&[A, B]), alone, held).map(|choice| choice.peers), Some([B].into()));
    let lost = |peer| if peer == A { Health::Unreachable } else { Health::Held };
    let choice = choose(&ranked(&[A, B]), alone, lost).expect("b is better than nothing");
    assert_eq!(*choice.peers, [B]);
    assert_eq!(choice.reason, Reason::BetterOnesOut(vec![(A, Health::Unreachable)]));
}
