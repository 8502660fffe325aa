use super::super::{KeysInMemory, parse};
use super::*;

const NORTH: RemoteId = RemoteId(0);

const TEXT: &str = r#"
[gateway]
name = "here"
asn = 4200000001
listen = ["203.0.113.1", "2001:db8::1"]

[[vpc]]
name = "shop"
prefixes = ["10.1.0.0/16"]

[[vpc]]
name = "apart"
netns = "apart"
prefixes = ["10.9.0.0/16"]

[[peer]]
name = "north"
vpc = "shop"
remote_address = "north.example"
psk_file = "psk"
static_routes = ["10.2.0.0/16"]

[[peer]]
name = "south"
vpc = "shop"
remote_address = "192.0.2.3"
psk_file = "psk"
static_routes = ["10.3.0.0/16"]

[[peer]]
name = "west"
vpc = "apart"
remote_address = "192.0.2.4"
psk_file = "psk"
static_routes = ["10.4.0.0/16"]
"#;

fn config(text: &str) -> Config {
    let keys = KeysInMemory::new().with("psk", "a secret that every test knows, 32 characters");
    parse(text, "test.toml", &keys).unwrap()
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn meaning_in(text: &str, found: &[&str]) -> Meaning {
    let own = addresses(&["203.0.113.1", "2001:db8::1", "10.1.0.1"]).into_iter().collect();
    let found = addresses(found).into_iter().collect();
    Meaning::of(&found, NORTH, &config(text), &own)
}

fn meaning(found: &[&str]) -> Meaning {
    meaning_in(TEXT, found)
}

#[test]
fn families_are_tried_in_turn_and_ipv6_first() {
    let found = meaning(&["192.0.2.7", "192.0.2.8", "192.0.2.9", "2001:db8::7", "2001:db8:1::7"]);
    let order = ["2001:db8::7", "192.0.2.7", "2001:db8:1::7", "192.0.2.8", "192.0.2.9"];
    assert_eq!(found.usable, addresses(&order));
    assert_eq!(found.complaints(&"north.example".parse().unwrap()), Vec::<String>::new());
}

#[test]
fn what_can_be_no_peer_is_left_out_with_its_reason() {
    for (address, why) in [
        ("0.0.0.0", Unfit::NotOneHost),
        ("255.255.255.255", Unfit::NotOneHost),
        ("224.0.0.9", Unfit::NotOneHost),
        ("fe80::1", Unfit::NotOneHost),
        ("ff02::1", Unfit::NotOneHost),
        ("::ffff:192.0.2.7", Unfit::NotOneHost),
        ("127.0.0.1", Unfit::Own),
        ("127.8.8.8", Unfit::Own),
        ("::1", Unfit::Own),
        ("203.0.113.1", Unfit::Own),
        ("10.1.0.1", Unfit::Own),
        (
            "10.3.7.7",
            Unfit::Inside { peer: "south".to_owned(), prefix: "10.3.0.0/16".parse().unwrap() },
        ),
    ] {
        let found = meaning(&[address, "192.0.2.7"]);
        assert_eq!(found.usable, addresses(&["192.0.2.7"]), "{address}");
        assert_eq!(found.unfit, [(address.parse().unwrap(), why)], "{address}");
    }
    // That VPC has a routing of its own.
    assert_eq!(meaning(&["10.4.7.7"]).usable, addresses(&["10.4.7.7"]));
}

#[test]
fn a_family_in_which_nobody_listens_is_left_out() {
    let text = TEXT.replace(", \"2001:db8::1\"]", "]");
    let found = meaning_in(&text, &["2001:db8::7", "192.0.2.7"]);
    assert_eq!(found.usable, addresses(&["192.0.2.7"]));
    assert_eq!(found.unfit, [("2001:db8::7".parse().unwrap(), Unfit::Family)]);
    let text =
        TEXT.replace("\"north.example\"", "\"north.example\"\nlocal_address = \"2001:db8::1\"");
    assert_eq!(
        meaning_in(&text, &["2001:db8::7", "192.0.2.7"]).usable,
        addresses(&["2001:db8::7"])
    );
}

#[test]
fn the_address_of_another_peer_is_tried_last_and_told() {
    let found = meaning(&["192.0.2.3", "192.0.2.7"]);
    assert_eq!(found.usable, addresses(&["192.0.2.7", "192.0.2.3"]));
    let complaints = found.complaints(&"north.example".parse().unwrap());
    assert_eq!(complaints, ["north.example: 192.0.2.3 is where peer south is configured to be"]);
}

#[test]
fn a_hundred_addresses_are_bounded_and_so_is_what_is_said_of_them() {
    let many: Vec<String> = (1..=100).map(|last| format!("198.51.100.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let found = meaning(&many);
    assert_eq!((found.usable.len(), found.left_out), (8, 92));
    let complaints = found.complaints(&"north.example".parse().unwrap());
    assert_eq!(complaints, ["north.example has too many addresses: 92 of them are left out"]);
    let loops: Vec<String> = (1..=100).map(|last| format!("127.0.0.{last}")).collect();
    let loops: Vec<&str> = loops.iter().map(String::as_str).collect();
    let found = meaning(&loops);
    assert_eq!((found.usable.len(), found.unfit.len(), found.left_out), (0, 8, 92));
}
