//! Packets of the data plane, from either side.

use crate::crypto::secret::Secret;
use crate::crypto::suite::EspSuite;
use crate::esp::aggfrag::{Packer, Room, Unpacker};
use crate::esp::{
    Content, InboundSa, InboundState, Limits, NEXT_HEADER_IPV4, OutboundSa, Reservation, SaConfig,
};
use crate::net::EspSpi;
use crate::offload::{Coalescer, Merged, SuperPacket, VirtioNetHeader};
use crate::time::Timestamp;
use crate::wire::aggfrag::{AGGFRAG_PAYLOAD, AggfragHeader};
use crate::wire::echo::Echo;
use crate::wire::ip::InnerPacket;
use crate::wire::tcp::clamp_mss;
use crate::wire::{esp, icmp, stream};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A parsed packet's parts lie within it, and answering or clamping it is safe.
pub fn ip_packet(bytes: &[u8]) {
    let Ok(packet) = InnerPacket::parse(bytes) else { return };
    assert!(packet.transport_offset <= packet.total_len && packet.total_len <= bytes.len());
    assert_eq!(packet.source.is_ipv4(), packet.destination.is_ipv4());
    let _ = packet.ports(bytes);
    let from = match packet.source {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)),
    };
    if let Some(reply) = icmp::error_about(bytes, icmp::Problem::TooBig { mtu: 1280 }, from) {
        let reply = InnerPacket::parse(&reply).expect("our own reply");
        assert_eq!((reply.source, reply.destination), (from, packet.source));
    }
    let _ = icmp::quoted(&packet, bytes);
    for ipv4 in [true, false] {
        let message = bytes.get(packet.transport_offset..).unwrap_or_default();
        if let Some((mtu, quoted)) = icmp::too_big(message, ipv4) {
            assert!(mtu > 0 && quoted.source.is_ipv4() == ipv4);
            assert_eq!(icmp::unreachable(message, ipv4), None);
        }
        if let Some(quoted) = icmp::unreachable(message, ipv4) {
            assert_eq!(quoted.source.is_ipv4(), ipv4);
        }
    }
    if let Some(reply) = icmp::echo_reply(bytes) {
        let reply = InnerPacket::parse(&reply).expect("our own reply");
        assert_eq!((reply.source, reply.destination), (packet.destination, packet.source));
    }
    let mut segment = bytes[packet.transport_offset..packet.total_len].to_vec();
    clamp_mss(&mut segment, 1000);
}

/// A stream in two pieces, cut at the octet that the first one names, holds the same messages as in one; and
/// what holds a message is its frame.
pub fn ike_stream(bytes: &[u8]) {
    let Some((&at, octets)) = bytes.split_first() else { return };
    for deframer in [stream::Deframer::of_originator(), stream::Deframer::of_responder()] {
        let whole = messages(deframer.clone(), &[octets]);
        let (one, other) = octets.split_at(usize::from(at).min(octets.len()));
        let pieces = messages(deframer, &[one, other]);
        assert_eq!(pieces, whole);
        for message in whole.0 {
            let framed = stream::frame(&message).expect("a message that came in a frame");
            let found = messages(stream::Deframer::of_responder(), &[&framed]);
            assert_eq!(found, (vec![message], None));
        }
    }
}

/// The messages of a stream that comes in pieces, and the fault that ends it.
fn messages(
    mut deframer: stream::Deframer,
    pieces: &[&[u8]],
) -> (Vec<Vec<u8>>, Option<stream::StreamFault>) {
    let mut found = Vec::new();
    for piece in pieces {
        deframer.push(piece);
        loop {
            match deframer.next_message() {
                Ok(Some(message)) => found.push(message.to_vec()),
                Ok(None) => break,
                Err(fault) => return (found, Some(fault)),
            }
        }
    }
    (found, None)
}

