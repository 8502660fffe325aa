use super::*;
use crate::wire::checksum::Sum;
use hex_literal::hex;
use proptest::prelude::*;

/// A SYN with MSS 1460 at an even offset; checksum field zero.
const SYN: [u8; 24] = hex!("0016 c000 00000001 00000002 60 02 ffff 0000 0000 020405b4");
/// The same with a NOP first, so that the MSS stands at an odd offset, and window scaling.
const SYN_ODD: [u8; 28] =
    hex!("0016 c000 00000001 00000002 70 02 ffff 0000 0000 01 020405b4 030307");

fn with_checksum(segment: &[u8]) -> Vec<u8> {
    let mut segment = segment.to_vec();
    let checksum = Sum::of(&segment).finish();
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
    segment
}

#[test]
fn fields_are_where_rfc_9293_puts_them() {
    let view = TcpHeader::parse(&SYN).unwrap();
    assert_eq!((view.source_port(), view.destination_port()), (22, 0xc000));
    assert_eq!((view.sequence(), view.acknowledgement()), (1, 2));
    assert_eq!((view.flags(), view.window()), (flags::SYN, 0xffff));
    assert_eq!((view.header_len(), view.options()), (24, &SYN[20..]));
    assert_eq!(view.maximum_segment_size(), Some((1460, 22)));
}

#[test]
fn a_truncated_header_is_refused() {
    for len in 0..SYN.len() {
        assert!(TcpHeader::parse(&SYN[..len]).is_err(), "{len}");
    }
}

#[test]
fn a_data_offset_below_five_is_refused() {
    let mut short = SYN;
    short[12] = 0x40;
    assert!(TcpHeader::parse(&short).is_err());
}

#[test]
fn clamping_lowers_the_mss_and_keeps_the_checksum_right() {
    for (segment, at) in [(&SYN[..], 22), (&SYN_ODD[..], 23)] {
        let mut segment = with_checksum(segment);
        assert!(clamp_mss(&mut segment, 1360));
        assert_eq!(segment[at..at + 2], 1360u16.to_be_bytes());
        assert_eq!(Sum::of(&segment).finish(), 0);
    }
}

#[test]
fn a_lower_mss_or_a_segment_without_syn_stays_as_it_is() {
    let mut low = with_checksum(&SYN);
    assert!(!clamp_mss(&mut low, 1460));
    let mut ack = SYN;
    ack[13] = flags::ACK;
    assert!(!clamp_mss(&mut ack, 500));
    assert_eq!(ack[22..24], 1460u16.to_be_bytes());
}

proptest! {
    #[test]
    fn clamping_survives_any_segment(mut segment: Vec<u8>, limit: u16) {
        clamp_mss(&mut segment, limit);
    }

    #[test]
    fn clamping_survives_any_options(options in prop::collection::vec(any::<u8>(), 20), limit: u16) {
        let mut segment = [&SYN[..20], &options].concat();
        segment[12] = 0xa0;
        clamp_mss(&mut segment, limit);
    }
}
