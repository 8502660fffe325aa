//! Peers by host name, with a DNS server between the sites.
//!
//! ```text
//!   left-host ── left ═══ middle (DNS) ═══ right ── right-host
//!                 │ looks right.example up    ▲ renumbered
//! ```

use std::process::Command;
use std::time::{Duration, Instant};

use vpngw::control::{Code, PeerState};

use crate::support::dns::Dns;
use crate::support::eventually;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, config, static_routes, write_keys};

const NAME: &str = "right.example";
/// Seconds for which answers hold: longer than any scenario, or at once too old.
const LONG: u32 = 3600;
const SHORT: u32 = 0;

/// Right listens wherever it is and waits.
fn right(pair: &Pair) -> Gateway {
    let text = config(pair, Side::Right, Auth::Psk, &static_routes(Side::Right), "");
    let text = text.replace("listen = [\"10.79.2.10\"]", "");
    let text = text.replace("remote_address = \"10.79.1.10\"", "remote_address = \"any\"");
    Gateway::start(pair, Side::Right, &text)
}

/// Left knows right by its name; both have IPv4 and IPv6 on the underlay.
fn left(pair: &Pair, dns: &Dns) -> Gateway {
    let text = config(pair, Side::Left, Auth::Psk, &static_routes(Side::Left), "");
    let text = text.replace("listen = [\"10.79.1.10\"]", "");
    let named = format!("remote_address = \"{NAME}\"");
    let text = text.replace("remote_address = \"10.79.2.10\"", &named);
    Gateway::start_with_resolver(pair, Side::Left, &text, &dns.resolv_conf)
}

fn start(ttl: u32, addresses: &[&str]) -> (Pair, Dns, [Gateway; 2]) {
    let pair = Pair::new();
    write_keys(&pair);
    let dns = Dns::start(&pair, ttl);
    dns.set(NAME, addresses);
    let gateways = [left(&pair, &dns), right(&pair)];
    (pair, dns, gateways)
}

fn renumber(pair: &Pair, old: &str, new: &str) {
    let namespace = pair.namespace("right");
    for words in [
        format!("addr del {old}/24 dev wan0"),
        format!("addr add {new}/24 dev wan0"),
        "route replace default via 10.79.2.1".to_owned(),
    ] {
        let mut command = Command::new("ip");
        let output = command.args(["-n", &namespace]).args(words.split(' ')).output().unwrap();
        assert!(output.status.success(), "{words}: {output:?}");
    }
}

fn remote(gateway: &Gateway) -> Option<String> {
    gateway.peer().ike_sa.map(|sa| sa.remote.ip().to_string())
}

fn has_told(gateway: &Gateway, code: Code) -> bool {
    gateway.peer().events.iter().any(|event| event.code == code)
}

#[test]
fn a_peer_is_found_by_its_name_and_again_when_it_has_moved() {
    let (pair, dns, [left, _right]) = start(LONG, &["10.79.2.10"]);
    assert!(pair.comes_to_work(), "{}", left.log());
    assert_eq!(remote(&left).as_deref(), Some("10.79.2.10"));
    dns.set(NAME, &["10.79.2.77"]);
    renumber(&pair, "10.79.2.10", "10.79.2.77");
    let since = Instant::now();
    assert!(pair.comes_to_work(), "{}", left.log());
    println!("    works again {:?} after the peer has moved", since.elapsed());
    assert_eq!(remote(&left).as_deref(), Some("10.79.2.77"));
    assert!(has_told(&left, Code::NameChanged));
}

#[test]
fn a_tunnel_that_works_stays_while_its_name_means_something_else() {
    let (pair, dns, [left, _right]) = start(SHORT, &["10.79.2.10"]);
    assert!(pair.comes_to_work(), "{}", left.log());
    dns.set(NAME, &["10.79.2.88"]);
    let reports = pair.probing(Duration::from_millis(20), || {
        assert!(eventually(|| has_told(&left, Code::NameChanged)), "{}", left.log());
        std::thread::sleep(Duration::from_secs(3));
    });
    for report in reports {
        assert_eq!(report.lost(), 0, "{report:?}");
    }
    assert_eq!(remote(&left).as_deref(), Some("10.79.2.10"));
    assert_eq!(left.log().matches("connected with").count(), 1, "{}", left.log());
}

#[test]
fn of_several_addresses_that_is_used_where_the_peer_answers() {
    let dead = ["fd79:2::99", "10.79.2.99"];
    let (pair, _dns, [left, _right]) = start(LONG, &[dead[0], dead[1], "10.79.2.10"]);
    assert!(pair.comes_to_work(), "{}", left.log());
    assert_eq!(remote(&left).as_deref(), Some("10.79.2.10"));
    let name = left.peer().host_name.unwrap();
    assert_eq!(name.addresses.len(), 3, "{name:?}");
}

#[test]
fn names_that_mean_nothing_of_use_are_told_until_they_do() {
    let (pair, dns, [left, _right]) = start(SHORT, &["127.0.0.1", "10.79.1.10"]);
    assert!(eventually(|| has_told(&left, Code::NameUnresolved)), "{}", left.log());
    let peer = left.peer();
    assert_ne!(peer.summary.state, PeerState::Up);
    let reason = peer.summary.last_failure.unwrap().reason;
    assert!(reason.contains("10.79.1.10 is this host itself"), "{reason}");
    dns.set(NAME, &["10.79.2.10"]);
    assert!(pair.comes_to_work(), "{}", left.log());
}