/// A datagram is of exactly one kind, and an ESP header reads back.
pub fn esp_classify(bytes: &[u8]) {
    if let Ok(echo) = Echo::decode(bytes) {
        assert_eq!(echo.encode(), bytes);
    }
    match esp::classify(bytes) {
        esp::Encapsulated::Ike(message) => assert_eq!(message.len() + 4, bytes.len()),
        esp::Encapsulated::Keepalive => assert_eq!(bytes, [0xff]),
        esp::Encapsulated::Esp(header) => {
            assert_ne!(header.spi.0, 0);
            assert_eq!(header.encode(), bytes[..8]);
        }
        esp::Encapsulated::Malformed => assert!(bytes.len() < 8),
    }
}

/// Octets that nobody sealed never open, and move nothing. Octets that an authentic peer sealed,
/// the first of them as next header, open to a packet of the version that it names, or not at all.
pub fn esp_packet(bytes: &[u8]) {
    for suite in ["chacha20poly1305-esn", "aes128-sha256-esn"] {
        esp_packet_of(suite.parse().expect("a suite's name"), bytes);
    }
}

/// Both ends of an SA that has carried nothing.
fn ends_of(suite: EspSuite) -> (OutboundSa, InboundSa) {
    let config = SaConfig {
        spi: EspSpi(0x0000_1000),
        suite,
        keymat: Secret::from(vec![7; suite.cipher.keymat_len()]),
        hard: Limits::NONE,
        soft: Limits::NONE,
        replay_window: 64,
    };
    let outbound =
        OutboundSa::new(Reservation::first_use(config.clone())).expect("key material that fits");
    (outbound, InboundSa::new(config).expect("key material that fits"))
}

fn esp_packet_of(suite: EspSuite, bytes: &[u8]) {
    let (outbound, inbound) = ends_of(suite);
    let forged = [&[0, 0, 0x10, 0], bytes].concat();
    for packet in [bytes, &forged] {
        assert!(inbound.open(&mut packet.to_vec()).is_err());
        assert_eq!(inbound.window().highest(), 0);
    }
    let Some((&next_header, payload)) = bytes.split_first() else { return };
    let mut packet = vec![0; outbound.layout().sealed_len(payload.len())];
    outbound.seal(next_header, payload, &[], &mut packet).expect("room and sequence numbers");
    if let Ok(opened) = inbound.open(&mut packet) {
        let version = if opened.next_header == NEXT_HEADER_IPV4 { 4 } else { 6 };
        assert_eq!(opened.inner[0] >> 4, version);
        assert_eq!(*opened.inner, payload[..opened.inner.len()]);
    }
    assert_eq!(inbound.window().highest(), 1);
}

/// AGGFRAG payloads of an authentic peer, each behind an octet that says how long it is (in units of 8) and
/// whether it is lost, give packets that are as long as they say; packed again, the same ones arrive.
pub fn aggfrag_payload(bytes: &[u8]) {
    const LOST: u8 = 0x80;
    const UNIT: usize = 8;
    let (mut payloads, mut rest) = (Vec::new(), bytes);
    while let Some((&control, behind)) = rest.split_first() {
        let len = usize::from(control & !LOST) * UNIT;
        let (payload, behind) = behind.split_at(len.min(behind.len()));
        payloads.push((payload.to_vec(), control & LOST != 0));
        rest = behind;
    }
    if let Some((payload, _)) = payloads.first_mut()
        && let Ok((header, _)) = AggfragHeader::split_from(&mut payload.clone())
    {
        let octets = header.encode();
        assert_eq!(AggfragHeader::split_from(&mut octets.clone()), Ok((header, &mut [][..])));
    }
    let packets = unpacked(&payloads);
    let mut packer = Packer::default();
    packets.iter().for_each(|packet| packer.push(packet, &[]));
    let again = packer.payloads(64).map(|one| ([&one.header, one.data].concat(), false));
    assert_eq!(unpacked(&again.collect::<Vec<_>>()), packets);
}

