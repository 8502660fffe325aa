//! Round trips, wire images, and the error table of RFC 7606.

mod errors;
mod images;

use super::*;
use crate::net::{Asn, Prefix};
use crate::routing::attributes::{
    Aggregator, AsPath, Attributes, Origin, Segment, TransitiveAttribute,
};
use crate::routing::bgp::{Capabilities, FrameBuffer, GracefulRestart, Open, Update};
use std::net::Ipv4Addr;

#[test]
fn open_reads_back() {
    for (asn, four_octet) in [(65001, true), (4_200_000_001, true), (64512, false)] {
        let sent = Open {
            asn: Asn(asn),
            four_octet,
            hold_time: 9,
            identifier: Ipv4Addr::new(192, 0, 2, 1),
            families: Family::ALL.into(),
            capabilities: Capabilities {
                route_refresh: true,
                extended_next_hop: four_octet,
                enhanced_refresh: four_octet,
                extended_messages: four_octet,
                roles: [3].into(),
                graceful_restart: four_octet.then(|| GracefulRestart {
                    restarted: true,
                    time: 120,
                    forwards: [(Family::Ipv6, true)].into(),
                }),
            },
        };
        assert_eq!(decoded(&open(&sent), &wide()), Ok(Message::Open(sent)));
    }
}

#[test]
fn small_messages_read_back() {
    assert_eq!(decoded(&keepalive(), &wide()), Ok(Message::Keepalive));
    for family in Family::ALL {
        for refresh in [Refresh::Wanted, Refresh::Begins, Refresh::Ends] {
            let expected = Message::RouteRefresh(Some((family, refresh)));
            assert_eq!(decoded(&route_refresh(family, refresh), &wide()), Ok(expected));
        }
        let end = update(&end_of_rib(family), &wide());
        assert_eq!((end.end_of_rib, end.withdrawn), (Some(family), vec![]));
    }
    let sent = Notification { code: 6, subcode: 2, data: b"\x05night".to_vec() };
    assert_eq!(decoded(&notification(&sent), &wide()), Ok(Message::Notification(sent)));
}

#[test]
fn routes_read_back_with_every_attribute_in_both_worlds() {
    for context in [wide(), narrow(), Context { internal: true, ..wide() }] {
        for (family, prefixes) in [
            (Family::Ipv4, vec![prefix("10.1.0.0/16"), prefix("0.0.0.0/0"), prefix("10.2.3.4/32")]),
            (Family::Ipv6, vec![prefix("fd00:1::/48"), prefix("::/0"), prefix("fd00::7/128")]),
        ] {
            let mut sent = rich_attributes(family);
            sent.local_preference = context.internal.then_some(120);
            let [message] = &announcements(&sent, family, &prefixes, &context)[..] else {
                panic!("one message")
            };
            let update = update(message, &context);
            assert_eq!(update.fault, None);
            assert_eq!(update.announced.len(), 1);
            assert_eq!(update.announced[0].attributes.as_ref(), &sent, "{context:?}");
            assert_eq!(update.announced[0].prefixes, prefixes);
        }
    }
}

#[test]
fn ipv4_routes_with_an_ipv6_next_hop_need_the_consent_of_both() {
    let sent = rich_attributes(Family::Ipv6);
    let agreed = Context { extended_next_hop: true, ..wide() };
    let prefixes = [prefix("10.1.0.0/16"), prefix("10.2.0.0/16")];
    let message = &announcements(&sent, Family::Ipv4, &prefixes, &agreed)[0];
    let announced = &update(message, &agreed).announced[0];
    assert_eq!(
        (&announced.attributes.next_hop, &announced.prefixes[..]),
        (&sent.next_hop, &prefixes[..])
    );
    assert!(matches!(decoded(message, &wide()), Err(Cause::MalformedMultiprotocol(_))));
}

#[test]
fn many_prefixes_fill_messages_and_none_is_lost() {
    let prefixes: Vec<Prefix> =
        (0..10_000_u32).map(|n| Prefix::host(Ipv4Addr::from(0x0a00_0000 + n).into())).collect();
    let attributes = rich_attributes(Family::Ipv4);
    let messages = announcements(&attributes, Family::Ipv4, &prefixes, &wide());
    assert!(messages.len() <= 14, "{} messages", messages.len());
    assert!(messages.iter().all(|message| message.len() <= 4096));
    let read: Vec<Prefix> = messages
        .iter()
        .flat_map(|message| update(message, &wide()).announced.remove(0).prefixes)
        .collect();
    assert_eq!(read, prefixes);
    let messages = withdrawals(Family::Ipv4, &prefixes);
    assert!(messages.iter().all(|message| message.len() <= 4096));
    let read: Vec<Prefix> =
        messages.iter().flat_map(|message| update(message, &wide()).withdrawn).collect();
    assert_eq!(read, prefixes);
}

