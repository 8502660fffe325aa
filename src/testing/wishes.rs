//! Hosts that refuse, forget and let plaintext in: what the gateway wants of its host, tried on
//! the virtual network.

use super::deployment::{self, Deployment, Region, Site};
use super::kernel::{LOOPBACK, Way};
use super::network::Network;
use super::orders::ask;
use super::packet::{self, UDP};
use super::two_gateways::assert_sound;
use crate::config::Routing;
use crate::control::{PeerSummary, PeerView, Reply, Request};
use crate::gateway::world::{Table, Then, Wish};
use crate::net::{PeerId, Prefix, VpcId};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

const VPC: VpcId = VpcId(0);

fn connected(deployment: Deployment) -> Network {
    let mut network = Network::start(deployment, 1);
    network.run(Duration::from_secs(5));
    assert_sound(&mut network, 1);
    network
}

fn remote() -> Wish {
    let prefix: Prefix = "10.2.0.0/16".parse().expect("a prefix");
    Wish::Route { vpc: VPC, prefix, source: Some([10, 1, 0, 11].into()) }
}

/// All that stands at the first node and that `which` names.
fn standing(network: &mut Network, which: impl Fn(&Wish) -> bool) -> Vec<Wish> {
    network.node(0).standing().iter().filter(|wish| which(wish)).cloned().collect()
}

fn take_away(network: &mut Network, which: impl Fn(&Wish) -> bool) -> usize {
    let wishes = standing(network, which);
    network.with_node(0, |node, now| node.take_away(&wishes, now));
    wishes.len()
}

fn is_route(wish: &Wish) -> bool {
    wish.table().is_some()
}

fn is_rule(wish: &Wish) -> bool {
    matches!(wish, Wish::Rule(_))
}

/// What `vpnctl routes` says about the prefix behind the peer: through whom, and why.
fn shown(network: &mut Network, node: usize, text: &str) -> (Option<String>, String) {
    known(network, node, text).expect("the prefix is known")
}

fn known(network: &mut Network, node: usize, text: &str) -> Option<(Option<String>, String)> {
    let mut shown = None;
    network.with_node(node, |node, now| {
        node.operate(now, |gateway, at| {
            if let Reply::Routes(view) = gateway.handle_request(&Request::Routes, at) {
                let routes = view.vpcs.into_iter().flat_map(|vpc| vpc.routes);
                let mut routes = routes.filter(|route| route.prefix.to_string() == text);
                shown = routes.next().map(|route| (route.active, route.reason));
            }
        });
    });
    shown
}

/// What `vpnctl peers NAME` says at the first node.
fn peer(network: &mut Network) -> PeerView {
    match ask(network, 0, &Request::Peer("r2z1".to_owned())) {
        Reply::Peer(view) => *view,
        other => panic!("{other:?}"),
    }
}

/// The counters of wishes at the first node, and what is refused now.
fn counted(network: &mut Network) -> (BTreeMap<String, u64>, u64) {
    match ask(network, 0, &Request::Stats) {
        Reply::Stats(view) => (view.host, view.host_refuses),
        other => panic!("{other:?}"),
    }
}

/// The host of the first node refuses what it has of `which`, or stops to.
fn refuse(network: &mut Network, which: impl Fn(&Wish) -> bool) -> Vec<Wish> {
    let wishes = standing(network, which);
    assert!(!wishes.is_empty());
    wishes.iter().for_each(|wish| network.node(0).refuse(wish, true));
    network.with_node(0, |node, now| node.take_away(&wishes, now));
    network.run(Duration::from_secs(2));
    wishes
}

#[test]
fn a_peer_does_not_count_what_the_host_refuses() {
    let mut network = connected(deployment::pair());
    let before = peer(&mut network).summary;
    assert_eq!((before.prefixes_active, before.prefixes_refused), (2, 0));
    assert_eq!((before.refusal, counted(&mut network).1), (None, 0));
    refuse(&mut network, |wish| *wish == remote());
    let view = peer(&mut network);
    let PeerSummary { prefixes_accepted, prefixes_active, prefixes_refused, .. } = view.summary;
    assert_eq!((prefixes_accepted, prefixes_active, prefixes_refused), (2, 1, 1));
    let [refusal] = view.refusals.as_slice() else { panic!("{:?}", view.refusals) };
    assert_eq!(refusal.what, "route to 10.2.0.0/16");
    assert!(refusal.reason.contains("out of memory"), "{refusal:?}");
    // At once, and after 250, 500 and 1000 ms.
    assert_eq!(refusal.times, 4);
    assert_eq!(view.summary.refusal.as_ref(), Some(refusal));
    let names = ["refused", "retried", "put_back"].map(str::to_owned);
    let counts = names.into_iter().zip([4, 3, 1]).collect();
    assert_eq!(counted(&mut network), (counts, 1));
    network.node(0).refuse(&remote(), false);
    network.run(Duration::from_secs(5));
    let after = peer(&mut network);
    assert_eq!((after.summary.prefixes_active, after.summary.prefixes_refused), (2, 0));
    assert_eq!((after.refusals, counted(&mut network).1), (vec![], 0));
}

