//! A rate that a peer is sent at most: TCP comes close to it, flows have equal shares, and control packets do
//! not wait.
//!
//! ```text
//!   left-host ── left ══ rate_limit ══► right ── right-host
//! ```

use std::time::{Duration, Instant};

use vpngw::control::SaKind;
use vpngw::lab::traffic::{Pinger, Stream, transfer};

use crate::rekeying::keys;
use crate::support::eventually;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config};

/// The left one sends the right one no faster than so many Mbit/s, IP headers included.
fn limited(mbit: u32) -> impl Fn(&Pair, Side) -> String {
    move |pair, side| {
        let more = match side {
            Side::Left => format!("rate_limit = \"{mbit} Mbit/s\""),
            Side::Right => String::new(),
        };
        config(pair, side, Auth::Ed25519, &bgp(side), &more)
    }
}

/// Octets of TCP payload in one of the underlay: 1386 in a datagram of 1500, or somewhat less by IPv6.
const PAYLOAD: f64 = 0.92;

#[test]
fn tcp_has_the_whole_rate_and_flows_have_equal_parts() {
    const MBIT: u32 = 30;
    let (pair, [left, _right]) = Gateway::start_both(limited(MBIT));
    let fits = f64::from(MBIT) * PAYLOAD;
    let [here, there] = Side::BOTH.map(|side| pair.namespace(&side.host()));
    for target in Side::Right.host_addresses() {
        let done = transfer(&here, &there, target, 10 << 20).unwrap();
        let rate = done.rate() / 1e6;
        println!(
            "    one stream to {target}: {rate:.1} Mbit/s, {:.1} % of what fits",
            100.0 * rate / fits
        );
        assert!(done.is_intact);
        assert!((0.9..1.04).contains(&(rate / fits)), "{rate} Mbit/s");
    }
    // While all of them last they have the same.
    let target = Side::Right.host_addresses()[0];
    let rates: Vec<f64> = std::thread::scope(|scope| {
        let one = || transfer(&here, &there, target, 3 << 20).unwrap().rate() / 1e6;
        let streams: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        streams.into_iter().map(|stream| stream.join().unwrap()).collect()
    });
    println!("    four streams: {rates:.1?} Mbit/s");
    let share = fits / 4.0;
    assert!(rates.iter().all(|rate| (0.8..1.5).contains(&(rate / share))), "{rates:?}");
    println!("    discards: {:?}", left.peer().discards);
}

#[test]
fn who_floods_harms_neither_other_flows_nor_what_gateways_say() {
    let (pair, [left, right]) = Gateway::start_both(limited(10));
    let [here, there] = Side::BOTH.map(|side| pair.namespace(&side.host()));
    let target = Side::Right.host_addresses()[0];
    let ping = |time: Duration| {
        let pinger = Pinger::start(&here, target, Duration::from_millis(5)).unwrap();
        std::thread::sleep(time);
        pinger.finish().unwrap()
    };
    let idle = ping(Duration::from_secs(1));
    let (losses, begin) = (bfd_losses(&left), Instant::now());
    // Of 64 octets with their headers: more than 30 Mbit/s on the underlay.
    let flood = Stream::start(&here, &there, target, 30_000).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let before = keys(&left, SaKind::Child);
    let loaded = ping(Duration::from_secs(4));
    right.rekey(SaKind::Child);
    left.rekey(SaKind::Ike);
    assert!(eventually(|| keys(&left, SaKind::Child) != before), "no new keys under a flood");
    let loaded_anew = ping(Duration::from_secs(2));
    let delivery = flood.finish().unwrap();
    let [p50, p99] = [50, 99].map(|percent| loaded.rtt_of(percent).unwrap());
    println!("    flood: {delivery}");
    println!("    idle:   {idle}, 99 % {:?}", idle.rtt_of(99).unwrap());
    println!("    loaded: {loaded}, 50 % {p50:?}, 99 % {p99:?}");
    assert!(delivery.lost() * 2 > delivery.sent(), "the rate was not reached: {delivery}");
    // One that all share would take 100 ms, and be full. The device's own is when nobody lets the gateway run.
    assert!(p50 < Duration::from_millis(10), "{p50:?}");
    for report in [&loaded, &loaded_anew] {
        assert!(report.lost() * 50 <= report.sent(), "{report}");
    }
    assert_eq!(bfd_losses(&left), losses, "BFD has noticed: {}", left.log());
    let bgp = left.peer().bgp.expect("BGP runs");
    let stands =
        bgp.state == "Established" && u128::from(bgp.state_for_ms) >= begin.elapsed().as_millis();
    assert!(stands, "BGP has noticed: {bgp:?}");
    assert!(left.peer().discards["rate_limit"] > 1000, "{:?}", left.peer().discards);
}

/// How often BFD has lost the path.
fn bfd_losses(gateway: &Gateway) -> u32 {
    gateway.peer().summary.bfd.expect("BFD runs").losses
}
