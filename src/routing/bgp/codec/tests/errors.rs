//! What each kind of broken message does (RFC 4271 §6, RFC 7606).

use super::*;
use crate::routing::bgp::AttributeFault as Fault;
use hex_literal::hex;

const ORIGIN: &[u8] = &hex!("40 01 01 00");
const AS_PATH: &[u8] = &hex!("40 02 06 02 01 0000fde9");
const NEXT_HOP: &[u8] = &hex!("40 03 04 c0000201");
const NLRI: &[u8] = &hex!("10 0a01");
const REACH: &[u8] =
    &hex!("80 0e 1c 0002 01 10 fd000000000000000000000000000001 00 30 fd0000010000");

/// What a message with these attributes and one IPv4 prefix comes to.
fn outcome(attributes: &[&[u8]], context: &Context) -> Result<Update, Cause> {
    match decoded(&update_message(&[], &attributes.concat(), NLRI), context)? {
        Message::Update(update) => Ok(update),
        other => panic!("no update: {other:?}"),
    }
}

#[test]
fn broken_values_withdraw_the_routes_and_keep_the_session() {
    let cases: &[(&str, &[&[u8]], Fault)] = &[
        ("no ORIGIN", &[AS_PATH, NEXT_HOP], Fault::Missing(1)),
        ("no AS_PATH", &[ORIGIN, NEXT_HOP], Fault::Missing(2)),
        ("no NEXT_HOP", &[ORIGIN, AS_PATH], Fault::Missing(3)),
        ("ORIGIN 3", &[&hex!("40 01 01 03"), AS_PATH, NEXT_HOP], Fault::Malformed(1)),
        ("long ORIGIN", &[&hex!("40 01 02 0000"), AS_PATH, NEXT_HOP], Fault::Malformed(1)),
        ("empty ORIGIN", &[&hex!("40 01 00"), AS_PATH, NEXT_HOP], Fault::Malformed(1)),
        ("optional ORIGIN", &[&hex!("c0 01 01 00"), AS_PATH, NEXT_HOP], Fault::Flags(1)),
        (
            "segment overruns",
            &[ORIGIN, &hex!("40 02 06 02 02 0000fde9"), NEXT_HOP],
            Fault::Malformed(2),
        ),
        (
            "segment of a confederation",
            &[ORIGIN, &hex!("40 02 06 03 01 0000fde9"), NEXT_HOP],
            Fault::Malformed(2),
        ),
        ("empty segment", &[ORIGIN, &hex!("40 02 02 02 00"), NEXT_HOP], Fault::Malformed(2)),
        ("AS 0", &[ORIGIN, &hex!("40 02 06 02 01 00000000"), NEXT_HOP], Fault::Malformed(2)),
        ("short NEXT_HOP", &[ORIGIN, AS_PATH, &hex!("40 03 03 c00002")], Fault::Malformed(3)),
        ("NEXT_HOP 0", &[ORIGIN, AS_PATH, &hex!("40 03 04 00000000")], Fault::Malformed(3)),
        ("multicast", &[ORIGIN, AS_PATH, &hex!("40 03 04 e0000001")], Fault::Malformed(3)),
        ("short MED", &[ORIGIN, AS_PATH, NEXT_HOP, &hex!("80 04 03 000001")], Fault::Malformed(4)),
        (
            "odd COMMUNITIES",
            &[ORIGIN, AS_PATH, NEXT_HOP, &hex!("c0 08 05 0000000001")],
            Fault::Malformed(8),
        ),
        (
            "odd large communities",
            &[ORIGIN, AS_PATH, NEXT_HOP, &hex!("c0 20 04 00000001")],
            Fault::Malformed(32),
        ),
        (
            "odd extended communities",
            &[ORIGIN, AS_PATH, NEXT_HOP, &hex!("c0 10 04 00000001")],
            Fault::Malformed(16),
        ),
        ("empty COMMUNITIES", &[ORIGIN, AS_PATH, NEXT_HOP, &hex!("c0 08 00")], Fault::Malformed(8)),
        (
            "short ONLY_TO_CUSTOMER",
            &[ORIGIN, AS_PATH, NEXT_HOP, &hex!("c0 23 02 fde9")],
            Fault::Malformed(35),
        ),
        (
            "well-known ONLY_TO_CUSTOMER",
            &[ORIGIN, AS_PATH, NEXT_HOP, &hex!("40 23 04 0000fde9")],
            Fault::Flags(35),
        ),
        ("overrun", &[ORIGIN, AS_PATH, NEXT_HOP, &hex!("80 04 04 0001")], Fault::Overrun),
        ("lone flags", &[ORIGIN, AS_PATH, NEXT_HOP, &hex!("80")], Fault::Overrun),
    ];
    for (what, attributes, fault) in cases {
        let update =
            outcome(attributes, &wide()).unwrap_or_else(|cause| panic!("{what}: {cause:?}"));
        assert_eq!(update.fault, Some(*fault), "{what}");
        assert_eq!(update.withdrawn, [prefix("10.1.0.0/16")], "{what}");
        assert!(update.announced.is_empty(), "{what}");
    }
}

