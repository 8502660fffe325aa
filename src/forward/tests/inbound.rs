use super::*;
use crate::wire::icmp::{self, Problem};
use crate::wire::tcp::TcpHeader;

/// What the gateway with `entry` says to `packet`, sealed by the peer.
fn judge(entry: InboundEntry, outer_tos: u8, packet: &[u8]) -> Result<Vec<u8>, Discard> {
    let mut datagram = seal(entry.sa.spi().0, packet);
    let counters = entry.counters.clone();
    let snapshot = receiver(entry);
    let verdict = inbound_packet(&snapshot, outer_tos, &mut datagram);
    let verdict = verdict.map(|permitted| permitted.packet().to_vec());
    if let Err(reason) = &verdict {
        assert_eq!(count(&counters.discards), [(*reason, 1)]);
        assert_eq!(counters.received_packets(), 0);
    }
    verdict
}

#[test]
fn sources_that_the_peer_may_not_use_are_refused() {
    let sample = Sample { src: "10.9.0.1".parse().unwrap(), ..Sample::udp4() };
    assert_eq!(judge(entry(300), 0, &sample.build()), Err(Discard::SourceNotAllowed));
}

/// A peer that may send from anywhere else, by the default route.
fn from_everywhere() -> InboundEntry {
    InboundEntry { allowed_sources: Arc::new(everywhere()), ..entry(300) }
}

#[test]
fn whoever_may_send_from_anywhere_may_not_from_what_is_at_home_here() {
    for of in [Sample::udp4(), Sample::udp6(), Sample::tcp4(), Sample::tcp6()] {
        let ours = Sample { src: of.dst, ..of.clone() };
        assert_eq!(judge(from_everywhere(), 0, &ours.build()), Err(Discard::SourceNotAllowed));
        assert!(judge(from_everywhere(), 0, &of.build()).is_ok());
    }
}

#[test]
fn an_inside_address_that_lies_at_home_here_is_the_peer_s_all_the_same() {
    let inside = Prefix::host("10.2.255.1".parse().unwrap());
    let from = |src: &str| {
        let sources = everywhere::<Vec<_>>().into_iter().chain([inside]).collect();
        let entry = InboundEntry { allowed_sources: Arc::new(sources), ..entry(300) };
        let sample = Sample { src: src.parse().unwrap(), ..Sample::udp4() };
        judge(entry, 0, &sample.build()).err()
    };
    assert_eq!(from("10.2.255.1"), None);
    assert_eq!(from("10.2.255.2"), Some(Discard::SourceNotAllowed));
}

#[test]
fn nobody_complains_from_an_address_that_is_at_home_here() {
    let of = Sample::udp4();
    let sent = Sample { src: of.dst, dst: of.src, ..of }.build();
    let from = |router: &str| {
        let error = icmp::error_about(&sent, Problem::TimeExceeded, router.parse().unwrap());
        judge(from_everywhere(), 0, &error.unwrap()).err()
    };
    assert_eq!(from("10.2.9.9"), Some(Discard::SourceNotAllowed));
    assert_eq!(from("192.0.2.9"), None);
}

#[test]
fn destinations_outside_the_vpc_are_refused() {
    let sample = Sample { dst: "10.9.0.1".parse().unwrap(), ..Sample::udp4() };
    assert_eq!(judge(entry(300), 0, &sample.build()), Err(Discard::DestinationNotLocal));
}

#[test]
fn packets_outside_the_selectors_are_refused() {
    let tcp_only = TrafficSelector {
        protocol: 6,
        start_port: 0,
        end_port: 65535,
        addresses: Prefix::all_ipv4().into(),
    };
    let narrow = InboundEntry { remote_ts: [tcp_only].into_iter().collect(), ..entry(300) };
    assert_eq!(judge(narrow.clone(), 0, &Sample::udp4().build()), Err(Discard::SelectorMismatch));
    assert!(
        judge(InboundEntry { sa: entry(300).sa, ..narrow }, 0, &Sample::tcp4().build()).is_ok()
    );
}

#[test]
fn unknown_spis_and_short_datagrams_are_counted_by_the_gateway() {
    let snapshot = receiver(entry(300));
    let mut unknown = seal(301, &Sample::udp4().build());
    assert_eq!(inbound_packet(&snapshot, 0, &mut unknown).err(), Some(Discard::UnknownSpi));
    assert_eq!(inbound_packet(&snapshot, 0, &mut [1, 2]).err(), Some(Discard::MalformedEsp));
    assert_eq!(count(&snapshot.discards), [(Discard::MalformedEsp, 1), (Discard::UnknownSpi, 1)]);
}

#[test]
fn a_packet_is_delivered_once_and_only_if_nobody_touched_it() {
    let snapshot = receiver(entry(300));
    let datagram = seal(300, &Sample::udp4().build());
    let mut forged = datagram.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(inbound_packet(&snapshot, 0, &mut forged).err(), Some(Discard::NotAuthentic));
    assert!(inbound_packet(&snapshot, 0, &mut datagram.clone()).is_ok());
    assert_eq!(inbound_packet(&snapshot, 0, &mut datagram.clone()).err(), Some(Discard::Replayed));
}

