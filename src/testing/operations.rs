//! What operators do, and what time does, while packets flow: rekeying, reloads, other ways to
//! learn routes.

use super::deployment::{self, Deployment, Region, Site};
use super::network::{Network, Probe};
use super::orders::{ask, reload};
use super::two_gateways::assert_sound;
use crate::control::{Code, PeerState, Reply, Request, SaKind, VirtualRouterState};
use crate::net::{PeerId, VpcId};
use std::time::Duration;

const PEER: PeerId = PeerId(0);

/// Sends a packet each way every 10 ms for `duration`; returns how many were lost.
fn lost_during(network: &mut Network, duration: Duration) -> usize {
    let mut sent = Vec::new();
    let end = network.now + duration;
    while network.now < end {
        for (from, to) in [(1, 2), (2, 1)] {
            sent.push(network.probe(Probe { vpc: VpcId(0), from, to, ipv4: true }));
        }
        network.run(Duration::from_millis(10));
    }
    network.run(Duration::from_secs(1));
    sent.into_iter().filter(|id| !network.arrived(*id)).count()
}

fn spis(network: &mut Network, node: usize) -> Vec<(u32, u32)> {
    network.node(node).gateway.child_spis(PEER)
}

fn with_defaults(line: &'static str) -> Deployment {
    deployment::edited_pair(|_, text| {
        text.replace("[defaults]\n", &format!("[defaults]\n{line}\n"))
    })
}

fn connected(deployment: Deployment, seed: u64) -> Network {
    let mut network = Network::start(deployment, seed);
    network.run(Duration::from_secs(5));
    assert_sound(&mut network, seed);
    network
}

#[test]
fn rekeying_of_child_sas_loses_no_packet() {
    for seed in 0..8 {
        let mut network = connected(with_defaults("child_lifetime = \"5s\""), seed);
        let before = spis(&mut network, 0);
        assert_eq!(lost_during(&mut network, Duration::from_secs(20)), 0, "seed {seed}");
        assert_ne!(spis(&mut network, 0), before, "seed {seed}");
        assert_sound(&mut network, seed);
    }
}

#[test]
fn rekeying_of_ike_sas_loses_no_packet() {
    for seed in 0..8 {
        let mut network = connected(with_defaults("ike_lifetime = \"5s\""), seed);
        assert_eq!(lost_during(&mut network, Duration::from_secs(20)), 0, "seed {seed}");
        assert_sound(&mut network, seed);
    }
}

#[test]
fn a_soft_limit_in_packets_begins_a_rekeying_and_loses_no_packet() {
    let mut network = connected(with_defaults("child_packets = 1024"), 1);
    let before = spis(&mut network, 0);
    assert_eq!(lost_during(&mut network, Duration::from_secs(30)), 0);
    assert_ne!(spis(&mut network, 0), before);
}

#[test]
fn both_sides_may_be_told_to_rekey_at_once() {
    for sa in [SaKind::Child, SaKind::Ike] {
        let mut network = connected(deployment::pair(), 3);
        let name = |network: &mut Network, node: usize| {
            network.node(node).config.peers[&PEER].name.clone()
        };
        for node in 0..2 {
            let peer = name(&mut network, node);
            let reply = ask(&mut network, node, &Request::Rekey { peer, sa });
            assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
        }
        assert_eq!(lost_during(&mut network, Duration::from_secs(5)), 0);
        assert_sound(&mut network, 3);
    }
}

#[test]
fn a_reload_leaves_unchanged_tunnels_alone() {
    let three: Vec<Region> = (1..=3).map(|number| Region { number, gateways: 1 }).collect();
    let deployment = deployment::regions(&three, 1);
    let sites = deployment.sites.clone();
    let mut network = connected(deployment, 5);
    let before = spis(&mut network, 0);
    let text = deployment::text(sites[0], &sites, &["red"]);
    let changed = text.replace("192.0.2.31", "192.0.2.77");
    reload(&mut network, 0, &changed);
    network.run(Duration::from_secs(3));
    assert_eq!(spis(&mut network, 0), before);
    assert_eq!(network.node(0).gateway.child_spis(PeerId(1)), []);
    reload(&mut network, 0, &text);
    network.run(Duration::from_secs(8));
    assert_eq!(spis(&mut network, 0), before);
    assert_sound(&mut network, 5);
}

