//! Two tunnels that share: which packets keep together, in both directions.

use super::*;
use crate::net::{Mapping, Mappings};
use crate::offload::SuperPacket;
use crate::wire::icmp::{self, Problem};
use crate::wire::ip::InnerPacket;
use std::collections::BTreeSet;
use std::num::NonZeroU8;

/// By their remote ports: the tunnels are told apart by these.
fn two_tunnels() -> [TunnelEntry; 2] {
    let by = |spi, port| TunnelEntry { remote: ([192, 0, 2, 2], port).into(), ..tunnel(spi) };
    [by(300, 1), by(301, 2)]
}

/// A gateway whose routes to these prefixes two tunnels share.
fn sharing(towards: [&str; 2], members: [TunnelEntry; 2]) -> Snapshot {
    let member = |key| Member { key, weight: NonZeroU8::MIN };
    let buckets =
        Arc::new(Buckets::of(&[member(0x0123_4567_89ab_cdef), member(0xfedc_ba98_7654_3210)]));
    let shared = Shared { members: members.map(Arc::new).into(), buckets };
    let routes: Vec<Prefix> = prefixes(&towards);
    let fib: PrefixMap<GroupId> = routes.into_iter().map(|prefix| (prefix, GroupId(0))).collect();
    let groups = [(0, NextHops::Shared(Arc::new(shared)))].into_iter().collect();
    let sources = Arc::new(everywhere());
    let table = VpcTable { fib: Arc::new(fib), groups, sources, ..Default::default() };
    Snapshot { vpcs: only(table), ..Default::default() }
}

fn west() -> Snapshot {
    sharing(EAST, two_tunnels())
}

fn east() -> Snapshot {
    sharing(WEST, two_tunnels())
}

/// The tunnel that a packet takes.
fn taken(snapshot: &Snapshot, packet: &[u8]) -> u16 {
    let outcome = outbound_packet(snapshot, VPC, &mut packet.to_vec());
    assert_eq!(outcome.discarded, None);
    outcome.datagrams[0].remote.port()
}

fn flow(port: u16, of: Sample) -> Sample {
    Sample { src_port: port, ..of }
}

fn answer(to: &Sample) -> Sample {
    let Sample { src, dst, src_port, dst_port, .. } = to.clone();
    Sample { src: dst, dst: src, src_port: dst_port, dst_port: src_port, ..to.clone() }
}

fn every_flow() -> impl Iterator<Item = Sample> {
    let samples = [Sample::tcp4(), Sample::tcp6(), Sample::udp4(), Sample::udp6()];
    (40_000..40_050).flat_map(move |port| samples.clone().map(|sample| flow(port, sample)))
}

#[test]
fn a_flow_and_its_answers_take_one_tunnel_and_all_flows_both() {
    let (west, east) = (west(), east());
    let mut used = BTreeSet::new();
    for sample in every_flow() {
        let there = taken(&west, &sample.build());
        assert_eq!(there, taken(&east, &answer(&sample).build()), "{sample:?}");
        used.insert(there);
    }
    assert_eq!(used.len(), 2);
}

#[test]
fn flows_between_the_same_hosts_are_told_apart_one_after_the_other() {
    let west = west();
    let mut outbound = Outbound::new(&west, VPC, Timestamp::ZERO);
    for sample in every_flow().chain(every_flow()) {
        let mut outcome = Outcome::default();
        let mut packet = sample.build();
        for _ in 0..2 {
            outbound.send(SuperPacket::whole(&mut packet), &mut outcome).unwrap();
        }
        let ports: Vec<u16> = outcome.datagrams.iter().map(|one| one.remote.port()).collect();
        assert_eq!(ports, [taken(&west, &sample.build()); 2], "{sample:?}");
    }
}

#[test]
fn an_ipv6_flow_label_changes_nothing() {
    let west = west();
    for sample in every_flow().filter(|sample| sample.src.is_ipv6()) {
        let mut packet = sample.build();
        let before = taken(&west, &packet);
        packet[1..4].copy_from_slice(&[0x05, 0x43, 0x21]);
        assert_eq!(taken(&west, &packet), before);
    }
}

#[test]
fn all_fragments_of_a_datagram_take_one_tunnel() {
    let west = west();
    let mut used = BTreeSet::new();
    for host in 0..64 {
        let fragment = |offset: u16, more: bool, port: u16| {
            let src = [10, 1, 0, host].into();
            let mut packet =
                Sample { src, src_port: port, dont_fragment: false, ..Sample::udp4() }.build();
            let field = u16::from(more) << 13 | offset;
            packet[6..8].copy_from_slice(&field.to_be_bytes());
            packet
        };
        let first = taken(&west, &fragment(0, true, 40_000));
        for (offset, more) in [(100, true), (200, false)] {
            assert_eq!(taken(&west, &fragment(offset, more, 0xabab)), first);
        }
        used.insert(first);
        // Fragments between whole packets of the same hosts, over one memory of what was last.
        let mut outbound = Outbound::new(&west, VPC, Timestamp::ZERO);
        let mut outcome = Outcome::default();
        let whole = flow(40_001, Sample { src: [10, 1, 0, host].into(), ..Sample::udp4() }).build();
        for packet in
            [fragment(0, true, 40_001), whole.clone(), fragment(100, false, 40_001), whole]
        {
            outbound.send(SuperPacket::whole(&mut packet.clone()), &mut outcome).unwrap();
        }
        let ports: Vec<u16> = outcome.datagrams.iter().map(|one| one.remote.port()).collect();
        assert_eq!((ports[0], ports[2]), (first, first));
        assert_eq!(ports[1], ports[3]);
    }
    assert_eq!(used.len(), 2);
}

