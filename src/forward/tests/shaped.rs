//! A rate that a peer is sent at most.

use super::*;
use crate::forward::fragment::Fragments;
use crate::net::Dscp;
use crate::offload::Segment;
use crate::random::Seeded;
use std::collections::BTreeSet;
use std::num::NonZeroU64;

/// Bits per second.
const RATE: u64 = 20_000_000;

/// Zero is no limit.
fn limit(before: Option<Arc<Shaper>>, rate: u64) -> Option<Arc<Shaper>> {
    Shaper::of(before, NonZeroU64::new(rate), &mut Seeded::new(1))
}

fn shaped(spi: u32) -> TunnelEntry {
    TunnelEntry { shaper: limit(None, RATE), ..tunnel(spi) }
}

fn udp(port: u16, octets: usize) -> Sample {
    Sample { src_port: port, payload: vec![7; octets - 28], ..Sample::udp4() }
}

/// A gateway that works as a worker does.
struct West {
    snapshot: Snapshot,
    held: Vec<Held>,
}

impl West {
    fn with(tunnel: TunnelEntry) -> West {
        let shaped = Arc::new(tunnel.clone());
        let mut snapshot = sender(tunnel);
        snapshot.shaped.set(1, Some(shaped));
        West { snapshot, held: Vec::new() }
    }

    /// What leaves at once of packets that come at `now`.
    fn send(&mut self, packets: &[Vec<u8>], now: Timestamp) -> Outcome {
        let mut outcome = Outcome::default();
        let mut outbound = Outbound::new(&self.snapshot, VPC, now);
        for packet in packets {
            outbound.send(SuperPacket::whole(&mut packet.clone()), &mut outcome).unwrap();
        }
        self.held.extend(outbound.take_began());
        outbound.finish(&mut outcome);
        outcome
    }

    /// What is released at `now`, turn after turn.
    fn release(&mut self, now: Timestamp) -> Outcome {
        let mut outcome = Outcome::default();
        let shaped = self.snapshot.shaped.get(1).cloned();
        self.held.retain(|held| {
            loop {
                match held.release(shaped.as_deref(), now, &mut outcome).next {
                    Some(at) if at > now => return true,
                    Some(_) => {}
                    None => return false,
                }
            }
        });
        outcome
    }

    /// What leaves in milliseconds, of packets that come in each of them.
    fn run(&mut self, millis: std::ops::Range<u64>, packets: &[Vec<u8>]) -> Outcome {
        let mut all = Outcome::default();
        for now in millis.map(Timestamp::from_millis) {
            all.datagrams.extend(self.send(packets, now).datagrams);
            all.datagrams.extend(self.release(now).datagrams);
        }
        all
    }

    fn dropped(&self) -> Vec<(Discard, u64)> {
        count(&used(&self.snapshot).counters.discards)
    }
}

/// The tunnel that is released by.
fn shaped_of(west: &West) -> Option<Arc<TunnelEntry>> {
    west.snapshot.shaped.get(1).cloned()
}

/// Octets on the underlay.
fn octets(outcome: &Outcome) -> usize {
    outcome.datagrams.iter().map(|one| 20 + 8 + one.bytes.len()).sum()
}

/// The packets that arrive.
fn arrive(outcome: Outcome) -> Vec<Vec<u8>> {
    let east = receiver(entry(300));
    let open = |one: Datagram| {
        let mut bytes = one.bytes;
        inbound_packet(&east, one.tos, &mut bytes).unwrap().packet().to_vec()
    };
    outcome.datagrams.into_iter().map(open).collect()
}

#[test]
fn within_the_rate_nothing_waits() {
    let mut west = West::with(shaped(300));
    // 1.2 kB every millisecond are 10 Mbit/s.
    for milli in 0..1000 {
        let outcome = west.send(&[udp(1, 1200).build()], Timestamp::from_millis(milli));
        assert_eq!(outcome.datagrams.len(), 1);
    }
    assert!(west.held.is_empty() && west.dropped().is_empty());
}

#[test]
fn what_leaves_is_the_rate_whatever_comes() {
    let mut west = West::with(shaped(300));
    let flood: Vec<_> = (0..10).map(|_| udp(1, 1200).build()).collect();
    let sent = octets(&west.run(0..1000, &flood)) as u64 * 8;
    // What may go at once after a pause is 5 ms, and a packet.
    let most = RATE + RATE * 6 / 1000;
    assert!((RATE * 99 / 100..most).contains(&sent), "{sent}");
    let [(Discard::RateLimit, dropped)] = west.dropped()[..] else {
        panic!("{:?}", west.dropped())
    };
    let left = used(&west.snapshot).counters.sent_packets();
    // At most what 100 ms carry has not left yet.
    assert!(10_000 - dropped - left < 210, "{dropped} {left}");
}

