use super::*;
use crate::wire::neighbor::{NeighborSolicitation, solicited_node};
use hex_literal::hex;

const ASKER_MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);
const OWN: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const VIRTUAL_V4: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const VIRTUAL_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 1);
const ASKER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 0x10);

fn request(sender_mac: MacAddress, sender: Ipv4Addr) -> NeighborFrame {
    let message = Arp {
        operation: ArpOperation::REQUEST,
        sender_mac,
        sender,
        target_mac: MacAddress::UNKNOWN,
        target: VIRTUAL_V4,
    };
    addressed(MacAddress::BROADCAST, ASKER_MAC, NeighborMessage::Arp(message))
}

fn solicitation(source: Ipv6Addr, source_mac: Option<MacAddress>) -> NeighborFrame {
    let destination = solicited_node(VIRTUAL_V6);
    let asked = NeighborSolicitation { source, destination, target: VIRTUAL_V6, source_mac };
    addressed(group_mac(destination), ASKER_MAC, NeighborMessage::Solicitation(asked))
}

#[test]
fn a_gratuitous_arp_asks_everyone_for_its_own_address() {
    let expected = hex!(
        "ffffffffffff 020000000001 0806"
        "0001 0800 06 04 0001"
        "020000000001 0a010001"
        "000000000000 0a010001"
    );
    let announced = announcement(VIRTUAL_V4.into(), OWN);
    assert_eq!(announced.encode(), expected);
    assert_eq!(question(&announced), None);
    assert_eq!(claim(&announced), Some((VIRTUAL_V4.into(), OWN)));
}

#[test]
fn a_neighbor_advertisement_tells_all_nodes_where_the_router_is() {
    let announced = announcement(VIRTUAL_V6.into(), OWN);
    let frame = announced.encode();
    assert_eq!(frame[..14], hex!("333300000001 020000000001 86dd"));
    assert_eq!(frame[38..54], ALL_NODES.octets());
    assert_eq!(frame[58..62], hex!("a0000000"), "router, not solicited, override");
    assert_eq!(frame[78..], hex!("02 01 020000000001"));
    assert_eq!(claim(&announced), Some((VIRTUAL_V6.into(), OWN)));
}

#[test]
fn an_arp_request_is_answered_with_our_address() {
    let asked = request(ASKER_MAC, Ipv4Addr::new(10, 1, 0, 10));
    assert_eq!(question(&asked), Some(VIRTUAL_V4.into()));
    let expected = hex!(
        "020000000009 020000000001 0806"
        "0001 0800 06 04 0002"
        "020000000001 0a010001"
        "020000000009 0a01000a"
    );
    assert_eq!(answer(&asked, OWN).unwrap().encode(), expected);
}

#[test]
fn an_arp_probe_is_answered_and_claims_nothing() {
    let probe = request(ASKER_MAC, Ipv4Addr::UNSPECIFIED);
    assert_eq!(claim(&probe), None);
    assert!(answer(&probe, OWN).is_some());
}

#[test]
fn a_solicitation_is_answered_to_the_address_that_it_names() {
    let named = MacAddress([2, 0, 0, 0, 0, 0x77]);
    for (option, expected) in [(Some(named), named), (None, ASKER_MAC)] {
        let reply = answer(&solicitation(ASKER_V6, option), OWN).unwrap();
        assert_eq!(reply.destination, expected);
        let NeighborMessage::Advertisement(told) = reply.message else { panic!("{reply:?}") };
        assert_eq!((told.destination, told.is_solicited, told.overrides), (ASKER_V6, true, true));
        assert_eq!(told.target_mac, Some(OWN));
    }
}

#[test]
fn duplicate_address_detection_is_answered_to_all_nodes() {
    let reply = answer(&solicitation(Ipv6Addr::UNSPECIFIED, None), OWN).unwrap();
    assert_eq!(reply, announcement(VIRTUAL_V6.into(), OWN));
}

#[test]
fn nobody_is_answered_by_flooding_the_link() {
    let asked = request(MacAddress::BROADCAST, Ipv4Addr::new(10, 1, 0, 10));
    assert_eq!(answer(&asked, OWN), None);
    let asked = solicitation(ASKER_V6, Some(group_mac(ALL_NODES)));
    assert_eq!(answer(&asked, OWN), None);
}

#[test]
fn what_asks_nothing_gets_no_answer() {
    let reply = answer(&request(ASKER_MAC, Ipv4Addr::new(10, 1, 0, 10)), OWN).unwrap();
    assert_eq!(answer(&reply, ASKER_MAC), None);
    assert_eq!(answer(&announcement(VIRTUAL_V6.into(), OWN), ASKER_MAC), None);
}
