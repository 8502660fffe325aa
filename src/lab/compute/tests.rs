use super::*;
use std::collections::BTreeSet;

#[test]
fn two_tenants_have_a_machine_each_on_every_compute_node() {
    let topology = three_regions(true);
    assert_eq!(topology.names(Role::Gateway).count(), 6);
    assert_eq!(topology.names(Role::Compute).count(), 6);
    assert_eq!(topology.names(Role::Host).count(), 12);
    assert_eq!(topology.names(Role::Vpc).count(), 12);
    let places: BTreeSet<_> = topology.names(Role::Host).map(|name| place(name).unwrap()).collect();
    assert_eq!(places.len(), 12);
    assert!(places.contains(&("east", "red", "a")));
}

#[test]
fn tenants_have_the_same_addresses() {
    let topology = three_regions(true);
    let of = |tenant: &str| {
        let addresses =
            |zone| topology.find(&machine("north", tenant, zone)).unwrap().addresses.clone();
        ["a", "b"].map(addresses)
    };
    assert_eq!(of("red"), of("blue"));
}

#[test]
fn every_node_floods_to_all_others_of_its_region() {
    for node in three_regions(true).nodes {
        for segment in &node.segments {
            assert_eq!(segment.vteps.len(), 3, "{}", node.name);
            assert!(!segment.vteps.contains(&segment.local), "{}", node.name);
        }
    }
}

#[test]
fn device_names_fit_into_the_kernel() {
    for cable in three_regions(true).cables {
        for end in cable.ends {
            assert!(end.device.len() < 16, "{}", end.device);
        }
    }
}
