//! What is measured: every step of the packet path, and the path as a whole.

use crate::gateways::{
    Kept, NoEgress, PREFIXES, VPC, east, mapped_east, mapped_west, packed_east, packed_west,
    prefixes, sa, sharing_west, west,
};
use crate::packets::{tcp_train, udp, udp_between};
use std::hint::black_box;
use std::mem;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use vpngw::esp::aggfrag::Room;
use vpngw::esp::{InboundSa, OutboundSa, Reservation};
use vpngw::forward::{Inbound, Outbound, Packers, Snapshot, Verdict};
use vpngw::net::PrefixMap;
use vpngw::offload::{Coalescer, SuperPacket};
use vpngw::time::Timestamp;
use vpngw::wire::ip::InnerPacket;

/// Packets of one round: what a worker takes from its socket at once.
const BATCH: usize = 64;
/// Segments of a train, as many as one read of a device gives at the usual MTU.
const TRAIN: usize = 44;

/// Something that is done to packets, again and again.
pub(crate) struct Case {
    pub name: &'static str,
    /// Packets of a round.
    pub packets: usize,
    pub prepare: fn() -> Round,
}

/// Does it once to every packet of a batch, and says how long that took.
pub(crate) type Round = Box<dyn FnMut() -> Duration>;

pub(crate) fn all() -> Vec<Case> {
    let case = |name, packets, prepare| Case { name, packets, prepare };
    vec![
        case("parse", BATCH, parse),
        case("longest prefix, 64", BATCH, || longest_prefix(1)),
        case("longest prefix, 16384", BATCH, || longest_prefix(256)),
        case("seal 84", BATCH, || seal(84)),
        case("seal 1400", BATCH, || seal(1400)),
        case("open 84", BATCH, || open(84)),
        case("open 1400", BATCH, || open(1400)),
        case("replay window", BATCH, replay_window),
        case("out 84", BATCH, || send_singly(west(), udp(84), 1)),
        case("out 576", BATCH, || send_singly(west(), udp(576), 1)),
        case("out 1400", BATCH, || send_singly(west(), udp(1400), 1)),
        case("out 84, a host each", BATCH, || send_singly(west(), udp(84), BATCH)),
        case("out, train of 1400", TRAIN, || send_train(west())),
        case("out 84, shared", BATCH, || send_singly(sharing_west(), udp(84), 1)),
        case("out 84, a host each, shared", BATCH, || send_singly(sharing_west(), udp(84), BATCH)),
        case("out, train of 1400, shared", TRAIN, || send_train(sharing_west())),
        case("in 84", BATCH, || receive(east(), udp(84), 1)),
        case("in 576", BATCH, || receive(east(), udp(576), 1)),
        case("in 1400", BATCH, || receive(east(), udp(1400), 1)),
        case("in 84, a host each", BATCH, || receive(east(), udp(84), BATCH)),
        case("out 84, translated", BATCH, || send_singly(mapped_west(), udp(84), 1)),
        case("out 1400, translated", BATCH, || send_singly(mapped_west(), udp(1400), 1)),
        case("out, train of 1400, translated", TRAIN, || send_train(mapped_west())),
        case("in 84, translated", BATCH, || receive(mapped_east(), udp(84), 1)),
        case("in 1400, translated", BATCH, || receive(mapped_east(), udp(1400), 1)),
        case("out 84, packed", BATCH, || send_packed(udp(84))),
        case("out 1400, packed", BATCH, || send_packed(udp(1400))),
        case("out 1500, packed", BATCH, || send_packed(udp(1500))),
        case("in 84, packed", BATCH, || receive_packed(&udp(84))),
        case("in 1400, packed", BATCH, || receive_packed(&udp(1400))),
        case("in 1500, packed", BATCH, || receive_packed(&udp(1500))),
        case("split, train of 1400", TRAIN, split),
        case("merge TCP 1000", BATCH, merge_tcp),
        case("merge UDP 84, one flow", BATCH, || merge_udp(1)),
        case("merge UDP 84, 8 flows", BATCH, || merge_udp(8)),
        case("merge UDP 84, a flow each", BATCH, || merge_udp(BATCH)),
    ]
}

/// Does `work` and says how long it took.
fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let begin = Instant::now();
    black_box(counted(work));
    begin.elapsed()
}

