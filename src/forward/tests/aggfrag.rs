//! Packets that share datagrams, and packets that are cut.

use super::*;
use crate::esp::aggfrag::{Pacer, Packer, Room, Unpacker};
use crate::esp::ecn::Ecn;
use crate::offload::SuperPacket;
use crate::wire::aggfrag::AGGFRAG_PAYLOAD;
use crate::wire::echo::{Echo, EchoKind};
use std::num::NonZeroU64;

/// A tunnel whose datagrams carry so many octets, and whose packets share them.
fn packed(mtu: u16) -> TunnelEntry {
    TunnelEntry { aggfrag: true, inner_mtu: mtu, link_mtu: mtu, ..tunnel(300) }
}

fn unpacking() -> InboundEntry {
    InboundEntry { aggfrag: Some(Arc::default()), ..entry(300) }
}

/// What leaves for these packets of one turn.
fn turn(west: &Snapshot, packets: &[Vec<u8>]) -> Outcome {
    let (mut outcome, mut outbound) =
        (Outcome::default(), Outbound::new(west, VPC, Timestamp::ZERO));
    for packet in packets {
        outbound.send(SuperPacket::whole(&mut packet.clone()), &mut outcome).unwrap();
        assert!(outcome.datagrams.is_empty(), "nothing leaves before the turn ends");
    }
    outbound.finish(&mut outcome);
    outcome
}

/// What comes out of datagrams, and why the rest does not.
fn arrive(east: &Snapshot, outcome: &Outcome) -> Vec<Result<Vec<u8>, Discard>> {
    let mut inbound = Inbound::new(east, Timestamp::from_millis(1));
    let mut all = Vec::new();
    for datagram in &outcome.datagrams {
        let (mut bytes, mut memory) = (datagram.bytes.clone(), Vec::new());
        let mut room = Room::new(&mut memory);
        let mut packets = match inbound.open(datagram.tos, &mut bytes) {
            Ok(Verdict::Aggregate(aggregate)) => inbound.unpack(aggregate, &mut room).unwrap(),
            other => panic!("{other:?}"),
        };
        while let Some(verdict) = inbound.judge_next(datagram.tos, &mut packets) {
            all.push(verdict.map(|verdict| match verdict {
                Verdict::ToHost(permitted) => permitted.packet().to_vec(),
                other => panic!("{other:?}"),
            }));
        }
    }
    all
}

/// UDP packets of both families, each with so much payload and a number of its own.
fn datagrams(payloads: &[usize]) -> Vec<Vec<u8>> {
    let numbered = payloads.iter().enumerate().map(|(number, len)| {
        let of = if number % 2 == 0 { Sample::udp4() } else { Sample::udp6() };
        Sample { payload: vec![number as u8; *len], ..of }.build()
    });
    numbered.collect()
}

#[test]
fn small_packets_of_a_turn_share_a_datagram_and_arrive_in_order() {
    let (west, east) = (sender(packed(MTU)), receiver(unpacking()));
    let sent = datagrams(&[4; 20]);
    let outcome = turn(&west, &sent);
    let octets: usize = sent.iter().map(Vec::len).sum();
    assert_eq!(outcome.datagrams.len(), 1);
    assert_eq!(outcome.datagrams[0].bytes.len(), sealed_len(4 + octets));
    let arrived: Vec<_> = sent.iter().cloned().map(Ok).collect();
    assert_eq!(arrive(&east, &outcome), arrived);
    let (sent, received) =
        (&used(&west).counters, &east.inbound.get(EspSpi(300)).unwrap().counters);
    assert_eq!((sent.sent_packets(), sent.sent_bytes()), (20, octets as u64));
    assert_eq!((received.received_packets(), received.received_bytes()), (20, octets as u64));
}

#[test]
fn a_packet_longer_than_a_datagram_is_cut_and_nobody_is_told_that_it_is_too_big() {
    let (west, east) = (sender(packed(1000)), receiver(unpacking()));
    let sent = datagrams(&[1460, 1440, 60_000]);
    let outcome = turn(&west, &sent);
    assert_eq!((outcome.discarded, outcome.reply.clone()), (None, None));
    let (last, full) = outcome.datagrams.split_last().unwrap();
    assert!(full.iter().all(|one| one.bytes.len() == sealed_len(1000) && one.whole));
    assert!(last.bytes.len() < sealed_len(1000));
    assert_eq!(arrive(&east, &outcome), sent.into_iter().map(Ok).collect::<Vec<_>>());
}

