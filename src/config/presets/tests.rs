use super::super::tests::errors::complaint;
use super::super::tests::{EXAMPLE, peer, prefixes, valid};
use super::*;

fn with(lines: &str) -> String {
    format!("{EXAMPLE}{lines}\n")
}

#[test]
fn every_preset_makes_a_peer_of_it() {
    for preset in &PRESETS {
        let config = valid(&with(&format!("preset = {:?}", preset.name)));
        let branch = peer(&config, "branch");
        assert_eq!(branch.ike_suites, preset.ike, "{}", preset.name);
        assert_eq!(branch.esp_suites, preset.esp, "{}", preset.name);
        assert_eq!(branch.lifetimes.ike, Duration::from_secs(preset.ike_lifetime));
        assert!(branch.liveness.timeout < branch.liveness.give_up);
        assert_eq!(branch.local_ts, prefixes(&["0.0.0.0/0"]));
        assert_eq!(branch.remote_ts, prefixes(&["0.0.0.0/0"]));
        assert!(preset.esp.iter().all(|suite| !suite.esn && suite.weakness().is_none()));
        assert!(preset.ike.iter().all(|suite| suite.weakness().is_none()));
        let other = peer(&config, "north-a");
        assert_eq!(other.lifetimes, super::super::defaults::LIFETIMES, "one peer's preset only");
    }
}

#[test]
fn what_a_peer_says_goes_before_its_preset_and_that_before_defaults() {
    let defaults = "[defaults]\nike_lifetime = \"1h\"\nreplay_window = 128\n\n[[peer]]";
    let text = with("preset = \"aws\"\nchild_lifetime = \"20m\"\nlocal_ts = [\"10.1.0.0/16\"]");
    let config = valid(&text.replacen("[[peer]]", defaults, 1));
    let branch = peer(&config, "branch");
    assert_eq!(branch.lifetimes.ike, Duration::from_secs(28_800));
    assert_eq!(branch.lifetimes.child, Duration::from_secs(1200));
    assert_eq!(branch.replay_window, 128);
    assert_eq!(branch.local_ts, prefixes(&["10.1.0.0/16"]));
    assert_eq!(branch.remote_ts, prefixes(&["0.0.0.0/0"]));
    assert_eq!(peer(&config, "north-a").lifetimes.ike, Duration::from_secs(3600));
}

#[test]
fn an_unknown_preset_names_those_that_exist() {
    let said = complaint(&with("preset = \"alibaba\""));
    assert!(said.contains("there is no preset \"alibaba\""), "{said}");
    assert!(said.contains("the presets are: aliyun, huawei, tencent, aws"), "{said}");
}
