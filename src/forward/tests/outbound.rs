use super::fragment::Fragments;
use super::*;
use crate::offload::{Segment, SuperPacket};
use crate::wire::ip::{InnerPacket, protocol};
use crate::wire::tcp::TcpHeader;

fn discarded(snapshot: &Snapshot, sample: &Sample) -> Option<Discard> {
    let outcome = outbound_packet(snapshot, VPC, &mut sample.build());
    assert!(outcome.datagrams.is_empty(), "nothing may leave");
    outcome.discarded
}

fn to(destination: &str) -> Sample {
    Sample { dst: destination.parse().unwrap(), ..Sample::udp4() }
}

/// What the peer finds in the datagrams.
fn opened(outcome: &mut Outcome) -> Vec<Vec<u8>> {
    let east = receiver(entry(300));
    let mut open = |datagram: &mut Datagram| {
        inbound_packet(&east, 0, &mut datagram.bytes).unwrap().packet().to_vec()
    };
    outcome.datagrams.iter_mut().map(&mut open).collect()
}

#[test]
fn without_a_route_nothing_leaves() {
    let west = sender(tunnel(300));
    assert_eq!(discarded(&west, &to("10.3.0.1")), Some(Discard::NoRoute));
    assert_eq!(count(&west.vpc(VPC).unwrap().discards), [(Discard::NoRoute, 1)]);
    let outcome = outbound_packet(&west, OTHER_VPC, &mut Sample::udp4().build());
    assert_eq!(outcome.discarded, Some(Discard::NoRoute));
}

#[test]
fn a_group_without_a_tunnel_fails_closed() {
    let mut west = sender(tunnel(300));
    let mut table = west.vpc(VPC).unwrap().clone();
    let elsewhere = NextHops::One(Arc::new(tunnel(0x1001)));
    for groups in [Chunked::default(), [(7, elsewhere)].into_iter().collect()] {
        table.groups = groups;
        west.vpcs.set(0, Some(Arc::new(table.clone())));
        assert_eq!(discarded(&west, &Sample::udp4()), Some(Discard::TunnelDown));
    }
}

#[test]
fn a_tunnel_of_another_vpc_is_never_used() {
    let west = sender(TunnelEntry { vpc: OTHER_VPC, ..tunnel(300) });
    assert_eq!(discarded(&west, &Sample::udp4()), Some(Discard::TunnelDown));
}

#[test]
fn sources_of_another_vpc_stay() {
    let mut west = sender(tunnel(300));
    let mut table = VpcTable::clone(west.vpc(VPC).unwrap());
    table.sources = Arc::new(prefixes(&WEST));
    west.vpcs.set(0, Some(Arc::new(table)));
    assert_eq!(outbound_packet(&west, VPC, &mut Sample::udp4().build()).discarded, None);
    let stranger = Sample { src: "10.9.0.1".parse().unwrap(), ..Sample::udp4() };
    assert_eq!(discarded(&west, &stranger), Some(Discard::SourceNotAllowed));
}

#[test]
fn packets_outside_the_selectors_stay() {
    let narrow: Selectors = ["10.1.9.0/24"]
        .map(|text| TrafficSelector::any_protocol(text.parse::<Prefix>().unwrap()))
        .into_iter()
        .collect();
    let west = sender(TunnelEntry { local_ts: narrow, ..tunnel(300) });
    assert_eq!(discarded(&west, &Sample::udp4()), Some(Discard::SelectorMismatch));
    assert_eq!(count(&used(&west).counters.discards), [(Discard::SelectorMismatch, 1)]);
}

#[test]
fn every_packet_takes_an_sa_that_permits_it() {
    let by = |spi: u32, prefix: &str, next: Option<TunnelEntry>| {
        let remote_ts = TrafficSelector::any_protocol(prefix.parse::<Prefix>().unwrap());
        let remote_ts = [remote_ts].into_iter().collect();
        TunnelEntry { remote_ts, next: next.map(Box::new), ..tunnel(spi) }
    };
    let third = by(302, "fd00:2::/32", None);
    let west = sender(by(300, "10.2.1.0/24", Some(by(301, "10.2.0.0/23", Some(third)))));
    let spi_to = |sample: Sample| {
        let outcome = outbound_packet(&west, VPC, &mut sample.build());
        u32::from_be_bytes(*outcome.datagrams[0].bytes.first_chunk().unwrap())
    };
    let spis = [to("10.2.1.9"), to("10.2.0.9"), Sample::udp6()].map(spi_to);
    assert_eq!(spis, [300, 301, 302]);
    assert_eq!(discarded(&west, &to("10.2.2.1")), Some(Discard::SelectorMismatch));
}

