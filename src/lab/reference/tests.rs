use std::collections::BTreeSet;

use super::*;

#[test]
fn there_are_six_gateways_and_six_hosts() {
    let topology = three_regions();
    assert_eq!(topology.names(Role::Gateway).count(), 6);
    assert_eq!(topology.names(Role::Host).count(), 6);
}

#[test]
fn no_address_is_given_twice() {
    let topology = three_regions();
    let all: Vec<_> = topology.nodes.iter().flat_map(|node| &node.addresses).collect();
    let distinct: BTreeSet<_> = all.iter().map(|(_, address)| address.address).collect();
    assert_eq!(all.len(), distinct.len());
}

#[test]
fn device_names_fit_into_the_kernel() {
    for cable in three_regions().cables {
        for end in cable.ends {
            assert!(end.device.len() < 16, "{}", end.device);
        }
    }
}

#[test]
fn a_cable_is_pulled_at_its_far_end() {
    let topology = three_regions();
    let far = topology.far_end("east-a", "wan0").unwrap();
    assert_eq!((far.node.as_str(), far.device.as_str()), ("underlay", "east-a"));
}

#[test]
fn a_zone_is_its_gateway_and_its_host() {
    assert_eq!(in_zone("east-b"), Some(("east-b".to_owned(), "east-host-b".to_owned())));
    assert_eq!(in_zone("east-c"), None);
    assert_eq!(in_zone("west-a"), None);
}