#[test]
fn reflectors_of_our_own_as_are_read_and_broken_ones_withdraw() {
    let internal = Context { internal: true, ..wide() };
    let preference = hex!("40 05 04 00000064");
    let with = |attributes: &[&[u8]]| {
        outcome(&[&[ORIGIN, AS_PATH, NEXT_HOP, &preference], attributes].concat(), &internal)
    };
    let reflected = with(&[&hex!("80 09 04 c0000201"), &hex!("80 0a 08 c0000202 c0000203")]);
    let reflected = reflected.expect("an update").announced[0].attributes.clone();
    assert_eq!(reflected.originator(), Some(Ipv4Addr::new(192, 0, 2, 1)));
    assert_eq!(reflected.clusters(), 2);
    for last in 1..=3 {
        assert!(reflected.has_come_back_to(Ipv4Addr::new(192, 0, 2, last)));
    }
    assert!(!reflected.has_come_back_to(Ipv4Addr::new(192, 0, 2, 4)));
    let broken: &[(&[u8], u8)] = &[
        (&hex!("80 09 03 c00002"), 9),
        (&hex!("80 0a 00"), 10),
        (&hex!("80 0a 06 c0000202 c000"), 10),
    ];
    for (attribute, code) in broken {
        let update = with(&[attribute]).expect("no reset");
        assert_eq!(update.fault, Some(Fault::Malformed(*code)));
    }
}

#[test]
fn harmless_errors_cost_the_attribute_only() {
    let cases: &[(&str, &[u8])] = &[
        ("LOCAL_PREF from outside", &hex!("40 05 04 00000064")),
        ("AGGREGATOR of the wrong length", &hex!("c0 07 06 fde9 c0000201")),
        ("ATOMIC_AGGREGATE with a value", &hex!("40 06 01 00")),
        ("AS4_PATH between new speakers", &hex!("c0 11 06 02 01 0000fde9")),
        ("ORIGINATOR_ID from outside", &hex!("80 09 04 c0000201")),
        ("CLUSTER_LIST from outside", &hex!("80 0a 04 c0000201")),
        ("a second ORIGIN", &hex!("40 01 01 02")),
    ];
    for (what, attribute) in cases {
        let update = outcome(&[ORIGIN, AS_PATH, NEXT_HOP, attribute], &wide()).expect(what);
        assert_eq!((update.fault, update.discarded), (None, 1), "{what}");
        assert_eq!(update.announced[0].attributes.origin, Origin::Igp, "{what}");
    }
}

#[test]
fn what_cannot_be_located_ends_the_session() {
    let well_known = hex!("40 63 01 00");
    let twice = [REACH, REACH].concat();
    let bad_next_hop = hex!("80 0e 0b 0002 01 05 fd00000001 00 00");
    let bad_prefix = hex!("80 0f 05 0002 01 81 ff");
    let cases: &[(&str, &[u8], Cause)] = &[
        ("unknown well-known", &well_known, Cause::UnrecognizedWellKnown(well_known.to_vec())),
        ("two MP_REACH_NLRI", &twice, Cause::MalformedAttributeList),
        ("next hop", &bad_next_hop, Cause::MalformedMultiprotocol(bad_next_hop.to_vec())),
        ("prefix of 129", &bad_prefix, Cause::MalformedMultiprotocol(bad_prefix.to_vec())),
    ];
    for (what, attribute, cause) in cases {
        let outcome = outcome(&[ORIGIN, AS_PATH, NEXT_HOP, attribute], &wide());
        assert_eq!(outcome, Err(cause.clone()), "{what}");
    }
    let no_prefix = |attributes: &[u8]| decoded(&update_message(&[], attributes, &[]), &wide());
    assert_eq!(no_prefix(&hex!("40 01 01 09")), Err(Cause::MalformedAttributeList));
    let prefixes =
        |withdrawn: &[u8], nlri: &[u8]| decoded(&update_message(withdrawn, &[], nlri), &wide());
    assert_eq!(prefixes(&hex!("21 0a010203 04"), &[]), Err(Cause::InvalidNetworkField));
    assert_eq!(prefixes(&hex!("18 0a01"), &[]), Err(Cause::InvalidNetworkField));
    assert_eq!(prefixes(&[], &hex!("18 0a01")), Err(Cause::InvalidNetworkField));
    let mut overlapping = update_message(&[], ORIGIN, NLRI);
    overlapping[22] = 200;
    assert_eq!(decoded(&overlapping, &wide()), Err(Cause::MalformedAttributeList));
}

