//! AGGFRAG (RFC 9347): small packets share datagrams, and hosts keep a 1500-byte MTU over an underlay of no
//! more.
//!
//! ```text
//!   left-host ── left ═══════ middle ═ 1500 bytes ═ right ── right-host
//! ```

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use vpngw::lab::traffic::{Echo, transfer};

use crate::support::charon::{Charon, Connection};
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, config, static_routes, write_keys};
use crate::support::wire;

/// What hosts of an Ethernet send.
const ETHERNET: usize = 1500;
const AGGFRAG: &str = "aggfrag = true";

fn pair() -> (Pair, [Gateway; 2]) {
    let (pair, gateways) = Gateway::start_both(|pair, side| {
        config(pair, side, Auth::Ed25519, &static_routes(side), AGGFRAG)
    });
    for gateway in &gateways {
        assert!(gateway.comes_up(), "{}", gateway.log());
        assert!(gateway.peer().child_sas[0].aggfrag, "{:#?}", gateway.peer());
    }
    assert!(pair.comes_to_work());
    (pair, gateways)
}

/// Octets before the data of a ping.
fn headers(target: IpAddr) -> usize {
    if target.is_ipv4() { 20 + 8 } else { 40 + 8 }
}

/// The packet filter of the router loses one datagram in twenty from left to right, of those that carry
/// more than a word. Each counts for itself: no train of them crosses the wires as one.
fn lose(pair: &Pair) {
    for (node, device) in [("left", "wan0"), ("right", "wan0")] {
        run(pair, node, &format!("ip link set {device} gso_max_segs 1"));
    }
    run(pair, "middle", "nft add table inet loss");
    run(
        pair,
        "middle",
        "nft add chain inet loss forward { type filter hook forward priority 0 ; }",
    );
    let rule = "iifname left udp dport 4500 udp length > 100 numgen random mod 20 0 drop";
    run(pair, "middle", &format!("nft add rule inet loss forward {rule}"));
}

fn run(pair: &Pair, node: &str, command: &str) {
    let namespace = pair.namespace(node);
    let mut ip = Command::new("ip");
    ip.args(["netns", "exec", &namespace]).args(command.split(' '));
    assert!(ip.status().unwrap().success(), "{command}");
}

#[test]
fn hosts_keep_the_mtu_of_ethernet_without_a_fragment_or_an_error() {
    let (pair, [left, right]) = pair();
    let capture = pair.watch_underlay();
    for side in Side::BOTH {
        let namespace = pair.namespace(&side.host());
        for target in side.other().host_addresses() {
            let echo = Echo::open(Some(&namespace), (None, target), 93).unwrap();
            for sequence in 0..20 {
                echo.send(sequence, ETHERNET - headers(target));
                let answer = echo.receive(Duration::from_secs(1)).unwrap();
                assert_eq!(answer, Some(sequence), "to {target}");
            }
            let there = pair.namespace(&side.other().host());
            let done = transfer(&namespace, &there, target, 16 << 20).unwrap();
            println!("    16 MB to {target} in {:?}", done.took);
            assert!(done.is_intact);
        }
    }
    for gateway in [&left, &right] {
        assert_eq!(gateway.peer().inner_mtu, Some(1500));
        let discards = gateway.peer().discards;
        assert!(discards.is_empty(), "{discards:?}");
    }
    // Nothing but IKE and ESP, nothing in fragments, nobody's errors.
    wire::assert_sealed(&capture.finish().unwrap());
}

#[test]
fn small_packets_that_wait_together_share_datagrams() {
    let (pair, [left, _right]) = pair();
    let counts = || {
        let peer = left.peer();
        (peer.summary.sent.packets, peer.child_sas[0].sent.packets)
    };
    let namespace = pair.namespace(&Side::Left.host());
    let target = Side::Right.host_addresses()[0];
    let echo = Echo::open(Some(&namespace), (None, target), 94).unwrap();
    let before = counts();
    for sequence in 0..20_000 {
        echo.send(sequence, 36);
    }
    std::thread::sleep(Duration::from_millis(500));
    let after = counts();
    let (packets, datagrams) = (after.0 - before.0, after.1 - before.1);
    println!("    {packets} packets of 64 octets in {datagrams} datagrams");
    assert!(packets > 5000, "{packets}");
    assert!(datagrams * 2 < packets, "{packets} packets in {datagrams} datagrams");
}

