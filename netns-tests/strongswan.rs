//! strongSwan at the other end, as Debian ships it.
//!
//! ```text
//!   left-host ── left ══ ESP in UDP ══ middle ══ ESP in UDP ══ right ── right-host
//!                vpngwd                                        charon
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use vpngw::control::{ChildSaState, Request, SaKind, WhyView};
use vpngw::lab::traffic::transfer;

use crate::rekeying::keys;
use crate::support::charon::{self, Charon, Connection, Policies};
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, config, static_routes, write_keys};
use crate::support::{eventually, wire};

/// We are left.
struct Sites {
    pair: Pair,
    ours: Gateway,
    theirs: Charon,
}

/// Who speaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Initiator {
    Us,
    Them,
}

const CHILD: &str = "esp_suites = [\"aes256gcm16-curve25519\"]";

fn connect(auth: Auth, initiator: Initiator, connection: &Connection, more: &str) -> Sites {
    let pair = Pair::new();
    write_keys(&pair);
    let more = format!("{more}\ninitiate = {}", initiator == Initiator::Us);
    let text = config(&pair, Side::Left, auth, &static_routes(Side::Left), &more);
    let (theirs, ours) = match initiator {
        Initiator::Us => {
            let theirs = Charon::start(&pair, Side::Right, connection);
            (theirs, Gateway::start(&pair, Side::Left, &text))
        }
        Initiator::Them => {
            let ours = Gateway::start(&pair, Side::Left, &text);
            let theirs = Charon::start(&pair, Side::Right, connection);
            let said = theirs.initiate();
            assert!(said.status.success(), "{}\n{}", charon::text(&said), ours.log());
            (theirs, ours)
        }
    };
    assert!(theirs.comes_up(), "{}\n{}", theirs.sas(), ours.log());
    assert!(ours.comes_up(), "{}", ours.log());
    assert!(pair.comes_to_work(), "{}\n{:#?}", theirs.sas(), ours.peer());
    Sites { pair, ours, theirs }
}

fn everything(auth: Auth, initiator: Initiator) {
    let connection = Connection { auth, ..Connection::default() };
    let sites = connect(auth, initiator, &connection, CHILD);
    let capture = sites.pair.watch_underlay();
    let namespace = |side: Side| sites.pair.namespace(&side.host());
    for side in Side::BOTH {
        for address in side.other().host_addresses() {
            let done = transfer(&namespace(side), &namespace(side.other()), address, 8 << 20);
            assert!(done.unwrap().is_intact);
        }
    }
    for (name, kind, by) in [
        ("child, by us", SaKind::Child, Initiator::Us),
        ("child, by them", SaKind::Child, Initiator::Them),
        ("IKE SA, by us", SaKind::Ike, Initiator::Us),
        ("IKE SA, by them", SaKind::Ike, Initiator::Them),
        ("child after that, by us", SaKind::Child, Initiator::Us),
        ("child after that, by them", SaKind::Child, Initiator::Them),
    ] {
        replace_keys(&sites, name, kind, by);
    }
    wire::assert_sealed(&capture.finish().unwrap());

    sites.theirs.stop();
    let gone = || sites.ours.peer().child_sas.is_empty();
    assert!(eventually(gone), "their delete was not understood: {:#?}", sites.ours.peer());
}

fn replace_keys(sites: &Sites, name: &str, kind: SaKind, by: Initiator) {
    assert_eq!(lost_while_keys_are_replaced(sites, name, kind, by), 0, "{name}");
}

