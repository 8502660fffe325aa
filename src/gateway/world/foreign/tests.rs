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

fn prefixes(ipv4: bool) -> Rule {
    let then = Then::Lookup(Table::Prefixes);
    Rule { netns: None, ipv4, priority: 78, when: When::Unmarked, then }
}

fn foreign(priority: u32) -> ForeignRule {
    ForeignRule { ipv4: true, priority, input: None, source: None, destination: None }
}

#[test]
fn a_rule_in_front_that_may_catch_a_packet_of_the_vpc_overrules_ours() {
    let vpc = vpc();
    let overrules = |rule: ForeignRule| rule.overrules(&prefixes(true), &vpc);
    let to = |text: &str| ForeignRule { destination: text.parse().ok(), ..foreign(10) };
    let from = |text: &str| ForeignRule { source: text.parse().ok(), ..foreign(10) };
    let by = |device: &str| ForeignRule { input: Some(device.to_owned()), ..foreign(10) };
    let interface = vpc.interface.clone().expect("an interface");
    assert!(overrules(foreign(72)));
    assert!(overrules(from("10.1.7.0/24")) && overrules(to("10.0.0.0/8")));
    assert!(overrules(by(&interface)));
    assert!(!overrules(foreign(78)) && !overrules(foreign(32_766)), "ours are asked first");
    assert!(!overrules(from("192.0.2.0/24")) && !overrules(to("198.51.100.0/24")));
    assert!(!overrules(by("docker0")));
    assert!(!foreign(10).overrules(&prefixes(false), &vpc), "it is of the other family");
}
