//! Octets as strict peers want them: flags, order, lengths.

use super::*;
use crate::routing::bgp::Capabilities;
use hex_literal::hex;

#[test]
fn open_on_the_wire() {
    let message = open(&Open {
        asn: Asn(4_200_000_001),
        four_octet: true,
        hold_time: 9,
        identifier: Ipv4Addr::new(192, 0, 2, 1),
        families: Family::ALL.into(),
        capabilities: Capabilities {
            route_refresh: true,
            extended_next_hop: true,
            ..Capabilities::default()
        },
    });
    let expected = hex!(
        "ffffffff ffffffff ffffffff ffffffff 003b 01"
        "04 5ba0 0009 c0000201 1e" // version, AS_TRANS, hold time, identifier, parameters
        "02 1c" // capabilities
        "0104 0001 00 01" // IPv4 unicast
        "0104 0002 00 01" // IPv6 unicast
        "0506 0001 0001 0002" // IPv4 with an IPv6 next hop
        "0200" // route refresh
        "4104 fa56ea01" // four-octet AS
    );
    assert_eq!(message, expected);
}

#[test]
fn ipv4_routes_on_the_wire_to_an_external_peer() {
    let attributes = Attributes {
        as_path: AsPath::sequence([Asn(65001)]),
        ..Attributes::originated(Ipv4Addr::new(192, 0, 2, 1).into())
    };
    let prefixes = [prefix("10.1.0.0/16"), prefix("10.2.4.0/22")];
    let message = &announcements(&attributes, Family::Ipv4, &prefixes, &wide())[0];
    let expected = hex!(
        "ffffffff ffffffff ffffffff ffffffff 0032 02"
        "0000 0014"
        "40 01 01 00" // ORIGIN IGP
        "40 02 06 0201 0000fde9" // AS_PATH 65001
        "40 03 04 c0000201" // NEXT_HOP
        "10 0a01 16 0a0204"
    );
    assert_eq!(message[..], expected);
}

#[test]
fn ipv6_routes_on_the_wire_to_an_internal_peer() {
    let attributes = Attributes {
        local_preference: Some(100),
        ..Attributes::originated("fd00::1".parse().expect("an address"))
    };
    let context = Context { internal: true, ..wide() };
    let message = &announcements(&attributes, Family::Ipv6, &[prefix("fd00:1::/48")], &context)[0];
    let expected = hex!(
        "ffffffff ffffffff ffffffff ffffffff 0045 02"
        "0000 002e"
        "90 0e 001c 0002 01 10 fd000000000000000000000000000001 00 30 fd0000010000" // MP_REACH
        "40 01 01 00" // ORIGIN IGP
        "40 02 00" // AS_PATH, empty
        "40 05 04 00000064" // LOCAL_PREF
    );
    assert_eq!(message[..], expected);
}

#[test]
fn withdrawals_on_the_wire() {
    let message = &withdrawals(Family::Ipv4, &[prefix("10.1.0.0/16")])[0];
    let header = hex!("ffffffff ffffffff ffffffff ffffffff");
    assert_eq!(message[16..], hex!("001a 02 0003 10 0a01 0000"));
    assert_eq!(message[..16], header);
    let message = &withdrawals(Family::Ipv6, &[prefix("fd00:1::/48")])[0];
    assert_eq!(message[16..], hex!("0025 02 0000 000e 90 0f 000a 0002 01 30 fd0000010000"));
}

#[test]
fn an_ipv4_next_hop_is_written_mapped_for_ipv6_routes() {
    let attributes = Attributes::originated(Ipv4Addr::new(10, 255, 0, 1).into());
    let message = &announcements(&attributes, Family::Ipv6, &[prefix("fd00::/16")], &wide())[0];
    let update = update(message, &wide());
    let expected = Ipv4Addr::new(10, 255, 0, 1).to_ipv6_mapped();
    assert_eq!(update.announced[0].attributes.next_hop, std::net::IpAddr::V6(expected));
}
