//! A peer that knows our prefixes by others: the west's as 100.1, the east's as 100.2.

use super::*;
use crate::net::{Mapping, Mappings};
use crate::offload::{Segmentation, SuperPacket, VirtioNetHeader};
use crate::wire::ip::InnerPacket;
use std::net::IpAddr;

const EAST_OUTSIDE: [&str; 2] = ["100.2.0.0/16", "fd64:2::/32"];

fn translation(inside: [&str; 2], outside: [&str; 2]) -> Translation {
    let pairs = inside.into_iter().zip(outside);
    let mappings: Mappings = pairs
        .map(|(one, other)| Mapping::new(one.parse().unwrap(), other.parse().unwrap()).unwrap())
        .collect();
    Translation::of(&mappings)
}

/// A tunnel by which the west is known as 100.1.0.0/16 and fd64:1::/32.
fn known() -> TunnelEntry {
    let translation = translation(WEST, ["100.1.0.0/16", "fd64:1::/32"]);
    TunnelEntry { translation, ..tunnel(300) }
}

/// An SA by which the east is known as 100.2.0.0/16 and fd64:2::/32; the peer may send from anywhere.
fn knowing() -> InboundEntry {
    InboundEntry {
        allowed_sources: Arc::new(everywhere()),
        local_prefixes: Arc::new(prefixes(&EAST_OUTSIDE)),
        translation: translation(EAST, EAST_OUTSIDE),
        ..entry(300)
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A sample from the west to the east: from that host, in the sender's or the receiver's terms.
fn sample(of: Sample, source: [&str; 2], destination: [&str; 2]) -> Sample {
    let family = usize::from(of.src.is_ipv6());
    Sample { src: address(source[family]), dst: address(destination[family]), ..of }
}

/// What the east's gateway makes of a packet from anybody.
fn open(packet: &[u8]) -> Result<Vec<u8>, Discard> {
    let east = receiver(knowing());
    let mut sealed = seal(300, packet);
    inbound_packet(&east, 0, &mut sealed).map(|permitted| permitted.packet().to_vec())
}

/// What comes out of the datagrams of the west, before any policy of the east.
fn opened(outcome: Outcome) -> Vec<Vec<u8>> {
    assert_eq!(outcome.discarded, None);
    let sa = InboundSa::new(sa(300)).unwrap();
    let open = |datagram: Datagram| {
        let mut bytes = datagram.bytes;
        sa.open(&mut bytes).unwrap().inner.to_vec()
    };
    outcome.datagrams.into_iter().map(open).collect()
}

fn samples() -> [Sample; 4] {
    [Sample::tcp4(), Sample::udp4(), Sample::tcp6(), Sample::udp6()]
}

const HERE: [&str; 2] = ["10.1.0.2", "fd00:1::2"];
const HERE_OUTSIDE: [&str; 2] = ["100.1.0.2", "fd64:1::2"];
const FAR: [&str; 2] = ["10.2.0.2", "fd00:2::2"];
const FAR_OUTSIDE: [&str; 2] = ["100.2.0.2", "fd64:2::2"];

#[test]
fn selectors_and_the_peer_see_the_address_that_the_peer_knows() {
    let local_ts: Selectors = ["100.1.0.0/16", "fd64:1::/32"]
        .map(|text| TrafficSelector::any_protocol(text.parse::<Prefix>().unwrap()))
        .into_iter()
        .collect();
    let west = sender(TunnelEntry { local_ts, ..known() });
    for of in samples() {
        let mut packet = sample(of.clone(), HERE, FAR).build();
        let seen = opened(outbound_packet(&west, VPC, &mut packet));
        assert_eq!(seen, [sample(of, HERE_OUTSIDE, FAR).build()]);
    }
}

#[test]
fn hosts_see_their_own_address_where_the_peer_wrote_the_other() {
    for of in samples() {
        let packet = sample(of.clone(), HERE_OUTSIDE, FAR_OUTSIDE).build();
        assert_eq!(open(&packet), Ok(sample(of, HERE_OUTSIDE, FAR).build()));
    }
}

#[test]
fn an_address_that_the_peer_was_not_told_of_is_not_reached() {
    for of in samples() {
        let packet = sample(of, HERE_OUTSIDE, FAR).build();
        assert_eq!(open(&packet), Err(Discard::DestinationNotLocal));
    }
}

#[test]
fn nobody_sends_from_our_addresses_by_either_name() {
    for of in samples() {
        for source in [["10.2.0.9", "fd00:2::9"], ["100.2.0.9", "fd64:2::9"]] {
            let packet = sample(of.clone(), source, FAR_OUTSIDE).build();
            assert_eq!(open(&packet), Err(Discard::SourceNotAllowed));
        }
    }
}

#[test]
fn a_train_is_translated_once_and_each_of_its_packets_is_right() {
    for (of, segmentation, length) in [
        (Sample::tcp4(), Segmentation::TcpV4, 20 + 32),
        (Sample::tcp6(), Segmentation::TcpV6, 40 + 32),
        (Sample::udp4(), Segmentation::Udp, 20 + 8),
        (Sample::udp6(), Segmentation::Udp, 40 + 8),
    ] {
        let train = |sample: Sample, tunnel: TunnelEntry| {
            let mut packet = Sample { payload: vec![0x5a; 1250], ..sample }.build();
            let start = length - if segmentation == Segmentation::Udp { 8 } else { 32 };
            let header = VirtioNetHeader {
                needs_checksum: true,
                segmentation,
                head_len: length,
                segment_size: 400,
                checksum_start: start,
                checksum_offset: if segmentation == Segmentation::Udp { 6 } else { 16 },
            };
            let mut outcome = Outcome::default();
            let packet = SuperPacket::new(header, &mut packet).unwrap();
            let west = sender(tunnel);
            Outbound::new(&west, VPC, Timestamp::ZERO).send(packet, &mut outcome).unwrap();
            opened(outcome)
        };
        let translated = train(sample(of.clone(), HERE, FAR), known());
        assert_eq!(translated.len(), 4);
        assert_eq!(translated, train(sample(of, HERE_OUTSIDE, FAR), tunnel(300)));
    }
}

#[test]
fn a_second_packet_between_the_same_hosts_is_translated_like_the_first() {
    let (west, east) = (sender(known()), receiver(knowing()));
    let (mut outbound, mut inbound) =
        (Outbound::new(&west, VPC, Timestamp::ZERO), Inbound::new(&east, Timestamp::ZERO));
    let sealing = OutboundSa::new(Reservation::first_use(sa(300))).unwrap();
    for identification in 0..3 {
        let of = Sample { identification, ..Sample::udp4() };
        let mut outcome = Outcome::default();
        let mut packet = sample(of.clone(), HERE, FAR).build();
        outbound.send(SuperPacket::whole(&mut packet), &mut outcome).unwrap();
        assert_eq!(opened(outcome), [sample(of.clone(), HERE_OUTSIDE, FAR).build()]);

        let packet = sample(of.clone(), HERE_OUTSIDE, FAR_OUTSIDE).build();
        let mut sealed = vec![0; sealed_len(packet.len())];
        sealing.seal(4, &[], &packet, &mut sealed).unwrap();
        let Verdict::ToHost(permitted) = inbound.open(0, &mut sealed).unwrap() else { panic!() };
        assert_eq!(permitted.packet(), sample(of, HERE_OUTSIDE, FAR).build());
    }
}

#[test]
fn the_pieces_of_a_datagram_fit_together_on_the_other_side() {
    let narrow = || TunnelEntry { inner_mtu: 600, link_mtu: 600, ..known() };
    let of = Sample { payload: vec![7; 1300], dont_fragment: false, ..Sample::udp4() };
    let mut packet = sample(of.clone(), HERE, FAR).build();
    let pieces = opened(outbound_packet(&sender(narrow()), VPC, &mut packet));
    assert_eq!(pieces.len(), 3);
    let whole: Vec<u8> = pieces.iter().flat_map(|piece| piece[20..].to_vec()).collect();
    assert_eq!(whole, sample(of, HERE_OUTSIDE, FAR).build()[20..]);
    for piece in &pieces {
        assert_eq!(piece[12..16], [100, 1, 0, 2]);
        assert_eq!(crate::wire::checksum::Sum::of(&piece[..20]).finish(), 0);
    }
    // Fragments that hosts make themselves, the first with the checksum and the others without.
    for piece in pieces {
        let sent = opened(outbound_packet(&sender(known()), VPC, &mut as_sent(&piece)));
        assert_eq!(sent, [piece]);
    }
}

/// A packet of the west as its host has sent it.
fn as_sent(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let back = translation(["100.1.0.0/16", "fd64:1::/32"], WEST);
    let mut inner = InnerPacket::parse(&packet).unwrap();
    back.outward(&mut inner, &mut packet);
    packet
}
