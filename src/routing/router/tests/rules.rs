//! What operators say of routes, applied to what comes and what goes.

use super::*;
use crate::net::Community;
use crate::routing::policy::{Change, Fits, Role, Rule, Then};
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

/// Says to both what they are to each other.
fn set_roles(net: &mut Net, (n, of_n): (usize, Role), (m, of_m): (usize, Role)) {
    for (n, m, ours) in [(n, m, of_n), (m, n, of_m)] {
        net.change(n, m, |config| {
            if let NeighborKind::Bgp { role, .. } = &mut config.kind {
                *role = Some(ours);
            }
        });
    }
}

#[test]
fn roles_that_do_not_fit_are_refused_and_both_sides_know_why() {
    let mut net = Net::new(2);
    net.link(0, 1);
    set_roles(&mut net, (0, Role::Provider), (1, Role::Provider));
    net.run(3000);
    let failed = |n: usize| -> Vec<String> {
        let reasons = net.said[n].iter().filter_map(|action| match action {
            Action::NeighborFailed { reason, .. } => Some(reason.to_string()),
            _ => None,
        });
        reasons.collect()
    };
    // Each has the other's OPEN before it hears what the other makes of its own.
    for n in [0, 1] {
        let told = failed(n);
        let all = told.iter().all(|why| why == "sent OPEN Message Error: Role Mismatch");
        assert!(!told.is_empty() && all, "{told:?}");
    }
    assert!(net.routers[0].neighbors()[0].identifier.is_none());

    set_roles(&mut net, (0, Role::Provider), (1, Role::Customer));
    net.run(8000);
    assert!(net.routers[0].neighbors()[0].identifier.is_some(), "they fit now");
    net.change(1, 0, |config| {
        if let NeighborKind::Bgp { role, .. } = &mut config.kind {
            *role = None;
        }
    });
    net.run(8000);
    assert!(net.routers[0].neighbors()[0].identifier.is_some(), "who says nothing is believed");
}

/// 1 - 0 - 2, where 0 pays both for transit: it must not give the one transit to the other.
#[test]
fn a_customer_does_not_leak_the_routes_of_one_provider_to_the_other() {
    let transit = |n| RouterConfig {
        transit: true,
        ..RouterConfig::new(asn(n), Ipv4Addr::new(192, 0, 2, n as u8 + 1))
    };
    let mut net = Net::with(4, transit);
    net.announce(0, &["10.0.0.0/16"]);
    net.announce(1, &["10.1.0.0/16"]);
    net.announce(3, &["10.3.0.0/16"]);
    for n in [1, 2, 3] {
        net.link(0, n);
    }
    set_roles(&mut net, (0, Role::Customer), (1, Role::Provider));
    set_roles(&mut net, (0, Role::Customer), (2, Role::Provider));
    set_roles(&mut net, (0, Role::Provider), (3, Role::Customer));
    net.run(8000);
    assert_eq!(net.ways(0, "10.1.0.0/16"), [1]);
    assert_eq!(net.ways(3, "10.1.0.0/16"), [0], "our customer hears of it");
    assert!(net.ways(2, "10.1.0.0/16").is_empty(), "the other provider does not");
    assert_eq!(net.ways(2, "10.0.0.0/16"), [0], "what is ours everybody hears of");
    assert_eq!(net.ways(2, "10.3.0.0/16"), [0], "and of what our customer has");
    let marked = path(&net, 3, 0, "10.1.0.0/16").expect("a path").attributes.only_to_customer();
    assert_eq!(marked, Some(asn(1)));
    assert_eq!(
        path(&net, 2, 0, "10.0.0.0/16").expect("a path").attributes.only_to_customer(),
        None
    );
}

/// The one that leaks heeds no mark; who gives it transit does.
#[test]
fn a_leak_is_seen_where_it_arrives() {
    let transit = |n| RouterConfig {
        transit: true,
        ..RouterConfig::new(asn(n), Ipv4Addr::new(192, 0, 2, n as u8 + 1))
    };
    let mut net = Net::with(3, transit);
    net.announce(1, &["10.1.0.0/16"]);
    net.link(0, 1);
    net.link(0, 2);
    set_roles(&mut net, (0, Role::Customer), (1, Role::Provider));
    net.change(2, 0, |config| {
        if let NeighborKind::Bgp { role, .. } = &mut config.kind {
            *role = Some(Role::Provider);
        }
    });
    net.run(8000);
    assert!(net.ways(2, "10.1.0.0/16").is_empty());
    let rejected = net.routers[2].neighbors()[0].rejected.clone();
    assert_eq!(rejected, [(prefix("10.1.0.0/16"), RejectReason::Leak)]);
}
