//! A peer with two uplinks, which has an address at each: where it is found, and where its tunnel goes
//! when one of them gets bad.

use super::deployment::{self, Deployment, NO_BFD};
use super::network::Network;
use super::orders::{ask, reload};
use super::paths::gap;
use super::two_gateways::assert_sound;
use super::weather::Weather;
use crate::control::{Code, PeerView, Reply, Request};
use crate::gateway::world::Answer;
use crate::net::PeerId;
use std::net::IpAddr;
use std::time::Duration;

const FIRST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 11));
const SECOND: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 111));
/// The gateway with two uplinks, and the one that knows both its addresses.
const HOME: usize = 0;
const BRANCH: usize = 1;

/// Who begins the IKE SA.
#[derive(Clone, Copy, PartialEq)]
enum Begins {
    Branch,
    Both,
}

fn two_uplinks(mobike: bool, begins: Begins) -> Deployment {
    let mobike = format!("mobike = {mobike}\n");
    deployment::edited_pair(|site, text| {
        let text = text.replace("psk_file", &format!("{mobike}psk_file"));
        match site.region {
            1 => home(&text, begins),
            _ => text.replace("\"192.0.2.11\"", "[\"192.0.2.11\", \"192.0.2.111\"]"),
        }
    })
}

fn home(text: &str, begins: Begins) -> String {
    let listens = text.replace("[\"192.0.2.11\"]", "[\"192.0.2.11\", \"192.0.2.111\"]");
    match begins {
        Begins::Branch => listens.replace("psk_file", "initiate = false\npsk_file"),
        Begins::Both => listens,
    }
}

/// The gateways have had some seconds, with these addresses of the first cut off.
fn started(deployment: Deployment, seed: u64, cut: &[IpAddr]) -> Network {
    let mut network = Network::without_gateways(deployment, seed);
    network.add_address(HOME, SECOND);
    cut.iter().for_each(|address| network.cut_address(*address, true));
    network.heal();
    network.run(Duration::from_secs(5));
    network
}

