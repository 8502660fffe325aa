//! Groups are shared, flip without touching the FIB, and go when nobody uses them.

use super::*;

const A: PeerId = PeerId(1);
const B: PeerId = PeerId(2);

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

fn chosen(routes: &VpcRoutes, text: &str) -> Option<PeerId> {
    routes.group_of(&prefix(text))?.choice.as_ref().map(|choice| choice.peer)
}

#[test]
fn prefixes_with_one_ranking_share_one_group() {
    let mut routes = VpcRoutes::default();
    assert!(routes.learn(prefix("10.2.0.0/16"), &[A, B]));
    assert!(routes.learn(prefix("10.3.0.0/16"), &[A, B]));
    assert!(routes.learn(prefix("10.4.0.0/16"), &[B]));
    assert_eq!(routes.group_count(), 2);
}

#[test]
fn a_failover_flips_the_group_and_leaves_the_fib_alone() {
    let mut routes = VpcRoutes::default();
    routes.learn(prefix("10.2.0.0/16"), &[A, B]);
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
    routes.learn(prefix("10.2.0.0/16"), &[A]);
    assert!(!routes.learn(prefix("10.2.0.0/16"), &[]));
    assert_eq!(routes.group_count(), 0);
    routes.learn(prefix("10.2.0.0/16"), &[B]);
    routes.learn(prefix("10.2.0.0/16"), &[B, A]);
    assert_eq!(routes.group_count(), 1);
    assert_eq!(routes.fib().len(), 1);
}

#[test]
fn nothing_learned_moves_a_pinned_route() {
    let mut routes = VpcRoutes::default();
    routes.pin(prefix("fd00::1/128"), A);
    assert!(routes.learn(prefix("fd00::1/128"), &[B]));
    assert!(routes.learn(prefix("fd00::1/128"), &[]));
    assert_eq!(routes.group_of(&prefix("fd00::1/128")).map(|g| g.ranking.clone()), Some(vec![A]));
    routes.unpin(&prefix("fd00::1/128"));
    assert!(routes.fib().is_empty());
}

#[test]
fn only_groups_of_a_marked_peer_choose_anew() {
    let mut routes = VpcRoutes::default();
    routes.learn(prefix("10.2.0.0/16"), &[A]);
    routes.learn(prefix("10.3.0.0/16"), &[B]);
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
    routes.learn(prefix("10.2.0.0/16"), &[A, B]);
    routes.reselect(|_| Health::Usable);
    let (id, other) = (GroupId(0), GroupId(1));
    assert_eq!(routes.take_changed().collect::<Vec<_>>(), [(id, Some(A))]);
    assert_eq!(routes.take_changed().count(), 0);
    routes.mark(B);
    assert_eq!(routes.take_changed().collect::<Vec<_>>(), [(id, Some(A))]);
    routes.learn(prefix("10.2.0.0/16"), &[B]);
    routes.reselect(|_| Health::Usable);
    assert_eq!(routes.take_changed().collect::<Vec<_>>(), [(id, None), (other, Some(B))]);
}

#[test]
fn learned_prefixes_are_counted_for_the_peer_that_carries_them() {
    let mut routes = VpcRoutes::default();
    routes.pin(prefix("fd00::1/128"), A);
    routes.learn(prefix("10.2.0.0/16"), &[A]);
    routes.learn(prefix("10.3.0.0/16"), &[A, B]);
    routes.learn(prefix("10.4.0.0/16"), &[B, A]);
    routes.reselect(|_| Health::Usable);
    assert_eq!([A, B].map(|peer| routes.learned_through(peer)), [2, 1]);
    routes.learn(prefix("10.5.0.0/16"), &[B]);
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
    routes.learn(first, &[A, B]);
    routes.learn(second, &[A, B]);
    routes.reselect(|_| Health::Usable);
    routes.set_carried(first, false);
    assert_eq!(counts(&routes), [(1, 1), (0, 0)]);
    // The same ranking again, another one, another tunnel in use.
    routes.learn(first, &[A, B]);
    assert_eq!(counts(&routes), [(1, 1), (0, 0)]);
    routes.learn(first, &[B]);
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
    routes.learn(first, &[B]);
    routes.reselect(|_| Health::Usable);
    assert_eq!(counts(&routes)[1], (1, 1));
    routes.set_carried(first, true);
    assert_eq!(counts(&routes)[1], (2, 0));
}

/// From whom, to whom, how many, and which.
type Moved = (Option<PeerId>, Option<PeerId>, usize, Vec<Prefix>);

fn moves(routes: &mut VpcRoutes) -> Vec<Moved> {
    let moves = routes.take_moves().into_iter();
    moves.map(|one| (one.from, one.to, one.count, one.examples)).collect()
}

#[test]
fn what_moves_together_is_told_together_whoever_moves_it() {
    let mut routes = VpcRoutes::default();
    let [one, two] = ["10.2.0.0/16", "10.3.0.0/16"].map(prefix);
    routes.pin(prefix("fd00::1/128"), A);
    routes.learn(one, &[A, B]);
    routes.learn(two, &[A, B]);
    routes.reselect(|_| Health::Usable);
    assert_eq!(moves(&mut routes), [(None, Some(A), 2, vec![one, two])]);
    routes.mark(A);
    routes.reselect(|peer| if peer == A { Health::Unreachable } else { Health::Usable });
    assert_eq!(
        moves(&mut routes),
        [(Some(A), Some(B), 2, vec![one, two])],
        "a tunnel flips groups"
    );
    // What the router says about it afterwards is no news.
    routes.learn(one, &[B]);
    routes.learn(two, &[B]);
    routes.reselect(|peer| if peer == A { Health::Unreachable } else { Health::Usable });
    assert_eq!(moves(&mut routes), []);
    routes.learn(one, &[A, B]);
    routes.learn(two, &[]);
    routes.reselect(|_| Health::Usable);
    let routed = [(Some(B), None, 1, vec![two]), (Some(B), Some(A), 1, vec![one])];
    assert_eq!(moves(&mut routes), routed, "and so do announcements");
}

#[test]
fn of_many_prefixes_that_move_a_few_are_named() {
    let mut routes = VpcRoutes::default();
    for n in 0..200 {
        routes.learn(prefix(&format!("10.{n}.0.0/16")), &[A, B]);
    }
    routes.reselect(|_| Health::Usable);
    routes.take_moves();
    routes.mark(A);
    routes.reselect(|peer| if peer == A { Health::Down } else { Health::Usable });
    let moved = moves(&mut routes);
    let [(Some(A), Some(B), 200, examples)] = moved.as_slice() else { panic!("{moved:?}") };
    assert_eq!(examples.len(), EXAMPLES);
}
