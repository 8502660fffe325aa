//! IKE and ESP in TCP (RFC 9329), where a firewall on the way drops UDP.
//!
//! ```text
//!   left-host ── left ══ TCP 4500 ══ middle ══ TCP 4500 ══ right ── right-host
//!                                      ▲ drops UDP, kills connections
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use vpngw::lab::traffic::{Report, transfer};
use vpngw::os::netns;

use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config, static_routes, write_keys};
use crate::support::{eventually, run};

/// UDP gets 2.5 s of an attempt, and what is up 1.5 s to be missed; two cores may be busy.
const FALLBACK: Duration = Duration::from_secs(20);

/// `nft` at the router.
fn nft(pair: &Pair, words: &str) {
    run("ip", &["netns", "exec", &pair.namespace("middle"), "nft", words]);
}

/// From now on the router does this to what it forwards.
fn wall(pair: &Pair, rule: &str) {
    let chain = "type filter hook forward priority 0;";
    nft(pair, &format!("table inet wall {{ chain way {{ {chain} {rule}; }}; }}"));
}

/// It forwards everything again.
fn no_wall(pair: &Pair) {
    nft(pair, "delete table inet wall");
}

const UDP: &str = "meta l4proto udp drop";

fn with(pair: &Pair, side: Side, encapsulation: &str, routing: &str) -> String {
    let routing = format!("encapsulation = \"{encapsulation}\"\n{routing}");
    config(pair, side, Auth::Psk, &routing, "")
}

fn both(pair: &Pair, text: impl Fn(Side) -> String) -> [Gateway; 2] {
    write_keys(pair);
    Side::BOTH.map(|side| Gateway::start(pair, side, &text(side)))
}

/// Whether the tunnel comes to go in TCP, or in UDP, as both gateways see it.
fn comes_to_go(gateways: &[Gateway; 2], in_tcp: bool) -> bool {
    let goes = |gateway: &Gateway| {
        gateway.peer().ike_sa.is_some_and(|sa| (sa.local.port() == 0) == in_tcp)
    };
    eventually(|| gateways.iter().all(goes))
}

/// How often an IKE SA was made.
fn handshakes(gateway: &Gateway) -> usize {
    gateway.log().matches("connected with").count()
}

fn sends_a_file(pair: &Pair, bytes: u64) {
    let [from, to] = Side::BOTH.map(|side| pair.namespace(&side.host()));
    let done = transfer(&from, &to, Side::Right.host_addresses()[0], bytes).unwrap();
    assert!(done.is_intact);
    println!("{} MiB in {:.1?}: {:.0} Mbit/s", bytes >> 20, done.took, done.rate() / 1e6);
}

#[test]
fn a_tunnel_in_tcp_carries_what_a_tunnel_carries() {
    let pair = Pair::new();
    wall(&pair, UDP);
    let gateways = both(&pair, |side| with(&pair, side, "tcp", &bgp(side)));
    assert!(pair.comes_to_work(), "{}", gateways[0].log());
    assert!(comes_to_go(&gateways, true));
    sends_a_file(&pair, 20 << 20);
}

/// The connection is reset, again and again; then it stands still, without a word.
#[test]
fn a_tunnel_goes_on_in_another_connection() {
    let pair = Pair::new();
    let text = |side| {
        let initiates = side == Side::Left;
        with(&pair, side, "tcp", &format!("initiate = {initiates}\n{}", static_routes(side)))
    };
    let gateways = both(&pair, text);
    assert!(pair.comes_to_work(), "{}", gateways[0].log());
    for _ in 0..3 {
        wall(&pair, "tcp dport 4500 reject with tcp reset");
        std::thread::sleep(Duration::from_secs(1));
        no_wall(&pair);
        assert!(pair.comes_to_work(), "{}", gateways[0].log());
    }
    let port = || gateways[1].peer().ike_sa.unwrap().remote.port();
    let before = port();
    wall(&pair, &format!("tcp sport {before} drop"));
    assert!(eventually(|| port() != before), "{}", gateways[0].log());
    assert!(pair.comes_to_work(), "{}", gateways[0].log());
    assert_eq!(handshakes(&gateways[0]), 1, "{}", gateways[0].log());
}

#[test]
fn either_end_of_a_tunnel_in_tcp_may_start_again() {
    let pair = Pair::new();
    wall(&pair, UDP);
    let text = |side| with(&pair, side, "tcp", &bgp(side));
    let mut gateways = both(&pair, text);
    assert!(pair.comes_to_work());
    for place in [0, 1] {
        gateways[place].kill();
        gateways[place] = Gateway::start(&pair, Side::BOTH[place], &text(Side::BOTH[place]));
        let since = Instant::now();
        assert!(pair.comes_to_work(), "{}", gateways[place].log());
        assert!(since.elapsed() < FALLBACK, "{:?}", since.elapsed());
    }
    let deletions = || gateways[1].log().matches("deleted by the peer").count();
    let before = deletions();
    gateways[0].stop();
    assert!(eventually(|| deletions() > before), "{}", gateways[1].log());
}

