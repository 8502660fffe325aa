use super::*;
use crate::offload::samples::{Sample, naive_sum};
use proptest::prelude::*;

fn fragments(head: &[u8], payload: &[u8], mtu: usize) -> Vec<Vec<u8>> {
    let mut fragments = Fragments::new(Segment { head, payload }, mtu).unwrap();
    let mut pieces = Vec::new();
    while let Some(piece) = fragments.next() {
        pieces.push([piece.head, piece.payload].concat());
    }
    pieces
}

/// What a receiver puts together, with a check of every header.
fn reassemble(pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut data = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let header = usize::from(piece[0] & 15) * 4;
        assert_eq!(naive_sum(&[], &piece[..header]), 0);
        assert_eq!(usize::from(u16::from_be_bytes([piece[2], piece[3]])), piece.len());
        let field = u16::from_be_bytes([piece[6], piece[7]]);
        assert_eq!(usize::from(field & OFFSET_MASK) * 8, data.len());
        assert_eq!(field & MORE_FRAGMENTS != 0, index + 1 < pieces.len());
        data.extend(&piece[header..]);
    }
    data
}

fn udp(length: usize) -> Vec<u8> {
    let payload = (0..length).map(|i| i as u8).collect();
    Sample { dont_fragment: false, payload, ..Sample::udp4() }.build()
}

#[test]
fn the_fragments_of_a_fragment_keep_their_place() {
    let whole = udp(3000);
    let first = fragments(&[], &whole, 1500);
    let again: Vec<_> = first.iter().flat_map(|piece| fragments(&[], piece, 700)).collect();
    assert_eq!(reassemble(&again), whole[20..]);
}

#[test]
fn only_copied_options_go_into_later_fragments() {
    let mut packet = udp(3000);
    // A router alert (copied, 4 bytes), a record route (not copied, 7 bytes), end of options.
    let options = [0x94, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0];
    packet.splice(20..20, options);
    packet[0] = 0x48;
    let pieces = fragments(&[], &packet, 1000);
    assert_eq!(pieces[0][20..32], options);
    assert_eq!((pieces[1][0], &pieces[1][20..24]), (0x46, &options[..4]));
    assert_eq!(reassemble(&pieces), packet[32..]);
}

#[test]
fn an_mtu_that_leaves_no_room_is_refused() {
    let packet = udp(100);
    assert!(Fragments::new(Segment { head: &[], payload: &packet }, 27).is_none());
    assert!(Fragments::new(Segment { head: &[], payload: &[] }, 1500).is_none());
}

#[test]
fn a_fragment_beyond_the_longest_datagram_is_refused() {
    let mut packet = udp(1472);
    let mut begins_at = |offset: u16| {
        packet[6..8].copy_from_slice(&offset.to_be_bytes());
        Fragments::new(Segment { head: &[], payload: &packet }, 1000).is_some()
    };
    // 20 octets of header and 1480 of data.
    let last = (65_535 - 1500) / 8;
    assert!(begins_at(last));
    assert!(!begins_at(last + 1));
    assert!(!begins_at(OFFSET_MASK));
}

proptest! {
    #[test]
    fn what_is_cut_fits_and_reassembles(length in 0usize..9000, mtu in 68usize..1500, split in any::<bool>()) {
        let packet = udp(length);
        let (head, payload) = packet.split_at(if split { 28 } else { 0 });
        let pieces = fragments(head, payload, mtu);
        prop_assert!(pieces.iter().all(|piece| piece.len() <= mtu));
        prop_assert_eq!(reassemble(&pieces), &packet[20..]);
    }
}
