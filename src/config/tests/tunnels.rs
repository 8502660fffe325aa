//! Peers that list several VPCs.

use super::errors::complaint;
use super::{EXAMPLE, peer, prefixes, valid};
use crate::config::{Config, Inside, Routing};
use crate::net::{OuterDscp, PeerId, Prefix, RemoteId};
use std::num::NonZeroU64;

/// The example, with two more VPCs between us and north-a.
fn text() -> String {
    let vpc = |name: &str| {
        format!("[[vpc]]\nname = {name:?}\nnetns = {name:?}\nprefixes = [\"10.1.0.0/16\"]\n\n")
    };
    EXAMPLE
        .replacen("[[peer]]", &format!("{}{}[[peer]]", vpc("red"), vpc("blue")), 1)
        .replace("name = \"branch\"", "name = \"branch\"\nvpc = \"shop\"")
        .replace("name = \"north-a\"", "name = \"north-a\"\nvpcs = [\"red\", \"blue\"]")
}

/// What `section` says of VPC blue.
fn with_blue(section: &str) -> String {
    let blue = format!("[peer.vpc.blue]\n{section}\n\n[[peer]]\nname = \"branch\"");
    text().replace("[[peer]]\nname = \"branch\"", &blue)
}

#[track_caller]
fn assert_says(text: &str, words: &[&str]) {
    let said = complaint(text);
    assert_eq!(said.matches("error: ").count(), 1, "one mistake, one error:\n{said}");
    for expected in words {
        assert!(said.contains(expected), "{expected:?} is missing in:\n{said}");
    }
}

fn inside_remote(config: &Config, name: &str) -> std::net::IpAddr {
    match &peer(config, name).routing {
        Routing::Bgp(bgp) => bgp.inside_remote,
        Routing::Static { .. } => panic!("{name} speaks BGP"),
    }
}

#[test]
fn listed_vpcs_are_tunnels_that_share_a_remote_gateway() {
    let config = valid(&text());
    let (red, blue) = (peer(&config, "north-a/red"), peer(&config, "north-a/blue"));
    assert_eq!((red.remote, red.gateway.as_str()), (blue.remote, "north-a"));
    assert_ne!(red.vpc, blue.vpc);
    assert_eq!(red.remote_identity, blue.remote_identity);
    assert_eq!(red.accept, blue.accept);
    assert_ne!(inside_remote(&config, "north-a/red"), inside_remote(&config, "north-a/blue"));
    assert_ne!(peer(&config, "branch").remote, red.remote);
}

#[test]
fn what_is_said_of_one_vpc_goes_before_what_is_said_of_all() {
    let config = valid(&with_blue("accept = [\"10.3.0.0/16\"]\nlocal_preference = 7"));
    let (red, blue) = (peer(&config, "north-a/red"), peer(&config, "north-a/blue"));
    assert_eq!(red.accept, prefixes(&["10.2.0.0/16", "fd00:2::/48"]));
    assert_eq!((blue.accept.clone(), blue.local_preference), (prefixes(&["10.3.0.0/16"]), 7));
    let weighed = text().replace("vpcs = [\"red\"", "weight = 3\nvpcs = [\"red\"");
    let config = valid(&weighed.replace(
        "[[peer]]\nname = \"branch\"",
        "[peer.vpc.blue]\nweight = 5\n\n[[peer]]\nname = \"branch\"",
    ));
    let weight = |name| peer(&config, name).weight.get();
    assert_eq!(["north-a/red", "north-a/blue", "branch"].map(weight), [3, 5, 1]);
    let config = valid(&with_blue("static_routes = [\"10.3.0.0/16\"]\naccept = [\"10.3.0.0/16\"]"));
    assert!(matches!(peer(&config, "north-a/red").routing, Routing::Bgp(_)));
    assert!(matches!(peer(&config, "north-a/blue").routing, Routing::Static { .. }));
}

