//! Both ends together: what is packed and sealed is opened and unpacked, whatever the underlay does to it.

use super::*;
use crate::crypto::aead::AeadAlgorithm;
use crate::esp::aggfrag::Packer;
use crate::esp::tests::{config, ipv4, ipv6, pair};
use crate::esp::{Content, InboundSa, OutboundSa};
use crate::wire::aggfrag::AGGFRAG_PAYLOAD;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Payloads have so many octets, and 4 of them are a header.
const PAYLOAD: usize = 104;
const DATA: usize = 100;

/// Two ends of an SA.
struct Ends {
    outbound: OutboundSa,
    inbound: InboundSa,
    unpacker: Unpacker,
    now: Timestamp,
    padding: Vec<Vec<u8>>,
    given_up: u64,
}

impl Ends {
    fn new() -> Ends {
        let (outbound, inbound) = pair(&config(AeadAlgorithm::Aes128Gcm16, true, 0));
        let (now, padding) = (Timestamp::from_millis(1), Vec::new());
        Ends { outbound, inbound, unpacker: Unpacker::default(), now, padding, given_up: 0 }
    }

    /// Packs these packets as those that leave together.
    fn send(&self, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut packer = Packer::default();
        packets.iter().for_each(|packet| packer.push(packet, &[]));
        packer
            .payloads(PAYLOAD)
            .map(|one| self.seal(&[&one.header[..], one.data].concat()))
            .collect()
    }

    fn seal(&self, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; self.outbound.layout().sealed_len(payload.len())];
        self.outbound.seal(AGGFRAG_PAYLOAD, payload, &[], &mut packet).unwrap();
        packet
    }

    /// The packets that a datagram brings, and why others are none.
    fn receive(&mut self, datagram: &[u8]) -> Vec<Result<Vec<u8>, Discard>> {
        let (mut datagram, mut memory) = (datagram.to_vec(), Vec::new());
        let mut room = Room::new(&mut memory);
        let aggregate = match self.inbound.open_any(&mut datagram) {
            Ok(Content::Aggregate(aggregate)) => aggregate,
            Err(Discard::Replayed) => return vec![],
            other => panic!("{other:?}"),
        };
        match aggregate.unpack(&self.unpacker, self.now, &mut room) {
            Ok(mut packets) => {
                self.given_up += packets.given_up();
                self.padding.extend(packets.take_padding().map(<[u8]>::to_vec));
                packets.map(|one| one.map(|opened| opened.inner.to_vec())).collect()
            }
            Err(reason) => vec![Err(reason)],
        }
    }

    /// The packets that datagrams bring; all of them are well-formed.
    fn receive_all(&mut self, datagrams: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let all = datagrams.iter().flat_map(|one| self.receive(one)).collect::<Vec<_>>();
        all.into_iter().map(|one| one.expect("an inner packet")).collect()
    }

    fn waiting(&self) -> usize {
        let pieces = self.unpacker.0.lock().unwrap();
        let places = pieces.places.iter().flatten();
        assert_eq!(
            pieces.octets,
            places.map(|one| one.before.len() + one.after.len()).sum::<usize>()
        );
        pieces.octets
    }

    /// Octets of memory that the pieces have, and what is kept for the next.
    fn memory(&self) -> usize {
        let pieces = self.unpacker.0.lock().unwrap();
        let places = pieces.places.iter().flatten();
        let waiting = places.map(|one| one.before.capacity() + one.after.capacity());
        waiting.sum::<usize>() + pieces.spare.capacity()
    }
}

/// IPv4 and IPv6 packets of these lengths, each with a number of its own in it.
fn packets(lengths: &[usize]) -> Vec<Vec<u8>> {
    let numbered = lengths.iter().enumerate().map(|(number, len)| {
        let mut packet = if number % 3 == 2 { ipv6(40 + *len) } else { ipv4(24 + *len) };
        // Where neither has its length.
        let place = if number % 3 == 2 { 8 } else { 20 };
        packet[place..place + 4].copy_from_slice(&(number as u32).to_be_bytes());
        // No extension header of IPv6.
        if number % 3 == 2 {
            packet[6] = 17;
        }
        packet
    });
    numbered.collect()
}

