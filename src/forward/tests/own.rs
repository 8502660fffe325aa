//! The gateway as a host: what gets to its own addresses, and what it sends itself.

use super::*;
use crate::time::Timestamp;
use crate::wire::icmp::{self, Problem};
use crate::wire::ip::InnerPacket;
use crate::wire::probe;
use proptest::prelude::*;
use std::net::IpAddr;

/// The host's address on the VPC's side, and a broadcast address there.
const OWN: [&str; 3] = ["10.2.0.1", "10.2.0.255", "fd00:2::1"];
const INSIDE: (&str, &str) = ("fd76::2", "fd76::1");
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The east's gateway: TCP port 8080 is offered at its own addresses, and it speaks BGP.
fn east(entry: InboundEntry) -> Snapshot {
    let (local, remote) = (ip(INSIDE.0), ip(INSIDE.1));
    let sources = ["10.1.0.0/16", "fd00:1::/32", "fd76::1/128"];
    let destinations = ["10.2.0.0/16", "fd00:2::/32", "fd76::2/128"];
    let services = Services {
        inside: [local].into(),
        peers: [remote].into(),
        own: Arc::new(OWN.iter().map(|own| Prefix::host(ip(own))).collect()),
        offered: vec![Offer { protocol: 6, first: 8080, last: 8081 }],
        hops: [ip(OWN[0])].into(),
        ..Services::default()
    };
    let table = VpcTable { services: Arc::new(services), ..VpcTable::default() };
    let entry = InboundEntry {
        allowed_sources: Arc::new(prefixes(&sources)),
        local_prefixes: Arc::new(prefixes(&destinations)),
        neighbor: Some(Neighbor { local, remote, bgp: true, ttl_security: true }),
        ..entry
    };
    Snapshot { vpcs: only(table), ..receiver(entry) }
}

/// Whether the host's kernel gets the packet.
fn judge(packet: &[u8]) -> Result<bool, Discard> {
    judge_by(&east(entry(300)), packet)
}

fn judge_by(snapshot: &Snapshot, packet: &[u8]) -> Result<bool, Discard> {
    let mut datagram = seal(300, packet);
    let verdict = Inbound::new(snapshot, Timestamp::ZERO).open(0, &mut datagram)?;
    Ok(matches!(verdict, Verdict::ToHost(_)))
}

fn to(destination: &str) -> Sample {
    let sample = if destination.contains(':') { Sample::udp6() } else { Sample::udp4() };
    Sample { dst: ip(destination), payload: vec![0; 4], ..sample }
}

fn segment(flags: u8, port: u16) -> Sample {
    Sample { tcp: true, flags, dst_port: port, ..to(OWN[0]) }
}

#[test]
fn no_service_of_the_host_is_reached_that_is_not_offered() {
    for own in OWN {
        assert_eq!(judge(&to(own).build()), Err(Discard::NotForGateway), "UDP to {own}");
        let begin = Sample { tcp: true, flags: SYN, dst_port: 22, ..to(own) };
        assert_eq!(judge(&begin.build()), Err(Discard::NotForGateway), "SYN to {own}");
    }
    assert_eq!(judge(&to("10.2.0.2").build()), Ok(true), "another host's are not ours to keep");
    for (port, expected) in
        [(8080, Ok(true)), (8081, Ok(true)), (8082, Err(Discard::NotForGateway))]
    {
        assert_eq!(judge(&segment(SYN, port).build()), expected);
        let udp = Sample { dst_port: port, ..to(OWN[0]) }.build();
        assert_eq!(judge(&udp), Err(Discard::NotForGateway));
    }
    let mut other = to(OWN[0]).build();
    other[9] = 47; // GRE
    assert_eq!(judge(&other), Err(Discard::NotForGateway));
}

#[test]
fn of_connections_only_what_begins_none_gets_in() {
    let passes = |flags| judge(&segment(flags, 22).build()) == Ok(true);
    for flags in [ACK, SYN | ACK, 0x18, 0x11, 0x04, 0x14] {
        assert!(passes(flags), "{flags:#x}");
    }
    for flags in [SYN, 0, 0x01, SYN | 0x01, 0x29, 0xc2, SYN | 0x04] {
        assert!(!passes(flags), "{flags:#x}");
    }
}