/// How many of the packets that both ends send every 10 ms are lost meanwhile.
fn lost_while_keys_are_replaced(sites: &Sites, name: &str, kind: SaKind, by: Initiator) -> usize {
    let before = keys(&sites.ours, kind);
    let reports = sites.pair.probing(Duration::from_millis(10), || {
        std::thread::sleep(Duration::from_millis(200));
        match (by, kind) {
            (Initiator::Us, _) => sites.ours.rekey(kind),
            (Initiator::Them, SaKind::Ike) => sites.theirs.rekey("ike"),
            (Initiator::Them, SaKind::Child) => sites.theirs.rekey("child"),
        }
        let replaced = || keys(&sites.ours, kind) != before;
        assert!(eventually(replaced), "{name}: nothing was replaced\n{}", sites.ours.log());
        std::thread::sleep(Duration::from_secs(1));
    });
    let (sent, lost) = reports
        .iter()
        .fold((0, 0), |(sent, lost), report| (sent + report.sent(), lost + report.lost()));
    println!("    {name}: {sent} packets, {lost} lost");
    lost
}

/// Five seconds of the packets of one direction.
const LOST_IN_SLOW_EXCHANGE: usize = 500;

/// The same where the group may be a MODP one: packets may be lost while an unoptimised build
/// computes with it.
fn replace_keys_slowly(sites: &Sites, name: &str, kind: SaKind, by: Initiator) {
    let lost = lost_while_keys_are_replaced(sites, name, kind, by);
    assert!(lost < LOST_IN_SLOW_EXCHANGE, "{name}: {lost} lost");
}

#[test]
fn we_initiate_with_a_shared_secret() {
    everything(Auth::Psk, Initiator::Us);
}

#[test]
fn they_initiate_with_a_shared_secret() {
    everything(Auth::Psk, Initiator::Them);
}

#[test]
fn we_initiate_with_ed25519_keys() {
    everything(Auth::Ed25519, Initiator::Us);
}

#[test]
fn they_initiate_with_ed25519_keys() {
    everything(Auth::Ed25519, Initiator::Them);
}

/// Every algorithm that both know, in suites for IKE and ESP, and the ESP suite of the first Child
/// SA, which has no key exchange of its own (RFC 7296 §1.2).
#[test]
fn every_common_suite_works() {
    for (ike, esp, first_child) in [
        ("aes128gcm16-prfsha256-ecp256", "aes128gcm16", "aes128gcm16"),
        ("chacha20poly1305-prfsha512-ecp384", "chacha20poly1305", "chacha20poly1305"),
        ("aes256gcm16-prfsha512-curve25519", "aes256gcm16-ecp384", "aes256gcm16"),
        ("aes256gcm16-prfsha512-ecp521", "aes256gcm16-ecp521", "aes256gcm16"),
    ] {
        let connection = Connection { ike, esp, ..Connection::default() };
        let more = format!("ike_suites = [\"{ike}\"]\nesp_suites = [\"{esp}\"]");
        for initiator in [Initiator::Us, Initiator::Them] {
            let sites = connect(Auth::Psk, initiator, &connection, &more);
            assert_suites(&sites, ike, first_child);
        }
    }
}

/// AES-CBC with HMAC, the MODP groups and ECP-521, which both ends replace in both roles, with traffic.
#[test]
fn cbc_and_modp_carry_traffic_through_every_rekeying() {
    for (ike, esp) in [
        ("aes256-sha256-modp2048", "aes256-sha256-modp2048"),
        ("aes128-sha384-modp3072", "aes128-sha384-modp3072"),
        ("aes256-sha512-prfsha256-modp4096", "aes256-sha512-modp4096"),
        ("aes256gcm16-prfsha384-modp2048", "aes128-sha256-ecp384"),
        ("aes256-sha512-ecp521", "aes256-sha512-ecp521"),
    ] {
        for initiator in [Initiator::Us, Initiator::Them] {
            let connection = Connection { ike, esp, ..Connection::default() };
            let sites = connect(Auth::Psk, initiator, &connection, &suites(ike, esp));
            carries_traffic_through_rekeying(&sites, esp);
        }
    }
}

