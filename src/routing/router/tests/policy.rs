//! What is believed, chosen and told on.

use super::*;
use crate::routing::rib::Reason;

#[test]
fn a_peer_may_announce_only_what_its_accept_list_covers() {
    let mut net = Net::new(2);
    net.announce(0, &["10.1.0.0/16", "10.66.0.0/16", "0.0.0.0/0"]);
    net.announce(1, &["10.2.0.0/16"]);
    net.link(0, 1);
    net.change(1, 0, |config| config.import = [prefix("10.1.0.0/16")].into_iter().collect());
    net.run(200);
    assert_eq!(net.fib[1].len(), 1);
    let rejected = vec![
        (prefix("0.0.0.0/0"), RejectReason::NotAccepted),
        (prefix("10.66.0.0/16"), RejectReason::NotAccepted),
    ];
    let view = net.view(1, 0);
    assert_eq!((view.accepted, view.rejected), (1, rejected));
    let told = net.said[1].iter().filter(|a| matches!(a, Action::Rejected { .. })).count();
    assert_eq!(told, 2);

    net.change(1, 0, |config| config.import = [prefix("10.0.0.0/8")].into_iter().collect());
    net.run(200);
    assert_eq!(net.ways(1, "10.66.0.0/16"), [0], "a wider list applies at once");
    assert_eq!(net.view(1, 0).rejected.len(), 1);
    net.change(1, 0, |config| config.import = PrefixSet::new());
    net.run(200);
    assert!(net.fib[1].is_empty(), "a narrower one too");
    assert_eq!(net.view(1, 0).counters.established, 1, "and the session stands");
}

#[test]
fn own_prefixes_and_parts_of_them_never_lead_into_a_tunnel() {
    let mut net = Net::new(2);
    net.announce(0, &["10.1.0.0/16", "10.1.2.0/24", "10.0.0.0/8"]);
    net.announce(1, &["10.1.0.0/16"]);
    net.link(0, 1);
    net.run(200);
    assert_eq!(net.fib[1].keys().copied().collect::<Vec<_>>(), [prefix("10.0.0.0/8")]);
    net.announce(1, &[]);
    net.run(200);
    assert_eq!(net.fib[1].len(), 3, "once they are not ours they may");
    net.announce(1, &["10.1.0.0/16"]);
    net.run(200);
    assert_eq!(net.fib[1].len(), 1);
    let route = net.routers[1]
        .routes(None, usize::MAX)
        .into_iter()
        .find(|r| r.prefix == prefix("10.1.0.0/16"));
    assert!(route.is_some_and(|route| route.local && route.paths.is_empty()));
}

#[test]
fn the_backup_takes_over_when_the_primary_goes_and_gives_back() {
    let mut net = Net::new(3);
    two_ways(&mut net);
    net.change(0, 2, |config| config.local_preference = 200);
    net.run(200);
    assert_eq!(net.ways(0, "10.7.0.0/16"), [2, 1]);
    assert_eq!(reason(&net, 0, "10.7.0.0/16"), Some(Reason::LocalPreference));
    net.tunnel(0, 2, false);
    net.run(1);
    assert_eq!(net.ways(0, "10.7.0.0/16"), [1]);
    assert_eq!(reason(&net, 0, "10.7.0.0/16"), Some(Reason::OnlyPath));
    net.tunnel(0, 2, true);
    net.run(1);
    assert_eq!(net.ways(0, "10.7.0.0/16"), [2, 1]);
    net.change(0, 2, |config| config.local_preference = 50);
    net.run(1);
    assert_eq!(net.ways(0, "10.7.0.0/16"), [1, 2], "a changed preference applies at once");
}

#[test]
fn equal_paths_are_decided_by_the_identifier() {
    let mut net = Net::new(3);
    two_ways(&mut net);
    net.run(200);
    assert_eq!(net.ways(0, "10.7.0.0/16"), [1, 2]);
    assert_eq!(reason(&net, 0, "10.7.0.0/16"), Some(Reason::BgpIdentifier));
}

#[test]
fn static_routes_join_the_decision() {
    let mut net = Net::new(3);
    two_ways(&mut net);
    let config = NeighborConfig {
        kind: NeighborKind::Static { prefixes: prefixes(&["10.7.0.0/16", "10.8.0.0/16"]) },
        side: Side::Tunnel,
        import: anything(),
        maps: Mappings::default(),
        import_rules: [].into(),
        export_rules: [].into(),
        local_preference: 100,
        max_prefixes: 10,
    };
    let peer = PeerId(9);
    net.routers[0].add_neighbor(peer, config.clone(), net.now);
    net.run(200);
    assert_eq!(net.ways(0, "10.7.0.0/16"), [1, 2], "its tunnel is not up yet");
    net.routers[0].on_tunnel(peer, true, net.now);
    net.run(1);
    assert_eq!(net.ways(0, "10.7.0.0/16"), [9, 1, 2]);
    assert_eq!(reason(&net, 0, "10.7.0.0/16"), Some(Reason::AsPathLength));
    assert_eq!(net.ways(0, "10.8.0.0/16"), [9]);
    let kind = NeighborKind::Static { prefixes: prefixes(&["10.7.0.0/16"]) };
    net.routers[0].update_neighbor(peer, NeighborConfig { kind, ..config }, net.now);
    net.run(1);
    assert_eq!(net.ways(0, "10.7.0.0/16"), [9, 1, 2]);
    assert!(net.ways(0, "10.8.0.0/16").is_empty());
}

