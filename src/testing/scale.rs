//! No input costs what grows with the number of tunnels: a gateway that has a thousand more
//! configured looks at the same ones, whatever happens.

use super::deployment::{self, Region, Site};
use super::network::Network;
use crate::control::{Page, Reply, Request, SaKind};
use crate::gateway::Gateway;
use crate::moment::Moment;
use crate::net::PeerId;
use std::fmt::Write;
use std::time::Duration;

/// Peers that are configured, and never heard of.
const FEW: u32 = 10;
const MANY: u32 = 1000;

/// Two gateways in each of two regions; the first one has some peers more.
fn deployment(more: u32) -> deployment::Deployment {
    let two = |number| Region { number, gateways: 2 };
    deployment::edited(&[two(1), two(2)], 1, |site, mut text| {
        if site == (Site { region: 1, zone: 1 }) {
            (0..more).for_each(|number| silent_peer(&mut text, number));
        }
        text
    })
}

fn silent_peer(text: &mut String, number: u32) {
    let (high, low) = (number >> 8, number & 0xff);
    let _ = write!(
        text,
        "[[peer]]\nname = \"silent-{number}\"\nvpc = \"red\"\ninitiate = false\n\
         remote_address = [\"198.18.{high}.{low}\", \"198.19.{high}.{low}\"]\n\
         remote_identity = \"silent-{number}.red\"\n\
         psk_file = \"psk\"\nremote_asn = {}\naccept = [\"10.128.{high}.{low}/32\"]\n",
        4_100_000_000_u32 + number,
    );
}

/// What the first gateway looked at while each of some things happened.
fn visits(more: u32) -> Vec<(&'static str, u64)> {
    let mut network = Network::start(deployment(more), 1);
    network.run(Duration::from_secs(5));
    assert!(network.unreachable().is_empty(), "{:?}", network.unreachable());
    let mut visits = Vec::new();
    let mut during = |what, network: &mut Network, act: &dyn Fn(&mut Network)| {
        network.node(0).gateway.take_visits();
        act(network);
        visits.push((what, network.node(0).gateway.take_visits()));
    };
    during("a junk datagram", &mut network, &|network| {
        let local = "192.0.2.11:500".parse().expect("an address");
        let remote = "203.0.113.9:500".parse().expect("an address");
        operate(network, |gateway, at| gateway.handle_datagram(local, remote, &[0x5a; 28], at));
    });
    during("a timeout with nothing due", &mut network, &|network| {
        operate(network, |gateway, at| gateway.handle_timeout(at));
    });
    during("a view of one peer", &mut network, &|network| {
        let request = Request::Peer(name(network));
        operate(network, |gateway, at| {
            assert!(matches!(gateway.handle_request(&request, at), Reply::Peer(_)));
        });
    });
    during("a second in which nothing happens", &mut network, &|network| {
        network.run(Duration::from_secs(1));
    });
    during("a Child SA more", &mut network, &|network| {
        let request = Request::Rekey { peer: name(network), sa: SaKind::Child };
        operate(network, |gateway, at| drop(gateway.handle_request(&request, at)));
        network.run(Duration::from_millis(200));
    });
    during("a reload that ranks one peer otherwise", &mut network, &|network| {
        let mut config = network.node(0).gateway.config().clone();
        config.peers.get_mut(&PeerId(0)).expect("a peer").local_preference += 1;
        operate(network, |gateway, at| {
            gateway.reconfigure(config, at).expect("a change that needs no restart");
        });
    });
    during("other routes by BGP", &mut network, &|network| {
        network.with_node(2, |node, now| node.set_lan(false, now));
        network.run(Duration::from_millis(200));
    });
    during("news of the host that change nothing", &mut network, &|network| {
        let address = "192.0.2.11".parse().expect("an address");
        network.with_node(0, |node, now| node.renumber(Some(address), now));
        network.run(Duration::from_millis(200));
    });
    during("a tunnel that falls silent", &mut network, &|network| {
        network.cut(0, 3);
        network.run(Duration::from_secs(3));
    });
    visits
}

fn operate(network: &mut Network, act: impl FnOnce(&mut Gateway, &mut Moment<'_>)) {
    network.with_node(0, |node, now| node.operate(now, act));
}

fn name(network: &mut Network) -> String {
    network.node(0).config.peers[&PeerId(0)].name.clone()
}

#[test]
fn no_input_looks_at_more_tunnels_because_there_are_more() {
    let (few, many) = (visits(FEW), visits(MANY));
    assert_eq!(few, many);
    assert!(few.iter().all(|(what, visits)| what.contains("nothing due") || *visits > 0));
}

#[test]
fn a_view_of_many_peers_comes_page_by_page_and_misses_none() {
    let mut network = Network::start(deployment(300), 2);
    let mut names: Vec<String> =
        network.node(0).config.peers.values().map(|peer| peer.name.clone()).collect();
    names.sort();
    for request in [Request::Peers, Request::Sas, Request::Metrics] {
        let pages = pages(&mut network, &request);
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [128, 128, 46], "{request:?}");
        assert_eq!(pages.concat(), names);
    }
}

/// The names of the peers on each page.
fn pages(network: &mut Network, request: &Request) -> Vec<Vec<String>> {
    let (mut pages, mut after) = (Vec::new(), None);
    operate(network, |gateway, at| {
        loop {
            let Page { reply, next } = gateway.handle_page(request, after.as_ref(), at);
            pages.push(match reply {
                Reply::Peers(view) => view.peers.into_iter().map(|peer| peer.name).collect(),
                Reply::Sas(view) => view.tunnels.into_iter().map(|tunnel| tunnel.peer).collect(),
                Reply::Metrics(view) => {
                    view.peers.into_iter().map(|peer| peer.summary.name).collect()
                }
                other => panic!("{other:?}"),
            });
            if next.is_none() {
                return;
            }
            after = next;
        }
    });
    pages
}
