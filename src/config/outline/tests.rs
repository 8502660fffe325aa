//! What is understood of files, with and without mistakes.

use super::*;
use crate::testing::deployment::{self, Site};

const SITES: [Site; 2] = [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }];

fn text() -> String {
    deployment::text(SITES[0], &SITES, &["red", "blue"])
}

/// The outline without what only a valid configuration can tell.
fn without_inside(mut outline: Outline) -> Outline {
    outline.vpcs.values_mut().for_each(|vpc| vpc.inside.clear());
    outline
}

#[test]
fn a_valid_file_is_understood_as_its_configuration() {
    let config = deployment::parse(&text());
    assert_eq!(Outline::of_text(&text()), without_inside(Outline::of(&config)));
}

#[test]
fn mistakes_elsewhere_take_no_guard_away() {
    let whole = Outline::of_text(&text());
    let keys = text().replace("remote_asn", "remote_as").replace("psk_file", "psk_fiel");
    assert_eq!(Outline::of_text(&keys), whole);
    for mistake in ["x = \n", "x", "[[peer]\n", "= 3\n", "\"\n"] {
        assert_eq!(Outline::of_text(&format!("{}{mistake}", text())), whole, "{mistake:?}");
    }
}

#[test]
fn what_is_meant_is_guarded_however_it_is_written() {
    let whole = Outline::of_text(&text());
    let odd = text().replace("[\"10.2.0.0/16\"", "[\" 10.2.0.1/16 \"");
    assert_ne!(odd, text());
    assert_eq!(Outline::of_text(&odd), whole);
    let one =
        "[vpc]\nname = \"red\"\nprefixes = \"10.1.0.0/16\"\n[peer]\naccept = \"10.2.0.0/16\"\n";
    let outline = Outline::of_text(one);
    let red = &outline.vpcs[&VpcId(0)];
    let prefix = |text: &str| text.parse::<Prefix>().expect("a prefix");
    assert_eq!(red.prefixes, [prefix("10.1.0.0/16")]);
    assert_eq!(red.accept, [prefix("10.2.0.0/16")]);
}

#[test]
fn a_peer_of_no_known_vpc_is_guarded_everywhere() {
    let odd = text().replace("vpc = \"red\"", "vpc = \"rde\"");
    let outline = Outline::of_text(&odd);
    let behind = "10.2.0.0/16".parse().expect("a prefix");
    assert!(outline.vpcs.values().all(|vpc| vpc.accept.contains(&behind)), "{outline:?}");
}

#[test]
fn a_file_that_says_nothing_has_no_outline() {
    assert_eq!(Outline::of_text("\u{0}[[[[ not toml"), Outline::default());
}

#[test]
fn misspelt_words_are_guarded_as_what_they_mean() {
    let whole = Outline::of_text(&text());
    for (word, misspelt) in [
        ("[[peer]]", "[[peers]]"),
        ("[[vpc", "[[vpcs"),
        ("accept = [\"10.2.0.0/16\", \"fd00:2::/48\"]", "accept = \"10.2.0.0/16, fd00:2::/48\""),
        ("accept =", "accepted ="),
        ("prefixes =", "prefix ="),
    ] {
        let odd = text().replace(word, misspelt);
        assert_ne!(odd, text(), "{word}");
        assert_eq!(Outline::of_text(&odd), whole, "{misspelt}");
    }
}

#[test]
fn an_address_to_listen_on_that_cannot_be_read_is_remembered() {
    let listen = format!("\"{}\"", SITES[0].underlay());
    for (unread, written) in
        [(true, "\"192.0.2.1x\""), (true, "\"vpn.example.com\""), (false, listen.as_str())]
    {
        let odd = text().replace(&listen, written);
        assert_eq!(Outline::of_text(&odd).has_more_to_listen_on, unread, "{written}");
    }
}
