//! Regions that use the same prefixes, and know each other's hosts by other addresses.

use super::deployment::{self, Deployment, Region, Site};
use super::network::Network;
use super::orders::{ask, reload};
use super::packet;
use crate::control::{Reply, Request};
use crate::net::{Prefix, VpcId};
use crate::wire::checksum::Sum;
use crate::wire::ip::protocol;
use std::net::IpAddr;
use std::time::Duration;

const VPC: VpcId = VpcId(0);

/// The text of a site's configuration in which its VPC has the prefixes that all regions have.
fn overlapping(site: Site, text: &str) -> String {
    let region = site.region;
    let (own, peers) = text.split_once("[[peer]]").expect("a peer");
    let own = own.replace(&format!("10.{region}."), "10.0.");
    let own = own.replace(&format!("fd00:{region}::"), "fd00:7::");
    let map = |inside: &str, outside: String| {
        format!("[[vpc.map]]\ninside = \"{inside}\"\noutside = \"{outside}\"\n")
    };
    let maps = map("10.0.0.0/16", format!("100.{}.0.0/16", 64 + region))
        + &map("fd00:7::/48", format!("fd64:{region}::/48"));
    let own = own.replacen("[[vpc.vrrp]]", &format!("{maps}[[vpc.vrrp]]"), 1);
    let peers = (1..=3).fold(peers.to_owned(), |peers, other| {
        let peers =
            peers.replace(&format!("\"10.{other}.0.0/16"), &format!("\"100.{}.0.0/16", 64 + other));
        peers.replace(&format!("\"fd00:{other}::/48"), &format!("\"fd64:{other}::/48"))
    });
    format!("{own}[[peer]]{peers}")
}

fn pair() -> Deployment {
    deployment::edited_pair(|site, text| overlapping(site, &text))
}

fn started(deployment: Deployment) -> Network {
    let mut network = Network::start(deployment, 1);
    network.run(Duration::from_secs(6));
    network
}

/// A host as its own region has it.
fn here(last: u8, ipv4: bool) -> IpAddr {
    match ipv4 {
        true => IpAddr::from([10, 0, 1, last]),
        false => IpAddr::from([0xfd00, 7, 0, 0, 0, 0, 1, last.into()]),
    }
}

/// The same host as others have it.
fn there(region: u8, last: u8, ipv4: bool) -> IpAddr {
    match ipv4 {
        true => IpAddr::from([100, 64 + region, 1, last]),
        false => IpAddr::from([0xfd64, region.into(), 0, 0, 0, 0, 1, last.into()]),
    }
}

/// A UDP packet with right checksums.
fn udp(from: IpAddr, to: IpAddr, data: &[u8]) -> Vec<u8> {
    let ends = [from, to].map(|address| (address, 9).into());
    let travel = crate::wire::udp::Travel { ttl: 64, tos: 0 };
    crate::wire::udp::packet(ends[0], ends[1], travel, data).expect("of one family")
}

/// What reaches hosts after one has sent a packet by a gateway.
fn send(network: &mut Network, node: usize, packet: Vec<u8>) -> Vec<Vec<u8>> {
    network.with_node(node, |node, now| node.forward(VPC, packet, now));
    network.run(Duration::from_millis(500));
    assert!(network.violations.is_empty(), "{:?}", network.violations);
    std::mem::take(&mut network.answers)
}

/// Hosts of two regions that have the same address reach each other, by the gateways 0 and `far`.
fn assert_reach(network: &mut Network, far: usize) {
    for ipv4 in [true, false] {
        for (node, from, to) in [(0, 1, 2), (far, 2, 1)] {
            let sent = udp(here(5, ipv4), there(to, 5, ipv4), b"hello");
            let expected = udp(there(from, 5, ipv4), here(5, ipv4), b"hello");
            assert_eq!(send(network, node, sent), [expected], "from region {from}");
        }
    }
}

