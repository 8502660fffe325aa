//! Tests of the constant rate: what comes out, and when.

use super::*;
use crate::crypto::aead::AeadAlgorithm;
use crate::esp::aggfrag::{Room, Unpacker};
use crate::esp::tests::{config, ipv4, pair};
use crate::esp::{Content, InboundSa, OutboundSa};
use crate::random::{Random, Seeded};
use crate::wire::aggfrag::AGGFRAG_PAYLOAD;

const PAYLOAD: usize = 204;

fn pacer(bits: u64) -> Pacer {
    Pacer::new(NonZeroU64::new(bits).unwrap())
}

/// The other end.
struct Far {
    outbound: OutboundSa,
    inbound: InboundSa,
    unpacker: Unpacker,
}

impl Far {
    fn new() -> Far {
        let (outbound, inbound) = pair(&config(AeadAlgorithm::Aes128Gcm16, true, 0));
        Far { outbound, inbound, unpacker: Unpacker::default() }
    }

    /// Packets and padding of a payload.
    fn take(&self, payload: &[u8]) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
        let mut datagram = vec![0; self.outbound.layout().sealed_len(payload.len())];
        self.outbound.seal(AGGFRAG_PAYLOAD, payload, &[], &mut datagram).unwrap();
        let Ok(Content::Aggregate(aggregate)) = self.inbound.open_any(&mut datagram) else {
            panic!()
        };
        let (mut memory, now) = (Vec::new(), Timestamp::ZERO);
        let mut room = Room::new(&mut memory);
        let mut packets = aggregate.unpack(&self.unpacker, now, &mut room).unwrap();
        let padding = packets.take_padding().map(<[u8]>::to_vec);
        (packets.map(|one| one.unwrap().inner.to_vec()).collect(), padding)
    }
}

fn fill(pacer: &Pacer, spi: u32) -> (Vec<u8>, Filled) {
    let mut payload = vec![0xff; PAYLOAD];
    let filled = pacer.fill(EspSpi(spi), &mut payload);
    (payload, filled)
}

#[test]
fn packets_come_out_in_order_and_padding_when_there_are_none() {
    let (pacer, far, mut random) = (pacer(1_000_000), Far::new(), Seeded::new(5));
    let (mut sent, mut received, mut counted) = (Vec::new(), Vec::new(), 0);
    for _ in 0..600 {
        for _ in 0..random.below(3) {
            let packet = ipv4(20 + random.below(180) as usize);
            pacer.push(&packet[..20], &packet[20..]).unwrap();
            sent.push(packet);
        }
        let (payload, filled) = fill(&pacer, 300);
        received.extend(far.take(&payload).0);
        counted += filled.packets;
    }
    while received.len() < sent.len() {
        received.extend(far.take(&fill(&pacer, 300).0).0);
    }
    assert!(sent.len() > 300 && counted > 300);
    assert_eq!(received, sent);
    let (payload, filled) = fill(&pacer, 300);
    assert_eq!(filled, Filled::default());
    assert_eq!(far.take(&payload), (vec![], Some(vec![0; PAYLOAD - 4])));
}

#[test]
fn a_packet_that_has_begun_in_one_sa_begins_anew_in_the_next() {
    let (pacer, old, new) = (pacer(1_000_000), Far::new(), Far::new());
    let packet = ipv4(500);
    pacer.push(&packet, &[]).unwrap();
    assert_eq!(old.take(&fill(&pacer, 300).0).0, Vec::<Vec<u8>>::new());
    let received: Vec<_> = (0..3).flat_map(|_| new.take(&fill(&pacer, 301).0).0).collect();
    assert_eq!(received, [packet]);
}

#[test]
fn what_the_gateway_says_itself_goes_before_what_has_not_begun() {
    let (pacer, far) = (pacer(1_000_000), Far::new());
    let (first, second, own) = (ipv4(300), ipv4(60), ipv4(40));
    pacer.push(&first, &[]).unwrap();
    pacer.push(&second, &[]).unwrap();
    assert_eq!(far.take(&fill(&pacer, 300).0).0, Vec::<Vec<u8>>::new());
    pacer.push_first(&own).unwrap();
    assert_eq!(far.take(&fill(&pacer, 300).0).0, [first, own, second]);
    let own = ipv4(41);
    pacer.push_first(&own).unwrap();
    assert_eq!(far.take(&fill(&pacer, 300).0).0, [own]);
}