#[test]
fn attributes_that_leave_no_room_are_not_announced() {
    let mut attributes = rich_attributes(Family::Ipv4);
    let body = vec![0; 4090];
    attributes.transitive = vec![TransitiveAttribute { code: 200, partial: true, body }];
    let messages = announcements(&attributes, Family::Ipv4, &[prefix("10.0.0.0/8")], &wide());
    assert!(messages.is_empty());
}

#[test]
fn an_old_speaker_between_new_ones_loses_no_as_number() {
    // RFC 6793 §4.2.3: 4-octet speaker → 2-octet AS 64600, which prepends itself → us.
    let mut sent = rich_attributes(Family::Ipv4);
    sent.as_path = AsPath::sequence([Asn(4_200_000_001), Asn(65001)]);
    let message = &announcements(&sent, Family::Ipv4, &[prefix("10.0.0.0/8")], &narrow())[0];
    let path = [2, 2, 0x5b, 0xa0, 0xfd, 0xe9]; // AS_TRANS 65001
    let longer = [2, 3, 0xfc, 0x58, 0x5b, 0xa0, 0xfd, 0xe9]; // 64600 AS_TRANS 65001
    let prepended = replaced(message, &[&[6], &path[..]].concat(), &[&[8], &longer[..]].concat());
    let update = update(&with_lengths(prepended), &narrow());
    let expected = AsPath::sequence([Asn(64600), Asn(4_200_000_001), Asn(65001)]);
    assert_eq!(update.announced[0].attributes.as_path, expected);
}

#[test]
fn the_end_of_rib_markers_are_known() {
    let classic = update_message(&[], &[], &[]);
    assert_eq!(update(&classic, &wide()).end_of_rib, Some(Family::Ipv4));
    let multiprotocol = update_message(&[], &[0x80, 15, 3, 0, 2, 1], &[]);
    assert_eq!(update(&multiprotocol, &wide()).end_of_rib, Some(Family::Ipv6));
    let withdrawal = &withdrawals(Family::Ipv6, &[prefix("fd00::/48")])[0];
    assert_eq!(update(withdrawal, &wide()).end_of_rib, None);
}

fn wide() -> Context {
    Context {
        four_octet: true,
        internal: false,
        families: Family::ALL.into(),
        extended_next_hop: false,
        extended_messages: false,
    }
}

fn narrow() -> Context {
    Context { four_octet: false, ..wide() }
}

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

fn rich_attributes(family: Family) -> Attributes {
    Attributes {
        reflection: None,
        origin: Origin::Egp,
        as_path: AsPath(vec![
            Segment::Sequence(vec![Asn(65001), Asn(4_200_000_001)]),
            Segment::Set(vec![Asn(65002), Asn(70000)]),
        ]),
        next_hop: match family {
            Family::Ipv4 => Ipv4Addr::new(192, 0, 2, 1).into(),
            Family::Ipv6 => "fd00::1".parse().expect("an address"),
        },
        med: Some(50),
        local_preference: None,
        atomic_aggregate: true,
        aggregator: Some(Aggregator { asn: Asn(70001), address: Ipv4Addr::new(192, 0, 2, 9) }),
        transitive: vec![
            TransitiveAttribute { code: 8, partial: false, body: vec![0xfd, 0xe9, 0, 1] },
            TransitiveAttribute { code: 32, partial: true, body: vec![7; 24] },
            TransitiveAttribute { code: 99, partial: true, body: vec![1; 300] },
        ],
    }
}

fn decoded(message: &[u8], context: &Context) -> Result<Message, Cause> {
    let mut input = message;
    let frame = FrameBuffer::default().next(&mut input)?.expect("a whole message");
    assert!(input.is_empty(), "more than one message");
    decode(&frame, context)
}

fn update(message: &[u8], context: &Context) -> Update {
    match decoded(message, context) {
        Ok(Message::Update(update)) => update,
        other => panic!("no update: {other:?}"),
    }
}

fn update_message(withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let sized = |part: &[u8]| [&(part.len() as u16).to_be_bytes(), part].concat();
    let body = [sized(withdrawn), sized(attributes), nlri.to_vec()].concat();
    let length = (19 + body.len()) as u16;
    [&[0xff; 16][..], &length.to_be_bytes(), &[2], &body].concat()
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|window| window == old).expect("the old octets");
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

/// Sets the lengths of an UPDATE without withdrawn routes and with one prefix of two octets.
fn with_lengths(mut message: Vec<u8>) -> Vec<u8> {
    let length = message.len() as u16;
    message[16..18].copy_from_slice(&length.to_be_bytes());
    message[21..23].copy_from_slice(&(length - 23 - 2).to_be_bytes());
    message
}