#[test]
fn a_reload_changes_what_is_announced_and_accepted() {
    let mut network = connected(deployment::pair(), 6);
    let before = spis(&mut network, 0);
    let sites = [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }];
    let text = deployment::text(sites[0], &sites, &["red"]);
    reload(&mut network, 0, &text.replace("\"10.2.0.0/16\", ", ""));
    network.run(Duration::from_secs(3));
    let missing = network.unreachable();
    assert!(missing.iter().all(|probe| probe.ipv4), "{missing:?}");
    assert_eq!(missing.len(), 2, "{missing:?}");
    // A prefix that the file does not name any more is not this gateway's to guard.
    assert!(network.violations.iter().all(|text| text.starts_with("10.2.")));
    network.violations.clear();
    assert_eq!(spis(&mut network, 0), before);
    reload(&mut network, 0, &text);
    network.run(Duration::from_secs(8));
    assert_sound(&mut network, 6);
    assert_eq!(spis(&mut network, 0), before);
}

#[test]
fn a_virtual_router_with_another_priority_is_active_again_after_the_reload() {
    let mut network = connected(deployment::pair(), 11);
    let sites = [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }];
    let text = deployment::text(sites[0], &sites, &["red"]);
    reload(&mut network, 0, &text.replace("priority = 199", "priority = 150"));
    network.run(Duration::from_secs(5));
    let Reply::Vrrp(view) = ask(&mut network, 0, &Request::Vrrp) else { panic!("no view") };
    let states: Vec<_> =
        view.routers.iter().map(|router| (router.state, router.priority)).collect();
    assert_eq!(states, [(VirtualRouterState::Active, 150); 2]);
    assert_sound(&mut network, 11);
}

#[test]
fn an_interface_that_is_no_longer_configured_holds_no_announcement_back() {
    let mut network = connected(deployment::pair(), 12);
    network.with_node(0, |node, now| node.set_lan(false, now));
    network.run(Duration::from_secs(3));
    assert!(!network.unreachable().is_empty());
    let sites = [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }];
    let text = deployment::text(sites[0], &sites, &["red"]);
    let vrrp = text.find("[[vpc.vrrp]]").expect("a virtual router");
    let peers = text.find("[[peer]]").expect("a peer");
    let without = format!("{}{}", &text[..vrrp], &text[peers..]);
    reload(&mut network, 0, &without.replace("interface = \"lan0\"\n", ""));
    network.run(Duration::from_secs(3));
    // Hosts of region 1 have lost their virtual router; those of region 2 have a way to them again.
    assert!(network.unreachable().iter().all(|probe| probe.from == 1));
}

#[test]
fn static_routes_hold_while_the_tunnel_is_up() {
    let deployment = deployment::edited_pair(|site, text| {
        let other = 3 - site.region;
        let asn = text.lines().rfind(|line| line.starts_with("remote_asn")).map(str::to_owned);
        let routes = format!("static_routes = [\"10.{other}.0.0/16\", \"fd00:{other}::/48\"]");
        let accept = text.lines().rfind(|line| line.starts_with("accept")).map(str::to_owned);
        text.replace(&asn.expect("a BGP peer"), &routes).replace(&accept.expect("a list"), "")
    });
    let mut network = connected(deployment, 7);
    network.crash(1);
    network.run(Duration::from_secs(4));
    assert!(!network.unreachable().is_empty());
    assert!(network.violations.is_empty(), "{:?}", network.violations);
    network.heal();
    network.run(Duration::from_secs(40));
    assert_sound(&mut network, 7);
}

#[test]
fn peers_are_shown_as_packets_see_them() {
    let mut network = connected(deployment::pair(), 8);
    let state = |network: &mut Network| match ask(network, 0, &Request::Peers) {
        Reply::Peers(view) => view.peers[0].clone(),
        other => panic!("{other:?}"),
    };
    let up = state(&mut network);
    assert_eq!((up.state, up.prefixes_accepted, up.prefixes_active), (PeerState::Up, 2, 2));
    assert!(up.rtt_us.is_some_and(|rtt| rtt >= 20_000), "{up:?}");
    network.cut(0, 1);
    network.run(Duration::from_secs(3));
    let lost = state(&mut network);
    assert_eq!((lost.state, lost.prefixes_active), (PeerState::Unreachable, 0));
    network.run(Duration::from_secs(40));
    let down = state(&mut network);
    assert_eq!(down.state, PeerState::Connecting);
    assert!(down.last_failure.is_some());
    for request in [Request::Routes, Request::Sas, Request::Vrrp, Request::Stats, Request::Metrics]
    {
        assert!(!matches!(ask(&mut network, 0, &request), Reply::Failed(_)));
    }
}