#[test]
fn mistakes_about_several_vpcs_are_told_once_with_the_remedy() {
    let both = text().replace("vpcs =", "vpc = \"red\"\nvpcs =");
    assert_says(&both, &["`vpc` and `vpcs` exclude each other", "a single one here"]);
    let green = text().replace("\"red\", \"blue\"]", "\"red\", \"green\"]");
    assert_says(&green, &["there is no VPC \"green\"", "the VPCs are: shop, red, blue"]);
    let twice = text().replace("\"red\", \"blue\"]", "\"red\", \"red\"]");
    assert_says(&twice, &["VPC \"red\" is listed twice"]);
    let none = text().replace("vpcs = [\"red\", \"blue\"]", "vpcs = []");
    assert_says(&none, &["`vpcs` is empty"]);
    let unlisted = with_blue("").replace("[peer.vpc.blue]", "[peer.vpc.shop]");
    assert_says(&unlisted, &["unknown key `shop` in [peer.vpc]"]);
    let unknown = with_blue("psk_file = \"branch.psk\"");
    assert_says(&unknown, &["unknown key `psk_file` in [peer.vpc.blue]"]);
    let alone = with_blue("").replace("vpcs = [\"red\", \"blue\"]\n", "");
    assert_says(&alone, &["[peer.vpc.…] needs `vpcs` beside it"]);
    assert_says(&text().replace("4200000002", "4200000001"), &["our own autonomous system"]);
}

#[test]
fn a_vpc_more_or_less_leaves_the_numbers_of_the_others() {
    let both = valid(&text());
    let blue = text().replace("[\"red\", \"blue\"]", "[\"blue\"]");
    let numbered = |name: &str, config: &Config| {
        let (id, peer) = config.peer_named(name).unwrap();
        (id, peer.remote)
    };
    let less = valid(&blue).numbered_like(&both);
    assert_eq!(numbered("north-a/blue", &less), (PeerId(1), RemoteId(0)));
    let only = text().replace("vpcs = [\"red\", \"blue\"]", "vpc = \"blue\"");
    let only = valid(&only).numbered_like(&both);
    assert_eq!(numbered("north-a", &only), (PeerId(1), RemoteId(0)));
    let more = valid(&text()).numbered_like(&less);
    assert_eq!(numbered("north-a/blue", &more), (PeerId(1), RemoteId(0)));
}

#[test]
fn a_child_sa_takes_as_many_prefixes_as_become_255_ranges() {
    let text = |step: usize| {
        let routes = (0..300).map(|i| i * step);
        let routes = routes.map(|i| format!("\"10.{}.{}.0/24\"", 20 + i / 256, i % 256));
        let routes: Vec<String> = routes.collect();
        EXAMPLE.replace("\"10.20.0.0/16\"", &routes.join(", "))
    };
    assert_eq!(peer(&valid(&text(1)), "branch").remote_ts.len(), 300);
    let words = ["a Child SA cannot be for 300 ranges", "remote_ts = [\"0.0.0.0/0\"]"];
    assert_says(&text(2), &words);
}

#[test]
fn a_tunnel_with_static_routes_may_have_inside_addresses() {
    let inside = "inside_local = \"10.255.0.1\"\ninside_remote = \"10.255.0.2\"\n";
    let config = valid(&(EXAMPLE.to_owned() + inside));
    let branch = peer(&config, "branch");
    let (local, remote) = ("10.255.0.1".parse().unwrap(), "10.255.0.2".parse().unwrap());
    assert_eq!(branch.routing.inside(), Some(Inside { local, remote }));
    assert!(branch.local_ts.contains(&Prefix::host(local)), "{:?}", branch.local_ts);
    assert_eq!(branch.remote_ts, prefixes(&["10.20.0.0/16", "10.255.0.2/32"]));
    assert_eq!(branch.accept, prefixes(&["10.20.0.0/16"]), "no host behind the peer has it");
    // An address that the selectors take anyway adds nothing to them.
    let within = inside.replace("10.255.0.2", "10.20.255.2");
    let config = valid(&(EXAMPLE.to_owned() + &within));
    assert_eq!(peer(&config, "branch").remote_ts, prefixes(&["10.20.0.0/16"]));
    // Without them nothing is derived: a peer that is not vpngw could not know.
    assert_eq!(peer(&valid(EXAMPLE), "branch").routing.inside(), None);
    let half = "inside_local = \"10.255.0.1\"\n";
    assert_says(&(EXAMPLE.to_owned() + half), &["`inside_local` needs `inside_remote` beside it"]);
    let mixed = "inside_local = \"10.255.0.1\"\ninside_remote = \"fd77::2\"\n";
    assert_says(&(EXAMPLE.to_owned() + mixed), &["must be two of one family"]);
}

