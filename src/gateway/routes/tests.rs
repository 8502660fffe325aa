//! Groups are shared, flip without touching the FIB, and go when nobody uses them.

use super::*;
use crate::forward::Member;
use crate::net::{Mapping, Mappings};
use std::num::NonZeroU8;

const A: PeerId = PeerId(1);
const B: PeerId = PeerId(2);

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

fn chosen(routes: &VpcRoutes, text: &str) -> Option<PeerId> {
    routes.group_of(&prefix(text))?.first()
}

/// One after the other, each worse than the one before.
fn ranked(peers: &[PeerId]) -> Vec<Ranked> {
    peers.iter().map(|&peer| Ranked { peer, ties: false }).collect()
}

/// As good as each other.
fn tied(peers: &[PeerId]) -> Vec<Ranked> {
    peers.iter().zip(0..).map(|(&peer, place)| Ranked { peer, ties: place > 0 }).collect()
}

/// The groups that differ from what was published, with the peers that they use.
fn changed(routes: &mut VpcRoutes) -> Vec<(GroupId, Vec<PeerId>)> {
    let peers = |group: Option<&Group>| carriers(group.and_then(|group| group.choice.as_ref()));
    routes.take_changed().map(|(id, group)| (id, peers(group).to_vec())).collect()
}

#[test]
fn prefixes_with_one_ranking_share_one_group() {
    let mut routes = VpcRoutes::default();
    assert!(routes.learn(prefix("10.2.0.0/16"), &ranked(&[A, B])));
    assert!(routes.learn(prefix("10.3.0.0/16"), &ranked(&[A, B])));
    assert!(routes.learn(prefix("10.4.0.0/16"), &ranked(&[B])));
    assert_eq!(routes.group_count(), 2);
}

#[test]
fn a_failover_flips_the_group_and_leaves_the_fib_alone() {
    let mut routes = VpcRoutes::default();
    routes.learn(prefix("10.2.0.0/16"), &ranked(&[A, B]));
    routes.reselect(|_| Health::Usable);
    let before = routes.fib();
    assert_eq!(chosen(&routes, "10.2.0.0/16"), Some(A));
    routes.mark(A);
    let flipped =
        routes.reselect(|peer| if peer == A { Health::Unreachable } else { Health::Usable });
    assert!(flipped);
    assert_eq!(chosen(&routes, "10.2.0.0/16"), Some(B));
    assert!(Arc::ptr_eq(&before, &routes.fib()));
    routes.mark(B);
    assert!(routes.reselect(|_| Health::Down));
    assert_eq!(chosen(&routes, "10.2.0.0/16"), None);
}

#[test]
fn an_unused_group_is_free_again() {
    let mut routes = VpcRoutes::default();
    routes.learn(prefix("10.2.0.0/16"), &ranked(&[A]));
    assert!(!routes.learn(prefix("10.2.0.0/16"), &ranked(&[])));
    assert_eq!(routes.group_count(), 0);
    routes.learn(prefix("10.2.0.0/16"), &ranked(&[B]));
    routes.learn(prefix("10.2.0.0/16"), &ranked(&[B, A]));
    assert_eq!(routes.group_count(), 1);
    assert_eq!(routes.fib().len(), 1);
}

#[test]
fn nothing_learned_moves_a_pinned_route() {
    let mut routes = VpcRoutes::default();
    routes.pin(prefix("fd00::1/128"), A);
    assert!(routes.learn(prefix("fd00::1/128"), &ranked(&[B])));
    assert!(routes.learn(prefix("fd00::1/128"), &ranked(&[])));
    assert_eq!(
        routes.group_of(&prefix("fd00::1/128")).map(|g| g.ranking.clone()),
        Some(ranked(&[A]))
    );
    routes.unpin(&prefix("fd00::1/128"));
    assert!(routes.fib().is_empty());
}