#[test]
fn words_are_padding_and_the_packets_around_them_stay_whole() {
    let (pacer, far) = (pacer(1_000_000), Far::new());
    let packet = ipv4(350);
    pacer.push(&packet, &[]).unwrap();
    assert!(far.take(&fill(&pacer, 300).0).0.is_empty());
    pacer.push_word(b"word");
    let (packets, padding) = far.take(&fill(&pacer, 300).0);
    assert_eq!((packets.len(), &padding.unwrap()[..6]), (0, &b"\0word\0"[..]));
    assert_eq!(far.take(&fill(&pacer, 300).0).0, [packet]);
    (0..20).for_each(|number| pacer.push_word(&[number]));
    let first = far.take(&fill(&pacer, 300).0).1.unwrap()[1];
    assert_eq!(usize::from(first), 20 - WORDS);
}

#[test]
fn no_more_waits_than_the_rate_carries_away_soon() {
    for (bits, most) in [(1_000, OCTETS), (80_000_000, 2_000_000)] {
        let pacer = pacer(bits);
        let waiting = (0..).take_while(|_| pacer.push(&ipv4(1000), &[]).is_ok()).count();
        assert_eq!(waiting, most / 1000);
        fill(&pacer, 300);
        assert_eq!(
            pacer.push(&ipv4(1000), &[]),
            Err(Discard::QueueFull),
            "the first is still here"
        );
        (0..5).for_each(|_| drop(fill(&pacer, 300)));
        assert_eq!(pacer.push(&ipv4(1000), &[]), Ok(()));
    }
}

/// How many datagrams are due in a second, asked whenever the next one is.
fn in_a_second(pacer: &Pacer, octets: usize, from: Timestamp) -> u32 {
    let (mut now, mut count) = (from, 0);
    while now < from + Duration::from_secs(1) {
        let (due, next) = pacer.due(octets, now);
        assert!(next > now && (due >= 1 || now == from), "{due} at {now}, then {next}");
        count += due;
        now = next;
    }
    count
}

#[test]
fn datagrams_are_due_by_the_rate_for_as_long_as_it_runs() {
    for (bits, octets) in
        [(64_000, 200), (1_000_000, 1500), (33_333_333, 1438), (900_000_000, 1500)]
    {
        let pacer = pacer(bits);
        let expected = bits as f64 / (octets * 8) as f64;
        for second in 0..5 {
            let from = Timestamp::from_millis(1 + 1000 * second);
            let count = f64::from(in_a_second(&pacer, octets, from));
            assert!((count - expected).abs() <= 1.0 + expected * 0.001, "{count} of {expected}");
        }
    }
}

#[test]
fn who_is_late_makes_up_for_a_little_and_not_for_much() {
    let pacer = pacer(1_200_000);
    let at = Timestamp::from_millis;
    // One in ten milliseconds.
    assert_eq!(pacer.due(1500, at(100)), (1, at(110)));
    assert_eq!(pacer.due(1500, at(105)), (0, at(110)));
    assert_eq!(pacer.due(1500, at(141)), (4, at(150)));
    assert_eq!(pacer.due(1500, at(950)), (1, at(960)));
}

#[test]
fn what_waits_changes_nothing_about_when_datagrams_leave() {
    let (idle, busy) = (pacer(1_000_000), pacer(1_000_000));
    for step in 0..1000 {
        let now = Timestamp::from_micros(1 + 3700 * step);
        let _ = busy.push(&ipv4(1400), &[]);
        let due = idle.due(1500, now);
        assert_eq!(busy.due(1500, now), due);
        for _ in 0..due.0 {
            assert_eq!(fill(&idle, 300).0.len(), fill(&busy, 300).0.len());
        }
    }
}

#[test]
fn what_the_gateway_says_itself_has_room_of_its_own_and_no_more() {
    let pacer = pacer(1_000);
    while pacer.push(&ipv4(1000), &[]).is_ok() {}
    let own = (0..).take_while(|_| pacer.push_first(&ipv4(100)).is_ok()).count();
    assert!((OWN_OCTETS / 100..OWN_OCTETS / 100 + 11).contains(&own), "{own}");
}