/// What only old peers have, with the word of the configuration that it takes.
#[test]
fn weak_suites_work_where_they_are_allowed() {
    for (ike, esp) in
        [("aes256-sha1-modp1024", "aes256-sha1"), ("aes128-sha1-modp1536", "aes128-sha1-modp1536")]
    {
        for initiator in [Initiator::Us, Initiator::Them] {
            let connection = Connection { ike, esp, ..Connection::default() };
            let more = format!("{}\nallow_weak = true", suites(ike, esp));
            let sites = connect(Auth::Psk, initiator, &connection, &more);
            carries_traffic_through_rekeying(&sites, esp);
            assert!(!sites.ours.peer().summary.weak_suites.is_empty());
        }
    }
}

fn suites(ike: &str, esp: &str) -> String {
    format!("ike_suites = [\"{ike}\"]\nesp_suites = [\"{esp}\"]")
}

/// Bytes arrive as they were sent, both SAs are replaced by either end, and the Child SA then has the key exchange of its suite.
fn carries_traffic_through_rekeying(sites: &Sites, esp: &str) {
    let namespace = |side: Side| sites.pair.namespace(&side.host());
    let address = Side::Right.host_addresses()[0];
    let done = transfer(&namespace(Side::Left), &namespace(Side::Right), address, 1 << 20);
    assert!(done.unwrap().is_intact);
    for (kind, by) in [
        (SaKind::Child, Initiator::Us),
        (SaKind::Child, Initiator::Them),
        (SaKind::Ike, Initiator::Us),
        (SaKind::Ike, Initiator::Them),
    ] {
        replace_keys_slowly(sites, &format!("{esp}, {kind:?} by {by:?}"), kind, by);
    }
    sites.ours.rekey(SaKind::Child);
    let with_pfs = || sites.ours.peer().summary.esp_suite.as_deref() == Some(esp);
    assert!(eventually(with_pfs), "{:#?}", sites.ours.peer());
}

/// A strongSwan that is configured as each cloud's documents say, and our preset for it: the first
/// suite of the preset, and the one that it falls back on.
#[test]
fn presets_come_up_with_what_their_clouds_offer() {
    for (preset, ike, esp, child) in CLOUDS {
        let connection = Connection { ike, esp, ..Connection::default() };
        let everything = "[\"0.0.0.0/0\", \"::/0\"]"; // our pair speaks IPv6, too
        let more =
            format!("preset = {preset:?}\nlocal_ts = {everything}\nremote_ts = {everything}");
        let sites = connect(Auth::Psk, Initiator::Us, &connection, &more);
        let used = sites.ours.peer().summary;
        assert_eq!(used.esp_suite.as_deref(), Some(child), "{preset}");
        replace_keys_slowly(
            &sites,
            &format!("{preset}, child by us"),
            SaKind::Child,
            Initiator::Us,
        );
        replace_keys_slowly(&sites, &format!("{preset}, IKE SA by us"), SaKind::Ike, Initiator::Us);
    }
}

/// Preset, what the cloud's end is configured with, and the suite of the first Child SA.
const CLOUDS: [(&str, &str, &str, &str); 12] = [
    ("aliyun", "aes256-sha256-modp2048", "aes256-sha256-modp2048", "aes256-sha256"),
    ("aliyun", "aes128-sha256-modp2048", "aes128-sha256-modp2048", "aes128-sha256"),
    ("huawei", "aes256gcm16-prfsha256-ecp384", "aes256gcm16-ecp384", "aes256gcm16"),
    ("huawei", "aes128-sha256-modp3072", "aes128-sha256-modp3072", "aes128-sha256"),
    ("tencent", "aes256-sha256-modp2048", "aes256gcm16-modp2048", "aes256gcm16"),
    ("aws", "aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384", "aes256gcm16"),
    ("aws", "aes256-sha256-modp2048", "aes256-sha256-modp2048", "aes256-sha256"),
    ("azure", "aes256-sha384-prfsha384-ecp384", "aes256gcm16-ecp384", "aes256gcm16"),
    ("azure", "aes256-sha384-prfsha384-ecp384", "aes256gcm16", "aes256gcm16"),
    ("gcp", "aes256gcm16-prfsha512-modp4096", "aes256gcm16-modp4096", "aes256gcm16"),
    ("cloudflare", "aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384", "aes256gcm16"),
    ("cloudflare", "aes256gcm16-prfsha384-ecp384", "aes256-sha256-ecp384", "aes256-sha256"),
];