#[test]
fn a_super_packet_leaves_as_its_segments() {
    let (west, east) = (sender(packed(700)), receiver(unpacking()));
    let (header, mut bytes) = train(&Sample::tcp4());
    let (mut outcome, mut outbound) =
        (Outcome::default(), Outbound::new(&west, VPC, Timestamp::ZERO));
    outbound.send(SuperPacket::new(header, &mut bytes).unwrap(), &mut outcome).unwrap();
    outbound.finish(&mut outcome);
    let arrived = arrive(&east, &outcome);
    assert_eq!(arrived.len(), 10);
    let third =
        Sample { sequence: 3000, identification: 9, payload: vec![5; 1000], ..Sample::tcp4() };
    assert!(
        arrived.iter().all(Result::is_ok) && arrived.contains(&Ok(third.build())),
        "{arrived:?}"
    );
}

#[test]
fn what_follows_a_packet_is_not_taken_for_the_next() {
    let (west, east) = (sender(packed(MTU)), receiver(unpacking()));
    let sent = datagrams(&[8, 9]);
    let padded: Vec<_> = sent.iter().map(|packet| [&packet[..], &[0x45; 9]].concat()).collect();
    let arrived: Vec<_> = sent.into_iter().map(Ok).collect();
    assert_eq!(arrive(&east, &turn(&west, &padded)), arrived);
}

#[test]
fn much_is_sealed_before_the_turn_ends() {
    let (west, east) = (sender(packed(MTU)), receiver(unpacking()));
    let sent = datagrams(&[1200; 200]);
    let (mut outcome, mut outbound) =
        (Outcome::default(), Outbound::new(&west, VPC, Timestamp::ZERO));
    let mut most = 0;
    for packet in &sent {
        let before = outcome.datagrams.len();
        outbound.send(SuperPacket::whole(&mut packet.clone()), &mut outcome).unwrap();
        most = most.max(outcome.datagrams.len() - before);
    }
    outbound.finish(&mut outcome);
    assert!((40..=50).contains(&most), "{most} datagrams at once");
    assert_eq!(arrive(&east, &outcome), sent.into_iter().map(Ok).collect::<Vec<_>>());
}

#[test]
fn datagrams_say_nothing_of_the_classes_and_marks_of_what_they_hold() {
    let (west, east) = (sender(packed(MTU)), receiver(unpacking()));
    let sent = [0xb8, 0x01, 0x02].map(|tos| Sample { tos, ..Sample::udp4() }.build());
    let outcome = turn(&west, &sent);
    assert_eq!(outcome.datagrams.iter().map(|one| one.tos).collect::<Vec<_>>(), [0]);
    assert_eq!(arrive(&east, &outcome), sent.map(Ok));
}

#[test]
fn every_packet_of_a_datagram_is_judged_for_itself() {
    let entry = unpacking();
    let east = receiver(entry.clone());
    let stray = Sample { src: "10.9.0.1".parse().unwrap(), ..Sample::udp4() }.build();
    let [good, better] =
        [1, 2].map(|octet| Sample { payload: vec![octet], ..Sample::udp4() }.build());
    let mut table = sender(packed(MTU)).vpc(VPC).unwrap().clone();
    table.sources = Arc::new(everywhere());
    let west = Snapshot { vpcs: only(table), ..Default::default() };
    let outcome = turn(&west, &[good.clone(), stray, better.clone()]);
    let expected = [Ok(good), Err(Discard::SourceNotAllowed), Ok(better)];
    assert_eq!(arrive(&east, &outcome), expected);
    assert_eq!(count(&entry.counters.discards), [(Discard::SourceNotAllowed, 1)]);
}

#[test]
fn an_sa_that_was_agreed_on_without_takes_none() {
    let west = sender(packed(MTU));
    let mut outcome = turn(&west, &datagrams(&[4]));
    let entry = entry(300);
    let east = receiver(entry.clone());
    let verdict = inbound_packet(&east, 0, &mut outcome.datagrams[0].bytes);
    assert_eq!(verdict.unwrap_err(), Discard::NotTunnelMode);
    assert_eq!(count(&entry.counters.discards), [(Discard::NotTunnelMode, 1)]);
}