#[test]
fn hosts_with_one_address_in_two_regions_reach_each_other() {
    let mut network = started(pair());
    assert_reach(&mut network, 1);
    let Reply::Routes(view) = ask(&mut network, 0, &Request::Routes) else { panic!("no routes") };
    let routes = view.vpcs.into_iter().flat_map(|vpc| vpc.routes);
    let known: Vec<String> = routes.map(|route| route.prefix.to_string()).collect();
    assert_eq!(known, ["10.0.0.0/16", "100.66.0.0/16", "fd00:7::/48", "fd64:2::/48"]);
}

#[test]
fn an_operator_sees_by_which_addresses_peers_know_ours() {
    let mut network = started(pair());
    let Reply::Vpcs(view) = ask(&mut network, 0, &Request::Vpcs) else { panic!("no VPCs") };
    let maps = view.vpcs[0].maps.iter().map(|map| format!("{} {}", map.inside, map.outside));
    let both = ["10.0.0.0/16 100.65.0.0/16", "fd00:7::/48 fd64:1::/48"];
    assert_eq!(maps.collect::<Vec<_>>(), both);
    let Reply::Peer(view) = ask(&mut network, 0, &Request::Peer("r2z1".to_owned())) else {
        panic!("no peer")
    };
    let maps = view.maps.iter().map(|map| format!("{} {}", map.inside, map.outside));
    assert_eq!(maps.collect::<Vec<_>>(), both);
    let mut why = |to: IpAddr| {
        let request = Request::Why { to, from: Some(here(5, true)), ports: None };
        let Reply::Why(view) = ask(&mut network, 0, &request) else { panic!("no answer") };
        let way = view.ways.into_iter().next().expect("a way");
        let step = way.steps.into_iter().find(|step| step.step == "map").expect("a mapping");
        (way.arrives, step.says)
    };
    let says = "10.0.1.5 leaves as 100.65.1.5, by which r2z1 knows it".to_owned();
    assert_eq!(why(there(2, 9, true)), (true, says));
    let says = "100.65.0.0/16 is 10.0.0.0/16 here: only peers know it by that prefix".to_owned();
    assert_eq!(why(there(1, 9, true)), (false, says));
}

#[test]
fn an_error_about_a_translated_packet_is_known_to_its_sender() {
    let mut network = started(pair());
    for ipv4 in [true, false] {
        // What a host of region 2 complains about is what it got; what region 1 hears is what it sent.
        let got = udp(there(1, 5, ipv4), here(9, ipv4), b"hello");
        let sent = udp(here(5, ipv4), there(2, 9, ipv4), b"hello");
        let complaint = error(here(9, ipv4), there(1, 5, ipv4), &got);
        let expected = error(there(2, 9, ipv4), here(5, ipv4), &sent);
        assert_eq!(send(&mut network, 1, complaint), [expected]);
    }
}

/// "Port unreachable" about a packet.
fn error(from: IpAddr, to: IpAddr, about: &[u8]) -> Vec<u8> {
    let (number, head) = match from {
        IpAddr::V4(_) => (protocol::ICMP, [3, 3, 0, 0, 0, 0, 0, 0]),
        IpAddr::V6(_) => (protocol::ICMPV6, [1, 4, 0, 0, 0, 0, 0, 0]),
    };
    let mut message = [&head, about].concat();
    let length = u16::try_from(message.len()).expect("a short one");
    let pseudo = crate::wire::checksum::pseudo_header(from, to, number, length);
    let pseudo = pseudo.filter(|_| from.is_ipv6()).unwrap_or(Sum::ZERO);
    let sum = pseudo.bytes(&message).finish();
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    packet::ip(from, to, number, &message)
}

#[test]
fn traceroute_sees_the_far_gateway_by_an_address_that_it_can_reach() {
    let mut network = started(pair());
    for ipv4 in [true, false] {
        let mut dying = udp(here(5, ipv4), there(2, 9, ipv4), b"hello");
        packet::set_ttl(&mut dying, 1);
        let answers = send(&mut network, 0, dying.clone());
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        let seen = packet::read(answer);
        let gateway = if ipv4 { "100.66.0.21" } else { "fd64:2::15" };
        assert_eq!((seen.src, seen.dst), (gateway.parse().expect("an address"), here(5, ipv4)));
        assert_eq!(seen.payload[..2], if ipv4 { [11, 0] } else { [3, 0] });
        assert_eq!(seen.payload[8..], dying, "what is quoted is what was sent");
    }
}