/// Which octets of the stream each packet has, and so in which payloads it is, by their numbers among
/// those that leave together: nothing but lengths is asked.
fn payloads_of(packets: &[Vec<u8>]) -> Vec<BTreeSet<usize>> {
    let mut at = 0;
    let places = packets.iter().map(|packet| {
        let from = at;
        at += packet.len();
        (from..at).map(|octet| octet / DATA).collect()
    });
    places.collect()
}

#[test]
fn every_packet_arrives_in_order_when_nothing_is_lost() {
    let mut ends = Ends::new();
    for lengths in [&[0; 50][..], &[1000, 0, 99, 1, 300], &[76], &[75, 77, 60, 2000, 3]] {
        let sent = packets(lengths);
        let datagrams = ends.send(&sent);
        assert_eq!(ends.receive_all(&datagrams), sent);
        assert_eq!(ends.waiting(), 0);
    }
}

#[test]
fn small_packets_share_a_datagram() {
    // 27 of 24 octets and 13 of 40.
    assert_eq!(Ends::new().send(&packets(&[0; 40])).len(), 1168_usize.div_ceil(DATA));
}

#[test]
fn a_lost_datagram_takes_along_only_the_packets_that_had_a_piece_in_it() {
    let sent = packets(&[30, 150, 10, 260, 0, 0, 0, 80, 5]);
    let count = Ends::new().send(&sent).len();
    for lost in 0..count {
        let mut ends = Ends::new();
        let mut datagrams = ends.send(&sent);
        datagrams.remove(lost);
        let touched = payloads_of(&sent);
        let spared = sent.iter().zip(touched).filter(|(_, places)| !places.contains(&lost));
        let expected: Vec<_> = spared.map(|(packet, _)| packet.clone()).collect();
        assert_eq!(ends.receive_all(&datagrams), expected, "without {lost}");
    }
}

#[test]
fn padding_may_stand_between_the_pieces_of_a_packet() {
    let mut ends = Ends::new();
    let [packet] = &packets(&[226])[..] else { panic!() };
    let mut packer = Packer::default();
    packer.push(packet, &[]);
    let pad = [0, 0, 0, 0, 0, 7, 7];
    let mut received = Vec::new();
    for payload in packer.payloads(PAYLOAD) {
        let datagrams = [ends.seal(&[&payload.header[..], payload.data].concat()), ends.seal(&pad)];
        received.extend(ends.receive_all(&datagrams));
    }
    assert_eq!(received, std::slice::from_ref(packet));
    assert_eq!(ends.padding, vec![[0, 7, 7]; 3]);
}

#[test]
fn padding_ends_a_payload_and_the_next_begins_anew() {
    let mut ends = Ends::new();
    let sent = packets(&[3, 4]);
    let datagrams = sent.iter().map(|one| ends.seal(&[&[0; 4][..], one, &[0; 30]].concat()));
    let datagrams: Vec<_> = datagrams.collect();
    assert_eq!(ends.receive_all(&datagrams), sent);
    assert!(ends.padding.is_empty());
}

#[test]
fn a_header_with_congestion_control_is_passed_over() {
    let mut ends = Ends::new();
    let sent = packets(&[3]);
    let mut header = [0; 24];
    header[0] = 1;
    let datagram = ends.seal(&[&header, &sent[0][..]].concat());
    assert_eq!(ends.receive_all(&[datagram]), sent);
}

