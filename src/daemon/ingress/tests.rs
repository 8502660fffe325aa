//! Which packets are unwelcome on the underlay's device.

use super::*;
use crate::testing::deployment::{self, Site};

const SITES: [Site; 2] = [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }];

fn prefixes(text: &str) -> Vec<String> {
    let ingress = Ingress::of(&deployment::parse(text));
    ingress.prefixes.iter().map(Prefix::to_string).collect()
}

#[test]
fn a_vpc_with_an_interface_is_guarded_with_what_lies_behind_its_peers() {
    let text = deployment::text(SITES[0], &SITES, &["red"]);
    let guarded = prefixes(&text);
    assert_eq!(guarded, ["10.1.0.0/16", "10.2.0.0/16", "fd00:1::/48", "fd00:2::/48"]);
}

#[test]
fn a_vpc_with_a_namespace_needs_no_guard() {
    let text = deployment::text(SITES[0], &SITES, &["red"]);
    assert!(prefixes(&text.replace("[[vpc]]\n", "[[vpc]]\nnetns = \"shop\"\n")).is_empty());
}

#[test]
fn a_gateway_that_listens_on_every_address_cannot_tell_the_underlay() {
    let text = deployment::text(SITES[0], &SITES, &["red"]);
    let is_blind = |text: &str| Ingress::of(&deployment::parse(text)).is_blind();
    assert!(!is_blind(&text));
    let everywhere = text.replace("listen = [\"192.0.2.11\"]", "listen = [\"0.0.0.0\"]");
    assert_ne!(everywhere, text);
    assert!(is_blind(&everywhere));
}
