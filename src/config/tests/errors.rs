//! What is said about configurations that are wrong. The drawings are the contract: someone
//! reads them at night.

use super::{EXAMPLE, keys};
use crate::config::{PeerConfig, parse};
use crate::crypto::suite::PostQuantum;

/// What is said about `text`.
pub(in crate::config) fn complaint(text: &str) -> String {
    match parse(text, "gateway.toml", &keys()) {
        Ok(_) => panic!("this is valid:\n{text}"),
        Err(errors) => errors.to_string(),
    }
}

/// What is said about the example in which `from` has become `to`.
fn complaint_about(from: &str, to: &str) -> String {
    complaint_about_in(EXAMPLE, from, to)
}

fn complaint_about_in(example: &str, from: &str, to: &str) -> String {
    assert!(example.contains(from), "{from} is not in the example");
    complaint(&example.replacen(from, to, 1))
}

/// Asserts that exactly one thing is wrong, in these words.
#[track_caller]
fn assert_says(from: &str, to: &str, words: &[&str]) {
    assert_says_of(EXAMPLE, from, to, words);
}

/// Asserts that exactly one thing is wrong when `from` becomes `to` in an example, in these words.
#[track_caller]
pub(in crate::config) fn assert_says_of(example: &str, from: &str, to: &str, words: &[&str]) {
    let said = complaint_about_in(example, from, to);
    assert_eq!(said.matches("error: ").count(), 1, "one mistake, one error:\n{said}");
    for expected in words {
        assert!(said.contains(expected), "{expected:?} is missing in:\n{said}");
    }
}

#[test]
fn vpcs_that_share_a_namespace_may_not_share_prefixes() {
    let text = |bank: &str, netns: &str| {
        format!(
            "[gateway]\nname = \"g\"\n[[vpc]]\nname = \"shop\"\nprefixes = [\"10.1.0.0/16\"]\n\
             [[vpc]]\nname = \"bank\"\n{netns}prefixes = [\"{bank}\"]\n\
             [[peer]]\nname = \"p\"\nvpc = \"shop\"\nremote_address = \"192.0.2.9\"\n\
             psk_file = \"psk\"\nstatic_routes = [\"10.2.0.0/16\"]\n"
        )
    };
    let keys =
        crate::config::KeysInMemory::new().with("psk", "a secret of enough length, 32 characters");
    let said = |bank: &str, netns: &str| {
        let parsed = parse(&text(bank, netns), "g.toml", &keys);
        parsed.err().map(|errors| errors.to_string()).unwrap_or_default()
    };
    for bank in ["10.1.0.0/16", "10.1.7.0/24", "10.0.0.0/8", "10.2.0.0/16", "10.2.9.0/24"] {
        let errors = said(bank, "");
        assert!(errors.contains("in the same network namespace"), "{bank}: {errors}");
        assert_eq!(said(bank, "netns = \"bank\"\n"), "", "{bank}");
    }
    assert_eq!(said("10.3.0.0/16", ""), "");
}

#[test]
fn an_error_shows_its_line_and_the_remedy() {
    let expected = r#"error: unknown key `prefix` in [[vpc]]
 --> gateway.toml:9:1
  |
9 | prefix = ["10.1.0.0/16", "fd00:1::/48"]
  | ^^^^^^ unknown
  |
  = help: did you mean `prefixes`?"#;
    let said = complaint_about("prefixes", "prefix");
    assert!(said.contains(expected), "{said}");
}

#[test]
fn two_places_that_clash_are_both_shown() {
    let expected = r#"error: 10.1.2.0/24 of peer "north-a" overlaps 10.1.0.0/16 of VPC "shop"
  --> gateway.toml:21:11
   |
 9 | prefixes = ["10.1.0.0/16", "fd00:1::/48"]
   |             ------------- our own
...
21 | accept = ["10.1.2.0/24", "fd00:2::/48"]
   |           ^^^^^^^^^^^^^ accepted from the peer
   |
   = help: a prefix is on one side of a tunnel: narrow one of the two; where both sides use it, have each known by another ([[vpc.map]])"#;
    assert_eq!(complaint_about("\"10.2.0.0/16\"", "\"10.1.2.0/24\""), expected);
}