#[test]
fn a_lost_datagram_costs_the_packets_that_had_a_part_in_it() {
    const PINGS: u16 = 1000;
    let (pair, [left, right]) = pair();
    lose(&pair);
    let namespace = pair.namespace(&Side::Left.host());
    let target = Side::Right.host_addresses()[0];
    // Of one datagram, and of two.
    for (octets, expected) in [(600, 0.05), (ETHERNET, 0.0975)] {
        let echo = Echo::open(Some(&namespace), (None, target), 95).unwrap();
        let mut answered = BTreeSet::new();
        for sequence in 0..PINGS {
            echo.send(sequence, octets - headers(target));
            answered.extend(echo.receive(Duration::from_millis(50)).unwrap());
        }
        let lost = 1.0 - answered.len() as f64 / f64::from(PINGS);
        println!("    {octets} octets: {:.1} % lost", lost * 100.0);
        // Five standard deviations of so many tries are 0.034 and 0.047.
        assert!((expected - lost).abs() < 0.05, "{lost} of pings of {octets} octets are lost");
    }
    // Lost on the way to one of them.
    let discards = [left.peer().discards, right.peer().discards];
    let reasons: BTreeSet<&String> = discards.iter().flat_map(|all| all.keys()).collect();
    assert!(reasons.into_iter().eq(["incomplete_packet"]), "{discards:?}");
}

#[test]
fn with_a_peer_that_does_not_know_it_there_is_a_tunnel_as_any_other() {
    let pair = Pair::new();
    write_keys(&pair);
    let theirs = Charon::start(&pair, Side::Right, &Connection::default());
    let more = format!("esp_suites = [\"aes256gcm16-curve25519\"]\n{AGGFRAG}");
    let text =
        config(&pair, Side::Left, Connection::default().auth, &static_routes(Side::Left), &more);
    let ours = Gateway::start(&pair, Side::Left, &text);
    assert!(theirs.comes_up(), "{}\n{}", theirs.sas(), ours.log());
    assert!(ours.comes_up(), "{}", ours.log());
    assert!(pair.comes_to_work(), "{}\n{:#?}", theirs.sas(), ours.peer());
    let peer = ours.peer();
    assert!(peer.aggfrag && !peer.child_sas[0].aggfrag, "{peer:#?}");
    let [here, there] = Side::BOTH.map(|side| pair.namespace(&side.host()));
    let done = transfer(&here, &there, Side::Right.host_addresses()[0], 8 << 20).unwrap();
    assert!(done.is_intact);
}

/// What the left gateway sends in ESP while `act` runs: how long each datagram is, and how long after the one
/// before it came.
fn watch(pair: &Pair, act: impl FnOnce()) -> Vec<(usize, Duration)> {
    let capture = pair.watch_underlay();
    act();
    let mut frames = capture.finish().unwrap();
    frames.retain(|frame| is_esp_from_left(&frame.bytes));
    let times = frames.windows(2).map(|two| (two[1].bytes.len(), two[1].at - two[0].at));
    times.collect()
}

/// Ethernet, IPv4 from 10.79.1.10, UDP, and no IKE.
fn is_esp_from_left(frame: &[u8]) -> bool {
    frame.get(26..30) == Some(&[10, 79, 1, 10])
        && frame.get(23) == Some(&17)
        && frame.get(42..46).is_some_and(|spi| *spi != [0; 4])
}

#[test]
fn at_a_constant_rate_the_wire_is_the_same_whatever_hosts_do() {
    const MBIT: f64 = 4.0;
    let more = format!("{AGGFRAG}\nconstant_rate = \"4 Mbit/s\"");
    let (pair, [left, right]) = Gateway::start_both(|pair, side| {
        config(pair, side, Auth::Ed25519, &static_routes(side), &more)
    });
    for gateway in [&left, &right] {
        assert!(gateway.comes_up(), "{}", gateway.log());
    }
    assert!(pair.comes_to_work());
    let two_seconds = Duration::from_secs(2);
    let idle = watch(&pair, || std::thread::sleep(two_seconds));
    let [here, there] = Side::BOTH.map(|side| pair.namespace(&side.host()));
    let mut rate = 0.0;
    let busy = watch(&pair, || {
        let done = transfer(&here, &there, Side::Right.host_addresses()[0], 900 << 10).unwrap();
        assert!(done.is_intact);
        rate = done.rate() / 1e6;
    });
    for (what, seen) in [("idle", &idle), ("busy", &busy)] {
        let lengths: BTreeSet<usize> = seen.iter().map(|(length, _)| *length).collect();
        assert_eq!(lengths.len(), 1, "{what}: {lengths:?}");
        let length = seen[0].0 - 14;
        let took: f64 = seen.iter().map(|(_, pause)| pause.as_secs_f64()).sum();
        let wire = (seen.len() * length * 8) as f64 / took / 1e6;
        let mut pauses: Vec<Duration> = seen.iter().map(|(_, pause)| *pause).collect();
        pauses.sort();
        let [median, late] = [50, 99].map(|percent| pauses[pauses.len() * percent / 100]);
        println!(
            "    {what}: {} datagrams of {length} octets, {wire:.2} Mbit/s, one every {median:?}, 99 % within {late:?}",
            seen.len()
        );
        assert!((wire - MBIT).abs() < 0.1 * MBIT, "{what}: {wire} Mbit/s");
    }
    println!("    hosts had {rate:.2} Mbit/s of it");
    assert!(rate > 0.5 * MBIT, "{rate}");
}