fn view(network: &mut Network) -> PeerView {
    let peer = network.node(BRANCH).config.peers.values().next().expect("a peer").name.clone();
    match ask(network, BRANCH, &Request::Peer(peer)) {
        Reply::Peer(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn is_at(network: &mut Network, address: IpAddr) -> bool {
    view(network).ike_sa.is_some_and(|sa| sa.remote.ip() == address)
}

fn spis(network: &mut Network) -> Vec<(u32, u32)> {
    network.node(BRANCH).gateway.child_spis(PeerId(0))
}

#[test]
fn the_tunnel_comes_up_at_the_first_address_or_where_the_peer_answers() {
    for seed in 0..4 {
        for (cut, found) in [(&[][..], FIRST), (&[FIRST], SECOND), (&[SECOND], FIRST)] {
            let mut network = started(two_uplinks(false, Begins::Branch), seed, cut);
            assert!(is_at(&mut network, found), "seed {seed}, {cut:?}");
            assert_sound(&mut network, seed);
        }
    }
}

#[test]
fn the_tunnel_moves_without_a_handshake_when_the_address_in_use_dies() {
    for seed in 0..4 {
        let mut network = started(two_uplinks(true, Begins::Branch), seed, &[]);
        let before = spis(&mut network);
        for (dead, other) in [(FIRST, SECOND), (SECOND, FIRST)] {
            network.cut_address(dead, true);
            network.run(Duration::from_secs(4));
            assert!(is_at(&mut network, other), "seed {seed}");
            network.cut_address(dead, false);
            assert_sound(&mut network, seed);
        }
        assert_eq!(spis(&mut network), before, "seed {seed}");
    }
}

#[test]
fn without_mobike_a_new_ike_sa_is_made_at_the_other_address() {
    for seed in 0..4 {
        for begins in [Begins::Branch, Begins::Both] {
            let mut network = started(two_uplinks(false, begins), seed, &[]);
            network.cut_address(FIRST, true);
            network.run(Duration::from_secs(8));
            assert!(is_at(&mut network, SECOND), "seed {seed}");
            assert_sound(&mut network, seed);
        }
    }
}

#[test]
fn a_peer_of_which_all_addresses_are_dead_is_found_at_the_first_that_comes_back() {
    for seed in 0..4 {
        let mut network = started(two_uplinks(true, Begins::Branch), seed, &[]);
        [FIRST, SECOND].into_iter().for_each(|address| network.cut_address(address, true));
        network.run(Duration::from_secs(60));
        network.cut_address(SECOND, false);
        network.run(Duration::from_secs(10));
        assert!(is_at(&mut network, SECOND), "seed {seed}");
        assert_sound(&mut network, seed);
    }
}

#[test]
fn a_reload_that_changes_the_other_addresses_leaves_the_tunnel_alone() {
    let mut network = started(two_uplinks(true, Begins::Branch), 5, &[]);
    let before = spis(&mut network);
    let sites = [1, 2].map(|region| deployment::Site { region, zone: 1 });
    let text =
        deployment::text(sites[1], &sites, &["red"]).replace("psk_file", "mobike = true\npsk_file");
    for addresses in
        ["[\"192.0.2.77\", \"192.0.2.11\"]", "\"192.0.2.11\"", "[\"192.0.2.11\", \"192.0.2.111\"]"]
    {
        reload(&mut network, BRANCH, &text.replace("\"192.0.2.11\"", addresses));
        network.run(Duration::from_secs(3));
        assert_eq!(spis(&mut network), before, "{addresses}");
    }
    network.run(Duration::from_secs(15));
    let places = view(&mut network).places;
    let [first, second] = &places[..] else { panic!("{places:?}") };
    assert_eq!((first.mean_rtt_us, second.mean_rtt_us), (Some(20_000), Some(20_000)));
    network.cut_address(FIRST, true);
    network.run(Duration::from_secs(4));
    assert!(is_at(&mut network, SECOND));
    // The address in use is none of the peer's any more.
    reload(
        &mut network,
        BRANCH,
        &text.replace("\"192.0.2.11\"", "[\"192.0.2.11\", \"192.0.2.77\"]"),
    );
    network.cut_address(FIRST, false);
    network.run(Duration::from_secs(5));
    assert!(is_at(&mut network, FIRST));
    assert_sound(&mut network, 5);
}

fn slow(millis: u64) -> Weather {
    Weather { delay: Duration::from_millis(millis), ..Weather::FAIR }
}

/// How often another address was taken for a reason, and the reasons.
fn moves(network: &mut Network) -> Vec<String> {
    let events = view(network).events;
    let left = events.iter().filter(|event| event.code == Code::PlaceLeft);
    left.map(|event| event.what.clone()).collect()
}

#[test]
fn the_tunnel_goes_to_the_address_that_measures_better_and_stays_there() {
    let lossy = Weather { loss: 20, ..Weather::FAIR };
    let unsteady = Weather { jitter: Duration::from_millis(60), ..Weather::FAIR };
    for (seed, weather, why) in [
        (0, slow(40), "round trips with twice their jitter"),
        (1, lossy, "% of questions are lost there"),
        (2, unsteady, "round trips with twice their jitter"),
    ] {
        let mut network = started(two_uplinks(true, Begins::Branch), seed, &[]);
        let before = spis(&mut network);
        network.set_weather_at(FIRST, weather);
        network.run(Duration::from_secs(100));
        assert!(is_at(&mut network, SECOND), "{why}");
        network.run(Duration::from_secs(600));
        let moves = moves(&mut network);
        assert!(matches!(&moves[..], [one] if one.contains(why)), "{moves:?}");
        assert!(is_at(&mut network, SECOND), "{why}");
        assert_eq!(spis(&mut network), before, "{why}");
        network.set_weather_at(FIRST, Weather::FAIR);
        assert_sound(&mut network, seed);
    }
}

#[test]
fn addresses_that_are_alike_are_left_alone() {
    for seed in 0..6 {
        let mut network = started(two_uplinks(true, Begins::Branch), seed, &[]);
        let weather = Weather { loss: 1, jitter: Duration::from_millis(3), ..slow(30) };
        [FIRST, SECOND].into_iter().for_each(|address| network.set_weather_at(address, weather));
        network.run(Duration::from_secs(900));
        assert_eq!(moves(&mut network), Vec::<String>::new(), "seed {seed}");
        assert!(is_at(&mut network, FIRST), "seed {seed}");
    }
}

#[test]
fn what_was_left_for_its_faults_is_taken_again_when_it_has_none() {
    let mut network = started(two_uplinks(true, Begins::Branch), 6, &[]);
    network.set_weather_at(FIRST, slow(60));
    network.run(Duration::from_secs(60));
    assert!(is_at(&mut network, SECOND));
    network.set_weather_at(FIRST, Weather::FAIR);
    network.run(Duration::from_secs(120));
    assert!(is_at(&mut network, FIRST), "it is written first, and no worse");
    assert_sound(&mut network, 6);
}

#[test]
fn a_move_by_measurement_loses_nothing_with_mobike_or_without() {
    for mobike in [true, false] {
        let mut network = started(two_uplinks(mobike, Begins::Branch), 7, &[]);
        network.set_weather_at(FIRST, slow(50));
        assert_eq!(gap(&mut network, 2, 1, Duration::from_secs(40)), 0, "MOBIKE: {mobike}");
        assert!(is_at(&mut network, SECOND), "MOBIKE: {mobike}");
        network.run(Duration::from_secs(5));
        assert_sound(&mut network, 7);
    }
}

/// BFD takes 0.15 s to notice.
#[test]
fn a_dead_address_is_left_as_soon_as_bfd_says_so() {
    for seed in 0..4 {
        let mut deployment = two_uplinks(true, Begins::Branch);
        let sites = deployment.sites.clone();
        deployment.configs = sites
            .iter()
            .map(|site| {
                let text = deployment::text(*site, &sites, &["red"]).replace(NO_BFD, "");
                let text = text.replace("psk_file", "mobike = true\npsk_file");
                deployment::parse(&match site.region {
                    1 => home(&text, Begins::Branch),
                    _ => text.replace("\"192.0.2.11\"", "[\"192.0.2.11\", \"192.0.2.111\"]"),
                })
            })
            .collect();
        let mut network = started(deployment, seed, &[]);
        network.run(Duration::from_secs(5));
        let before = spis(&mut network);
        network.cut_address(FIRST, true);
        let gap = gap(&mut network, 2, 1, Duration::from_secs(5));
        assert!((100..800).contains(&gap), "seed {seed}: {gap} ms");
        assert!(is_at(&mut network, SECOND), "seed {seed}");
        assert_eq!(spis(&mut network), before, "seed {seed}");
        assert_sound(&mut network, seed);
    }
}

/// The better address dies while the handshake there is under way.
#[test]
fn a_handshake_at_another_address_that_fails_leaves_everything_as_it_was() {
    for seed in 0..4 {
        let mut network = started(two_uplinks(false, Begins::Branch), seed, &[]);
        let before = spis(&mut network);
        network.set_weather_at(FIRST, slow(60));
        let looked_for = |network: &mut Network| {
            network.node(BRANCH).gateway.config().peers[&PeerId(0)].remote_address
        };
        while looked_for(&mut network) == Some(FIRST) {
            network.run(Duration::from_millis(5));
        }
        network.cut_address(SECOND, true);
        network.run(Duration::from_secs(120));
        assert_eq!(looked_for(&mut network), Some(FIRST), "seed {seed}");
        assert_eq!(moves(&mut network), Vec::<String>::new(), "seed {seed}");
        let sites = [1, 2].map(|region| deployment::Site { region, zone: 1 });
        let text = deployment::text(sites[1], &sites, &["red"]);
        let after = spis(&mut network);
        reload(&mut network, BRANCH, &text.replace("psk_file", "mobike = false\npsk_file"));
        network.run(Duration::from_secs(3));
        assert_eq!(spis(&mut network), after, "seed {seed}: the address in use is still there");
        assert_eq!(after.len(), before.len());
        assert!(is_at(&mut network, FIRST), "seed {seed}");
    }
}

/// The routing table names another address of ours since, and the tunnel stays where it works.
#[test]
fn the_address_in_use_is_measured_from_where_it_is_used_and_left_for_no_other_that_the_peer_refuses()
 {
    let own = IpAddr::from([192, 0, 2, 21]);
    let preferred = IpAddr::from([192, 0, 2, 121]);
    let deployment = deployment::edited_pair(|site, text| {
        let text = text.replace("psk_file", "mobike = true\npsk_file");
        match site.region {
            1 => home(&text, Begins::Branch),
            _ => text
                .replace("listen = [\"192.0.2.21\"]\n", "")
                .replace("\"192.0.2.11\"", "[\"192.0.2.11\", \"192.0.2.111\"]"),
        }
    });
    let mut network = started(deployment, 9, &[]);
    network.add_address(BRANCH, preferred);
    network.with_node(BRANCH, |node, now| node.prefer(preferred, now));
    network.run(Duration::from_secs(70));
    let places = view(&mut network).places;
    let [first, second] = &places[..] else { panic!("{places:?}") };
    assert_eq!((first.local, second.local), (Some(own), Some(preferred)));
    assert_eq!((first.asked, first.lost, second.asked, second.lost), (50, 0, 50, 0));
    // The peer knows us by one address, and does not want us at the other.
    let before = spis(&mut network);
    network.set_weather_at(FIRST, slow(60));
    network.run(Duration::from_secs(300));
    assert!(is_at(&mut network, FIRST), "{:?}", view(&mut network).places);
    assert_eq!((moves(&mut network), spis(&mut network)), (Vec::new(), before));
}

/// The host has a way to none of the addresses, and then to one.
#[test]
fn a_peer_is_looked_for_at_once_where_the_host_has_a_way_again() {
    let own = IpAddr::from([192, 0, 2, 21]);
    let deployment = deployment::edited_pair(|site, text| match site.region {
        1 => home(&text, Begins::Branch),
        _ => text
            .replace("listen = [\"192.0.2.21\"]\n", "")
            .replace("\"192.0.2.11\"", "[\"192.0.2.11\", \"192.0.2.111\"]"),
    });
    let reaches = |network: &mut Network, remotes: &[IpAddr]| {
        let sources = remotes.iter().map(|remote| (*remote, own)).collect();
        network.with_node(BRANCH, |node, now| {
            node.gateway.handle_world(vec![Answer::Sources(sources)], now);
        });
    };
    for seed in 0..4 {
        let mut network = started(deployment.clone(), seed, &[FIRST, SECOND]);
        for found in [SECOND, FIRST, FIRST, SECOND] {
            reaches(&mut network, &[]);
            network.run(Duration::from_millis(2300));
            reaches(&mut network, &[found]);
            network.run(Duration::from_millis(150));
            let here = network.node(BRANCH).gateway.config().peers[&PeerId(0)].remote_address;
            assert_eq!(here, Some(found), "seed {seed}");
        }
    }
}

#[test]
fn what_was_measured_is_not_shown_any_more_when_the_peer_has_begun_anew() {
    let mut network = started(two_uplinks(true, Begins::Branch), 10, &[]);
    network.run(Duration::from_secs(60));
    assert!(view(&mut network).places.iter().all(|place| place.asked > 0));
    let sites = [1, 2].map(|region| deployment::Site { region, zone: 1 });
    let text = deployment::text(sites[0], &sites, &["red"]);
    let text = text.replace("psk_file", "mobike = true\npsk_file");
    network.crash(HOME);
    network.set_config(HOME, deployment::parse(&home(&text, Begins::Both)));
    network.boot(HOME);
    network.run(Duration::from_secs(10));
    let seen = view(&mut network);
    assert!(seen.ike_sa.is_some(), "{seen:?}");
    assert_eq!(seen.places.iter().map(|place| place.asked).collect::<Vec<_>>(), [0, 0]);
    assert!(seen.places.iter().all(|place| place.mean_rtt_us.is_none()), "{:?}", seen.places);
}

#[test]
fn what_each_address_measures_is_shown() {
    let mut network = started(two_uplinks(true, Begins::Branch), 8, &[]);
    network.set_weather_at(SECOND, slow(70));
    network.run(Duration::from_secs(70));
    let [first, second] = &view(&mut network).places[..] else { panic!("two addresses") };
    assert_eq!((first.address, second.address), (FIRST, SECOND));
    assert_eq!((first.in_use, second.in_use), (true, false));
    assert_eq!((first.mean_rtt_us, second.mean_rtt_us), (Some(20_000), Some(140_000)));
    assert_eq!((first.asked, first.lost, second.asked, second.lost), (50, 0, 50, 0));
}
