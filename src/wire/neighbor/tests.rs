use super::*;
use hex_literal::hex;
use proptest::prelude::*;

const ASKER_MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);
const OWN: MacAddress = MacAddress([0x00, 0x00, 0x5e, 0x00, 0x01, 0x07]);
const ASKER: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 0x10);
const TARGET: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 1);

/// 10.1.0.10 asks for 10.1.0.1.
const REQUEST: [u8; 42] = hex!(
    "ffffffffffff 020000000009 0806"
    "0001 0800 06 04 0001 020000000009 0a01000a 000000000000 0a010001"
);

/// fd00:1::10 asks for fd00:1::1. The checksum's sum in hexadecimal: the pseudo-header's
/// fd00 + 1 + 10 + ff02 + 1 + ff00 + 1 + 20 + 3a, the message's 8700 + fd00 + 1 + 1, and the
/// option's 101 + 200 + 0 + 9 make 4827b; folded 827f; complement 7d80.
const SOLICITATION: [u8; 86] = hex!(
    "3333ff000001 020000000009 86dd"
    "60000000 0020 3a ff fd000001000000000000000000000010 ff0200000000000000000001ff000001"
    "87 00 7d80 00000000 fd000001000000000000000000000001 01 01 020000000009"
);

fn request() -> NeighborFrame {
    let arp = Arp {
        operation: ArpOperation::REQUEST,
        sender_mac: ASKER_MAC,
        sender: Ipv4Addr::new(10, 1, 0, 10),
        target_mac: MacAddress::UNKNOWN,
        target: Ipv4Addr::new(10, 1, 0, 1),
    };
    let destination = MacAddress::BROADCAST;
    NeighborFrame { destination, source: ASKER_MAC, message: NeighborMessage::Arp(arp) }
}

fn solicitation() -> NeighborFrame {
    let destination = solicited_node(TARGET);
    let source_mac = Some(ASKER_MAC);
    let question = NeighborSolicitation { source: ASKER, destination, target: TARGET, source_mac };
    NeighborFrame {
        destination: group_mac(destination),
        source: ASKER_MAC,
        message: NeighborMessage::Solicitation(question),
    }
}

fn advertisement(destination: Ipv6Addr, is_solicited: bool) -> NeighborFrame {
    let answer = NeighborAdvertisement {
        source: TARGET,
        destination,
        is_router: true,
        is_solicited,
        overrides: true,
        target: TARGET,
        target_mac: Some(OWN),
    };
    NeighborFrame {
        destination: ASKER_MAC,
        source: OWN,
        message: NeighborMessage::Advertisement(answer),
    }
}

#[test]
fn an_arp_request_has_the_octets_of_rfc_826() {
    assert_eq!(request().encode(), REQUEST);
    assert_eq!(NeighborFrame::decode(&REQUEST), Ok(request()));
}

#[test]
fn a_solicitation_has_the_octets_of_rfc_4861() {
    assert_eq!(solicitation().encode(), SOLICITATION);
    assert_eq!(NeighborFrame::decode(&SOLICITATION), Ok(solicitation()));
}

#[test]
fn an_advertisement_has_the_octets_of_rfc_4861() {
    let frame = advertisement(ASKER, true).encode();
    assert_eq!(frame[..22], hex!("020000000009 00005e000107 86dd 60000000 0020 3aff"));
    assert_eq!(frame[54..56], [136, 0]);
    assert_eq!(frame[58..62], hex!("e0000000"));
    assert_eq!(frame[78..], hex!("02 01 00005e000107"));
    assert!(is_intact(TARGET, ASKER, &frame[54..]));
    assert_eq!(NeighborFrame::decode(&frame), Ok(advertisement(ASKER, true)));
}

#[test]
fn padding_is_no_part_of_the_message() {
    for frame in [&REQUEST[..], &SOLICITATION[..]] {
        let padded = [frame, &[0xaa; 18]].concat();
        assert_eq!(NeighborFrame::decode(&padded), NeighborFrame::decode(frame));
    }
}