#[test]
fn one_segment_of_a_connection_opens_no_door_for_the_next() {
    let snapshot = east(entry(300));
    let sa = OutboundSa::new(Reservation::first_use(sa(300))).unwrap();
    let mut batch = Inbound::new(&snapshot, Timestamp::ZERO);
    let mut judge = |flags| {
        let packet = segment(flags, 22).build();
        let mut out = vec![0; sealed_len(packet.len())];
        sa.seal(4, &[], &packet, &mut out).unwrap();
        batch.open(0, &mut out).err()
    };
    assert_eq!([ACK, SYN, ACK].map(&mut judge), [None, Some(Discard::NotForGateway), None]);
}

#[test]
fn control_bits_that_another_fragment_carries_are_not_believed() {
    let mut first = Sample { dont_fragment: false, ..segment(ACK, 22) }.build();
    first.truncate(28); // the ports, and nothing more
    first[3] = 28;
    first[6] = 0x20;
    assert_eq!(judge(&first), Err(Discard::NotForGateway));
    let mut later = Sample { dont_fragment: false, ..segment(ACK, 22) }.build();
    later[7] = 1;
    assert_eq!(judge(&later), Ok(true), "alone it is put together to nothing");
}

/// An ICMP message of a type and code 0 to an address of the east's.
fn icmp_to(destination: &str, kind: u8) -> Vec<u8> {
    let mut packet = to(destination).build();
    let (protocol_at, start, protocol) =
        if destination.contains(':') { (6, 40, 58) } else { (9, 20, 1) };
    packet[protocol_at] = protocol;
    packet[start..start + 2].copy_from_slice(&[kind, 0]);
    packet
}

#[test]
fn everybody_may_ask_whether_an_address_is_there_and_nothing_else() {
    for (destination, kinds) in [("10.2.0.1", [8, 0]), ("fd00:2::1", [128, 129])] {
        for kind in kinds {
            assert_eq!(judge(&icmp_to(destination, kind)), Ok(true));
        }
    }
    for (destination, kind) in [("10.2.0.1", 13), ("10.2.0.1", 17), ("fd00:2::1", 139)] {
        assert_eq!(judge(&icmp_to(destination, kind)), Err(Discard::NotForGateway));
    }
    for kind in 133..=137 {
        for destination in ["fd00:2::1", "fd00:2::2"] {
            assert_eq!(judge(&icmp_to(destination, kind)), Err(Discard::NotForwardable));
        }
    }
}

#[test]
fn an_error_gets_to_a_host_only_about_what_that_host_has_sent() {
    for (own, far, other) in
        [("10.2.0.1", "10.1.0.9", "192.0.2.7"), ("fd00:2::1", "fd00:1::9", "2001:db8::7")]
    {
        let about = |from: &str, to_: &str| {
            let sample = Sample { src: ip(from), ..to(to_) };
            let error = icmp::error_about(&sample.build(), Problem::TooBig { mtu: 1300 }, ip(far));
            let mut error = error.unwrap();
            // The outside says that it is for us, whatever it quotes.
            match ip(own) {
                IpAddr::V4(four) => error[16..20].copy_from_slice(&four.octets()),
                IpAddr::V6(six) => error[24..40].copy_from_slice(&six.octets()),
            }
            judge(&error)
        };
        assert_eq!(about(own, far), Ok(true));
        assert_eq!(about(own, other), Err(Discard::IcmpUnrelated), "not to behind the peer");
        assert_eq!(about(other, far), Err(Discard::IcmpUnrelated), "not from us");
        let nothing = icmp_to(own, if own.contains(':') { 2 } else { 3 });
        assert_eq!(judge(&nothing), Err(Discard::IcmpUnrelated), "quotes nothing");
    }
    assert_eq!(judge(&icmp_to("10.2.0.2", 5)), Err(Discard::IcmpUnrelated), "a redirect");
}

#[test]
fn what_arrives_with_its_last_hop_has_arrived() {
    let mut ping = icmp_to("10.2.0.1", 8);
    ping[8] = 1;
    assert_eq!(judge(&ping), Ok(true));
    let mut ping = icmp_to("10.2.0.2", 8);
    ping[8] = 1;
    assert_eq!(judge(&ping), Ok(false), "the gateway says that its hops are used up");
}

