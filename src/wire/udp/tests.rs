use super::*;
use hex_literal::hex;

#[test]
fn fields_are_where_rfc_768_puts_them() {
    let header = hex!("1194 01f4 000c beef 00");
    let view = UdpHeader::parse(&header).unwrap();
    assert_eq!(view.source_port(), 4500);
    assert_eq!(view.destination_port(), 500);
    assert_eq!(view.length(), 12);
    assert_eq!(view.checksum(), 0xbeef);
}

#[test]
fn a_short_header_is_refused() {
    for len in 0..UdpHeader::LEN {
        assert!(UdpHeader::parse(&vec![0; len]).is_err());
    }
}

const TRAVEL: Travel = Travel { ttl: 255, tos: 0xc0 };

/// 10.0.0.1:49152 to 10.0.0.2:3784, two octets. UDP: 0a00+0001+0a00+0002+0011+000a, then
/// c000+0ec8+000a+0102, sums to e3f2; complement 1c0d.
const OVER_V4: &[u8] =
    &hex_literal::hex!("45c0001e 00004000 ff11670c 0a000001 0a000002 c0000ec8 000a1c0d 0102");

#[test]
fn a_packet_over_ipv4_has_the_octets_of_its_headers() {
    let (from, to) = ("10.0.0.1:49152".parse().unwrap(), "10.0.0.2:3784".parse().unwrap());
    let made = packet(from, to, TRAVEL, &[1, 2]).unwrap();
    assert_eq!(made, OVER_V4);
    assert_eq!(checksum::Sum::of(&made[..20]).finish(), 0);
}

#[test]
fn what_is_packed_is_read_in_both_families() {
    for (from, to) in [("10.0.0.1:49152", "10.0.0.2:3784"), ("[fd00::1]:49152", "[fd00::2]:3784")] {
        let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
        let made = packet(from, to, TRAVEL, b"hello").unwrap();
        let read = Datagram::in_packet(&made).unwrap();
        assert_eq!((read.ip.source, read.source_port), (from.ip(), from.port()));
        assert_eq!((read.ip.destination, read.destination_port), (to.ip(), to.port()));
        assert_eq!((read.ip.ttl, read.ip.tos, read.payload), (255, 0xc0, &b"hello"[..]));
        for length in 0..made.len() {
            assert!(Datagram::in_packet(&made[..length]).is_none(), "{length}");
        }
        for at in 40..made.len() {
            let mut changed = made.clone();
            changed[at] ^= 0x10;
            let read = Datagram::in_packet(&changed);
            assert!(read.is_none_or(|read| read.payload != b"hello"), "{at}");
        }
    }
}

#[test]
fn two_families_make_no_packet() {
    let (from, to) = ("10.0.0.1:1".parse().unwrap(), "[fd00::2]:2".parse().unwrap());
    assert!(packet(from, to, TRAVEL, &[]).is_none());
    assert!(packet(from, from, TRAVEL, &vec![0; 65_508]).is_none());
}