#[test]
fn a_dscp_is_a_name_or_a_number_or_copied() {
    let with = |lines: &str| EXAMPLE.replacen("[[peer]]\n", &format!("[[peer]]\n{lines}\n"), 1);
    let dscp = |lines: &str| valid(&with(lines)).peers.values().next().unwrap().dscp;
    let fixed = |text: &str| OuterDscp::Fixed(text.parse().unwrap());
    assert_eq!(dscp(""), OuterDscp::Copied);
    assert_eq!(dscp("dscp = \"copy\""), OuterDscp::Copied);
    assert_eq!(dscp("dscp = \"cs0\""), fixed("cs0"));
    assert_eq!(dscp("dscp = 18"), fixed("af21"));
    for (lines, word) in
        [("dscp = \"gold\"", "af21"), ("dscp = 64", "from 0 to 63"), ("dscp = true", "quotes")]
    {
        assert_says(&with(lines), &[word]);
    }
}

#[test]
fn a_rate_limit_is_written_with_a_unit_and_stands_beside_no_constant_rate() {
    let with = |lines: &str| EXAMPLE.replacen("[[peer]]\n", &format!("[[peer]]\n{lines}\n"), 1);
    let config = valid(&with("rate_limit = \"200 Mbit/s\""));
    let limits = config.peers.values().filter_map(|peer| peer.rate_limit).map(NonZeroU64::get);
    assert_eq!(limits.collect::<Vec<_>>(), [200_000_000]);
    for (lines, word) in [
        ("rate_limit = \"200\"", "Mbit/s"),
        ("rate_limit = \"1 kbit/s\"", "64 kbit/s"),
        ("rate_limit = \"1000 Gbit/s\"", "100 Gbit/s"),
        ("aggfrag = true\nconstant_rate = \"1 Mbit/s\"\nrate_limit = \"2 Mbit/s\"", "one of them"),
    ] {
        assert_says(&with(lines), &[word]);
    }
    let both = "aggfrag = true\nconstant_rate = \"1 Mbit/s\"\nrate_limit = \"2 Mbit/s\"";
    assert_says(&format!("[defaults]\n{both}\n\n{EXAMPLE}"), &["one of them"]);
    let constant = with("aggfrag = true\nconstant_rate = \"1 Mbit/s\"");
    let config = valid(&format!("[defaults]\nrate_limit = \"2 Mbit/s\"\n\n{constant}"));
    let rates = config.peers.values().map(|peer| (peer.constant_rate, peer.rate_limit));
    let first = rates.into_iter().next().expect("a peer");
    assert_eq!(first, (NonZeroU64::new(1_000_000), None), "what one peer says goes first");
}

#[test]
fn a_constant_rate_is_written_with_a_unit_and_needs_what_can_be_cut() {
    let with = |lines: &str| EXAMPLE.replacen("[[peer]]\n", &format!("[[peer]]\n{lines}\n"), 1);
    let config = valid(&with("aggfrag = true\nconstant_rate = \"20 Mbit/s\""));
    let rates = config.peers.values().filter_map(|peer| peer.constant_rate).map(NonZeroU64::get);
    assert_eq!(rates.collect::<Vec<_>>(), [20_000_000]);
    for (lines, word) in [
        ("constant_rate = \"20 Mbit/s\"", "aggfrag = true"),
        ("aggfrag = true\nconstant_rate = \"20\"", "Mbit/s"),
        ("aggfrag = true\nconstant_rate = \"3 Gbit/s\"", "2 Gbit/s"),
        ("aggfrag = true\nconstant_rate = \"1 kbit/s\"", "16 kbit/s"),
    ] {
        assert_says(&with(lines), &[word]);
    }
}