/// Where valgrind counts; by this name it finds the function.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

/// `count` copies of a packet in turns between so many hosts.
fn batch(packet: &[u8], hosts: usize) -> Vec<Vec<u8>> {
    (0..BATCH).map(|index| udp_between(packet, (index % hosts) as u8)).collect()
}

fn parse() -> Round {
    let packets = batch(&udp(84), BATCH);
    Box::new(move || {
        timed(|| {
            for packet in &packets {
                black_box(InnerPacket::parse(black_box(packet)).expect("a packet"));
            }
        })
    })
}

/// Looks destinations up in a table of [`PREFIXES`] times `times` prefixes.
fn longest_prefix(times: u16) -> Round {
    let seconds = (0..times).map(|second| second as u8);
    let map: PrefixMap<u32> = seconds.flat_map(prefixes).map(|prefix| (prefix, 7)).collect();
    let addresses = (0..BATCH).map(|third| Ipv4Addr::new(10, 0, third as u8 % PREFIXES, 9));
    let addresses: Vec<IpAddr> = addresses.map(IpAddr::V4).collect();
    Box::new(move || {
        timed(|| {
            for address in &addresses {
                black_box(map.longest_match(black_box(*address)).expect("a prefix"));
            }
        })
    })
}

fn outbound_sa() -> OutboundSa {
    OutboundSa::new(Reservation::first_use(sa())).expect("the key fits the suite")
}

fn seal(size: usize) -> Round {
    let (sa, packet, mut out) = (outbound_sa(), udp(size), vec![0; 2048]);
    Box::new(move || {
        timed(|| {
            for _ in 0..BATCH {
                black_box(sa.seal(4, &[], &packet, &mut out).expect("the SA seals"));
            }
        })
    })
}

fn open(size: usize) -> Round {
    let (west, east, packet) = (outbound_sa(), inbound_sa(), udp(size));
    Box::new(move || {
        let mut sealed = seal_for(&west, &packet);
        timed(|| {
            for datagram in &mut sealed {
                black_box(east.open(datagram).expect("the peer has sealed it"));
            }
        })
    })
}

fn inbound_sa() -> InboundSa {
    InboundSa::new(sa()).expect("the key fits the suite")
}

fn seal_for(sa: &OutboundSa, packet: &[u8]) -> Vec<Vec<u8>> {
    let seal = |_| {
        let mut out = vec![0; 2048];
        let length = sa.seal(4, &[], packet, &mut out).expect("the SA seals");
        out.truncate(length);
        out
    };
    (0..BATCH).map(seal).collect()
}

/// Whether a number of the window was received, and which one a packet's low half means.
fn replay_window() -> Round {
    let (west, east) = (outbound_sa(), inbound_sa());
    let mut sealed = seal_for(&west, &udp(84));
    for datagram in &mut sealed {
        east.open(datagram).expect("the peer has sealed it");
    }
    Box::new(move || {
        timed(|| {
            for low in 0..BATCH as u32 {
                let sequence = east.window().extend(black_box(low)).expect("of this window");
                black_box(east.window().check(sequence).is_ok());
            }
        })
    })
}

/// From the device to the send buffer, packet by packet.
fn send_singly(west: Snapshot, packet: Vec<u8>, hosts: usize) -> Round {
    let sent = batch(&packet, hosts);
    Box::new(move || {
        // What is translated once is another packet.
        let (mut egress, mut packets) = (NoEgress::default(), sent.clone());
        timed(|| {
            let mut outbound = Outbound::new(&west, VPC, Timestamp::ZERO);
            for packet in &mut packets {
                let sent = outbound.send(SuperPacket::whole(packet), &mut egress);
                sent.expect("the tunnel takes the packet");
            }
        })
    })
}

/// The same, where packets share datagrams.
fn send_packed(packet: Vec<u8>) -> Round {
    let (west, sent) = (packed_west(), batch(&packet, 1));
    let mut packers = Packers::default();
    Box::new(move || {
        let (mut egress, mut packets) = (NoEgress::default(), sent.clone());
        timed(|| {
            let mut outbound = Outbound::with(mem::take(&mut packers), &west, VPC, Timestamp::ZERO);
            for packet in &mut packets {
                let sent = outbound.send(SuperPacket::whole(packet), &mut egress);
                sent.expect("the tunnel takes the packet");
            }
            packers = outbound.finish(&mut egress);
        })
    })
}

