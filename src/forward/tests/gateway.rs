//! Packets for the gateway itself, its inside addresses, and errors about other packets.

use super::*;
use crate::wire::icmp::{self, Problem};
use std::net::IpAddr;

const INSIDE: &str = "10.2.255.1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The east's gateway, which answers UDP port 3784 at its inside address.
fn east(entry: InboundEntry) -> Snapshot {
    let service = Service { address: ip(INSIDE), protocol: 17, port: 3784 };
    let services = Services {
        inside: [ip(INSIDE)].into(),
        answered: [service].into(),
        hops: [ip(INSIDE)].into(),
        ..Services::default()
    };
    let table = VpcTable { services: Arc::new(services), ..VpcTable::default() };
    Snapshot { vpcs: only(table), ..receiver(entry) }
}

/// The peer's end of the tunnel is at `remote`.
fn entry_of(remote: &str) -> InboundEntry {
    let (local, remote) = (ip(INSIDE), ip(remote));
    let neighbor = Some(Neighbor { local, remote, bgp: true, ttl_security: false });
    InboundEntry { neighbor, ..entry(300) }
}

/// Whether `packet` is for the gateway; why not, when nobody gets it.
fn is_for_gateway(snapshot: &Snapshot, packet: &[u8]) -> Result<bool, Discard> {
    let mut datagram = seal(300, packet);
    match Inbound::new(snapshot, Timestamp::ZERO).open(0, &mut datagram)? {
        Verdict::ToHost(permitted) => assert_eq!(permitted.packet(), packet),
        Verdict::ToGateway(inner) => {
            assert_eq!((inner.peer, inner.vpc, inner.packet), (PeerId(1), VPC, packet));
            return Ok(true);
        }
        Verdict::Echo(peer, echo) => panic!("{echo:?} of {peer:?} is no packet"),
        Verdict::Aggregate(aggregate) => panic!("{aggregate:?} is several packets"),
    }
    Ok(false)
}

fn to(destination: &str, port: u16) -> Sample {
    Sample { dst: ip(destination), dst_port: port, ..Sample::udp4() }
}

#[test]
fn what_the_gateway_answers_for_itself_goes_to_it_and_nothing_else() {
    let packet = to(INSIDE, 3784).build();
    assert_eq!(is_for_gateway(&east(entry_of("10.1.0.2")), &packet), Ok(true));
    let stranger = is_for_gateway(&east(entry_of("10.1.0.3")), &packet);
    assert_eq!(stranger, Err(Discard::NotForGateway), "it is the peer's alone");
    for other in [to(INSIDE, 3785), Sample { tcp: true, ..to(INSIDE, 3784) }] {
        let refused = is_for_gateway(&east(entry_of("10.1.0.2")), &other.build());
        assert_eq!(refused, Err(Discard::NotForGateway));
    }
    let other = to("10.2.0.1", 3784).build();
    assert_eq!(is_for_gateway(&east(entry(300)), &other), Ok(false));
    assert_eq!(is_for_gateway(&receiver(entry(300)), &packet), Ok(false), "answers nothing");
}

/// What the host offers for others cannot be reached at the inside address, neither from a host
/// behind the peer nor from the peer, BGP from the peer excepted.
#[test]
fn only_the_peer_reaches_bgp_and_nobody_another_service_of_the_host() {
    let judge = |from: &str, port, tcp| {
        let allowed_sources = Arc::new(prefixes(&["10.1.0.0/16", "10.1.255.1/32"]));
        let entry = InboundEntry { allowed_sources, ..entry_of("10.1.255.1") };
        let packet = Sample { src: ip(from), tcp, ..to(INSIDE, port) }.build();
        is_for_gateway(&east(entry), &packet)
    };
    assert_eq!(judge("10.1.255.1", 179, true), Ok(false));
    for (from, port, tcp) in [
        ("10.1.0.9", 179, true), // a host behind the peer
        ("10.1.0.9", 8080, true),
        ("10.1.255.1", 8080, true),
        ("10.1.255.1", 179, false), // UDP
    ] {
        assert_eq!(judge(from, port, tcp), Err(Discard::NotForGateway), "{from} {port} {tcp}");
    }
}

#[test]
fn fragments_for_the_gateway_are_left_to_the_kernel() {
    let mut first = Sample { dont_fragment: false, ..to(INSIDE, 3784) }.build();
    first[6] = 0x20;
    assert_eq!(is_for_gateway(&east(entry_of("10.1.0.2")), &first), Ok(false));
}

#[test]
fn a_packet_for_the_gateway_passes_the_same_policy() {
    let sample = Sample { src: ip("10.9.0.1"), ..to(INSIDE, 3784) };
    let refused = is_for_gateway(&east(entry(300)), &sample.build());
    assert_eq!(refused, Err(Discard::SourceNotAllowed));
}

