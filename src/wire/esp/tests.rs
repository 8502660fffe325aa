use super::*;
use hex_literal::hex;
use proptest::prelude::*;

#[test]
fn four_zero_octets_mark_an_ike_message() {
    assert_eq!(classify(&hex!("00000000 1234")), Encapsulated::Ike(&[0x12, 0x34]));
    assert_eq!(classify(&hex!("00000000")), Encapsulated::Ike(&[]));
}

#[test]
fn one_octet_of_ones_is_a_keepalive() {
    assert_eq!(classify(&[0xff]), Encapsulated::Keepalive);
    assert_eq!(classify(&[0xfe]), Encapsulated::Malformed);
    assert_eq!(classify(&[0xff, 0xff]), Encapsulated::Malformed);
}

#[test]
fn anything_else_with_a_whole_header_is_esp() {
    let datagram = hex!("12345678 00000009 aabbccdd");
    let header = EspHeader { spi: EspSpi(0x12345678), sequence: 9 };
    assert_eq!(classify(&datagram), Encapsulated::Esp(header));
    assert_eq!(header.encode(), datagram[..8]);
}

#[test]
fn every_truncation_of_a_header_is_malformed() {
    let datagram = hex!("12345678 00000009");
    for len in 0..datagram.len() {
        assert_eq!(classify(&datagram[..len]), Encapsulated::Malformed, "{len}");
    }
}

proptest! {
    #[test]
    fn an_encoded_header_reads_back(spi: u32, sequence: u32) {
        let header = EspHeader { spi: EspSpi(spi), sequence };
        prop_assert_eq!(EspHeader::parse(&header.encode()), Ok(header));
    }
}
