use super::*;
use crate::wire::ip::InnerPacket;
use hex_literal::hex;

const MAC: MacAddress = MacAddress([0x00, 0x00, 0x5e, 0x00, 0x01, 0x07]);

#[test]
fn a_gratuitous_arp_asks_everyone_for_its_own_address() {
    let frame = announcement(Ipv4Addr::new(10, 1, 0, 1).into(), MAC);
    let expected = hex!(
        "ffffffffffff 00005e000107 0806"
        "0001 0800 06 04 0001"
        "00005e000107 0a010001"
        "000000000000 0a010001"
    );
    assert_eq!(frame, expected);
}

#[test]
fn a_neighbor_advertisement_tells_all_nodes_where_the_router_is() {
    let address = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 1);
    let frame = announcement(address.into(), MAC);
    assert_eq!(frame[..14], hex!("333300000001 00005e000107 86dd"));
    let packet = InnerPacket::parse(&frame[14..]).unwrap();
    assert_eq!((packet.source, packet.destination), (address.into(), ALL_NODES.into()));
    assert_eq!((packet.protocol, packet.ttl, packet.total_len), (protocol::ICMPV6, 255, 72));
    let message = &frame[54..];
    assert_eq!(message[0..2], [136, 0]);
    assert_eq!(message[4..8], hex!("a0000000"));
    assert_eq!(message[8..24], address.octets());
    assert_eq!(message[24..], hex!("02 01 00005e000107"));
    let pseudo = checksum::pseudo_header_v6(address, ALL_NODES, protocol::ICMPV6, 32);
    assert_eq!(pseudo.bytes(message).finish(), 0);
}