/// Our defaults and theirs find something in common without a word in the configuration. The order
/// of who answers decides: theirs begins with AES-CBC, ours with AEADs.
#[test]
fn defaults_agree() {
    let connection = Connection { ike: "default", esp: "default", ..Connection::default() };
    for (initiator, ike, esp) in [
        (Initiator::Us, "aes128-sha256-curve25519", "aes128-sha256"),
        (Initiator::Them, "aes256gcm16-prfsha384-curve25519", "aes256gcm16"),
    ] {
        let sites = connect(Auth::Psk, initiator, &connection, "");
        assert_suites(&sites, ike, esp);
    }
}

fn assert_suites(sites: &Sites, ike: &str, esp: &str) {
    let used = sites.ours.peer().summary;
    assert_eq!((used.ike_suite.as_deref(), used.esp_suite.as_deref()), (Some(ike), Some(esp)));
}

/// We guess their group wrong at first, and they ours (RFC 7296 §1.2, INVALID_KE_PAYLOAD).
#[test]
fn a_wrong_guess_of_the_group_is_put_right() {
    let both = "ike_suites = [\"aes256gcm16-prfsha384-ecp256\", \"aes256gcm16-prfsha384-curve25519\"]\nesp_suites = [\"aes256gcm16\"]";
    let theirs = Connection { esp: "aes256gcm16", ..Connection::default() };
    drop(connect(Auth::Psk, Initiator::Us, &theirs, both));

    let theirs = Connection {
        ike: "aes256gcm16-prfsha384-ecp256-curve25519",
        esp: "aes256gcm16",
        ..Connection::default()
    };
    let ours =
        "ike_suites = [\"aes256gcm16-prfsha384-curve25519\"]\nesp_suites = [\"aes256gcm16\"]";
    drop(connect(Auth::Psk, Initiator::Them, &theirs, ours));
}

/// They ask for a narrower pair of selectors; ours contain them (RFC 7296 §2.9).
#[test]
fn selectors_are_narrowed() {
    let pair = Pair::new();
    write_keys(&pair);
    let routing = "static_routes = [\"10.2.0.0/16\", \"fd00:2::/48\"]\nlocal_ts = [\"0.0.0.0/0\", \"::/0\"]\nremote_ts = [\"0.0.0.0/0\", \"::/0\"]";
    let text = config(&pair, Side::Left, Auth::Psk, routing, &format!("{CHILD}\ninitiate = false"));
    let ours = Gateway::start(&pair, Side::Left, &text);
    let theirs = Charon::start(&pair, Side::Right, &Connection::default());
    assert!(theirs.initiate().status.success(), "{}", ours.log());
    assert!(pair.comes_to_work());
    let child = ours.peer().child_sas.into_iter().next().unwrap();
    assert!(child.local_ts.iter().any(|ts| ts.contains("10.1.0.0")), "{child:?}");
}

