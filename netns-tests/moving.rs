//! Addresses that change under a running gateway, and paths on which IKE and ESP fare differently.
//!
//! ```text
//!   left-host ── left ══ ESP ══ middle ══ ESP ══ right ── right-host
//!                 ▲ renumbered    ▲ filters
//! ```

use std::time::{Duration, Instant};

use vpngw::control::{DataPath, PathState, PeerState};

use crate::support::pair::{Pair, Side, ip};
use crate::support::vpngwd::{Auth, Gateway, bgp, config, static_routes, write_keys};
use crate::support::{eventually, run};

/// What an operator takes for "at once": some seconds.
const SECONDS: Duration = Duration::from_secs(10);

/// Listens wherever it has an address.
fn anywhere(pair: &Pair, side: Side, routing: &str) -> String {
    let listen = format!("listen = [\"{}\"]", side.wan());
    config(pair, side, Auth::Psk, routing, "").replace(&listen, "")
}

/// Takes its peer from any address.
fn from_any(pair: &Pair, side: Side, routing: &str) -> String {
    let remote = format!("remote_address = \"{}\"", side.other().wan());
    config(pair, side, Auth::Psk, routing, "").replace(&remote, "remote_address = \"any\"")
}

/// A gateway whose address changes comes again from the new one, or, by MOBIKE (RFC 4555), takes its
/// tunnel along.
fn follows_its_own_address(mobike: bool) {
    let pair = Pair::new();
    write_keys(&pair);
    let routing = |side| format!("mobike = {mobike}\n{}", bgp(side));
    let left = anywhere(&pair, Side::Left, &routing(Side::Left));
    let left = Gateway::start(&pair, Side::Left, &left);
    let right = from_any(&pair, Side::Right, &routing(Side::Right));
    let right = Gateway::start(&pair, Side::Right, &right);
    assert!(pair.comes_to_work());
    for (old, new) in [("10.79.1.10", "10.79.1.77"), ("10.79.1.77", "10.79.1.78")] {
        ip(&pair, "left", &format!("addr del {old}/24 dev wan0"));
        ip(&pair, "left", &format!("addr add {new}/24 dev wan0"));
        ip(&pair, "left", "route replace default via 10.79.1.1");
        let since = Instant::now();
        assert!(pair.comes_to_work(), "{}", left.log());
        assert!(since.elapsed() < SECONDS, "{:?}", since.elapsed());
        let seen = right.peer().ike_sa.unwrap().remote;
        assert_eq!(seen.to_string(), format!("{new}:4500"));
    }
    let moved = left.log().contains("this gateway moved to 10.79.1.78:4500");
    assert_eq!(moved, mobike, "{}", left.log());
    let handshakes = left.log().matches("connected with").count();
    assert_eq!(handshakes == 1, mobike, "{}", left.log());
}

#[test]
fn a_gateway_follows_its_own_address() {
    follows_its_own_address(false);
}

#[test]
fn a_gateway_takes_its_tunnel_along_to_another_address() {
    follows_its_own_address(true);
}

/// The peer alone can connect: the gateway that was killed waits for it, and shows it that what they
/// had is gone (RFC 6290).
#[test]
fn a_gateway_that_was_killed_and_only_answers_is_found_again_at_once() {
    let pair = Pair::new();
    write_keys(&pair);
    let left = config(&pair, Side::Left, Auth::Psk, &static_routes(Side::Left), "");
    let left = Gateway::start(&pair, Side::Left, &left);
    let text = from_any(&pair, Side::Right, &static_routes(Side::Right));
    let right = Gateway::start(&pair, Side::Right, &text);
    assert!(pair.comes_to_work());
    right.kill();
    let again = Gateway::start(&pair, Side::Right, &text);
    assert!(again.comes_to_say("ready"), "{}", again.log());
    let since = Instant::now();
    assert!(pair.comes_to_work(), "{}", left.log());
    println!("    works again {:?} after it was ready", since.elapsed());
    assert!(left.log().contains("the peer has lost the IKE SA"), "{}", left.log());
}

#[test]
fn an_interface_that_comes_back_is_used_again() {
    let pair = Pair::new();
    write_keys(&pair);
    let left = Gateway::start(&pair, Side::Left, &anywhere(&pair, Side::Left, &bgp(Side::Left)));
    let _right =
        Gateway::start(&pair, Side::Right, &from_any(&pair, Side::Right, &bgp(Side::Right)));
    assert!(pair.comes_to_work());
    ip(&pair, "left", "addr flush dev wan0");
    assert!(eventually(|| left.peer().summary.state != PeerState::Up));
    std::thread::sleep(Duration::from_secs(3));
    ip(&pair, "left", "addr add 10.79.1.10/24 dev wan0");
    ip(&pair, "left", "route replace default via 10.79.1.1");
    let since = Instant::now();
    assert!(pair.comes_to_work(), "{}", left.log());
    assert!(since.elapsed() < SECONDS, "{:?}", since.elapsed());
}

