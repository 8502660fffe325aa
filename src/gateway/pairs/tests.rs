use super::*;
use crate::net::PeerId;
use crate::testing::deployment::{self, Site};

const SITES: [Site; 2] = [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }];

fn words(change: impl Fn(String) -> String) -> Vec<String> {
    let config = deployment::parse(&change(deployment::text(SITES[0], &SITES, &["red"])));
    let pairs = of(&config, &config.peers[&PeerId(0)]);
    pairs.iter().map(|pair| format!("{} {}", pair.local, pair.remote)).collect()
}

#[test]
fn every_own_prefix_goes_with_every_one_that_the_peer_may_announce() {
    let pairs = words(|text| text);
    let with = |prefix: &str| pairs.iter().filter(|pair| pair.ends_with(prefix)).count();
    assert_eq!(with("10.2.0.0/16"), 1, "{pairs:?}");
    assert!(pairs.contains(&"10.1.0.0/16 10.2.0.0/16".to_owned()), "{pairs:?}");
    assert!(pairs[0].split(' ').all(|side| side.ends_with("/32") || side.ends_with("/128")));
}

#[test]
fn the_selectors_bound_them() {
    let selectors = "local_ts = [\"10.1.5.0/24\"]\nremote_ts = [\"10.0.0.0/8\"]\n";
    assert_eq!(words(|text| text + selectors), ["10.1.5.0/24 10.2.0.0/16"]);
}

#[test]
fn there_are_no_more_than_the_engine_asks_for() {
    let many = |text: String| {
        let prefixes: Vec<String> = (0..100).map(|n| format!("\"10.1.{n}.0/24\"")).collect();
        let listed = format!("prefixes = [{}, \"fd00:1::/48\"]\n", prefixes.join(", "));
        let lines = text.lines().map(|line| match line.starts_with("prefixes = ") {
            true => listed.clone(),
            false => format!("{line}\n"),
        });
        lines.collect()
    };
    assert_eq!(words(many).len(), SlotConfig::MAX_PAIRS);
}