/// They have several policies, and so a Child SA for each, through all rekeyings.
fn policies(initiator: Initiator, policies: Policies) {
    let connection = Connection { policies, ..Connection::default() };
    let more = format!("{CHILD}\ninitiate = {}", initiator == Initiator::Us);
    let pair = Pair::new();
    write_keys(&pair);
    let text = config(&pair, Side::Left, Auth::Psk, &static_routes(Side::Left), &more);
    let theirs = Charon::start(&pair, Side::Right, &connection);
    let ours = Gateway::start(&pair, Side::Left, &text);
    if initiator == Initiator::Them {
        for child in policies.children() {
            let said = theirs.initiate_child(child);
            assert!(said.status.success(), "{}\n{}", charon::text(&said), ours.log());
        }
    }
    assert!(pair.comes_to_work(), "{}\n{:#?}", theirs.sas(), ours.peer());
    let sites = Sites { pair, ours, theirs };
    let selectors = |sites: &Sites| {
        let used = sites.ours.peer().child_sas.into_iter();
        let active = used.filter(|sa| sa.state == ChildSaState::Active);
        active.map(|sa| (sa.local_ts, sa.remote_ts)).collect::<BTreeSet<_>>()
    };
    // Of a policy for both families we may ask for each by itself.
    let least = policies.children().len();
    assert!(eventually(|| selectors(&sites).len() >= least), "{:?}", selectors(&sites));
    let before = selectors(&sites);
    replace_keys(&sites, "all children, by us", SaKind::Child, Initiator::Us);
    replace_keys(&sites, "one child, by them", SaKind::Child, Initiator::Them);
    sites.theirs.rekey(policies.children()[1]);
    replace_keys(&sites, "IKE SA, by us", SaKind::Ike, Initiator::Us);
    replace_keys(&sites, "all children after that, by us", SaKind::Child, Initiator::Us);
    match policies {
        // Its rekeyings are for the whole policy, of both families.
        Policies::Protocols => {
            assert!(selectors(&sites).len() >= least);
            let to = Side::Right.host_addresses()[0];
            let request = Request::Why { to, from: None, ports: None };
            let why: WhyView = sites.ours.ask(&request);
            let says = |words: &str| why.ways[0].steps.iter().any(|step| step.says.contains(words));
            assert!(says("carried is only") && says("protocol 1"), "{why:#?}");
        }
        _ => assert_eq!(selectors(&sites), before),
    }
}

#[test]
fn we_make_a_child_sa_for_each_of_their_policies() {
    policies(Initiator::Us, Policies::Families);
}

#[test]
fn we_make_a_child_sa_for_each_of_their_protocols() {
    policies(Initiator::Us, Policies::Protocols);
}

#[test]
fn they_make_a_child_sa_for_each_of_their_policies() {
    policies(Initiator::Them, Policies::Families);
}

/// RFC 8784: both must have the key, and all keys rest on it.
fn with_ppk(auth: Auth, initiator: Initiator) {
    let connection = Connection {
        auth,
        more: "ppk_id = red\n ppk_required = yes",
        secrets: "ppk { secret = 0x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n id-red = red }",
        ..Connection::default()
    };
    let more = "ppk_file = \"red.ppk\"\nppk_id = \"red\"\nppk_required = true\n";
    let sites = connect(auth, initiator, &connection, &format!("{more}{CHILD}"));
    assert!(sites.ours.peer().ike_sa.unwrap().ppk);
    assert!(sites.theirs.sas().contains("/PPK"), "{}", sites.theirs.sas());
    replace_keys(&sites, "child, by us", SaKind::Child, Initiator::Us);
    replace_keys(&sites, "IKE SA, by them", SaKind::Ike, Initiator::Them);
    replace_keys(&sites, "child after that, by us", SaKind::Child, Initiator::Us);
    assert!(sites.ours.peer().ike_sa.unwrap().ppk);
}

#[test]
fn we_initiate_with_a_post_quantum_pre_shared_key() {
    with_ppk(Auth::Psk, Initiator::Us);
    with_ppk(Auth::Ed25519, Initiator::Us);
}

#[test]
fn they_initiate_with_a_post_quantum_pre_shared_key() {
    with_ppk(Auth::Psk, Initiator::Them);
    with_ppk(Auth::Ed25519, Initiator::Them);
}

/// They have no such key: without `ppk_required` there is a tunnel all the same, whoever begins.
#[test]
fn a_strongswan_without_a_ppk_gets_a_tunnel_without_one() {
    for initiator in [Initiator::Us, Initiator::Them] {
        let more = "ppk_file = \"red.ppk\"\nppk_id = \"red\"\n";
        let connection = Connection::default();
        let sites = connect(Auth::Psk, initiator, &connection, &format!("{more}{CHILD}"));
        assert!(!sites.ours.peer().ike_sa.unwrap().ppk);
    }
}

