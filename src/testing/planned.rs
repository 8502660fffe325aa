//! Planned work: a gateway is drained, restarted and used again, and a peer is disabled, while packets
//! flow. Nothing of it may cost a packet as long as there is another way.

use super::deployment::{self, Deployment, NO_BFD, Region, Site};
use super::network::{Network, Probe};
use super::orders::{ask, reload};
use super::two_gateways::assert_sound;
use crate::control::{
    Code, DrainView, FailureKind, PeerSummary, PeersView, Planned, Reply, Request, Standing,
    Verdict,
};
use crate::net::VpcId;
use std::time::Duration;

/// Two regions with two gateways each: the nodes 0 and 1, 2 and 3. The first of each is preferred.
fn four(edit: impl Fn(Site, String) -> String) -> Deployment {
    let two = |number| Region { number, gateways: 2 };
    deployment::edited(&[two(1), two(2)], 1, edit)
}

fn with_bfd(_: Site, text: String) -> String {
    text.replace(NO_BFD, "")
}

fn without_bfd(_: Site, text: String) -> String {
    text
}

/// No BGP: the inside addresses are written, and BFD runs between them.
fn with_static_routes(site: Site, text: String) -> String {
    let mut lines = Vec::new();
    let mut zone = 0;
    for line in with_bfd(site, text).lines() {
        if line.starts_with("remote_asn") {
            zone += 1;
            let other = 3 - site.region;
            lines.push(format!("static_routes = [\"10.{other}.0.0/16\", \"fd00:{other}::/48\"]"));
            let inside =
                |region: u8, zone: u8, to: u8| format!("169.254.{region}.{}", 16 * zone + to);
            lines.push(format!("inside_local = \"{}\"", inside(site.region, site.zone, zone)));
            lines.push(format!("inside_remote = \"{}\"", inside(other, zone, site.zone)));
        } else if !line.starts_with("accept") {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n")
}

fn connected(deployment: Deployment, seed: u64) -> Network {
    let mut network = Network::start(deployment, seed);
    network.run(Duration::from_secs(6));
    assert_sound(&mut network, seed);
    network
}

/// Packets that are on their way all the time, both ways in both families.
#[derive(Default)]
struct Flow {
    sent: Vec<u64>,
}

impl Flow {
    fn go_on(&mut self, network: &mut Network, time: Duration) {
        let end = network.now + time;
        while network.now < end {
            for (from, to, ipv4) in [(1, 2, true), (2, 1, true), (1, 2, false), (2, 1, false)] {
                self.sent.push(network.probe(Probe { vpc: VpcId(0), from, to, ipv4 }));
            }
            network.run(Duration::from_millis(5));
        }
    }

    fn lost(self, network: &mut Network) -> usize {
        network.run(Duration::from_secs(1));
        self.sent.iter().filter(|id| !network.arrived(**id)).count()
    }
}

fn done(network: &mut Network, node: usize, request: &Request) -> String {
    match ask(network, node, request) {
        Reply::Done(done) => done.message,
        other => panic!("{other:?}"),
    }
}

fn drained(network: &mut Network, node: usize) -> DrainView {
    match ask(network, node, &Request::DrainState) {
        Reply::Drain(view) => view,
        other => panic!("{other:?}"),
    }
}

fn peers(network: &mut Network, node: usize) -> PeersView {
    match ask(network, node, &Request::Peers) {
        Reply::Peers(view) => view,
        other => panic!("{other:?}"),
    }
}

fn peer(network: &mut Network, node: usize, name: &str) -> PeerSummary {
    let view = peers(network, node);
    view.peers.into_iter().find(|peer| peer.name == name).expect("the peer is there")
}

/// What a gateway has told, by its codes.
fn told(network: &mut Network, node: usize) -> Vec<Code> {
    match ask(network, node, &Request::Events { after: 0 }) {
        Reply::Events(view) => view.events.into_iter().map(|event| event.code).collect(),
        other => panic!("{other:?}"),
    }
}

/// What the daemon does when it ends in order.
fn end(network: &mut Network, node: usize, flow: &mut Flow) -> Standing {
    network.with_node(node, |node, now| node.operate(now, |gateway, _| gateway.lead_away(now)));
    flow.go_on(network, Duration::from_secs(2));
    network.with_node(node, |node, now| node.operate(now, |gateway, _| gateway.withdraw(now)));
    flow.go_on(network, Duration::from_millis(300));
    network.with_node(node, |node, now| node.operate(now, |gateway, at| gateway.shutdown(at)));
    flow.go_on(network, Duration::from_millis(100));
    let standing = network.node(node).gateway.standing();
    network.crash(node);
    standing
}

#[test]
fn a_drained_gateway_restarts_and_comes_back_without_a_lost_packet() {
    for (edit, seed) in
        [(with_bfd as fn(Site, String) -> String, 1), (without_bfd, 2), (with_static_routes, 3)]
    {
        for node in [0, 2] {
            let mut network = connected(four(edit), seed);
            let mut flow = Flow::default();
            flow.go_on(&mut network, Duration::from_secs(2));
            done(&mut network, node, &Request::Drain);
            assert!(!drained(&mut network, node).quiet);
            flow.go_on(&mut network, Duration::from_secs(5));
            let view = drained(&mut network, node);
            assert!(view.quiet, "seed {seed}, node {node}: {view:?}");

            let standing = end(&mut network, node, &mut flow);
            assert_eq!(standing, Standing { drained: true, ..Standing::default() });
            flow.go_on(&mut network, Duration::from_secs(3));
            network.boot_as(node, &standing);
            flow.go_on(&mut network, Duration::from_secs(8));
            let view = drained(&mut network, node);
            assert!(view.quiet, "a gateway that begins drained draws nothing: {view:?}");

            done(&mut network, node, &Request::Undrain);
            flow.go_on(&mut network, Duration::from_secs(5));
            assert!(network.node(node).is_active_router(VpcId(0), true));
            assert_eq!(flow.lost(&mut network), 0, "seed {seed}, node {node}");
            assert_sound(&mut network, seed);
        }
    }
}

#[test]
fn an_orderly_end_and_a_start_lose_no_packet_while_there_is_another_way() {
    for edit in [with_bfd as fn(Site, String) -> String, without_bfd] {
        for (node, seed) in [(0, 4), (2, 5)] {
            let mut network = connected(four(edit), seed);
            let mut flow = Flow::default();
            flow.go_on(&mut network, Duration::from_secs(1));
            let standing = end(&mut network, node, &mut flow);
            assert_eq!(standing, Standing::default());
            flow.go_on(&mut network, Duration::from_secs(2));
            network.boot_as(node, &standing);
            flow.go_on(&mut network, Duration::from_secs(8));
            assert_eq!(flow.lost(&mut network), 0, "node {node}");
        }
    }
}

#[test]
fn both_ends_show_and_tell_that_a_gateway_is_drained() {
    let mut network = connected(four(with_bfd), 6);
    done(&mut network, 0, &Request::Drain);
    network.run(Duration::from_secs(5));
    let here = peers(&mut network, 0);
    assert!(here.gateway.drain.is_some_and(|drain| drain.quiet));
    for peer in here.peers {
        assert_eq!((peer.verdict, peer.planned), (Verdict::Drained, Some(Planned::DrainedHere)));
    }
    let there = peer(&mut network, 2, "r1z1");
    assert_eq!((there.verdict, there.planned), (Verdict::Drained, Some(Planned::DrainedThere)));
    assert_eq!(there.prefixes_active, 0);
    assert_eq!(peer(&mut network, 2, "r1z2").verdict, Verdict::Up);
    assert!(told(&mut network, 2).contains(&Code::PeerDrains));

    done(&mut network, 0, &Request::Undrain);
    network.run(Duration::from_secs(5));
    assert_eq!(peer(&mut network, 2, "r1z1").verdict, Verdict::Up);
    assert_eq!(peer(&mut network, 2, "r1z1").prefixes_active, 2);
    assert!(told(&mut network, 2).contains(&Code::PeerUndrained));
    let codes = told(&mut network, 0);
    let planned =
        codes.iter().filter(|code| matches!(code, Code::Drained | Code::Quiet | Code::Undrained));
    assert!(planned.eq(&[Code::Drained, Code::Quiet, Code::Undrained]), "{codes:?}");
}

#[test]
fn a_gateway_that_is_drained_and_has_no_neighbour_carries_on_and_says_for_whom() {
    let mut network = connected(deployment::edited_pair(with_bfd), 7);
    let mut flow = Flow::default();
    done(&mut network, 0, &Request::Drain);
    flow.go_on(&mut network, Duration::from_secs(8));
    let view = drained(&mut network, 0);
    assert_eq!((view.quiet, view.carries_for), (false, vec!["r2z1".to_owned()]));
    assert_eq!(flow.lost(&mut network), 0);
    assert!(!told(&mut network, 0).contains(&Code::Quiet));
}

#[test]
fn a_disabled_peer_cannot_come_back_by_itself_and_both_ends_are_told() {
    let mut network = connected(four(with_bfd), 8);
    let mut flow = Flow::default();
    flow.go_on(&mut network, Duration::from_secs(1));
    let disable = Request::Disable { peer: "r2z1".to_owned() };
    done(&mut network, 0, &disable);
    flow.go_on(&mut network, Duration::from_secs(20));
    let here = peer(&mut network, 0, "r2z1");
    assert_eq!((here.verdict, here.planned), (Verdict::Disabled, Some(Planned::Disabled)));
    assert_eq!(here.last_failure.expect("a reason").code, Code::Disabled);
    let there = peer(&mut network, 2, "r1z1");
    assert!(!there.verdict.is_well(), "{there:?}");
    assert_eq!(there.last_failure.expect("a reason").code, Code::DisabledByPeer);
    assert!(told(&mut network, 2).contains(&Code::DisabledByPeer));
    assert!(told(&mut network, 0).contains(&Code::Disabled));
    let Reply::Events(events) = ask(&mut network, 0, &Request::Events { after: 0 }) else {
        panic!("events")
    };
    let remedies = events.events.iter().filter_map(|event| event.remedy.as_deref());
    let wrong: Vec<&str> = remedies.filter(|remedy| remedy.contains("initiate")).collect();
    assert!(wrong.is_empty(), "it is refused: {wrong:?}");
    let refusal = ask(&mut network, 0, &Request::Initiate { peer: "r2z1".to_owned() });
    assert!(matches!(refusal, Reply::Failed(failure) if failure.kind == FailureKind::NotNow));
    ask(&mut network, 2, &Request::Initiate { peer: "r1z1".to_owned() });
    flow.go_on(&mut network, Duration::from_secs(3));
    assert_eq!(peer(&mut network, 0, "r2z1").verdict, Verdict::Disabled);

    let standing = end(&mut network, 0, &mut flow);
    assert_eq!(standing.disabled, ["r2z1".to_owned()].into());
    network.boot_as(0, &standing);
    flow.go_on(&mut network, Duration::from_secs(10));
    assert_eq!(peer(&mut network, 0, "r2z1").verdict, Verdict::Disabled);
    assert_eq!(peer(&mut network, 0, "r2z2").verdict, Verdict::Up);

    done(&mut network, 0, &Request::Enable { peer: "r2z1".to_owned() });
    flow.go_on(&mut network, Duration::from_secs(10));
    assert_eq!(peer(&mut network, 0, "r2z1").verdict, Verdict::Up);
    assert_eq!(flow.lost(&mut network), 0);
    assert_sound(&mut network, 8);
}

/// The file does not have the peer for a while: that is no pardon.
#[test]
fn a_disabled_peer_that_leaves_the_file_and_comes_back_is_still_disabled() {
    let mut network = connected(four(with_bfd), 10);
    done(&mut network, 0, &Request::Disable { peer: "r2z1".to_owned() });
    network.run(Duration::from_secs(5));
    let sites: Vec<Site> =
        [(1, 1), (1, 2), (2, 1), (2, 2)].map(|(region, zone)| Site { region, zone }).into();
    let text = with_bfd(sites[0], deployment::text(sites[0], &sites, &["red"]));
    let without: Vec<Site> = sites.iter().copied().filter(|site| *site != sites[2]).collect();
    let shorter = with_bfd(sites[0], deployment::text(sites[0], &without, &["red"]));
    reload(&mut network, 0, &shorter);
    network.run(Duration::from_secs(1));
    let standing = network.node(0).gateway.standing();
    assert_eq!(standing.disabled, ["r2z1".to_owned()].into());
    reload(&mut network, 0, &text);
    network.run(Duration::from_secs(10));
    assert_eq!(peer(&mut network, 0, "r2z1").verdict, Verdict::Disabled);
    assert_eq!(peer(&mut network, 0, "r2z2").verdict, Verdict::Up);
    done(&mut network, 0, &Request::Enable { peer: "r2z1".to_owned() });
    network.run(Duration::from_secs(10));
    assert_eq!(peer(&mut network, 0, "r2z1").verdict, Verdict::Up);
    assert_eq!(network.node(0).gateway.standing(), Standing::default());
}

/// Two VPCs share one IKE SA: the other goes on, and the peer is told which one is meant.
#[test]
fn one_vpc_of_a_peer_is_disabled_and_the_other_goes_on() {
    let one = |number| Region { number, gateways: 1 };
    let mut network = Network::start(deployment::regions(&[one(1), one(2)], 2), 9);
    network.run(Duration::from_secs(6));
    assert_sound(&mut network, 9);
    done(&mut network, 0, &Request::Disable { peer: "r2z1/red".to_owned() });
    network.run(Duration::from_secs(10));
    assert_eq!(peer(&mut network, 0, "r2z1/red").verdict, Verdict::Disabled);
    assert_eq!(peer(&mut network, 0, "r2z1/blue").verdict, Verdict::Up);
    let there = peer(&mut network, 1, "r1z1/red");
    assert_eq!(there.last_failure.expect("a reason").code, Code::DisabledByPeer);
    assert_eq!(peer(&mut network, 1, "r1z1/blue").verdict, Verdict::Up);
    done(&mut network, 0, &Request::Disable { peer: "r2z1/blue".to_owned() });
    network.run(Duration::from_secs(10));
    assert_eq!(network.node(1).gateway.child_spis(crate::net::PeerId(0)), []);
    for peer in ["r2z1/red", "r2z1/blue"] {
        done(&mut network, 0, &Request::Enable { peer: peer.to_owned() });
    }
    network.run(Duration::from_secs(45));
    assert_sound(&mut network, 9);
}