#[test]
fn an_sa_that_was_agreed_on_with_takes_plain_packets_too() {
    let east = receiver(unpacking());
    let packet = Sample::udp4().build();
    let mut datagram = seal(300, &packet);
    assert_eq!(inbound_packet(&east, 0, &mut datagram).unwrap().packet(), packet);
}

#[test]
fn an_echo_is_the_padding_of_a_payload_without_packets() {
    let (tunnel, east) = (packed(MTU), receiver(unpacking()));
    let (mut outcome, echo) = (Outcome::default(), Echo { kind: EchoKind::Question, number: 7 });
    originate_echo(&tunnel, &echo, &mut outcome).unwrap();
    let [datagram] = &mut outcome.datagrams[..] else { panic!() };
    let mut inbound = Inbound::new(&east, Timestamp::ZERO);
    let (mut memory, tos) = (Vec::new(), datagram.tos);
    let mut room = Room::new(&mut memory);
    let verdict = inbound.open(tos, &mut datagram.bytes);
    let Ok(Verdict::Aggregate(aggregate)) = verdict else { panic!("{verdict:?}") };
    let mut packets = inbound.unpack(aggregate, &mut room).unwrap();
    let heard = inbound.judge_next(tos, &mut packets);
    assert!(
        matches!(heard, Some(Ok(Verdict::Echo(PeerId(1), heard))) if heard == echo),
        "{heard:?}"
    );
    assert!(inbound.judge_next(tos, &mut packets).is_none());
}