#[test]
fn a_broken_attribute_withdraws_multiprotocol_routes_too() {
    let attributes = [REACH, &hex!("40 01 01 09"), AS_PATH].concat();
    let Ok(Message::Update(update)) = decoded(&update_message(&[], &attributes, &[]), &wide())
    else {
        panic!("an update")
    };
    assert_eq!(update.withdrawn, [prefix("fd00:1::/48")]);
    assert_eq!(update.fault, Some(Fault::Malformed(1)));
}

#[test]
fn prefixes_that_are_not_unicast_or_not_agreed_are_ignored() {
    let attributes = [ORIGIN, AS_PATH, NEXT_HOP].concat();
    let nlri = hex!("04 e0 10 0a01");
    let message = update_message(&[], &attributes, &nlri);
    let update = super::update(&message, &wide());
    assert_eq!(
        (update.ignored, &update.announced[0].prefixes[..]),
        (1, &[prefix("10.1.0.0/16")][..])
    );
    let attributes = [ORIGIN, AS_PATH, REACH].concat();
    let only_v4 = Context { families: [Family::Ipv4].into(), ..wide() };
    let update = super::update(&update_message(&[], &attributes, &[]), &only_v4);
    assert_eq!((update.ignored, update.announced.len()), (1, 0));
}

#[test]
fn unknown_transitive_attributes_go_on_marked_partial_and_others_do_not() {
    let transitive = hex!("c0 63 02 0102");
    let local = hex!("80 64 02 0102");
    let update =
        outcome(&[ORIGIN, AS_PATH, NEXT_HOP, &transitive, &local], &wide()).expect("sound");
    let carried = TransitiveAttribute { code: 0x63, partial: true, body: vec![1, 2] };
    assert_eq!(update.announced[0].attributes.transitive, [carried]);
}

#[test]
fn an_open_that_cannot_stand_is_named() {
    let open_message = |body: &[u8]| {
        let length = (19 + body.len()) as u16;
        let message = [&[0xff; 16][..], &length.to_be_bytes(), &[1], body].concat();
        decoded(&message, &wide())
    };
    let cases: &[(&str, &[u8], Cause)] = &[
        ("version 3", &hex!("03 fde9 0009 c0000201 00"), Cause::UnsupportedVersion),
        ("hold time 2", &hex!("04 fde9 0002 c0000201 00"), Cause::UnacceptableHoldTime),
        ("identifier 0", &hex!("04 fde9 0009 00000000 00"), Cause::BadIdentifier),
        ("parameter 1", &hex!("04 fde9 0009 c0000201 02 0100"), Cause::UnsupportedParameter),
        ("parameters cut", &hex!("04 fde9 0009 c0000201 04 0202"), Cause::MalformedOpen),
        ("capability cut", &hex!("04 fde9 0009 c0000201 04 0202 4104"), Cause::MalformedOpen),
        ("trailing octets", &hex!("04 fde9 0009 c0000201 00 00"), Cause::MalformedOpen),
    ];
    for (what, body, cause) in cases {
        assert_eq!(open_message(body), Err(cause.clone()), "{what}");
    }
}

#[test]
fn capabilities_that_we_do_not_know_are_passed_over() {
    // Graceful restart, FQDN, an unknown one, a four-octet AS of the wrong length, route refresh,
    // and a family that is not ours.
    let body = hex!(
        "04 fde9 0009 c0000201 1e 02 1c"
        "4002 0078 4905 0368756200 ee03 010203 4102 fde9 0200 0104 0019 00 46"
    );
    let message = [&[0xff; 16][..], &[0, 19 + body.len() as u8], &[1], &body].concat();
    let Ok(Message::Open(open)) = decoded(&message, &wide()) else { panic!("an open") };
    assert!(open.capabilities.route_refresh && !open.four_octet);
    assert_eq!(open.families, [Family::Ipv4].into(), "none of ours named: IPv4 alone");
}

#[test]
fn extended_optional_parameters_are_read() {
    let body = hex!("04 fde9 0009 c0000201 ff ff 0009 02 0006 4104 00011170");
    let length = (19 + body.len()) as u16;
    let message = [&[0xff; 16][..], &length.to_be_bytes(), &[1], &body].concat();
    let Ok(Message::Open(open)) = decoded(&message, &wide()) else { panic!("an open") };
    assert_eq!((open.asn, open.four_octet), (Asn(70000), true));
}
