//! Who goes first, who has how much, and who is dropped.

use super::*;
use crate::offload::samples::Sample;
use crate::wire::ip::InnerPacket;
use proptest::prelude::*;

const MOST: usize = 1 << 20;
const EARLY: Timestamp = Timestamp::ZERO;

fn waiting(octets: usize, mark: u8, since: Timestamp) -> Waiting {
    Waiting { packet: vec![mark; octets], tos: 0, since, cut: Cut::IfTooLong }
}

fn push(queue: &mut FlowQueue, lane: Lane, octets: usize, mark: u8) {
    assert_eq!(queue.push(lane, waiting(octets, mark, EARLY), MOST), 0);
}

/// The marks and lengths of what comes out, without time passing.
fn take(queue: &mut FlowQueue, count: usize) -> Vec<(u8, usize)> {
    let next = || queue.take(TARGET, EARLY).packet.map(|one| (one.packet[0], one.packet.len()));
    std::iter::from_fn(next).take(count).collect()
}

#[test]
fn who_sends_little_goes_before_who_floods() {
    let mut queue = FlowQueue::default();
    (0..100).for_each(|_| push(&mut queue, Lane::Flow(1), 1000, 1));
    take(&mut queue, 10);
    push(&mut queue, Lane::Flow(2), 60, 2);
    assert_eq!(take(&mut queue, 2), [(2, 60), (1, 1000)]);
}

#[test]
fn flows_have_as_many_octets_as_each_other() {
    let mut queue = FlowQueue::default();
    for _ in 0..600 {
        push(&mut queue, Lane::Flow(1), 1400, 1);
        push(&mut queue, Lane::Flow(2), 100, 2);
    }
    let mut sent = [0; 3];
    take(&mut queue, 300).iter().for_each(|(mark, octets)| sent[usize::from(*mark)] += octets);
    assert!(sent[1].abs_diff(sent[2]) < 2 * 1514, "{sent:?}");
}

#[test]
fn express_packets_go_first_and_have_a_half_at_most() {
    let mut queue = FlowQueue::default();
    (0..200).for_each(|_| push(&mut queue, Lane::Flow(1), 1000, 1));
    push(&mut queue, Lane::Express(1), 200, 9);
    assert_eq!(take(&mut queue, 2), [(9, 200), (1, 1000)]);
    (0..200).for_each(|_| push(&mut queue, Lane::Express(1), 1000, 9));
    let express = take(&mut queue, 150).iter().filter(|(mark, _)| *mark == 9).count();
    assert!((75..=92).contains(&express), "{express}");
}

#[test]
fn who_marks_a_flood_as_express_keeps_no_other_express_waiting() {
    let mut queue = FlowQueue::default();
    for _ in 0..1000 {
        queue.push(Lane::Express(1), waiting(1000, 1, EARLY), 100_000);
    }
    push(&mut queue, Lane::Express(2), 200, 2);
    assert_eq!(take(&mut queue, 3)[2..], [(2, 200)][..]);
    // And what stands there is dropped from as anywhere.
    let mut dropped = 0;
    for milli in 0..1000 {
        let now = Timestamp::from_millis(milli);
        queue.push(Lane::Express(1), waiting(1000, 1, now), 100_000);
        dropped += queue.take(TARGET, now).dropped;
    }
    assert!(dropped > 10, "{dropped}");
}

#[test]
fn a_packet_alone_may_wait_however_long_it_is() {
    let mut queue = FlowQueue::default();
    assert_eq!(queue.push(Lane::Flow(1), waiting(60_000, 1, EARLY), 15_000), 0);
    assert_eq!(queue.push(Lane::Flow(2), waiting(100, 2, EARLY), 15_000), 1);
    assert_eq!(take(&mut queue, 2), [(2, 100)]);
}

#[test]
fn who_takes_most_room_pays_for_it() {
    let mut queue = FlowQueue::default();
    push(&mut queue, Lane::Flow(2), 60, 2);
    let mut dropped = 0;
    for _ in 0..5000 {
        dropped += queue.push(Lane::Flow(1), waiting(1000, 1, EARLY), 100_000);
        assert!(queue.octets() <= 100_000);
    }
    assert_eq!(queue.packets() + dropped, 5001);
    assert_eq!(take(&mut queue, 1), [(2, 60)]);
}