/// From the device to the send buffer, as one super-packet of TCP.
fn send_train(west: Snapshot) -> Round {
    let (header, bytes) = tcp_train(TRAIN, 1348);
    Box::new(move || {
        let (mut egress, mut bytes) = (NoEgress::default(), bytes.clone());
        timed(|| {
            let train = SuperPacket::new(header, &mut bytes).expect("a well-formed train");
            Outbound::new(&west, VPC, Timestamp::ZERO)
                .send(train, &mut egress)
                .expect("the tunnel takes the train");
        })
    })
}

/// From the receive buffer to what the device may get.
fn receive(east: Snapshot, packet: Vec<u8>, hosts: usize) -> Round {
    let (west, packets) = (west(), batch(&packet, hosts));
    Box::new(move || {
        let mut sealed = send_all(&west, &packets);
        timed(|| {
            let mut inbound = Inbound::new(&east, Timestamp::ZERO);
            for datagram in &mut sealed {
                black_box(inbound.open(0, datagram).expect("the peer may send this"));
            }
        })
    })
}

/// The same, where packets share datagrams.
fn receive_packed(packet: &[u8]) -> Round {
    let (west, east, packets) = (packed_west(), packed_east(), batch(packet, 1));
    let mut memory = Vec::new();
    Box::new(move || {
        let (mut sealed, mut outbound) =
            (Kept::default(), Outbound::new(&west, VPC, Timestamp::ZERO));
        for mut packet in packets.clone() {
            let sent = outbound.send(SuperPacket::whole(&mut packet), &mut sealed);
            sent.expect("the tunnel takes the packet");
        }
        outbound.finish(&mut sealed);
        timed(|| {
            let (mut inbound, mut arrived) = (Inbound::new(&east, Timestamp::ZERO), 0);
            let mut room = Room::new(&mut memory);
            for datagram in &mut sealed.0 {
                let verdict = inbound.open(0, datagram).expect("the peer has sealed it");
                let Verdict::Aggregate(aggregate) = verdict else { continue };
                let mut inside = inbound.unpack(aggregate, &mut room).expect("packets");
                while let Some(verdict) = inbound.judge_next(0, &mut inside) {
                    black_box(verdict.expect("the peer may send this"));
                    arrived += 1;
                }
            }
            assert_eq!(arrived, BATCH, "every packet arrives");
        })
    })
}

fn send_all(west: &Snapshot, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let seal = |packet: &Vec<u8>| {
        let (mut egress, mut packet) = (NoEgress::default(), packet.clone());
        let sent = Outbound::new(west, VPC, Timestamp::ZERO)
            .send(SuperPacket::whole(&mut packet), &mut egress);
        sent.expect("the tunnel takes the packet");
        egress.into_datagram()
    };
    packets.iter().map(seal).collect()
}

/// A super-packet into its segments.
fn split() -> Round {
    let (header, bytes) = tcp_train(TRAIN, 1348);
    Box::new(move || {
        let mut bytes = bytes.clone();
        timed(|| {
            let train = SuperPacket::new(header, &mut bytes).expect("a well-formed train");
            let mut segments = train.segments();
            while let Some(segment) = segments.next() {
                black_box(segment.len());
            }
        })
    })
}

/// A flow of TCP segments into one write.
fn merge_tcp() -> Round {
    let (header, mut bytes) = tcp_train(BATCH, 960);
    let train = SuperPacket::new(header, &mut bytes).expect("a well-formed train");
    let mut segments = train.segments();
    let mut packets = Vec::new();
    while let Some(segment) = segments.next() {
        packets.push([segment.head, segment.payload].concat());
    }
    merge(packets)
}

/// Datagrams of several flows, in turns, into a write for each flow.
fn merge_udp(flows: usize) -> Round {
    merge(batch(&crate::packets::with_checksum(udp(84)), flows))
}

fn merge(packets: Vec<Vec<u8>>) -> Round {
    Box::new(move || {
        timed(|| {
            let mut coalescer = Coalescer::new();
            let mut write = |(), merged: vpngw::offload::Merged<'_, '_>| {
                black_box(merged.count());
            };
            packets.iter().for_each(|packet| coalescer.push((), packet, &mut write));
            coalescer.flush(&mut write);
        })
    })
}
