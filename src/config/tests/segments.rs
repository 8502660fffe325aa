//! `[vpc.vxlan]`: what is read, and what is said when it is wrong.

use super::errors::{self, complaint};
use super::{EXAMPLE, valid};
use crate::net::Prefix;

const SEGMENT: &str = "[vpc.vxlan]\nvni = 100\nlocal = \"10.9.0.2\"\n\
                       vteps = [\"10.9.0.11\", \"10.9.0.3\"]\n\
                       addresses = [\"10.1.1.2/24\", \"fd00:1:0:1::2/64\"]\n";

/// The example, whose hosts are in a segment.
fn example() -> String {
    let text = EXAMPLE.replace("interface = \"vpc0\"\n", "netns = \"shop\"\n");
    text.replace("\n[[vpc.vrrp]]", &format!("\n{SEGMENT}\n[[vpc.vrrp]]"))
}

/// Asserts that exactly one thing is wrong when `from` becomes `to`, in these words.
#[track_caller]
fn assert_says(from: &str, to: &str, words: &[&str]) {
    errors::assert_says_of(&example(), from, to, words);
}

#[test]
fn a_segment_is_read_and_its_device_is_the_interface() {
    let config = valid(&example());
    let (_, vpc) = config.vpc_named("shop").unwrap();
    let vxlan = vpc.vxlan.as_ref().unwrap();
    assert_eq!((vxlan.vni, vxlan.port, vxlan.mtu), (100, 4789, 1450));
    assert_eq!(vxlan.vteps.len(), 2);
    assert_eq!(vxlan.addresses.iter().next().unwrap().to_string(), "10.1.1.2/24");
    assert_eq!(vpc.interface.as_deref(), Some("vx-shop"));
    assert_eq!(vpc.vrrp[0].interface, "vx-shop");
    assert_eq!(vpc.mtu_limit(), Some(1450));
    let over_ipv6 = example()
        .replace("10.9.0.2\"", "2001:db8::2\"")
        .replace("\"10.9.0.11\", \"10.9.0.3\"", "\"2001:db8::11\"");
    let config = valid(&over_ipv6);
    assert_eq!(config.vpc_named("shop").unwrap().1.mtu_limit(), Some(1430));
}

#[test]
fn the_mtu_is_what_the_underlay_leaves_or_less() {
    let with = |mtu: &str| example().replace("vni = 100\n", &format!("vni = 100\nmtu = {mtu}\n"));
    let limit = |text: &str| valid(text).vpc_named("shop").unwrap().1.mtu_limit();
    assert_eq!(limit(&with("\"auto\"")), Some(1450));
    assert_eq!(limit(&with("1400")), Some(1400));
    let jumbo = with("8950").replace("[gateway]\n", "[gateway]\nunderlay_mtu = 9000\n");
    assert_eq!(limit(&jumbo), Some(8950));
    assert_says("vni = 100\n", "vni = 100\nmtu = 1451\n", &["1451 bytes", "at most 1450"]);
    assert_says("vni = 100\n", "vni = 100\nmtu = \"big\"\n", &["an integer or \"auto\""]);
}

#[test]
fn what_cannot_be_a_segment_is_said_with_its_line() {
    for vni in ["0", "16777216", "-1"] {
        let written = format!("vni = {vni}");
        assert_says("vni = 100", &written, &["a VNI is out of range", "from 1 to 16777215"]);
    }
    assert_says("vni = 100\n", "", &["[vpc.vxlan] needs `vni`"]);
    assert_says("local = \"10.9.0.2\"\n", "", &["[vpc.vxlan] needs `local`"]);
    assert_says("\"10.9.0.11\"", "\"10.9.0.2\"", &["10.9.0.2 is `local`", "-->", ":15:"]);
    assert_says("\"10.9.0.11\"", "\"10.9.0.3\"", &["10.9.0.3 is listed twice"]);
    assert_says("\"10.9.0.11\"", "\"2001:db8::1\"", &["different address families"]);
    assert_says("\"10.9.0.11\"", "\"239.1.1.1\"", &["not the address of one host"]);
    assert_says("vteps = [\"10.9.0.11\", \"10.9.0.3\"]\n", "", &["needs `vteps`"]);
    assert_says("\"10.9.0.11\", \"10.9.0.3\"", "", &["needs `vteps`"]);
    assert_says("10.1.1.2/24", "10.1.1.2", &["not an address with the length"]);
    assert_says("10.1.1.2/24", "10.7.1.2/24", &["in none of the VPC's prefixes"]);
    assert_says("10.1.1.2/24", "10.1.1.1/24", &["an address of a virtual router"]);
    assert_says("vni = 100", "vni = 100\nport = 4500", &["UDP port 4500 is IKE's"]);
    assert_says("vni = 100", "vni = 100\nvlan = 7", &["unknown key `vlan` in [vpc.vxlan]"]);
    let named = "vni = 100\ninterface = \"vpn-shop\"";
    assert_says("vni = 100", named, &["the name of the TUN device, too"]);
    let both = "netns = \"shop\"\ninterface = \"vpc0\"\n";
    assert_says("netns = \"shop\"\n", both, &["leave `interface` out"]);
}

