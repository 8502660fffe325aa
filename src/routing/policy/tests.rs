use super::*;
use crate::routing::attributes::{AsPath, TransitiveAttribute};
use std::net::Ipv4Addr;

const OWN: Asn = Asn(65_000);

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn community(text: &str) -> Community {
    text.parse().unwrap()
}

/// A route that has crossed 65001 and 65002 and carries `65001:1` and `65001:2:3`.
fn route() -> Attributes {
    let mut route = Attributes::originated(Ipv4Addr::LOCALHOST.into());
    route.as_path = AsPath::sequence([Asn(65_001), Asn(65_002)]);
    route.add_community(community("65001:1"));
    route.add_community(community("65001:2:3"));
    route
}

fn fits(fits: Fits, text: &str) -> bool {
    let rule = Rule { fits, then: Then::Reject };
    first(&[rule], &prefix(text), &route()).is_some()
}

#[test]
fn a_rule_fits_when_all_that_it_names_holds() {
    let within = |texts: &[&str]| Some(texts.iter().map(|text| prefix(text)).collect());
    let any = Fits::default;
    assert!(fits(any(), "10.1.0.0/16"), "nothing named, everything meant");
    let lan = || Fits { prefixes: within(&["10.0.0.0/8", "fd00::/16"]), ..any() };
    assert!(fits(lan(), "10.1.0.0/16") && fits(lan(), "10.0.0.0/8") && fits(lan(), "fd00:1::/48"));
    assert!(!fits(lan(), "11.0.0.0/8") && !fits(lan(), "0.0.0.0/0"));
    let long = || Fits { lengths: Some(24..=32), ..lan() };
    assert!(fits(long(), "10.1.1.0/24") && !fits(long(), "10.1.0.0/16"));
    assert!(!fits(long(), "192.0.2.0/24"), "both must hold");
    let marked = |text| Fits { community: Some(community(text)), ..any() };
    assert!(fits(marked("65001:1"), "::/0") && fits(marked("65001:2:3"), "::/0"));
    assert!(!fits(marked("65001:2"), "::/0") && !fits(marked("65001:2:4"), "::/0"));
    let through = |asn| Fits { through: Some(Asn(asn)), ..any() };
    assert!(fits(through(65_001), "::/0") && fits(through(65_002), "::/0"));
    assert!(!fits(through(65_003), "::/0"));
    let origin = |asn| Fits { origin: Some(Asn(asn)), ..any() };
    assert!(fits(origin(65_002), "::/0") && !fits(origin(65_001), "::/0"));
    let longer = |than| Fits { longer_than: Some(than), ..any() };
    assert!(fits(longer(1), "::/0") && !fits(longer(2), "::/0"));
}

#[test]
fn the_first_rule_that_fits_decides() {
    let rule =
        |lengths, then| Rule { fits: Fits { lengths: Some(lengths), ..Fits::default() }, then };
    let change = Change { med: Some(7), ..Change::default() };
    let rules = [
        rule(24..=32, Then::Reject),
        rule(16..=32, Then::Take(change.clone())),
        rule(0..=32, Then::Reject),
    ];
    let of = |text| first(&rules, &prefix(text), &route()).cloned();
    assert_eq!(of("10.1.1.0/24"), Some(Then::Reject));
    assert_eq!(of("10.1.0.0/16"), Some(Then::Take(change)));
    assert_eq!(of("10.0.0.0/8"), Some(Then::Reject));
    assert_eq!(of("fd00::/48"), None);
}

#[test]
fn a_change_changes_what_it_names_and_nothing_else() {
    assert_eq!(Change::default().apply(route(), OWN), route());
    let change = Change {
        local_preference: Some(200),
        med: Some(50),
        add: vec![community("65000:9"), community("65000:8:7"), community("65001:2:3")],
        remove: vec![community("65001:1")],
        prepend: 2,
    };
    let changed = change.apply(route(), OWN);
    assert_eq!(changed.as_path.to_string(), "65000 65000 65001 65002");
    assert_eq!(changed.med, Some(50));
    assert!(changed.carries(community("65000:9")) && changed.carries(community("65000:8:7")));
    assert!(!changed.carries(community("65001:1")));
    let bodies: Vec<usize> = changed.transitive.iter().map(|one| one.body.len()).collect();
    assert_eq!(bodies, [4, 24], "none stands there twice, and none is left broken");
}

#[test]
fn a_list_that_loses_its_last_mark_goes() {
    let change = Change {
        remove: vec![community("65001:1"), community("65001:2:3"), community("1:1")],
        ..Change::default()
    };
    let changed = change.apply(route(), OWN);
    assert_eq!(changed.transitive, Vec::<TransitiveAttribute>::new());
}
