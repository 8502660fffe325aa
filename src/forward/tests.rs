//! Two gateways as snapshots, and what passes between them.

mod aggfrag;
mod gateway;
mod inbound;
mod outbound;
mod own;
mod shaped;
mod shared;
mod translated;
mod vpcs;

use super::*;
use crate::crypto::secret::Secret;
use crate::esp::{
    Discard, DiscardCounters, InboundSa, Layout, Limits, OutboundSa, Reservation, SaConfig,
};
use crate::net::{EspSpi, OuterDscp, PeerId, Prefix, PrefixMap, VpcId};
use crate::offload::samples::Sample;
use crate::offload::{Segmentation, SuperPacket, VirtioNetHeader};
use crate::time::Timestamp;
use crate::wire::ike::TrafficSelector;
use std::net::SocketAddr;
use std::sync::Arc;

const VPC: VpcId = VpcId(0);
const OTHER_VPC: VpcId = VpcId(1);
const MTU: u16 = 1438;
/// The prefixes of [`Sample`]'s sources and destinations.
const WEST: [&str; 2] = ["10.1.0.0/16", "fd00:1::/32"];
const EAST: [&str; 2] = ["10.2.0.0/16", "fd00:2::/32"];

fn prefixes<C: FromIterator<Prefix>>(texts: &[&str]) -> C {
    texts.iter().map(|text| text.parse::<Prefix>().unwrap()).collect()
}

/// All addresses of both families.
fn everywhere<C: FromIterator<Prefix>>() -> C {
    [Prefix::all_ipv4(), Prefix::all_ipv6()].into_iter().collect()
}

fn everything() -> Selectors {
    everywhere::<Vec<Prefix>>().into_iter().map(TrafficSelector::any_protocol).collect()
}

fn sa(spi: u32) -> SaConfig {
    SaConfig {
        spi: EspSpi(spi),
        suite: "aes128gcm16-esn".parse().unwrap(),
        keymat: Secret::from(vec![9; 20]),
        hard: Limits::NONE,
        soft: Limits::NONE,
        replay_window: 1024,
    }
}

/// UDP over IPv4 to the ports 5000 to 6000.
fn some_udp_ports() -> Selectors {
    let ports = TrafficSelector {
        protocol: 17,
        start_port: 5000,
        end_port: 6000,
        addresses: Prefix::all_ipv4().into(),
    };
    [ports].into_iter().collect()
}

/// Bytes of the ESP packet of an SA of [`sa`].
fn sealed_len(inner_len: usize) -> usize {
    Layout::of(sa(0).suite.cipher).sealed_len(inner_len)
}

fn tunnel(spi: u32) -> TunnelEntry {
    let address = |last: u8| SocketAddr::from(([192, 0, 2, last], 4500));
    TunnelEntry {
        peer: PeerId(1),
        vpc: VPC,
        outbound: Arc::new(OutboundSa::new(Reservation::first_use(sa(spi))).unwrap()),
        local: address(1),
        remote: address(2),
        dscp: OuterDscp::default(),
        translation: Translation::default(),
        local_ts: everything(),
        remote_ts: everything(),
        inner_mtu: MTU,
        aggfrag: false,
        pacer: None,
        shaper: None,
        link_mtu: MTU,
        counters: Arc::default(),
        fragments: Arc::default(),
        reassembly: None,
        next: None,
    }
}

/// The west's gateway: the east's prefixes behind one group, which uses `tunnel`.
fn sender(tunnel: TunnelEntry) -> Snapshot {
    let routes: Vec<Prefix> = prefixes(&EAST);
    let fib: PrefixMap<GroupId> = routes.into_iter().map(|prefix| (prefix, GroupId(0))).collect();
    let groups = [(0, NextHops::One(Arc::new(tunnel)))].into_iter().collect();
    let sources = Arc::new(everywhere());
    let table = VpcTable { fib: Arc::new(fib), groups, sources, ..Default::default() };
    Snapshot { vpcs: only(table), ..Default::default() }
}

/// The one VPC.
fn only(table: VpcTable) -> Chunked<Arc<VpcTable>> {
    [(usize::from(VPC.0), Arc::new(table))].into_iter().collect()
}