#[test]
fn where_many_flows_have_a_packet_each_all_are_looked_at_once_for_many() {
    let (mut queue, mut walks, mut dropped) = (FlowQueue::default(), 0, 0);
    for number in 0..10_000 {
        let now = queue.push(Lane::Flow(number % 1024), waiting(40, 1, EARLY), 100 << 10);
        walks += u64::from(now > 0);
        dropped += now;
    }
    assert_eq!(queue.packets() + dropped, 10_000);
    assert!(walks * 10 < dropped, "{walks} walks for {dropped} packets");
}

#[test]
fn of_small_packets_no_more_wait_than_there_is_memory_for() {
    let mut queue = FlowQueue::default();
    for _ in 0..10_000 {
        queue.push(Lane::Flow(1), waiting(40, 1, EARLY), 256_000);
    }
    assert!(queue.packets() <= 1000, "{}", queue.packets());
}

/// What becomes of packets of a flow that have always waited for 20 ms, one a millisecond: how many came
/// out, and how many of those say "congestion experienced".
fn long_queue(tos: u8) -> (u64, u64, u64) {
    let (mut queue, mut dropped, mut out, mut marked) = (FlowQueue::default(), 0, 0, 0);
    let packet = Sample { tos, payload: vec![0; 2000], ..Sample::udp4() }.build();
    for milli in 0..1000 {
        let now = Timestamp::from_millis(milli);
        let waiting = Waiting { packet: packet.clone(), tos, since: now, cut: Cut::IfTooLong };
        queue.push(Lane::Flow(1), waiting, MOST);
        if milli >= 20 {
            let taken = queue.take(TARGET, now);
            dropped += taken.dropped;
            if let Some(Waiting { packet, .. }) = taken.packet {
                out += 1;
                let inner = InnerPacket::parse(&packet).unwrap();
                marked += u64::from(Ecn::of(inner.tos) == Ecn::Ce);
                let header = crate::wire::checksum::Sum::of(&packet[..20]);
                assert_eq!(header.finish(), 0, "the header's checksum");
            }
        }
    }
    (out, marked, dropped)
}

#[test]
fn who_understands_ecn_is_told_and_others_are_dropped() {
    let (out, marked, dropped) = long_queue(Ecn::NotEct as u8);
    assert!(marked == 0 && dropped > 3 && out > 900, "{out} {marked} {dropped}");
    let (out, marked, dropped) = long_queue(Ecn::Ect0 as u8);
    assert!(marked > 10 && dropped == 0 && out == 980, "{out} {marked} {dropped}");
}

proptest! {
    /// Whatever comes and goes: each packet comes out once, or is counted as dropped; packets of a flow
    /// keep their order; and nothing is left in the end.
    #[test]
    fn every_packet_comes_out_or_is_counted(
        steps in prop::collection::vec((0_u16..6, 1_usize..2000, 0_u64..30, any::<bool>()), 1..400),
    ) {
        let (mut queue, mut now) = (FlowQueue::default(), EARLY);
        let (mut pushed, mut out, mut dropped) = (0_u32, 0_u64, 0_u64);
        let mut last = BTreeMap::new();
        let mut take = |queue: &mut FlowQueue, now| {
            let taken = queue.take(TARGET, now);
            dropped += taken.dropped;
            let Some(Waiting { packet, .. }) = taken.packet else { return Ok(false) };
            out += 1;
            let number = u32::from_be_bytes(packet[..4].try_into().unwrap());
            let before = last.insert(packet[4], number);
            prop_assert!(before.is_none_or(|before| before < number));
            Ok(true)
        };
        let mut squeezed = 0;
        for (flow, octets, pause, takes) in steps {
            now += Duration::from_millis(pause);
            pushed += 1;
            let packet = [&pushed.to_be_bytes()[..], &[flow as u8], &vec![0; octets]].concat();
            let lane = if flow == 0 { Lane::Express(1) } else { Lane::Flow(flow) };
            squeezed += queue.push(lane, Waiting { packet, tos: 0, since: now, cut: Cut::IfTooLong }, 60_000);
            if takes {
                take(&mut queue, now)?;
            }
        }
        while take(&mut queue, now)? {}
        prop_assert_eq!(out + dropped + squeezed, u64::from(pushed));
        prop_assert!(queue.is_empty() && queue.packets() == 0);
    }
}