#[test]
fn without_a_rule_that_leads_to_it_no_prefix_of_a_vpc_is_in_use() {
    let mut network = connected(deployment::pair());
    let leads = |wish: &Wish| match wish {
        Wish::Rule(rule) => rule.ipv4 && rule.then == Then::Lookup(Table::Prefixes),
        _ => false,
    };
    let rules = refuse(&mut network, leads);
    let view = peer(&mut network);
    assert_eq!((view.summary.prefixes_active, view.summary.prefixes_refused), (0, 2));
    assert!(view.refusals[0].what.starts_with("IPv4 rule"), "{:?}", view.refusals);
    let (active, reason) = shown(&mut network, 0, "10.2.0.0/16");
    assert_eq!(active, None);
    assert!(reason.starts_with("the host refuses the IPv4 rule"), "{reason}");
    rules.iter().for_each(|wish| network.node(0).refuse(wish, false));
    network.run(Duration::from_secs(10));
    assert_eq!(peer(&mut network).summary.prefixes_active, 2);
    assert_sound(&mut network, 1);
}

#[test]
fn a_vpc_whose_host_stops_forwarding_is_not_served_until_it_forwards_again() {
    let mut network = connected(deployment::pair());
    let forwarding = |wish: &Wish| matches!(wish, Wish::Forwarding { ipv4: true, .. });
    let refused = refuse(&mut network, forwarding);
    let view = peer(&mut network);
    assert_eq!((view.summary.prefixes_active, view.summary.prefixes_refused), (0, 2));
    assert_eq!(view.refusals[0].what, "forwarding of IPv4");
    assert_eq!(known(&mut network, 1, "10.1.0.0/16"), None, "told to nobody");
    refused.iter().for_each(|wish| network.node(0).refuse(wish, false));
    network.run(Duration::from_secs(10));
    assert_eq!(peer(&mut network).summary.prefixes_active, 2);
    assert_sound(&mut network, 1);
}

#[test]
fn a_guard_that_does_not_stand_is_told_and_takes_no_prefix_away() {
    let mut network = connected(deployment::pair());
    refuse(
        &mut network,
        |wish| matches!(wish, Wish::Guard { prefix, .. } if prefix.to_string() == "10.2.0.0/16"),
    );
    let view = peer(&mut network);
    assert_eq!((view.summary.prefixes_active, view.summary.refusal), (2, None));
    assert_eq!(view.refusals.len(), 1);
    assert_eq!(view.refusals[0].what, "guard of 10.2.0.0/16");
}

#[test]
fn what_is_flushed_from_outside_is_put_back_at_once() {
    let mut network = connected(deployment::pair());
    for which in [is_route, is_rule] {
        let before = standing(&mut network, |_| true);
        assert!(take_away(&mut network, which) > 4);
        assert_eq!(standing(&mut network, |_| true), before);
    }
    assert_sound(&mut network, 1);
}

#[test]
fn a_device_that_went_down_and_up_gets_its_addresses_and_routes_back() {
    let mut network = connected(deployment::pair());
    let before = standing(&mut network, |_| true);
    network.with_node(0, |node, now| node.bounce_device(VPC, now));
    assert_eq!(standing(&mut network, |_| true), before);
    assert_sound(&mut network, 1);
}

#[test]
fn a_refused_route_is_shown_and_repeated_until_it_stands() {
    let mut network = connected(deployment::pair());
    assert_eq!(shown(&mut network, 0, "10.2.0.0/16").0.as_deref(), Some("r2z1"));
    network.node(0).refuse(&remote(), true);
    take_away(&mut network, |wish| *wish == remote());
    network.run(Duration::from_secs(2));
    let (active, reason) = shown(&mut network, 0, "10.2.0.0/16");
    assert_eq!(active, None);
    assert!(reason.contains("out of memory"), "{reason}");
    assert!(!network.unreachable().is_empty());
    assert!(network.violations.is_empty(), "{:?}", network.violations);
    network.node(0).refuse(&remote(), false);
    network.run(Duration::from_secs(5));
    assert_eq!(shown(&mut network, 0, "10.2.0.0/16").0.as_deref(), Some("r2z1"));
    assert_sound(&mut network, 1);
}

