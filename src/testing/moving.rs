//! Gateways that are elsewhere than they were: NATs that rebind, addresses that change, interfaces
//! that go and come back, other addresses to listen on.

use super::deployment::{self, Deployment, Site};
use super::network::Network;
use super::orders::{ask, reload};
use super::two_gateways::assert_sound;
use crate::control::{PeerState, Reply, Request};
use std::net::IpAddr;
use std::time::Duration;

const SITES: [Site; 2] = [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }];
const NEW: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 77));

fn connected(deployment: Deployment, seed: u64) -> Network {
    let mut network = Network::start(deployment, seed);
    network.run(Duration::from_secs(5));
    assert_sound(&mut network, seed);
    network
}

/// Two gateways: the first listens on whatever addresses it has, the second takes it from anywhere.
fn wanderer() -> Deployment {
    deployment::edited_pair(|site, text| match site.region {
        1 => text.replace("listen = [\"192.0.2.11\"]\n", ""),
        _ => text.replace("remote_address = \"192.0.2.11\"", "remote_address = \"any\""),
    })
}

fn remote_of(network: &mut Network, node: usize) -> String {
    let peer = network.node(node).config.peers.values().next().expect("a peer").name.clone();
    match ask(network, node, &Request::Peer(peer)) {
        Reply::Peer(view) => view.ike_sa.expect("an IKE SA").remote.to_string(),
        other => panic!("{other:?}"),
    }
}

fn state(network: &mut Network, node: usize) -> PeerState {
    match ask(network, node, &Request::Peers) {
        Reply::Peers(view) => view.peers[0].state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_nat_that_takes_another_port_stops_packets_for_no_longer_than_liveness_takes() {
    for seed in 0..6 {
        let mut network = connected(deployment::pair(), seed);
        network.rebind(0, 1000);
        network.run(Duration::from_millis(2500));
        assert_eq!(remote_of(&mut network, 1), "192.0.2.11:5500", "seed {seed}");
        assert_sound(&mut network, seed);
    }
}

#[test]
fn packets_from_elsewhere_are_enough_to_be_followed() {
    let mut network = connected(deployment::pair(), 7);
    network.rebind(0, 1000);
    // One packet of a host, and the answer to the question that it raises.
    network.unreachable();
    assert_eq!(remote_of(&mut network, 1), "192.0.2.11:5500");
    assert_sound(&mut network, 7);
}

#[test]
fn a_gateway_whose_own_address_changes_is_connected_again_at_once() {
    for seed in 0..6 {
        let mut network = connected(wanderer(), seed);
        network.renumber(0, NEW);
        network.run(Duration::from_secs(3));
        assert_eq!(remote_of(&mut network, 1), "192.0.2.77:4500", "seed {seed}");
        assert_sound(&mut network, seed);
    }
}

#[test]
fn a_gateway_that_was_without_an_address_is_connected_when_it_has_one() {
    for pause in [1, 10, 100] {
        let mut network = connected(wanderer(), pause);
        network.with_node(0, |node, now| node.renumber(None, now));
        network.run(Duration::from_secs(pause));
        network.renumber(0, NEW);
        network.run(Duration::from_secs(4));
        assert_sound(&mut network, pause);
    }
}

#[test]
fn an_address_that_another_is_preferred_to_goes_on_while_it_is_there() {
    let mut network = connected(wanderer(), 3);
    let before = network.node(0).gateway.child_spis(crate::net::PeerId(0));
    network.with_node(0, |node, now| node.prefer(NEW, now));
    network.run(Duration::from_secs(5));
    assert_eq!(network.node(0).gateway.child_spis(crate::net::PeerId(0)), before);
    assert_eq!(state(&mut network, 0), PeerState::Up);
    assert_sound(&mut network, 3);
}

#[test]
fn a_reload_changes_the_addresses_to_listen_on() {
    let mut network = connected(deployment::pair(), 4);
    let text = deployment::text(SITES[0], &SITES, &["red"]);
    let before = network.node(0).gateway.child_spis(crate::net::PeerId(0));
    reload(&mut network, 0, &text.replace("[\"192.0.2.11\"]", "[\"192.0.2.11\", \"192.0.2.77\"]"));
    network.run(Duration::from_secs(3));
    assert_eq!(network.node(0).gateway.child_spis(crate::net::PeerId(0)), before);
    assert_sound(&mut network, 4);
    let of_peer = deployment::text(SITES[1], &SITES, &["red"]);
    reload(&mut network, 1, &of_peer.replace("\"192.0.2.11\"", "\"192.0.2.77\""));
    reload(&mut network, 0, &text.replace("[\"192.0.2.11\"]", "[\"192.0.2.77\"]"));
    network.renumber(0, NEW);
    network.run(Duration::from_secs(5));
    assert_eq!(remote_of(&mut network, 1), "192.0.2.77:4500");
    let missing = network.unreachable();
    assert!(missing.is_empty(), "{missing:?}");
}
