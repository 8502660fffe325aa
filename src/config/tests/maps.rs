//! `[[vpc.map]]`: what is read, and what is said when it is wrong.

use super::errors::{self, complaint};
use super::{EXAMPLE, valid};
use crate::net::Prefix;

const MAPS: &str = "[[vpc.map]]\ninside = \"10.1.0.0/16\"\noutside = \"100.64.0.0/16\"\n\
                    towards = [\"north-a\"]\n\
                    [[vpc.map]]\ninside = \"fd00:1::/48\"\noutside = \"fd64:1::/48\"\n";

/// The example, in which peers know the VPC by other prefixes.
fn example() -> String {
    EXAMPLE.replace("\n[[vpc.vrrp]]", &format!("\n{MAPS}\n[[vpc.vrrp]]"))
}

/// Asserts that exactly one thing is wrong when `from` becomes `to`, in these words.
#[track_caller]
fn assert_says(from: &str, to: &str, words: &[&str]) {
    errors::assert_says_of(&example(), from, to, words);
}

fn prefixes(texts: &[&str]) -> Vec<Prefix> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn a_mapping_holds_towards_those_that_it_names_or_all() {
    let config = valid(&example());
    let (_, vpc) = config.vpc_named("shop").unwrap();
    assert_eq!(vpc.maps.len(), 2);
    let known = |name: &str| -> Vec<Prefix> {
        let (_, peer) = config.peer_named(name).unwrap();
        peer.as_known(&vpc.prefixes).collect()
    };
    assert_eq!(known("north-a"), prefixes(&["100.64.0.0/16", "fd64:1::/48"]));
    assert_eq!(known("branch"), prefixes(&["10.1.0.0/16", "fd64:1::/48"]));
    let (_, branch) = config.peer_named("branch").unwrap();
    assert_eq!(branch.local_ts, prefixes(&["10.1.0.0/16", "fd64:1::/48"]), "what SAs are for");
}

#[test]
fn a_part_of_a_mapped_prefix_is_known_by_the_same_part_of_the_other() {
    let text = example().replace("[\"10.1.0.0/16\"", "[\"10.1.1.0/24\", \"10.1.7.0/24\"");
    let config = valid(&text);
    let (_, vpc) = config.vpc_named("shop").unwrap();
    let (_, peer) = config.peer_named("north-a").unwrap();
    let known: Vec<Prefix> = peer.as_known(&vpc.prefixes).collect();
    assert_eq!(known, prefixes(&["100.64.1.0/24", "100.64.7.0/24", "fd64:1::/48"]));
}

#[test]
fn prefixes_that_cannot_stand_for_each_other_are_refused() {
    let unequal = ["100.64.0.0/17", "a /17, and the inside is a /16", "write a /16 here", ":14:"];
    assert_says("100.64.0.0/16", unequal[0], &unequal[1..]);
    assert_says("100.64.0.0/16", "fd64::/16", &["of the other family", "IPv4 is mapped to IPv4"]);
    assert_says("100.64.0.0/16", "100.64.0.1/16", &["100.64.0.0/16"]);
    assert_says("100.64.0.0/16", "224.0.0.0/16", &["224.0.0.0/16"]);
    assert_says("inside = \"10.1.0.0/16\"\n", "", &["[[vpc.map]] needs `inside`"]);
    assert_says("outside = \"100.64.0.0/16\"\n", "", &["[[vpc.map]] needs `outside`"]);
    assert_says("towards =", "to =", &["unknown key `to` in [[vpc.map]]"]);
    assert_says("[\"north-a\"]", "[]", &["`towards` is empty"]);
    assert_says("[\"north-a\"]", "[\"north-b\"]", &["no peer \"north-b\"", "branch, north-a"]);
}

#[test]
fn the_inside_is_ours_as_a_whole() {
    let says = ["10.9.0.0/16 holds none of the VPC's prefixes", "not ours"];
    assert_says("inside = \"10.1.0.0/16\"", "inside = \"10.9.0.0/16\"", &says);
    let part = "inside = \"10.1.4.0/24\"\noutside = \"100.64.4.0/24\"";
    let says = ["10.1.4.0/24 is only a part of 10.1.0.0/16", "list its parts in `prefixes`"];
    assert_says("inside = \"10.1.0.0/16\"\noutside = \"100.64.0.0/16\"", part, &says);
    let wide = "inside = \"10.0.0.0/14\"\noutside = \"100.64.0.0/14\"";
    let says = ["10.0.0.0/14 overlaps 10.2.0.0/16 of peer \"north-a\"", "accepted from the peer"];
    assert_says("inside = \"10.1.0.0/16\"\noutside = \"100.64.0.0/16\"", wide, &says);
}

#[test]
fn the_outside_is_nobodys() {
    let says = ["10.1.0.0/16 is in use on this side", "not free", "100.64.0.0/10 (RFC 6598)"];
    assert_says("100.64.0.0/16", "10.1.0.0/16", &says);
    let says = ["10.2.0.0/16 overlaps 10.2.0.0/16 of peer \"north-a\""];
    assert_says("100.64.0.0/16", "10.2.0.0/16", &says);
    let says = ["10.20.0.0/16 overlaps 10.20.0.0/16 of peer \"branch\""];
    assert_says("100.64.0.0/16", "10.20.0.0/16", &says);
    let ends = "accept = [\"10.2.0.0/16\", \"fd00:2::/48\"]\ninside_local = \"100.64.9.1\"\n\
                inside_remote = \"100.99.9.2\"";
    let says = ["100.64.9.1, an end of the tunnel to \"north-a\", lies in 100.64.0.0/16"];
    assert_says("accept = [\"10.2.0.0/16\", \"fd00:2::/48\"]", ends, &says);
}

#[test]
fn towards_one_peer_an_address_has_one_counterpart() {
    let again = "outside = \"fd64:1::/48\"\n[[vpc.map]]\ninside = \"10.1.0.0/16\"\n\
                 outside = \"100.65.0.0/16\"\n";
    let says = ["10.1.0.0/16 and 10.1.0.0/16 overlap, towards the same peer", "say `towards` whom"];
    assert_says("outside = \"fd64:1::/48\"\n", again, &says);
    let apart = format!("{again}towards = [\"branch\"]\n");
    valid(&example().replace("outside = \"fd64:1::/48\"\n", &apart));
}

#[test]
fn a_list_that_never_ends_is_refused() {
    let map = "[[vpc.map]]\ninside = \"10.1.0.0/16\"\noutside = \"100.64.0.0/16\"\n";
    let text = EXAMPLE.replace("\n[[vpc.vrrp]]", &format!("\n{}\n[[vpc.vrrp]]", map.repeat(65)));
    assert!(complaint(&text).contains("a VPC has at most 64 mappings"));
}
