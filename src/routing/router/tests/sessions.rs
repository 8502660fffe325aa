//! Sessions come, go, collide and come back.

use super::net::ipv4_addr;
use super::*;
use crate::routing::bgp::Family;
use crate::routing::bgp::State;
use std::collections::BTreeSet;
use std::net::Ipv6Addr;

#[test]
fn prefixes_arrive_and_leave() {
    let mut net = Net::new(2);
    net.announce(0, &["10.1.0.0/16", "fd00:1::/48"]);
    net.announce(1, &["10.2.0.0/16"]);
    net.link(0, 1);
    net.run(200);
    assert_eq!((net.state(0, 1), net.state(1, 0)), (State::Established, State::Established));
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0]);
    assert_eq!(net.ways(1, "fd00:1::/48"), [0]);
    assert_eq!(net.ways(0, "10.2.0.0/16"), [1]);
    assert_eq!(net.fib[0].len(), 1, "own prefixes lead into no tunnel");

    net.announce(0, &["fd00:1::/48", "10.9.0.0/16"]);
    net.run(200);
    assert_eq!(net.fib[1].len(), 2);
    assert_eq!(net.ways(1, "10.9.0.0/16"), [0]);

    net.routers[0].set_announced(false, net.now);
    net.run(200);
    assert!(net.fib[1].is_empty(), "unreachable prefixes are withdrawn");
    net.routers[0].set_announced(true, net.now);
    net.run(200);
    assert_eq!(net.fib[1].len(), 2);
    net.routers[0].set_announced_families(BTreeSet::from([Family::Ipv6]), net.now);
    net.run(200);
    assert_eq!(net.ways(1, "fd00:1::/48"), [0], "a family may be unreachable alone");
    assert_eq!(net.fib[1].len(), 1);
    net.run(60_000);
    assert_eq!(net.view(0, 1).counters.established, 1, "keepalives hold the session");
}

/// Two routers whose inside addresses are of IPv4; the first has this next hop for IPv6 routes.
fn between_ipv4_addresses(ipv6_next_hop: Option<Ipv6Addr>) -> Net {
    let mut net = Net::with(2, |n| RouterConfig {
        ipv6_next_hop,
        ..RouterConfig::new(asn(n), Ipv4Addr::new(192, 0, 2, n as u8 + 1))
    });
    net.announce(0, &["10.1.0.0/16", "fd00:1::/48"]);
    net.link(0, 1);
    for (n, m) in [(0, 1), (1, 0)] {
        net.change(n, m, |config| {
            if let NeighborKind::Bgp { local, remote, .. } = &mut config.kind {
                (*local, *remote) = (ipv4_addr(n), ipv4_addr(m));
            }
        });
    }
    net.run(15_000);
    net
}

#[test]
fn ipv6_routes_between_ipv4_addresses_have_an_ipv6_next_hop_or_stay_here() {
    let next_hop = Ipv6Addr::new(0xfd76, 0x706e, 0x6777, 0, 0, 0, 0, 1);
    let net = between_ipv4_addresses(Some(next_hop));
    let route = net.routers[1].routes(None, usize::MAX).into_iter();
    let mut route = route.filter(|route| route.prefix == prefix("fd00:1::/48"));
    let route = route.next().expect("known");
    assert_eq!(route.paths[0].attributes.next_hop, IpAddr::V6(next_hop));
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0]);

    let net = between_ipv4_addresses(None);
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0]);
    assert_eq!(net.fib[1].len(), 1, "a mapped address is no next hop");
}

#[test]
fn two_that_connect_at_once_keep_one_connection() {
    for seed in 0..20 {
        let mut net = Net::new(2);
        net.announce(0, &["10.1.0.0/16"]);
        net.routers[0].seeds = Seeded::new(seed);
        net.link(0, 1);
        net.make_active(0, 1);
        net.run(15_000);
        assert_eq!((net.state(0, 1), net.state(1, 0)), (State::Established, State::Established));
        assert_eq!(net.ways(1, "10.1.0.0/16"), [0]);
        let before = net.view(0, 1).counters.established;
        net.run(60_000);
        assert_eq!(net.view(0, 1).counters.established, before, "and it stays");
    }
}

#[test]
fn a_short_silence_of_the_tunnel_costs_no_routes() {
    let mut net = established_pair();
    net.tunnel(0, 1, false);
    net.run(1);
    assert!(net.ways(1, "10.1.0.0/16").is_empty(), "unusable at once");
    let route = &net.routers[1].routes(None, usize::MAX)[0];
    assert!(!route.paths[0].usable && route.reason.is_none());
    net.run(3000);
    net.tunnel(0, 1, true);
    net.run(1);
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0], "usable at once, without being learned anew");
}

#[test]
fn a_long_silence_ends_the_session_and_a_new_one_brings_the_routes_back() {
    let mut net = established_pair();
    net.set_cut(0, 1, true);
    net.run(9000);
    assert_eq!(net.downs(1, 0), ["sent Hold Timer Expired"]);
    assert!(net.fib[1].is_empty());
    net.run(30_000);
    net.set_cut(0, 1, false);
    net.run(11_000);
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0]);
}

#[test]
fn a_tunnel_that_returns_is_used_at_once() {
    let mut net = established_pair();
    net.tunnel(0, 1, false);
    net.run(60_000);
    assert_eq!(net.state(0, 1), State::Idle);
    assert_eq!(net.attempts(0), 1, "no attempts while there is no tunnel");
    net.tunnel(0, 1, true);
    net.run(200);
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0]);
}