#[test]
fn later_fragments_pass_where_their_first_one_does() {
    let fragment = |snapshot: &Snapshot, offset: u8, identification: u16, port: u16| {
        let sample = Sample { dont_fragment: false, identification, ..Sample::udp4() };
        let mut packet = sample.build();
        packet[6] = 0x20;
        packet[7] = offset;
        packet[22..24].copy_from_slice(&port.to_be_bytes());
        outbound_packet(snapshot, VPC, &mut packet).discarded
    };
    assert_eq!(fragment(&sender(tunnel(300)), 100, 1, 0), None, "no ports are asked for");
    let west = sender(TunnelEntry { remote_ts: some_udp_ports(), ..tunnel(300) });
    let refused = Some(Discard::Fragment);
    assert_eq!(fragment(&west, 100, 1, 0), refused, "its first fragment is unknown");
    assert_eq!(fragment(&west, 0, 1, 5000), None);
    assert_eq!(fragment(&west, 100, 1, 0), None);
    assert_eq!(fragment(&west, 100, 2, 0), refused, "of another datagram");
    assert_eq!(fragment(&west, 0, 1, 4000), Some(Discard::SelectorMismatch));
    assert_eq!(fragment(&west, 100, 1, 0), refused, "the same number, other ports");
    (0..200).for_each(|number| assert_eq!(fragment(&west, 0, number, 5000), None));
    assert_eq!(fragment(&west, 100, 199, 0), None);
    assert_eq!(fragment(&west, 100, 1, 0), refused, "only so many are remembered");
}

#[test]
fn what_belongs_to_one_link_stays_there() {
    let west = sender(tunnel(300));
    let everywhere: PrefixMap<GroupId> = [Prefix::all_ipv4(), Prefix::all_ipv6()]
        .map(|prefix| (prefix, GroupId(0)))
        .into_iter()
        .collect();
    let table = VpcTable { fib: Arc::new(everywhere), ..west.vpc(VPC).unwrap().clone() };
    let west = Snapshot { vpcs: only(table), ..west };
    for local in ["224.0.0.5", "255.255.255.255", "169.254.1.1", "127.0.0.1"] {
        assert_eq!(discarded(&west, &to(local)), Some(Discard::NotForwardable), "{local}");
    }
    for local in ["ff02::2", "fe80::1", "::1"] {
        let sample = Sample { dst: local.parse().unwrap(), ..Sample::udp6() };
        assert_eq!(discarded(&west, &sample), Some(Discard::NotForwardable), "{local}");
    }
}

#[test]
fn a_large_packet_that_may_not_be_fragmented_is_answered() {
    for sample in [Sample::tcp4(), Sample::udp6()] {
        let west = sender(tunnel(300));
        let sample = Sample { payload: vec![1; 1450], ..sample };
        let outcome = outbound_packet(&west, VPC, &mut sample.build());
        assert_eq!((outcome.discarded, outcome.datagrams.len()), (Some(Discard::TooBig), 0));
        let reply = outcome.reply.unwrap();
        let parsed = InnerPacket::parse(&reply).unwrap();
        assert_eq!((parsed.source, parsed.destination), (sample.dst, sample.src));
        let icmp = &reply[parsed.transport_offset..];
        let kind = if sample.src.is_ipv4() { (3, 4) } else { (2, 0) };
        assert_eq!((icmp[0], icmp[1]), kind);
        assert_eq!(u16::from_be_bytes([icmp[6], icmp[7]]), MTU);
    }
}

#[test]
fn until_the_sender_knows_better_a_packet_leaves_in_fragments_around_it() {
    let west = || sender(TunnelEntry { inner_mtu: 1000, link_mtu: 1400, ..tunnel(300) });
    for (payload, leaves) in [(1300, true), (1450, false)] {
        let sample = Sample { payload: vec![1; payload], ..Sample::tcp4() };
        let mut outcome = outbound_packet(&west(), VPC, &mut sample.build());
        let reply = outcome.reply.take().unwrap();
        assert_eq!(u16::from_be_bytes([reply[26], reply[27]]), 1000);
        assert_eq!(outcome.discarded.is_none(), leaves);
        assert!(outcome.datagrams.iter().all(|datagram| !datagram.whole));
        assert_eq!(opened(&mut outcome).len(), usize::from(leaves));
    }
}