#[test]
fn where_nobody_has_looked_every_address_may_be_ours() {
    let snapshot = east(entry(300));
    let known = snapshot.vpc(VPC).unwrap();
    let own = Arc::new([Prefix::all_ipv4(), Prefix::all_ipv6()].into_iter().collect());
    let services = Arc::new(Services { own, ..Services::clone(&known.services) });
    let table = VpcTable { services, ..VpcTable::clone(known) };
    let blind = Snapshot { vpcs: only(table), ..snapshot };
    assert_eq!(judge_by(&blind, &to("10.2.0.2").build()), Err(Discard::NotForGateway));
}

fn bgp(from: (&str, u16), to_: (&str, u16), flags: u8, ttl: u8) -> Vec<u8> {
    let (src_port, dst_port) = (from.1, to_.1);
    Sample { src: ip(from.0), tcp: true, src_port, dst_port, flags, ttl, ..to(to_.0) }.build()
}

#[test]
fn only_bgp_runs_between_the_ends_of_a_tunnel_and_only_if_nobody_has_forwarded_it() {
    let (local, remote) = INSIDE;
    let judged = |from, to_, flags, ttl| judge(&bgp(from, to_, flags, ttl));
    assert_eq!(judged((remote, 40_000), (local, 179), SYN, 255), Ok(true));
    assert_eq!(judged((remote, 179), (local, 40_000), SYN | ACK, 255), Ok(true));
    assert_eq!(judged((remote, 40_000), (local, 179), SYN, 254), Err(Discard::HopLimit));
    for (from, to_) in [
        ((remote, 179), (local, 22)), // from BGP's port to another service
        ((remote, 40_000), (local, 8080)),
        (("fd00:1::9", 40_000), (local, 179)),
        (("fd00:1::9", 40_000), (local, 8080)),
    ] {
        assert_eq!(judged(from, to_, SYN, 255), Err(Discard::NotForGateway), "{from:?} {to_:?}");
    }
    let entry = east(entry(300)).inbound.get(EspSpi(300)).unwrap().clone();
    let neighbor = entry.neighbor.map(|one| Neighbor { ttl_security: false, ..one });
    let lenient = InboundEntry { neighbor, ..entry };
    let without = lenient.neighbor.map(|one| Neighbor { bgp: false, ..one });
    let fresh = east(super::entry(300)).inbound.get(EspSpi(300)).unwrap().clone();
    let statics = InboundEntry { neighbor: without, ..fresh };
    let with = |entry| Snapshot { vpcs: east(super::entry(300)).vpcs, ..receiver(entry) };
    let packet = bgp((remote, 40_000), (local, 179), SYN, 1);
    assert_eq!(judge_by(&with(lenient), &packet), Ok(true), "BIRD and FRR send 1 by default");
    assert_eq!(judge_by(&with(statics), &packet), Err(Discard::NotForGateway), "static routes");
}

/// The west's gateway: its inside address is the other end, and it has an address of its own.
fn west() -> Snapshot {
    let west = sender(tunnel(300));
    let table = west.vpc(VPC).unwrap();
    let services = Services {
        inside: [ip(INSIDE.1)].into(),
        peers: [ip(INSIDE.0)].into(),
        own: Arc::new([ip("10.1.0.1"), ip(INSIDE.1)].map(Prefix::host).into_iter().collect()),
        ..Services::default()
    };
    let mut fib = PrefixMap::clone(&table.fib);
    fib.insert(Prefix::host(ip(INSIDE.0)), GroupId(0));
    let table = VpcTable {
        services: Arc::new(services),
        fib: Arc::new(fib),
        sources: Arc::new(prefixes(&["10.1.0.0/16", "fd00:1::/32", "fd76::1/128"])),
        ..VpcTable::clone(table)
    };
    Snapshot { vpcs: only(table), ..west }
}