#[test]
fn packets_of_a_super_packet_wait_one_by_one_and_arrive_as_they_were() {
    let mut west = West::with(shaped(300));
    let (header, bytes) = train(&Sample::tcp4());
    let mut expected = Vec::new();
    let mut outcome = Outcome::default();
    for _ in 0..5 {
        let mut packet = bytes.clone();
        let super_packet = SuperPacket::new(header, &mut packet).unwrap();
        let mut segments = super_packet.segments();
        while let Some(segment) = segments.next() {
            expected.push([segment.head, segment.payload].concat());
        }
        let mut packet = bytes.clone();
        let super_packet = SuperPacket::new(header, &mut packet).unwrap();
        let mut outbound = Outbound::new(&west.snapshot, VPC, Timestamp::ZERO);
        outbound.send(super_packet, &mut outcome).unwrap();
        west.held.extend(outbound.take_began());
        outbound.finish(&mut outcome);
    }
    assert_eq!(outcome.datagrams.len(), 10, "the first passes at once");
    outcome.datagrams.extend(west.run(0..100, &[]).datagrams);
    assert!(west.held.is_empty());
    assert_eq!(arrive(outcome), expected);
}

/// What BGP of the host says.
fn bgp() -> Vec<u8> {
    Sample { ttl: 255, tos: Dscp::CS6.put_into(0), ..Sample::tcp4() }.build()
}

#[test]
fn bgp_never_waits_and_what_else_the_host_says_waits_as_everybodys() {
    let mut west = West::with(shaped(300));
    let flood: Vec<_> = (0..200).map(|_| udp(1, 1200).build()).collect();
    west.send(&flood, Timestamp::ZERO);
    let outcome = west.send(&[bgp()], Timestamp::ZERO);
    assert_eq!(arrive(outcome), [bgp()]);
    let other = Sample { ttl: 255, ..Sample::tcp4() }.build();
    assert!(west.send(std::slice::from_ref(&other), Timestamp::ZERO).datagrams.is_empty());
    let released = arrive(west.run(1..20, &[]));
    assert!(released.contains(&other));
}

#[test]
fn however_much_bgp_says_hosts_wait_for_a_tenth_of_a_second_at_most() {
    let mut west = West::with(shaped(300));
    let table: Vec<_> = (0..1000).map(|_| bgp()).collect();
    for _ in 0..100 {
        assert_eq!(west.send(&table, Timestamp::ZERO).datagrams.len(), 1000);
    }
    let word = udp(1, 1200).build();
    assert!(west.send(std::slice::from_ref(&word), Timestamp::ZERO).datagrams.is_empty());
    assert!(west.run(1..90, &[]).datagrams.is_empty(), "what was too much counts");
    assert_eq!(arrive(west.run(90..102, &[])), [word]);
}

#[test]
fn whoever_waits_looks_again_before_long_and_then_goes_by_the_rate_of_then() {
    let mut west = West::with(TunnelEntry { shaper: limit(None, 64_000), ..tunnel(300) });
    let flood: Vec<_> = (0..5).map(|_| udp(1, 1200).build()).collect();
    assert_eq!(west.send(&flood, Timestamp::ZERO).datagrams.len(), 1);
    let shaper = used(&west.snapshot).shaper.clone();
    let next =
        west.held[0].release(shaped_of(&west).as_deref(), Timestamp::ZERO, &mut Outcome::default());
    assert_eq!(next.next, Some(Timestamp::from_millis(100)), "at this rate a packet takes 160 ms");
    limit(shaper, RATE);
    assert_eq!(west.release(Timestamp::from_millis(100)).datagrams.len(), 4);
    assert!(west.held.is_empty());
}

#[test]
fn who_sends_little_hardly_waits_behind_who_floods() {
    let mut west = West::with(shaped(300));
    let flood: Vec<_> = (0..10).map(|_| udp(1, 1200).build()).collect();
    west.run(0..300, &flood);
    let (mut worst, mut answered) = (0, BTreeSet::new());
    for round in 0..100_u16 {
        let word = udp(1000 + round, 64).build();
        let start = 300 + u64::from(round) * 10;
        west.send(std::slice::from_ref(&word), Timestamp::from_millis(start));
        for milli in start..start + 10 {
            let out = west.run(milli..milli + 1, &flood);
            let is_word = |one: &Datagram| one.bytes.len() < 200;
            if out.datagrams.iter().any(is_word) && answered.insert(round) {
                worst = worst.max(milli - start);
            }
        }
    }
    assert_eq!(answered.len(), 100);
    assert!(worst <= 2, "{worst} ms");
}

