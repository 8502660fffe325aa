//! Sixteen and more ways for two files to contradict each other, each found and explained.

use super::*;
use crate::config::{KeysInMemory, VxlanConfig, parse};
use crate::crypto::pem;
use crate::crypto::sign::SigningKey;
use crate::pki;
use crate::pki::samples::{Authority, DAY, Leaf};
use crate::time::WallTime;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn keys() -> KeysInMemory {
    let public = |seed| key(seed).verifying_key().to_base64();
    KeysInMemory::new()
        .with("left.key", &key(1).to_pkcs8_pem())
        .with("right.key", &key(2).to_pkcs8_pem())
        .with("other.key", &key(3).to_pkcs8_pem())
        .with_mode("left.pub", 0o644, &public(1))
        .with_mode("right.pub", 0o644, &public(2))
        .with_mode("other.pub", 0o644, &public(3))
        .with("red.ppk", "a key of thirty-two octets or more")
        .with("other.ppk", "another of thirty-two octets or more")
        .with("psk", "correct horse battery staple")
        .with("other.psk", "a different and longer passphrase")
}

/// The file of left (1) or right (2).
fn text(own: u8) -> String {
    let (name, peer, other) = if own == 1 { ("left", "right", 2) } else { ("right", "left", 1) };
    format!(
        r#"
[gateway]
name = "{name}"
asn = 6451{own}
listen = ["10.79.{own}.10"]
private_key = "{name}.key"

[[vpc]]
name = "office"
prefixes = ["10.{own}.0.0/16", "fd00:{own}::/48"]
interface = "lan0"

[[peer]]
name = "{peer}"
remote_address = "10.79.{other}.10"
public_key_file = "{peer}.pub"
remote_asn = 6451{other}
accept = ["10.{other}.0.0/16", "fd00:{other}::/48"]
"#
    )
}