#[test]
fn a_packet_that_is_too_big_is_answered_in_its_senders_terms() {
    let mut network = Network::start(pair(), 1);
    network.underlay_mtu = 1400;
    network.run(Duration::from_secs(10));
    for ipv4 in [true, false] {
        let sent = udp(here(5, ipv4), there(2, 9, ipv4), &[0x5a; 1440]);
        let answers = send(&mut network, 0, sent.clone());
        let told = answers.iter().map(|packet| packet::read(packet));
        let told: Vec<_> = told.filter(|seen| seen.dst == here(5, ipv4)).collect();
        let [error] = &told[..] else { panic!("{told:?}") };
        assert_eq!(error.src, there(2, 9, ipv4));
        assert_eq!(error.payload[..2], if ipv4 { [3, 4] } else { [2, 0] });
        let quoted = &error.payload[8..];
        assert_eq!(quoted, &sent[..quoted.len()]);
    }
}

#[test]
fn a_reload_gives_a_region_other_addresses_while_its_tunnels_stay() {
    let mut network = started(pair());
    let sites = [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }];
    let peer = crate::net::PeerId(0);
    let before = network.node(0).gateway.child_spis(peer);
    let texts = [0, 1]
        .map(|node| overlapping(sites[node], &deployment::text(sites[node], &sites, &["red"])));
    reload(&mut network, 0, &texts[0].replace("100.65.0.0/16", "172.20.0.0/16"));
    reload(&mut network, 1, &texts[1].replace("100.65.0.0/16", "172.20.0.0/16"));
    network.run(Duration::from_secs(3));
    let sent = udp(here(5, true), there(2, 5, true), b"hello");
    let expected = udp([172, 20, 1, 5].into(), here(5, true), b"hello");
    assert_eq!(send(&mut network, 0, sent), [expected]);
    let answer = udp(here(5, true), [172, 20, 1, 5].into(), b"hello");
    let expected = udp(there(2, 5, true), here(5, true), b"hello");
    assert_eq!(send(&mut network, 1, answer), [expected]);
    let old = udp(here(5, true), there(1, 5, true), b"hello");
    network.with_node(1, |node, now| node.forward(VPC, old, now));
    network.run(Duration::from_millis(500));
    assert_eq!(network.answers, Vec::<Vec<u8>>::new(), "nobody has that address any more");
    assert_eq!(network.node(0).gateway.child_spis(peer), before);
}

#[test]
fn tunnels_with_static_routes_are_for_the_addresses_that_peers_know() {
    let deployment = deployment::edited_pair(|site, text| {
        let text = overlapping(site, &text);
        let lines = text.lines().filter(|line| !line.starts_with("remote_asn"));
        let lines = lines.map(|line| line.replacen("accept =", "static_routes =", 1) + "\n");
        lines.collect()
    });
    let prefix = |text: &str| text.parse::<Prefix>().expect("a prefix");
    let selectors = deployment.configs.iter().map(|config| {
        let peer = config.peers.values().next().expect("one peer");
        (peer.local_ts.clone(), peer.remote_ts.clone())
    });
    let [west, east] = ["1", "2"].map(|region| {
        let third = 64 + region.parse::<u8>().expect("a number");
        vec![prefix(&format!("100.{third}.0.0/16")), prefix(&format!("fd64:{region}::/48"))]
    });
    let both = [(west.clone(), east.clone()), (east, west)];
    assert_eq!(selectors.collect::<Vec<_>>(), both);
    assert_reach(&mut started(deployment), 1);
}

#[test]
fn a_flow_goes_on_by_the_other_gateway_of_a_region_as_if_nothing_had_been() {
    let regions = [Region { number: 1, gateways: 1 }, Region { number: 2, gateways: 2 }];
    let deployment = deployment::edited(&regions, 1, |site, text| overlapping(site, &text));
    let mut network = started(deployment);
    assert_reach(&mut network, 1);
    network.crash(1);
    network.run(Duration::from_secs(10));
    assert_reach(&mut network, 2);
}
