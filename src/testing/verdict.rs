//! What a gateway says about a tunnel, and does with its traffic, when ESP and IKE fare differently.

use super::deployment::{self, Deployment, Site};
use super::kernel::UNDERLAY;
use super::network::{Kind, Network, Probe};
use super::orders::ask;
use super::two_gateways::assert_sound;
use crate::control::{DataPath, PeerState, Reply, ReportView, Request, SaKind};
use crate::gateway::world::Trouble;
use crate::net::VpcId;
use std::time::Duration;

fn connected(deployment: Deployment, seed: u64) -> Network {
    let mut network = Network::start(deployment, seed);
    network.run(Duration::from_secs(5));
    assert_sound(&mut network, seed);
    network
}

/// Policy-based tunnels: no address inside them is within their selectors.
fn with_static_routes() -> Deployment {
    deployment::edited_pair(static_routes)
}

/// The text of a site with static routes in place of BGP.
pub(super) fn static_routes(site: Site, text: String) -> String {
    let other = 3 - site.region;
    let asn = text.lines().rfind(|line| line.starts_with("remote_asn")).map(str::to_owned);
    let accept = text.lines().rfind(|line| line.starts_with("accept")).map(str::to_owned);
    let routes = format!("static_routes = [\"10.{other}.0.0/16\", \"fd00:{other}::/48\"]");
    text.replace(&asn.expect("a BGP peer"), &routes).replace(&accept.expect("a list"), "")
}

fn verdict(network: &mut Network, node: usize) -> (PeerState, DataPath) {
    let peer = network.node(node).config.peers.values().next().expect("a peer").name.clone();
    match ask(network, node, &Request::Peer(peer)) {
        Reply::Peer(view) => (view.summary.state, view.data_path),
        other => panic!("{other:?}"),
    }
}

#[test]
fn esp_that_is_dropped_while_ike_passes_is_found_at_both_ends_and_used_again_when_it_passes() {
    for (seed, deployment) in [(1, deployment::pair()), (2, with_static_routes())] {
        let mut network = connected(deployment, seed);
        assert_eq!(verdict(&mut network, 0), (PeerState::Up, DataPath::Passes));
        for (from, to) in [(0, 1), (1, 0)] {
            network.filter(from, to, Kind::Esp);
        }
        network.run(Duration::from_millis(3000));
        for node in [0, 1] {
            let lost = (PeerState::Unreachable, DataPath::NothingComes);
            assert_eq!(verdict(&mut network, node), lost, "node {node}");
        }
        network.heal();
        network.run(Duration::from_millis(500));
        assert_eq!(verdict(&mut network, 0).1, DataPath::PassesAgain);
        network.run(Duration::from_secs(20));
        for node in [0, 1] {
            assert_eq!(verdict(&mut network, node), (PeerState::Up, DataPath::Passes));
        }
        assert_sound(&mut network, seed);
    }
}

#[test]
fn a_path_that_works_one_way_only_is_out_of_use_at_both_ends_and_each_says_which_way() {
    let mut network = connected(with_static_routes(), 3);
    network.filter(0, 1, Kind::Esp);
    network.run(Duration::from_millis(4500));
    assert_eq!(verdict(&mut network, 0), (PeerState::Unreachable, DataPath::NothingArrives));
    assert_eq!(verdict(&mut network, 1), (PeerState::Unreachable, DataPath::NothingComes));
}

/// What is known at `node` of the packets to the peer and from it: first inquires, and then looks.
fn arrivals(network: &mut Network, node: usize) -> ReportView {
    let peer = network.node(node).config.peers.values().next().expect("a peer").name.clone();
    let inquire =
        |network: &mut Network| match ask(network, node, &Request::Arrivals { peer: peer.clone() })
        {
            Reply::Arrivals(view) => view,
            other => panic!("{other:?}"),
        };
    let inquiry = inquire(network).inquiry.expect("an inquiry");
    network.run(Duration::from_millis(100));
    let report = inquire(network).report.expect("a report");
    assert_eq!(report.inquiry, inquiry);
    report
}

