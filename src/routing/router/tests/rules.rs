//! What operators say of routes, applied to what comes and what goes.

use super::*;
use crate::net::Community;
use crate::routing::policy::{Change, Fits, Rule, Then};
use crate::routing::rib::Reason;

fn community(text: &str) -> Community {
    text.parse().expect("a community")
}

fn take(fits: Fits, change: Change) -> Rule {
    Rule { fits, then: Then::Take(change) }
}

fn reject(text: &str) -> Rule {
    let fits = Fits { prefixes: Some([prefix(text)].into_iter().collect()), ..Fits::default() };
    Rule { fits, then: Then::Reject }
}

/// The path of router `n` to a prefix by router `m`.
fn path(net: &Net, n: usize, m: usize, text: &str) -> Option<PathView> {
    let route = net.routers[n].routes(None, usize::MAX).into_iter();
    let route = route.into_iter().find(|route| route.prefix == prefix(text))?;
    route.paths.into_iter().find(|path| path.peer == PeerId(m as u32))
}

#[test]
fn a_rule_keeps_a_route_out_visibly_and_lets_it_in_again() {
    let mut net = Net::new(2);
    net.announce(1, &["10.2.0.0/16", "10.3.0.0/16"]);
    net.link(0, 1);
    net.change(0, 1, |config| config.import_rules = [reject("10.3.0.0/16")].into());
    net.run(200);
    assert_eq!(net.ways(0, "10.2.0.0/16"), [1]);
    assert!(net.ways(0, "10.3.0.0/16").is_empty());
    let rejected = net.routers[0].neighbors()[0].rejected.clone();
    assert_eq!(rejected, [(prefix("10.3.0.0/16"), RejectReason::Ruled)]);
    net.change(0, 1, |config| config.import_rules = [].into());
    net.run(1);
    assert_eq!(net.ways(0, "10.3.0.0/16"), [1], "without asking the peer");
}

#[test]
fn rules_decide_which_way_is_preferred_prefix_by_prefix() {
    let mut net = Net::new(3);
    for n in [1, 2] {
        net.announce(n, &["10.7.0.0/16", "10.8.0.0/16"]);
        net.link(0, n);
    }
    net.run(200);
    assert_eq!(net.ways(0, "10.8.0.0/16"), [1, 2]);
    let fits =
        Fits { prefixes: Some([prefix("10.8.0.0/16")].into_iter().collect()), ..Fits::default() };
    let change = Change { local_preference: Some(150), ..Change::default() };
    net.change(0, 2, |config| {
        config.import_rules = [take(fits.clone(), change.clone())].into();
    });
    net.run(1);
    assert_eq!(net.ways(0, "10.7.0.0/16"), [1, 2]);
    assert_eq!(net.ways(0, "10.8.0.0/16"), [2, 1]);
    let route = net.routers[0].route_to("10.8.0.1".parse().expect("an address")).expect("a route");
    assert_eq!(route.reason, Some(Reason::LocalPreference));
    assert_eq!(path(&net, 0, 2, "10.8.0.0/16").map(|path| path.local_preference), Some(150));
}

#[test]
fn what_is_announced_is_changed_or_kept_back_for_one_neighbour_alone() {
    let mut net = Net::new(3);
    net.announce(0, &["10.1.0.0/16", "10.9.0.0/16"]);
    net.link(0, 1);
    net.link(0, 2);
    net.run(200);
    let change = Change {
        med: Some(50),
        add: vec![community("65001:7"), community("65001:8:9")],
        prepend: 2,
        ..Change::default()
    };
    net.change(0, 1, |config| {
        config.export_rules = [reject("10.9.0.0/16"), take(Fits::default(), change.clone())].into();
    });
    net.run(200);
    let told = path(&net, 1, 0, "10.1.0.0/16").expect("a path").attributes;
    assert_eq!((told.as_path.to_string().as_str(), told.med), ("65001 65001 65001", Some(50)));
    assert!(told.carries(community("65001:7")) && told.carries(community("65001:8:9")));
    assert!(net.ways(1, "10.9.0.0/16").is_empty(), "it was withdrawn");
    let other = path(&net, 2, 0, "10.1.0.0/16").expect("a path").attributes;
    assert_eq!((other.as_path.to_string().as_str(), other.med), ("65001", None));
    assert_eq!(net.ways(2, "10.9.0.0/16"), [0]);
    net.change(0, 1, |config| config.export_rules = [].into());
    net.run(200);
    assert_eq!(net.ways(1, "10.9.0.0/16"), [0]);
    assert_eq!(path(&net, 1, 0, "10.1.0.0/16").expect("a path").attributes.med, None);
}

/// What one region is told of another carries a mark; a third one takes no such route.
#[test]
fn marks_set_at_one_border_are_heeded_at_another() {
    let transit = |n| RouterConfig {
        transit: true,
        ..RouterConfig::new(asn(n), Ipv4Addr::new(192, 0, 2, n as u8 + 1))
    };
    let mut net = Net::with(3, transit);
    net.announce(0, &["10.1.0.0/16"]);
    net.link(0, 1);
    net.link(1, 2);
    let mark = community("65002:66");
    let change = Change { add: vec![mark], ..Change::default() };
    net.change(1, 0, |config| {
        config.import_rules = [take(Fits::default(), change.clone())].into();
    });
    net.run(300);
    assert!(path(&net, 2, 1, "10.1.0.0/16").expect("a path").attributes.carries(mark));
    net.change(1, 2, |config| {
        let fits = Fits { community: Some(mark), ..Fits::default() };
        config.export_rules = [Rule { fits, then: Then::Reject }].into();
    });
    net.run(300);
    assert!(net.ways(2, "10.1.0.0/16").is_empty());
    assert_eq!(net.ways(1, "10.1.0.0/16"), [0]);
}

#[test]
fn who_nears_its_limit_is_told_of_once_and_before_the_session_ends() {
    let mut net = Net::new(2);
    net.link(0, 1);
    net.change(0, 1, |config| config.max_prefixes = 10);
    let near = |net: &Net| {
        let near = net.said[0].iter().filter(|action| matches!(action, Action::NearLimit { .. }));
        near.count()
    };
    let announced =
        |count: usize| -> Vec<String> { (0..count).map(|n| format!("10.{n}.0.0/16")).collect() };
    for (count, told) in [(7, 0), (8, 1), (9, 1), (10, 1), (5, 1), (9, 2)] {
        let texts = announced(count);
        net.announce(1, &texts.iter().map(String::as_str).collect::<Vec<_>>());
        net.run(200);
        assert_eq!(near(&net), told, "{count} prefixes");
    }
    assert!(net.said[0].iter().all(|action| !matches!(action, Action::NeighborDown { .. })));
}