#[test]
fn payloads_that_contradict_each_other_or_themselves_cost_only_packets() {
    let mut ends = Ends::new();
    let sent = packets(&[200, 0]);
    // The end is shorter than the beginning says.
    let beginning = ends.seal(&[&[0; 4], &sent[0][..100]].concat());
    let end = ends.seal(&[&[0, 0, 0, 5], &[1; 5][..], &sent[1]].concat());
    assert!(ends.receive(&beginning).is_empty());
    assert_eq!(ends.receive(&end), [Err(Discard::MalformedInner), Ok(sent[1].clone())]);
    for bad in [&[9, 0, 0, 0, 0x45][..], &[0, 0], &[1, 0, 0, 0, 0x45], &[]] {
        let bad = ends.seal(bad);
        assert_eq!(ends.receive(&bad), [Err(Discard::MalformedAggregate)]);
    }
    let half = ends.seal(&[&[0; 4], &sent[1][..], &[0x90, 1, 2]].concat());
    assert_eq!(ends.receive(&half), [Ok(sent[1].clone()), Err(Discard::MalformedAggregate)]);
}

#[test]
fn the_pieces_of_different_packets_are_never_taken_for_one() {
    let mut ends = Ends::new();
    // 224 octets: 100, 100, 24; the next packet has its beginning behind it.
    let (one, two) = (ends.send(&packets(&[200])), ends.send(&packets(&[300])));
    assert!(ends.receive(&one[0]).is_empty() && ends.receive(&one[1]).is_empty());
    // Its end is lost, and the end of another comes.
    let result = two.iter().skip(1).flat_map(|datagram| ends.receive(datagram)).collect::<Vec<_>>();
    assert_eq!(result, []);
}

#[test]
fn nobody_makes_more_wait_than_the_limits_permit() {
    let mut ends = Ends::new();
    let mut most = 0;
    for round in 0..500 {
        let beginning = [&[0, 0, 0, 0][..], &[0x45, 0, 0xff, 0xff], &[0; 4000]].concat();
        let middle = [&[0, 0, 0xff, 0xff][..], &[1; 5000]].concat();
        let datagram = ends.seal(if round % 3 == 0 { &beginning } else { &middle });
        // Every eleventh is lost.
        if round % 11 != 0 {
            assert!(ends.receive(&datagram).is_empty());
        }
        most = most.max(ends.waiting());
        assert!(ends.memory() <= 2 * OCTETS + LONGEST, "{}", ends.memory());
    }
    assert!((OCTETS - 6000..=OCTETS).contains(&most), "{most}");
    assert!(ends.given_up > 100, "{}", ends.given_up);
}

#[test]
fn a_small_piece_never_holds_the_memory_of_a_large_one() {
    let mut ends = Ends::new();
    let large = [&[0, 0, 0, 0, 0x45, 0, 0xff, 0xff][..], &[0; 60_000]].concat();
    for _ in 0..WINDOW {
        for payload in [&large[..], &[0, 0, 0, 1, 1], &[0, 0, 0, 0, 0x45]] {
            let datagram = ends.seal(payload);
            ends.receive(&datagram);
        }
        assert!(ends.memory() < LONGEST + 1000, "{}", ends.memory());
    }
    assert!(ends.waiting() > 10, "small pieces wait");
}

#[test]
fn a_packet_longer_than_any_is_not_put_together() {
    let mut ends = Ends::new();
    let piece =
        |offset: u16, len: usize| [&[0, 0], &offset.to_be_bytes()[..], &vec![0; len]].concat();
    let beginning = [&[0, 0, 0, 0, 0x45, 0, 0xff, 0xff][..], &[0; 30_000]].concat();
    let pieces = [beginning, piece(60_000, 30_000), piece(30_000, 30_000)];
    for piece in pieces {
        let datagram = ends.seal(&piece);
        assert!(ends.receive(&datagram).is_empty());
    }
    assert_eq!((ends.waiting(), ends.given_up), (0, 1));
}

#[test]
fn a_piece_does_not_wait_for_ever() {
    let mut ends = Ends::new();
    let datagrams = ends.send(&packets(&[200]));
    assert!(ends.receive(&datagrams[0]).is_empty() && ends.receive(&datagrams[1]).is_empty());
    ends.now += PATIENCE * 2;
    assert_eq!(ends.receive(&datagrams[2]), []);
    assert_eq!(ends.waiting(), 24, "only what has just come");
}