#[test]
fn transit_carries_routes_on_without_loops() {
    // A ring: 0 - 1 - 2 - 0, all carrying transit, 0 announcing.
    let mut net = Net::with(3, |n| transit(n, asn(n)));
    net.announce(0, &["10.1.0.0/16"]);
    net.link(0, 1);
    net.link(1, 2);
    net.link(2, 0);
    net.run(500);
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0, 2]);
    assert_eq!(net.ways(2, "10.1.0.0/16"), [0, 1]);
    assert_eq!(reason(&net, 2, "10.1.0.0/16"), Some(Reason::AsPathLength));
    let route = net.routers[2].routes(None, usize::MAX).remove(0);
    assert_eq!(route.paths[1].attributes.as_path.to_string(), "65002 65001");

    net.tunnel(2, 0, false);
    net.run(500);
    assert_eq!(net.ways(2, "10.1.0.0/16"), [1], "around the other way");
    net.announce(0, &[]);
    net.run(500);
    assert!(net.fib.iter().all(BTreeMap::is_empty), "gone everywhere, counting to nowhere");
}

#[test]
fn without_transit_nothing_learned_is_told_on() {
    let mut net = Net::new(3);
    net.announce(0, &["10.1.0.0/16"]);
    net.link(0, 1);
    net.link(1, 2);
    net.run(500);
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0]);
    assert!(net.fib[2].is_empty());
}

#[test]
fn internal_speakers_tell_each_other_their_own_and_external_routes_only() {
    // 0, 1 and 3 are of one AS, 2 of another.
    let mut net = Net::with(4, |n| transit(n, Asn(if n == 2 { 65100 } else { 65001 })));
    net.announce(2, &["10.3.0.0/16"]);
    net.announce(0, &["10.1.0.0/16"]);
    net.link(2, 0);
    net.link(0, 1);
    net.link(1, 3);
    net.run(500);
    assert_eq!(net.ways(1, "10.3.0.0/16"), [0], "external routes reach internal speakers");
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0]);
    assert!(net.fib[3].is_empty(), "but go no further inside (RFC 4271 §9.2)");
    let routes = net.routers[1].routes(None, usize::MAX);
    let external = routes.iter().find(|r| r.prefix == prefix("10.3.0.0/16")).expect("a route");
    let attributes = &external.paths[0].attributes;
    assert_eq!(attributes.as_path.to_string(), "65100");
    assert_eq!(attributes.local_preference, Some(100));
}

#[test]
fn too_many_prefixes_end_the_session_for_a_while() {
    let mut net = Net::new(2);
    net.announce(0, &["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"]);
    net.link(0, 1);
    net.change(1, 0, |config| config.max_prefixes = 2);
    net.run(10_000);
    let ceased = "peer sent Cease: Maximum Number of Prefixes Reached";
    assert_eq!(net.downs(0, 1), [ceased], "once, not over and over");
    assert!(net.fib[1].is_empty());
    net.announce(0, &["10.1.0.0/16"]);
    net.run(80_000);
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0], "and later it gets another chance");
}

/// Routers 1 and 2 both announce a prefix to router 0.
fn two_ways(net: &mut Net) {
    net.announce(1, &["10.7.0.0/16"]);
    net.announce(2, &["10.7.0.0/16"]);
    net.link(0, 1);
    net.link(0, 2);
}

fn transit(n: usize, asn: Asn) -> RouterConfig {
    let router_id = Ipv4Addr::new(192, 0, 2, n as u8 + 1);
    RouterConfig { transit: true, ..RouterConfig::new(asn, router_id) }
}

fn reason(net: &Net, n: usize, text: &str) -> Option<Reason> {
    let routes = net.routers[n].routes(None, usize::MAX);
    routes.into_iter().find(|route| route.prefix == prefix(text))?.reason
}

#[test]
fn routes_come_page_by_page_in_the_order_of_their_prefixes() {
    let config = RouterConfig::new(asn(0), Ipv4Addr::new(10, 0, 0, 1));
    let mut router = Router::new(config, &mut Seeded::new(1));
    let own = ["10.1.0.0/16", "10.3.0.0/16", "10.5.0.0/16"];
    router.set_local_prefixes(prefixes(&own), Timestamp::ZERO);
    let kind = NeighborKind::Static { prefixes: prefixes(&["10.2.0.0/16", "10.4.0.0/16"]) };
    let import = anything();
    let neighbor = NeighborConfig {
        side: Side::Tunnel,
        kind,
        import,
        maps: Mappings::default(),
        import_rules: [].into(),
        export_rules: [].into(),
        local_preference: 100,
        max_prefixes: 10,
    };
    router.add_neighbor(PeerId(1), neighbor, Timestamp::ZERO);
    let (mut pages, mut after) = (Vec::new(), None);
    while pages.last().is_none_or(|page: &Vec<Prefix>| !page.is_empty()) {
        let page = router.routes(after, 2);
        after = page.last().map(|route| route.prefix).or(after);
        pages.push(page.into_iter().map(|route| route.prefix).collect());
    }
    let page = |texts: &[&str]| texts.iter().map(|text| prefix(text)).collect::<Vec<_>>();
    let expected = [
        page(&["10.1.0.0/16", "10.2.0.0/16"]),
        page(&["10.3.0.0/16", "10.4.0.0/16"]),
        page(&["10.5.0.0/16"]),
        vec![],
    ];
    assert_eq!(pages, expected);
}
