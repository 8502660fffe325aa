//! What one packet costs on its way through the gateway, without system calls: nanoseconds for
//! sealing, opening, deciding and merging, by size and for trains; and what is added where the peer knows
//! our prefixes by others, measured in turns with the same without.
//!
//! ```text
//! cargo bench --bench packet                  nanoseconds, the best of many rounds
//! cargo bench --bench packet -- --once        a few rounds only, for counting instructions:
//!     valgrind --tool=callgrind target/release/deps/packet-… --once
//! ```

mod gateways;
mod packets;

use gateways::{NoEgress, VPC, east, mapped_east, mapped_west, west};
use packets::{tcp_train, udp};
use std::hint::black_box;
use std::time::{Duration, Instant};
use vpngw::forward::{Inbound, Outbound, Snapshot};
use vpngw::offload::{Coalescer, SuperPacket};
use vpngw::time::Timestamp;

/// Packets of one round: what a worker takes from its socket at once.
const BATCH: usize = 64;
/// Inner packet lengths in bytes.
const SIZES: [usize; 3] = [84, 576, 1400];

fn main() {
    let rounds = if std::env::args().any(|argument| argument == "--once") { 40 } else { 4000 };
    println!("{:<28} {:>10}", "what", "ns/packet");
    for size in SIZES {
        report(&format!("out {size}"), BATCH, rounds, send_singly(west(), size));
        report(&format!("in {size}"), BATCH, rounds, receive(east(), size));
    }
    report("out, train of 44 × 1400", 44, rounds, send_train(west(), 44));
    report("merge 1400", BATCH, rounds, merge());
    println!("\n{:<28} {:>10} {:>10} {:>8}", "translated", "without", "with", "more");
    for size in SIZES {
        let both = (send_singly(west(), size), send_singly(mapped_west(), size));
        compare(&format!("out {size}"), BATCH, rounds, both);
        let both = (receive(east(), size), receive(mapped_east(), size));
        compare(&format!("in {size}"), BATCH, rounds, both);
    }
    let both = (send_train(west(), 44), send_train(mapped_west(), 44));
    compare("out, train of 44 × 1400", 44, rounds, both);
}

/// Runs two kinds of rounds in turns and prints the shortest time of each, and their ratio.
fn compare(
    what: &str,
    packets: usize,
    rounds: usize,
    (mut one, mut other): (impl FnMut() -> Duration, impl FnMut() -> Duration),
) {
    let pairs = (0..rounds).map(|_| (one(), other()));
    let best = pairs.reduce(|best, pair| (best.0.min(pair.0), best.1.min(pair.1)));
    let (without, with) = best.unwrap_or_default();
    let per_packet = |time: Duration| time.as_nanos() as f64 / packets as f64;
    let more = 100.0 * (per_packet(with) / per_packet(without) - 1.0);
    println!("{what:<28} {:>10.1} {:>10.1} {more:>6.1} %", per_packet(without), per_packet(with));
}

/// Runs `round` again and again and prints its shortest time for each of its packets.
fn report(what: &str, packets: usize, rounds: usize, mut round: impl FnMut() -> Duration) {
    let best = (0..rounds).map(|_| round()).min().unwrap_or_default();
    println!("{what:<28} {:>10.1}", best.as_nanos() as f64 / packets as f64);
}

/// From the device to the send buffer, packet by packet.
fn send_singly(west: Snapshot, size: usize) -> impl FnMut() -> Duration {
    let sent = vec![udp(size); BATCH];
    move || {
        // What is translated once is another packet.
        let mut packets = sent.clone();
        let mut egress = NoEgress::default();
        let begin = Instant::now();
        let mut outbound = Outbound::new(&west, VPC);
        for packet in &mut packets {
            let sent = outbound.send(SuperPacket::whole(packet), &mut egress);
            sent.expect("the tunnel takes the packet");
        }
        black_box(&egress);
        begin.elapsed()
    }
}

/// From the device to the send buffer, as one super-packet of TCP.
fn send_train(west: Snapshot, segments: usize) -> impl FnMut() -> Duration {
    let (header, bytes) = tcp_train(segments, 1348);
    move || {
        let (mut egress, mut bytes) = (NoEgress::default(), bytes.clone());
        let begin = Instant::now();
        let train = SuperPacket::new(header, &mut bytes).expect("a well-formed train");
        Outbound::new(&west, VPC).send(train, &mut egress).expect("the tunnel takes the train");
        black_box(&egress);
        begin.elapsed()
    }
}

/// From the receive buffer to what the device may get.
fn receive(east: Snapshot, size: usize) -> impl FnMut() -> Duration {
    let (west, packet) = (west(), udp(size));
    move || {
        let mut sealed = sealed_batch(&west, &packet);
        let mut inbound = Inbound::new(&east, Timestamp::ZERO);
        let begin = Instant::now();
        for datagram in &mut sealed {
            black_box(inbound.open(0, datagram).expect("the peer may send this"));
        }
        drop(inbound);
        begin.elapsed()
    }
}

fn sealed_batch(west: &Snapshot, packet: &[u8]) -> Vec<Vec<u8>> {
    let seal = |_| {
        let mut egress = NoEgress::default();
        let mut packet = packet.to_vec();
        let sent = Outbound::new(west, VPC).send(SuperPacket::whole(&mut packet), &mut egress);
        sent.expect("the tunnel takes the packet");
        egress.into_datagram()
    };
    (0..BATCH).map(seal).collect()
}

/// A flow of TCP segments into one write.
fn merge() -> impl FnMut() -> Duration {
    let (header, mut bytes) = tcp_train(BATCH, 960);
    let train = SuperPacket::new(header, &mut bytes).expect("a well-formed train");
    let mut segments = train.segments();
    let mut packets = Vec::new();
    while let Some(segment) = segments.next() {
        packets.push([segment.head, segment.payload].concat());
    }
    move || {
        let mut coalescer = Coalescer::new();
        let begin = Instant::now();
        for packet in &packets {
            coalescer.push((), packet, &mut |(), merged| {
                black_box(merged.count());
            });
        }
        coalescer.flush(&mut |(), merged| {
            black_box(merged.count());
        });
        begin.elapsed()
    }
}
