//! What the underlay's path carries, as gateways find it out, and what hosts learn of it.

use super::network::{Network, Probe, host};
use super::{deployment, packet};
use crate::control::{PathMtuView, PeerState, PeerView, Reply, Request};
use crate::gateway::Health;
use crate::net::{PeerId, VpcId};
use std::time::Duration;

const VPC: VpcId = VpcId(0);
const PEER: PeerId = PeerId(0);
/// Of the ICMP error that a host gets.
const TOO_BIG: [u8; 2] = [3, 4];

fn network(mtu: usize, speaks: bool) -> Network {
    let mut network = Network::start(deployment::pair(), 1);
    (network.underlay_mtu, network.routers_speak) = (mtu, speaks);
    network.run(Duration::from_secs(10));
    network
}

fn view(network: &mut Network, node: usize) -> PeerView {
    let mut reply = None;
    network.with_node(node, |node, now| {
        node.operate(now, |gateway, at| {
            let name = gateway.config().peers[&PEER].name.clone();
            reply = Some(gateway.handle_request(&Request::Peer(name), at));
        });
    });
    match reply {
        Some(Reply::Peer(view)) => *view,
        other => panic!("{other:?}"),
    }
}

fn path(network: &mut Network, node: usize) -> PathMtuView {
    view(network, node).path_mtu.expect("a peer that was connected")
}

/// What comes to hosts after a host of the first region has sent a packet of so many octets that
/// may not be fragmented.
fn send(network: &mut Network, octets: usize) -> Vec<Vec<u8>> {
    let mut payload = vec![0, 9, 0, 9, 0, 0, 0, 0];
    payload.resize(octets - 20, 0x5a);
    let inner = packet::ip(host(1, true), host(2, true), packet::UDP, &payload);
    network.with_node(0, |node, now| node.forward(VPC, inner, now));
    network.run(Duration::from_millis(500));
    std::mem::take(&mut network.answers)
}

/// A packet of what the gateway says that fits arrives, and one octet more makes it say so again.
fn assert_fits(network: &mut Network) {
    let inner: usize = view(network, 0).inner_mtu.expect("a tunnel that is up").into();
    let got = send(network, inner);
    assert_eq!(got.iter().map(Vec::len).collect::<Vec<_>>(), [inner]);
    let got = send(network, inner + 1);
    let (errors, arrived): (Vec<_>, Vec<_>) =
        got.iter().partition(|packet| packet::read(packet).dst == host(1, true));
    let [error] = &errors[..] else { panic!("{} errors", errors.len()) };
    let narrow = path(network, 0).bytes < 1500;
    assert_eq!(arrived.len(), usize::from(narrow), "in fragments, until the host knows better");
    let seen = packet::read(error);
    assert_eq!(seen.payload[..2], TOO_BIG);
    assert_eq!(usize::from(u16::from_be_bytes([seen.payload[6], seen.payload[7]])), inner);
}

/// A while with traffic, during which both tunnels stay up.
fn work(network: &mut Network, time: Duration) {
    let end = network.now + time;
    while network.now < end {
        network.probe(Probe { vpc: VPC, from: 1, to: 2, ipv4: true });
        network.probe(Probe { vpc: VPC, from: 2, to: 1, ipv4: true });
        network.run(Duration::from_millis(100));
        for node in [0, 1] {
            assert_eq!(network.node(node).gateway.health(PEER), Health::Usable);
        }
    }
}

#[test]
fn a_wide_path_is_known_by_one_probe() {
    let mut network = network(1500, false);
    for node in [0, 1] {
        let PathMtuView { bytes, known_by, configured } = path(&mut network, node);
        assert_eq!((bytes, known_by.as_str(), configured), (1500, "probed", 1500));
    }
    assert_fits(&mut network);
}

#[test]
fn a_narrow_path_is_found_whether_routers_speak_or_not() {
    for speaks in [false, true] {
        for mtu in [1492, 1400, 1333, 1280, 1100, 700] {
            let mut network = network(mtu, speaks);
            for node in [0, 1] {
                let found = usize::from(path(&mut network, node).bytes);
                assert!((mtu - 8..=mtu).contains(&found), "{found} of {mtu}, speaks: {speaks}");
            }
            assert_fits(&mut network);
            let view = view(&mut network, 0);
            assert_eq!(view.summary.state, PeerState::Up);
            assert!(view.events.iter().any(|event| event.what.contains("the path")));
        }
    }
}

#[test]
fn a_path_that_shrinks_under_load_is_found_in_seconds_and_no_tunnel_goes_down() {
    for (speaks, patience) in [(true, 1), (false, 12)] {
        let mut network = network(1500, speaks);
        work(&mut network, Duration::from_secs(2));
        network.underlay_mtu = 1300;
        // The packet that makes a router speak.
        send(&mut network, 1400);
        network.answers.clear();
        work(&mut network, Duration::from_secs(patience));
        let found = path(&mut network, 0).bytes;
        assert!((1292..=1300).contains(&found), "{found}");
        network.answers.clear();
        assert_fits(&mut network);
    }
}

#[test]
fn a_forged_error_changes_nothing() {
    let mut network = network(1500, true);
    let view = view(&mut network, 0);
    let (local, remote) = (view.local.unwrap(), view.summary.remote.unwrap());
    for mtu in [68, 576, 1200, 1400] {
        network.with_node(0, |node, now| {
            node.operate(now, |gateway, at| gateway.handle_too_big(local, remote, mtu, at.now));
        });
        work(&mut network, Duration::from_secs(2));
        assert_eq!(path(&mut network, 0).bytes, 1500);
    }
}