#[test]
fn congestion_outside_is_shown_inside() {
    for sample in [Sample::udp4(), Sample::udp6()] {
        let capable = Sample { tos: 0xba, ..sample.clone() };
        let marked = Sample { tos: 0xbb, ..sample.clone() };
        assert_eq!(judge(entry(300), 0x03, &capable.build()), Ok(marked.build()));
        assert_eq!(judge(entry(300), 0x48, &capable.build()), Ok(capable.build()));
        let incapable = Sample { tos: 0xb8, ..sample };
        assert_eq!(judge(entry(300), 0x03, &incapable.build()), Err(Discard::EcnInvalid));
    }
}

#[test]
fn the_mss_of_a_syn_is_clamped_on_its_way_in() {
    let options = vec![2, 4, 0x23, 0x28]; // MSS 9000
    let syn = Sample { flags: 0x12, options, payload: Vec::new(), ..Sample::tcp4() };
    let packet = judge(entry(300), 0, &syn.build()).unwrap();
    let header = TcpHeader::parse(&packet[20..]).unwrap();
    assert_eq!(header.maximum_segment_size().map(|(mss, _)| mss), Some(MTU - 40));
}

#[test]
fn a_batch_judges_every_flow_for_itself() {
    let snapshot = receiver(entry(300));
    let sa = OutboundSa::new(Reservation::first_use(sa(300))).unwrap();
    let good = Sample::udp4();
    let bad = Sample { src: "10.9.0.1".parse().unwrap(), ..good.clone() };
    let mut batch = Inbound::new(&snapshot, Timestamp::from_millis(7));
    let mut verdict = |sample: &Sample| {
        let packet = sample.build();
        let mut out = vec![0; sealed_len(packet.len())];
        sa.seal(4, &[], &packet, &mut out).unwrap();
        batch.open(0, &mut out).err()
    };
    let verdicts = [&good, &good, &bad, &good].map(&mut verdict);
    assert_eq!(verdicts, [None, None, Some(Discard::SourceNotAllowed), None]);
    drop(batch);
    let counters = &snapshot.inbound.get(EspSpi(300)).unwrap().counters;
    assert_eq!(counters.received_packets(), 3);
}

#[test]
fn an_authentic_packet_is_a_sign_of_life_even_when_nobody_gets_it() {
    let snapshot = receiver(entry(300));
    let counters = Arc::clone(&snapshot.inbound.get(EspSpi(300)).unwrap().counters);
    let bad = Sample { src: "10.9.0.1".parse().unwrap(), ..Sample::udp4() };
    let mut datagram = seal(300, &bad.build());
    let mut forged = datagram.clone();
    *forged.last_mut().unwrap() ^= 1;
    let open = |millis, datagram: &mut [u8]| {
        let now = Timestamp::from_millis(millis);
        Inbound::new(&snapshot, now).open(0, datagram).is_err()
    };
    assert!(open(5, &mut forged));
    assert_eq!(counters.last_heard(), None, "anybody can forge");
    assert!(open(7, &mut datagram));
    assert_eq!(counters.last_heard(), Some(Timestamp::from_millis(7)));
}

#[test]
fn inner_packets_that_do_not_parse_are_refused() {
    let mut packet = Sample::udp4().build();
    packet[0] = 0x44;
    assert_eq!(judge(entry(300), 0, &packet), Err(Discard::MalformedInner));
}

#[test]
fn a_packet_from_elsewhere_is_told_when_it_was_authentic() {
    let snapshot = receiver(entry(300));
    let mut inbound = Inbound::new(&snapshot, Timestamp::ZERO);
    let (here, elsewhere) = (entry(300).remote, SocketAddr::from(([192, 0, 2, 1], 4501)));
    let sa = OutboundSa::new(Reservation::first_use(sa(300))).unwrap();
    let mut open = |from: SocketAddr| {
        let mut datagram = vec![0; 200];
        let length = sa.seal(4, &[], &Sample::udp4().build(), &mut datagram).unwrap();
        inbound.open(0, &mut datagram[..length]).unwrap();
        inbound.strayed(from)
    };
    assert_eq!(open(here), None);
    let strayed = Strayed { peer: PeerId(1), spi: EspSpi(300), remote: elsewhere };
    assert_eq!(open(elsewhere), Some(strayed));
}

#[test]
fn an_echo_passes_whatever_the_selectors_say_and_other_dummy_packets_do_not() {
    use crate::wire::echo::{Echo, EchoKind};
    let nothing = || -> Selectors { std::iter::empty::<TrafficSelector>().collect() };
    let snapshot =
        receiver(InboundEntry { local_ts: nothing(), remote_ts: nothing(), ..entry(300) });
    let tunnel = TunnelEntry { local_ts: nothing(), remote_ts: nothing(), ..tunnel(300) };
    let echo = Echo { kind: EchoKind::Question, number: 7 };
    let mut outcome = Outcome::default();
    originate_echo(&tunnel, &echo, &mut outcome).unwrap();
    let mut inbound = Inbound::new(&snapshot, Timestamp::ZERO);
    match inbound.open(0, &mut outcome.datagrams[0].bytes) {
        Ok(Verdict::Echo(PeerId(1), got)) => assert_eq!(got, echo),
        other => panic!("{other:?}"),
    }
    let mut other = vec![0; 100];
    let length = tunnel.outbound.seal(59, &[], &[1; 24], &mut other).unwrap();
    assert_eq!(inbound.open(0, &mut other[..length]).err(), Some(Discard::Dummy));
}