#[test]
fn only_groups_of_a_marked_peer_choose_anew() {
    let mut routes = VpcRoutes::default();
    routes.learn(prefix("10.2.0.0/16"), &ranked(&[A]));
    routes.learn(prefix("10.3.0.0/16"), &ranked(&[B]));
    routes.reselect(|_| Health::Usable);
    routes.mark(A);
    let asked = std::cell::RefCell::new(Vec::new());
    let flipped = routes.reselect(|peer| {
        asked.borrow_mut().push(peer);
        Health::Down
    });
    assert!(flipped);
    assert_eq!(asked.into_inner(), [A]);
    assert_eq!(chosen(&routes, "10.3.0.0/16"), Some(B));
}

#[test]
fn what_differs_from_the_published_groups_is_told_once() {
    let mut routes = VpcRoutes::default();
    routes.learn(prefix("10.2.0.0/16"), &ranked(&[A, B]));
    routes.reselect(|_| Health::Usable);
    let (id, other) = (GroupId(0), GroupId(1));
    assert_eq!(changed(&mut routes), [(id, vec![A])]);
    assert_eq!(routes.take_changed().count(), 0);
    routes.mark(B);
    assert_eq!(changed(&mut routes), [(id, vec![A])]);
    routes.learn(prefix("10.2.0.0/16"), &ranked(&[B]));
    routes.reselect(|_| Health::Usable);
    assert_eq!(changed(&mut routes), [(id, vec![]), (other, vec![B])]);
}

#[test]
fn learned_prefixes_are_counted_for_the_peer_that_carries_them() {
    let mut routes = VpcRoutes::default();
    routes.pin(prefix("fd00::1/128"), A);
    routes.learn(prefix("10.2.0.0/16"), &ranked(&[A]));
    routes.learn(prefix("10.3.0.0/16"), &ranked(&[A, B]));
    routes.learn(prefix("10.4.0.0/16"), &ranked(&[B, A]));
    routes.reselect(|_| Health::Usable);
    assert_eq!([A, B].map(|peer| routes.learned_through(peer)), [2, 1]);
    routes.learn(prefix("10.5.0.0/16"), &ranked(&[B]));
    routes.pin(prefix("10.5.0.0/16"), A);
    routes.unpin(&prefix("10.5.0.0/16"));
    routes.mark(A);
    routes.reselect(|peer| if peer == A { Health::Down } else { Health::Usable });
    assert_eq!([A, B].map(|peer| routes.learned_through(peer)), [0, 2]);
}

#[test]
fn a_refused_prefix_is_counted_where_its_packets_would_go() {
    let mut routes = VpcRoutes::default();
    let (first, second) = (prefix("10.2.0.0/16"), prefix("10.3.0.0/16"));
    let counts = |routes: &VpcRoutes| {
        [A, B].map(|peer| (routes.learned_through(peer), routes.refused_through(peer)))
    };
    routes.learn(first, &ranked(&[A, B]));
    routes.learn(second, &ranked(&[A, B]));
    routes.reselect(|_| Health::Usable);
    routes.set_carried(first, false);
    assert_eq!(counts(&routes), [(1, 1), (0, 0)]);
    // The same ranking again, another one, another tunnel in use.
    routes.learn(first, &ranked(&[A, B]));
    assert_eq!(counts(&routes), [(1, 1), (0, 0)]);
    routes.learn(first, &ranked(&[B]));
    routes.reselect(|_| Health::Usable);
    assert_eq!(counts(&routes), [(1, 0), (0, 1)]);
    routes.mark(A);
    routes.reselect(|peer| if peer == A { Health::Down } else { Health::Usable });
    assert_eq!(counts(&routes), [(0, 0), (1, 1)]);
    assert_eq!(routes.refused_prefixes(B).collect::<Vec<_>>(), [first]);
    // What is pinned is not learned, and what is withdrawn is not refused.
    routes.pin(first, B);
    assert_eq!(counts(&routes)[1], (1, 0));
    routes.unpin(&first);
    routes.learn(first, &ranked(&[B]));
    routes.reselect(|_| Health::Usable);
    assert_eq!(counts(&routes)[1], (1, 1));
    routes.set_carried(first, true);
    assert_eq!(counts(&routes)[1], (2, 0));
}

/// From whom, to whom, how many, and which.
type Moved = (Vec<PeerId>, Vec<PeerId>, usize, Vec<Prefix>);

