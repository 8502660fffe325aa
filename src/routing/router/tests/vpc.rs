//! Routers of the VPC: what they have is at home, what peers have is told to them.

use super::net::ipv4_addr;
use super::*;
use crate::routing::bgp::State;

/// The gateway, a router of its VPC, and two peers behind tunnels.
const GATEWAY: usize = 0;
const ROUTER: usize = 1;
const PEER: usize = 2;
const OTHER: usize = 3;

/// The gateway announces 10.1.0.0/16, and its router may have what is in 10.1.0.0/16 and 10.9.0.0/16.
fn network(asns: [u32; 4]) -> Net {
    let config = |n: usize| RouterConfig::new(Asn(asns[n]), Ipv4Addr::new(192, 0, 2, n as u8 + 1));
    let mut net = Net::with(4, config);
    let extent = ["10.1.0.0/16", "10.9.0.0/16", "10.255.0.0/24"];
    net.announce(GATEWAY, &["10.1.0.0/16"]);
    net.routers[GATEWAY].set_extent(prefixes(&extent), net.now);
    net.announce(PEER, &["10.2.0.0/16"]);
    [ROUTER, PEER, OTHER].into_iter().for_each(|n| net.link(GATEWAY, n));
    let ends = |config: &mut NeighborConfig, ours, theirs| {
        if let NeighborKind::Bgp { local, remote, .. } = &mut config.kind {
            (*local, *remote) = (ipv4_addr(ours), ipv4_addr(theirs));
        }
    };
    net.remove(GATEWAY, ROUTER);
    net.add(GATEWAY, ROUTER, |config| {
        ends(config, GATEWAY, ROUTER);
        config.side = Side::Vpc;
        config.import = extent.iter().take(2).map(|text| prefix(text)).collect();
    });
    net.change(ROUTER, GATEWAY, |config| ends(config, ROUTER, GATEWAY));
    net
}

const APART: [u32; 4] = [65001, 65002, 65003, 65004];

/// Where a prefix is at home, as the gateway has it.
fn home(net: &Net, text: &str) -> Option<IpAddr> {
    let routes = net.routers[GATEWAY].routes(None, usize::MAX);
    routes.into_iter().find(|route| route.prefix == prefix(text))?.home
}

#[test]
fn what_a_router_of_the_vpc_has_is_at_home_and_told_to_peers() {
    let mut net = network(APART);
    net.announce(ROUTER, &["10.9.4.0/24"]);
    net.run(500);
    assert_eq!(net.state(GATEWAY, ROUTER), State::Established);
    assert_eq!(home(&net, "10.9.4.0/24"), Some(ipv4_addr(ROUTER)));
    assert!(net.ways(GATEWAY, "10.9.4.0/24").is_empty(), "no tunnel leads there");
    for peer in [PEER, OTHER] {
        assert_eq!(net.ways(peer, "10.9.4.0/24"), [GATEWAY as u32]);
        assert_eq!(net.ways(peer, "10.1.0.0/16"), [GATEWAY as u32]);
    }
    net.announce(ROUTER, &[]);
    net.run(100);
    assert_eq!(home(&net, "10.9.4.0/24"), None);
    assert!(net.ways(PEER, "10.9.4.0/24").is_empty());
}

#[test]
fn what_peers_have_is_told_to_routers_of_the_vpc_and_to_no_other_peer() {
    let mut net = network(APART);
    net.run(500);
    assert_eq!(net.ways(ROUTER, "10.2.0.0/16"), [GATEWAY as u32]);
    assert!(net.ways(OTHER, "10.2.0.0/16").is_empty(), "we carry no transit");
    assert!(net.ways(ROUTER, "10.1.0.0/16").is_empty(), "what is the VPC's own it knows itself");
    net.tunnel(GATEWAY, PEER, false);
    net.run(10);
    assert!(net.ways(ROUTER, "10.2.0.0/16").is_empty(), "without a tunnel nothing leads there");
}

#[test]
fn an_internal_session_does_the_same() {
    let mut net = network([65001, 65001, 65003, 65004]);
    net.announce(ROUTER, &["10.9.4.0/24"]);
    net.run(500);
    assert_eq!(home(&net, "10.9.4.0/24"), Some(ipv4_addr(ROUTER)));
    assert_eq!(net.ways(PEER, "10.9.4.0/24"), [GATEWAY as u32]);
    assert_eq!(net.ways(ROUTER, "10.2.0.0/16"), [GATEWAY as u32]);
}

#[test]
fn a_router_brings_nothing_that_it_may_not_have() {
    let mut net = network(APART);
    net.announce(ROUTER, &["10.2.7.0/24", "0.0.0.0/0", "10.0.0.0/8", "10.9.0.0/16"]);
    net.run(500);
    let rejected: Vec<String> =
        net.view(GATEWAY, ROUTER).rejected.iter().map(|(prefix, _)| prefix.to_string()).collect();
    assert_eq!(rejected, ["0.0.0.0/0", "10.0.0.0/8", "10.2.7.0/24"]);
    assert!(home(&net, "10.9.0.0/16").is_some());
}

#[test]
fn no_peer_takes_what_is_the_routers() {
    let mut net = network(APART);
    net.announce(PEER, &["10.2.0.0/16", "10.9.4.0/24"]);
    net.run(500);
    let rejected = net.view(GATEWAY, PEER).rejected;
    assert_eq!(rejected, [(prefix("10.9.4.0/24"), RejectReason::Local)]);
    assert!(net.ways(GATEWAY, "10.9.4.0/24").is_empty());
}

#[test]
fn the_underlay_is_no_routers() {
    let mut net = network(APART);
    net.announce(ROUTER, &["10.9.4.0/24", "10.9.5.0/24"]);
    net.routers[GATEWAY].set_underlay([prefix("10.9.4.7/32")].into_iter().collect(), net.now);
    net.run(500);
    let rejected = net.view(GATEWAY, ROUTER).rejected;
    assert_eq!(rejected, [(prefix("10.9.4.0/24"), RejectReason::Underlay)]);
    assert_eq!(home(&net, "10.9.4.0/24"), None);
    assert!(home(&net, "10.9.5.0/24").is_some());
}

#[test]
fn prefixes_of_a_router_are_withdrawn_when_the_vpc_is_not_reached() {
    let mut net = network(APART);
    net.announce(ROUTER, &["10.9.4.0/24"]);
    net.run(500);
    assert_eq!(net.ways(PEER, "10.9.4.0/24"), [GATEWAY as u32]);
    net.routers[GATEWAY].set_announced(false, net.now);
    net.run(100);
    assert!(net.ways(PEER, "10.9.4.0/24").is_empty());
    net.routers[GATEWAY].set_announced(true, net.now);
    net.run(100);
    net.routers[GATEWAY].set_carried(prefix("10.9.4.0/24"), false, net.now);
    net.run(100);
    assert!(net.ways(PEER, "10.9.4.0/24").is_empty(), "what the host does not route is not told");
}
