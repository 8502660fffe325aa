//! Two VPCs with equal prefixes over the same gateways never meet.

use super::deployment::{self, Deployment, Region, VPCS};
use super::network::Network;
use super::orders::{ask, reload};
use super::two_gateways::{assert_sound, trouble};
use crate::control::{PeerState, Reply, Request, TunnelSas};
use crate::net::PeerId;
use std::time::Duration;

const RED: PeerId = PeerId(0);
const BLUE: PeerId = PeerId(1);

fn two_vpcs() -> Deployment {
    let one = |number| Region { number, gateways: 1 };
    deployment::regions(&[one(1), one(2)], 2)
}

fn tunnels(network: &mut Network, node: usize) -> Vec<TunnelSas> {
    match ask(network, node, &Request::Sas) {
        Reply::Sas(view) => view.tunnels,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_vpcs_with_equal_prefixes_stay_apart() {
    for seed in 0..5 {
        let mut network = Network::start(two_vpcs(), seed);
        network.run(Duration::from_secs(6));
        assert_sound(&mut network, seed);
        trouble(&mut network);
        network.heal();
        network.run(Duration::from_secs(45));
        assert_sound(&mut network, seed);
    }
}

#[test]
fn vpcs_between_two_gateways_share_one_ike_sa() {
    let mut network = Network::start(two_vpcs(), 1);
    network.run(Duration::from_secs(6));
    for node in 0..2 {
        let tunnels = tunnels(&mut network, node);
        let [one, other] = tunnels.as_slice() else { panic!("two tunnels: {tunnels:?}") };
        assert_ne!(one.vpc, other.vpc);
        let spi = |tunnel: &TunnelSas| tunnel.ike_sa.clone().map(|ike| ike.initiator_spi);
        assert!(spi(one).is_some());
        assert_eq!(spi(one), spi(other));
        assert_ne!(one.child_sas[0].inbound_spi, other.child_sas[0].inbound_spi);
    }
}

#[test]
fn a_vpc_that_comes_or_goes_leaves_the_other_alone() {
    (1..=6).for_each(comes_and_goes);
}

fn comes_and_goes(seed: u64) {
    let mut network = Network::start(two_vpcs(), seed);
    network.run(Duration::from_secs(6));
    assert_sound(&mut network, 2);
    let (sites, red) = (two_vpcs().sites, network.node(0).gateway.child_spis(RED));
    let both = deployment::text(sites[0], &sites, &VPCS);
    let only_red = both.replace("vpcs = [\"red\", \"blue\"]", "vpc = \"red\"");
    reload(&mut network, 0, &only_red);
    network.run(Duration::from_secs(3));
    assert_eq!(network.node(0).gateway.child_spis(RED), red);
    assert_eq!(network.node(0).gateway.child_spis(BLUE), []);
    let Reply::Peers(view) = ask(&mut network, 1, &Request::Peers) else { panic!("a view") };
    let states: Vec<_> =
        view.peers.iter().map(|peer| (peer.vpc.as_str(), peer.state == PeerState::Up)).collect();
    assert_eq!(states, [("blue", false), ("red", true)]);
    // What BGP still says to a peer that the file does not name any more is not ours to guard.
    assert!(network.violations.iter().all(|text| text.contains("left node 0 VpcId(1)")));
    network.violations.clear();
    reload(&mut network, 0, &both);
    network.run(Duration::from_secs(60));
    assert_eq!(network.node(0).gateway.child_spis(RED), red, "seed {seed}");
    assert_eq!(network.node(0).gateway.child_spis(BLUE).len(), 1, "seed {seed}");
    assert_sound(&mut network, 2);
}

/// Asks about the tunnel that `node` has for a peer.
fn ask_about(
    network: &mut Network,
    node: usize,
    peer: PeerId,
    request: impl FnOnce(String) -> Request,
) {
    let name = network.node(node).config.peers[&peer].name.clone();
    let reply = ask(network, node, &request(name));
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
}

#[test]
fn a_tunnel_that_is_closed_leaves_those_over_the_same_ike_sa_alone() {
    let terminate = |peer| Request::Terminate { peer };
    let mut network = Network::start(two_vpcs(), 3);
    network.run(Duration::from_secs(6));
    let blue = network.node(0).gateway.child_spis(BLUE);
    ask_about(&mut network, 0, RED, terminate);
    network.run(Duration::from_secs(20));
    assert_eq!(network.node(0).gateway.child_spis(RED), []);
    assert_eq!(network.node(0).gateway.child_spis(BLUE), blue);

    ask_about(&mut network, 0, RED, |peer| Request::Initiate { peer });
    network.run(Duration::from_secs(60));
    assert_eq!(network.node(0).gateway.child_spis(BLUE), blue);
    assert_sound(&mut network, 3);

    (0..2).for_each(|node| ask_about(&mut network, node, RED, terminate));
    (0..2).for_each(|node| ask_about(&mut network, node, BLUE, terminate));
    network.run(Duration::from_secs(20));
    for peer in [RED, BLUE] {
        assert_eq!(network.node(0).gateway.child_spis(peer), [], "the last one takes the IKE SA");
    }
}