#[test]
fn an_error_goes_with_the_flow_that_it_is_about() {
    let (west, east) = (west(), east());
    for sample in every_flow() {
        let packet = sample.build();
        let error = icmp::error_about(&packet, Problem::TimeExceeded, sample.dst).unwrap();
        assert_eq!(taken(&east, &error), taken(&west, &packet), "{sample:?}");
    }
}

#[test]
fn an_echo_goes_with_its_answers_and_others_may_go_elsewhere() {
    let (west, east) = (west(), east());
    for (from, to) in [("10.1.0.2", "10.2.0.2"), ("fd00:1::2", "fd00:2::2")] {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        let mut used = BTreeSet::new();
        for identifier in 0..40_u32 {
            let echo =
                |sequence: u32| icmp::echo_request(from, to, identifier << 16 | sequence, b"?");
            let request = echo(1).unwrap();
            let there = taken(&west, &request);
            assert_eq!(
                taken(&west, &echo(2).unwrap()),
                there,
                "the sequence number does not matter"
            );
            assert_eq!(taken(&east, &icmp::echo_reply(&request).unwrap()), there);
            used.insert(there);
        }
        assert_eq!(used.len(), 2);
    }
}

#[test]
fn both_ends_agree_where_the_peers_know_our_hosts_by_other_addresses() {
    let outside = |prefix: &str, other: &str| {
        let mapping = Mapping::new(prefix.parse().unwrap(), other.parse().unwrap()).unwrap();
        Translation::of(&Mappings::from_iter([mapping]))
    };
    // Both sides are 10.1.0.0/16 at home; each knows the other by 100.
    let [west, east] =
        [("100.1.0.0/16", "100.2.0.0/16"), ("100.2.0.0/16", "100.1.0.0/16")].map(|(own, other)| {
            let translation = outside("10.1.0.0/16", own);
            let known = |entry| TunnelEntry { translation: translation.clone(), ..entry };
            sharing([other, EAST[1]], two_tunnels().map(known))
        });
    for port in 40_000..40_050 {
        let there = flow(port, Sample { dst: [100, 2, 0, 7].into(), ..Sample::udp4() });
        let back =
            Sample { src: [10, 1, 0, 7].into(), dst: [100, 1, 0, 2].into(), ..answer(&there) };
        assert_eq!(taken(&west, &there.build()), taken(&east, &back.build()));
    }
}

#[test]
fn a_super_packet_leaves_as_one_train_by_one_tunnel() {
    let west = west();
    let mut used = BTreeSet::new();
    let mut outbound = Outbound::new(&west, VPC, Timestamp::ZERO);
    for port in 40_000..40_020 {
        let (header, mut bytes) = train(&flow(port, Sample::tcp4()));
        let packet = SuperPacket::new(header, &mut bytes).unwrap();
        let mut outcome = Outcome::default();
        outbound.send(packet, &mut outcome).unwrap();
        let remotes: BTreeSet<u16> =
            outcome.datagrams.iter().map(|one| one.remote.port()).collect();
        assert_eq!((outcome.datagrams.len(), remotes.len()), (10, 1));
        // What the kernel can segment: datagrams of one length, to one peer.
        assert!(outcome.datagrams.iter().all(|one| one.bytes.len() == sealed_len(1052)));
        used.extend(remotes);
    }
    assert_eq!(used.len(), 2);
}

#[test]
fn packets_of_a_flow_are_accepted_from_either_tunnel() {
    let west = west();
    let mut inbound = Snapshot::default();
    [300, 301].into_iter().for_each(|spi| inbound.inbound.insert(EspSpi(spi), entry(spi)));
    for sample in every_flow() {
        let mut outcome = outbound_packet(&west, VPC, &mut sample.build());
        let datagram = &mut outcome.datagrams[0].bytes;
        let permitted = inbound_packet(&inbound, 0, datagram).unwrap();
        assert_eq!(InnerPacket::parse(permitted.packet()).unwrap().source, sample.src);
    }
}

#[test]
fn packets_that_share_datagrams_keep_to_their_tunnels() {
    let packing = |entry| TunnelEntry { aggfrag: true, ..entry };
    let (west, plain) = (sharing(EAST, two_tunnels().map(packing)), west());
    let mut outbound = Outbound::new(&west, VPC, Timestamp::ZERO);
    let mut outcome = Outcome::default();
    let mut due = [0; 2];
    for sample in every_flow().filter(|sample| sample.src.is_ipv4()) {
        let mut packet = sample.build();
        due[usize::from(taken(&plain, &packet)) - 1] += packet.len();
        outbound.send(SuperPacket::whole(&mut packet), &mut outcome).unwrap();
    }
    outbound.finish(&mut outcome);
    for (port, due) in (1..).zip(due) {
        let theirs = outcome.datagrams.iter().filter(|one| one.remote.port() == port);
        let carried: usize = theirs.map(|one| one.bytes.len()).sum();
        assert!((due..due + due / 4).contains(&carried), "{carried} octets for packets of {due}");
    }
}
