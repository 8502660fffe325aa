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