#[test]
fn what_is_lost_one_way_is_counted_by_its_receiver_and_reported_to_its_sender() {
    let mut network = connected(with_static_routes(), 7);
    for node in [0, 1] {
        let before = arrivals(&mut network, node);
        assert_eq!((before.there.lost, before.here.lost), (0, 0), "node {node}");
    }
    let before = arrivals(&mut network, 0);
    network.filter(0, 1, Kind::Esp);
    let probe = Probe { vpc: VpcId(0), from: 1, to: 2, ipv4: true };
    for _ in 0..7 {
        network.probe(probe.clone());
    }
    network.run(Duration::from_millis(100));
    network.heal();
    let [after, theirs] = [0, 1].map(|node| arrivals(&mut network, node));
    assert_eq!((after.there.lost, after.here.lost), (7, 0));
    assert_eq!((theirs.there.lost, theirs.here.lost), (0, 7));
    // Keys that are replaced take nothing of it along.
    for node in [0, 1] {
        let peer = network.node(node).config.peers.values().next().expect("a peer").name.clone();
        ask(&mut network, node, &Request::Rekey { peer, sa: SaKind::Child });
        network.run(Duration::from_secs(20));
    }
    let replaced = arrivals(&mut network, 0);
    assert_eq!((replaced.there.lost, replaced.here.lost), (7, 0));
    assert!(replaced.there.arrived > before.there.arrived);
    assert!(replaced.here.arrived > before.here.arrived);
}

#[test]
fn ike_that_is_dropped_while_esp_passes_takes_no_packet_from_its_way() {
    let mut network = connected(deployment::pair(), 4);
    for (from, to) in [(0, 1), (1, 0)] {
        network.filter(from, to, Kind::Ike);
    }
    for second in 0..100 {
        network.run(Duration::from_secs(1));
        for node in [0, 1] {
            let state = verdict(&mut network, node);
            assert_eq!(state, (PeerState::Up, DataPath::Passes), "node {node} at {second} s");
        }
    }
    assert!(network.unreachable().is_empty());
}

/// An attempt to begin anew would end the tunnel at the one that hears it, and come up at neither.
#[test]
fn ike_that_is_dropped_one_way_while_esp_passes_takes_no_packet_from_its_way() {
    for (seed, deployment) in [(21, deployment::pair()), (22, with_static_routes())] {
        for (from, to) in [(0, 1), (1, 0)] {
            let mut network = connected(deployment.clone(), seed);
            network.filter(from, to, Kind::Ike);
            for _ in 0..20 {
                network.run(Duration::from_secs(1));
                assert_eq!(network.unreachable(), [], "seed {seed}, from {from}");
            }
            network.heal();
            network.run(Duration::from_secs(20));
            assert_eq!(verdict(&mut network, 0), (PeerState::Up, DataPath::Passes));
            assert_sound(&mut network, seed);
        }
    }
}

#[test]
fn the_traffic_of_a_tunnel_whose_esp_is_dropped_takes_the_next_one() {
    let mut network = connected(deployment::six(), 5);
    // From region 1 to region 2 node 0 prefers node 2, and back.
    for (from, to) in [(0, 2), (2, 0)] {
        network.filter(from, to, Kind::Esp);
    }
    let probe = Probe { vpc: VpcId(0), from: 1, to: 2, ipv4: true };
    let lost = network.probe(probe.clone());
    network.run(Duration::from_millis(3500));
    let moved = network.probe(probe);
    network.run(Duration::from_millis(500));
    assert!(!network.arrived(lost) && network.arrived(moved));
    let missing = network.unreachable();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_dead_gateway_is_found_no_later_than_before() {
    let mut network = connected(deployment::pair(), 6);
    network.crash(1);
    network.run(Duration::from_millis(2600));
    assert_eq!(verdict(&mut network, 0).0, PeerState::Unreachable);
}

#[test]
fn a_hint_shortens_the_wait_for_answers_inside_esp_too() {
    let mut network = connected(with_static_routes(), 7);
    let carrier = || Trouble::Device(UNDERLAY.to_owned());
    network.with_node(0, |node, now| node.tell_trouble(carrier(), now));
    network.run(Duration::from_secs(3));
    assert_eq!(verdict(&mut network, 0), (PeerState::Up, DataPath::Passes));
    network.cut(0, 1);
    network.with_node(0, |node, now| node.tell_trouble(carrier(), now));
    network.run(Duration::from_millis(700));
    assert_eq!(verdict(&mut network, 0), (PeerState::Unreachable, DataPath::NothingComes));
}
