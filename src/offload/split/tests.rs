use super::super::samples::{Sample, naive_sum};
use super::*;
use proptest::prelude::*;

/// The super-packet that a kernel would hand over for `sample`, with its header.
fn offloaded(sample: &Sample, segment_size: usize) -> (VirtioNetHeader, Vec<u8>) {
    let packet = sample.build();
    let l4 = if sample.src.is_ipv4() { 20 } else { 40 };
    let segmentation = match (sample.tcp, sample.src.is_ipv4()) {
        (true, true) => Segmentation::TcpV4,
        (true, false) => Segmentation::TcpV6,
        (false, _) => Segmentation::Udp,
    };
    let header = VirtioNetHeader {
        needs_checksum: true,
        segmentation,
        head_len: 0,
        segment_size: segment_size as u16,
        checksum_start: l4,
        checksum_offset: if sample.tcp { 16 } else { 6 },
    };
    (header, packet)
}

/// What the same bytes look like when the sender builds each packet itself.
fn reference(sample: &Sample, segment_size: usize) -> Vec<Vec<u8>> {
    let chunks: Vec<_> = sample.payload.chunks(segment_size).collect();
    let build = |(index, chunk): (usize, &&[u8])| {
        let mut one = sample.clone();
        one.payload = chunk.to_vec();
        one.identification = sample.identification.wrapping_add(index as u16);
        one.sequence = sample.sequence.wrapping_add((index * segment_size) as u32);
        if index + 1 < chunks.len() {
            one.flags &= !0x09;
        }
        if index > 0 {
            one.flags &= !0x80;
        }
        one.build()
    };
    chunks.iter().enumerate().map(build).collect()
}

fn split(header: VirtioNetHeader, packet: &mut [u8]) -> Vec<Vec<u8>> {
    let packet = SuperPacket::new(header, packet).unwrap();
    let mut packets = Vec::new();
    let mut segments = packet.segments();
    while let Some(segment) = segments.next() {
        assert!(segment.len() <= packet.longest());
        packets.push([segment.head, segment.payload].concat());
    }
    assert_eq!(packets.len(), packet.count());
    assert_eq!(packets.iter().map(Vec::len).sum::<usize>(), packet.total());
    packets
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let base = prop_oneof![
        Just(Sample::tcp4()),
        Just(Sample::tcp6()),
        Just(Sample::udp4()),
        Just(Sample::udp6())
    ];
    let options = prop_oneof![Just(0usize), Just(12), Just(40)];
    (base, any::<u16>(), any::<u32>(), any::<u8>(), options, 1usize..20000).prop_map(
        |(base, identification, sequence, flags, options, length)| Sample {
            identification,
            sequence,
            flags,
            options: if base.tcp { vec![1; options] } else { Vec::new() },
            payload: (0..length).map(|i| (i * 31 + length) as u8).collect(),
            ..base
        },
    )
}

proptest! {
    #[test]
    fn splitting_gives_what_the_sender_would_have_built(sample in any_sample(), size in 1usize..3000) {
        let (header, mut packet) = offloaded(&sample, size);
        prop_assert_eq!(split(header, &mut packet), reference(&sample, size));
    }

    #[test]
    fn no_input_panics(
        header in proptest::array::uniform10(any::<u8>()),
        mut packet in proptest::collection::vec(any::<u8>(), 0..200),
        version in prop_oneof![Just(0x45u8), Just(0x60), any::<u8>()],
    ) {
        if let Some(first) = packet.first_mut() {
            *first = version;
        }
        let mut bytes = [header.as_slice(), &packet].concat();
        let Ok((header, packet)) = VirtioNetHeader::split_from(&mut bytes) else { return Ok(()) };
        if let Ok(packet) = SuperPacket::new(header, packet) {
            let mut segments = packet.segments();
            while segments.next().is_some() {}
        }
    }
}

#[test]
fn a_single_packet_gets_its_checksum_completed() {
    for sample in [Sample::tcp4(), Sample::udp6()] {
        let (mut header, wanted) = offloaded(&sample, 1400);
        header.segmentation = Segmentation::None;
        let mut packet = wanted.clone();
        let l4 = usize::from(header.checksum_start);
        let at = l4 + usize::from(header.checksum_offset);
        let addresses = if sample.src.is_ipv4() { 12..20 } else { 8..40 };
        let mut pseudo = packet[addresses].to_vec();
        pseudo.extend([0, if sample.tcp { 6 } else { 17 }]);
        pseudo.extend(((packet.len() - l4) as u16).to_be_bytes());
        let partial = !naive_sum(&[], &pseudo);
        packet[at..at + 2].copy_from_slice(&partial.to_be_bytes());
        assert_eq!(split(header, &mut packet), [wanted]);
    }
}

#[test]
fn truncated_and_contradictory_super_packets_are_refused() {
    let (header, packet) = offloaded(&Sample::tcp4(), 50);
    for length in 0..=52 {
        assert!(SuperPacket::new(header, &mut packet[..length].to_vec()).is_err());
    }
    let wrong_version = VirtioNetHeader { segmentation: Segmentation::TcpV6, ..header };
    let no_size = VirtioNetHeader { segment_size: 0, ..header };
    let no_header = VirtioNetHeader { checksum_start: 0, ..header };
    for wrong in [wrong_version, no_size, no_header] {
        assert!(SuperPacket::new(wrong, &mut packet.clone()).is_err());
    }
}
