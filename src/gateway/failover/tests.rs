//! The choice between ranked peers, case by case.

use super::*;

const A: PeerId = PeerId(1);
const B: PeerId = PeerId(2);

/// One after the other, each worse than the one before.
fn ranked(peers: &[PeerId]) -> Vec<Ranked> {
    peers.iter().map(|&peer| Ranked { peer, ties: false }).collect()
}

#[test]
fn those_that_tie_share_and_nobody_before_or_behind_them() {
    let ranking: Vec<Ranked> = [(1, false), (2, false), (3, true), (4, true), (5, false)]
        .map(|(peer, ties)| Ranked { peer: PeerId(peer), ties })
        .into();
    let peers = |most, out: &[u32]| {
        let health = |peer: PeerId| match out.contains(&peer.0) {
            true => Health::Unreachable,
            false => Health::Usable,
        };
        let choice = choose(&ranking, most, health).expect("somebody is usable");
        choice.peers.iter().map(|peer| peer.0).collect::<Vec<_>>()
    };
    assert_eq!(peers(16, &[]), [1]);
    assert_eq!(peers(16, &[1]), [2, 3, 4]);
    assert_eq!(peers(16, &[1, 2]), [3, 4]);
    assert_eq!(peers(16, &[1, 3]), [2, 4]);
    assert_eq!(peers(2, &[1]), [2, 3]);
    assert_eq!(peers(1, &[1]), [2]);
    assert_eq!(peers(16, &[1, 2, 3, 4]), [5]);
}

#[test]
fn first_usable_peer_wins() {
    let choice = choose(&ranked(&[A, B]), 1, |_| Health::Usable);
    assert_eq!(choice, Some(Choice { peers: [A].into(), reason: Reason::RanksFirst }));
}

#[test]
fn an_unreachable_peer_is_passed_over_and_named() {
    let health = |peer| if peer == A { Health::Unreachable } else { Health::Usable };
    let choice = choose(&ranked(&[A, B]), 1, health).expect("b is usable");
    assert_eq!(*choice.peers, [B]);
    assert_eq!(choice.reason, Reason::BetterOnesOut(vec![(A, Health::Unreachable)]));
}

#[test]
fn a_peer_that_recovers_is_better_than_none_and_worse_than_any_other() {
    let health = |peer| if peer == A { Health::Held } else { Health::Usable };
    let choice = choose(&ranked(&[A, B]), 1, health).expect("b is usable");
    assert_eq!(*choice.peers, [B]);
    assert_eq!(choice.reason, Reason::BetterOnesOut(vec![(A, Health::Held)]));
    let health = |peer| if peer == A { Health::Unreachable } else { Health::Held };
    assert_eq!(choose(&ranked(&[A, B]), 1, health).map(|choice| choice.peers), Some([B].into()));
}

#[test]
fn the_healthiest_is_chosen_whatever_ranks_first_and_shares_with_its_like_only() {
    let order = [Health::Usable, Health::Poor, Health::Held, Health::Silent, Health::Leaving];
    let tied = [(A, false), (B, true)].map(|(peer, ties)| Ranked { peer, ties });
    for (place, worse) in order.iter().enumerate().skip(1) {
        for better in &order[..place] {
            for (ranking, most) in [(&*ranked(&[A, B]), 1), (&tied, 16)] {
                let health = |peer| if peer == A { *worse } else { *better };
                let choice = choose(ranking, most, health).expect("both are usable");
                assert_eq!(*choice.peers, [B], "{better:?} before {worse:?}");
                assert_eq!(choice.reason, Reason::BetterOnesOut(vec![(A, *worse)]));
            }
        }
        let alike = choose(&tied, 16, |_| *worse).expect("both are usable");
        assert_eq!(*alike.peers, [A, B], "{worse:?}");
    }
}

#[test]
fn nothing_usable_means_no_tunnel() {
    assert_eq!(choose(&ranked(&[A, B]), 1, |_| Health::Down), None);
    assert_eq!(choose(&[], 1, |_| Health::Usable), None);
}

#[test]
fn a_path_that_was_lost_lately_is_used_only_when_there_is_no_other() {
    let held = |peer| if peer == A { Health::Held } else { Health::Usable };
    assert_eq!(choose(&ranked(&[A, B]), 1, held).map(|choice| choice.peers), Some([B].into()));
    let alone = |peer| if peer == A { Health::Unreachable } else { Health::Held };
    let choice = choose(&ranked(&[A, B]), 1, alone).expect("b is better than nothing");
    assert_eq!(*choice.peers, [B]);
    assert_eq!(choice.reason, Reason::BetterOnesOut(vec![(A, Health::Unreachable)]));
}
