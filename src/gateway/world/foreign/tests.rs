use super::*;
use crate::config::Outline;
use crate::gateway::world::{Table, Then, When};
use crate::net::VpcId;
use crate::testing::deployment::{self, Site};

const SITES: [Site; 2] = [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }];

fn vpc() -> VpcOutline {
    let config = deployment::parse(&deployment::text(SITES[0], &SITES, &["red"]));
    Outline::of(&config).vpcs.remove(&VpcId(0)).expect("a VPC")
}

/// Its hosts come in by the interface that is written, and by one that the host shows.
fn entrances(vpc: &VpcOutline) -> Entrances<'_> {
    Entrances { vpc, lans: vpc.interface.as_deref().into_iter().chain(["lan9"]).collect() }
}

fn prefixes(ipv4: bool) -> Rule {
    let then = Then::Lookup(Table::Prefixes);
    Rule { netns: None, ipv4, priority: 78, when: When::Unmarked, then }
}

fn foreign(priority: u32) -> ForeignRule {
    ForeignRule { ipv4: true, priority, input: None, source: None, destination: None, mark: false }
}

#[test]
fn a_rule_in_front_that_may_catch_a_packet_of_the_vpc_overrules_ours() {
    let vpc = vpc();
    let overrules = |rule: ForeignRule| rule.overrules(&prefixes(true), &entrances(&vpc));
    let interface = vpc.interface.clone().expect("an interface");
    assert!(overrules(foreign(72)));
    assert!(overrules(from("10.1.7.0/24")) && overrules(to("10.0.0.0/8")));
    assert!(overrules(by(&interface)) && overrules(by("lan9")) && overrules(by(&vpc.tun)));
    assert!(!overrules(foreign(78)) && !overrules(foreign(32_766)), "ours are asked first");
    assert!(!overrules(from("192.0.2.0/24")) && !overrules(to("198.51.100.0/24")));
    assert!(!overrules(by("docker0")));
    assert!(
        !foreign(10).overrules(&prefixes(false), &entrances(&vpc)),
        "it is of the other family"
    );
}

fn to(text: &str) -> ForeignRule {
    ForeignRule { destination: text.parse().ok(), ..foreign(10) }
}

fn from(text: &str) -> ForeignRule {
    ForeignRule { source: text.parse().ok(), ..foreign(10) }
}

fn by(device: &str) -> ForeignRule {
    ForeignRule { input: Some(device.to_owned()), ..foreign(10) }
}

fn rule(priority: u32, when: When, then: Then) -> Rule {
    Rule { netns: None, ipv4: true, priority, when, then }
}

#[test]
fn one_before_the_bars_overrules_them_where_it_may_let_in_what_others_bring() {
    let vpc = vpc();
    let bars = |when| rule(74, when, Then::Lookup(Table::Ingress));
    let overrules = |one: ForeignRule| one.overrules(&bars(When::Always), &entrances(&vpc));
    assert!(overrules(foreign(10)) && overrules(to("10.1.0.0/16")) && overrules(by("eth0")));
    assert!(overrules(ForeignRule { input: Some("eth0".to_owned()), ..to("10.1.9.0/24") }));
    assert!(!overrules(foreign(74)), "the bars are asked first");
    assert!(!overrules(from("192.0.2.0/24")), "so hosts choose one of their uplinks");
    let interface = vpc.interface.clone().expect("an interface");
    assert!(!overrules(by(&interface)) && !overrules(by("lan9")) && !overrules(by(&vpc.tun)));
    assert!(!overrules(by("lo")) && !overrules(ForeignRule { mark: true, ..foreign(10) }));
    assert!(!overrules(to("198.51.100.0/24")));
    let listed = bars(When::Arriving("eth0".to_owned()));
    assert!(
        by("eth0").overrules(&listed, &entrances(&vpc))
            && !by("eth1").overrules(&listed, &entrances(&vpc))
    );
}

#[test]
fn one_before_the_way_home_overrules_it_where_it_may_catch_what_comes_out_of_a_tunnel() {
    let vpc = vpc();
    let then = Then::LookupMain { shortest: 16 };
    let home = rule(84, When::Arriving(vpc.tun.clone()), then);
    let overrules = |one: ForeignRule| one.overrules(&home, &entrances(&vpc));
    assert!(overrules(foreign(83)) && overrules(to("10.1.0.0/16")) && overrules(by(&vpc.tun)));
    assert!(overrules(from("10.2.0.0/16")));
    assert!(!overrules(foreign(84)) && !overrules(by("eth0")));
    assert!(!overrules(from("192.0.2.0/24")) && !overrules(to("198.51.100.0/24")));
    let of_another = rule(84, When::Arriving("vpc-blue".to_owned()), then);
    assert!(!foreign(10).overrules(&of_another, &entrances(&vpc)));
}

#[test]
fn the_operator_is_told_what_harm_a_rule_does() {
    let said = |when, then| foreign(50).complaint(&rule(80, when, then));
    assert!(said(When::Always, Then::Lookup(Table::Prefixes)).contains("pass the tunnels by"));
    assert!(said(When::Always, Then::Lookup(Table::Ingress)).contains("gets into the VPC"));
    let marks = ForeignRule { mark: true, ..foreign(50) };
    let marks = marks.complaint(&rule(78, When::Always, Then::Lookup(Table::Prefixes)));
    assert!(marks.contains("by if the host gives them its mark"), "{marks}");
    let out = said(When::Always, Then::LookupMain { shortest: 1 });
    assert!(out.contains("comes out of a tunnel") && out.contains("own rule 50"), "{out}");
}