/// The packets in payloads, of which some are lost.
fn unpacked(payloads: &[(Vec<u8>, bool)]) -> Vec<Vec<u8>> {
    let (outbound, inbound) = ends_of("aes128gcm16-esn".parse().expect("a suite's name"));
    let (unpacker, mut memory) = (Unpacker::default(), Vec::new());
    let mut packets = Vec::new();
    for (payload, lost) in payloads {
        let mut datagram = vec![0; outbound.layout().sealed_len(payload.len())];
        outbound.seal(AGGFRAG_PAYLOAD, payload, &[], &mut datagram).expect("room for it");
        let opened = inbound.open_any(&mut datagram).expect("an authentic packet");
        let Content::Aggregate(aggregate) = opened else { panic!("{opened:?}") };
        if *lost {
            continue;
        }
        let mut room = Room::new(&mut memory);
        let Ok(all) = aggregate.unpack(&unpacker, Timestamp::ZERO, &mut room) else { continue };
        for opened in all.flatten() {
            assert_eq!(opened.inner.len(), opened.packet.total_len);
            packets.push(opened.inner.to_vec());
        }
    }
    packets
}

/// Octets that are the state of an SA stand for it exactly; others are refused.
pub fn esp_state(bytes: &[u8]) {
    let octets = || Secret::copy_of(bytes);
    if let Ok(reservation) = Reservation::decode(octets()) {
        assert!(reservation.encode() == octets());
    }
    if let Ok(state) = InboundState::decode(octets()) {
        let sa = InboundSa::import(state).expect("the key was checked");
        let highest = sa.window().highest();
        let again = InboundSa::import(sa.export()).expect("the key was checked");
        assert_eq!(again.window().highest(), highest);
    }
}

/// What a TUN device may hand over: the packets of a super-packet add up to it, and merging them
/// again gives packets that split into the same ones.
pub fn super_packet(bytes: &[u8]) {
    let mut copy = bytes.to_vec();
    let Ok((header, packet)) = VirtioNetHeader::split_from(&mut copy) else { return };
    let Some(packets) = split(header, packet) else { return };
    let mut merged_and_split = Vec::new();
    let mut coalescer = Coalescer::new();
    let mut write = |(), merged: Merged<'_, '_>| merged_and_split.extend(written(&merged));
    for packet in &packets {
        coalescer.push((), packet, &mut write);
    }
    coalescer.flush(&mut write);
    let plain =
        |packets: &[Vec<u8>]| packets.iter().map(|p| without_idle_id(p)).collect::<Vec<_>>();
    assert_eq!(plain(&merged_and_split), plain(&packets));
}

/// The packets that a super-packet stands for.
fn split(header: VirtioNetHeader, bytes: &mut [u8]) -> Option<Vec<Vec<u8>>> {
    let packet = SuperPacket::new(header, bytes).ok()?;
    let mut packets = Vec::new();
    let mut segments = packet.segments();
    while let Some(segment) = segments.next() {
        packets.push([segment.head, segment.payload].concat());
    }
    assert_eq!(packets.len(), packet.count());
    assert_eq!(packets.iter().map(Vec::len).sum::<usize>(), packet.total());
    assert_eq!(packets.iter().map(Vec::len).max(), Some(packet.longest()));
    Some(packets)
}

/// What a device makes of what is written to it.
fn written(merged: &Merged<'_, '_>) -> Vec<Vec<u8>> {
    let mut bytes = [merged.head, &merged.parts.concat()].concat();
    split(merged.vnet, &mut bytes).expect("a device takes what the coalescer writes")
}

/// An IPv4 packet that forbids fragmentation has an identification without a meaning (RFC 6864
/// §4.1), which merging may change.
fn without_idle_id(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if let [0x45, _, _, _, id0, id1, 0x40..=0x7f, _, _, _, sum0, sum1, ..] = &mut packet[..] {
        [*id0, *id1, *sum0, *sum1] = [0; 4];
    }
    packet
}
