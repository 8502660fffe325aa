//! What a wish becomes in the kernel is the same wish when it is found there.

use super::*;
use crate::config::Outline;
use crate::gateway::world::{Host, HostDevice, guards};
use crate::testing::deployment::{self, Site};
use std::collections::BTreeSet;
use std::net::IpAddr;

const SITES: [Site; 2] = [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }];

/// A host whose underlay is `wan0`, with a default route.
fn host(listening: &[IpAddr]) -> Host {
    let wan = HostDevice {
        addresses: listening.iter().copied().collect(),
        is_default: true,
        ..HostDevice::default()
    };
    Host { devices: [("wan0".to_owned(), wan)].into(), ..Host::default() }
}

#[test]
fn every_guard_is_recognized_where_it_stands() {
    let text = deployment::text(SITES[0], &SITES, &["red"]);
    let text = text.replace("accept = [", "accept = [\"0.0.0.0/0\", \"::/0\", ");
    let config = deployment::parse(&text);
    let listening = &config.gateway.listen;
    let mut kinds = BTreeSet::new();
    for wish in guards(&Outline::of(&config), &host(listening), listening) {
        kinds.insert(wish.to_string().split_whitespace().next().map(str::to_owned));
        let seen = match &wish {
            Wish::Rule(one) => wish_of_rule(&rule(one), None),
            other => route(other, &BTreeMap::new()).as_ref().and_then(wish_of_route),
        };
        assert_eq!(seen, Some(wish));
    }
    for shortest in [0, 1, 16] {
        let when = When::Bound("vpn-red".to_owned(), Prefix::all_ipv4());
        let then = Then::LookupMain { shortest };
        let home = world::Rule { netns: None, ipv4: true, priority: 84, when, then };
        assert_eq!(wish_of_rule(&rule(&home), None), Some(Wish::Rule(home.into())));
    }
    // "guard of", "exception for", "bar before", "IPv4 rule", "IPv6 rule"
    assert_eq!(kinds.len(), 5, "{kinds:?}");
}
