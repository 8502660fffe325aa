//! The ladder of faults: how long a stream of packets is interrupted each way, many times over.
//!
//! ```text
//!   HOST ── victim ── underlay ── gateway ── far host      away: from the victim's region
//!   HOST ◄─ victim ── underlay ── gateway ── far host      back: towards it
//! ```
//!
//! A round is a lab of its own, in which each kind of fault happens once to a gateway that the streams
//! go through, and is repaired. It takes about a minute and wants the machine for itself:
//!
//! ```sh
//! LADDER_ROUNDS=30 cargo test --release --test netns -- ladder --ignored --nocapture
//! ```
//!
//! `LADDER_FAULTS` names the rungs, with commas between: failures of the lab, and what is none for the gateways that
//! are looked at (`partition`, `flap`, `loss`, `busy`, `icmp`; see [`Rung`]). `LADDER_RATE` is packets a second of each
//! stream; `LADDER_INTERVAL_MS` the interval of BFD and of VRRP's advertisements, of which three may be missing;
//! `LADDER_LIMIT_MS` what no gap may be longer than.

mod rungs;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;
use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use vpngw::control::{PeersView, Request};
use vpngw::lab::traffic::{Delivery, Stream};
use vpngw::lab::{FaultKind, Lab};

use crate::support::region::Regions;
use rungs::Rung;

/// How long a fault is watched, and its repair.
const WATCH: Duration = Duration::from_millis(1500);
const WATCH_REPAIR: Duration = Duration::from_millis(3000);
/// The gateways that their regions use by default, each with a far host. They take turns: one that has
/// failed is left alone for a while.
const VICTIMS: [(&str, &str, &str); 3] = [
    ("east-a", "east-host-b", "north-host-b"),
    ("north-a", "north-host-b", "south-host-b"),
    ("south-a", "south-host-b", "east-host-b"),
];
/// Packets a second where no figure is wanted.
const RATE: u32 = 1000;
/// How long a gateway may take until it is used again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The gateway has asked for hosts in vain meanwhile.
#[test]
fn a_cable_to_the_hosts_that_is_there_again_loses_nothing() {
    let mut regions = Regions::up();
    let (victim, near, far) = VICTIMS[0];
    wait_until_used(&regions, victim, (near, far));
    streaming(&mut regions, RATE, (near, far), |lab| {
        lab.fail(FaultKind::LanDown, victim).unwrap();
        sleep(WATCH);
    });
    let after = streaming(&mut regions, RATE, (near, far), |lab| {
        lab.heal(None).unwrap();
        sleep(WATCH_REPAIR);
    });
    for delivery in after {
        assert_eq!(delivery.lost(), 0, "{delivery}");
    }
    wait_until_used(&regions, victim, (near, far));
}

#[test]
#[ignore = "long, and for a machine that does nothing else"]
fn the_ladder_of_faults() {
    let rounds = setting("LADDER_ROUNDS").unwrap_or(3);
    let rate = setting("LADDER_RATE").unwrap_or(10_000);
    let limit = setting("LADDER_LIMIT_MS").map(|limit| Duration::from_millis(limit.into()));
    let mut ladder = BTreeMap::<Rung, Seen>::new();
    for round in 0..rounds {
        climb(round, rate, &mut ladder);
        print(&ladder, rate);
    }
    let longest = ladder.values().flat_map(|seen| &seen.gaps).max().unwrap();
    assert!(limit.is_none_or(|limit| *longest <= limit), "{longest:?}");
    let lost: usize = ladder.values().map(|seen| seen.lost_at_repair).sum();
    println!("{lost} packets lost at repairs");
    let falsely: u32 = ladder.values().map(|seen| seen.falsely).sum();
    assert_eq!(falsely, 0, "paths given up without a reason");
}

fn setting(name: &str) -> Option<u32> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn rungs() -> Vec<Rung> {
    match env::var("LADDER_FAULTS") {
        Ok(names) => names.split(',').map(|name| name.parse().unwrap()).collect(),
        Err(_) => Rung::all().collect(),
    }
}

/// What all rounds have seen of one rung.
#[derive(Debug, Default)]
struct Seen {
    /// Of each fault the longest gap away, and back.
    gaps: Vec<Duration>,
    duplicates: usize,
    reordered: usize,
    lost_at_repair: usize,
    /// Paths that gateways have given up without a reason.
    falsely: u32,
    gaps_at_repair: Vec<Duration>,
}