/// The tunnel that the one group of the one VPC uses.
fn used(snapshot: &Snapshot) -> &TunnelEntry {
    match snapshot.vpc(VPC).and_then(|table| table.next_hops(GroupId(0))) {
        Some(NextHops::One(tunnel)) => tunnel,
        other => panic!("one tunnel, not {other:?}"),
    }
}

pub(super) fn entry(spi: u32) -> InboundEntry {
    InboundEntry {
        sa: Arc::new(InboundSa::new(sa(spi)).unwrap()),
        peer: PeerId(1),
        vpc: VPC,
        remote: SocketAddr::from(([192, 0, 2, 1], 4500)),
        allowed_sources: Arc::new(prefixes(&WEST)),
        home: Arc::new(prefixes(&EAST)),
        neighbor: None,
        local_prefixes: Arc::new(prefixes(&EAST)),
        translation: Translation::default(),
        local_ts: everything(),
        remote_ts: everything(),
        inner_mtu: MTU,
        aggfrag: None,
        counters: Arc::default(),
        fragments: Arc::default(),
    }
}

/// The east's gateway with one inbound SA.
fn receiver(entry: InboundEntry) -> Snapshot {
    let inbound = [(entry.sa.spi(), entry)].into_iter().collect();
    Snapshot { inbound, ..Default::default() }
}

/// Seals `packet` for the SA of [`receiver`] without asking any policy.
fn seal(spi: u32, packet: &[u8]) -> Vec<u8> {
    seal_next(&OutboundSa::new(Reservation::first_use(sa(spi))).unwrap(), packet)
}

/// The same as the next packet of that SA.
fn seal_next(sa: &OutboundSa, packet: &[u8]) -> Vec<u8> {
    let mut out = vec![0; sealed_len(packet.len())];
    let next_header = if packet[0] >> 4 == 4 { 4 } else { 41 };
    let length = sa.seal(next_header, &[], packet, &mut out).unwrap();
    out.truncate(length);
    out
}

fn count(counters: &DiscardCounters) -> Vec<(Discard, u64)> {
    counters.occurred().collect()
}

#[test]
fn every_family_crosses_from_gateway_to_gateway() {
    let (west, east) = (sender(tunnel(300)), receiver(entry(300)));
    for sample in [Sample::tcp4(), Sample::tcp6(), Sample::udp4(), Sample::udp6()] {
        let packet = sample.build();
        let mut outcome = outbound_packet(&west, VPC, &mut packet.clone());
        assert_eq!((outcome.discarded, outcome.datagrams.len()), (None, 1));
        let datagram = &mut outcome.datagrams[0];
        assert_eq!((datagram.local, datagram.remote), (used(&west).local, used(&west).remote));
        let permitted = inbound_packet(&east, datagram.tos, &mut datagram.bytes).unwrap();
        assert_eq!(permitted.vpc(), VPC);
        assert_eq!(permitted.packet(), packet);
    }
}

#[test]
fn traffic_is_counted_on_both_sides() {
    let (west, east) = (sender(tunnel(300)), receiver(entry(300)));
    let packet = Sample::udp4().build();
    for _ in 0..3 {
        let mut outcome = outbound_packet(&west, VPC, &mut packet.clone());
        inbound_packet(&east, 0, &mut outcome.datagrams[0].bytes).unwrap();
    }
    let sent = &used(&west).counters;
    let received = &east.inbound.get(EspSpi(300)).unwrap().counters;
    let bytes = 3 * packet.len() as u64;
    assert_eq!((sent.sent_packets(), sent.sent_bytes()), (3, bytes));
    assert_eq!((received.received_packets(), received.received_bytes()), (3, bytes));
}

/// A TCP train of 10 segments of 1000 bytes, as a TUN device hands it over.
fn train(sample: &Sample) -> (VirtioNetHeader, Vec<u8>) {
    let header = VirtioNetHeader {
        needs_checksum: true,
        segmentation: Segmentation::TcpV4,
        head_len: 52,
        segment_size: 1000,
        checksum_start: 20,
        checksum_offset: 16,
    };
    (header, Sample { payload: vec![5; 10_000], ..sample.clone() }.build())
}
