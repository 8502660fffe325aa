//! Tests of packing; that packets come back is shown beside the unpacker.

use super::*;

/// A packer with packets of these lengths, whose octets are their numbers.
fn packer(lengths: &[usize]) -> Packer {
    let mut packer = Packer::default();
    for (number, len) in lengths.iter().enumerate() {
        let packet = vec![number as u8; *len];
        let (head, payload) = packet.split_at(len / 3);
        packer.push(head, payload);
    }
    packer
}

/// BlockOffset and data of every payload.
fn cut(packer: &Packer, longest: usize) -> Vec<(u16, Vec<u8>)> {
    let payloads = packer.payloads(longest);
    payloads
        .map(|one| (u16::from_be_bytes([one.header[2], one.header[3]]), one.data.to_vec()))
        .collect()
}

#[test]
fn small_packets_share_a_payload() {
    let packer = packer(&[20, 30, 40]);
    let [(0, data)] = &cut(&packer, 100)[..] else { panic!("{packer:?}") };
    assert_eq!(data.len(), 90);
    assert_eq!((packer.packets(), packer.octets(), packer.count(100)), (3, 90, 1));
}

#[test]
fn block_offset_points_at_the_first_packet_that_begins_in_a_payload() {
    let cuts = cut(&packer(&[50, 30, 100]), 44);
    let offsets: Vec<u16> = cuts.iter().map(|(offset, _)| *offset).collect();
    // 40 octets each: 40 │ 10, 30 │ 40 │ 40 │ 20
    assert_eq!(offsets, [0, 10, 0, 60, 20]);
    assert_eq!(cuts[1].1, [[0; 10].to_vec(), [1; 30].to_vec()].concat());
}

#[test]
fn every_payload_but_the_last_is_full() {
    for total in 1..300 {
        let packer = packer(&[total]);
        let lengths: Vec<usize> = packer.payloads(64).map(|one| one.octets()).collect();
        let (last, full) = lengths.split_last().unwrap();
        assert!(full.iter().all(|len| *len == 64) && (5..=64).contains(last), "{lengths:?}");
        assert_eq!(packer.count(64), lengths.len());
    }
}

#[test]
fn a_packet_is_whole_within_what_holds_its_end() {
    let packer = packer(&[50, 30, 100]);
    let whole = [0, 49, 50, 79, 80, 179, 180].map(|octets| packer.whole_within(octets));
    assert_eq!(whole, [(0, 0), (0, 0), (1, 50), (1, 50), (2, 80), (2, 80), (3, 180)]);
}

#[test]
fn a_packer_that_is_cleared_is_empty() {
    let mut packer = packer(&[20, 30]);
    packer.clear();
    assert!(packer.is_empty() && packer.payloads(100).next().is_none());
    assert_eq!(packer.count(100), 0);
}