#[test]
fn several_errors_are_shown_at_once_in_the_order_of_the_file() {
    let text = EXAMPLE
        .replace("asn = 4200000001", "asn = 0")
        .replace("vrid = 1", "vrid = 300")
        .replace("\"203.0.113.7\"", "\"branch_1.example.com\"");
    let errors = parse(&text, "gateway.toml", &keys()).unwrap_err();
    let lines: Vec<usize> = errors.errors().iter().map(|error| error.line).collect();
    assert_eq!(lines, [3, 13, 25], "a number that is wrong is not missing, too");
    assert!(errors.to_string().ends_with("gateway.toml: 3 errors"), "{errors}");
}

#[test]
fn several_addresses_of_a_peer_are_held_against_each_other_and_against_ours() {
    let nine: Vec<String> = (1..=9).map(|last| format!("\"203.0.113.{last}\"")).collect();
    let nine = nine.join(", ");
    for (addresses, words) in [
        ("", ["the list of the peer's addresses is empty", "write its addresses, or \"any\""]),
        ("\"203.0.113.7\", \"203.0.113.7\"", ["203.0.113.7 is in the list twice", "first here"]),
        ("\"203.0.113.7\", \"any\"", ["\"any\" is in a list", "remote_address = \"any\" alone"]),
        (
            "\"203.0.113.7\", \"vpn.example.net\"",
            ["the host name vpn.example.net is in a list", "\"vpn.example.net\" alone"],
        ),
        (
            "\"203.0.113.7\", \"10.79.1.10\"",
            ["this is an address of this gateway", "not the peer's"],
        ),
        (
            "\"203.0.113.7\", \"2001:db8::7\"",
            ["listens on no address of the peer's family", "to `listen` of [gateway]"],
        ),
        (
            "\"203.0.113.7\", \"10.2.3.4\"",
            ["the way to 10.2.3.4 would lead through the tunnel", "inside an accepted prefix"],
        ),
        ("\"203.0.113.7\", \"127.0.0.1\"", ["127.0.0.1 is this host itself", "loopback"]),
        ("\"203.0.113.7\", 7", ["a string", "7"]),
        (&nine, ["a peer has at most 8 addresses", "one too many"]),
    ] {
        assert_says("\"203.0.113.7\"", &format!("[{addresses}]"), &words);
    }
    let local = "[\"203.0.113.7\", \"2001:db8::7\"]\nlocal_address = \"10.79.1.10\"";
    assert_says("\"203.0.113.7\"", local, &["must be of one family", "the other family"]);
}

#[test]
fn a_place_that_is_none_is_told_with_what_to_write() {
    let complaint = |place: &str| complaint_about("\"203.0.113.7\"", &format!("\"{place}\""));
    for (place, said) in [
        ("branch", "write the whole name: \"branch.example.net\""),
        ("Any", "a whole name has a dot"),
        (
            "branch_1.example",
            "\"branch_1.example\" is neither an address nor the whole name of a host",
        ),
        ("203.0.113.300", "\"203.0.113.300\" is not an IP address"),
        ("203.0.113.7/24", "leave the length out: \"203.0.113.7\""),
        ("localhost", "a whole name has a dot"),
        ("localhost.", "localhost. is this host itself"),
        ("vpn.localhost", "vpn.localhost is this host itself"),
        ("127.0.0.1", "127.0.0.1 is this host itself"),
        ("fe80::1", "link-local"),
        ("0.0.0.0", "not the address of one host"),
    ] {
        let complaint = complaint(place);
        assert!(complaint.contains(said), "{place}: {complaint}");
    }
}

