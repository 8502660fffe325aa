use super::*;

#[test]
fn distinguished_names_are_written_as_rfc_4514_has_them() {
    let name: Identity = "dn:CN=branch 7,O=Example".parse().unwrap();
    assert_eq!(name.to_string(), "dn:CN=branch 7,O=Example");
    // Of a DER name the most general part comes first: RFC 4514 §2.1 turns it round.
    let wire = name.to_wire();
    assert!(wire.data.windows(7).position(|octets| octets == b"Example").unwrap() < 20);
    assert_eq!(Identity::from_wire(&wire), name);
    for wrong in ["dn:", "dn:branch", "dn:=x", "dn:CN"] {
        assert_eq!(
            wrong.parse::<Identity>(),
            Err(ParseIdentityError::DistinguishedName),
            "{wrong}"
        );
    }
}

/// strongSwan writes a PrintableString where OpenSSL writes a UTF8String.
#[test]
fn the_string_type_of_a_distinguished_name_does_not_matter() {
    let of = |tag| {
        let id_type = IdType::DER_ASN1_DN;
        let data = [&[0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, tag, 1][..], b"a"].concat();
        Identity::Other { id_type, data }
    };
    let (printable, utf8) = (of(0x13), of(0x0c));
    assert_eq!((printable.to_string(), &printable), ("dn:CN=a".to_owned(), &utf8));
    assert_ne!(printable, "dn:CN=b".parse().unwrap());
}
use proptest::prelude::*;

#[test]
fn each_form_is_recognised() {
    let identity = |text: &str| text.parse::<Identity>().unwrap();
    assert_eq!(identity("east-a"), Identity::Fqdn("east-a".to_owned()));
    assert_eq!(identity("gw.example.com"), Identity::Fqdn("gw.example.com".to_owned()));
    assert_eq!(identity("192.0.2.1"), Identity::Address("192.0.2.1".parse().unwrap()));
    assert_eq!(identity("2001:db8::1"), Identity::Address("2001:db8::1".parse().unwrap()));
    assert_eq!(identity("keyid:branch 7"), Identity::KeyId(b"branch 7".to_vec()));
    assert_eq!(identity("keyid:0x00fF"), Identity::KeyId(vec![0x00, 0xff]));
    assert_eq!(identity("user@example.com"), Identity::Rfc822("user@example.com".to_owned()));
    assert_eq!(identity("rfc822:a@b"), Identity::Rfc822("a@b".to_owned()));
    assert_eq!(identity("fqdn:192.0.2.1"), Identity::Fqdn("192.0.2.1".to_owned()));
}

#[test]
fn what_is_no_identity_is_refused_with_its_reason() {
    let refused = |text: &str| text.parse::<Identity>().unwrap_err();
    assert_eq!(refused(""), ParseIdentityError::Empty);
    assert_eq!(refused("keyid:"), ParseIdentityError::Empty);
    assert_eq!(refused("keyid:0x"), ParseIdentityError::Empty);
    assert_eq!(refused("keyid:0x123"), ParseIdentityError::Hexadecimal);
    assert_eq!(refused("keyid:0xég"), ParseIdentityError::Hexadecimal);
    assert_eq!(refused("east a"), ParseIdentityError::Character(' '));
    assert_eq!(refused("a user@example.com"), ParseIdentityError::Character(' '));
    assert_eq!(refused("user@example com"), ParseIdentityError::Character(' '));
    for mail in ["@example.com", "user@", "a@b@c", "rfc822:example.com"] {
        assert_eq!(refused(mail), ParseIdentityError::Mail, "{mail}");
    }
    assert_eq!(refused(&"a".repeat(256)), ParseIdentityError::TooLong);
}

#[test]
fn a_name_that_looks_like_an_address_is_shown_as_a_name() {
    let name: Identity = "fqdn:192.0.2.1".parse().unwrap();
    assert_eq!(name.to_string(), "fqdn:192.0.2.1");
}

proptest! {
    #[test]
    fn an_opaque_identity_reads_back_as_it_is_shown(bytes in prop::collection::vec(any::<u8>(), 1..100)) {
        let identity = Identity::KeyId(bytes);
        prop_assert_eq!(identity.to_string().parse::<Identity>(), Ok(identity));
    }

    #[test]
    fn a_name_reads_back_as_it_is_shown(name in "[a-z][a-z0-9.-]{0,60}") {
        let identity: Identity = name.parse().unwrap();
        prop_assert_eq!(identity.to_string(), name);
    }
}
