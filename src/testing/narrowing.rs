//! A peer that takes less traffic than we have for it: what is not carried is not shown as in use,
//! and its packets find no route.

use super::deployment::{self, Deployment, Site};
use super::network::Network;
use super::orders::ask;
use crate::control::{PeerState, PeerView, Reply, Request, RouteView};
use crate::gateway::world::Wish;
use crate::net::Prefix;
use std::time::Duration;

const EAST: &str = "r2z1";

/// Static routes of both families at both ends, and `narrower` in the peer section of region 2.
fn static_pair(narrower: &'static str) -> Deployment {
    deployment::edited_pair(move |site: Site, text| {
        let other = 3 - site.region;
        let routes = format!("static_routes = [\"10.{other}.0.0/16\", \"fd00:{other}::/48\"]\n");
        let lines = text.lines().filter_map(|line| match line.split(' ').next() {
            Some("remote_asn") => Some(routes.clone()),
            Some("accept") => None,
            Some(_) | None => Some(format!("{line}\n")),
        });
        let text: String = lines.collect();
        if site.region == 2 { text + narrower } else { text }
    })
}

fn peer(network: &mut Network) -> PeerView {
    match ask(network, 0, &Request::Peer(EAST.to_owned())) {
        Reply::Peer(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn route(network: &mut Network, prefix: Prefix) -> RouteView {
    let Reply::Routes(view) = ask(network, 0, &Request::Routes) else { panic!("no routes") };
    let routes = view.vpcs.into_iter().flat_map(|vpc| vpc.routes);
    routes.into_iter().find(|route| route.prefix == prefix).expect("a known prefix")
}

#[test]
fn a_family_that_the_peer_does_not_take_is_not_in_use() {
    let only_ipv4 = "local_ts = [\"10.2.0.0/16\"]\nremote_ts = [\"10.1.0.0/16\"]\n";
    let mut network = Network::start(static_pair(only_ipv4), 1);
    network.run(Duration::from_secs(20));
    let missing = network.unreachable();
    assert!(!missing.is_empty() && missing.iter().all(|probe| !probe.ipv4), "{missing:?}");
    assert!(network.violations.is_empty(), "{:?}", network.violations);

    let prefix = |text: &str| text.parse::<Prefix>().expect("a prefix");
    let (four, six) = (prefix("10.2.0.0/16"), prefix("fd00:2::/48"));
    let view = peer(&mut network);
    assert_eq!(view.summary.state, PeerState::Up);
    assert_eq!((view.summary.prefixes_accepted, view.summary.prefixes_active), (2, 1));
    assert_eq!(view.unreached, [six]);
    assert!(
        view.summary.last_failure.is_some_and(|failure| failure.reason.contains("fd00:2::/48"))
    );
    assert_eq!(route(&mut network, four).active.as_deref(), Some(EAST));
    let lost = route(&mut network, six);
    assert_eq!((lost.active, lost.reason.as_str()), (None, "no Child SA of r2z1 permits it"));
    assert!(lost.paths.iter().all(|path| !path.usable));
    let routes = network.node(0).standing().iter().filter_map(|wish| match wish {
        Wish::Route { prefix, .. } => Some(*prefix),
        _ => None,
    });
    assert_eq!(routes.collect::<Vec<_>>(), [four]);
}

#[test]
fn what_the_peer_takes_later_is_in_use_then() {
    let only_ipv4 = "local_ts = [\"10.2.0.0/16\"]\nremote_ts = [\"10.1.0.0/16\"]\n";
    let mut network = Network::start(static_pair(only_ipv4), 2);
    network.run(Duration::from_secs(10));
    let narrowed = network.node(1).config.clone();
    let both = static_pair("").configs[1].clone().numbered_like(&narrowed);
    network.with_node(1, |node, now| {
        node.operate(now, |gateway, at| {
            gateway.reconfigure(both, at).expect("a change that needs no restart");
        });
    });
    network.run(Duration::from_secs(10));
    super::two_gateways::assert_sound(&mut network, 2);
    assert_eq!(peer(&mut network).unreached, []);
}
