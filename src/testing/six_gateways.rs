//! The reference deployment: three regions, two gateways each.

use super::deployment;
use super::network::{Network, Probe};
use super::orders::ask;
use super::two_gateways::{assert_sound, trouble};
use crate::control::{Reply, Request};
use crate::net::VpcId;
use std::time::Duration;

#[test]
fn six_gateways_connect_all_regions() {
    let mut network = Network::start(deployment::six(), 1);
    network.run(Duration::from_secs(6));
    assert_sound(&mut network, 1);
}

#[test]
fn any_weather_and_any_accident_heals_with_six_gateways() {
    for seed in 0..30 {
        let mut network = Network::start(deployment::six(), seed);
        trouble(&mut network);
        network.heal();
        network.run(Duration::from_secs(45));
        assert_sound(&mut network, seed);
    }
}

#[test]
fn a_crashed_gateway_is_replaced_within_three_seconds() {
    for crashed in 0..6 {
        let mut network = Network::start(deployment::six(), 100 + crashed as u64);
        network.run(Duration::from_secs(8));
        network.crash(crashed);
        network.run(Duration::from_secs(3));
        let missing = network.unreachable();
        assert!(missing.is_empty(), "node {crashed} crashed: {missing:?}");
        assert!(network.violations.is_empty(), "{:?}", network.violations);
    }
}

#[test]
fn a_cut_path_is_left_for_another_within_three_seconds() {
    let mut network = Network::start(deployment::six(), 9);
    network.run(Duration::from_secs(8));
    network.cut(0, 2);
    network.run(Duration::from_secs(3));
    let missing = network.unreachable();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn an_orderly_end_loses_no_packet() {
    let mut network = Network::start(deployment::six(), 11);
    network.run(Duration::from_secs(8));
    network.with_node(0, |node, now| node.operate(now, |gateway, _| gateway.withdraw(now)));
    let mut sent = Vec::new();
    for _ in 0..20 {
        sent.push(network.probe(Probe { vpc: VpcId(0), from: 2, to: 1, ipv4: true }));
        network.run(Duration::from_millis(10));
    }
    network.run(Duration::from_millis(300));
    network.with_node(0, |node, now| {
        node.operate(now, |gateway, at| gateway.shutdown(at));
    });
    sent.push(network.probe(Probe { vpc: VpcId(0), from: 2, to: 1, ipv4: true }));
    network.run(Duration::from_secs(1));
    assert!(sent.iter().all(|id| network.arrived(*id)));
}

#[test]
fn a_gateway_without_its_lan_is_left_for_its_neighbour() {
    let mut network = Network::start(deployment::six(), 13);
    network.run(Duration::from_secs(8));
    network.with_node(0, |node, now| node.set_lan(false, now));
    network.run(Duration::from_secs(2));
    assert_eq!(network.unreachable(), []);
    network.with_node(0, |node, now| node.set_lan(true, now));
    network.run(Duration::from_secs(3));
    assert_sound(&mut network, 13);
}

#[test]
fn a_lan_that_has_come_back_attracts_packets_once_something_has_come_in_by_it() {
    let mut network = Network::start(deployment::six(), 13);
    network.run(Duration::from_secs(8));
    network.with_node(0, |node, now| node.set_lan(false, now));
    network.run(Duration::from_secs(2));
    network.with_node(0, |node, now| node.set_lan(true, now));
    assert_eq!(announced(&mut network), 0);
    network.run(Duration::from_millis(400));
    assert_eq!(announced(&mut network), 2, "after an advertisement of the other gateway");
}

/// As behind a switch that does not forward yet, or where nobody says anything.
#[test]
fn a_lan_that_has_come_back_is_in_doubt_while_nothing_comes_in_but_not_for_long() {
    let mut network = Network::start(deployment::six(), 14);
    network.run(Duration::from_secs(8));
    network.split_lan(1, true);
    network.with_node(0, |node, now| node.set_lan(false, now));
    network.run(Duration::from_secs(2));
    network.with_node(0, |node, now| node.set_lan(true, now));
    network.run(Duration::from_secs(1));
    assert_eq!(announced(&mut network), 0);
    network.run(Duration::from_secs(1));
    assert_eq!(announced(&mut network), 2);
}

/// How many prefixes the first gateway has announced to the third.
fn announced(network: &mut Network) -> u32 {
    match ask(network, 2, &Request::Peer("r1z1".to_owned())) {
        Reply::Peer(view) => view.summary.prefixes_accepted,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_gateway_without_tunnels_gives_the_virtual_addresses_up() {
    let mut network = Network::start(deployment::six(), 17);
    network.run(Duration::from_secs(8));
    (2..6).for_each(|other| network.cut(0, other));
    network.run(Duration::from_secs(4));
    assert!(!network.node(0).is_active_router(VpcId(0), true));
    assert!(network.node(1).is_active_router(VpcId(0), true));
    assert_eq!(network.unreachable(), []);
}