#[test]
fn a_prefix_that_the_host_does_not_route_is_not_announced_onward() {
    // Regions 1 and 3 reach each other through region 2.
    let regions = [1, 2, 3].map(|number| Region { number, gateways: 1 });
    let deployment = deployment::edited(&regions, 1, |site, text| match site.region {
        2 => text.replace("[[vpc]]\n", "[[vpc]]\ntransit = true\n"),
        _ => text,
    });
    let mut network = connected(deployment);
    let prefix: Prefix = "10.3.0.0/16".parse().expect("a prefix");
    let wish = Wish::Route { vpc: VPC, prefix, source: Some([10, 2, 0, 21].into()) };
    let paths = |network: &mut Network| {
        let mut paths = 0;
        network.with_node(0, |node, now| {
            node.operate(now, |gateway, at| {
                if let Reply::Peer(view) =
                    gateway.handle_request(&Request::Peer("r2z1".to_owned()), at)
                {
                    paths = view.summary.prefixes_accepted + view.summary.prefixes_rejected;
                }
            });
        });
        paths
    };
    let before = paths(&mut network);
    network.node(1).refuse(&wish, true);
    network.with_node(1, |node, now| node.take_away(std::slice::from_ref(&wish), now));
    network.run(Duration::from_secs(2));
    assert_eq!(paths(&mut network), before - 1);
    network.node(1).refuse(&wish, false);
    network.run(Duration::from_secs(5));
    assert_eq!(paths(&mut network), before);
}

#[test]
fn plaintext_from_the_underlay_does_not_enter() {
    let mut network = connected(deployment::pair());
    let plain = |from: u8| {
        let (src, dst) = ([198, 51, 100, from].into(), [10, 1, 1, 10].into());
        packet::ip(src, dst, UDP, &[0, 9, 0, 9, 0, 8, 0, 0])
    };
    assert!(!network.node(0).plain_enters(VPC, &plain(1)));
    let is_bar = |wish: &Wish| match wish {
        Wish::Rule(rule) => rule.then == Then::Lookup(Table::Ingress),
        _ => false,
    };
    let bars = standing(&mut network, is_bar);
    for wish in &bars {
        network.node(0).refuse(wish, true);
    }
    take_away(&mut network, is_bar);
    assert!(
        network.node(0).plain_enters(VPC, &plain(2)),
        "the test cannot see a packet that enters"
    );
}

/// What `vpnctl routes` calls rejected at the first node.
fn rejected(network: &mut Network) -> Vec<(String, String)> {
    let mut rejected = Vec::new();
    network.with_node(0, |node, now| {
        node.operate(now, |gateway, at| {
            if let Reply::Routes(view) = gateway.handle_request(&Request::Routes, at) {
                let vpcs = view.vpcs.into_iter().flat_map(|vpc| vpc.rejected);
                rejected = vpcs.map(|route| (route.prefix.to_string(), route.reason)).collect();
            }
        });
    });
    rejected
}

#[test]
fn a_peer_cannot_announce_the_underlay_whatever_is_accepted() {
    let deployment = deployment::edited_pair(|site, text| match site.region {
        1 => text.replace("accept = [", "accept = [\"0.0.0.0/0\", "),
        _ => {
            let own = "prefixes = [\"192.0.2.0/25\", \"192.0.2.11/32\", \"203.0.113.0/24\", ";
            text.replace("prefixes = [", own)
        }
    });
    let mut network = connected(deployment);
    let reason = "reaches into the underlay".to_owned();
    let expected = ["192.0.2.0/25", "192.0.2.11/32"].map(|p| (p.to_owned(), reason.clone()));
    assert_eq!(rejected(&mut network), expected);
    assert_eq!(shown(&mut network, 0, "203.0.113.0/24").0.as_deref(), Some("r2z1"));
}

