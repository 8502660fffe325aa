//! `[[vpc.router]]`: what is read, and what is said when it is wrong.

use super::errors::complaint;
use super::*;

const ROUTER: &str = "[[vpc.router]]\nname = \"tor-1\"\naddress = \"10.1.0.1\"\n\
                      local_address = \"10.1.0.10\"\nremote_asn = 65010\naccept = [\"10.9.0.0/16\"]\n";

/// The example with a router in its VPC.
fn text(router: &str) -> String {
    EXAMPLE.replace("\n[[vpc.vrrp]]", &format!("\n{router}\n[[vpc.vrrp]]"))
}

fn with(from: &str, to: &str) -> String {
    assert!(ROUTER.contains(from), "{from} is not in the section");
    text(&ROUTER.replace(from, to))
}

#[test]
fn a_router_of_a_vpc_widens_what_is_at_home_there() {
    let config = valid(&text(ROUTER));
    let vpc = &config.vpcs[&VpcId(0)];
    let [router] = &vpc.routers[..] else { panic!("a router: {vpc:?}") };
    assert_eq!((router.name.as_str(), router.remote_asn), ("tor-1", Asn(65010)));
    assert_eq!(router.hold_time, Duration::from_secs(9));
    assert!(!router.ttl_security && router.password.is_none());
    let extent: Vec<String> = vpc.extent().map(|prefix| prefix.to_string()).collect();
    assert_eq!(extent, ["10.1.0.0/16", "fd00:1::/48", "10.9.0.0/16"]);
    let exact = Outline::of(&config).vpcs[&VpcId(0)].clone();
    let guessed = Outline::of_text(&text(ROUTER)).vpcs[&VpcId(0)].clone();
    assert_eq!((exact.prefixes, exact.learned), (guessed.prefixes, guessed.learned));
}

#[test]
fn what_a_router_lacks_is_named() {
    for (key, rest) in [
        ("name = \"tor-1\"\n", "needs `name`"),
        ("address = \"10.1.0.1\"\n", "needs `address`"),
        ("local_address = \"10.1.0.10\"\n", "needs `local_address`"),
        ("remote_asn = 65010\n", "needs `remote_asn`"),
        ("accept = [\"10.9.0.0/16\"]\n", "needs `accept`"),
    ] {
        let said = complaint(&with(key, ""));
        assert!(said.contains(&format!("[[vpc.router]] {rest}")), "{said}");
    }
    let without = text(ROUTER).replace("interface = \"vpc0\"\n", "");
    assert!(complaint(&without).contains("a VPC with routers needs `interface`"));
    let without = text(ROUTER).replace("asn = 4200000001\n", "");
    assert!(complaint(&without).contains("add asn = 64512"));
}

#[test]
fn what_cannot_be_is_said_with_the_remedy() {
    for (from, to, words) in [
        ("\"10.9.0.0/16\"", "\"0.0.0.0/0\"", "a router brings no default route"),
        ("\"10.9.0.0/16\"", "\"10.2.7.0/24\"", "overlaps 10.2.7.0/24 of VPC \"shop\""),
        ("\"10.1.0.1\"", "\"10.1.0.10\"", "10.1.0.10 is this gateway itself"),
        ("\"10.1.0.1\"", "\"fd00:1::1\"", "the two ends of a session are of one family"),
        ("\"10.1.0.1\"", "\"192.0.2.1\"", "192.0.2.1 is in no prefix of VPC \"shop\""),
        ("\"10.1.0.1\"", "\"169.254.0.1\"", "valid on its link only"),
        ("65010\n", "65010\nstrict_role = true\n", "`strict_role` needs `bgp_role` beside it"),
        ("65010\n", "65010\npassword_file = \"none\"\n", "none"),
        ("65010\n", "65010\ncolour = 1\n", "unknown key `colour` in [[vpc.router]]"),
        ("65010\n", "65010\nimport = [{ color = 1 }]\n", "in [[vpc.router.import]]"),
    ] {
        let said = complaint(&with(from, to));
        assert!(said.contains(words), "{to}: {words:?} is missing in:\n{said}");
    }
    let twice = format!("{ROUTER}{}", ROUTER.replace("10.1.0.1\"", "10.1.0.2\""));
    assert!(complaint(&text(&twice)).contains("there are two routers called \"tor-1\""));
    let twice = format!("{ROUTER}{}", ROUTER.replace("tor-1", "tor-2"));
    assert!(complaint(&text(&twice)).contains("10.1.0.1 is router \"tor-1\" already"));
}

#[test]
fn a_password_is_one_line_that_fits_into_tcp() {
    let text = with("65010\n", "65010\npassword_file = \"tor.password\"\n");
    let read =
        |password: &str| parse(&text, "gateway.toml", &keys().with("tor.password", password));
    let config = read("good fences\n").expect("a configuration");
    let password = config.vpcs[&VpcId(0)].routers[0].password.clone();
    assert_eq!(password.expect("a password").as_bytes(), b"good fences");
    for wrong in ["\n".to_owned(), "x".repeat(81)] {
        let said = read(&wrong).expect_err("too short or too long").to_string();
        assert!(said.contains("TCP takes one of 1 to 80"), "{said}");
    }
}
