//! Paths that carry nothing, in one direction or both, and how soon they are left (BFD at its
//! default of 50 ms by 3).

use super::deployment::{self, Deployment, NO_BFD, Region, Site};
use super::kernel::UNDERLAY;
use super::network::{Kind, Network, Probe};
use super::orders::ask;
use super::two_gateways::assert_sound;
use crate::control::{BfdView, DataPath, PathState, PeerView, Reply, Request};
use crate::gateway::world::Trouble;
use crate::gateway::{BfdOutput, Health, Output, TcpOutput, VrrpOutput};
use crate::net::{PeerId, VpcId};
use std::time::Duration;

const PEER: PeerId = PeerId(0);

fn fast(_: Site, text: String) -> String {
    text.replace(NO_BFD, "")
}

/// The regions 1 and 2, with two gateways each: the nodes 0 and 1, 2 and 3.
fn four() -> Deployment {
    let two = |number| Region { number, gateways: 2 };
    deployment::edited(&[two(1), two(2)], 1, fast)
}

fn connected(deployment: Deployment, seed: u64) -> Network {
    let mut network = Network::start(deployment, seed);
    network.run(Duration::from_secs(6));
    assert_sound(&mut network, seed);
    network
}

/// How many milliseconds long packets from one region to the other did not arrive, from now on.
pub(super) fn gap(network: &mut Network, from: u8, to: u8, time: Duration) -> usize {
    let mut sent = Vec::new();
    let end = network.now + time;
    while network.now < end {
        sent.push(network.probe(Probe { vpc: VpcId(0), from, to, ipv4: true }));
        network.run(Duration::from_millis(2));
    }
    network.run(Duration::from_secs(1));
    2 * sent.into_iter().filter(|id| !network.arrived(*id)).count()
}

