//! A peer with two uplinks, at each of which it has an address.
//!
//! ```text
//!                              .2.1 ─── wan0 10.79.2.10
//!   left-host ── left ══ middle                    right ── right-host
//!                             .22.1 ─── wan1 10.79.22.10
//! ```

use std::time::{Duration, Instant};

use vpngw::control::{Code, PeerState, PlaceView};

use crate::support::pair::{Pair, Side, ip};
use crate::support::vpngwd::{Auth, Gateway, bgp, config, write_keys};
use crate::support::{eventually, run};

const FIRST: &str = "10.79.2.10";
const SECOND: &str = "10.79.22.10";

/// `nft` where both uplinks pass.
fn nft(pair: &Pair, words: &str) {
    run("ip", &["netns", "exec", &pair.namespace("middle"), "nft", words]);
}

/// A second uplink of right, which what comes from its address leaves by.
fn add_uplink(pair: &Pair) {
    let right = pair.namespace("right");
    ip(pair, "middle", &format!("link add right2 type veth peer name wan1 netns {right}"));
    for (node, words) in [
        ("middle", "addr add 10.79.22.1/24 dev right2"),
        ("middle", "link set right2 up"),
        ("right", "addr add 10.79.22.10/24 dev wan1"),
        ("right", "link set wan1 up"),
        ("right", "route add default via 10.79.22.1 table 122"),
        ("right", "rule add from 10.79.22.10 lookup 122 priority 20000"),
    ] {
        ip(pair, node, words);
    }
}

/// Left knows both addresses of right, which waits for it.
fn start(keys: &str) -> (Pair, [Gateway; 2]) {
    let pair = Pair::new();
    write_keys(&pair);
    add_uplink(&pair);
    let text = |side| config(&pair, side, Auth::Psk, &bgp(side), keys);
    let both = format!("[\"{FIRST}\", \"{SECOND}\"]");
    let right = text(Side::Right).replace("psk_file", "initiate = false\npsk_file");
    let right = right.replace(&format!("[\"{FIRST}\"]"), &both);
    let left = text(Side::Left).replace(&format!("\"{FIRST}\""), &both);
    let right = Gateway::start(&pair, Side::Right, &right);
    let left = Gateway::start(&pair, Side::Left, &left);
    (pair, [left, right])
}

fn is_at(gateway: &Gateway, address: &str) -> bool {
    gateway.peer().ike_sa.is_some_and(|sa| sa.remote.ip().to_string() == address)
}

/// Three of ten messages of IKE are lost towards the first address, and no packet of a host: those
/// show that nothing else is lost by the move. A busy machine may keep BFD from sending, which is no
/// reason to move here.
fn leaves_a_lossy_uplink(mobike: bool) {
    let (pair, [left, _right]) = start(&format!("mobike = {mobike}\nbfd = false"));
    assert!(pair.comes_to_work(), "{}", left.log());
    assert!(is_at(&left, FIRST));
    nft(&pair, "add table inet loss");
    nft(&pair, "add chain inet loss way { type filter hook forward priority 0; }");
    let some = "udp dport 4500 @th,64,32 0 numgen random mod 10 < 3 drop";
    nft(&pair, &format!("add rule inet loss way ip daddr {FIRST} {some}"));
    let since = Instant::now();
    let reports = pair.probing(Duration::from_millis(20), || {
        // It takes some 30 s until enough questions are lost, by chance more.
        let leaves = || eventually(|| is_at(&left, SECOND));
        assert!(leaves() || leaves(), "{}", left.log());
        std::thread::sleep(Duration::from_secs(2));
    });
    println!("    at the better address {:?} after the other got lossy", since.elapsed());
    for report in reports {
        assert_eq!(report.lost(), 0, "{}", left.log());
    }
    let peer = left.peer();
    assert!(peer.events.iter().any(|event| event.code == Code::PlaceLeft), "{}", left.log());
    let [first, second] = &peer.places[..] else { panic!("{:?}", peer.places) };
    assert!(first.lost > second.lost && second.in_use && !first.in_use, "{:?}", peer.places);
    let handshakes = left.log().matches("connected with").count();
    assert_eq!(handshakes, if mobike { 1 } else { 2 }, "{}", left.log());
}

#[test]
fn a_lossy_uplink_is_left_and_nothing_is_lost_by_that() {
    leaves_a_lossy_uplink(true);
}

#[test]
fn a_lossy_uplink_is_left_by_a_new_ike_sa_beside_the_old_one() {
    leaves_a_lossy_uplink(false);
}

#[test]
fn a_dead_uplink_is_left_for_the_other_at_once() {
    let (pair, [left, _right]) = start("mobike = true");
    assert!(pair.comes_to_work(), "{}", left.log());
    // Each has been asked, and has answered.
    let has_answered = |place: &PlaceView| place.asked > place.lost;
    let is_known =
        || matches!(&left.peer().places[..], [a, b] if has_answered(a) && has_answered(b));
    assert!(eventually(is_known), "{:?}", left.peer().places);
    let reports = pair.probing(Duration::from_millis(10), || {
        ip(&pair, "middle", "link set right down");
        assert!(eventually(|| is_at(&left, SECOND)), "{}", left.log());
        std::thread::sleep(Duration::from_secs(2));
    });
    for report in &reports {
        println!("    {} of {} pings lost, 10 ms apart", report.lost(), report.sent());
        assert!(report.lost() < 100, "{report:?}\n{}", left.log());
    }
    assert_eq!(left.log().matches("connected with").count(), 1, "{}", left.log());
    assert!(eventually(|| left.peer().summary.state == PeerState::Up));
}

#[test]
fn the_tunnel_comes_up_at_the_address_that_answers() {
    let pair = Pair::new();
    write_keys(&pair);
    let right = config(&pair, Side::Right, Auth::Psk, &bgp(Side::Right), "");
    let left = config(&pair, Side::Left, Auth::Psk, &bgp(Side::Left), "");
    let left = left.replace(&format!("\"{FIRST}\""), &format!("[\"10.79.2.99\", \"{FIRST}\"]"));
    let left = Gateway::start(&pair, Side::Left, &left);
    let right = right.replace("psk_file", "initiate = false\npsk_file");
    let _right = Gateway::start(&pair, Side::Right, &right);
    assert!(pair.comes_to_work(), "{}", left.log());
    assert!(is_at(&left, FIRST));
}
