//! What is suggested of what a host has.

use super::*;

#[test]
fn networks_of_guests_and_single_addresses_are_not_suggested() {
    let found = [
        ("10.1.0.0/24", "eth1"),
        ("172.17.0.0/16", "docker0"),
        ("192.168.122.0/24", "virbr0"),
        ("fd76:706e::1/128", "vpn-main"),
        ("10.2.0.0/24", "eth0"),
        ("203.0.113.0/24", "eth1"),
    ];
    let found = found.map(|(prefix, device)| (prefix.parse().unwrap(), device.to_owned()));
    let inner = inner(found.clone().into_iter(), &["eth0".to_owned()].into());
    assert_eq!(inner, found[..1]);
}
