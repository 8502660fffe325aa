//! Gateways whose datagrams do not pass, and whose TCP connections do (RFC 9329).

use super::deployment::{self, Deployment, Site};
use super::network::Network;
use super::orders::ask;
use super::two_gateways::assert_sound;
use crate::control::{Code, PeerView, Reply, Request};
use crate::testing::weather::Weather;
use std::time::Duration;

fn pair(encapsulation: &str) -> Deployment {
    let line = format!("[[peer]]\nencapsulation = \"{encapsulation}\"");
    deployment::edited_pair(|_: Site, text| text.replace("[[peer]]", &line))
}

fn view(network: &mut Network, node: usize) -> PeerView {
    let peer = network.node(node).config.peers.values().next().expect("a peer").name.clone();
    match ask(network, node, &Request::Peer(peer)) {
        Reply::Peer(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn goes_in_tcp(network: &mut Network) -> bool {
    let both = [0, 1].map(|node| view(network, node).summary.in_tcp);
    assert_eq!(both[0], both[1], "both know in what the tunnel goes");
    both[0]
}

/// How often a gateway has told of something.
fn told(network: &mut Network, node: usize, code: Code) -> usize {
    view(network, node).events.iter().filter(|event| event.code == code).count()
}

#[test]
fn a_tunnel_comes_up_in_tcp_where_no_datagram_passes() {
    for (seed, mode) in (0..12).zip(["auto", "tcp"].into_iter().cycle()) {
        let mut network = Network::without_gateways(pair(mode), seed);
        network.drops_datagrams = true;
        (0..2).for_each(|node| network.boot(node));
        network.run(Duration::from_secs(15));
        assert!(goes_in_tcp(&mut network), "seed {seed}");
        assert_sound(&mut network, seed);
        let silent = view(&mut network, 0).udp_silent_for_ms.is_some()
            || view(&mut network, 1).udp_silent_for_ms.is_some();
        assert_eq!(silent, mode == "auto", "whether the view says why");
    }
}

#[test]
fn nothing_goes_in_tcp_where_the_operator_has_not_said_so() {
    let mut network = Network::without_gateways(pair("udp"), 1);
    network.drops_datagrams = true;
    (0..2).for_each(|node| network.boot(node));
    network.run(Duration::from_secs(60));
    assert!(!goes_in_tcp(&mut network));
    assert!(!network.unreachable().is_empty());
}

#[test]
fn a_peer_that_may_not_use_tcp_is_not_taken_in_it() {
    let deployment = deployment::edited_pair(|site: Site, text| match site.region {
        1 => text.replace("[[peer]]", "[[peer]]\nencapsulation = \"tcp\""),
        _ => text.replace("[[peer]]", "[[peer]]\ninitiate = false"),
    });
    let mut network = Network::start(deployment, 1);
    network.run(Duration::from_secs(30));
    assert!(!goes_in_tcp(&mut network));
    assert!(!network.unreachable().is_empty());
}

#[test]
fn udp_is_used_where_it_passes_however_bad_the_weather_is() {
    for seed in 0..6 {
        let mut network = Network::start(pair("auto"), seed);
        network.run(Duration::from_secs(5));
        assert!(!goes_in_tcp(&mut network), "seed {seed}");
        network.weather = Weather::foul(network.random());
        network.run(Duration::from_secs(60));
        network.heal();
        network.run(Duration::from_secs(45));
        assert!(!goes_in_tcp(&mut network), "seed {seed}");
        assert_sound(&mut network, seed);
    }
}

/// From UDP to TCP when datagrams are dropped, and back without a packet lost when they pass again.
#[test]
fn a_tunnel_goes_over_to_tcp_and_back_by_itself() {
    for seed in 0..8 {
        let mut network = Network::start(pair("auto"), seed);
        network.run(Duration::from_secs(5));
        for round in 1..=2 {
            network.drops_datagrams = true;
            network.run(Duration::from_secs(20));
            assert!(goes_in_tcp(&mut network), "seed {seed}");
            assert_sound(&mut network, seed);
            network.drops_datagrams = false;
            for _ in 0..35 {
                let missing = network.unreachable();
                assert!(missing.is_empty(), "seed {seed}: {missing:?}");
            }
            assert!(!goes_in_tcp(&mut network), "seed {seed}");
            assert_sound(&mut network, seed);
            for node in [0, 1] {
                assert_eq!(told(&mut network, node, Code::InTcp), round);
                assert_eq!(told(&mut network, node, Code::InUdpAgain), round);
                assert_eq!(view(&mut network, node).udp_silent_for_ms, None);
            }
        }
    }
}

/// UDP is tried all the time, and nobody is told again and again that it is of no use.
#[test]
fn a_tunnel_that_stays_in_tcp_makes_no_noise() {
    let mut network = Network::without_gateways(pair("auto"), 3);
    network.drops_datagrams = true;
    (0..2).for_each(|node| network.boot(node));
    network.run(Duration::from_secs(30));
    let before = [0, 1].map(|node| view(&mut network, node).events.len());
    network.run(Duration::from_secs(600));
    assert_eq!([0, 1].map(|node| view(&mut network, node).events.len()), before);
    assert_sound(&mut network, 3);
}

/// Connections break, and the IKE SA goes on in others.
#[test]
fn a_connection_that_breaks_is_made_anew_by_who_made_it() {
    for seed in 0..8 {
        let mut network = Network::without_gateways(pair("tcp"), seed);
        network.drops_datagrams = true;
        (0..2).for_each(|node| network.boot(node));
        network.run(Duration::from_secs(5));
        let spi = |network: &mut Network| view(network, 0).ike_sa.expect("it").initiator_spi;
        let before = spi(&mut network);
        for _ in 0..5 {
            network.break_connections();
            network.run(Duration::from_secs(3));
            assert_sound(&mut network, seed);
        }
        assert_eq!(spi(&mut network), before, "seed {seed}: the same IKE SA");
    }
}

/// What no tunnel goes in any more is given up, and what one goes in is one connection for both.
#[test]
fn no_connection_is_kept_that_no_tunnel_goes_in() {
    for seed in 0..4 {
        let mut network = Network::without_gateways(pair("auto"), seed);
        network.drops_datagrams = true;
        (0..2).for_each(|node| network.boot(node));
        network.run(Duration::from_secs(15));
        for _ in 0..4 {
            network.break_connections();
            network.run(Duration::from_secs(5));
            let used = [0, 1].map(|node| network.node(node).used_streams.len());
            assert_eq!(used, [1, 1], "seed {seed}");
        }
        network.drops_datagrams = false;
        network.run(Duration::from_secs(45));
        let used = [0, 1].map(|node| network.node(node).used_streams.len());
        assert_eq!(used, [0, 0], "seed {seed}");
    }
}

#[test]
fn either_end_may_lose_all_it_knows() {
    for seed in 0..8 {
        let mut network = Network::without_gateways(pair("auto"), seed);
        network.drops_datagrams = true;
        (0..2).for_each(|node| network.boot(node));
        network.run(Duration::from_secs(15));
        for node in [0, 1, 0, 1] {
            network.crash(node);
            network.run(Duration::from_millis(700));
            network.boot(node);
            network.run(Duration::from_secs(20));
            assert!(goes_in_tcp(&mut network), "seed {seed}");
            assert_sound(&mut network, seed);
        }
    }
}
