//! Public addresses of a VPC at two gateways: packets for them go to one, and nothing of them stands before
//! what guards it.

use super::deployment;
use super::network::Network;
use super::orders::ask;
use crate::control::{NatView, Reply, Request};
use crate::gateway::world::Wish;
use std::time::Duration;

fn running(seed: u64) -> Network {
    let mut network = Network::start(deployment::with_publics(), seed);
    network.run(Duration::from_secs(8));
    network
}

/// Whether packets for the public address are led to the VPC.
fn leads(network: &mut Network, node: usize) -> bool {
    network.node(node).standing().iter().any(|wish| matches!(wish, Wish::Public { .. }))
}

fn nat(network: &mut Network, node: usize) -> NatView {
    match ask(network, node, &Request::Nat) {
        Reply::Nat(view) => view,
        other => panic!("{other:?}"),
    }
}

#[test]
fn public_addresses_follow_the_active_router() {
    let mut network = running(71);
    assert_eq!([0, 1].map(|node| leads(&mut network, node)), [true, false]);
    assert_eq!([0, 1].map(|node| nat(&mut network, node).vpcs[0].serving), [true, false]);
    // The other one is ready, and closed.
    assert!(nat(&mut network, 1).vpcs[0].up);
    let closed = |wish: &Wish| matches!(wish, Wish::Closed { .. });
    assert!(network.node(1).standing().iter().any(closed));
    network.crash(0);
    network.run(Duration::from_secs(3));
    assert!(leads(&mut network, 1));
    network.boot(0);
    network.run(Duration::from_secs(8));
    assert_eq!([0, 1].map(|node| leads(&mut network, node)), [true, false]);
}

#[test]
fn an_operator_sees_what_the_host_refuses_and_the_tunnels_run_without_it() {
    let mut network = running(72);
    let tables: Vec<Wish> = network
        .node(0)
        .standing()
        .iter()
        .filter(|wish| matches!(wish, Wish::Translation(_)))
        .cloned()
        .collect();
    tables.iter().for_each(|wish| network.node(0).refuse(wish, true));
    network.with_node(0, |node, now| node.take_away(&tables, now));
    network.run(Duration::from_secs(2));
    let view = nat(&mut network, 0);
    assert!(!view.vpcs[0].up);
    let what = &view.vpcs[0].refusals[0].what;
    assert_eq!(what, "translation of public addresses at pub-red");
    assert_eq!(network.unreachable(), []);
    tables.iter().for_each(|wish| network.node(0).refuse(wish, false));
    network.run(Duration::from_secs(40));
    assert!(nat(&mut network, 0).vpcs[0].up);
}

#[test]
fn an_orderly_end_takes_every_public_address_back() {
    let mut network = running(73);
    network.with_node(0, |node, now| node.operate(now, |gateway, at| gateway.shutdown(at)));
    network.run(Duration::from_secs(1));
    let left = network.node(0).standing().iter().find(|wish| match wish {
        Wish::Rule(rule) => rule.to_string().contains("translated"),
        other => matches!(
            other,
            Wish::Translation(_)
                | Wish::Outlet(_)
                | Wish::Exit { .. }
                | Wish::Closed { .. }
                | Wish::Public { .. }
        ),
    });
    assert_eq!(left, None);
}