#[test]
fn an_echo_request_that_leaves_in_fragments_is_not_answered_with_an_error() {
    const ECHO: [u8; 8] = [8, 0, 0, 0, 0, 1, 0, 1];
    let west = sender(TunnelEntry { inner_mtu: 1000, link_mtu: 1400, ..tunnel(300) });
    for (payload, leaves) in [(1300, true), (1450, false)] {
        let mut packet = Sample { payload: vec![1; payload], ..Sample::tcp4() }.build();
        packet[9] = protocol::ICMP;
        packet[20..28].copy_from_slice(&ECHO);
        let outcome = outbound_packet(&west, VPC, &mut packet);
        assert_eq!((outcome.datagrams.len(), outcome.discarded.is_none()), (leaves.into(), leaves));
        assert_eq!(outcome.reply.is_none(), leaves);
    }
}

#[test]
fn what_ipv6_wants_of_every_link_leaves_by_a_narrow_path_too() {
    let narrow = || TunnelEntry { inner_mtu: 1100, link_mtu: 1100, ..tunnel(300) };
    let sent = |mut packet: Vec<u8>| outbound_packet(&sender(narrow()), VPC, &mut packet);
    let of_length = |octets: usize| {
        let empty = Sample { payload: Vec::new(), ..Sample::udp6() }.build().len();
        Sample { payload: vec![1; octets - empty], ..Sample::udp6() }.build()
    };
    for (octets, whole) in [(1100, true), (1104, false), (1280, false)] {
        let outcome = sent(of_length(octets));
        assert_eq!((outcome.discarded, outcome.datagrams.len()), (None, 1));
        assert_eq!(narrow().fits_whole(outcome.datagrams[0].bytes.len()), whole, "{octets}");
    }
    let outcome = sent(of_length(1281));
    assert_eq!((outcome.discarded, outcome.datagrams.len()), (Some(Discard::TooBig), 0));
    let reply = outcome.reply.unwrap();
    assert_eq!(reply[44..48], 1280u32.to_be_bytes());
}

#[test]
fn a_large_packet_that_may_be_fragmented_is_cut_before_sealing() {
    let west = sender(tunnel(300));
    let sample = Sample { payload: vec![1; 3000], dont_fragment: false, ..Sample::udp4() };
    let mut outcome = outbound_packet(&west, VPC, &mut sample.build());
    assert_eq!(outcome.discarded, None);
    let pieces = opened(&mut outcome);
    assert_eq!(pieces.len(), 3);
    assert!(pieces.iter().all(|piece| piece.len() <= usize::from(MTU)));
    let data: usize = pieces.iter().map(|piece| piece.len() - 20).sum();
    assert_eq!(data, 3008);
}

#[test]
fn a_packet_of_exactly_the_mtu_fits() {
    let west = sender(tunnel(300));
    let payload = vec![1; usize::from(MTU) - 28];
    let outcome = outbound_packet(&west, VPC, &mut Sample { payload, ..Sample::udp4() }.build());
    assert_eq!(outcome.discarded, None);
    assert!(outcome.datagrams[0].bytes.len() <= 1500 - 28);
}

#[test]
fn the_mss_of_a_syn_is_clamped_and_its_checksum_holds() {
    for (sample, headers) in [(Sample::tcp4(), 40), (Sample::tcp6(), 60)] {
        let options = vec![2, 4, 0x05, 0xb4]; // MSS 1460
        let sample = Sample { flags: 0x02, options, payload: Vec::new(), ..sample };
        let mut outcome = outbound_packet(&sender(tunnel(300)), VPC, &mut sample.build());
        let packet = opened(&mut outcome).remove(0);
        let clamped = MTU - headers;
        let offset = InnerPacket::parse(&packet).unwrap().transport_offset;
        let header = TcpHeader::parse(&packet[offset..]).unwrap();
        assert_eq!(header.maximum_segment_size().map(|(mss, _)| mss), Some(clamped));
        let [high, low] = clamped.to_be_bytes();
        assert_eq!(packet, Sample { options: vec![2, 4, high, low], ..sample }.build());
    }
}

#[test]
fn dscp_and_ecn_are_copied_to_the_outside() {
    let outcome = outbound_packet(
        &sender(tunnel(300)),
        VPC,
        &mut Sample { tos: 0xba, ..Sample::udp4() }.build(),
    );
    assert_eq!(outcome.datagrams[0].tos, 0xba);
}

#[test]
fn an_exhausted_sa_sends_nothing() {
    let limited = SaConfig { hard: Limits { bytes: u64::MAX, packets: 1 }, ..sa(300) };
    let outbound = Arc::new(OutboundSa::new(Reservation::first_use(limited)).unwrap());
    let west = sender(TunnelEntry { outbound, ..tunnel(300) });
    assert_eq!(outbound_packet(&west, VPC, &mut Sample::udp4().build()).discarded, None);
    assert_eq!(discarded(&west, &Sample::udp4()), Some(Discard::HardLifetime));
}

