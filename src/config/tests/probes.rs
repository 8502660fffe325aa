//! `probe` of a `[[peer]]`.

use super::errors::complaint;
use super::{EXAMPLE, peer, valid};
use crate::config::{Probe, QualityLimits};
use std::time::Duration;

/// The example, with this probe of north-a.
fn probing(probe: &str) -> String {
    let name = "name = \"north-a\"\n";
    EXAMPLE.replacen(name, &format!("{name}probe = {{ {probe} }}\n"), 1)
}

#[track_caller]
fn assert_says(probe: &str, words: &[&str]) {
    let said = complaint(&probing(probe));
    assert_eq!(said.matches("error: ").count(), 1, "one mistake, one error:\n{said}");
    for expected in words {
        assert!(said.contains(expected), "{expected:?} is missing in:\n{said}");
    }
}

#[test]
fn a_probe_asks_from_where_the_file_says() {
    let config =
        valid(&probing("address = \"10.2.0.10\", source = \"10.1.0.1\", timeout = \"5s\""));
    let expected = Probe {
        address: "10.2.0.10".parse().unwrap(),
        source: "10.1.0.1".parse().unwrap(),
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(5),
        limits: QualityLimits::default(),
    };
    assert_eq!(peer(&config, "north-a").probe, Some(expected));
    assert_eq!(peer(&valid(EXAMPLE), "north-a").probe, None);
}

#[test]
fn the_end_of_the_tunnel_is_asked_from_ours() {
    let config = valid(EXAMPLE);
    let inside = peer(&config, "north-a").routing.inside().unwrap();
    let config = valid(&probing(&format!("address = \"{}\"", inside.remote)));
    assert_eq!(peer(&config, "north-a").probe.unwrap().source, inside.local);
}

#[test]
fn what_cannot_be_asked_is_refused_with_what_to_write() {
    assert_says("source = \"10.1.0.1\"", &["`address`", "a host behind the peer"]);
    assert_says(
        "address = \"10.2.0.10\"",
        &["a probe needs a `source`", "no IPv4 address of ours inside", "source = \"10.1.0.1\""],
    );
    assert_says(
        "address = \"192.0.2.1\", source = \"10.1.0.1\"",
        &["192.0.2.1 is not behind the peer", "10.2.0.0/16"],
    );
    assert_says(
        "address = \"10.2.0.10\", source = \"192.0.2.1\"",
        &["192.0.2.1 is not on this side"],
    );
    assert_says("address = \"10.2.0.10\", source = \"fd00:1::1\"", &["of one family"]);
    assert_says(
        "address = \"10.2.0.10\", source = \"10.1.0.1\", interval = \"2s\", timeout = \"3s\"",
        &["shorter than two", "one lost packet"],
    );
    assert_says("address = \"224.0.0.1\", source = \"10.1.0.1\"", &["not the address of one host"]);
}

#[test]
fn limits_of_the_way_to_the_host_are_written_beside_it() {
    let with = |limits: &str| {
        probing(&format!("address = \"10.2.0.10\", source = \"10.1.0.1\", {limits}"))
    };
    let config = valid(&with("max_rtt = \"150ms\", max_jitter = \"0.5ms\", max_loss = 2"));
    let expected = QualityLimits {
        round_trip: Some(Duration::from_millis(150)),
        jitter: Some(Duration::from_micros(500)),
        loss: Some(2),
    };
    assert_eq!(peer(&config, "north-a").probe.unwrap().limits, expected);
    let says = |limits: &str, words: &[&str]| {
        let said = complaint(&with(limits));
        assert_eq!(said.matches("error: ").count(), 1, "one mistake, one error:\n{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{words:?} in:\n{said}");
    };
    says("max_rtt = \"3s\"", &["`max_rtt` is not below `timeout` (3s)", "count as lost"]);
    says("max_jitter = \"5s\"", &["`max_jitter` is not below `timeout`"]);
    let late = "interval = \"50ms\", timeout = \"2600ms\", max_loss = 4";
    says(late, &["`timeout` (2.6s) is longer than 50 of `interval` (50ms)", "too late"]);
    says("max_loss = 1", &["the loss in percent is out of range", "from 2 to 90"]);
    says("max_loss = \"5%\"", &["the loss in percent must be an integer"]);
    says("max_rtt = 150", &["unit"]);
    says("max_delay = \"1s\"", &["max_delay"]);
}
