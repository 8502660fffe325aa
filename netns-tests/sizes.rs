//! Paths of the underlay that carry less than Ethernet does.
//!
//! ```text
//!   left-host ── left ═══════ middle ═ 1400 bytes ═ right ── right-host
//! ```

use std::time::Duration;

use vpngw::lab::traffic::{Echo, transfer};

use crate::support::charon::{self, Charon, Connection};
use crate::support::pair::{Pair, Side, ip};
use crate::support::vpngwd::{Auth, Gateway, config, static_routes, write_keys};
use crate::support::{eventually, wire};

const NARROW: u16 = 1400;
/// What every IPv6 path carries (RFC 8200 §5).
const IPV6_MINIMUM_MTU: u16 = 1280;
/// What the path is known by.
const EXACTNESS: u16 = 8;

/// The link from the router to the right side carries less from now on; the router says so, if it may.
fn shrink(pair: &Pair, to: u16, speaks: bool) {
    if !speaks {
        for target in ["10.79.0.0/16", "fd79::/16"] {
            let family = if target.contains(':') { "-6 " } else { "" };
            let rule = format!("{family}rule add iif lo to {target} pref 10 blackhole");
            ip(pair, "middle", &rule);
        }
    }
    ip(pair, "middle", &format!("link set right mtu {to}"));
}

/// The underlay is IPv6.
fn over_ipv6(text: &str) -> String {
    text.replace("10.79.1.10", "fd79:1::10").replace("10.79.2.10", "fd79:2::10")
}

fn pair(ipv6: bool) -> (Pair, [Gateway; 2]) {
    let pair = Pair::new();
    let gateways = start(&pair, ipv6);
    (pair, gateways)
}

fn start(pair: &Pair, ipv6: bool) -> [Gateway; 2] {
    write_keys(pair);
    let gateways = Side::BOTH.map(|side| {
        let text = config(pair, side, Auth::Ed25519, &static_routes(side), "");
        Gateway::start(pair, side, &if ipv6 { over_ipv6(&text) } else { text })
    });
    for gateway in &gateways {
        assert!(gateway.comes_up(), "{}", gateway.log());
    }
    assert!(pair.comes_to_work());
    gateways
}

fn knows_the_path(gateway: &Gateway) -> bool {
    knows_that_it_carries(gateway, NARROW)
}

fn knows_that_it_carries(gateway: &Gateway, octets: u16) -> bool {
    let path = gateway.peer().path_mtu;
    path.is_some_and(|path| (octets - EXACTNESS..=octets).contains(&path.bytes))
}

/// Until the path is known to be wide hosts are told smaller segments, which a narrow one carries.
fn knows_that_it_is_wide(gateway: &Gateway) -> bool {
    let path = gateway.peer().path_mtu;
    path.is_some_and(|path| path.bytes == path.configured && path.known_by == "probed")
}

/// TCP goes on over a path that shrinks while it runs, and its gateway comes to know the path.
fn shrinks_under_load(ipv6: bool, speaks: bool) {
    let (pair, gateways) = pair(ipv6);
    for gateway in &gateways {
        assert!(eventually(|| knows_that_it_is_wide(gateway)), "{:#?}", gateway.peer());
    }
    let namespaces = Side::BOTH.map(|side| pair.namespace(&side.host()));
    let journeys = Side::BOTH.map(|side| {
        let [from, to] = match side {
            Side::Left => namespaces.clone(),
            Side::Right => [namespaces[1].clone(), namespaces[0].clone()],
        };
        let address = side.other().host_addresses()[0];
        std::thread::spawn(move || transfer(&from, &to, address, 160 << 20))
    });
    std::thread::sleep(Duration::from_millis(300));
    shrink(&pair, NARROW, speaks);
    for journey in journeys {
        let done = journey.join().unwrap().unwrap();
        println!("    ipv6 {ipv6}, router speaks {speaks}: 160 MB in {:?}", done.took);
        assert!(done.is_intact);
    }
    let [left, right] = &gateways;
    assert!(eventually(|| knows_the_path(left)), "{:#?}", left.peer());
    // Told when the search has ended, not at every step of it.
    let told = || left.peer().events.iter().any(|event| event.what.contains("the path"));
    assert!(eventually(told), "{:#?}", left.peer());
    for gateway in [left, right] {
        assert!(!gateway.log().contains("does not answer"), "{}", gateway.log());
    }
}

#[test]
fn tcp_goes_on_over_a_path_that_shrinks_with_a_word() {
    shrinks_under_load(false, true);
}

#[test]
fn tcp_goes_on_over_a_path_that_shrinks_in_silence() {
    shrinks_under_load(false, false);
}

#[test]
fn tcp_goes_on_over_an_ipv6_path_that_shrinks_in_silence() {
    shrinks_under_load(true, false);
}