/// One round: every kind once.
fn climb(round: u32, rate: u32, ladder: &mut BTreeMap<Rung, Seen>) {
    let mut regions = Regions::up();
    if let Some(interval) = setting("LADDER_INTERVAL_MS") {
        hurry(&regions, interval);
    }
    let places = VICTIMS.into_iter().cycle().skip(round as usize);
    for (number, (rung, (victim, near, far))) in rungs().into_iter().zip(places).enumerate() {
        regions.settles();
        wait_until_used(&regions, victim, (near, far));
        let seen = ladder.entry(rung).or_default();
        // At another moment of the intervals each time.
        let phase = Duration::from_millis((u64::from(round) * 37 + number as u64 * 13) % 50);
        let losses = regions.losses();
        let mut lasting = None;
        let during = streaming(&mut regions, rate, (near, far), |lab| {
            sleep(Duration::from_millis(300) + phase);
            lasting = Some(rung.begin(lab, victim, far));
            sleep(WATCH);
        });
        seen.gaps.extend(during.iter().map(Delivery::longest_gap));
        seen.duplicates += during.iter().map(Delivery::duplicates).sum::<usize>();
        seen.reordered += during.iter().map(Delivery::reordered).sum::<usize>();
        let after = streaming(&mut regions, rate, (near, far), |lab| {
            rung.end(lab, lasting.take().unwrap());
            sleep(WATCH_REPAIR);
        });
        seen.falsely += rung.lost_falsely(&losses, &regions.losses());
        if rung != Rung::Loss {
            seen.lost_at_repair += after.iter().map(Delivery::lost).sum::<usize>();
        }
        seen.gaps_at_repair.extend(after.iter().map(Delivery::longest_gap));
    }
}

/// Streams between two hosts, each way, while `act` runs.
fn streaming(
    regions: &mut Regions,
    rate: u32,
    (near, far): (&str, &str),
    act: impl FnOnce(&mut Lab),
) -> [Delivery; 2] {
    let ipv4 = |host: &str| -> IpAddr { regions.addresses(host)[0] };
    let start = |from: &str, to: &str| {
        let (there, address) = (regions.lab.namespace(to), ipv4(to));
        Stream::start(&regions.lab.namespace(from), &there, address, rate).unwrap()
    };
    let streams = [start(near, far), start(far, near)];
    act(&mut regions.lab);
    streams.map(|stream| stream.finish().unwrap())
}

/// Shorter intervals everywhere.
fn hurry(regions: &Regions, interval: u32) {
    let gateways = regions.lab.status().into_iter().map(|status| status.name);
    for gateway in gateways {
        regions.reload(&gateway, |text| {
            let bfd =
                format!("[defaults]\nbfd = {{ interval = \"{interval}ms\", multiplier = 3 }}\n");
            let vrrp = format!("[[vpc.vrrp]]\ninterval = \"{interval}ms\"");
            let own = text.find("[[vpc]]").unwrap();
            let (head, rest) = text.split_at(own);
            format!("{head}{bfd}\n{}", rest.replace("[[vpc.vrrp]]", &vrrp))
        });
    }
    regions.settles();
}

/// A gateway that has failed before carries nothing for a while.
fn wait_until_used(regions: &Regions, victim: &str, (near, far): (&str, &str)) {
    let until = Instant::now() + PATIENCE;
    let (from, to) = (regions.lab.namespace(near), regions.lab.namespace(far));
    loop {
        let before = carried(regions, victim);
        let stream = Stream::start(&from, &to, regions.addresses(far)[0], 1000).unwrap();
        sleep(Duration::from_millis(200));
        let sent = stream.finish().unwrap().sent() as u64;
        if carried(regions, victim) >= before + sent {
            return;
        }
        assert!(Instant::now() < until, "{victim} is not used");
    }
}

/// How many packets a gateway has sent to its peers.
fn carried(regions: &Regions, gateway: &str) -> u64 {
    let view: PeersView = regions.ask(gateway, &Request::Peers);
    view.peers.iter().map(|peer| peer.sent.packets).sum()
}

fn print(ladder: &BTreeMap<Rung, Seen>, rate: u32) {
    let mut table = format!("gaps in ms of streams of {rate} packets a second, each way\n");
    table +=
        "rung         times   p50   p99   max   twice   late   at repair: max   lost   false\n";
    for (rung, seen) in ladder {
        let [p50, p99, max] = [50, 99, 100].map(|share| percentile(&seen.gaps, share));
        let repair = percentile(&seen.gaps_at_repair, 100);
        let Seen { duplicates, reordered, lost_at_repair, falsely, .. } = seen;
        let times = seen.gaps.len() / 2;
        writeln!(
            table,
            "{rung:<12} {times:>5} {p50:>5} {p99:>5} {max:>5} {duplicates:>7} {reordered:>6} \
             {repair:>16} {lost_at_repair:>6} {falsely:>7}"
        )
        .unwrap();
    }
    println!("{table}");
}

/// The duration in milliseconds below which so many of a hundred stay.
fn percentile(durations: &[Duration], share: usize) -> u128 {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * share).div_ceil(100).saturating_sub(1);
    sorted[place].as_millis()
}