fn ip(sites: &Sites, side: Side, words: &str) {
    let namespace = sites.pair.namespace(side.name());
    let words = ["-n", &namespace].into_iter().chain(words.split(' '));
    let done = std::process::Command::new("ip").args(words).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

/// The side that initiated takes the IKE SA and its Child SAs along to another address (RFC 4555).
fn moves_along(initiator: Initiator) {
    let connection = Connection { roams: true, ..Connection::default() };
    let pair = Pair::new();
    write_keys(&pair);
    let more = format!("{CHILD}\nmobike = true\ninitiate = {}", initiator == Initiator::Us);
    let text = config(&pair, Side::Left, Auth::Psk, &static_routes(Side::Left), &more);
    let text = match initiator {
        Initiator::Us => text.replace("listen = [\"10.79.1.10\"]", ""),
        Initiator::Them => text
            .replace("remote_address = \"10.79.2.10\"", "remote_address = \"any\"")
            .replace("initiate = false", ""),
    };
    let theirs = Charon::start(&pair, Side::Right, &connection);
    let ours = Gateway::start(&pair, Side::Left, &text);
    if initiator == Initiator::Them {
        let said = theirs.initiate();
        assert!(said.status.success(), "{}\n{}", charon::text(&said), ours.log());
    }
    assert!(ours.comes_up(), "{}", ours.log());
    assert!(pair.comes_to_work());
    let sites = Sites { pair, ours, theirs };
    let before = sites.ours.peer().ike_sa.unwrap();
    let (side, old, new, gateway) = match initiator {
        Initiator::Us => (Side::Left, "10.79.1.10", "10.79.1.77", "10.79.1.1"),
        Initiator::Them => (Side::Right, "10.79.2.10", "10.79.2.77", "10.79.2.1"),
    };
    ip(&sites, side, &format!("addr add {new}/24 dev wan0"));
    ip(&sites, side, &format!("addr del {old}/24 dev wan0"));
    ip(&sites, side, &format!("addr replace {new}/24 dev wan0"));
    ip(&sites, side, &format!("route replace default via {gateway}"));
    let at = |sites: &Sites| sites.ours.peer().ike_sa.map(|sa| [sa.local.ip(), sa.remote.ip()]);
    let new: std::net::IpAddr = new.parse().unwrap();
    let moved = eventually(|| at(&sites).is_some_and(|at| at.contains(&new)));
    assert!(moved, "{}\n{}", sites.theirs.sas(), sites.ours.log());
    assert!(sites.pair.comes_to_work(), "{}\n{}", sites.theirs.sas(), sites.ours.log());
    let after = sites.ours.peer().ike_sa.unwrap();
    assert_eq!(before.initiator_spi, after.initiator_spi, "the same IKE SA: {}", sites.ours.log());
    for by in [Initiator::Us, Initiator::Them] {
        replace_keys(&sites, "IKE SA after the move", SaKind::Ike, by);
        replace_keys(&sites, "child after the move", SaKind::Child, by);
    }
}

#[test]
fn we_initiate_and_take_the_tunnel_along_to_another_address() {
    moves_along(Initiator::Us);
}

#[test]
fn they_initiate_and_take_the_tunnel_along_to_another_address() {
    moves_along(Initiator::Them);
}

/// charon dies without a word; it is found dead, and taken back when it returns.
#[test]
fn a_strongswan_that_was_killed_comes_back() {
    let connection = Connection::default();
    let sites = connect(Auth::Psk, Initiator::Us, &connection, CHILD);
    sites.theirs.kill();
    let silent = || sites.ours.peer().summary.state != vpngw::control::PeerState::Up;
    assert!(eventually(silent), "{:#?}", sites.ours.peer());
    let again = Charon::start(&sites.pair, Side::Right, &connection);
    assert!(again.comes_up(), "{}", sites.ours.log());
    assert!(sites.pair.comes_to_work());
}
