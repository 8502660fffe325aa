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

#[test]
fn the_far_gateway_shows_itself_to_traceroute() {
    let mut network = connected();
    let inside = inside_remote(&mut network);
    let (own, far) = (host(1, inside.is_ipv4()), host(2, inside.is_ipv4()));
    let hop_limit = if inside.is_ipv4() { 8 } else { 7 };
    let mut dying = packet::ip(own, far, packet::UDP, &[0x82, 0x9a, 0x82, 0x9b, 0, 8, 0, 0]);
    dying[hop_limit] = 1;
    let answers = ask(&mut network, dying.clone());
    let [answer] = &answers[..] else { panic!("{answers:?}") };
    let seen = packet::read(answer);
    assert_eq!((seen.src, seen.dst), (inside, own));
    assert_eq!(seen.payload[..2], if inside.is_ipv4() { [11, 0] } else { [3, 0] });
    assert_eq!(seen.payload[8..], dying);
    if inside.is_ipv4() {
        assert_eq!(Sum::of(seen.payload).finish(), 0);
    }
}