#[test]
fn every_truncation_is_refused() {
    for whole in [request(), solicitation(), advertisement(ASKER, true)] {
        let bytes = whole.encode();
        for length in 0..bytes.len() {
            assert!(NeighborFrame::decode(&bytes[..length]).is_err(), "{length} of {whole:?}");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_solicitation_is_noticed() {
    for at in 22..SOLICITATION.len() {
        for bit in 0..8 {
            let mut bent = SOLICITATION;
            bent[at] ^= 1 << bit;
            assert!(NeighborFrame::decode(&bent).is_err(), "bit {bit} of octet {at}");
        }
    }
}

#[test]
fn what_comes_over_a_router_is_refused() {
    let mut far = SOLICITATION;
    far[21] = 254;
    assert!(NeighborFrame::decode(&far).is_err());
}

#[test]
fn a_group_solicits_nothing() {
    assert!(NeighborFrame::decode(&advertisement(ALL_NODES, true).encode()).is_err());
    assert!(NeighborFrame::decode(&advertisement(ALL_NODES, false).encode()).is_ok());
}

#[test]
fn who_tries_an_address_has_none_to_tell() {
    let tries = |source_mac, destination| {
        let source = Ipv6Addr::UNSPECIFIED;
        let question = NeighborSolicitation { source, destination, target: TARGET, source_mac };
        NeighborFrame { message: NeighborMessage::Solicitation(question), ..solicitation() }
    };
    let group = solicited_node(TARGET);
    assert!(NeighborFrame::decode(&tries(None, group).encode()).is_ok());
    assert!(NeighborFrame::decode(&tries(Some(ASKER_MAC), group).encode()).is_err());
    assert!(NeighborFrame::decode(&tries(None, TARGET).encode()).is_err());
}

#[test]
fn an_option_without_length_is_refused() {
    let NeighborMessage::Solicitation(question) = solicitation().message else { unreachable!() };
    let mut body = message(Icmpv6Type::NEIGHBOR_SOLICITATION, 0, TARGET, Some((1, ASKER_MAC)));
    body[25] = 0;
    let mut writer = Writer::new();
    writer.bytes(&SOLICITATION[..14]);
    packet(question.source, question.destination, body, &mut writer);
    let error = NeighborFrame::decode(&writer.into_bytes()).unwrap_err();
    assert_eq!(error.why, Fault::Length(0));
}

#[test]
fn a_solicited_node_group_ends_like_the_address() {
    let address = "fd00:1::12:3456".parse().unwrap();
    let group = solicited_node(address);
    assert_eq!(group, "ff02::1:ff12:3456".parse::<Ipv6Addr>().unwrap());
    assert_eq!(group_mac(group).to_string(), "33:33:ff:12:34:56");
}

#[test]
fn the_marks_tell_questions_and_answers_from_other_frames() {
    let is_marked = |frame: &[u8]| {
        IPV6_MARKS.iter().any(|line| line.iter().all(|&(at, octet)| frame.get(at) == Some(&octet)))
    };
    assert!(is_marked(&SOLICITATION) && is_marked(&advertisement(ASKER, true).encode()));
    let mut ping = SOLICITATION;
    ping[54] = Icmpv6Type::ECHO_REQUEST.0;
    assert!(!is_marked(&ping));
}

fn macs() -> impl Strategy<Value = MacAddress> {
    any::<[u8; 6]>().prop_map(MacAddress)
}

fn unicast() -> impl Strategy<Value = Ipv6Addr> {
    any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits >> 8 | 0xfd << 120))
}

proptest! {
    #[test]
    fn frames_read_back(
        (destination, source, sender_mac, target_mac) in (macs(), macs(), macs(), macs()),
        operation: u16,
        (sender, target) in any::<(Ipv4Addr, Ipv4Addr)>(),
        (asker, asked) in (unicast(), unicast()),
        [is_router, is_solicited, overrides, has_option] in any::<[bool; 4]>(),
    ) {
        let operation = ArpOperation(operation);
        let option = has_option.then_some(target_mac);
        let messages = [
            NeighborMessage::Arp(Arp { operation, sender_mac, sender, target_mac, target }),
            NeighborMessage::Solicitation(NeighborSolicitation {
                source: asker, destination: solicited_node(asked), target: asked, source_mac: option,
            }),
            NeighborMessage::Advertisement(NeighborAdvertisement {
                source: asked, destination: asker, is_router, is_solicited, overrides,
                target: asked, target_mac: option,
            }),
        ];
        for message in messages {
            let frame = NeighborFrame { destination, source, message };
            prop_assert_eq!(NeighborFrame::decode(&frame.encode()), Ok(frame));
        }
    }

    #[test]
    fn any_octets_are_refused_or_read(bytes: Vec<u8>) {
        let _ = NeighborFrame::decode(&bytes);
    }
}