#[test]
fn a_vpc_with_a_segment_is_a_namespace_of_its_own() {
    assert_says("netns = \"shop\"\n", "", &["no network namespace", "netns = \"shop\""]);
    let other =
        "\n[[vpc]]\nname = \"bank\"\nnetns = \"shop\"\nprefixes = [\"10.7.0.0/16\"]\n\n[[peer]]";
    let text = example().replacen("\n[[peer]]", other, 1);
    let text = text.replace("remote_address", "vpc = \"shop\"\nremote_address");
    let said = complaint(&text);
    assert!(said.contains("VPC \"bank\" is in the network namespace of VPC \"shop\""), "{said}");
    let apart =
        text.replace("name = \"bank\"\nnetns = \"shop\"", "name = \"bank\"\nnetns = \"bank\"");
    // Equal prefixes are no matter in namespaces of their own, and a VNI is.
    let equal = apart.replace("10.7.0.0/16", "10.1.0.0/16");
    valid(&equal);
    let again = SEGMENT.replace("\"fd00:1:0:1::2/64\"", "").replace("24\", ", "24\"");
    let twice = equal.replacen(
        "prefixes = [\"10.1.0.0/16\"]\n",
        &format!("prefixes = [\"10.1.0.0/16\"]\n{again}"),
        1,
    );
    let said = complaint(&twice);
    assert!(said.contains("VNI 100 is used for two VPCs"), "{said}");
    valid(&twice.replacen("vni = 100", "vni = 101", 1));
}

#[test]
fn the_way_to_a_vtep_does_not_lead_through_a_tunnel() {
    let beside = "\n[[vpc]]\nname = \"bank\"\nprefixes = [\"10.7.0.0/16\"]\n\n[[peer]]";
    let text = example().replacen("\n[[peer]]", beside, 1);
    let text = text.replace("remote_address", "vpc = \"shop\"\nremote_address");
    valid(&text);
    let caught = text.replacen("vpc = \"shop\"\n", "vpc = \"bank\"\n", 1);
    let caught = caught.replace("\"10.2.0.0/16\"", "\"10.9.0.0/16\"");
    let said = complaint(&caught);
    assert!(said.contains("the way to 10.9.0.11 would lead through the tunnel"), "{said}");
    let narrow = Prefix::host([10, 9, 9, 9].into()).to_string();
    valid(&caught.replace("10.9.0.0/16", &narrow));
}

#[test]
fn gateways_of_a_segment_are_some_of_its_vteps() {
    let with =
        |gateways: &str| format!("vteps = [\"10.9.0.11\", \"10.9.0.3\"]\ngateways = {gateways}");
    let vteps = "vteps = [\"10.9.0.11\", \"10.9.0.3\"]";
    let read = |gateways: &str| {
        let config = valid(&example().replacen(vteps, &with(gateways), 1));
        let (_, vpc) = config.vpc_named("shop").unwrap();
        let gateways = vpc.vxlan.as_ref().unwrap().gateways.clone();
        gateways.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(read("[\"10.9.0.3\"]"), Some(vec!["10.9.0.3".to_owned()]));
    assert_eq!(read("[]"), Some(Vec::new()), "nobody");
    assert_says(vteps, &with("[\"10.9.0.4\"]"), &["10.9.0.4 is none of `vteps`", "not heard"]);
    // Of a list that cannot be read nobody knows what is in it.
    let broken = with("[\"10.9.0.11\"]").replace("\"10.9.0.11\", ", "\"10.9.0.311\", ");
    assert_says(vteps, &broken, &["10.9.0.311"]);
}