/// IPv6 promises hosts 1280 octets (RFC 8200 §5), which do not fit with ESP around them into the least
/// that it promises us.
#[test]
fn ipv6_packets_of_every_length_pass_over_the_narrowest_ipv6_path() {
    let pair = Pair::new();
    shrink(&pair, IPV6_MINIMUM_MTU, false);
    let [left, right] = start(&pair, true);
    for gateway in [&left, &right] {
        let knows = || knows_that_it_carries(gateway, IPV6_MINIMUM_MTU);
        assert!(eventually(knows), "{:#?}", gateway.peer());
    }
    let headers = 40 + 8;
    for side in Side::BOTH {
        let namespace = pair.namespace(&side.host());
        let target = side.other().host_addresses()[1];
        let echo = Echo::open(Some(&namespace), (None, target), 79).unwrap();
        for length in [1000, 1150, 1200, 1240, usize::from(IPV6_MINIMUM_MTU)] {
            echo.send(length as u16, length - headers);
            let answer = echo.receive(Duration::from_secs(1)).unwrap();
            assert_eq!(answer, Some(length as u16), "{length} octets from {namespace}");
        }
    }
}

/// Selectors that make IKE_AUTH some kilobytes long.
const MANY: usize = 100;

fn many(number: usize) -> Vec<String> {
    (0..MANY).map(|i| format!("10.{number}{}.{}.0/24", i % 7, i)).collect()
}

/// Long messages in fragments, both ways, with strongSwan.
fn strongswan_takes_fragments(initiate: bool) {
    let pair = Pair::new();
    write_keys(&pair);
    let prefixes: String = many(20).iter().map(|prefix| format!(", \"{prefix}\"")).collect();
    let more = format!("esp_suites = [\"aes256gcm16-curve25519\"]\ninitiate = {initiate}");
    let text = config(&pair, Side::Left, Auth::Psk, &static_routes(Side::Left), &more);
    let text = text.replace("\"fd00:1::/48\"]", &format!("\"fd00:1::/48\"{prefixes}]"));
    let selectors: &'static str = format!(",{}", many(20).join(",")).leak();
    let connection = Connection {
        more_selectors: ["", selectors],
        more: "fragmentation = yes\n",
        ..Connection::default()
    };
    let capture = pair.watch_underlay();
    let (ours, theirs);
    if initiate {
        theirs = Charon::start(&pair, Side::Right, &connection);
        ours = Gateway::start(&pair, Side::Left, &text);
    } else {
        ours = Gateway::start(&pair, Side::Left, &text);
        theirs = Charon::start(&pair, Side::Right, &connection);
        let said = theirs.initiate();
        assert!(said.status.success(), "{}\n{}", charon::text(&said), ours.log());
    }
    assert!(ours.comes_up(), "{}\n{}", ours.log(), theirs.sas());
    assert!(pair.comes_to_work(), "{}", ours.log());
    let log = std::fs::read_to_string(pair.path("charon-right.log")).unwrap();
    assert!(log.contains("received fragment #") && log.contains("splitting IKE message"), "{log}");
    assert!(eventually(|| knows_that_it_is_wide(&ours)), "{:#?}", ours.peer());
    // IP fragments would be foreign.
    wire::assert_sealed(&capture.finish().unwrap());
}

#[test]
fn strongswan_takes_our_fragments_and_we_take_its_own_when_we_initiate() {
    strongswan_takes_fragments(true);
}

#[test]
fn strongswan_takes_our_fragments_and_we_take_its_own_when_it_initiates() {
    strongswan_takes_fragments(false);
}

/// strongSwan takes no requests of ours in fragments; what it refuses tells of the path as well.
#[test]
fn tcp_to_strongswan_goes_on_over_a_path_that_shrinks_in_silence() {
    let pair = Pair::new();
    write_keys(&pair);
    let text = config(&pair, Side::Left, Auth::Psk, &static_routes(Side::Left), "");
    let theirs = Charon::start(&pair, Side::Right, &Connection::default());
    let ours = Gateway::start(&pair, Side::Left, &text);
    assert!(ours.comes_up() && pair.comes_to_work(), "{}\n{}", ours.log(), theirs.sas());
    assert!(eventually(|| knows_that_it_is_wide(&ours)), "{:#?}", ours.peer());
    let [from, to] = Side::BOTH.map(|side| pair.namespace(&side.host()));
    let address = Side::Right.host_addresses()[0];
    let journey = std::thread::spawn(move || transfer(&from, &to, address, 160 << 20));
    std::thread::sleep(Duration::from_millis(300));
    shrink(&pair, NARROW, false);
    let done = journey.join().unwrap().unwrap();
    println!("    160 MB in {:?}", done.took);
    assert!(done.is_intact);
    assert!(eventually(|| knows_the_path(&ours)), "{:#?}", ours.peer());
    assert!(!ours.log().contains("does not answer"), "{}", ours.log());
}
