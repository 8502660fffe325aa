//! What a configuration wants of the kernel, and what it lets through.

use super::*;
use crate::testing::deployment::{self, Site};

const SITES: [Site; 2] = [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }];

fn config(change: impl Fn(String) -> String) -> Config {
    deployment::parse(&change(deployment::text(SITES[0], &SITES, &["red"])))
}

fn addr(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn a_peer_may_send_from_what_it_may_announce_and_from_its_inside_address() {
    let config = config(|text| text);
    let peer = &config.peers[&PeerId(0)];
    let sources = sources(peer);
    assert!(sources.covers_addr(addr("10.2.200.1")));
    assert!(sources.covers_addr(inside_remote(peer).expect("a BGP peer")));
    assert!(!sources.covers_addr(addr("10.1.0.1")));
    assert!(!sources.covers_addr(addr("8.8.8.8")));
}

#[test]
fn only_a_transit_gateway_lets_packets_pass_to_other_peers() {
    let permitted = |config: &Config| {
        let vpc = &config.vpcs[&VpcId(0)];
        let inside = inside_addresses(VpcId(0), config);
        destinations(VpcId(0), vpc, config, &home(vpc, &inside)).covers_addr(addr("10.2.0.9"))
    };
    assert!(!permitted(&config(|text| text)));
    let transit = |text: String| text.replace("[[vpc]]\n", "[[vpc]]\ntransit = true\n");
    assert!(permitted(&config(transit)));
}
