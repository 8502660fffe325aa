use super::*;

#[test]
fn every_identity_survives_the_wire() {
    let identities = [
        Identity::Address(IpAddr::from([192, 0, 2, 1])),
        Identity::Address(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])),
        Identity::Fqdn("west.example".into()),
        Identity::Rfc822("gateway@west.example".into()),
        Identity::KeyId(vec![0, 255]),
        Identity::Other { id_type: IdType::DER_ASN1_DN, data: vec![0x30, 0] },
    ];
    for identity in identities {
        assert_eq!(Identity::from_wire(&identity.to_wire()), identity);
    }
}

#[test]
fn what_does_not_fit_its_type_stays_opaque_and_never_equals_a_fitting_one() {
    for id_type in [IdType::IPV4_ADDR, IdType::IPV6_ADDR, IdType::FQDN] {
        let payload = Identification::new(id_type, [0xff, 0xfe]);
        let identity = Identity::from_wire(&payload);
        assert_eq!(identity, Identity::Other { id_type, data: vec![0xff, 0xfe] });
        assert_eq!(identity.to_wire(), payload);
    }
}

#[test]
fn a_name_cannot_break_a_line_of_a_log() {
    assert_eq!(Identity::Fqdn("west\nfake entry".into()).to_string(), "west\\nfake entry");
    assert_eq!(Identity::KeyId(b"gateway-1".to_vec()).to_string(), "keyid:gateway-1");
    assert_eq!(Identity::KeyId(vec![7, 10]).to_string(), "keyid:0x070a");
}

#[test]
fn identities_are_compared_by_the_rules_of_their_type() {
    let same = |one: &str, other: &str| {
        let (one, other): (Identity, Identity) = (one.parse().unwrap(), other.parse().unwrap());
        one == other && one.cmp(&other).is_eq() && one.canonical() == other.canonical()
    };
    assert!(same("GB.Example.ORG", "gb.example.org"));
    assert!(same("vpn@Example.ORG", "vpn@example.org"));
    assert!(!same("VPN@example.org", "vpn@example.org"), "the owner of the domain knows");
    assert!(!same("keyid:Branch", "keyid:branch"));
    assert!(!same("192.0.2.1", "fqdn:192.0.2.1"));
    assert!(!same("gb.example.org", "keyid:gb.example.org"));
}

#[test]
fn the_spelling_reaches_the_payload() {
    let identity: Identity = "GB.example.ORG".parse().unwrap();
    assert_eq!(identity.to_wire().data, b"GB.example.ORG");
}