#[test]
fn a_terminated_tunnel_stays_down_until_it_is_initiated() {
    let mut network = connected(deployment::pair(), 9);
    for node in [0, 1] {
        let peer = network.node(node).config.peers[&PEER].name.clone();
        ask(&mut network, node, &Request::Terminate { peer });
    }
    network.run(Duration::from_secs(5));
    assert_eq!(spis(&mut network, 0), []);
    let peer = network.node(0).config.peers[&PEER].name.clone();
    ask(&mut network, 0, &Request::Initiate { peer });
    network.run(Duration::from_secs(5));
    assert_sound(&mut network, 9);
}

#[test]
fn an_ike_sa_that_came_back_after_a_termination_can_be_rekeyed() {
    let mut network = connected(deployment::pair(), 10);
    let names = [0, 1].map(|node| network.node(node).config.peers[&PEER].name.clone());
    ask(&mut network, 0, &Request::Terminate { peer: names[0].clone() });
    network.run(Duration::from_secs(3));
    ask(&mut network, 0, &Request::Initiate { peer: names[0].clone() });
    network.run(Duration::from_secs(3));
    for node in [1, 0] {
        let before = ike_spi(&mut network, node, &names[node]);
        ask(&mut network, node, &Request::Rekey { peer: names[node].clone(), sa: SaKind::Ike });
        network.run(Duration::from_secs(1));
        assert_ne!(ike_spi(&mut network, node, &names[node]), before, "node {node}");
    }
    assert_sound(&mut network, 10);
}

fn ike_spi(network: &mut Network, node: usize, peer: &str) -> String {
    match ask(network, node, &Request::Peer(peer.to_owned())) {
        Reply::Peer(view) => view.ike_sa.expect("an IKE SA").initiator_spi,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_ends_tell_the_same_keys_and_that_they_were_told_is_an_event() {
    let mut network = connected(deployment::pair(), 1);
    let names = [0, 1].map(|node| {
        let Reply::Peers(view) = ask(&mut network, node, &Request::Peers) else { panic!("peers") };
        view.peers[0].name.clone()
    });
    let [one, other] = [0, 1].map(|node| {
        let request = Request::Keys { peer: names[node].clone() };
        let Reply::Keys(view) = ask(&mut network, node, &request) else { panic!("keys") };
        view
    });
    assert_eq!(one.ike, other.ike);
    assert!(!one.ike.is_empty() && one.esp.len() == 2, "{one:?}");
    for sa in &one.esp {
        assert!(other.esp.contains(sa), "{sa:?} is not among {other:?}");
        assert_eq!(sa.key.as_str().len(), 2 * (32 + 4), "AES-256-GCM with its salt");
    }
    assert_ne!(one.esp[0].key, one.esp[1].key);
    let Reply::Peer(view) = ask(&mut network, 0, &Request::Peer(names[0].clone())) else {
        panic!("a peer")
    };
    assert!(view.events.iter().any(|event| event.code == Code::KeysTold), "{:?}", view.events);
    let nobody = ask(&mut network, 0, &Request::Keys { peer: "nobody".to_owned() });
    assert!(matches!(nobody, Reply::Failed(_)));
}

#[test]
fn a_child_sa_shows_what_it_carries_now() {
    let mut network = connected(deployment::pair(), 1);
    let rates = |network: &mut Network| {
        let Reply::Sas(view) = ask(network, 0, &Request::Sas) else { panic!("SAs") };
        let child = &view.tunnels[0].child_sas[0];
        (child.received.bits_per_second, child.sent.bits_per_second)
    };
    assert_eq!(lost_during(&mut network, Duration::from_secs(5)), 0);
    let (received, sent) = rates(&mut network);
    assert!(received > 10_000 && sent > 10_000, "{received} {sent}");
    network.run(Duration::from_secs(5));
    let (received, sent) = rates(&mut network);
    assert!(received < 10_000 && sent < 10_000, "{received} {sent}");
}