#[test]
fn nobody_speaks_with_an_inside_address_who_is_not_the_host_itself() {
    let west = west();
    let sent = |packet: &mut Vec<u8>| outbound_packet(&west, VPC, packet).discarded;
    let from = |source: &str, destination: &str, ttl| {
        let sample = Sample { src: ip(source), ttl, tcp: true, dst_port: 179, ..to(destination) };
        sent(&mut sample.build())
    };
    let (remote, local) = INSIDE;
    assert_eq!(from(local, remote, 255), None);
    assert_eq!(from(local, remote, 254), Some(Discard::SourceNotAllowed), "a host spoofs");
    assert_eq!(from(local, "fd00:2::9", 64), Some(Discard::SourceNotAllowed));
    assert_eq!(from(remote, "fd00:2::9", 255), Some(Discard::SourceNotAllowed));
    assert_eq!(from("fd00:1::9", remote, 63), Some(Discard::NotForGateway));
    let ping = |source: &str| {
        let mut packet = icmp_to(remote, 128);
        let IpAddr::V6(source) = ip(source) else { panic!("IPv6") };
        packet[8..24].copy_from_slice(&source.octets());
        sent(&mut packet)
    };
    assert_eq!(ping("fd00:1::9"), None, "a host may ask whether the far gateway is there");
    assert_eq!(ping(local), Some(Discard::SourceNotAllowed));
}

#[test]
fn a_host_says_about_packets_only_what_it_can_have_seen() {
    let west = west();
    let complain = |about: Sample, from: &str| {
        let error = icmp::error_about(&about.build(), Problem::TimeExceeded, ip(from));
        outbound_packet(&west, VPC, &mut error.unwrap()).discarded
    };
    let seen = |source: &str, destination: &str| Sample { src: ip(source), ..to(destination) };
    assert_eq!(complain(seen("10.2.0.9", "10.1.0.9"), "10.1.0.1"), None);
    assert_eq!(complain(seen("10.2.0.9", "10.1.0.9"), "192.168.7.1"), None);
    let unseen = complain(seen("10.2.0.9", "198.51.100.7"), "10.1.0.9");
    assert_eq!(unseen, Some(Discard::IcmpUnrelated));
}

#[test]
fn answers_without_connections_find_in_when_the_host_has_asked() {
    let east = east(entry(300));
    let table = east.vpc(VPC).unwrap();
    let groups = sender(tunnel(300)).vpc(VPC).unwrap().groups.clone();
    let fib = ["10.1.0.0/16"].map(|text| (text.parse().unwrap(), GroupId(0)));
    let table = VpcTable {
        groups,
        fib: Arc::new(fib.into_iter().collect()),
        sources: Arc::new(prefixes(&["10.2.0.0/16"])),
        ..VpcTable::clone(table)
    };
    let east = Snapshot { vpcs: only(table), ..east };
    let query = |source: &str, ttl| Sample {
        src: ip(source),
        src_port: 40_000,
        dst_port: 53,
        ttl,
        ..to("10.1.0.9")
    };
    let answer = |from: &str, port| {
        let sample = Sample { src: ip(from), src_port: port, dst_port: 40_000, ..to(OWN[0]) };
        judge_by(&Snapshot { inbound: receiver_of(&east), ..east.clone() }, &sample.build())
    };
    assert_eq!(answer("10.1.0.9", 53), Err(Discard::NotForGateway));
    // A host behind us that takes our address is not us: its packet was forwarded.
    assert_eq!(outbound_packet(&east, VPC, &mut query(OWN[0], 63).build()).discarded, None);
    assert_eq!(answer("10.1.0.9", 53), Err(Discard::NotForGateway));
    assert_eq!(outbound_packet(&east, VPC, &mut query(OWN[0], 255).build()).discarded, None);
    assert_eq!(answer("10.1.0.9", 53), Ok(true));
    assert_eq!(answer("10.1.0.9", 54), Err(Discard::NotForGateway));
    assert_eq!(answer("10.1.0.8", 53), Err(Discard::NotForGateway));
}

/// The same inbound SA with nothing received yet.
fn receiver_of(snapshot: &Snapshot) -> InboundTable {
    let known = snapshot.inbound.get(EspSpi(300)).unwrap().clone();
    let fresh = InboundEntry { sa: entry(300).sa, ..known };
    [(fresh.sa.spi(), fresh)].into_iter().collect()
}