#[test]
fn who_is_asked_at_a_second_address_answers_from_there() {
    let pair = Pair::new();
    write_keys(&pair);
    ip(&pair, "left", "addr add 10.79.1.20/24 dev wan0");
    let waiting = |text: String| text.replace("psk_file", "initiate = false\npsk_file");
    let left = waiting(anywhere(&pair, Side::Left, &bgp(Side::Left)));
    let left = Gateway::start(&pair, Side::Left, &left);
    let right = config(&pair, Side::Right, Auth::Psk, &bgp(Side::Right), "");
    let right = right.replace("remote_address = \"10.79.1.10\"", "remote_address = \"10.79.1.20\"");
    let right = Gateway::start(&pair, Side::Right, &right);
    assert!(pair.comes_to_work(), "{}{}", left.log(), right.log());
    assert_eq!(right.peer().ike_sa.unwrap().remote.to_string(), "10.79.1.20:4500");
    assert_eq!(left.peer().ike_sa.unwrap().local.to_string(), "10.79.1.20:4500");
}

#[test]
fn a_reload_listens_on_another_address() {
    let pair = Pair::new();
    write_keys(&pair);
    let text = |side| config(&pair, side, Auth::Psk, &bgp(side), "");
    let left = Gateway::start(&pair, Side::Left, &text(Side::Left));
    let right = from_any(&pair, Side::Right, &bgp(Side::Right));
    let right = Gateway::start(&pair, Side::Right, &right);
    assert!(pair.comes_to_work());
    ip(&pair, "left", "addr add 10.79.1.20/24 dev wan0");
    left.reload(
        &text(Side::Left).replace("listen = [\"10.79.1.10\"]", "listen = [\"10.79.1.20\"]"),
    );
    let moved = || right.peer().ike_sa.is_some_and(|sa| sa.remote.to_string() == "10.79.1.20:4500");
    assert!(eventually(moved), "{}", left.log());
    assert!(pair.comes_to_work());
}

#[test]
fn esp_that_is_dropped_while_ike_passes_is_found_at_both_ends() {
    let pair = Pair::new();
    write_keys(&pair);
    let text = |side| config(&pair, side, Auth::Psk, &static_routes(side), "");
    let gateways = Side::BOTH.map(|side| Gateway::start(&pair, side, &text(side)));
    assert!(pair.comes_to_work());
    let filter = "table inet lossy { chain way { type filter hook forward priority 0; \
                  udp dport 4500 @th,64,32 != 0 drop; }; }";
    let middle = pair.namespace("middle");
    run("ip", &["netns", "exec", &middle, "nft", filter]);
    let since = Instant::now();
    for gateway in &gateways {
        assert!(eventually(|| gateway.peer().summary.state == PeerState::Unreachable));
        assert_eq!(gateway.peer().data_path, DataPath::NothingComes);
    }
    assert!(since.elapsed() < SECONDS, "{:?}", since.elapsed());
    run("ip", &["netns", "exec", &middle, "nft", "delete table inet lossy"]);
    assert!(pair.comes_to_work());
    for gateway in &gateways {
        assert!(eventually(|| gateway.peer().summary.state == PeerState::Up));
        let path = gateway.peer().data_path;
        assert!(matches!(path, DataPath::Passes | DataPath::PassesAgain), "{path:?}");
    }
}

/// Two addresses of the tunnel's own, which no route leads to but through it.
fn inside(side: Side) -> String {
    let [own, other] = [side.number(), side.other().number()];
    format!("inside_local = \"10.77.0.{own}\"\ninside_remote = \"10.77.0.{other}\"")
}

#[test]
fn bfd_runs_beside_static_routes_where_both_ends_have_inside_addresses() {
    let (pair, gateways) = Gateway::start_both(|pair, side| {
        config(pair, side, Auth::Psk, &static_routes(side), &inside(side))
    });
    let bfd = |side: usize| gateways[side].peer().summary.bfd;
    let says = |side, path| eventually(|| bfd(side).is_some_and(|bfd| bfd.path == path));
    assert!(says(0, PathState::Works) && says(1, PathState::Works), "{:?}", bfd(0));

    let middle = pair.namespace("middle");
    let nft = |words: &str| run("ip", &["netns", "exec", &middle, "nft", words]);
    nft("add table inet wall");
    nft("add chain inet wall way { type filter hook forward priority 0; }");
    nft("add rule inet wall way ip saddr 10.79.1.10 drop");
    assert!(says(0, PathState::Lost) && says(1, PathState::Lost));
    let why = [0, 1].map(|side| bfd(side).unwrap().why.unwrap());
    assert_eq!(why, ["one way only: they do not hear us", "nothing comes from the peer"]);
    nft("delete table inet wall");
    assert!(says(0, PathState::Works) && says(1, PathState::Works), "{:?}", bfd(0));
    assert!(pair.comes_to_work());
}
