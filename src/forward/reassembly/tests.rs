use super::*;
use crate::forward::flow::Flow;
use crate::forward::fragment::Fragments;
use crate::offload::Segment;
use crate::offload::samples::Sample;
use crate::wire::ip::InnerPacket;
use proptest::prelude::*;

fn udp(length: usize, identification: u16) -> Vec<u8> {
    let payload = (0..length).map(|index| (index * 7) as u8).collect();
    Sample { dont_fragment: false, identification, payload, ..Sample::udp4() }.build()
}

fn cut(packet: &[u8], mtu: usize) -> Vec<Vec<u8>> {
    let mut fragments = Fragments::new(Segment { head: &[], payload: packet }, mtu).unwrap();
    let mut pieces = Vec::new();
    while let Some(piece) = fragments.next() {
        pieces.push([piece.head, piece.payload].concat());
    }
    pieces
}

fn add(reassembly: &Reassembly, packet: &[u8]) -> Result<Option<Vec<u8>>, Discard> {
    let inner = InnerPacket::parse(packet).unwrap();
    let datagram = Datagram::of(&inner, &Flow::of(&inner, packet), packet).unwrap();
    reassembly.add(datagram, packet)
}

/// What comes out when the pieces go in.
fn gathered(reassembly: &Reassembly, pieces: &[Vec<u8>]) -> Vec<Vec<u8>> {
    pieces.iter().filter_map(|piece| add(reassembly, piece).unwrap()).collect()
}

#[test]
fn a_datagram_comes_out_whole_in_whatever_order_its_fragments_come() {
    proptest!(|(length in 1481usize..9000, mtu in 576usize..1500, order in any::<u64>())| {
        let whole = udp(length, 7);
        let mut pieces = cut(&whole, mtu);
        let by = order as usize % pieces.len();
        pieces.rotate_left(by);
        if order % 2 == 0 {
            pieces.reverse();
        }
        prop_assert_eq!(gathered(&Reassembly::default(), &pieces), [whole]);
    });
}

#[test]
fn a_repeated_fragment_changes_nothing_and_a_missing_one_is_waited_for() {
    let (reassembly, whole) = (Reassembly::default(), udp(4000, 7));
    let pieces = cut(&whole, 1400);
    assert_eq!(gathered(&reassembly, &[pieces[0].clone(), pieces[0].clone()]), [[0; 0]; 0]);
    assert_eq!(gathered(&reassembly, &[pieces[2].clone()]), [[0; 0]; 0]);
    assert_eq!(gathered(&reassembly, &[pieces[1].clone()]), [whole]);
    assert_eq!(gathered(&reassembly, &pieces[1..]), [[0; 0]; 0], "nothing is left of it");
}

#[test]
fn two_datagrams_never_mix() {
    let reassembly = Reassembly::default();
    let (one, other) = (udp(3000, 7), udp(3000, 8));
    let [a, b] = [&one, &other].map(|whole| cut(whole, 1400));
    let mixed: Vec<_> = a.iter().zip(&b).flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
    assert_eq!(gathered(&reassembly, &mixed), [one.clone(), other]);
    // The number is used again before the first datagram was complete.
    let mut changed = a[0].clone();
    changed[40] ^= 1;
    assert_eq!(gathered(&reassembly, &[changed]), [[0; 0]; 0]);
    assert_eq!(gathered(&reassembly, &a), [one]);
}

#[test]
fn what_no_sender_makes_is_refused() {
    let reassembly = Reassembly::default();
    let pieces = cut(&udp(3000, 7), 1400);
    let mut beyond = pieces[1].clone();
    beyond[6..8].copy_from_slice(&0x3fffu16.to_be_bytes());
    let mut crooked = pieces[0].clone();
    crooked.pop();
    let length = crooked.len() as u16;
    crooked[2..4].copy_from_slice(&length.to_be_bytes());
    let mut empty = pieces[1][..20].to_vec();
    empty[2..4].copy_from_slice(&20u16.to_be_bytes());
    for piece in [beyond, crooked, empty] {
        assert_eq!(add(&reassembly, &piece), Err(Discard::Fragment));
    }
}

#[test]
fn what_waits_is_bounded() {
    let reassembly = Reassembly::default();
    let first = |number: u16| cut(&udp(60_000, number), 60_000)[0].clone();
    (0..100).for_each(|number| assert_eq!(add(&reassembly, &first(number)), Ok(None)));
    let waiting = reassembly.0.lock().unwrap();
    let octets: usize = waiting.iter().map(|(_, parts)| parts.octets).sum();
    assert!(octets <= OCTETS && waiting.len() == OCTETS / 59_976, "{octets}");
    drop(waiting);
    (0..100).for_each(|number| {
        assert_eq!(add(&reassembly, &cut(&udp(3000, number), 1400)[1]), Ok(None));
    });
    assert_eq!(reassembly.0.lock().unwrap().len(), DATAGRAMS);
}

#[test]
fn congestion_marked_on_one_fragment_is_marked_on_the_whole() {
    let sample =
        |tos| Sample { tos, dont_fragment: false, payload: vec![1; 3000], ..Sample::udp4() };
    for (sent, marked) in [(0b10, 0b11), (0b00, 0b00)] {
        let mut pieces = cut(&sample(sent).build(), 1400);
        pieces[1][1] = 0b11;
        let whole = gathered(&Reassembly::default(), &pieces).remove(0);
        assert_eq!(whole, sample(marked).build());
    }
}
