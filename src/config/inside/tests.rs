use super::*;
use std::collections::BTreeSet;

fn named(name: &str) -> Identity {
    name.parse().unwrap()
}

#[test]
fn the_address_never_changes() {
    // Two versions of vpngw at the ends of one tunnel must agree.
    let derived = derive_inside_address(&named("east-a"), "shop");
    assert_eq!(derived.to_string(), "fd76:706e:6777:c009:c2b:9547:475a:ba21");
}

#[test]
fn identity_and_vpc_both_matter() {
    let mut seen = BTreeSet::new();
    for identity in ["east-a", "east-b", "keyid:east-a", "192.0.2.1", "2001:db8::1"] {
        for vpc in ["shop", "bank"] {
            assert!(seen.insert(derive_inside_address(&named(identity), vpc)));
        }
    }
}

#[test]
fn the_border_between_identity_and_vpc_matters() {
    let (one, other) = (named("ab"), named("a"));
    assert_ne!(derive_inside_address(&one, "c"), derive_inside_address(&other, "bc"));
}

#[test]
fn derived_addresses_are_unique_local() {
    let address = derive_inside_address(&named("east-a"), "shop");
    assert!(address.is_unique_local());
}

#[test]
fn the_address_of_a_device_is_link_local_and_always_the_same() {
    let derived = derive_device_address(&named("east-a"), "shop");
    assert_eq!(derived, derive_device_address(&named("east-a"), "shop"));
    for identity in ["east-a", "east-b", "192.0.2.1", "fd00::1"] {
        let octets = derive_device_address(&named(identity), "shop").octets();
        assert_eq!(octets[..2], [169, 254]);
        assert!((1..=254).contains(&octets[2]), "{octets:?}");
    }
}

#[test]
fn both_ends_know_a_tunnel_by_the_same_key_and_no_other_tunnel_by_it() {
    let (east, north) = (named("east-a"), named("north-a"));
    let key = shared_key(&east, &north);
    assert_eq!(key, shared_key(&north, &east));
    // It never changes: two versions of vpngw at the ends of one tunnel must agree.
    assert_eq!(key, 15_673_124_018_320_777_628);
    for other in ["north-b", "keyid:north-a", "192.0.2.1"] {
        assert_ne!(key, shared_key(&east, &named(other)));
    }
    let joined = shared_key(&named("ab"), &named("c"));
    assert_ne!(joined, shared_key(&named("a"), &named("bc")));
}
