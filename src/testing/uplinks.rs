//! A peer with two uplinks, which has an address at each: where it is found, and where its tunnel goes
//! when one of them gets bad.

use super::deployment::{self, Deployment};
use super::network::Network;
use super::operations::{ask, reload};
use super::two_gateways::assert_sound;
use crate::control::{PeerView, Reply, Request};
use crate::net::PeerId;
use std::net::IpAddr;
use std::time::Duration;

const FIRST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 11));
const SECOND: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 111));
/// The gateway with two uplinks, and the one that knows both its addresses.
const HOME: usize = 0;
const BRANCH: usize = 1;

/// Who begins the IKE SA.
#[derive(Clone, Copy, PartialEq)]
enum Begins {
    Branch,
    Both,
}

fn two_uplinks(mobike: bool, begins: Begins) -> Deployment {
    let mobike = format!("mobike = {mobike}\n");
    deployment::edited_pair(|site, text| {
        let text = text.replace("psk_file", &format!("{mobike}psk_file"));
        match site.region {
            1 => home(&text, begins),
            _ => text.replace("\"192.0.2.11\"", "[\"192.0.2.11\", \"192.0.2.111\"]"),
        }
    })
}

fn home(text: &str, begins: Begins) -> String {
    let listens = text.replace("[\"192.0.2.11\"]", "[\"192.0.2.11\", \"192.0.2.111\"]");
    match begins {
        Begins::Branch => listens.replace("psk_file", "initiate = false\npsk_file"),
        Begins::Both => listens,
    }
}

/// The gateways have had some seconds, with these addresses of the first cut off.
fn started(deployment: Deployment, seed: u64, cut: &[IpAddr]) -> Network {
    let mut network = Network::without_gateways(deployment, seed);
    network.add_address(HOME, SECOND);
    cut.iter().for_each(|address| network.cut_address(*address, true));
    network.heal();
    network.run(Duration::from_secs(5));
    network
}

fn view(network: &mut Network) -> PeerView {
    let peer = network.node(BRANCH).config.peers.values().next().expect("a peer").name.clone();
    match ask(network, BRANCH, &Request::Peer(peer)) {
        Reply::Peer(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn is_at(network: &mut Network, address: IpAddr) -> bool {
    view(network).ike_sa.is_some_and(|sa| sa.remote.ip() == address)
}

fn spis(network: &mut Network) -> Vec<(u32, u32)> {
    network.node(BRANCH).gateway.child_spis(PeerId(0))
}

#[test]
fn the_tunnel_comes_up_at_the_first_address_or_where_the_peer_answers() {
    for seed in 0..4 {
        for (cut, found) in [(&[][..], FIRST), (&[FIRST], SECOND), (&[SECOND], FIRST)] {
            let mut network = started(two_uplinks(false, Begins::Branch), seed, cut);
            assert!(is_at(&mut network, found), "seed {seed}, {cut:?}");
            assert_sound(&mut network, seed);
        }
    }
}

#[test]
fn the_tunnel_moves_without_a_handshake_when_the_address_in_use_dies() {
    for seed in 0..4 {
        let mut network = started(two_uplinks(true, Begins::Branch), seed, &[]);
        let before = spis(&mut network);
        for (dead, other) in [(FIRST, SECOND), (SECOND, FIRST)] {
            network.cut_address(dead, true);
            network.run(Duration::from_secs(4));
            assert!(is_at(&mut network, other), "seed {seed}");
            network.cut_address(dead, false);
            assert_sound(&mut network, seed);
        }
        assert_eq!(spis(&mut network), before, "seed {seed}");
    }
}

#[test]
fn without_mobike_a_new_ike_sa_is_made_at_the_other_address() {
    for seed in 0..4 {
        for begins in [Begins::Branch, Begins::Both] {
            let mut network = started(two_uplinks(false, begins), seed, &[]);
            network.cut_address(FIRST, true);
            network.run(Duration::from_secs(8));
            assert!(is_at(&mut network, SECOND), "seed {seed}");
            assert_sound(&mut network, seed);
        }
    }
}

#[test]
fn a_peer_of_which_all_addresses_are_dead_is_found_at_the_first_that_comes_back() {
    for seed in 0..4 {
        let mut network = started(two_uplinks(true, Begins::Branch), seed, &[]);
        [FIRST, SECOND].into_iter().for_each(|address| network.cut_address(address, true));
        network.run(Duration::from_secs(60));
        network.cut_address(SECOND, false);
        network.run(Duration::from_secs(10));
        assert!(is_at(&mut network, SECOND), "seed {seed}");
        assert_sound(&mut network, seed);
    }
}

#[test]
fn a_reload_that_changes_the_other_addresses_leaves_the_tunnel_alone() {
    let mut network = started(two_uplinks(true, Begins::Branch), 5, &[]);
    let before = spis(&mut network);
    let sites = [1, 2].map(|region| deployment::Site { region, zone: 1 });
    let text =
        deployment::text(sites[1], &sites, &["red"]).replace("psk_file", "mobike = true\npsk_file");
    for addresses in
        ["[\"192.0.2.77\", \"192.0.2.11\"]", "\"192.0.2.11\"", "[\"192.0.2.11\", \"192.0.2.111\"]"]
    {
        reload(&mut network, BRANCH, &text.replace("\"192.0.2.11\"", addresses));
        network.run(Duration::from_secs(3));
        assert_eq!(spis(&mut network), before, "{addresses}");
    }
    network.cut_address(FIRST, true);
    network.run(Duration::from_secs(4));
    assert!(is_at(&mut network, SECOND));
    // The address in use is none of the peer's any more.
    reload(
        &mut network,
        BRANCH,
        &text.replace("\"192.0.2.11\"", "[\"192.0.2.11\", \"192.0.2.77\"]"),
    );
    network.cut_address(FIRST, false);
    network.run(Duration::from_secs(5));
    assert!(is_at(&mut network, FIRST));
    assert_sound(&mut network, 5);
}
