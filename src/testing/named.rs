//! Peers that are found by a host name: names that mean nothing, something else, or too much, and
//! peers that move.

use super::deployment::{self, Deployment};
use super::network::Network;
use super::orders::{ask, reload};
use super::two_gateways::assert_sound;
use crate::control::{Code, PeerState, PeerView, Reply, Request};
use std::net::IpAddr;
use std::time::Duration;

const NAME: &str = "north.example";
const OLD: &str = "192.0.2.11";
const NEW: &str = "192.0.2.77";

/// Two gateways: the first listens wherever it is, and waits; the second knows it by its name.
fn named() -> Deployment {
    deployment::edited_pair(|site, text| match site.region {
        1 => text
            .replace("listen = [\"192.0.2.11\"]\n", "")
            .replace("psk_file", "initiate = false\npsk_file"),
        _ => {
            text.replace("remote_address = \"192.0.2.11\"", &format!("remote_address = \"{NAME}\""))
        }
    })
}

/// The name means these addresses; the peer was looked for for some seconds.
fn started(addresses: &[&str], seed: u64) -> Network {
    let mut network = Network::without_gateways(named(), seed);
    network.dns.set(NAME, addresses);
    network.heal();
    network.run(Duration::from_secs(8));
    network
}

fn view(network: &mut Network) -> PeerView {
    let peer = network.node(1).config.peers.values().next().expect("a peer").name.clone();
    match ask(network, 1, &Request::Peer(peer)) {
        Reply::Peer(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn remote(network: &mut Network) -> Option<String> {
    view(network).ike_sa.map(|sa| sa.remote.ip().to_string())
}

fn codes(network: &mut Network) -> Vec<Code> {
    view(network).events.iter().map(|event| event.code).collect()
}

fn move_to(network: &mut Network, address: &str) {
    network.renumber(0, address.parse::<IpAddr>().expect("an address"));
}

#[test]
fn a_peer_is_found_by_its_name() {
    for seed in 0..6 {
        let mut network = started(&[OLD], seed);
        assert_sound(&mut network, seed);
        let name = view(&mut network).host_name.expect("a name");
        assert_eq!((name.name.as_str(), name.addresses.len()), (NAME, 1));
        assert_eq!((name.failure, name.complaints), (None, Vec::new()));
    }
}

#[test]
fn a_name_is_looked_up_when_its_ttl_has_run_out_and_not_before() {
    let mut network = started(&[OLD], 1);
    assert_eq!(network.dns.asked, 1);
    network.run(Duration::from_secs(50));
    assert_eq!(network.dns.asked, 1);
    network.run(Duration::from_secs(600));
    assert_eq!(network.dns.asked, 11);
}

#[test]
fn a_tunnel_that_works_stays_when_the_name_means_something_else() {
    let mut network = started(&[OLD], 2);
    let before = network.node(1).gateway.child_spis(crate::net::PeerId(0));
    network.dns.set(NAME, &[NEW]);
    network.run(Duration::from_secs(90));
    assert_eq!(network.node(1).gateway.child_spis(crate::net::PeerId(0)), before);
    assert_eq!(remote(&mut network).as_deref(), Some(OLD));
    assert!(codes(&mut network).contains(&Code::NameChanged));
    assert_sound(&mut network, 2);
}

#[test]
fn a_peer_that_has_moved_is_found_by_its_name_before_the_ttl_runs_out() {
    for seed in 0..6 {
        let mut network = started(&[OLD], seed);
        move_to(&mut network, NEW);
        network.dns.set(NAME, &[NEW]);
        network.run(Duration::from_secs(12));
        assert_eq!(remote(&mut network).as_deref(), Some(NEW), "seed {seed}");
        assert_sound(&mut network, seed);
    }
}

/// The peer is at its new place for a while before its name says so.
#[test]
fn a_peer_that_has_moved_is_found_soon_after_its_name_has() {
    let mut network = started(&[OLD], 3);
    move_to(&mut network, NEW);
    network.run(Duration::from_secs(120));
    assert_ne!(view(&mut network).summary.state, PeerState::Up);
    network.dns.set(NAME, &[NEW]);
    network.run(Duration::from_secs(15));
    assert_sound(&mut network, 3);
}

/// The name may be behind: who proves to be the peer is let in from wherever it comes.
#[test]
fn a_peer_that_comes_from_elsewhere_than_its_name_says_is_let_in() {
    let both_begin = deployment::edited_pair(|site, text| match site.region {
        1 => text.replace("listen = [\"192.0.2.11\"]\n", ""),
        _ => {
            text.replace("remote_address = \"192.0.2.11\"", &format!("remote_address = \"{NAME}\""))
        }
    });
    let mut network = Network::without_gateways(both_begin, 4);
    network.dns.set(NAME, &[OLD]);
    network.heal();
    network.run(Duration::from_secs(5));
    move_to(&mut network, NEW);
    network.run(Duration::from_secs(4));
    assert_eq!(remote(&mut network).as_deref(), Some(NEW));
    assert_sound(&mut network, 4);
}

#[test]
fn addresses_where_nobody_is_are_passed_over() {
    let mut network = started(&["192.0.2.5", "192.0.2.6", OLD], 5);
    assert_eq!(remote(&mut network).as_deref(), Some(OLD));
    assert_sound(&mut network, 5);
}

/// Region 1 has another secret than region 2 believes, and region 3 is somebody else.
#[test]
fn who_is_refused_at_every_address_asks_no_sooner_for_that() {
    let one = |number| deployment::Region { number, gateways: 1 };
    let refusing =
        deployment::edited(&[one(1), one(2), one(3)], 1, |site, text| match site.region {
            1 => text.replace("psk_file = \"psk\"", "initiate = false\npsk_file = \"other\""),
            2 => text.replace(
                "remote_address = \"192.0.2.11\"",
                &format!("remote_address = \"{NAME}\""),
            ),
            _ => text,
        });
    let mut network = Network::without_gateways(refusing, 11);
    network.dns.set(NAME, &[OLD, "192.0.2.31"]);
    network.heal();
    network.run(Duration::from_secs(120));
    let Reply::Metrics(metrics) = ask(&mut network, 1, &Request::Metrics) else {
        panic!("no metrics")
    };
    let failures: u64 = metrics
        .peers
        .iter()
        .filter(|peer| peer.summary.name == "r1z1")
        .flat_map(|peer| &peer.events)
        .filter(|(code, _)| code.as_str() != "name-changed" && code.as_str() != "name-suspect")
        .map(|(_, count)| count)
        .sum();
    assert!((4..30).contains(&failures), "{failures} failures in two minutes");
}

#[test]
fn what_a_name_means_holds_while_the_dns_is_silent() {
    let mut network = started(&[OLD], 6);
    network.dns.works = false;
    network.run(Duration::from_secs(300));
    assert!(codes(&mut network).contains(&Code::NameUnresolved));
    assert_eq!(view(&mut network).summary.last_failure, None);
    network.crash(0);
    network.run(Duration::from_secs(60));
    network.boot(0);
    network.run(Duration::from_secs(15));
    assert_eq!(remote(&mut network).as_deref(), Some(OLD));
    assert!(view(&mut network).host_name.expect("a name").failure.is_some());
}

#[test]
fn a_name_that_means_nothing_of_use_is_told_and_asked_for_again() {
    for addresses in [&[][..], &["127.0.0.1", "::1"], &["192.0.2.21"], &["10.1.7.7"], &["fe80::7"]]
    {
        let mut network = started(addresses, 7);
        let seen = view(&mut network);
        assert_eq!(seen.ike_sa, None, "{addresses:?}");
        let failure = seen.summary.last_failure.expect("a failure");
        assert_eq!(failure.code, Code::NameUnresolved, "{addresses:?}");
        for address in addresses {
            assert!(failure.reason.contains(address), "{}", failure.reason);
        }
        network.dns.set(NAME, &[OLD]);
        network.run(Duration::from_secs(20));
        assert_sound(&mut network, 7);
    }
}

#[test]
fn a_hundred_addresses_are_told_and_do_not_keep_the_peer_from_being_found() {
    let many: Vec<String> = (100..200).map(|last| format!("198.51.100.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).chain([OLD]).collect();
    let mut network = started(&many, 8);
    assert!(codes(&mut network).contains(&Code::NameSuspect));
    network.run(Duration::from_secs(40));
    assert_eq!(view(&mut network).host_name.expect("a name").addresses.len(), 8);
    assert_sound(&mut network, 8);
}

/// No peer may announce what a name means, whether it is in use or not: packets of the tunnels would go
/// into a tunnel.
#[test]
fn what_a_name_means_is_of_the_underlay() {
    let greedy = deployment::edited_pair(|site, text| match site.region {
        1 => text
            .replace("listen = [\"192.0.2.11\"]\n", "")
            .replace("psk_file", "initiate = false\npsk_file")
            .replace("prefixes = [", "prefixes = [\"198.51.100.0/24\", "),
        _ => text
            .replace("remote_address = \"192.0.2.11\"", &format!("remote_address = \"{NAME}\""))
            .replace("accept = [\"10.1.0.0/16\"", "accept = [\"0.0.0.0/0\""),
    });
    const BESIDE: &str = "198.51.100.9";
    for (place, meaning, later, rejected) in [
        (OLD, &[OLD][..], &[OLD][..], 0),
        (OLD, &[OLD, BESIDE], &[OLD, BESIDE], 1),
        (BESIDE, &[BESIDE], &[BESIDE], 1),
        (OLD, &[OLD], &[BESIDE], 1),
    ] {
        let mut network = Network::without_gateways(greedy.clone(), 9);
        network.dns.set(NAME, meaning);
        network.heal();
        move_to(&mut network, place);
        network.run(Duration::from_secs(10));
        network.dns.set(NAME, later);
        network.run(Duration::from_secs(90));
        assert_eq!(remote(&mut network).as_deref(), Some(place), "{meaning:?}, then {later:?}");
        let summary = view(&mut network).summary;
        assert_eq!(summary.prefixes_rejected, rejected, "{meaning:?}, then {later:?}");
        assert_eq!(summary.prefixes_accepted + rejected, 3, "{meaning:?}, then {later:?}");
    }
}

/// Where nobody knows what a name means, our own address is reserved as ever.
#[test]
fn a_name_that_means_nothing_lets_no_other_peer_announce_our_own_address() {
    let nameless = |text: String| {
        let peer = "[[peer]]\nname = \"south\"\nvpc = \"red\"\nremote_address = \"south.example\"\n\
                    psk_file = \"psk\"\nstatic_routes = [\"10.9.0.0/16\"]\n";
        format!("{text}{peer}")
    };
    for with_name in [false, true] {
        let greedy = deployment::edited_pair(|site, text| match site.region {
            1 => text.replace("prefixes = [", "prefixes = [\"192.0.2.21/32\", "),
            _ => {
                let text = text
                    .replace("listen = [\"192.0.2.21\"]\n", "")
                    .replace("accept = [\"10.1.0.0/16\"", "accept = [\"0.0.0.0/0\"");
                if with_name { nameless(text) } else { text }
            }
        });
        let mut network = Network::without_gateways(greedy, 12);
        network.heal();
        network.run(Duration::from_secs(10));
        let peer = Request::Peer("r1z1".to_owned());
        let Reply::Peer(view) = ask(&mut network, 1, &peer) else { panic!("a peer") };
        let counts = (view.summary.prefixes_accepted, view.summary.prefixes_rejected);
        assert_eq!(counts, (2, 1), "with a name: {with_name}");
    }
}

#[test]
fn a_reload_keeps_what_a_name_means_and_looks_it_up_again() {
    let mut network = started(&[OLD], 10);
    let before = network.node(1).gateway.child_spis(crate::net::PeerId(0));
    let sites = [1, 2].map(|region| deployment::Site { region, zone: 1 });
    let text = deployment::text(sites[1], &sites, &["red"]);
    let text =
        text.replace("remote_address = \"192.0.2.11\"", &format!("remote_address = \"{NAME}\""));
    reload(&mut network, 1, &text.replace("local_preference = 199", "local_preference = 150"));
    network.run(Duration::from_secs(2));
    assert_eq!(network.node(1).gateway.child_spis(crate::net::PeerId(0)), before);
    assert_eq!(network.dns.asked, 2);
    reload(&mut network, 1, &text.replace(NAME, "other.example"));
    network.dns.set("other.example", &[OLD]);
    network.run(Duration::from_secs(8));
    assert_eq!(view(&mut network).host_name.expect("a name").name, "other.example");
    assert_sound(&mut network, 10);
}