#[test]
fn a_restarted_peer_replaces_its_lost_session() {
    for restarted in [0, 1] {
        let mut net = established_pair();
        net.make_active(0, 1);
        net.run(20_000);
        net.restart(restarted);
        net.announce(0, &["10.1.0.0/16"]);
        net.run(1500);
        assert_eq!((net.state(0, 1), net.state(1, 0)), (State::Established, State::Established));
        assert_eq!(net.ways(1, "10.1.0.0/16"), [0], "router {restarted} restarted");
    }
}

#[test]
fn the_wrong_as_is_refused_and_both_sides_know_why() {
    let mut net = Net::new(2);
    net.link(0, 1);
    net.change(0, 1, |config| {
        if let NeighborKind::Bgp { remote_asn, .. } = &mut config.kind {
            *remote_asn = Asn(64999);
        }
    });
    net.run(20_000);
    assert_ne!(net.state(0, 1), State::Established);
    let why = |n, m| net.view(n, m).last_down.map(|reason| reason.to_string());
    assert_eq!(why(0, 1).as_deref(), Some("sent OPEN Message Error: Bad Peer AS"));
    assert_eq!(why(1, 0).as_deref(), Some("peer sent OPEN Message Error: Bad Peer AS"));
    assert!(net.attempts(0) < 15, "{} attempts in 20 s", net.attempts(0));
}

#[test]
fn reset_remove_and_shutdown_are_said() {
    let mut net = established_pair();
    net.routers[0].reset_neighbor(PeerId(1), net.now);
    net.run(500);
    assert_eq!(net.downs(1, 0), ["peer sent Cease: Administrative Reset"]);
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0], "and the session is back");
    net.routers[0].shutdown(net.now);
    net.run(100);
    assert_eq!(net.downs(1, 0)[1], "peer sent Cease: Administrative Shutdown");
    net.routers[1].remove_neighbor(PeerId(0), net.now);
    net.run(100);
    assert!(net.fib[1].is_empty() && net.routers[1].neighbors().is_empty());
    assert_eq!(net.routers[1].poll_timeout(), None);
}

#[test]
fn changed_router_settings_start_sessions_anew() {
    let mut net = established_pair();
    let config = RouterConfig { transit: true, ..net.routers[0].config.clone() };
    net.routers[0].reconfigure(config.clone(), net.now);
    net.run(500);
    assert!(net.downs(1, 0).is_empty(), "transit alone changes no session");
    let router_id = Ipv4Addr::new(192, 0, 2, 200);
    net.routers[0].reconfigure(RouterConfig { router_id, ..config }, net.now);
    net.run(500);
    assert_eq!(net.downs(1, 0), ["peer sent Cease: Other Configuration Change"]);
    assert_eq!(net.view(1, 0).identifier, Some(router_id));
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0]);
}

#[test]
fn a_changed_hold_time_starts_only_its_own_session_anew() {
    let mut net = established_pair();
    net.announce(2, &["10.3.0.0/16"]);
    net.link(0, 2);
    net.run(200);
    net.change(0, 1, |config| {
        if let NeighborKind::Bgp { hold_time, .. } = &mut config.kind {
            *hold_time = Duration::from_secs(30);
        }
    });
    net.run(500);
    assert_eq!(net.downs(1, 0), ["peer sent Cease: Other Configuration Change"]);
    assert_eq!(net.view(1, 0).hold_time, Some(Duration::from_secs(9)), "the lower is agreed");
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0]);
    assert!(net.downs(2, 0).is_empty());
}

#[test]
fn strangers_are_not_let_in() {
    let mut net = established_pair();
    let stranger = ConnectionId::accepted(77);
    net.routers[0].handle_accepted(stranger, addr(0), addr(9), net.now);
    assert_eq!(net.routers[0].poll_action(), Some(Action::Close { connection: stranger }));
    let elsewhere = ConnectionId::accepted(78);
    net.routers[0].handle_accepted(elsewhere, addr(5), addr(1), net.now);
    assert_eq!(net.routers[0].poll_action(), Some(Action::Close { connection: elsewhere }));
}

#[test]
fn ten_thousand_prefixes_arrive_and_leave() {
    let mut net = Net::new(2);
    let many: BTreeSet<Prefix> = (0..10_000_u32)
        .filter_map(|n| Prefix::containing(Ipv4Addr::from(0x0a00_0000 + (n << 8)).into(), 24))
        .collect();
    net.routers[0].set_local_prefixes(many, net.now);
    net.link(0, 1);
    net.run(200);
    assert_eq!(net.fib[1].len(), 10_000);
    assert!(net.view(1, 0).counters.updates < 20, "many prefixes share a message");
    net.tunnel(0, 1, false);
    net.run(1);
    assert!(net.fib[1].is_empty());
    net.tunnel(0, 1, true);
    net.run(1);
    assert_eq!(net.fib[1].len(), 10_000);
    net.announce(0, &[]);
    net.run(200);
    assert!(net.fib[1].is_empty());
}

/// Routers 0 and 1 with a session, 2 without; router 0 announces 10.1.0.0/16.
fn established_pair() -> Net {
    let mut net = Net::new(3);
    net.announce(0, &["10.1.0.0/16"]);
    net.link(0, 1);
    net.run(200);
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0]);
    net
}