fn view(network: &mut Network, node: usize, peer: PeerId) -> PeerView {
    let name = network.node(node).config.peers[&peer].name.clone();
    match ask(network, node, &Request::Peer(name)) {
        Reply::Peer(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn bfd(network: &mut Network, node: usize) -> BfdView {
    view(network, node, PEER).summary.bfd.expect("there is a session")
}

/// What the events of the path say that is lost.
fn losses_told(network: &mut Network, node: usize) -> Vec<String> {
    let events = view(network, node, PEER).events.into_iter().map(|event| event.what);
    events.filter(|what| what.contains("lost") || what.contains("does not answer")).collect()
}

fn health(network: &mut Network, node: usize) -> Health {
    network.node(node).gateway.health(PEER)
}

#[test]
fn a_path_that_carries_nothing_is_left_within_a_fifth_of_a_second() {
    for seed in 0..6 {
        let mut network = connected(four(), seed);
        network.cut(0, 2);
        let gap = gap(&mut network, 1, 2, Duration::from_secs(1));
        assert!((90..=180).contains(&gap), "seed {seed}: {gap} ms");
        assert_eq!(losses_told(&mut network, 0), ["the path is lost, nothing comes from the peer"]);
        assert_eq!(network.unreachable(), []);
    }
}

#[test]
fn what_waits_for_a_path_that_is_lost_is_dropped() {
    let slow = |site, text| {
        fast(site, text).replace("[[peer]]\n", "[[peer]]\nrate_limit = \"64 kbit/s\"\n")
    };
    let two = |number| Region { number, gateways: 1 };
    let mut network = connected(deployment::edited(&[two(1), two(2)], 1, slow), 21);
    for _ in 0..400 {
        network.probe(Probe { vpc: VpcId(0), from: 1, to: 2, ipv4: true });
    }
    network.cut(0, 1);
    network.run(Duration::from_secs(1));
    let discards = view(&mut network, 0, PEER).discards;
    assert!(discards.get("tunnel_down").is_some_and(|waited| *waited > 30), "{discards:?}");
}

#[test]
fn a_path_that_works_one_way_is_left_by_both_ends_and_each_says_which_way() {
    let mut network = connected(four(), 11);
    network.cut_one_way(0, 2);
    let forth = gap(&mut network, 1, 2, Duration::from_millis(500));
    assert!((90..=200).contains(&forth), "{forth} ms");
    let (near, far) = (bfd(&mut network, 0), bfd(&mut network, 2));
    assert_eq!((near.path, far.path), (PathState::Lost, PathState::Lost));
    assert_eq!(near.why.as_deref(), Some("one way only: they do not hear us"));
    assert_eq!(far.why.as_deref(), Some("nothing comes from the peer"));
    assert_eq!(network.unreachable(), []);
}

#[test]
fn a_path_that_is_back_is_used_again_after_a_while_and_nothing_is_lost() {
    let mut network = connected(four(), 12);
    network.cut(0, 2);
    network.run(Duration::from_secs(1));
    network.mend();
    assert_eq!(gap(&mut network, 1, 2, Duration::from_secs(4)), 0);
    let bfd = bfd(&mut network, 0);
    assert_eq!((bfd.path, bfd.losses), (PathState::Works, 1));
    assert_sound(&mut network, 12);
}

#[test]
fn a_path_that_comes_and_goes_is_not_followed_every_time() {
    let mut network = connected(four(), 13);
    for _ in 0..5 {
        network.cut(0, 2);
        network.run(Duration::from_millis(400));
        network.mend();
        network.run(Duration::from_millis(1200));
    }
    network.cut(0, 2);
    assert_eq!(gap(&mut network, 1, 2, Duration::from_secs(1)), 0, "it was not in use");
    assert_eq!(network.unreachable(), []);
}

#[test]
fn the_only_path_is_used_as_soon_as_it_is_back() {
    let mut network = connected(deployment::edited_pair(fast), 14);
    network.cut(0, 1);
    network.run(Duration::from_millis(700));
    assert_eq!(health(&mut network, 0), Health::Unreachable);
    network.mend();
    let gap = gap(&mut network, 1, 2, Duration::from_secs(4));
    assert!(gap <= 1100, "{gap} ms, as one packet a second asks whether it is back");
}

/// Most packets of the tunnel are BFD's own.
#[test]
fn a_fifth_of_all_datagrams_lost_is_no_lost_path() {
    let mut network = connected(deployment::edited_pair(fast), 21);
    network.weather.loss = 20;
    network.run(Duration::from_secs(120));
    for node in 0..2 {
        assert_eq!(bfd(&mut network, node).losses, 0, "node {node}");
    }
}

#[test]
fn a_gateway_that_goes_says_so_at_once() {
    let mut network = connected(four(), 31);
    network.with_node(2, |node, now| node.operate(now, |gateway, _| gateway.withdraw(now)));
    network.run(Duration::from_millis(15));
    let bfd = bfd(&mut network, 0);
    assert_eq!((bfd.path, bfd.why.as_deref()), (PathState::Lost, Some("the peer is about to go")));
    assert_eq!(bfd.remote_state.as_deref(), Some("AdminDown"));
}

#[test]
fn a_gateway_that_began_anew_is_used_as_soon_as_its_tunnel_is_up() {
    let mut network = connected(deployment::edited_pair(fast), 32);
    network.crash(1);
    network.run(Duration::from_secs(1));
    assert_eq!(health(&mut network, 0), Health::Unreachable);
    network.boot(1);
    network.run(Duration::from_secs(4));
    assert!(health(&mut network, 0).is_usable());
    assert_eq!(bfd(&mut network, 0).path, PathState::Works);
    assert_sound(&mut network, 32);
}

#[test]
fn a_peer_without_bfd_is_judged_as_before() {
    let off = |site: Site, text: String| match site.region {
        1 => fast(site, text),
        _ => text,
    };
    let mut network = connected(deployment::edited_pair(off), 33);
    assert_eq!(bfd(&mut network, 0).path, PathState::Unwatched);
    assert!(view(&mut network, 1, PEER).summary.bfd.is_none());
    network.cut(0, 1);
    network.run(Duration::from_secs(1));
    assert_eq!(health(&mut network, 0), Health::Usable);
    network.run(Duration::from_secs(2));
    assert_eq!(health(&mut network, 0), Health::Unreachable);
}

#[test]
fn bfd_comes_and_goes_by_reload_and_the_tunnel_does_not_notice() {
    let deployment = deployment::edited_pair(fast);
    let mut network = connected(deployment.clone(), 34);
    let text = deployment::text(deployment.sites[0], &deployment.sites, &["red"]);
    for (line, interval_us) in [
        ("bfd = false\n", None),
        ("bfd = { interval = \"300ms\" }\n", Some(300_000)),
        ("bfd = { interval = \"20ms\" }\n", Some(50_000)),
    ] {
        let config = deployment::parse(&text.replace(NO_BFD, line));
        network.with_node(0, |node, now| {
            node.operate(now, |gateway, at| {
                let config = config.numbered_like(gateway.config());
                gateway.reconfigure(config, at).expect("timers alone have changed");
            });
        });
        assert_eq!(gap(&mut network, 1, 2, Duration::from_secs(3)), 0, "{line}");
        let bfd = bfd(&mut network, 1);
        assert_eq!(bfd.losses, 0, "{line}");
        match interval_us {
            Some(interval) => assert_eq!(bfd.interval_us, interval, "the slower of both ends"),
            None => assert_eq!(bfd.path, PathState::Unwatched),
        }
    }
}

/// BFD, questions inside ESP and IKE's probes all notice.
#[test]
fn a_loss_is_one_event_and_so_is_its_end() {
    let mut network = connected(deployment::edited_pair(fast), 35);
    network.cut(0, 1);
    network.run(Duration::from_secs(8));
    for node in 0..2 {
        let told = losses_told(&mut network, node);
        assert_eq!(told, ["the path is lost, nothing comes from the peer"], "node {node}");
    }
    assert_eq!(view(&mut network, 0, PEER).data_path, DataPath::NothingComes);
    network.mend();
    network.run(Duration::from_secs(8));
    for node in 0..2 {
        let events = view(&mut network, node, PEER).events;
        let back = events.iter().filter(|event| event.what.contains("again after"));
        let back: Vec<&str> = back.map(|event| event.what.as_str()).collect();
        assert!(matches!(back[..], [one] if one.starts_with("the path works again")), "{back:?}");
    }
    assert_eq!(view(&mut network, 0, PEER).data_path, DataPath::Passes);
    assert_eq!(losses_told(&mut network, 0).len(), 1);
}

#[test]
fn what_bfd_says_counts_more_than_that_ike_is_not_answered() {
    let mut network = connected(deployment::edited_pair(fast), 36);
    for (from, to) in [(0, 1), (1, 0)] {
        network.filter(from, to, Kind::Ike);
    }
    // Longer than IKE would wait for a peer whose packets do not pass.
    network.run(Duration::from_secs(90));
    assert_eq!(health(&mut network, 0), Health::Usable);
    network.cut(0, 1);
    network.run(Duration::from_millis(300));
    assert_eq!(health(&mut network, 0), Health::Unreachable);
    network.mend();
    network.run(Duration::from_millis(1300));
    assert!(health(&mut network, 0).is_usable(), "held, and there is no other");
    network.run(Duration::from_secs(3));
    assert_eq!(health(&mut network, 0), Health::Usable);
}

#[test]
fn a_new_connection_is_held_as_long_as_the_path_before_it_was_lost_often() {
    let mut network = connected(deployment::edited_pair(fast), 37);
    for losses in 1..4 {
        network.crash(1);
        network.run(Duration::from_millis(600));
        assert_eq!(health(&mut network, 0), Health::Unreachable);
        network.boot(1);
        while !health(&mut network, 0).is_usable() {
            network.run(Duration::from_millis(10));
        }
        let mut held = 0;
        while health(&mut network, 0) == Health::Held {
            network.run(Duration::from_millis(10));
            held += 10;
        }
        let wanted = 1000 << (losses - 1);
        assert!((wanted..=wanted + 20).contains(&held), "{held} ms after {losses} losses");
        network.run(Duration::from_secs(1));
    }
}

/// What the kernel says at once is asked about at once.
#[test]
fn a_carrier_that_is_lost_shortens_the_wait_and_a_false_alarm_changes_nothing() {
    let mut network = connected(four(), 38);
    let carrier = || Trouble::Device(UNDERLAY.to_owned());
    network.with_node(0, |node, now| node.tell_trouble(carrier(), now));
    assert_eq!(gap(&mut network, 1, 2, Duration::from_secs(1)), 0);
    assert_eq!(bfd(&mut network, 0).losses, 0);
    network.cut(0, 2);
    network.with_node(0, |node, now| node.tell_trouble(carrier(), now));
    let gap = gap(&mut network, 1, 2, Duration::from_secs(1));
    assert!(gap <= 100, "{gap} ms");
}

#[test]
fn peers_and_then_hosts_are_told_of_a_farewell() {
    let mut network = connected(four(), 39);
    let order = network.with_node(0, |node, now| {
        node.gateway.withdraw(now);
        let mut order = Vec::new();
        while let Some(output) = node.gateway.poll_output() {
            order.push(match output {
                Output::Bfd(BfdOutput::HoldDown { path_ends: true, .. }) => "BFD",
                Output::Tcp(TcpOutput::Send { .. }) => "BGP",
                Output::Vrrp(VrrpOutput::Send { .. }) => "VRRP",
                _ => continue,
            });
        }
        order.dedup();
        order
    });
    assert_eq!(order, ["BFD", "BGP", "VRRP"]);
}

/// Static routes, and BFD between addresses inside the tunnel.
fn static_and_fast(site: Site, text: String) -> String {
    let (own, other) = (site.region, 3 - site.region);
    let text = super::verdict::static_routes(site, fast(site, text));
    let ends = format!("inside_local = \"fd77::{own}\"\ninside_remote = \"fd77::{other}\"\n");
    text.replacen("static_routes", &format!("{ends}static_routes"), 1)
}

#[test]
fn a_tunnel_with_static_routes_and_inside_addresses_has_bfd() {
    let mut network = connected(deployment::edited_pair(static_and_fast), 40);
    for node in 0..2 {
        assert_eq!(bfd(&mut network, node).path, PathState::Works, "node {node}");
    }
    network.cut_one_way(0, 1);
    network.run(Duration::from_millis(200));
    for (node, why) in
        [(0, "one way only: they do not hear us"), (1, "nothing comes from the peer")]
    {
        assert_eq!(health(&mut network, node), Health::Unreachable);
        assert_eq!(bfd(&mut network, node).why.as_deref(), Some(why), "node {node}");
    }
    network.mend();
    network.run(Duration::from_secs(3));
    assert_sound(&mut network, 40);
}

/// BGP would withdraw; BFD says it where routes are static (RFC 5880 §6.8.17).
#[test]
fn a_gateway_that_has_lost_its_hosts_says_so_at_once() {
    let mut network = connected(deployment::edited_pair(static_and_fast), 41);
    network.with_node(1, |node, now| node.set_lan(false, now));
    network.run(Duration::from_millis(20));
    let bfd = bfd(&mut network, 0);
    let why = Some("the peer reaches nothing behind it");
    assert_eq!((bfd.path, bfd.why.as_deref(), bfd.state.as_str()), (PathState::Lost, why, "Up"));
    assert_eq!(health(&mut network, 0), Health::Unreachable);
    assert!(health(&mut network, 1).is_usable(), "the path itself carries packets");
    network.with_node(1, |node, now| node.set_lan(true, now));
    network.run(Duration::from_secs(3));
    assert_eq!(health(&mut network, 0), Health::Usable);
    assert_sound(&mut network, 41);
}
