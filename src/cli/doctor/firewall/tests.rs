use super::*;
use serde_json::json;

const OUT: Way<'_> = Way { from: "lan0", to: "vpn0" };
const IN: Way<'_> = Way { from: "vpn0", to: "lan0" };

/// A ruleset with a forward chain of this policy; a rule stands in the chain that it is named with.
fn ruleset(policy: &str, rules: &[(&str, Value)]) -> Document {
    let base = json!({ "chain": {
        "family": "inet", "table": "filter", "name": "forward", "hook": "forward", "policy": policy,
    } });
    let rules = rules.iter().map(|(chain, expr)| {
        json!({ "rule": { "family": "inet", "table": "filter", "chain": chain, "expr": expr } })
    });
    let all: Vec<Value> = [json!({ "metainfo": {} }), base].into_iter().chain(rules).collect();
    serde_json::from_value(json!({ "nftables": all })).unwrap()
}

fn device(key: &str, name: Value) -> Value {
    json!({ "match": { "op": "==", "left": { "meta": { "key": key } }, "right": name } })
}

fn stops(ruleset: &Document) -> [bool; 2] {
    [OUT, IN].map(|way| ruleset.stops(way).is_some())
}

#[test]
fn a_policy_decides_over_what_no_rule_takes() {
    assert_eq!(stops(&ruleset("drop", &[])), [true, true]);
    assert_eq!(stops(&ruleset("accept", &[])), [false, false]);
    let of_others = [("forward", json!([device("iifname", json!("docker0")), { "accept": null }]))];
    assert_eq!(stops(&ruleset("drop", &of_others)), [true, true]);
}

#[test]
fn rules_for_a_device_let_its_packets_pass() {
    let one = [("forward", json!([device("iifname", json!("lan*")), { "accept": null }]))];
    assert_eq!(stops(&ruleset("drop", &one)), [false, true]);
    let set = json!({ "set": ["vpn0", "lan0"] });
    let both =
        [("forward", json!([device("oifname", set), { "counter": {} }, { "accept": null }]))];
    assert_eq!(stops(&ruleset("drop", &both)), [false, false]);
}

#[test]
fn answers_that_may_pass_are_of_no_use_to_what_begins() {
    let state = json!({ "match": {
        "op": "in", "left": { "ct": { "key": "state" } }, "right": ["established", "related"],
    } });
    assert_eq!(
        stops(&ruleset("drop", &[("forward", json!([state, { "accept": null }]))])),
        [true, true]
    );
    let extension = json!([{ "xt": { "type": "match", "name": "conntrack" } }, { "accept": null }]);
    assert_eq!(stops(&ruleset("drop", &[("forward", extension)])), [true, true]);
    let by_map = json!([{ "vmap": {
        "key": { "ct": { "key": "state" } },
        "data": { "set": [["established", { "accept": null }], ["invalid", { "drop": null }]] },
    } }]);
    assert_eq!(stops(&ruleset("drop", &[("forward", by_map)])), [true, true]);
}

#[test]
fn chains_are_followed_and_come_back() {
    let rules = [
        ("forward", json!([{ "jump": { "target": "first" } }])),
        ("first", json!([device("iifname", json!("wan0")), { "accept": null }])),
        ("first", json!([{ "return": null }])),
        ("first", json!([{ "accept": null }])),
        ("forward", json!([{ "goto": { "target": "second" } }])),
        ("second", json!([device("oifname", json!("vpn0")), { "accept": null }])),
        ("forward", json!([{ "accept": null }])),
    ];
    assert_eq!(stops(&ruleset("drop", &rules)), [false, true]);
}

#[test]
fn a_last_rule_that_rejects_is_a_policy() {
    let rules = [
        ("forward", json!([device("iifname", json!("lan0")), { "accept": null }])),
        ("forward", json!([{ "reject": { "type": "icmpx" } }])),
    ];
    assert_eq!(stops(&ruleset("accept", &rules)), [false, true]);
}

#[test]
fn what_depends_on_more_than_devices_is_not_told() {
    let source = json!({ "match": {
        "op": "==", "left": { "payload": { "protocol": "ip", "field": "saddr" } }, "right": "10.1.0.1",
    } });
    let some_pass = [("forward", json!([source, { "accept": null }]))];
    assert_eq!(stops(&ruleset("drop", &some_pass)), [false, false]);
    let some_are_dropped = [("forward", json!([source, { "drop": null }]))];
    assert_eq!(stops(&ruleset("accept", &some_are_dropped)), [false, false]);
    let round = [("forward", json!([{ "jump": { "target": "forward" } }]))];
    assert_eq!(stops(&ruleset("drop", &round)), [false, false]);
}

#[test]
fn the_remedy_speaks_to_who_has_made_the_chain() {
    let chain = |family: &str, name: &str| Chain {
        family: family.to_owned(),
        table: "filter".to_owned(),
        name: name.to_owned(),
        hook: None,
        policy: None,
    };
    let by = |family, name| chain(family, name).opening("lan0", "vpn0");
    assert_eq!(by("ip", "FORWARD"), "iptables -I FORWARD -i lan0 -o vpn0 -j ACCEPT");
    assert!(by("inet", "forward").starts_with("nft insert rule inet filter forward iifname lan0"));
}