#[test]
fn a_default_route_through_a_tunnel_stands_beside_the_hosts_own() {
    let deployment = deployment::edited_pair(|site, text| {
        let beyond = match site.region {
            1 => "\"0.0.0.0/0\", \"::/0\"",
            _ => "\"10.1.0.0/16\", \"fd00:1::/48\"",
        };
        let line = |start: &str| text.lines().rfind(|line| line.starts_with(start));
        let (asn, accept) = (line("remote_asn").expect("BGP"), line("accept").expect("a list"));
        text.replace(asn, &format!("static_routes = [{beyond}]")).replace(accept, "")
    });
    let mut network = connected(deployment);
    let way = |network: &mut Network, input: &str, src: [u8; 4]| {
        network.node(0).way(VPC, input, src.into(), [198, 51, 100, 1].into())
    };
    assert_eq!(way(&mut network, "lan0", [10, 1, 1, 10]), Way::Tunnel);
    assert_eq!(way(&mut network, LOOPBACK, [192, 0, 2, 11]), Way::Clear);
    // What the kernel says about a packet of the VPC has no source yet when it looks for a way.
    assert_eq!(way(&mut network, LOOPBACK, [0, 0, 0, 0]), Way::Tunnel);
    let by_six = |network: &mut Network, src: &str| {
        let (src, dst) = (src.parse(), "2001:db8::1".parse());
        network.node(0).way(VPC, LOOPBACK, src.expect("IPv6"), dst.expect("IPv6"))
    };
    assert_eq!(by_six(&mut network, "::"), Way::Tunnel);
    assert_eq!(by_six(&mut network, "2001:db8::11"), Way::Clear);
    // Without the tunnel's route the packets of the VPC go nowhere.
    let all =
        Wish::Route { vpc: VPC, prefix: Prefix::all_ipv4(), source: Some([10, 1, 0, 11].into()) };
    network.node(0).refuse(&all, true);
    take_away(&mut network, |wish| *wish == all);
    assert_eq!(way(&mut network, "lan0", [10, 1, 1, 10]), Way::Nowhere);
    assert_eq!(way(&mut network, LOOPBACK, [192, 0, 2, 11]), Way::Clear);
    assert!(network.violations.is_empty(), "{:?}", network.violations);
}

#[test]
fn the_host_speaks_into_the_tunnels_from_the_addresses_that_it_has_in_the_vpc() {
    let mut network = connected(deployment::pair());
    let sources = |network: &mut Network| -> BTreeMap<String, Option<IpAddr>> {
        let routes = standing(network, |wish| matches!(wish, Wish::Route { .. }));
        let source = |wish| match wish {
            Wish::Route { prefix, source, .. } => Some((prefix.to_string(), source)),
            _ => None,
        };
        routes.into_iter().filter_map(source).collect()
    };
    let ip = |text: &str| Some(text.parse::<IpAddr>().expect("an address"));
    let before = sources(&mut network);
    assert_eq!(before["10.2.0.0/16"], ip("10.1.0.11"));
    assert_eq!(before["fd00:2::/48"], ip("fd00:1::b"));
    // To the peer's inside address it speaks from its own.
    let Routing::Bgp(bgp) = &network.node(0).config.peers[&PeerId(0)].routing else { panic!() };
    let (inside, own) = (Prefix::host(bgp.inside_remote).to_string(), bgp.inside_local);
    assert_eq!((before.len(), before[&inside]), (3, Some(own)));
    // Hosts on its own side get no answer from there.
    let way = |network: &mut Network, to: &str| {
        network.node(0).way(VPC, LOOPBACK, own, to.parse().expect("an address"))
    };
    assert_eq!(way(&mut network, "fd00:2::9"), Way::Tunnel);
    assert_eq!(way(&mut network, "fd00:1::9"), Way::Nowhere);
    let other = [ip("10.1.0.77"), ip("fd00:1::b")].map(|one| one.expect("an address"));
    network.with_node(0, |node, now| node.set_addresses("lan0", &other, now));
    let after = sources(&mut network);
    assert_eq!((after.len(), after["10.2.0.0/16"]), (3, ip("10.1.0.77")));
    assert_eq!(after["fd00:2::/48"], ip("fd00:1::b"));
    assert_sound(&mut network, 1);
    network.with_node(0, |node, now| node.set_addresses("lan0", &[], now));
    assert_eq!(sources(&mut network)["10.2.0.0/16"], None);
    assert_sound(&mut network, 1);
}

#[test]
fn a_vpc_moves_while_another_carries_packets() {
    let both = |change: &dyn Fn(&str) -> String| {
        let sites = [1, 2].map(|region| Site { region, zone: 1 });
        deployment::parse(&change(&deployment::text(sites[0], &sites, &["red", "blue"])))
    };
    let regions = [1, 2].map(|number| Region { number, gateways: 1 });
    let mut network = connected(deployment::regions(&regions, 2));
    let red = network.node(0).gateway.child_spis(PeerId(0));
    let moved = |text: &str| text.replace("netns = \"blue\"", "netns = \"elsewhere\"");
    let steps: [&dyn Fn(&str) -> String; 2] = [&moved, &|text| text.to_owned()];
    for change in steps {
        let config = both(change);
        let vpcs = config.vpcs.len();
        network.with_node(0, |node, now| {
            node.operate(now, |gateway, at| {
                let config = config.numbered_like(gateway.config());
                gateway.reconfigure(config, at).expect("no restart");
            });
        });
        network.run(Duration::from_secs(45));
        let devices = standing(&mut network, |wish| matches!(wish, Wish::Device { .. }));
        assert_eq!(devices.len(), vpcs);
        assert_eq!(network.node(0).gateway.child_spis(PeerId(0)), red);
        assert!(network.violations.is_empty(), "{:?}", network.violations);
    }
}
