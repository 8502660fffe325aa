//! Neighbours that know our prefixes by others.

use super::*;
use crate::net::Mapping;
use crate::routing::policy::{Fits, Rule, Then};

fn mappings(outside: &str) -> Mappings {
    Mapping::new(prefix("10.0.0.0/16"), prefix(outside)).into_iter().collect()
}

/// Router 0, whose 10.0.0.0/16 router 1 knows by another prefix, and router 2 as it is.
fn known() -> Net {
    let mut net = Net::new(3);
    net.announce(0, &["10.0.0.0/16", "10.1.0.0/16"]);
    net.link(0, 1);
    net.link(0, 2);
    net.change(0, 1, |config| config.maps = mappings("100.64.0.0/16"));
    net.run(500);
    net
}

fn prefixes_of(net: &Net, n: usize) -> Vec<String> {
    net.fib[n].keys().map(ToString::to_string).collect()
}

#[test]
fn a_neighbour_is_told_of_the_prefix_by_which_it_knows_ours() {
    let net = known();
    assert_eq!(prefixes_of(&net, 1), ["10.1.0.0/16", "100.64.0.0/16"]);
    assert_eq!(prefixes_of(&net, 2), ["10.0.0.0/16", "10.1.0.0/16"]);
}

#[test]
fn another_name_takes_the_place_of_the_one_before_in_the_running_session() {
    let mut net = known();
    net.change(0, 1, |config| config.maps = mappings("100.65.0.0/16"));
    net.run(500);
    assert_eq!(prefixes_of(&net, 1), ["10.1.0.0/16", "100.65.0.0/16"]);
    net.change(0, 1, |config| config.maps = Mappings::default());
    net.run(500);
    assert_eq!(prefixes_of(&net, 1), ["10.0.0.0/16", "10.1.0.0/16"]);
    assert!(net.downs(0, 1).is_empty());
}

#[test]
fn what_is_told_of_everything_uses_the_same_names() {
    let mut net = known();
    net.routers[0].set_leaving(true, net.now);
    net.run(500);
    assert_eq!(prefixes_of(&net, 1), ["10.1.0.0/16", "100.64.0.0/16"]);
    net.announce(0, &["10.1.0.0/16"]);
    net.run(500);
    assert_eq!(prefixes_of(&net, 1), ["10.1.0.0/16"], "it goes by the name that it came by");
}

#[test]
fn rules_are_about_the_prefix_that_the_neighbour_hears_of() {
    let mut net = known();
    let prefixes = Some([prefix("100.64.0.0/16")].into_iter().collect());
    let rule = Rule { fits: Fits { prefixes, ..Fits::default() }, then: Then::Reject };
    net.change(0, 1, |config| config.export_rules = [rule.clone()].into());
    net.run(500);
    assert_eq!(prefixes_of(&net, 1), ["10.1.0.0/16"]);
}

#[test]
fn nobody_announces_the_prefix_by_which_others_know_ours() {
    let mut net = known();
    net.routers[0].set_outside_prefixes([prefix("100.64.0.0/16")].into(), net.now);
    net.announce(2, &["100.64.7.0/24"]);
    net.run(500);
    assert!(net.fib[0].is_empty());
    let rejected: Vec<_> =
        net.routers[0].rejected(None).map(|(_, prefix, why)| (prefix, why)).collect();
    assert_eq!(rejected, [(prefix("100.64.7.0/24"), RejectReason::Local)]);
}
