//! `[[vpc.public]]` and `[[vpc.egress]]`: what is read, and what is said when it is wrong.

use super::errors::{self, complaint};
use super::{EXAMPLE, valid};
use crate::wire::ip::protocol;

const PUBLIC: &str = "[[vpc.public]]\naddress = \"203.0.113.10\"\nports = { tcp = \"443\", udp = 443 }\n\
                      to = \"10.1.1.10\"\n\n\
                      [[vpc.public]]\naddress = \"203.0.113.11\"\nto = \"10.1.1.11\"\n\n\
                      [[vpc.egress]]\naddress = \"203.0.113.10\"\nports = \"1024-32767\"\n";

/// The example, in a namespace, with public addresses.
fn example() -> String {
    let text =
        EXAMPLE.replace("interface = \"vpc0\"\n", "interface = \"vpc0\"\nnetns = \"shop\"\n");
    text.replace("\n[[vpc.vrrp]]", &format!("\n{PUBLIC}\n[[vpc.vrrp]]"))
}

/// Asserts that exactly one thing is wrong when `from` becomes `to`, in these words.
#[track_caller]
fn assert_says(from: &str, to: &str, words: &[&str]) {
    errors::assert_says_of(&example(), from, to, words);
}

#[test]
fn public_addresses_are_read() {
    let config = valid(&example());
    let (_, vpc) = config.vpc_named("shop").unwrap();
    let [service, whole] = vpc.public.as_slice() else { panic!("{:?}", vpc.public) };
    assert_eq!(
        service.ports.iter().map(|one| one.protocol).collect::<Vec<_>>(),
        [protocol::TCP, protocol::UDP]
    );
    assert_eq!((service.ports[0].ports.clone(), service.to_port), (443..=443, None));
    assert!(whole.ports.is_empty());
    assert_eq!(vpc.egress[0].ports, 1024..=32767);
    assert_eq!(
        vpc.egress[0].from.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["10.1.0.0/16"]
    );
    assert_eq!(vpc.outlet(), "pub-shop");
    let other_port = example()
        .replace("{ tcp = \"443\", udp = 443 }", "{ tcp = 443 }")
        .replace("\"10.1.1.10\"", "\"10.1.1.10:8443\"");
    assert_eq!(valid(&other_port).vpc_named("shop").unwrap().1.public[0].to_port, Some(8443));
}

#[test]
fn what_cannot_be_translated_is_said_with_its_line() {
    let first = "address = \"203.0.113.10\"\nports = { tcp";
    let with = |address: &str| format!("address = \"{address}\"\nports = {{ tcp");
    let own = |address: &str| example().replace("203.0.113.10", address);
    assert_says(
        "to = \"10.1.1.10\"",
        "to = \"10.7.1.10\"",
        &["10.7.1.10 is in none of", "not a host"],
    );
    assert_says("to = \"10.1.1.10\"", "to = \"10.1.1.10:80\"", &["only a single port"]);
    assert_says("to = \"10.1.1.10\"", "to = \"10.1.1.10:0\"", &["\"0\" is not a port"]);
    assert_says("to = \"10.1.1.10\"", "to = \"fd00:1::10\"", &["which is not translated"]);
    assert_says("to = \"10.1.1.10\"\n", "", &["[[vpc.public]] needs `to`"]);
    assert_says(first, &with("2001:db8::1"), &["of IPv6, which is not translated"]);
    assert_says(first, &with("239.1.1.1"), &["not the address of one host"]);
    assert_says(first, &with("127.0.0.1"), &["on one host or link only"]);
    assert_says("tcp = \"443\"", "tcp = \"0\"", &["neither a port nor a range"]);
    assert_says("tcp = \"443\"", "tcp = \"9-3\"", &["neither a port nor a range"]);
    assert_says("tcp = \"443\"", "icmp = \"443\"", &["unknown key `icmp`"]);
    assert_says("{ tcp = \"443\", udp = 443 }", "{}", &["`ports` names no port"]);
    assert_says("tcp = \"443\"", "tcp = \"2000\"", &["tcp/2000 of 203.0.113.10 is for hosts"]);
    assert_says("ports = \"1024-32767\"", "ports = \"1024\"", &["one port is one connection"]);
    assert_says("ports = \"1024-32767\"", "from = [\"10.9.0.0/16\"]", &["10.9.0.0/16 is in none"]);
    assert_says("netns = \"shop\"\n", "", &["a public address and no network namespace"]);
    let said = complaint(&own("10.1.1.9"));
    assert!(said.contains("10.1.1.9 is inside 10.1.0.0/16"), "{said}");
    assert!(complaint(&own("10.2.0.9")).contains("10.2.0.9 is inside 10.2.0.0/16"));
}

#[test]
fn no_port_of_an_address_is_translated_twice_and_no_address_is_two_vpcs() {
    let again = |ports: &str| {
        let more = format!(
            "[[vpc.public]]\naddress = \"203.0.113.10\"\n{ports}to = \"10.1.1.12\"\n\n[[vpc.egress]]"
        );
        example().replacen("[[vpc.egress]]", &more, 1)
    };
    assert!(complaint(&again("ports = { tcp = \"400-500\" }\n")).contains("translated twice"));
    valid(&again("ports = { tcp = \"80\" }\n"));
    assert!(complaint(&again("")).contains("the whole of 203.0.113.10"));
    let two = "203.0.113.12\"\nto = \"10.1.1.11\"\n\n[[vpc.egress]]";
    let two =
        example().replacen("[[vpc.egress]]", &format!("[[vpc.public]]\naddress = \"{two}"), 1);
    assert!(complaint(&two).contains("10.1.1.11 has two public addresses"));
    let other = "\n[[vpc]]\nname = \"other\"\nnetns = \"other\"\nprefixes = [\"10.1.0.0/16\"]\n\n\
                 [[vpc.public]]\naddress = \"203.0.113.11\"\nto = \"10.1.1.11\"\n\n[[peer]]";
    let said = complaint(&example().replacen("\n[[peer]]", other, 1));
    assert!(said.contains("203.0.113.11 is a public address of VPC \"shop\", too"), "{said}");
}