fn moves(routes: &mut VpcRoutes) -> Vec<Moved> {
    let moves = routes.take_moves().into_iter();
    moves.map(|one| (one.from.to_vec(), one.to.to_vec(), one.count, one.examples)).collect()
}

#[test]
fn what_moves_together_is_told_together_whoever_moves_it() {
    let mut routes = VpcRoutes::default();
    let [one, two] = ["10.2.0.0/16", "10.3.0.0/16"].map(prefix);
    routes.pin(prefix("fd00::1/128"), A);
    routes.learn(one, &ranked(&[A, B]));
    routes.learn(two, &ranked(&[A, B]));
    routes.reselect(|_| Health::Usable);
    assert_eq!(moves(&mut routes), [(vec![], vec![A], 2, vec![one, two])]);
    routes.mark(A);
    routes.reselect(|peer| if peer == A { Health::Unreachable } else { Health::Usable });
    assert_eq!(
        moves(&mut routes),
        [(vec![A], vec![B], 2, vec![one, two])],
        "a tunnel flips groups"
    );
    // What the router says about it afterwards is no news.
    routes.learn(one, &ranked(&[B]));
    routes.learn(two, &ranked(&[B]));
    routes.reselect(|peer| if peer == A { Health::Unreachable } else { Health::Usable });
    assert_eq!(moves(&mut routes), []);
    routes.learn(one, &ranked(&[A, B]));
    routes.learn(two, &ranked(&[]));
    routes.reselect(|_| Health::Usable);
    let routed = [(vec![B], vec![], 1, vec![two]), (vec![B], vec![A], 1, vec![one])];
    assert_eq!(moves(&mut routes), routed, "and so do announcements");
}

#[test]
fn of_many_prefixes_that_move_a_few_are_named() {
    let mut routes = VpcRoutes::default();
    for n in 0..200 {
        routes.learn(prefix(&format!("10.{n}.0.0/16")), &ranked(&[A, B]));
    }
    routes.reselect(|_| Health::Usable);
    routes.take_moves();
    routes.mark(A);
    routes.reselect(|peer| if peer == A { Health::Down } else { Health::Usable });
    let moved = moves(&mut routes);
    let [(from, to, 200, examples)] = moved.as_slice() else { panic!("{moved:?}") };
    assert_eq!((from.as_slice(), to.as_slice(), examples.len()), (&[A][..], &[B][..], EXAMPLES));
}

const C: PeerId = PeerId(3);

/// Routes of a VPC whose three peers may share, one with twice the weight.
fn shared() -> VpcRoutes {
    let mut routes = VpcRoutes::default();
    routes.set_multipath(BTreeMap::from([sharer(A, 1), sharer(B, 2), sharer(C, 1)]));
    routes
}

fn sharer(peer: PeerId, weight: u8) -> (PeerId, Sharer) {
    let weight = NonZeroU8::new(weight).unwrap();
    let member = Member { key: u64::from(peer.0) * 7919, weight };
    (peer, Sharer { member, maps: Mappings::default() })
}

fn using(routes: &VpcRoutes, text: &str) -> Vec<PeerId> {
    let group = routes.group_of(&prefix(text)).expect("a group");
    assert_eq!(group.buckets.is_some(), carriers(group.choice.as_ref()).len() > 1);
    carriers(group.choice.as_ref()).to_vec()
}

#[test]
fn only_those_that_rank_alike_share_and_only_where_that_is_wanted() {
    let mut routes = shared();
    routes.learn(prefix("10.2.0.0/16"), &tied(&[A, B, C]));
    routes.learn(prefix("10.3.0.0/16"), &ranked(&[A, B, C]));
    routes.pin(prefix("fd00::1/128"), A);
    routes.reselect(|_| Health::Usable);
    assert_eq!(using(&routes, "10.2.0.0/16"), [A, B, C]);
    assert_eq!(using(&routes, "10.3.0.0/16"), [A]);
    assert_eq!(using(&routes, "fd00::1/128"), [A]);
    assert_eq!([A, B, C].map(|peer| routes.learned_through(peer)), [2, 1, 1]);
    assert_eq!(routes.sharing_with(B), BTreeSet::from([A, C]));
    changed(&mut routes);
    routes.set_multipath(BTreeMap::new());
    assert!(routes.reselect(|_| Health::Usable));
    assert_eq!(using(&routes, "10.2.0.0/16"), [A]);
    assert_eq!(changed(&mut routes).len(), 1, "the others are as they were");
}

