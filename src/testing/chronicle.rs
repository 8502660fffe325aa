//! What operators are told of what happens: in events, with cause and remedy, each once.

use super::deployment;
use super::network::Network;
use super::orders::ask;
use crate::control::{Code, EventView, EventsView, Reply, Request, WhyView};
use std::net::IpAddr;
use std::time::Duration;

fn events(network: &mut Network, node: usize, after: u64) -> EventsView {
    match ask(network, node, &Request::Events { after }) {
        Reply::Events(view) => view,
        other => panic!("{other:?}"),
    }
}

fn why(network: &mut Network, node: usize, to: &str, from: Option<&str>) -> WhyView {
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    let request = Request::Why { to: address(to), from: from.map(address), ports: None };
    match ask(network, node, &request) {
        Reply::Why(view) => view,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failover_is_a_cause_and_one_line_for_the_prefixes_that_moved() {
    let mut network = Network::start(deployment::six(), 21);
    network.run(Duration::from_secs(8));
    let before = events(&mut network, 0, 0).last;
    // Node 0 prefers node 2 for region 2.
    network.crash(2);
    network.run(Duration::from_secs(4));
    let view = events(&mut network, 0, before);
    let of = |code: Code| view.events.iter().filter(move |event| event.code == code);
    assert_eq!(of(Code::PathLost).chain(of(Code::PeerSilent)).count(), 1, "{:#?}", view.events);
    let moved: Vec<&EventView> = of(Code::RouteMoved).collect();
    let [moved] = moved.as_slice() else { panic!("{:#?}", view.events) };
    assert!(moved.what.contains("10.2.0.0/16") && moved.what.contains("moved from"), "{moved:?}");
    let numbers: Vec<u64> = view.events.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (before + 1..=view.last).collect::<Vec<_>>(), "none is missing");
    assert_eq!(view.missed, 0);
}

#[test]
fn a_peer_without_ml_kem_gets_its_tunnel_and_the_operator_is_told() {
    for (edit, expected) in [(true, [0, 1]), (false, [0, 0])] {
        let pair = deployment::edited_pair(|site, text| match edit && site.region == 1 {
            true => text.replace("[[peer]]", "[[peer]]\npost_quantum = \"off\""),
            false => text,
        });
        let mut network = Network::start(pair, 24);
        network.run(Duration::from_secs(5));
        super::two_gateways::assert_sound(&mut network, 24);
        let told = [0, 1].map(|node| {
            let view = events(&mut network, node, 0);
            view.events.iter().filter(|event| event.code == Code::NotPostQuantum).count()
        });
        assert_eq!(told, expected);
    }
}

#[test]
fn a_peer_that_is_away_is_told_of_once_however_long_it_is() {
    let mut network = Network::start(deployment::pair(), 22);
    network.crash(1);
    network.run(Duration::from_secs(300));
    let view = events(&mut network, 0, 0);
    let silent = view.events.iter().filter(|event| event.code == Code::NoAnswer).count();
    assert_eq!(silent, 1, "{:#?}", view.events);
}

#[test]
fn why_follows_a_packet_to_the_underlay_or_says_where_it_ends() {
    let mut network = Network::start(deployment::pair(), 23);
    network.run(Duration::from_secs(5));
    let view = why(&mut network, 0, "10.2.0.9", Some("10.1.0.9"));
    let [way] = view.ways.as_slice() else { panic!("{view:?}") };
    let steps: Vec<&str> = way.steps.iter().map(|step| step.step.as_str()).collect();
    let expected = ["source", "prefix", "path", "choice", "group", "kernel", "sa", "underlay"];
    assert_eq!(steps, expected);
    assert!(way.arrives, "{way:?}");
    let foreign = why(&mut network, 0, "10.2.0.9", Some("10.77.0.9"));
    assert!(foreign.ways.iter().all(|way| !way.arrives), "{foreign:?}");
    assert!(why(&mut network, 0, "198.51.100.1", None).ways.is_empty());
    network.crash(1);
    network.run(Duration::from_secs(4));
    let view = why(&mut network, 0, "10.2.0.9", None);
    let [way] = view.ways.as_slice() else { panic!("{view:?}") };
    assert!(!way.arrives && way.through == "nobody", "{way:?}");
}
