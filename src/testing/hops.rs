//! What a host learns from the far gateway: echo at its inside address, and hops that are used up.

use super::network::{Network, host};
use super::{deployment, packet};
use crate::config::Routing;
use crate::net::VpcId;
use crate::wire::checksum::Sum;
use crate::wire::ip::protocol;
use std::net::IpAddr;
use std::time::Duration;

const VPC: VpcId = VpcId(0);

/// The address at the far end of the first gateway's tunnel.
fn inside_remote(network: &mut Network) -> IpAddr {
    let config = &network.node(0).config;
    let peer = config.peers.values().next().expect("one peer");
    match &peer.routing {
        Routing::Bgp(bgp) => bgp.inside_remote,
        Routing::Static { .. } => panic!("the deployment speaks BGP"),
    }
}

/// Sends a packet from a host of the first region and returns what reaches that host.
fn ask(network: &mut Network, packet: Vec<u8>) -> Vec<Vec<u8>> {
    network.with_node(0, |node, now| node.forward(VPC, packet, now));
    network.run(Duration::from_secs(1));
    assert!(network.violations.is_empty(), "{:?}", network.violations);
    std::mem::take(&mut network.answers)
}

fn connected() -> Network {
    let mut network = Network::start(deployment::pair(), 1);
    network.run(Duration::from_secs(5));
    network
}

#[test]
fn the_inside_address_of_the_far_gateway_answers_echo() {
    let mut network = connected();
    let inside = inside_remote(&mut network);
    let own = host(1, inside.is_ipv4());
    let (protocol, request, reply) =
        if inside.is_ipv4() { (protocol::ICMP, 8, 0) } else { (protocol::ICMPV6, 128, 129) };
    let message = [request, 0, 0, 0, 0x12, 0x34, 0, 1, 0xab];
    let answers = ask(&mut network, packet::ip(own, inside, protocol, &message));
    let [answer] = &answers[..] else { panic!("{answers:?}") };
    let seen = packet::read(answer);
    assert_eq!((seen.src, seen.dst, seen.protocol), (inside, own, protocol));
    assert_eq!((seen.payload[0], &seen.payload[4..]), (reply, &message[4..]));
}

/// The addresses of the far gateway on its LAN.
fn far_gateway(ipv4: bool) -> IpAddr {
    let text = if ipv4 { "10.2.0.21" } else { "fd00:2::15" };
    text.parse().expect("an address")
}

#[test]
fn the_far_gateway_shows_itself_to_traceroute() {
    let mut network = connected();
    for ipv4 in [true, false] {
        let (own, far) = (host(1, ipv4), host(2, ipv4));
        let mut dying = packet::ip(own, far, packet::UDP, &[0x82, 0x9a, 0x82, 0x9b, 0, 8, 0, 0]);
        packet::set_ttl(&mut dying, 1);
        let answers = ask(&mut network, dying.clone());
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        let seen = packet::read(answer);
        assert_eq!((seen.src, seen.dst), (far_gateway(ipv4), own));
        assert_eq!(seen.payload[..2], if ipv4 { [11, 0] } else { [3, 0] });
        assert_eq!(seen.payload[8..], dying);
        if ipv4 {
            assert_eq!(Sum::of(seen.payload).finish(), 0);
        }
    }
}

#[test]
fn the_far_gateway_is_a_host_that_answers_echo_also_at_its_last_hop() {
    let mut network = connected();
    for ipv4 in [true, false] {
        let (own, gateway) = (host(1, ipv4), far_gateway(ipv4));
        let (protocol, request, reply) =
            if ipv4 { (protocol::ICMP, 8, 0) } else { (protocol::ICMPV6, 128, 129) };
        let message = [request, 0, 0, 0, 0x12, 0x34, 0, 1, 0xab];
        let mut ping = packet::ip(own, gateway, protocol, &message);
        packet::set_ttl(&mut ping, 1);
        let answers = ask(&mut network, ping);
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        let seen = packet::read(answer);
        assert_eq!((seen.src, seen.dst, seen.payload[0]), (gateway, own, reply));
    }
}

/// What the far gateway's kernel gets of a SYN to a port of its own.
fn received(network: &mut Network, port: u8) -> usize {
    for ipv4 in [true, false] {
        let syn = [0x9c, 0x40, 0, port, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 255, 255, 0, 0, 0, 0];
        let packet = packet::ip(host(1, ipv4), far_gateway(ipv4), packet::TCP, &syn);
        network.with_node(0, |node, now| node.forward(VPC, packet, now));
    }
    network.run(Duration::from_secs(1));
    std::mem::take(&mut network.node(1).own_packets).len()
}

#[test]
fn services_of_the_far_gateway_are_reached_when_they_are_offered_and_follow_a_reload() {
    let mut network = connected();
    assert_eq!(received(&mut network, 22), 0);
    let offering = deployment::edited_pair(|_, text| {
        text.replace("[[vpc]]\n", "[[vpc]]\nservices = [\"tcp/22\"]\n")
    });
    network.with_node(1, |node, now| {
        node.operate(now, |gateway, at| {
            let config = offering.configs[1].clone().numbered_like(gateway.config());
            gateway.reconfigure(config, at).expect("no restart");
        });
    });
    assert_eq!((received(&mut network, 22), received(&mut network, 23)), (2, 0));
}

#[test]
fn an_address_that_the_far_gateway_gets_is_its_own_from_then_on() {
    let mut network = connected();
    let new = host(2, true);
    let probe = |network: &mut Network| {
        let packet = packet::ip(host(1, true), new, packet::UDP, &[0, 9, 0, 9, 0, 8, 0, 0]);
        ask(network, packet).len()
    };
    assert_eq!(probe(&mut network), 1, "a host behind it has the address");
    network.with_node(1, |node, now| node.set_addresses("lan0", &[new], now));
    assert_eq!(probe(&mut network), 0);
}