#[test]
fn a_packet_whose_piece_is_lost_is_counted_when_it_is_given_up() {
    for lost in 0..2 {
        let mut ends = Ends::new();
        let sent = packets(&[100]);
        let datagrams = ends.send(&sent);
        assert!(ends.receive(&datagrams[1 - lost]).is_empty());
        assert_eq!(ends.given_up, 0, "it may still come");
        ends.now += PATIENCE * 2;
        let later = ends.send(&sent);
        assert_eq!(ends.receive_all(&later), sent);
        assert_eq!((ends.waiting(), ends.given_up), (0, 1), "without {lost}");
    }
}

#[test]
fn pieces_wait_for_a_window_of_later_packets() {
    for (later, arrives) in [(31, true), (32, false)] {
        let mut ends = Ends::new();
        let sent = packets(&[200]);
        let late = ends.send(&sent);
        assert!(ends.receive_all(&late[1..]).is_empty());
        for _ in 0..later {
            // Two datagrams, of which the first is lost.
            let datagrams = ends.send(&packets(&[100]));
            assert!(ends.receive_all(&datagrams[1..]).is_empty());
        }
        let expected = if arrives { &sent[..] } else { &[] };
        assert_eq!(ends.receive_all(&late[..1]), expected, "{later}");
        assert_eq!(ends.given_up, u64::from(!arrives), "{later}");
    }
}

/// Where a datagram goes: lost, or so many places behind its own, so many times.
fn fates() -> impl Strategy<Value = Vec<(bool, usize, usize)>> {
    proptest::collection::vec((proptest::bool::weighted(0.2), 0..6_usize, 1..3_usize), 600)
}

fn batches() -> impl Strategy<Value = Vec<Vec<usize>>> {
    let length = prop_oneof![4 => 0..60_usize, 2 => 60..250_usize, 1 => 250..1500_usize];
    proptest::collection::vec(proptest::collection::vec(length, 1..8), 1..12)
}

proptest! {
    /// Against a naive reference, which knows of each packet in which datagrams its octets are: those arrive
    /// whose datagrams all arrive, each once and as it was; in order, where the datagrams come in order.
    #[test]
    fn the_packets_arrive_whose_datagrams_arrive(batches in batches(), fates in fates(), ordered: bool) {
        let mut ends = Ends::new();
        let (mut datagrams, mut needed) = (Vec::new(), Vec::new());
        let sent = packets(&batches.concat());
        let mut rest = &sent[..];
        for batch in &batches {
            let (now, later) = rest.split_at(batch.len());
            let places = payloads_of(now).into_iter();
            let so_far = datagrams.len();
            needed.extend(places.map(|places| places.iter().map(|at| so_far + at).collect::<Vec<_>>()));
            datagrams.extend(ends.send(now));
            rest = later;
        }
        prop_assume!(datagrams.len() <= fates.len());
        let mut order = Vec::new();
        for (at, (lost, behind, copies)) in (0..datagrams.len()).zip(&fates) {
            if !lost {
                let place = if ordered { at } else { at + behind };
                order.extend((0..*copies).map(|copy| (place + 2 * copy * usize::from(!ordered), at)));
            }
        }
        order.sort();
        let arrived: BTreeSet<usize> = order.iter().map(|(_, at)| *at).collect();
        let line: Vec<_> = order.iter().map(|(_, at)| datagrams[*at].clone()).collect();
        let mut received = ends.receive_all(&line);
        let expected = sent.iter().zip(&needed).filter(|(_, places)| places.iter().all(|at| arrived.contains(at)));
        let mut expected: Vec<_> = expected.map(|(packet, _)| packet.clone()).collect();
        if !ordered {
            received.sort();
            expected.sort();
        }
        prop_assert_eq!(received, expected);
        ends.waiting();
    }
}