#[test]
fn misspelt_keys_are_recognised() {
    for (from, to, meant) in [
        ("name = \"east-a\"", "nmae = \"x\"\nname = \"east-a\"", "`name`"),
        ("listen =", "listne =", "`listen`"),
        ("vrid = 1", "vrid = 1\npriorty = 3", "`priority`"),
        ("accept =", "accepts = []\naccept =", "`accept`"),
        ("psk_file =", "psk = \"x\"\npsk_file =", "`psk_file`"),
        ("psk_file =", "address = \"x\"\npsk_file =", "`remote_address` or `local_address`"),
    ] {
        let said = complaint_about(from, to);
        assert!(said.contains(&format!("did you mean {meant}?")), "{said}");
    }
}

#[test]
fn a_key_like_no_other_gets_the_list_of_keys() {
    assert_says(
        "vrid = 1",
        "vrid = 1\ncolour = 3",
        &[
            "unknown key `colour` in [[vpc.vrrp]]",
            "the keys of [[vpc.vrrp]] are: vrid, addresses, interface",
        ],
    );
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_place() {
    let said = complaint_about("asn = 4200000001", "asn = = 1");
    assert!(said.contains("this is not TOML") && said.contains("gateway.toml:3:7"), "{said}");
}

#[test]
fn an_empty_file_is_told_how_to_begin() {
    let said = complaint("");
    assert!(said.contains("the file has no [gateway]"), "{said}");
    assert!(said.contains("the file has no [[vpc]]"), "{said}");
}

#[test]
fn sections_of_the_wrong_kind_are_refused() {
    assert!(complaint("gateway = 1\n").contains("[gateway] must be a section, not an integer"));
    assert!(complaint("vpc = 1\n").contains("write each one under a line [[vpc]]"));
    assert!(complaint("[vpc]\nname = \"x\"\n").contains("`vpc` is a list of sections"));
    assert!(complaint("peer = [1]\n").contains("[[peer]] must be a section, not an integer"));
}

#[test]
fn what_is_missing_is_named_with_an_example() {
    assert_says("name = \"north-a\"\n", "", &["[[peer]] needs `name`", "name = \"north-a\""]);
    assert_says(
        "prefixes = [\"10.1.0.0/16\", \"fd00:1::/48\"]\n",
        "",
        &["[[vpc]] needs `prefixes`"],
    );
    assert_says("vrid = 1\n", "", &["[[vpc.vrrp]] needs `vrid`"]);
    assert_says(
        "psk_file = \"branch.psk\"\n",
        "",
        &["says no way to authenticate", "vpnctl pubkey"],
    );
    assert_says("remote_asn = 4200000002\n", "", &["says no way to find its prefixes"]);
    assert_says("accept = [\"10.2.0.0/16\", \"fd00:2::/48\"]\n", "", &["[[peer]] needs `accept`"]);
    assert_says("interface = \"vpc0\"\n", "", &["[[vpc.vrrp]] needs `interface`"]);
}

#[test]
fn what_excludes_each_other_is_shown_together() {
    assert_says(
        "psk_file",
        "public_key_file = \"north-a.pub\"\npsk_file",
        &["`public_key_file` and `psk_file` exclude each other"],
    );
    assert_says(
        "static_routes",
        "remote_asn = 65000\nstatic_routes",
        &["`remote_asn` and `static_routes` exclude each other"],
    );
}

#[test]
fn names_are_unique() {
    assert_says(
        "name = \"branch\"",
        "name = \"north-a\"\nremote_identity = \"x\"",
        &["there are two peers called \"north-a\""],
    );
    assert_says(
        "name = \"branch\"",
        "name = \"branch\"\nremote_identity = \"north-a\"",
        &["peers \"north-a\" and \"branch\" have the same identities"],
    );
    assert_says(
        "[[vpc.vrrp]]",
        "[[vpc]]\nname = \"shop\"\nprefixes = []\ntun = \"t\"\n[[vpc.vrrp]]\ninterface = \"e\"",
        &["there are two VPCs called \"shop\""],
    );
    let twice = "[[vpc.vrrp]]\nvrid = 1\naddresses = [\"10.1.2.1\"]\n[[vpc.vrrp]]";
    assert_says("[[vpc.vrrp]]", twice, &["VRID 1 is used twice on vpc0"]);
    let long = "name = \"shop-number-one\"";
    let both = "[[vpc]]\nname = \"shop-number-two\"\nprefixes = []\n\n[[peer]]";
    let text = EXAMPLE.replace("name = \"shop\"", long).replacen("[[peer]]", both, 1);
    let text = text.replace("remote_address", "vpc = \"shop-number-one\"\nremote_address");
    assert!(complaint(&text).contains("two TUN devices called \"vpn-shop-number\""));
}

#[test]
fn a_gateway_is_not_its_own_peer() {
    assert_says(
        "name = \"branch\"",
        "name = \"east-a\"\nremote_identity = \"x\"",
        &["\"east-a\" is this gateway itself"],
    );
    assert_says("\"203.0.113.7\"", "\"10.79.1.10\"", &["this is an address of this gateway"]);
    assert_says("\"north-a.pub\"", "\"east-a.pub\"", &["the public key of this gateway"]);
    assert_says("4200000002", "4200000001", &["4200000001 is our own autonomous system"]);
    assert_says("psk_file", "remote_identity = \"east-a\"\npsk_file", &["both called east-a"]);
}

#[test]
fn the_way_to_a_peer_must_not_lead_through_its_tunnel() {
    assert_says(
        "\"203.0.113.7\"",
        "\"10.20.0.7\"",
        &["the way to 10.20.0.7 would lead through the tunnel to peer \"branch\""],
    );
    let own_namespace = EXAMPLE
        .replace("interface = \"vpc0\"", "interface = \"vpc0\"\nnetns = \"shop\"")
        .replace("\"203.0.113.7\"", "\"10.20.0.7\"");
    super::valid(&own_namespace);
}

#[test]
fn a_peer_belongs_to_a_vpc_that_exists() {
    assert_says(
        "psk_file",
        "vpc = \"shoop\"\npsk_file",
        &["there is no VPC \"shoop\"", "the VPCs are: shop"],
    );
    let two = "[[vpc]]\nname = \"bank\"\nprefixes = [\"10.1.0.0/16\"]\n\n[[peer]]";
    let said = complaint(&EXAMPLE.replacen("[[peer]]", two, 1));
    assert!(said.contains("[[peer]] needs `vpc`") && said.contains("shop, bank"), "{said}");
}

#[test]
fn bgp_needs_our_number_and_both_inside_addresses() {
    assert_says("asn = 4200000001\n", "", &["BGP needs an autonomous system on both sides"]);
    let one = "remote_asn = 4200000002\ninside_local = \"169.254.10.2\"";
    assert_says("remote_asn = 4200000002", one, &["`inside_local` needs `inside_remote`"]);
    let mixed =
        "remote_asn = 4200000002\ninside_local = \"169.254.10.2\"\ninside_remote = \"fd00::1\"";
    assert_says("remote_asn = 4200000002", mixed, &["must be two of one family"]);
}

#[test]
fn a_static_route_outside_accept_is_refused() {
    assert_says(
        "static_routes",
        "accept = [\"10.21.0.0/16\"]\nstatic_routes",
        &["the peer may not send from 10.20.0.0/16"],
    );
}

#[test]
fn the_local_address_is_one_that_we_listen_on() {
    assert_says(
        "psk_file",
        "local_address = \"10.79.1.11\"\npsk_file",
        &["this gateway does not listen on 10.79.1.11"],
    );
    assert_says(
        "\"203.0.113.7\"",
        "\"2001:db8::7\"",
        &["listens on no address of the peer's family"],
    );
    let mixed = EXAMPLE
        .replace("[\"10.79.1.10\"]", "[\"10.79.1.10\", \"2001:db8::1\"]")
        .replace("psk_file", "local_address = \"2001:db8::1\"\npsk_file");
    assert!(complaint(&mixed).contains("must be of one family"));
}

#[test]
fn nobody_can_be_initiated_at_any_address() {
    let text = EXAMPLE.replace("\"203.0.113.7\"", "\"any\"") + "initiate = true\n";
    assert!(complaint(&text).contains("a tunnel to \"any\" address cannot be initiated"));
}

#[test]
fn liveness_out_of_order_is_refused() {
    let text = EXAMPLE.to_owned() + "liveness = { interval = \"5s\" }\n";
    assert!(complaint(&text).contains("`timeout` (1.5s) must not be shorter than `interval` (5s)"));
}

#[test]
fn bfd_that_is_no_table_is_told_what_to_write() {
    let said = complaint(&(EXAMPLE.to_owned() + "bfd = \"50ms\"\n"));
    assert!(said.contains("`bfd` is neither a table nor false, but a string"), "{said}");
    assert!(said.contains("bfd = { interval = \"50ms\", multiplier = 3 }"), "{said}");
}

#[test]
fn a_public_key_needs_our_private_key() {
    assert_says("private_key = \"east-a.key\"\n", "", &["this gateway has no private key"]);
}

#[test]
fn suites_that_do_not_exist_are_told_which_do() {
    let text = EXAMPLE.to_owned() + "esp_suites = [\"3des-sha256-modp2048\"]\n";
    let said = complaint(&text);
    assert!(said.contains("`3des` is not a word of ESP suites"), "{said}");
    assert!(said.contains("ESP suites are made of: aes128gcm16, aes256gcm16"), "{said}");
    let text = EXAMPLE.to_owned() + "ike_suites = [\"aes256gcm16-prfsha384\"]\n";
    let said = complaint(&text);
    assert!(said.contains("for example \"aes256gcm16-prfsha384-curve25519\""), "{said}");
    let text = EXAMPLE.to_owned() + "esp_suites = [\"aes256-ecp384\"]\n";
    let said = complaint(&text);
    assert!(said.contains("this suite lacks an integrity algorithm"), "{said}");
    assert!(said.contains("for example \"aes256-ecp384-sha256\""), "{said}");
    let text = EXAMPLE.to_owned() + "ike_suites = [\"aes256gcm16-sha384-ecp384\"]\n";
    let said = complaint(&text);
    assert!(said.contains("aes256gcm16 protects integrity by itself"), "{said}");
    assert!(said.contains("or write `prfsha384` for the PRF"), "{said}");
    let text = EXAMPLE.to_owned() + "ike_suites = []\n";
    assert!(complaint(&text).contains("`ike_suites` is empty"));
}

#[test]
fn weak_suites_need_the_word_of_the_peer_that_they_are_for() {
    let weak = "esp_suites = [\"aes256-sha256\", \"aes256-sha1\"]\n";
    let said = complaint(&(EXAMPLE.to_owned() + weak));
    assert!(said.contains("aes256-sha1 is weak: SHA-1"), "{said}");
    assert!(said.contains("write allow_weak = true in its [[peer]]"), "{said}");
    let config = super::valid(&(EXAMPLE.to_owned() + weak + "allow_weak = true\n"));
    assert_eq!(config.peers.values().filter(|peer| peer.esp_suites.len() == 2).count(), 1);
    let group = "ike_suites = [\"aes256gcm16-prfsha256-modp1024\"]\n";
    let said = complaint(&(EXAMPLE.to_owned() + group));
    assert!(said.contains("a group below 2048 bits"), "{said}");
    let for_all = format!("[defaults]\nallow_weak = true\n\n{EXAMPLE}");
    assert!(complaint(&for_all).contains("unknown key `allow_weak` in [defaults]"));
    let of_all = EXAMPLE.replacen("[[peer]]", &format!("[defaults]\n{weak}\n[[peer]]"), 1);
    assert!(complaint(&of_all).contains("aes256-sha1 is weak"), "each peer answers for itself");
}

#[test]
fn ml_kem_is_preferred_required_or_off() {
    for (written, said) in [
        ("true", "write \"require\""),
        ("false", "write \"off\""),
        ("\"maybe\"", "\"prefer\" (with peers that know how)"),
    ] {
        let complaint = complaint(&format!("{EXAMPLE}post_quantum = {written}\n"));
        assert!(complaint.contains(said), "{complaint}");
    }
    let config = super::valid(&format!("{EXAMPLE}post_quantum = \"require\"\n"));
    let required = |peer: &&PeerConfig| peer.post_quantum == PostQuantum::Require;
    assert_eq!(config.peers.values().filter(required).count(), 1);
}

#[test]
fn encapsulation_is_a_word_and_nobody_listens_on_tcp_without_it() {
    assert_eq!(super::valid(EXAMPLE).stream_port(), None);
    for (written, port) in [("udp", None), ("auto", Some(4500)), ("tcp", Some(4500))] {
        let config = super::valid(&format!("{EXAMPLE}encapsulation = \"{written}\"\n"));
        assert_eq!(config.stream_port(), port, "{written}");
    }
    let said = complaint(&format!("{EXAMPLE}encapsulation = \"tls\"\n"));
    assert!(said.contains("\"tls\" is no encapsulation") && said.contains("\"auto\""), "{said}");
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let said = complaint(&"#\n".repeat(3 << 20));
    assert!(said.contains("a configuration has at most"), "{}", &said[..200]);
}

#[test]
fn a_service_is_a_protocol_and_its_ports() {
    for wrong in ["ssh", "22", "tcp/", "tcp/0", "tcp/70000", "tcp/9-8", "icmp/8", "TCP/22"] {
        let to = format!("[[vpc]]\nservices = [{wrong:?}]");
        let label = format!("{wrong:?} is not a service");
        assert_says("[[vpc]]", &to, &[&label, "\"tcp/22\", \"udp/4000-4010\""]);
    }
}

#[test]
fn an_address_without_its_length_is_no_prefix() {
    assert_says(
        "\"10.1.0.0/16\"",
        "\"10.1.0.0\"",
        &["has no length", "\"10.1.0.0/16\", or \"10.1.0.0/32\""],
    );
    assert_says("\"10.20.0.0/16\"", "\"192.168.20.0\"", &["\"192.168.20.0/24\""]);
    assert_says("\"10.20.0.0/16\"", "\"192.168.20.7\"", &["\"192.168.20.7/32\" for this one"]);
    assert_says("\"fd00:2::/48\"", "\"fd00:2::\"", &["\"fd00:2::/64\", or \"fd00:2::/128\""]);
}

#[test]
fn what_no_router_forwards_is_behind_nobody() {
    assert_says("\"10.20.0.0/16\"", "\"127.0.0.0/8\"", &["loopback", "no tunnel carries"]);
    assert_says("\"10.1.0.0/16\"", "\"224.0.0.0/4\"", &["multicast"]);
    assert_says("\"fd00:2::/48\"", "\"ff02::/16\"", &["multicast"]);
    assert_says("\"fd00:2::/48\"", "\"::1/128\"", &["loopback"]);
    assert_says("\"10.20.0.0/16\"", "\"255.255.255.255/32\"", &["broadcast"]);
    assert_says("\"10.20.0.0/16\"", "\"0.0.0.0/8\"", &["this network"]);
    assert_says("\"fd00:2::/48\"", "\"fe80::/64\"", &["link-local"]);
    assert_says("\"fd00:2::/48\"", "\"::ffff:10.2.0.0/112\"", &["IPv4-mapped"]);
    assert_says("\"fd00:2::/48\"", "\"::/128\"", &["unspecified"]);
    for wide in ["0.0.0.0/0", "::/0", "64.0.0.0/2", "2000::/3"] {
        let text = EXAMPLE.replace("\"10.20.0.0/16\"", &format!("\"{wide}\""));
        parse(&text, "gateway.toml", &keys()).expect(wide);
    }
}

#[test]
fn an_interface_is_one_with_hosts_behind_it() {
    for (word, why) in [("lo", "loopback"), ("all", "every interface"), ("vpc%d", "'%'")] {
        assert_says("\"vpc0\"", &format!("\"{word}\""), &["cannot name a network interface", why]);
    }
    let tun = "interface = \"vpc0\"\ntun = \"default\"";
    assert_says("interface = \"vpc0\"", tun, &["every interface"]);
}

#[test]
fn the_host_itself_is_no_peer() {
    assert_says("\"10.79.2.10\"", "\"127.0.0.1\"", &["127.0.0.1 is this host itself"]);
}

#[test]
fn selectors_meet_the_routes() {
    let line = "static_routes = [\"10.20.0.0/16\"]";
    let with = |ts: &str| format!("{line}\n{ts}");
    assert_says(
        line,
        &with("remote_ts = [\"10.77.0.0/16\"]"),
        &["`remote_ts` has nothing in common", "10.20.0.0/16"],
    );
    assert_says(
        line,
        &with("local_ts = [\"10.77.0.0/16\"]"),
        &["`local_ts` has nothing in common", "10.1.0.0/16"],
    );
}

#[test]
fn one_mistake_is_told_once_and_what_follows_from_it_is_not() {
    assert_says("\"10.79.1.10\"", "\"224.0.0.5\"", &["224.0.0.5 is not the address of one host"]);
    assert_says("[\"10.79.1.10\"]", "\"10.79.1.10\"", &["`listen` must be a list"]);
    assert_says("\"vpc0\"", "\"longer-than-linux-takes\"", &["cannot name a network interface"]);
    let again = "[[vpc]]\nname = \"shop\"\nprefixes = [\"10.9.0.0/16\"]\n\n[[peer]]\n";
    assert_says("[[peer]]\n", again, &["two VPCs called \"shop\""]);
    assert_says("name = \"branch\"", "name = \"north-a\"", &["two peers called \"north-a\""]);
}

#[test]
fn virtual_addresses_are_on_the_hosts_network() {
    assert_says("\"10.1.1.1\"", "\"192.0.2.1\"", &["192.0.2.1 is in none of the VPC's prefixes"]);
    assert_says("\"fd00:1:0:1::1\"", "\"fd99::1\"", &["fd99::1 is in none"]);
}

#[test]
fn an_asn_that_is_wrong_is_not_missing_as_well() {
    assert_says("asn = 4200000001", "asn = 23456", &["AS_TRANS"]);
}

#[test]
fn of_many_errors_the_first_are_drawn_and_all_are_counted() {
    let wrong: String = (0..30).map(|n| format!("\"10.{n}.0.0\", ")).collect();
    let said = complaint(&EXAMPLE.replacen("\"10.20.0.0/16\"", &wrong, 1));
    assert_eq!(said.matches("error: ").count(), 20);
    assert!(said.contains("30 errors, of which 20 are shown"), "{said}");
}

#[test]
fn a_key_that_is_misspelt_is_not_missing_as_well() {
    assert_says("remote_asn =", "remote_as =", &["did you mean `remote_asn`"]);
    assert_says("prefixes =", "prefix =", &["did you mean `prefixes`"]);
    assert_says("static_routes =", "static_rotes =", &["did you mean `static_routes`"]);
    assert_says("vrid = 1", "vird = 1", &["did you mean `vrid`"]);
}

#[test]
fn where_http_is_served_has_an_address_and_a_port() {
    for wrong in ["\"127.0.0.1\"", "\":9679\"", "\"localhost:9679\"", "\"127.0.0.1:0\"", "9679"] {
        let to = format!("[gateway]\nhttp_listen = {wrong}");
        assert_says("[gateway]", &to, &["gateway.toml:"]);
    }
    assert_says("[gateway]", "[gateway]\nhttp_listen = \"9679\"", &["write \"127.0.0.1:9679\""]);
    let text = EXAMPLE.replacen("[gateway]", "[gateway]\nhttp_listen = \"[::1]:9679\"", 1);
    let config = parse(&text, "gateway.toml", &keys()).unwrap();
    assert_eq!(config.gateway.http_listen, "[::1]:9679".parse().ok());
}
