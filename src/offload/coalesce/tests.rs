use super::super::samples::Sample;
use super::super::{SuperPacket, VirtioNetHeader};
use super::*;
use proptest::prelude::*;

type Written = Vec<(u8, Vec<Vec<u8>>)>;

/// Merges `packets` as one batch; each write comes back as the packets that a kernel would split
/// it into.
fn merge(packets: &[(u8, Vec<u8>)]) -> Written {
    let mut written = Vec::new();
    let mut write = |key: u8, merged: Merged<'_, '_>| {
        let mut bytes = [merged.head, &merged.parts.concat()].concat();
        written.push((key, split(merged.vnet, &mut bytes)));
    };
    let mut coalescer = Coalescer::new();
    for (key, packet) in packets {
        coalescer.push(*key, packet, &mut write);
    }
    coalescer.flush(&mut write);
    written
}

fn split(header: VirtioNetHeader, bytes: &mut [u8]) -> Vec<Vec<u8>> {
    let packet = SuperPacket::new(header, bytes).unwrap();
    let mut segments = packet.segments();
    let mut packets = Vec::new();
    while let Some(segment) = segments.next() {
        packets.push([segment.head, segment.payload].concat());
    }
    packets
}

/// `count` packets that follow each other.
fn run_of(first: &Sample, count: usize) -> Vec<Vec<u8>> {
    let mut next = first.clone();
    (0..count)
        .map(|_| {
            let packet = next.build();
            next.sequence = next.sequence.wrapping_add(next.payload.len() as u32);
            next.identification = next.identification.wrapping_add(1);
            packet
        })
        .collect()
}

fn on_one_device(packets: impl IntoIterator<Item = Vec<u8>>) -> Vec<(u8, Vec<u8>)> {
    packets.into_iter().map(|packet| (0, packet)).collect()
}

#[test]
fn a_run_becomes_one_write_and_splits_into_the_same_packets() {
    for sample in [Sample::tcp4(), Sample::tcp6(), Sample::udp4(), Sample::udp6()] {
        let packets = run_of(&sample, 20);
        assert_eq!(merge(&on_one_device(packets.clone())), [(0, packets)]);
    }
}

#[test]
fn runs_end_at_64_packets_and_at_65535_bytes() {
    let small = run_of(&Sample::tcp4(), 70);
    let sizes: Vec<_> = merge(&on_one_device(small)).iter().map(|(_, run)| run.len()).collect();
    assert_eq!(sizes, [64, 6]);
    let large = run_of(&Sample { payload: vec![1; 1400], ..Sample::tcp4() }, 50);
    let sizes: Vec<_> = merge(&on_one_device(large)).iter().map(|(_, run)| run.len()).collect();
    assert_eq!(sizes, [46, 4]);
}

#[test]
fn a_push_and_a_short_packet_end_their_run() {
    let mut packets = run_of(&Sample::tcp4(), 2);
    let push = Sample { sequence: 1200, identification: 9, flags: 0x18, ..Sample::tcp4() };
    packets.push(push.build());
    packets.push(Sample { sequence: 1300, identification: 10, ..Sample::tcp4() }.build());
    let expected = vec![(0, packets[..3].to_vec()), (0, packets[3..].to_vec())];
    assert_eq!(merge(&on_one_device(packets)), expected);

    let mut packets = run_of(&Sample::udp4(), 2);
    packets.push(Sample { identification: 9, payload: vec![1; 50], ..Sample::udp4() }.build());
    packets.push(Sample { identification: 10, payload: vec![1; 50], ..Sample::udp4() }.build());
    let sizes: Vec<_> = merge(&on_one_device(packets)).iter().map(|(_, run)| run.len()).collect();
    assert_eq!(sizes, [3, 1]);
}

#[test]
fn what_differs_is_not_merged() {
    let first = Sample::tcp4();
    let next = Sample { sequence: 1100, identification: 8, ..first.clone() };
    let strangers = [
        Sample { sequence: 1101, ..next.clone() },
        Sample { acknowledgement: 78, ..next.clone() },
        Sample { tos: 3, ..next.clone() },
        Sample { ttl: 60, ..next.clone() },
        Sample { flags: 0x11, ..next.clone() },
        Sample { flags: 0x90, ..next.clone() },
        Sample { options: vec![1; 12], ..next.clone() },
        Sample { options: Vec::new(), ..next.clone() },
        Sample { payload: vec![1; 101], ..next.clone() },
        Sample { payload: Vec::new(), ..next.clone() },
        Sample { dont_fragment: false, ..next.clone() },
    ];
    for stranger in strangers {
        let packets = [first.build(), stranger.build()];
        assert_eq!(merge(&on_one_device(packets)).len(), 2, "{stranger:?}");
    }
}