#[test]
fn an_echo_that_completes_a_packet_is_heard_too() {
    let (tunnel, east) = (packed(MTU), receiver(unpacking()));
    let (mut outcome, echo) = (Outcome::default(), Echo { kind: EchoKind::Answer, number: 8 });
    let mut packer = Packer::default();
    packer.push(&Sample { payload: vec![1; 900], ..Sample::udp4() }.build(), &[]);
    for (number, payload) in packer.payloads(500).enumerate() {
        let octets = [&payload.header[..], payload.data].concat();
        let mut datagram = vec![0; sealed_len(octets.len())];
        tunnel.outbound.seal(AGGFRAG_PAYLOAD, &octets, &[], &mut datagram).unwrap();
        outcome.datagrams.push(Datagram {
            local: tunnel.local,
            remote: tunnel.remote,
            tos: 0,
            bytes: datagram,
            whole: true,
        });
        if number == 0 {
            originate_echo(&tunnel, &echo, &mut outcome).unwrap();
        }
    }
    // What was between the pieces comes last.
    outcome.datagrams.swap(1, 2);
    let mut inbound = Inbound::new(&east, Timestamp::ZERO);
    let (mut packets, mut echoes) = (Vec::new(), 0);
    for (number, datagram) in outcome.datagrams.into_iter().enumerate() {
        let (mut bytes, mut memory) = (datagram.bytes, Vec::new());
        let mut room = Room::new(&mut memory);
        let Ok(Verdict::Aggregate(aggregate)) = inbound.open(0, &mut bytes) else { panic!() };
        let mut inside = inbound.unpack(aggregate, &mut room).unwrap();
        while let Some(verdict) = inbound.judge_next(0, &mut inside) {
            match verdict {
                Ok(Verdict::ToHost(_)) => packets.push(number),
                Ok(Verdict::Echo(_, heard)) if heard == echo => echoes += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!((packets, echoes), (vec![2], 1));
}

#[test]
fn what_the_gateway_says_itself_leaves_at_once_and_keeps_its_class() {
    let (tunnel, east) = (packed(MTU), receiver(unpacking()));
    let (mut outcome, packet) =
        (Outcome::default(), Sample { tos: 0xc1, ..Sample::udp4() }.build());
    originate(&tunnel, &mut packet.clone(), &mut outcome).unwrap();
    assert_eq!(outcome.datagrams.iter().map(|one| one.tos).collect::<Vec<_>>(), [0xc0]);
    assert_eq!(arrive(&east, &outcome), [Ok(packet)]);
}

#[test]
fn what_an_sa_cannot_send_any_more_is_counted_packet_by_packet() {
    let hard = Limits { packets: 1, ..Limits::NONE };
    let reservation = Reservation::first_use(SaConfig { hard, ..sa(300) });
    let outbound = Arc::new(OutboundSa::new(reservation).unwrap());
    let west = sender(TunnelEntry { outbound, ..packed(100) });
    let outcome = turn(&west, &datagrams(&[60, 60, 60]));
    assert!(outcome.datagrams.is_empty());
    let counters = &used(&west).counters;
    assert_eq!(count(&counters.discards), [(Discard::HardLifetime, 3)]);
    assert_eq!(counters.sent_packets(), 0);
}

#[test]
fn a_mark_of_congestion_outside_marks_what_is_inside() {
    let (west, entry) = (sender(packed(MTU)), unpacking());
    let [marked, deaf] = [Ecn::Ect0, Ecn::NotEct]
        .map(|ecn| Sample { tos: ecn.put_into(0), ..Sample::udp4() }.build());
    let mut outcome = turn(&west, &[marked, deaf]);
    outcome.datagrams[0].tos = Ecn::Ce.put_into(0);
    let arrived = arrive(&receiver(entry), &outcome);
    let [Ok(marked), Err(Discard::EcnInvalid)] = &arrived[..] else { panic!("{arrived:?}") };
    assert_eq!(Ecn::of(marked[1]), Ecn::Ce);
}

#[test]
fn pieces_are_put_together_across_batches() {
    let (west, unpacker) = (sender(packed(500)), Arc::new(Unpacker::default()));
    let east = receiver(InboundEntry { aggfrag: Some(unpacker), ..entry(300) });
    let sent = datagrams(&[1300, 20]);
    let outcome = turn(&west, &sent);
    let mut arrived = Vec::new();
    for datagram in outcome.datagrams {
        let one = Outcome { datagrams: vec![datagram], ..Outcome::default() };
        arrived.extend(arrive(&east, &one));
    }
    assert_eq!(arrived, sent.into_iter().map(Ok).collect::<Vec<_>>());
}

/// Has room for so many datagrams.
struct Narrow {
    outcome: Outcome,
    room: usize,
}

impl Egress for Narrow {
    fn datagram(
        &mut self,
        tunnel: &TunnelEntry,
        tos: u8,
        length: usize,
        seal: impl FnOnce(&mut [u8]) -> Result<usize, Discard>,
    ) -> Result<(), Discard> {
        self.room = self.room.checked_sub(1).ok_or(Discard::NoBuffer)?;
        self.outcome.datagram(tunnel, tos, length, seal)
    }

    fn reply(&mut self, error: impl FnOnce() -> Option<Vec<u8>>) {
        self.outcome.reply(error);
    }
}

#[test]
fn where_a_turn_does_not_leave_as_a_whole_each_packet_counts_as_what_became_of_it() {
    let (west, east) = (sender(packed(500)), receiver(unpacking()));
    let sent = datagrams(&[300; 5]);
    let mut narrow = Narrow { outcome: Outcome::default(), room: 2 };
    let mut outbound = Outbound::new(&west, VPC, Timestamp::ZERO);
    for packet in &sent {
        outbound.send(SuperPacket::whole(&mut packet.clone()), &mut narrow).unwrap();
    }
    outbound.finish(&mut narrow);
    let arrived = arrive(&east, &narrow.outcome);
    assert_eq!(arrived, sent[..2].iter().cloned().map(Ok).collect::<Vec<_>>());
    let counters = &used(&west).counters;
    let octets = sent[..2].iter().map(Vec::len).sum::<usize>() as u64;
    assert_eq!((counters.sent_packets(), counters.sent_bytes()), (2, octets));
    assert_eq!(counters.discards.occurred().collect::<Vec<_>>(), [(Discard::NoBuffer, 3)]);
}

#[test]
fn a_packet_that_stays_incomplete_is_counted() {
    let (west, east) = (sender(packed(500)), receiver(unpacking()));
    let mut outcome = turn(&west, &datagrams(&[600]));
    outcome.datagrams.pop();
    assert_eq!(arrive(&east, &outcome), []);
    for _ in 0..64 {
        let sent = datagrams(&[600]);
        let arrived = arrive(&east, &turn(&west, &sent));
        assert_eq!(arrived, [Ok(sent[0].clone())]);
    }
    let counters = &east.inbound.get(EspSpi(300)).unwrap().counters;
    assert_eq!(counters.discards.read(Discard::IncompletePacket), 1);
}

/// A tunnel at 1.2 Mbit/s over datagrams of 1000 octets.
fn paced() -> TunnelEntry {
    let rate = NonZeroU64::new(1_200_000).unwrap();
    TunnelEntry { pacer: Some(Arc::new(Pacer::new(rate))), ..packed(1000) }
}

/// What leaves in so many milliseconds, and the lengths of it millisecond by millisecond.
fn run(tunnel: &TunnelEntry, from: u64, millis: u64) -> (Outcome, Vec<Vec<usize>>) {
    let (mut all, mut lengths) = (Outcome::default(), Vec::new());
    for milli in from..from + millis {
        let mut outcome = Outcome::default();
        keep_pace(tunnel, Timestamp::from_millis(milli), &mut outcome).expect("a constant rate");
        lengths.push(outcome.datagrams.iter().map(|one| one.bytes.len()).collect());
        all.datagrams.extend(outcome.datagrams);
    }
    (all, lengths)
}

#[test]
fn at_a_constant_rate_nobody_sees_when_packets_are_sent() {
    let (idle, busy) = (paced(), paced());
    let west = sender(busy.clone());
    let sent = datagrams(&[4, 900, 1400, 60, 8000]);
    let mut outcome = Outcome::default();
    let (mut outbound, mut own) =
        (Outbound::new(&west, VPC, Timestamp::ZERO), Sample::udp4().build());
    for packet in &sent {
        outbound.send(SuperPacket::whole(&mut packet.clone()), &mut outcome).unwrap();
    }
    outbound.finish(&mut outcome);
    originate(&busy, &mut own, &mut outcome).unwrap();
    originate_echo(&busy, &Echo { kind: EchoKind::Question, number: 9 }, &mut outcome).unwrap();
    assert!(outcome.datagrams.is_empty(), "nothing leaves but by the clock");
    let ((_, of_idle), (arrives, of_busy)) = (run(&idle, 1, 500), run(&busy, 1, 500));
    assert_eq!(of_busy, of_idle);
    let expected = 1_200_000 / 2 / (8 * (20 + 8 + sealed_len(1000)));
    assert!(arrives.datagrams.len().abs_diff(expected) <= 1, "{}", arrives.datagrams.len());
    assert!(arrives.datagrams.iter().all(|one| one.tos == 0 && one.whole));

    let east = receiver(unpacking());
    let mut inbound = Inbound::new(&east, Timestamp::ZERO);
    let (mut packets, mut echoes) = (Vec::new(), 0);
    for datagram in arrives.datagrams {
        let (mut bytes, mut memory) = (datagram.bytes, Vec::new());
        let mut room = Room::new(&mut memory);
        let Ok(Verdict::Aggregate(aggregate)) = inbound.open(0, &mut bytes) else { panic!() };
        let mut inside = inbound.unpack(aggregate, &mut room).unwrap();
        while let Some(verdict) = inbound.judge_next(0, &mut inside) {
            match verdict {
                Ok(Verdict::ToHost(permitted)) => packets.push(permitted.packet().to_vec()),
                Ok(Verdict::Echo(_, Echo { number: 9, .. })) => echoes += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!((packets, echoes), ([vec![own], sent].concat(), 1));
    let counters = &busy.counters;
    assert_eq!(counters.sent_packets(), 6);
    assert!(count(&counters.discards).is_empty());
}

#[test]
fn what_a_constant_rate_does_not_carry_is_dropped_and_counted() {
    let tunnel = paced();
    let west = sender(tunnel.clone());
    let (mut outcome, mut outbound) =
        (Outcome::default(), Outbound::new(&west, VPC, Timestamp::ZERO));
    for packet in datagrams(&[1400; 60]) {
        outbound.send(SuperPacket::whole(&mut packet.clone()), &mut outcome).unwrap();
    }
    outbound.finish(&mut outcome);
    let [(Discard::QueueFull, dropped)] = count(&tunnel.counters.discards)[..] else { panic!() };
    assert!((10..20).contains(&dropped), "{dropped}");
}