fn send_train(mtu: u16, sample: &Sample) -> Outcome {
    let west = sender(TunnelEntry { inner_mtu: mtu, link_mtu: mtu, ..tunnel(300) });
    let (header, mut bytes) = train(sample);
    let mut outcome = Outcome::default();
    let packet = SuperPacket::new(header, &mut bytes).unwrap();
    outcome.discarded = Outbound::new(&west, VPC, Timestamp::ZERO).send(packet, &mut outcome).err();
    outcome
}

#[test]
fn a_super_packet_leaves_as_its_segments() {
    let mut outcome = send_train(MTU, &Sample::tcp4());
    assert_eq!(outcome.discarded, None);
    let lengths: Vec<_> = outcome.datagrams.iter().map(|datagram| datagram.bytes.len()).collect();
    assert_eq!(lengths, [sealed_len(1052); 10]);
    let pieces = opened(&mut outcome);
    let third =
        Sample { sequence: 3000, identification: 9, payload: vec![5; 1000], ..Sample::tcp4() };
    assert_eq!(pieces[2], third.build());
}

#[test]
fn an_oversized_train_is_answered_once_or_cut() {
    let outcome = send_train(900, &Sample::tcp4());
    assert_eq!((outcome.discarded, outcome.datagrams.len()), (Some(Discard::TooBig), 0));
    let reply = outcome.reply.unwrap();
    let quoted = InnerPacket::parse(&reply).unwrap();
    assert_eq!(quoted.destination, Sample::tcp4().src);
    // The quoted packet is the first segment, with its own length.
    assert_eq!(u16::from_be_bytes([reply[30], reply[31]]), 1052);

    let mut outcome = send_train(900, &Sample { dont_fragment: false, ..Sample::tcp4() });
    assert_eq!((outcome.discarded, outcome.datagrams.len()), (None, 20));
    assert!(opened(&mut outcome).iter().all(|piece| piece.len() <= 900));
}

#[test]
fn no_packet_panics() {
    use proptest::prelude::*;
    let west = sender(tunnel(300));
    proptest!(|(mut packet in proptest::collection::vec(any::<u8>(), 0..120), version in any::<bool>())| {
        if let Some(first) = packet.first_mut() {
            *first = if version { 0x45 } else { 0x60 };
        }
        outbound_packet(&west, VPC, &mut packet);
    });
}

#[test]
fn a_peer_that_knows_no_ports_of_later_fragments_gets_the_datagram_whole() {
    let remote_ts = some_udp_ports();
    let reassembly = Some(Arc::default());
    let west = sender(TunnelEntry { remote_ts, reassembly, ..tunnel(300) });
    let whole = Sample { payload: vec![1; 3000], dont_fragment: false, ..Sample::udp4() }.build();
    let mut fragments = Fragments::new(Segment { head: &[], payload: &whole }, 1400).unwrap();
    let mut outcomes = Vec::new();
    while let Some(fragment) = fragments.next() {
        let mut fragment = [fragment.head, fragment.payload].concat();
        outcomes.push(outbound_packet(&west, VPC, &mut fragment));
    }
    let mut last = outcomes.pop().unwrap();
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::default()), "they wait");
    assert!(!last.datagrams[0].whole, "it is for the underlay to fragment");
    assert_eq!(opened(&mut last), [whole]);
    let tunnel = used(&west);
    assert_eq!(tunnel.counters.sent_packets(), 1);
    assert!(count(&tunnel.counters.discards).is_empty());
}

#[test]
fn datagrams_have_the_dscp_of_the_packet_or_always_the_same() {
    let af21 = OuterDscp::Fixed("af21".parse().unwrap());
    let tos = |dscp, aggfrag, ttl| {
        let west = sender(TunnelEntry { dscp, aggfrag, ..tunnel(300) });
        // EF, and "congestion experienced".
        let packet = Sample { tos: 0xbb, ttl, ..Sample::udp4() }.build();
        outbound_packet(&west, VPC, &mut packet.clone()).datagrams[0].tos
    };
    assert_eq!(tos(OuterDscp::Copied, false, 63), 0xbb);
    assert_eq!(tos(af21, false, 63), 0x4b);
    assert_eq!(tos(af21, false, 255), 0xbb, "what the host itself says keeps its class");
    // Packets that share have no class in common (RFC 9347 §2.2.5.3).
    assert_eq!(tos(OuterDscp::Copied, true, 63), 0);
    assert_eq!(tos(af21, true, 63), 0x48);
}