/// Whether a packet can make a service of the host do anything that was not asked for, read off its
/// octets the slow way.
fn could_reach_a_service(packet: &[u8]) -> bool {
    let Ok(inner) = InnerPacket::parse(packet) else { return false };
    let own = OWN.iter().chain([&INSIDE.0]).any(|own| ip(own) == inner.destination);
    let transport = &packet[inner.transport_offset..inner.total_len];
    let is_later = inner.fragment == crate::wire::ip::Fragment::Later;
    if !own || is_later {
        return false;
    }
    let port = |at: usize| transport.get(at..at + 2).map(|two| [two[0], two[1]]);
    match inner.protocol {
        1 | 58 => false,
        6 if inner.destination == ip(INSIDE.0) && port(2) == Some([0, 179]) => {
            inner.source != ip(INSIDE.1) || inner.ttl != 255
        }
        6 if matches!(port(2), Some([0x1f, 0x90 | 0x91])) && inner.destination != ip(INSIDE.0) => {
            false
        }
        6 => transport.get(13).is_none_or(|flags| flags & 0x14 == 0 || flags & 0x12 == 0x02),
        _ => true,
    }
}

proptest! {
    #[test]
    fn no_packet_reaches_a_service_of_the_host_that_is_not_offered(
        ipv4 in any::<bool>(),
        destination in 0..5_usize,
        source in 0..4_usize,
        protocol in prop_oneof![Just(1), Just(6), Just(17), Just(58), Just(44), Just(0), any::<u8>()],
        ttl in prop_oneof![Just(255), Just(254), Just(64), Just(1)],
        fragment in prop_oneof![Just(0_u16), Just(0x2000), Just(1), any::<u16>()],
        ports in prop_oneof![Just([0, 179]), Just([0, 22]), Just([0x1f, 0x90]), any::<[u8; 2]>()],
        mut payload in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        if let Some(there) = payload.get_mut(2..4) {
            there.copy_from_slice(&ports);
        }
        let packet = if ipv4 {
            let to_ = ["10.2.0.1", "10.2.0.255", "10.2.0.2", "10.2.0.1", "10.9.0.1"][destination];
            let from = ["10.1.0.9", "10.1.0.1", "192.0.2.1", "10.2.0.1"][source];
            let mut packet = Sample { src: ip(from), payload, ttl, ..to(to_) }.build();
            packet[6..8].copy_from_slice(&fragment.to_be_bytes());
            packet[9] = protocol;
            packet.drain(20..28);
            let length = packet.len() as u16;
            packet[2..4].copy_from_slice(&length.to_be_bytes());
            packet
        } else {
            let to_ = ["fd00:2::1", "fd76::2", "fd00:2::2", "fd76::2", "fd00:9::1"][destination];
            let from = ["fd00:1::9", "fd76::1", "2001:db8::1", "fd00:2::1"][source];
            let mut packet = Sample { src: ip(from), payload, ttl, ..to(to_) }.build();
            packet[6] = protocol;
            packet.drain(40..48);
            let length = (packet.len() - 40) as u16;
            packet[4..6].copy_from_slice(&length.to_be_bytes());
            packet
        };
        if judge(&packet) == Ok(true) {
            prop_assert!(!could_reach_a_service(&packet), "{packet:02x?}");
        }
    }
}

/// In one batch, so that what is known of the flow from one to the next is no matter.
#[test]
fn answers_to_probes_go_to_the_gateway_and_those_to_the_kernel_s_pings_to_it() {
    let mut snapshot = east(entry(300));
    let known = &snapshot.vpcs.get(0).unwrap();
    let services = Services { probing: [ip(OWN[0])].into(), ..Services::clone(&known.services) };
    let table = VpcTable { services: Arc::new(services), ..VpcTable::default() };
    snapshot.vpcs = only(table);
    let host = ip("10.1.0.10");
    let question = probe::Question { tunnel: 1, number: 7 };
    let probed = icmp::echo_reply(&probe::question(ip(OWN[0]), host, question).unwrap()).unwrap();
    let pinged = icmp::echo_request(ip(OWN[0]), host, 0x7670 << 16, &[0; 16]).unwrap();
    let pinged = icmp::echo_reply(&pinged).unwrap();
    let mut inbound = Inbound::new(&snapshot, Timestamp::ZERO);
    let peer = OutboundSa::new(Reservation::first_use(sa(300))).unwrap();
    for (packet, is_probed) in [(&probed, true), (&pinged, false), (&probed, true)] {
        let mut datagram = seal_next(&peer, packet);
        let verdict = inbound.open(0, &mut datagram).unwrap();
        assert_eq!(matches!(verdict, Verdict::ToGateway(_)), is_probed);
    }
    // Elsewhere it is a packet like any other.
    assert_eq!(judge(&probed), Ok(true));
}
