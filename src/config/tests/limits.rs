//! Every number with a limit: the last value inside is taken, the first one outside is not.

use super::{EXAMPLE, keys};
use crate::config::{Config, ConfigErrors, parse};

/// The example with another line in one of its sections.
fn with(section: &str, line: &str) -> Result<Config, ConfigErrors> {
    let text = match section {
        "defaults" => format!("[defaults]\n{line}\n\n{EXAMPLE}"),
        header => {
            let key = line.split(' ').next().unwrap();
            let (before, after) = EXAMPLE.split_once(header).expect("the section");
            let kept: Vec<&str> = after
                .split_inclusive("\n\n")
                .enumerate()
                .flat_map(|(paragraph, text)| {
                    let replaced =
                        move |line: &&str| paragraph == 0 && line.starts_with(&format!("{key} "));
                    text.split_inclusive('\n').filter(move |line| !replaced(line))
                })
                .collect();
            format!("{before}{header}\n{line}{}", kept.concat())
        }
    };
    parse(&text, "gateway.toml", &keys())
}

#[track_caller]
fn assert_taken(section: &str, lines: &[&str]) {
    for line in lines {
        if let Err(errors) = with(section, line) {
            panic!("{line} in {section}:\n{errors}");
        }
    }
}

#[track_caller]
fn assert_refused(section: &str, lines: &[&str]) {
    for line in lines {
        let Err(errors) = with(section, line) else { panic!("{line} in {section} was taken") };
        let first = &errors.errors()[0];
        assert!(!first.message.is_empty() && first.line > 0, "{errors}");
        let key = line.split(' ').next().unwrap();
        let marked = errors.to_string();
        assert!(marked.contains(key), "the line of {key} is shown:\n{marked}");
    }
}

#[test]
fn numbers_of_the_gateway() {
    let section = "[gateway]";
    assert_taken(section, &["asn = 1", "asn = 4294967294", "workers = 1", "workers = \"auto\""]);
    assert_refused(section, &["asn = 0", "asn = 23456", "asn = 65535", "asn = 4294967295"]);
    assert_refused(
        section,
        &["asn = \"AS1\"", "workers = 0", "workers = \"many\"", "workers = 257"],
    );
    assert_taken(section, &["ike_port = 1500", "natt_port = 65535", "underlay_mtu = 9000"]);
    assert_refused(section, &["ike_port = 4500", "ike_port = 0", "natt_port = 65536"]);
    assert_taken(
        section,
        &["path_mtu_discovery = false", "ike_fragmentation = false", "crash_detection = false"],
    );
    assert_refused(
        section,
        &["path_mtu_discovery = \"off\"", "ike_fragmentation = 1", "crash_detection = 2"],
    );
    assert_refused(section, &["underlay_mtu = 1399", "underlay_mtu = 9217"]);
    assert_taken(section, &["router_id = \"192.0.2.1\"", "listen = [\"0.0.0.0\", \"::\"]"]);
    assert_refused(section, &["router_id = \"0.0.0.0\"", "router_id = \"2001:db8::1\""]);
    assert_refused(
        section,
        &["listen = []", "listen = [\"224.0.0.1\"]", "listen = \"10.79.1.10\""],
    );
    assert_refused(
        section,
        &["listen = [\"10.79.1.10\", \"10.79.1.10\"]", "listen = [\"10.0.0.1/24\"]"],
    );
    assert_refused(section, &["name = \"\"", "name = \"../x\"", "name = \"east a\"", "name = 3"]);
}

#[test]
fn numbers_of_a_vpc() {
    let section = "[[vpc]]";
    assert_taken(section, &["mtu = 1280", "mtu = 9216", "tun = \"vpn0\"", "transit = true"]);
    assert_taken(section, &["multipath = true", "multipath = false"]);
    assert_refused(section, &["multipath = 2", "multipath = \"yes\""]);
    assert_refused(section, &["mtu = 1279", "mtu = 9217", "mtu = \"1400\"", "mtu = 1400.5"]);
    assert_refused(section, &["tun = \"a-name-of-16-cha\"", "tun = \"a/b\"", "tun = \"..\""]);
    assert_refused(section, &["prefixes = [\"10.1.0.1/16\"]", "prefixes = [\"10.1/16\"]"]);
    assert_refused(section, &["prefixes = [\"10.1.0.0/16\", \"10.1.0.0/16\"]", "transit = 1"]);
    assert_taken(section, &["prefixes = []"]);
}

