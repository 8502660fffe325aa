//! A VPC with routers, with mappings and with public addresses at once.

use super::errors::{self, complaint};
use super::{EXAMPLE, prefixes, valid};
use crate::net::VpcId;

const ROUTER: &str = "[[vpc.router]]\nname = \"tor-1\"\naddress = \"10.1.0.1\"\n\
                      local_address = \"10.1.0.10\"\nremote_asn = 65010\n\
                      accept = [\"10.9.0.0/16\", \"10.1.0.0/16\"]\n\n";
const MAP: &str = "[[vpc.map]]\ninside = \"10.1.0.0/16\"\noutside = \"100.64.0.0/16\"\n\n";
const PUBLIC: &str = "[[vpc.public]]\naddress = \"203.0.113.10\"\nto = \"10.9.4.10\"\n\n\
                      [[vpc.egress]]\naddress = \"203.0.113.11\"\n\n";

/// The example with all three, in a namespace.
fn example() -> String {
    let place = "interface = \"vpc0\"\n";
    let text = EXAMPLE.replace(place, &format!("{place}netns = \"shop\"\n"));
    text.replace("[[vpc.vrrp]]", &format!("{ROUTER}{MAP}{PUBLIC}[[vpc.vrrp]]"))
}

/// Asserts that exactly one thing is wrong when `from` becomes `to`, in these words.
#[track_caller]
fn assert_says(from: &str, to: &str, words: &[&str]) {
    errors::assert_says_of(&example(), from, to, words);
}

#[test]
fn hosts_behind_a_router_have_public_addresses_and_speak_to_the_world() {
    let config = valid(&example());
    let vpc = &config.vpcs[&VpcId(0)];
    assert_eq!(vpc.public[0].to.octets(), [10, 9, 4, 10]);
    assert_eq!(vpc.egress[0].from, prefixes(&["10.1.0.0/16", "10.9.0.0/16"]), "each host once");
    let part = "[[vpc.egress]]\nfrom = [\"10.9.7.0/24\"]\n";
    let config = valid(&example().replace("[[vpc.egress]]\n", part));
    assert_eq!(config.vpcs[&VpcId(0)].egress[0].from, prefixes(&["10.9.7.0/24"]));
    assert_says("\"10.9.4.10\"", "\"10.8.4.10\"", &["10.8.4.10 is in none of the VPC's prefixes"]);
}

#[test]
fn no_public_address_is_what_routers_may_announce_or_peers_know_hosts_by() {
    let says = ["10.9.0.7 is inside 10.9.0.0/16, which is no public network"];
    assert_says("\"203.0.113.10\"", "\"10.9.0.7\"", &says);
    let says =
        ["100.64.3.3 is inside 100.64.0.0/16, which stands for a VPC's hosts", "mapped here"];
    assert_says("\"203.0.113.10\"", "\"100.64.3.3\"", &says);
    let wide = example().replace("\"10.1.0.0/16\"\noutside", "\"172.16.0.0/12\"\noutside");
    let wide = wide.replace("\"100.64.0.0/16\"", "\"100.64.0.0/12\"");
    let wide = wide.replace("prefixes = [", "prefixes = [\"172.16.0.0/16\", ");
    let said = complaint(&wide.replace("203.0.113.10", "172.20.0.1"));
    assert!(said.contains("172.20.0.1 is inside 172.16.0.0/12, which stands for"), "{said}");
}

#[test]
fn what_routers_may_announce_is_mapped_as_a_whole_or_not_at_all() {
    let behind = MAP.replace("10.1.0.0/16", "10.9.0.0/16").replace("100.64", "100.65");
    let both = example().replace("[[vpc.map]]", &format!("{behind}[[vpc.map]]"));
    assert_eq!(valid(&both).vpcs[&VpcId(0)].maps.len(), 2);
    let wider = ["10.1.0.0/16 is only a part of 10.0.0.0/15", "or in `accept` of a [[vpc.router]]"];
    assert_says("\"10.9.0.0/16\", \"10.1.0.0/16\"", "\"10.0.0.0/15\", \"10.9.0.0/16\"", &wider);
    let says = ["10.9.0.0/16 is in use on this side: 10.9.0.0/16", "used here"];
    assert_says("\"100.64.0.0/16\"", "\"10.9.0.0/16\"", &says);
}

#[test]
fn connections_are_shared_with_another_gateway_by_a_port_of_the_vpc() {
    let sharing = |keys: &str| {
        let section = format!("[vpc.conntrackd]\n{keys}\n\n[[vpc.vrrp]]");
        example().replace("[[vpc.vrrp]]", &section)
    };
    let both = "sibling = \"10.9.1.3\"\nlocal = \"10.9.1.2\"";
    let config = valid(&sharing(both));
    let found = config.vpcs[&VpcId(0)].sharing.clone().expect("a section");
    assert_eq!((found.sibling.to_string(), found.port), ("10.9.1.3".to_owned(), 3780));
    let said = |text: &str| complaint(&sharing(text));
    assert!(said("sibling = \"10.9.1.3\"").contains("[vpc.conntrackd] needs `local`"));
    assert!(said("local = \"10.9.1.2\"").contains("[vpc.conntrackd] needs `sibling`"));
    assert!(said(&both.replace(".1.3", ".1.2")).contains("10.9.1.2 is this gateway itself"));
    assert!(said(&both.replace("10.9.1.3", "2001:db8::3")).contains("different address families"));
    assert!(said(&format!("{both}\nport = 4500")).contains("UDP port 4500 is IKE's, ESP's"));
    assert!(said(&format!("{both}\nport = 0")).contains("port"));
    let idle = sharing(both).replace(PUBLIC, "");
    assert!(complaint(&idle).contains("VPC \"shop\" has no connections to share"));
    let section = format!("[vpc.conntrackd]\n{both}\n");
    let other = format!(
        "[[vpc]]\nname = \"other\"\nnetns = \"other\"\nprefixes = [\"10.1.0.0/16\"]\n{section}\n\
         [[vpc.egress]]\naddress = \"203.0.113.12\"\n\n[[peer]]"
    );
    let said = complaint(&sharing(both).replacen("[[peer]]", &other, 1));
    assert!(said.contains("UDP port 3780 of 10.9.1.2 is used for two VPCs"), "{said}");
}

/// Nobody is told of mistakes that follow from another one.
#[test]
fn a_router_that_cannot_be_read_is_the_only_mistake() {
    assert_says("\"10.9.0.0/16\", ", "\"10.9.0.0/33\", ", &["10.9.0.0/33"]);
}