/// UDP is dropped under a tunnel that stands, and passes again later.
#[test]
fn a_tunnel_goes_over_to_tcp_when_udp_is_dropped_and_back_when_it_passes() {
    let pair = Pair::new();
    let gateways = both(&pair, |side| with(&pair, side, "auto", &static_routes(side)));
    assert!(pair.comes_to_work());
    assert!(comes_to_go(&gateways, false));
    let since = Instant::now();
    wall(&pair, UDP);
    assert!(comes_to_go(&gateways, true), "{}", gateways[0].log());
    println!("in TCP after {:.1?}", since.elapsed());
    assert!(since.elapsed() < FALLBACK, "{:?}", since.elapsed());
    assert!(pair.comes_to_work(), "{}", gateways[0].log());
    let reports = pair.probing(Duration::from_millis(50), || {
        no_wall(&pair);
        let back = comes_to_go(&gateways, false) || comes_to_go(&gateways, false);
        assert!(back, "{}", gateways[0].log());
        std::thread::sleep(Duration::from_secs(2));
    });
    let gap = reports.iter().map(Report::longest_gap).max().unwrap();
    println!("back in UDP with a gap of {gap:.1?}");
    assert!(gap < Duration::from_secs(1), "{gap:?}");
}

#[test]
fn a_reload_decides_whether_tcp_is_taken() {
    let pair = Pair::new();
    let text = |side, encapsulation: &str| with(&pair, side, encapsulation, &static_routes(side));
    let gateways = both(&pair, |side| text(side, "udp"));
    assert!(pair.comes_to_work());
    let listens = |side: Side| {
        let target: SocketAddr = format!("{}:4500", side.wan()).parse().unwrap();
        let connect = || TcpStream::connect_timeout(&target, Duration::from_secs(1));
        netns::within(&pair.namespace("middle"), connect).unwrap().is_ok()
    };
    assert!(!listens(Side::Left) && !listens(Side::Right));
    let reload = |encapsulation| {
        gateways.iter().for_each(|one| one.reload(&text(one.side, encapsulation)));
    };
    reload("auto");
    assert!(eventually(|| listens(Side::Left) && listens(Side::Right)));
    assert!(pair.comes_to_work());
    reload("udp");
    assert!(eventually(|| !listens(Side::Left) && !listens(Side::Right)));
    assert!(pair.comes_to_work());
}

/// Strangers connect and say nothing, or something else, or very little very slowly.
#[test]
fn strangers_that_connect_change_nothing_and_do_not_stay() {
    let pair = Pair::new();
    wall(&pair, UDP);
    let gateways = both(&pair, |side| with(&pair, side, "tcp", &bgp(side)));
    assert!(pair.comes_to_work());
    let target: SocketAddr = format!("{}:4500", Side::Right.wan()).parse().unwrap();
    let call = || {
        let connect = || TcpStream::connect_timeout(&target, Duration::from_secs(2));
        netns::within(&pair.namespace("middle"), connect).unwrap()
    };
    let reports = pair.probing(Duration::from_millis(50), || {
        let mut silent: Vec<TcpStream> = (0..60).filter_map(|_| call().ok()).collect();
        for opening in [b"GET / HTTP/1.1\r\n".as_slice(), b"IKETCP\x00\x00", b"IKETCP\x00\x01"] {
            let stays = silent.iter_mut().any(|stream| says_and_stays(stream, opening));
            assert!(!stays, "{opening:?}");
            silent = (0..60).filter_map(|_| call().ok()).collect();
        }
        let since = Instant::now();
        for stream in &mut silent {
            let _ = stream.write_all(b"IKETCP\xff\xff\x00");
        }
        let ended = |stream: &mut TcpStream| !says_and_stays(stream, b"\x00");
        assert!(eventually(|| silent.iter_mut().all(ended)));
        println!("the slow were gone after {:.1?}", since.elapsed());
    });
    let gap = reports.iter().map(Report::longest_gap).max().unwrap();
    assert!(gap < Duration::from_secs(1), "{gap:?}");
    assert_eq!(handshakes(&gateways[0]), handshakes(&gateways[1]));
}

/// Says something; whether the connection stays open a moment later.
fn says_and_stays(stream: &mut TcpStream, words: &[u8]) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    if stream.write_all(words).is_err() {
        return false;
    }
    let waits = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
    stream.read(&mut [0]).is_err_and(|error| waits.contains(&error.kind()))
}