#[test]
fn a_packet_that_has_used_up_its_hops_is_for_the_gateway_to_answer() {
    let dying = Sample { ttl: 1, ..to("10.2.0.1", 80) }.build();
    assert_eq!(is_for_gateway(&east(entry(300)), &dying), Ok(true));
    assert_eq!(
        is_for_gateway(&receiver(entry(300)), &dying),
        Ok(false),
        "no address to answer from"
    );
    let of_peer = entry_of("10.1.0.2");
    let here = Sample { ttl: 1, tcp: true, ..to(INSIDE, 179) }.build();
    assert_eq!(is_for_gateway(&east(of_peer), &here), Ok(false), "it has arrived");
}

#[test]
fn link_local_inside_addresses_are_no_forwarded_traffic() {
    let (src, dst) = (ip("169.254.10.1"), ip("169.254.10.2"));
    let inside = Sample { src, dst, ttl: 255, ..Sample::udp4() };
    let set = |texts: &[&str]| Arc::new(prefixes(texts));
    let between = InboundEntry {
        allowed_sources: set(&["169.254.10.1/32", "0.0.0.0/0"]),
        local_prefixes: set(&["169.254.10.2/32", "0.0.0.0/0"]),
        ..entry(300)
    };
    assert_eq!(is_for_gateway(&receiver(between.clone()), &inside.build()), Ok(false));
    let stranger = Sample { src: ip("169.254.10.9"), ..inside.clone() };
    let between = InboundEntry { sa: entry(300).sa, ..between };
    let refused = is_for_gateway(&receiver(between), &stranger.build());
    assert_eq!(refused, Err(Discard::NotForwardable));

    let fib = [("169.254.10.2/32".parse().unwrap(), GroupId(0))].into_iter().collect();
    let services = Services { inside: [src].into(), peers: [dst].into(), ..Services::default() };
    let west = sender(tunnel(300));
    let table = VpcTable {
        fib: Arc::new(fib),
        services: Arc::new(services),
        ..VpcTable::clone(west.vpc(VPC).unwrap())
    };
    let west = Snapshot { vpcs: only(table), ..west };
    assert_eq!(outbound_packet(&west, VPC, &mut inside.build()).discarded, None);
    let outcome = outbound_packet(&west, VPC, &mut stranger.build());
    assert_eq!(outcome.discarded, Some(Discard::NotForwardable));
}

/// A router's error about a packet that the east sent to the west.
fn complaint(from: &str, about: &Sample) -> Vec<u8> {
    icmp::error_about(&about.build(), Problem::TimeExceeded, ip(from)).unwrap()
}

fn from_east() -> Sample {
    Sample { src: Sample::udp4().dst, dst: Sample::udp4().src, ..Sample::udp4() }
}

#[test]
fn errors_of_routers_behind_the_peer_reach_who_sent_the_packet() {
    let east = || receiver(entry(300));
    assert_eq!(is_for_gateway(&east(), &complaint("192.168.7.1", &from_east())), Ok(false));
    for (from, about) in [
        ("192.168.7.1", Sample { dst: ip("10.9.0.1"), ..from_east() }), // of no prefix of the peer
        ("10.2.0.77", from_east()),                                     // from one of our own hosts
        ("169.254.1.1", from_east()),
    ] {
        assert!(is_for_gateway(&east(), &complaint(from, &about)).is_err(), "{from}");
    }
    let plain = Sample { src: ip("192.168.7.1"), ..Sample::udp4() }.build();
    assert_eq!(is_for_gateway(&east(), &plain), Err(Discard::SourceNotAllowed));
}

#[test]
fn errors_of_routers_behind_us_leave_by_what_they_quote() {
    let narrow: Selectors = WEST
        .map(|text| TrafficSelector::any_protocol(text.parse::<Prefix>().unwrap()))
        .into_iter()
        .collect();
    let west = sender(TunnelEntry { local_ts: narrow, ..tunnel(300) });
    let mut error = complaint("192.168.7.1", &from_east());
    assert_eq!(outbound_packet(&west, VPC, &mut error).discarded, None);
    let elsewhere = Sample { dst: ip("10.9.0.1"), ..from_east() };
    let mut error = complaint("192.168.7.1", &elsewhere);
    let outcome = outbound_packet(&west, VPC, &mut error);
    assert_eq!(outcome.discarded, Some(Discard::SelectorMismatch));
}

#[test]
fn what_the_gateway_says_leaves_by_the_tunnel_that_it_names() {
    let tunnel = tunnel(300);
    let mut outcome = Outcome::default();
    let mut packet = Sample::udp4().build();
    assert_eq!(originate(&tunnel, &mut packet, &mut outcome), Ok(()));
    let receiver = receiver(entry(300));
    let inner = inbound_packet(&receiver, 0, &mut outcome.datagrams[0].bytes);
    assert_eq!(inner.unwrap().packet(), Sample::udp4().build());
    assert_eq!(tunnel.counters.sent_packets(), 1);
    assert_eq!(originate(&tunnel, &mut [0x45], &mut outcome), Err(Discard::MalformedInner));
    assert_eq!(count(&tunnel.counters.discards), [(Discard::MalformedInner, 1)]);
}