fn config(text: &str) -> Config {
    parse(text, "file.toml", &keys()).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn found(left: &str, right: &str) -> Vec<Contradiction> {
    let (left, right) = (config(left), config(right));
    let one = compare(&left, &right);
    let sorted = |mut found: Vec<Contradiction>| {
        found.sort_by(|a, b| (&a.message, &a.help).cmp(&(&b.message, &b.help)));
        found.len()
    };
    assert_eq!(sorted(one.clone()), sorted(compare(&right, &left)), "the order does not matter");
    one
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replace(from, to)
}

#[test]
fn files_that_fit_agree() {
    assert_eq!(found(&text(1), &text(2)), []);
    let psk = |own| {
        text(own)
            .replace("public_key_file", "psk_file")
            .replace("left.pub", "psk")
            .replace("right.pub", "psk")
    };
    assert_eq!(found(&psk(1), &psk(2)), []);
    let routes = |own: u8| {
        let other = 3 - own;
        let text =
            replaced(&text(own), &format!("remote_asn = 6451{other}\naccept"), "static_routes");
        replaced(&text, &format!("asn = 6451{own}\n"), "")
    };
    assert_eq!(found(&routes(1), &routes(2)), []);
}

#[test]
fn roles_of_bgp_mirror_each_other_or_are_told_once() {
    let with = |own, role: &str| format!("{}bgp_role = \"{role}\"\n", text(own));
    assert_eq!(found(&with(1, "provider"), &with(2, "customer")), []);
    assert_eq!(found(&with(1, "peer"), &text(2)), [], "one that says nothing is believed");
    let [only] = &found(&with(1, "provider"), &with(2, "peer"))[..] else { panic!("one") };
    assert_eq!(only.message, "left is provider to right, which is peer to left");
    assert!(only.help.contains("provider at left needs customer at right"), "{}", only.help);
    let strict = format!("{}strict_role = true\n", with(1, "provider"));
    let [only] = &found(&strict, &text(2))[..] else { panic!("one") };
    assert_eq!(only.message, "left takes right only with its role, and right says none");
}

#[test]
fn what_a_router_of_the_vpc_may_bring_is_accepted_by_the_other_side() {
    let router = |accept: &str| {
        let section = format!(
            "[[vpc.router]]\nname = \"tor\"\naddress = \"10.1.0.1\"\n\
             local_address = \"10.1.0.10\"\nremote_asn = 65010\naccept = [\"{accept}\"]\n[[peer]]"
        );
        replaced(&text(1), "[[peer]]", &section)
    };
    assert_eq!(found(&router("10.1.8.0/24"), &text(2)), []);
    let [only] = &found(&router("10.9.0.0/16"), &text(2))[..] else { panic!("one") };
    assert_eq!(
        only.message,
        "right does not accept 10.9.0.0/16, which router \"tor\" may bring at left"
    );
}

#[test]
fn strangers_have_nothing_to_contradict() {
    let third = text(2)
        .replace("right", "third")
        .replace("left", "nobody")
        .replace("10.79.1.10", "10.79.9.10");
    let third = third.replace("third.key", "other.key").replace("nobody.pub", "left.pub");
    let (left, third) = (config(&text(1)), config(&replaced(&third, "10.79.2.10", "10.79.8.10")));
    assert!(!know_each_other(&left, &third));
    assert_eq!(compare(&left, &third), []);
}

#[test]
fn ml_kem_that_one_requires_and_the_other_refuses_is_a_contradiction() {
    let with = |own, wanted: &str| format!("{}post_quantum = \"{wanted}\"\n", text(own));
    let said = found(&with(1, "require"), &with(2, "off"));
    let [said] = said.as_slice() else { panic!("{said:?}") };
    assert!(said.message.contains("left requires ML-KEM"), "{said:?}");
    assert!(said.help.contains("at right"), "{said:?}");
    for (left, right) in [("require", "prefer"), ("prefer", "off"), ("off", "off")] {
        assert_eq!(found(&with(1, left), &with(2, right)), []);
    }
}

#[test]
fn tcp_that_one_may_use_and_the_other_does_not_take_is_a_contradiction() {
    let with = |own, lines: &str| format!("{}{lines}\n", text(own));
    let auto = |own| with(own, "encapsulation = \"auto\"");
    assert_eq!(found(&auto(1), &auto(2)), []);
    let said = found(&auto(1), &text(2));
    let [said] = said.as_slice() else { panic!("{said:?}") };
    assert!(said.help.contains("encapsulation = \"auto\" at right"), "{said:?}");
    let elsewhere = with(1, "encapsulation = \"auto\"\ntcp_port = 443");
    let said = found(&elsewhere, &auto(2));
    let [said] = said.as_slice() else { panic!("{said:?}") };
    assert!(said.message.contains("TCP port 443 of right, which listens on 4500"), "{said:?}");
}

#[test]
fn a_ppk_that_one_requires_and_the_other_has_not_is_a_contradiction() {
    let with = |own, file: &str, id: &str, required: bool| {
        let text = text(own);
        format!("{text}ppk_file = \"{file}\"\nppk_id = \"{id}\"\nppk_required = {required}\n")
    };
    let (red, other) = ("red.ppk", "other.ppk");
    for (left, right, expected) in [
        (with(1, red, "red", true), with(2, red, "red", false), None),
        (with(1, red, "red", false), text(2), None),
        (with(1, red, "red", false), with(2, red, "blue", false), None),
        (with(1, red, "red", true), text(2), Some("left requires")),
        (text(1), with(2, red, "red", true), Some("right requires")),
        (with(1, red, "red", true), with(2, red, "blue", false), Some("one is required")),
        (with(1, red, "red", false), with(2, other, "red", false), Some("differ")),
    ] {
        let said = found(&left, &right);
        let messages: Vec<&str> = said.iter().map(|said| said.message.as_str()).collect();
        match expected {
            None => assert_eq!(messages, [] as [&str; 0]),
            Some(words) => assert!(messages.len() == 1 && messages[0].contains(words), "{said:?}"),
        }
    }
}

/// What is changed at left, and a word of what is said.
#[test]
fn every_contradiction_is_found_and_says_what_to_write() {
    let more = |key: &'static str| move |text: String| format!("{text}{key}\n");
    let swap = |from: &'static str, to: &'static str| move |text: String| replaced(&text, from, to);
    type Change = Box<dyn Fn(String) -> String>;
    let cases: Vec<(Change, &str, &str)> = vec![
        (
            Box::new(swap("remote_asn = 64512", "remote_asn = 64999")),
            "expects AS64999",
            "remote_asn = 64512 at left",
        ),
        (
            Box::new(swap("\nasn = 64511", "\nasn = 64777")),
            "which is AS64777",
            "remote_asn = 64777 at right",
        ),
        (
            Box::new(more("remote_identity = \"somebody\"")),
            "expects right to be \"somebody\"",
            "remote_identity = \"right\"",
        ),
        (
            Box::new(swap("name = \"left\"\n", "name = \"left\"\nidentity = \"gw.left\"\n")),
            "it is \"gw.left\"",
            "remote_identity",
        ),
        (
            Box::new(swap("private_key = \"left.key\"", "private_key = \"other.key\"")),
            "does not belong to the private key of left",
            "vpnctl pubkey",
        ),
        (
            Box::new(swap("public_key_file = \"right.pub\"", "public_key_file = \"other.pub\"")),
            "does not belong to the private key of right",
            "vpnctl pubkey",
        ),
        (
            Box::new(swap("public_key_file = \"right.pub\"", "psk_file = \"psk\"")),
            "proves itself by a secret",
            "psk_file",
        ),
        (
            Box::new(swap("remote_address = \"10.79.2.10\"", "remote_address = \"10.79.2.99\"")),
            "10.79.2.99, where it does not listen",
            "10.79.2.10",
        ),
        (Box::new(more("remote_port = 5999")), "port 5999", "remote_port = 500"),
        (Box::new(swap("name = \"office\"", "name = \"bureau\"")), "VPC \"bureau\"", "same name"),
        (
            Box::new(swap("accept = [\"10.2.0.0/16\", ", "accept = [")),
            "does not accept 10.2.0.0/16",
            "add \"10.2.0.0/16\" to `accept`",
        ),
        (
            Box::new(swap("prefixes = [\"10.1.0.0/16\"", "prefixes = [\"10.77.0.0/16\"")),
            "right does not accept 10.77.0.0/16",
            "accept",
        ),
        (
            Box::new(more("inside_local = \"169.254.1.1\"\ninside_remote = \"169.254.1.2\"")),
            "169.254.1.1",
            "inside_remote",
        ),
        (
            Box::new(|text: String| {
                let both = replaced(&text, "listen = [", "listen = [\"10.79.1.11\", ");
                format!("{both}local_address = \"10.79.1.11\"\n")
            }),
            "speaks with right from 10.79.1.11 alone",
            "remote_address = \"10.79.1.11\" at right",
        ),
        (
            Box::new(more("max_prefixes = 1")),
            "left takes 1 prefixes of right, which announces 2",
            "`max_prefixes` at left",
        ),
        (
            Box::new(swap("remote_asn = 64512\naccept", "static_routes")),
            "which has static routes",
            "static_routes",
        ),
    ];
    for (change, said, help) in cases {
        let found = found(&change(text(1)), &text(2));
        let fits = |one: &Contradiction| one.message.contains(said) && one.help.contains(help);
        assert!(found.iter().any(fits), "{said:?} / {help:?} in {found:#?}");
    }
    for key in ["ike_suites", "esp_suites"] {
        let (one, other) = match key {
            "ike_suites" => ("aes128gcm16-prfsha256-ecp256", "chacha20poly1305-prfsha512-ecp384"),
            _ => ("aes128gcm16-esn", "chacha20poly1305-esn"),
        };
        let with = |own, suite: &str| format!("{}{key} = [\"{suite}\"]\n", text(own));
        let found = found(&with(1, one), &with(2, other));
        assert!(matches!(&found[..], [one] if one.message.contains(key)), "{found:#?}");
    }
    let half = replaced(&text(2), "\"10.2.0.0/16\", \"fd00:2::/48\"", "\"10.2.0.0/17\"");
    let other_half = format!("{}remote_ts = [\"10.2.128.0/17\"]\n", text(1));
    let selectors = found(&other_half, &half);
    let said = "right has traffic of 10.2.0.0/17 for the tunnel, and left takes 10.2.128.0/17";
    assert!(selectors.iter().any(|one| one.message == said), "{selectors:?}");
    let silent = |own| format!("{}initiate = false\n", text(own));
    let both = found(&silent(1), &silent(2));
    assert!(matches!(&both[..], [one] if one.message.contains("begins")), "{both:?}");
    let psk = |own, file: &str| {
        let pair = ["left.pub", "right.pub"];
        pair.iter().fold(text(own).replace("public_key_file", "psk_file"), |text, key| {
            text.replace(key, file)
        })
    };
    let secrets = found(&psk(1, "psk"), &psk(2, "other.psk"));
    assert!(matches!(&secrets[..], [one] if one.message.contains("secrets")), "{secrets:?}");
    let same = |own: u8, name: &str| {
        replaced(
            &text(own),
            &format!("name = \"{name}\"\n"),
            &format!("name = \"{name}\"\nidentity = \"both\"\n"),
        )
    };
    let namesakes = found(&same(1, "left"), &same(2, "right"));
    let said = "both say that they are \"both\"";
    assert!(namesakes.iter().any(|one| one.message.contains(said)), "{namesakes:?}");
    let alone = text(2).split("[[peer]]").next().unwrap().to_owned();
    let one_sided = found(&text(1), &alone);
    assert!(
        matches!(&one_sided[..], [one] if one.message.contains("none for left")),
        "{one_sided:?}"
    );
}

#[test]
fn gateways_of_one_region_share_their_virtual_routers() {
    let region = |name: &str, priority: u8, address: &str| {
        let text = text(1)
            .replace("\"left\"", &format!("{name:?}"))
            .replace("10.79.1.10", &format!("10.79.1.{priority}"));
        replaced(
            &text,
            "[[peer]]",
            &format!(
                "[[vpc.vrrp]]\nvrid = 1\naddresses = [\"{address}\"]\npriority = {priority}\n\n[[peer]]"
            ),
        )
    };
    let good = found(&region("a", 200, "10.1.0.1"), &region("b", 100, "10.1.0.1"));
    assert_eq!(good, []);
    let bad = found(
        &region("a", 100, "10.1.0.1"),
        &region("b", 100, "10.1.0.2").replace("10.79.1.100", "10.79.1.101"),
    );
    let says = |word: &str| bad.iter().any(|one| one.message.contains(word));
    assert!(says("addresses") && says("priority"), "{bad:?}");
    let other = replaced(&region("b", 100, "10.1.0.1"), "vrid = 1\n", "vrid = 2\n");
    let twice = found(&region("a", 200, "10.1.0.1"), &other);
    let said = "has 10.1.0.1 under VRID";
    assert!(matches!(&twice[..], [one] if one.message.contains(said)), "{twice:?}");
}

/// What the two gateways of a region, both VPCs of which are in segments, do not agree on when the second
/// differs by `change`.
fn said_of_segments(change: impl Fn(&mut VxlanConfig)) -> Vec<String> {
    let mut configs = crate::testing::deployment::segments().configs;
    let mut other = configs.remove(1);
    let red = other.vpcs.values_mut().next().and_then(|vpc| vpc.vxlan.as_mut());
    change(red.expect("a segment"));
    compare(&configs[0], &other).into_iter().map(|found| found.message).collect()
}

#[test]
fn gateways_of_a_region_are_in_the_same_segments() {
    assert_eq!(said_of_segments(|_| {}), Vec::<String>::new());
    let one = |change: fn(&mut VxlanConfig)| match said_of_segments(change).as_slice() {
        [only] => only.clone(),
        several => panic!("{several:?}"),
    };
    assert_eq!(one(|red| red.vni = 7), "VPC red has VNI 100 at r1z1 and 7 at r1z2");
    assert_eq!(one(|red| red.port = 8472), "VPC red has UDP port 4789 at r1z1 and 8472 at r1z2");
    assert_eq!(one(|red| red.mtu = 1400), "VPC red has an MTU of 1450 at r1z1 and 1400 at r1z2");
    let silent = one(|red| red.vteps.retain(|vtep| *vtep != IpAddr::from([10, 9, 1, 1])));
    assert!(silent.starts_with("r1z2 does not list r1z1, which is 10.9.1.1"), "{silent}");
    let twin = one(|red| {
        red.addresses.insert("10.1.0.11/24".parse().expect("an address"));
    });
    assert_eq!(twin, "r1z1 and r1z2 both have 10.1.0.11/24 in the segment of VPC red");
    // The VNI of another VPC there: both it and the one that should be there are told.
    let mixed = said_of_segments(|red| red.vni = 200);
    assert!(
        mixed.contains(&"VNI 200 is VPC blue at r1z1 and VPC red at r1z2".to_owned()),
        "{mixed:?}"
    );
}

/// The file of left (1) or right (2), both of which have the same prefixes and are known by others.
fn mapped(own: u8) -> String {
    let other = 3 - own;
    let text = text(own)
        .replace(&format!("\"10.{own}.0.0/16\", \"fd00:{own}::/48\""), "\"10.0.0.0/16\"")
        .replace(
            &format!("\"10.{other}.0.0/16\", \"fd00:{other}::/48\""),
            &format!("\"100.{other}.0.0/16\""),
        );
    let map = format!("[[vpc.map]]\ninside = \"10.0.0.0/16\"\noutside = \"100.{own}.0.0/16\"\n");
    replaced(&text, "[[peer]]", &format!("{map}[[peer]]"))
}

#[test]
fn equal_prefixes_agree_where_each_side_is_known_by_another() {
    assert_eq!(found(&mapped(1), &mapped(2)), []);
    let routes = |own: u8| {
        let other = 3 - own;
        let text =
            replaced(&mapped(own), &format!("remote_asn = 6451{other}\naccept"), "static_routes");
        replaced(&text, &format!("asn = 6451{own}\n"), "")
    };
    assert_eq!(found(&routes(1), &routes(2)), []);
}

#[test]
fn a_side_that_is_not_known_by_the_prefix_that_the_other_expects_is_told() {
    let other = mapped(2).replace("outside = \"100.2.0.0/16\"", "outside = \"100.9.0.0/16\"");
    let said = found(&mapped(1), &other);
    let [only] = &said[..] else { panic!("{said:?}") };
    assert_eq!(only.message, "left does not accept 100.9.0.0/16 of right, only 100.2.0.0/16");
    let unmapped = mapped(2).replace("inside = \"10.0.0.0/16\"\n", "");
    let unmapped = unmapped.replace("[[vpc.map]]\noutside = \"100.2.0.0/16\"\n", "");
    let said = found(&mapped(1), &unmapped);
    let told = |words: &str| said.iter().any(|one| one.message.contains(words));
    assert!(told("10.0.0.0/16 of left and 10.0.0.0/16 of right overlap"), "{said:?}");
    assert!(said.iter().any(|one| one.help.contains("have right known by another")), "{said:?}");
}

#[test]
fn regions_that_do_not_know_each_other_are_known_by_different_prefixes() {
    let in_region = |own: u8, region: &str| {
        replaced(&mapped(own), "[gateway]\n", &format!("[gateway]\nregion = \"{region}\"\n"))
    };
    let stranger = |text: String| {
        let text = text
            .replace("right", "third")
            .replace("left", "nobody")
            .replace("10.79.1.10", "10.79.9.10");
        let text = text.replace("third.key", "other.key").replace("nobody.pub", "left.pub");
        config(&text.replace("10.79.2.10", "10.79.8.10"))
    };
    let left = config(&in_region(1, "west"));
    let compared = |text: String| {
        let (one, other) =
            (compare(&left, &stranger(text.clone())), compare(&stranger(text), &left));
        assert_eq!(one.len(), other.len(), "the order does not matter");
        one
    };
    assert_eq!(compared(in_region(2, "east")), []);
    let same = in_region(2, "east").replace("100.1.0.0", "100.8.0.0");
    let [only] = &compared(same.replace("100.2.0.0", "100.1.0.0"))[..] else { panic!("one") };
    assert!(only.message.contains("known by 100.1.0.0/16"), "{only:?}");
    let sibling = in_region(2, "west");
    let said = compared(sibling);
    assert!(said.iter().any(|one| one.message.contains("of the same region does not")), "{said:?}");
}

/// The file of left (1) or right (2) with a certificate by `by`, believing `trusted` and revoking serials.
fn certified(own: u8, by: &Authority, trusted: &Authority, revoked: &[u64]) -> Config {
    let name = if own == 1 { "left" } else { "right" };
    let names = [name];
    let leaf =
        Leaf { serial: u64::from(own), until: WallTime::SIMULATED + 30 * DAY, ..Leaf::of(&names) };
    let (issued, key) = by.issue_with_key(leaf);
    let pem = |der: &[u8], label| pem::encode(der, label).to_string();
    let list = trusted.revoke(revoked, WallTime::SIMULATED + 30 * DAY);
    let files = KeysInMemory::new()
        .with("own.key", &key)
        .with("own.crt", &pem(issued.certificate.der(), pki::CERTIFICATE))
        .with("ca.crt", &pem(trusted.certificate().der(), pki::CERTIFICATE))
        .with("ca.crl", &pem(list.der(), pki::CRL));
    let text = text(own)
        .replace(&format!("private_key = \"{name}.key\""), "private_key = \"own.key\"\ncertificate = \"own.crt\"\nca = [\"ca.crt\"]\ncrl = [\"ca.crl\"]")
        .replace("public_key_file = \"left.pub\"\n", "")
        .replace("public_key_file = \"right.pub\"\n", "");
    parse(&text, "file.toml", &files).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

#[test]
fn certificates_that_the_other_side_does_not_believe_are_found() {
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Theirs"));
    let left = certified(1, &ours, &ours, &[]);
    let said = |right: &Config| {
        let both = [compare(&left, right), compare(right, &left)];
        assert_eq!(both[0].len(), both[1].len(), "{both:?}");
        both[0].iter().map(|one| one.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(said(&certified(2, &ours, &ours, &[])), Vec::<String>::new());
    let stranger = said(&certified(2, &theirs, &ours, &[]));
    assert!(matches!(&stranger[..], [one] if one.starts_with("left believes")), "{stranger:?}");
    let sceptic = said(&certified(2, &ours, &theirs, &[]));
    assert!(matches!(&sceptic[..], [one] if one.starts_with("right believes")), "{sceptic:?}");
    let revoked = said(&certified(2, &ours, &ours, &[1]));
    assert!(matches!(&revoked[..], [one] if one.contains("revocation list")), "{revoked:?}");
}

#[test]
fn packets_that_only_one_side_would_pack_are_named() {
    let wishing = |own| replaced(&text(own), "accept =", "aggfrag = true\naccept =");
    assert_eq!(found(&wishing(1), &wishing(2)), []);
    for (left, right, who) in [(wishing(1), text(2), "left"), (text(1), wishing(2), "right")] {
        let [one] = &found(&left, &right)[..] else { panic!() };
        assert!(one.message.starts_with(&format!("{who} has `aggfrag`")), "{one:?}");
        assert!(one.help.contains("on both sides"), "{one:?}");
    }
}

#[test]
fn every_address_at_which_a_peer_is_looked_for_must_be_one_of_its_own() {
    let here = "remote_address = \"10.79.2.10\"";
    let both = "remote_address = [\"10.79.2.10\", \"10.79.22.10\"]";
    let left = replaced(&text(1), here, both);
    let waits = replaced(&text(2), "public_key_file", "initiate = false\npublic_key_file");
    let listens = |on: &str| replaced(&waits, "listen = [\"10.79.2.10\"]", on);
    assert_eq!(found(&left, &listens("listen = [\"10.79.2.10\", \"10.79.22.10\"]")), []);
    let [one] = &found(&left, &waits)[..] else { panic!() };
    assert_eq!(one.message, "left reaches right at 10.79.22.10, where it does not listen");
    let bound = listens("listen = [\"10.79.2.10\", \"10.79.22.10\"]");
    let bound =
        replaced(&bound, "public_key_file", "local_address = \"10.79.2.10\"\npublic_key_file");
    let [one] = &found(&left, &bound)[..] else { panic!() };
    assert!(
        one.message.contains("at 10.79.22.10, and right speaks with left from 10.79.2.10"),
        "{one:?}"
    );
}

/// Who begins an IKE SA measures: of two that may begin it is now one, now the other.
#[test]
fn who_knows_several_addresses_of_another_is_the_only_one_that_begins() {
    let listens =
        |own: u8, text: &str| replaced(text, &format!("[\"10.79.{own}.10\"]"), &addresses(own));
    fn addresses(own: u8) -> String {
        format!("[\"10.79.{own}.10\", \"10.79.{own}{own}.10\"]")
    }
    let knows = |own: u8, other: u8| {
        replaced(&text(own), &format!("= \"10.79.{other}.10\""), &format!("= {}", addresses(other)))
    };
    let waits = |text: &str| replaced(text, "public_key_file", "initiate = false\npublic_key_file");
    let [one] = &found(&knows(1, 2), &listens(2, &text(2)))[..] else { panic!() };
    assert!(one.message.starts_with("left measures the addresses of right"), "{one:?}");
    assert_eq!(one.help, "write initiate = false in the [[peer]] of right");
    assert_eq!(found(&knows(1, 2), &waits(&listens(2, &text(2)))), []);
    let both = [listens(1, &knows(1, 2)), listens(2, &knows(2, 1))];
    assert_eq!(found(&both[0], &both[1]), [], "both measure, whoever begins");
}
