use super::*;
use hex_literal::hex;
use proptest::prelude::*;

/// UDP from 192.168.0.1:53 to 192.168.0.199:1024 with DF, TTL 64, and one octet of padding.
const V4: [u8; 29] =
    hex!("4501 001c 1234 4000 40 11 a682 c0a80001 c0a800c7 0035 0400 0008 0000 ff");

/// TCP from 2001:db8::1 to 2001:db8::2 behind hop-by-hop options and a first fragment header.
const V6: [u8; 60] = hex!(
    "6b1abcde 0014 00 3f 20010db8000000000000000000000001 20010db8000000000000000000000002"
    "2c 00 0104 00000000"
    "06 00 0001 00000007"
    "0016 c000"
);

#[test]
fn an_ipv4_packet_shows_its_fields() {
    let header = Ipv4Header::parse(&V4).unwrap();
    assert_eq!(
        (header.header_len(), header.total_len(), header.identification()),
        (20, 28, 0x1234)
    );
    let packet = InnerPacket::parse(&V4).unwrap();
    let expected = InnerPacket {
        source: Ipv4Addr::new(192, 168, 0, 1).into(),
        destination: Ipv4Addr::new(192, 168, 0, 199).into(),
        protocol: protocol::UDP,
        transport_offset: 20,
        fragment: Fragment::Whole,
        total_len: 28,
        tos: 1,
        ttl: 64,
        dont_fragment: true,
    };
    assert_eq!(packet, expected);
    assert_eq!(packet.ports(&V4), Some((53, 1024)));
    assert_eq!(packet.esp_next_header(), 4);
}

#[test]
fn the_ipv4_header_checksum_covers_header_and_options() {
    let mut packet = V4;
    let checksum =
        checksum::Sum::of(&packet[..20]).u16(!u16::from_be_bytes([packet[10], packet[11]]));
    packet[10..12].copy_from_slice(&checksum.finish().to_be_bytes());
    assert!(Ipv4Header::parse(&packet).unwrap().checksum_is_valid());
    packet[8] -= 1;
    assert!(!Ipv4Header::parse(&packet).unwrap().checksum_is_valid());
}

#[test]
fn an_ipv6_packet_shows_what_is_behind_extension_headers() {
    let packet = InnerPacket::parse(&V6).unwrap();
    let expected = InnerPacket {
        source: "2001:db8::1".parse().unwrap(),
        destination: "2001:db8::2".parse().unwrap(),
        protocol: protocol::TCP,
        transport_offset: 56,
        fragment: Fragment::First,
        total_len: 60,
        tos: 0xb1,
        ttl: 63,
        dont_fragment: true,
    };
    assert_eq!(packet, expected);
    assert_eq!(packet.ports(&V6), Some((22, 0xc000)));
    assert_eq!(Ipv6Header::parse(&V6).unwrap().flow_label(), 0xabcde);
    assert_eq!(packet.esp_next_header(), 41);
}

#[test]
fn a_later_fragment_has_no_ports() {
    let mut v6 = V6;
    v6[50] = 1; // fragment offset
    let packet = InnerPacket::parse(&v6).unwrap();
    assert_eq!((packet.fragment, packet.ports(&v6)), (Fragment::Later, None));
    let mut v4 = V4;
    v4[6..8].copy_from_slice(&[0x20, 0x10]);
    let packet = InnerPacket::parse(&v4).unwrap();
    assert_eq!((packet.fragment, packet.ports(&v4)), (Fragment::Later, None));
}

#[test]
fn a_later_fragment_is_not_searched_for_extension_headers() {
    let mut v6 = V6;
    v6[48] = protocol::DESTINATION_OPTIONS;
    v6[50] = 1;
    let packet = InnerPacket::parse(&v6).unwrap();
    assert_eq!((packet.protocol, packet.transport_offset), (protocol::DESTINATION_OPTIONS, 56));
}

#[test]
fn icmp_type_and_code_stand_for_ports() {
    let mut v4 = V4;
    v4[9] = protocol::ICMP;
    let packet = InnerPacket::parse(&v4).unwrap();
    assert_eq!(packet.ports(&v4), Some((0x0035, 0x0035)));
}

#[test]
fn endless_extension_headers_are_refused() {
    let mut packet = V6[..40].to_vec();
    packet[6] = protocol::DESTINATION_OPTIONS;
    for _ in 0..20 {
        packet.extend(hex!("3c 00 0104 00000000"));
    }
    packet[4..6].copy_from_slice(&160u16.to_be_bytes());
    let error = InnerPacket::parse(&packet).unwrap_err();
    assert_eq!(error.why, Fault::TooMany { limit: EXTENSION_HEADERS });
}

#[test]
fn every_truncation_is_refused() {
    for len in 0..28 {
        assert!(InnerPacket::parse(&V4[..len]).is_err(), "{len}");
    }
    for len in 0..V6.len() {
        assert!(InnerPacket::parse(&V6[..len]).is_err(), "{len}");
    }
}

#[test]
fn contradictory_lengths_are_refused() {
    let change = |at: usize, to: u8| {
        let mut packet = V4;
        packet[at] = to;
        InnerPacket::parse(&packet).is_err()
    };
    assert!(change(0, 0x44), "a header below 20 octets");
    assert!(change(0, 0x4f), "a header beyond the packet");
    assert!(change(3, 19), "a packet shorter than its header");
    assert!(change(3, 200), "a packet longer than what came");
    assert!(change(0, 0x55), "another version");
}

proptest! {
    #[test]
    fn any_octets_are_refused_or_read(mut bytes in prop::collection::vec(any::<u8>(), 0..120), v6: bool) {
        if let Some(first) = bytes.first_mut() {
            *first = if v6 { 0x60 } else { 0x45 };
        }
        if let Ok(packet) = InnerPacket::parse(&bytes) {
            prop_assert!(packet.transport_offset <= packet.total_len);
            prop_assert!(packet.total_len <= bytes.len());
            let _ = packet.ports(&bytes);
        }
    }
}