#[test]
fn a_queue_that_stands_is_dropped_from_long_before_it_is_full() {
    let mut west = West::with(shaped(300));
    let offered = |outcome: &Outcome| octets(outcome) as u64 * 8 * 1000;
    // A little more than the rate.
    let little = [udp(1, 1200).build(), udp(1, 1210).build()];
    let alone = West::with(tunnel(300)).send(&little, Timestamp::ZERO);
    assert!((RATE * 101 / 100..RATE * 106 / 100).contains(&offered(&alone)), "{}", offered(&alone));
    let sent = west.run(0..4000, &little).datagrams.len();
    let [(Discard::RateLimit, dropped)] = west.dropped()[..] else {
        panic!("{:?}", west.dropped())
    };
    let waiting = 8000 - dropped - sent as u64;
    assert!(waiting < 30, "{waiting} packets wait, of which 100 ms carry 200");
}

#[test]
fn where_the_rate_is_low_less_waits_than_tcp_begins_with() {
    let mut west = West::with(TunnelEntry { shaper: limit(None, 64_000), ..tunnel(300) });
    let flood: Vec<_> = (0..100).map(|_| udp(1, 1200).build()).collect();
    assert_eq!(west.send(&flood, Timestamp::ZERO).datagrams.len(), 1);
    let [(Discard::RateLimit, dropped)] = west.dropped()[..] else {
        panic!("{:?}", west.dropped())
    };
    assert!((87..95).contains(&dropped), "{dropped}");
}

#[test]
fn what_waits_is_told_so_that_a_turn_ends() {
    let mut outcome = Outcome::default();
    let west = West::with(shaped(300));
    let mut outbound = Outbound::new(&west.snapshot, VPC, Timestamp::ZERO);
    let (mut passed, packet) = (0, udp(1, 1200).build());
    for _ in 0..100 {
        outbound.send(SuperPacket::whole(&mut packet.clone()), &mut outcome).unwrap();
        passed = outcome.datagrams.len();
    }
    assert_eq!(outbound.kept(), (100 - passed) * 1200);
}

#[test]
fn a_datagram_whose_fragments_were_gathered_waits_and_leaves_whole() {
    let remote_ts = some_udp_ports();
    let reassembly = Some(Arc::default());
    let mut west = West::with(TunnelEntry { remote_ts, reassembly, ..shaped(300) });
    let flood: Vec<_> = (0..20).map(|_| udp(1, 1200).build()).collect();
    west.send(&flood, Timestamp::ZERO);
    let whole = Sample { payload: vec![1; 3000], dont_fragment: false, ..Sample::udp4() }.build();
    let mut pieces = Fragments::new(Segment { head: &[], payload: &whole }, 1400).unwrap();
    let mut fragments = Vec::new();
    while let Some(fragment) = pieces.next() {
        fragments.push([fragment.head, fragment.payload].concat());
    }
    assert!(west.send(&fragments, Timestamp::ZERO).datagrams.is_empty(), "it waits");
    let outcome = west.run(1..40, &[]);
    assert!(outcome.datagrams.iter().any(|one| !one.whole), "it is for the underlay to fragment");
    assert!(arrive(outcome).contains(&whole));
}

#[test]
fn packets_that_wait_for_a_tunnel_that_is_gone_are_counted() {
    let mut west = West::with(shaped(300));
    let flood: Vec<_> = (0..50).map(|_| udp(1, 1200).build()).collect();
    let left = west.send(&flood, Timestamp::ZERO).datagrams.len() as u64;
    west.snapshot.shaped.set(1, None);
    west.release(Timestamp::from_millis(1));
    assert_eq!(west.dropped(), [(Discard::TunnelDown, 50 - left)]);
    assert!(west.held.is_empty());
}

#[test]
fn once_the_limit_is_taken_away_everything_is_due() {
    let mut west = West::with(shaped(300));
    let flood: Vec<_> = (0..100).map(|_| udp(1, 1200).build()).collect();
    let mut outcome = west.send(&flood, Timestamp::ZERO);
    assert!(outcome.datagrams.len() < 20);
    let before = used(&west.snapshot).shaper.clone();
    limit(before, 0);
    outcome.datagrams.extend(west.release(Timestamp::ZERO).datagrams);
    assert_eq!(outcome.datagrams.len(), 100);
    assert_eq!(west.send(&flood, Timestamp::ZERO).datagrams.len(), 100);
    assert!(west.dropped().is_empty());
}

#[test]
fn a_packet_that_is_released_is_sealed_by_the_sa_of_now() {
    let mut west = West::with(shaped(300));
    let flood: Vec<_> = (0..50).map(|_| udp(1, 1200).build()).collect();
    west.send(&flood, Timestamp::ZERO);
    let shaper = used(&west.snapshot).shaper.clone();
    west.snapshot.shaped.set(1, Some(Arc::new(TunnelEntry { shaper, ..tunnel(301) })));
    let released = west.release(Timestamp::from_millis(10));
    assert!(!released.datagrams.is_empty());
    assert!(released.datagrams.iter().all(|one| one.bytes[..4] == 301_u32.to_be_bytes()));
}
