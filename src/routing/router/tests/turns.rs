//! However much a peer announces at once, a turn takes its time and no more.

use super::super::turns::TURN;
use super::*;
use crate::routing::Attributes;
use crate::routing::attributes::AsPath;
use std::sync::Arc;

const MANY: usize = 5000;
const FAR: PeerId = PeerId(0);

fn many() -> BTreeSet<Prefix> {
    let network = |n: u32| Prefix::containing(Ipv4Addr::from(0x1400_0000 + (n << 8)).into(), 24);
    (0..).filter_map(network).take(MANY).collect()
}

/// Router 1 has learned all of them from router 0.
fn flooded() -> Net {
    let mut net = Net::new(2);
    net.link(0, 1);
    net.run(1000);
    net.routers[0].set_local_prefixes(many(), net.now);
    net.run(1000);
    assert_eq!(net.fib[1].len(), MANY);
    net
}

/// Every turn of router 1 until nothing is left, with how many ways each has changed.
fn turns(net: &mut Net) -> Vec<usize> {
    net.changes[1].clear();
    let (router, now) = (&mut net.routers[1], net.now);
    let mut turns = vec![changes(router)];
    while router.is_busy() {
        assert_eq!(router.poll_timeout(), Some((now, Why::Work)));
        router.handle_timeout(now);
        turns.push(changes(router));
    }
    turns
}

fn changes(router: &mut Router) -> usize {
    let changes = std::iter::from_fn(|| router.poll_action()).map(|action| match action {
        Action::Fib(changes) => changes.len(),
        _ => 0,
    });
    changes.sum()
}

#[test]
fn a_flood_is_learned_in_turns() {
    let net = flooded();
    let changes = &net.changes[1];
    assert!(changes.iter().all(|size| *size <= TURN), "{changes:?}");
    assert_eq!(changes.iter().sum::<usize>(), MANY, "nothing twice");
    assert!(!net.routers[1].is_busy());
}

#[test]
fn a_long_update_is_taken_in_piece_by_piece() {
    let mut update = bgp::Update {
        withdrawn: many().into_iter().collect(),
        announced: [1, 2]
            .map(|n| bgp::Announcement {
                attributes: Arc::new(Attributes::originated(addr(n))),
                prefixes: many().into_iter().collect(),
            })
            .into(),
        discarded: 1,
        ..bgp::Update::default()
    };
    let (mut sizes, mut discarded) = (Vec::new(), 0);
    loop {
        let rest = update.split_off(TURN);
        sizes.push(update.prefix_count());
        discarded += update.discarded;
        let Some(rest) = rest else { break };
        update = rest;
    }
    assert!(sizes.iter().all(|size| *size <= TURN));
    assert_eq!((sizes.iter().sum::<usize>(), discarded), (3 * MANY, 1));
}

#[test]
fn what_a_lost_tunnel_or_session_takes_along_is_decided_in_turns() {
    let losses: [fn(&mut Net); 2] = [
        |net| net.routers[1].on_tunnel(FAR, false, net.now),
        |net| net.routers[1].reset_neighbor(FAR, net.now),
    ];
    for lose in losses {
        let mut net = flooded();
        lose(&mut net);
        let turns = turns(&mut net);
        assert!(turns.iter().all(|size| *size <= TURN), "{turns:?}");
        assert_eq!(turns.iter().sum::<usize>(), MANY);
    }
}

#[test]
fn routes_that_come_back_before_they_are_forgotten_stay() {
    let mut net = flooded();
    let (mut fresh, rib) = (many(), &mut net.routers[1].rib);
    let gone = fresh.pop_first().expect("a prefix");
    rib.forget(FAR);
    for prefix in fresh {
        let own = Attributes::originated(addr(0));
        let path = Attributes { as_path: AsPath::sequence([asn(0)]), ..own };
        assert_eq!(rib.announce(FAR, prefix, Arc::new(path)), Ok(None));
    }
    let decided = rib.decide(usize::MAX);
    let rerouted: Vec<Prefix> =
        decided.iter().filter(|one| one.is_rerouted).map(|one| one.prefix).collect();
    assert_eq!(rerouted, [gone]);
    assert!(rib.is_decided() && rib.chosen(&gone).is_none());
}