#[test]
fn who_knows_our_hosts_by_other_addresses_carries_what_it_carries_alone() {
    let mut routes = shared();
    routes.learn(prefix("10.2.0.0/16"), &tied(&[A, B, C]));
    routes.reselect(|_| Health::Usable);
    assert_eq!(using(&routes, "10.2.0.0/16"), [A, B, C]);
    let mapped = |(peer, sharer): (PeerId, Sharer)| {
        let map = Mapping::new(prefix("10.1.0.0/16"), prefix("10.9.0.0/16")).unwrap();
        (peer, Sharer { maps: [map].into_iter().collect(), ..sharer })
    };
    routes.set_multipath([mapped(sharer(A, 1)), sharer(B, 1), sharer(C, 1)].into());
    routes.reselect(|_| Health::Usable);
    assert_eq!(using(&routes, "10.2.0.0/16"), [A]);
    routes.mark(A);
    routes.reselect(|peer| if peer == A { Health::Down } else { Health::Usable });
    assert_eq!(using(&routes, "10.2.0.0/16"), [B, C]);
}

#[test]
fn who_is_worse_than_the_others_leaves_the_group_and_comes_back() {
    for health in [Health::Held, Health::Leaving, Health::Unreachable, Health::Down] {
        let mut routes = shared();
        routes.learn(prefix("10.2.0.0/16"), &tied(&[A, B, C]));
        routes.reselect(|_| Health::Usable);
        routes.mark(A);
        assert!(routes.reselect(|peer| if peer == A { health } else { Health::Usable }));
        assert_eq!(using(&routes, "10.2.0.0/16"), [B, C], "{health:?}");
        routes.mark(A);
        assert!(routes.reselect(|_| Health::Usable));
        assert_eq!(using(&routes, "10.2.0.0/16"), [A, B, C]);
        let all = |_| health;
        [A, B, C].into_iter().for_each(|peer| routes.mark(peer));
        routes.reselect(all);
        let left = if health.is_usable() { vec![A, B, C] } else { vec![] };
        assert_eq!(using(&routes, "10.2.0.0/16"), left, "all are {health:?}");
    }
}

#[test]
fn groups_of_the_same_members_share_their_buckets_and_another_weight_makes_them_anew() {
    let mut routes = shared();
    routes.learn(prefix("10.2.0.0/16"), &tied(&[A, B]));
    let next = [tied(&[A, B]), ranked(&[C])].concat();
    routes.learn(prefix("10.3.0.0/16"), &next);
    routes.reselect(|_| Health::Usable);
    let buckets = |routes: &VpcRoutes, text| routes.group_of(&prefix(text))?.buckets.clone();
    let [one, other] = ["10.2.0.0/16", "10.3.0.0/16"].map(|text| buckets(&routes, text).unwrap());
    assert!(Arc::ptr_eq(&one, &other));
    changed(&mut routes);
    routes.set_multipath([A, B, C].map(|peer| sharer(peer, 1)).into());
    assert!(routes.reselect(|_| Health::Usable));
    assert_ne!(buckets(&routes, "10.2.0.0/16"), Some(one));
    assert_eq!(changed(&mut routes).len(), 2);
}

#[test]
fn a_member_that_goes_is_told_as_a_move() {
    let mut routes = shared();
    routes.learn(prefix("10.2.0.0/16"), &tied(&[A, B]));
    routes.reselect(|_| Health::Usable);
    moves(&mut routes);
    routes.mark(B);
    routes.reselect(|peer| if peer == B { Health::Down } else { Health::Usable });
    let moved = (vec![A, B], vec![A], 1, vec![prefix("10.2.0.0/16")]);
    assert_eq!(moves(&mut routes), [moved]);
}