#[test]
fn numbers_of_a_virtual_router() {
    let section = "[[vpc.vrrp]]";
    assert_taken(section, &["vrid = 255", "priority = 1", "priority = 254", "interval = \"10ms\""]);
    assert_refused(section, &["vrid = 0", "vrid = 256", "priority = 0", "priority = 255"]);
    assert_refused(section, &["interval = \"9ms\"", "interval = \"41s\"", "interval = 1"]);
    assert_refused(section, &["isolated_priority = 0", "addresses = []", "addresses = [\"::\"]"]);
    assert_refused(section, &["addresses = [\"10.1.1.1\", \"10.1.1.1\"]", "preempt = \"yes\""]);
    assert_taken(section, &["addresses = [\"fd00:1:0:1::1\"]", "preempt = false"]);
}

#[test]
fn numbers_of_a_tunnel() {
    let section = "defaults";
    assert_taken(section, &["replay_window = 64", "replay_window = 65536"]);
    assert_refused(
        section,
        &["replay_window = 32", "replay_window = 1000", "replay_window = 131072"],
    );
    assert_taken(
        section,
        &["hold_time = \"3s\"", "ike_lifetime = \"7d\"", "child_lifetime = \"5s\""],
    );
    assert_refused(section, &["hold_time = \"2s\"", "hold_time = 9", "ike_lifetime = \"8d\""]);
    assert_refused(
        section,
        &["child_lifetime = \"1\"", "child_lifetime = \"-1s\"", "child_lifetime = \"4s\""],
    );
    assert_refused(section, &["child_lifetime = \"NaNs\"", "child_lifetime = \"1e300d\""]);
    assert_taken(section, &["child_bytes = 65536", "child_packets = 4294967295"]);
    assert_refused(section, &["child_bytes = 0", "child_bytes = 0x7fffffffffffffff"]);
    assert_refused(
        section,
        &["child_packets = 4294967296", "child_packets = 99999999999999999999999"],
    );
    assert_taken(section, &["local_preference = 0", "local_preference = 4294967295"]);
    assert_refused(section, &["local_preference = -1", "local_preference = 4294967296"]);
    assert_taken(
        section,
        &["liveness = { interval = \"50ms\", timeout = \"50ms\", give_up = \"1s\" }"],
    );
    assert_refused(section, &["liveness = { interval = \"49ms\" }", "liveness = \"1s\""]);
    assert_refused(section, &["liveness = { give_up = \"1.5s\" }"]);
    assert_taken(section, &["bfd = false", "bfd = true"]);
    assert_taken(section, &["bfd = { interval = \"5ms\", multiplier = 50 }"]);
    assert_refused(section, &["bfd = { interval = \"4ms\" }", "bfd = { interval = \"11s\" }"]);
    assert_refused(section, &["bfd = { multiplier = 1 }", "bfd = { multiplier = 51 }"]);
    assert_refused(section, &["bfd = \"off\"", "bfd = 3", "bfd = { interval = 50 }"]);
}

#[test]
fn values_of_a_peer() {
    let section = "[[peer]]";
    assert_taken(
        section,
        &["remote_identity = \"keyid:0x00ff\"", "remote_identity = \"192.0.2.1\""],
    );
    assert_taken(section, &["remote_identity = \"a@b\"", "remote_identity = \"fqdn:192.0.2.1\""]);
    assert_refused(section, &["remote_identity = \"\"", "remote_identity = \"a@b@c\""]);
    assert_refused(
        section,
        &["remote_address = \"255.255.255.255\"", "remote_address = \"0.0.0.0\""],
    );
    assert_refused(section, &["remote_port = 0", "accept = [\"10.2.0.1/16\"]", "accept = [3]"]);
    assert_taken(section, &["accept = []", "remote_port = 4500"]);
    assert_taken(section, &["weight = 1", "weight = 100"]);
    assert_refused(section, &["weight = 0", "weight = 101", "weight = \"2\"", "weight = 1.5"]);
}