#[test]
fn identification_matters_only_where_fragmentation_is_allowed() {
    let first = Sample { dont_fragment: false, ..Sample::udp4() };
    let jump = Sample { identification: 99, ..first.clone() };
    assert_eq!(merge(&on_one_device([first.build(), jump.build()])).len(), 2);
    let fixed = Sample { dont_fragment: true, ..first };
    assert_eq!(merge(&on_one_device([fixed.build(), fixed.build()])).len(), 1);
}

#[test]
fn a_damaged_packet_passes_alone_and_as_it_was() {
    let mut packets = run_of(&Sample::tcp4(), 4);
    packets[2][60] ^= 1;
    let written = merge(&on_one_device(packets.clone()));
    let flat: Vec<_> = written.iter().flat_map(|(_, run)| run.clone()).collect();
    assert_eq!(flat, packets);
    assert_eq!(written.len(), 3);
}

#[test]
fn a_packet_with_a_damaged_ip_header_passes_alone_and_as_it_was() {
    for damaged in [0, 1] {
        let mut packets = run_of(&Sample::tcp4(), 2);
        packets[damaged][10] ^= 1;
        let written = merge(&on_one_device(packets.clone()));
        let flat: Vec<_> = written.iter().flat_map(|(_, run)| run.clone()).collect();
        assert_eq!((written.len(), flat), (2, packets));
    }
}

#[test]
fn devices_never_mix() {
    let packets = run_of(&Sample::tcp4(), 2);
    let written = merge(&[(1, packets[0].clone()), (2, packets[1].clone())]);
    assert_eq!(written.len(), 2);
}

#[test]
fn two_interleaved_flows_merge_side_by_side() {
    let a = run_of(&Sample::tcp4(), 8);
    let b = run_of(&Sample { src_port: 40001, ..Sample::tcp4() }, 8);
    let mixed = a.iter().zip(&b).flat_map(|(a, b)| [a.clone(), b.clone()]);
    assert_eq!(merge(&on_one_device(mixed)), [(0, a), (0, b)]);
}

#[derive(Clone, Debug)]
enum Step {
    Next { flow: usize, length: usize, push: bool },
    Damaged { flow: usize },
    Noise(Vec<u8>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let next =
        (0usize..12, prop_oneof![Just(0usize), Just(200), Just(1400), 1usize..1400], any::<bool>())
            .prop_map(|(flow, length, push)| Step::Next { flow, length, push });
    let damaged = (0usize..12).prop_map(|flow| Step::Damaged { flow });
    let noise = proptest::collection::vec(any::<u8>(), 1..120).prop_map(Step::Noise);
    proptest::collection::vec(prop_oneof![12 => next, 1 => damaged, 1 => noise], 0..150)
}

fn flows() -> Vec<Sample> {
    let bases = [Sample::tcp4(), Sample::tcp6(), Sample::udp4(), Sample::udp6()];
    (0..12)
        .map(|index| Sample {
            src_port: 1000 + index as u16,
            dont_fragment: index % 3 == 0,
            ..bases[index % 4].clone()
        })
        .collect()
}

fn play(steps: &[Step]) -> Vec<(u8, Vec<u8>)> {
    let mut flows = flows();
    let mut packets = Vec::new();
    for step in steps {
        match step {
            Step::Next { flow, length, push } => {
                let next = &mut flows[*flow];
                next.payload = vec![*flow as u8; *length];
                next.flags = if *push && next.tcp { 0x18 } else { 0x10 };
                packets.push((0, next.build()));
                next.sequence = next.sequence.wrapping_add(*length as u32);
                next.identification = next.identification.wrapping_add(1);
            }
            Step::Damaged { flow } => {
                let mut packet = flows[*flow].build();
                *packet.last_mut().unwrap() ^= 0x55;
                packets.push((0, packet));
            }
            Step::Noise(bytes) => packets.push((0, bytes.clone())),
        }
    }
    packets
}

/// The flow of a packet made by [`play`]; noise may look like anything.
fn port(packet: &[u8]) -> Option<u16> {
    let l4 = match packet.first()? {
        0x45 => 20,
        0x60 => 40,
        _ => return None,
    };
    Some(u16::from_be_bytes([*packet.get(l4)?, *packet.get(l4 + 1)?]))
}

proptest! {
    #[test]
    fn splitting_what_was_merged_gives_every_flow_back(steps in steps()) {
        let packets = play(&steps);
        let merged: Vec<Vec<u8>> = merge(&packets).into_iter().flat_map(|(_, run)| run).collect();
        prop_assert_eq!(merged.len(), packets.len());
        for flow in 1000..1012u16 {
            let of_flow = |packet: &&Vec<u8>| port(packet) == Some(flow);
            let before: Vec<_> = packets.iter().map(|(_, packet)| packet).filter(of_flow).collect();
            let after: Vec<_> = merged.iter().filter(of_flow).collect();
            prop_assert_eq!(before, after);
        }
    }
}
