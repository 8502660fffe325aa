//! Tests of the payload format.

use super::*;
use hex_literal::hex;

/// Every field of sub-type 1, laid out by hand from Figure 5.
const WITH_CONGESTION: [u8; 24] = hex!(
    "01 03 0102"            // sub-type 1, P and E, BlockOffset 258
    "0000 03e8"             // one loss event in 1000 packets
    "0000 0c00 0080 0003"   // RTT 3 << 42, Echo Delay 4 << 21, Transmit Delay 3
    "aabb ccdd"             // TVal
    "1122 3344"             // TEcho
);

fn report() -> CongestionReport {
    CongestionReport {
        plmtud: true,
        ecn: true,
        loss_event_rate: 1000,
        rtt: 3,
        echo_delay: 4,
        transmit_delay: 3,
        t_val: 0xaabb_ccdd,
        t_echo: 0x1122_3344,
    }
}

fn decode(octets: &[u8]) -> Result<(AggfragHeader, usize), DecodeError> {
    let mut octets = octets.to_vec();
    AggfragHeader::split_from(&mut octets).map(|(header, data)| (header, data.len()))
}

#[test]
fn headers_of_both_sub_types_are_read_and_written() {
    let plain = AggfragHeader { block_offset: 0x1234, congestion: None };
    assert_eq!(decode(&hex!("00 00 1234 45")), Ok((plain, 1)));
    assert_eq!(plain.encode(), hex!("00 00 1234"));
    let full = AggfragHeader { block_offset: 258, congestion: Some(report()) };
    assert_eq!(decode(&WITH_CONGESTION), Ok((full, 0)));
    assert_eq!(full.encode(), WITH_CONGESTION);
}

#[test]
fn reserved_bits_are_ignored() {
    let mut octets = WITH_CONGESTION;
    octets[1] |= 0xfc;
    assert_eq!(decode(&octets).unwrap().0.congestion, Some(report()));
    let plain = AggfragHeader { block_offset: 7, congestion: None };
    assert_eq!(decode(&hex!("00 ff 0007")), Ok((plain, 0)));
}

#[test]
fn every_truncation_and_every_other_sub_type_is_refused() {
    for len in 0..24 {
        assert!(decode(&WITH_CONGESTION[..len]).is_err(), "{len}");
    }
    for len in 0..4 {
        assert!(decode(&[0; 4][..len]).is_err(), "{len}");
    }
    for sub_type in 2..=u8::MAX {
        assert!(decode(&[sub_type; 32]).is_err(), "{sub_type}");
    }
}

#[test]
fn times_that_are_too_long_are_written_as_the_longest() {
    let report = CongestionReport { rtt: u32::MAX, echo_delay: 0, ..report() };
    let header = AggfragHeader { block_offset: 0, congestion: Some(report) };
    let (read, _) = decode(&header.encode()).unwrap();
    let read = read.congestion.unwrap();
    assert_eq!((read.rtt, read.echo_delay), (CongestionReport::RTT_MAX, 0));
}

#[test]
fn a_block_says_how_long_it_is_as_soon_as_it_can() {
    assert_eq!(Block::at_start_of(&[0x00, 9]), Ok(Block::Pad));
    let ipv4 = hex!("45 00 05dc");
    assert_eq!(Block::at_start_of(&ipv4), Ok(Block::Packet(1500)));
    let ipv6 = hex!("60 00 0000 0400");
    assert_eq!(Block::at_start_of(&ipv6), Ok(Block::Packet(1064)));
    for len in 1..4 {
        assert_eq!(Block::at_start_of(&ipv4[..len]), Ok(Block::Begun), "{len}");
    }
    for len in 1..6 {
        assert_eq!(Block::at_start_of(&ipv6[..len]), Ok(Block::Begun), "{len}");
    }
}

#[test]
fn what_is_no_block_is_refused() {
    for version in [1, 2, 3, 5, 7, 8, 15] {
        assert!(Block::at_start_of(&[version << 4; 40]).is_err(), "{version}");
    }
    assert!(Block::at_start_of(&hex!("45 00 0013")).is_err());
    assert!(Block::at_start_of(&[]).is_err());
}
