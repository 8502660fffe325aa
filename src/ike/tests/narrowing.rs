//! Several Child SAs in one slot: a peer that takes a part of the traffic in each (RFC 7296 §2.9).

use super::net::*;
use crate::ike::*;
use crate::net::Prefix;
use crate::wire::ike::TrafficSelector;
use std::collections::BTreeMap;

const HERE: &str = "10.1.0.0/16";
const THERE: [&str; 2] = ["10.2.0.0/24", "10.2.1.0/24"];
/// The east's slots, one for each of its prefixes.
const SLOTS: [SlotId; 2] = [SlotId(3), SlotId(5)];

fn selector(prefix: &str) -> TrafficSelector {
    TrafficSelector::any_protocol(prefix.parse::<Prefix>().expect("a prefix in a test"))
}

/// West has one slot with `pairs`; East is a peer with a policy for each of its prefixes.
fn configs_with(pairs: &[&str]) -> [ConnectionConfig; 2] {
    let [mut west, mut east] = config_pair((psk("a secret"), psk("a secret")));
    let pair = |there: &&str| Pair { local: selector(HERE), remote: selector(there) };
    *slot(&mut west) = SlotConfig {
        pairs: pairs.iter().map(pair).collect(),
        ..SlotConfig::new(selectors(&[HERE]), selectors(&THERE))
    };
    let of = |there: &str| SlotConfig::new(selectors(&[there]), selectors(&[HERE]));
    east.slots = SLOTS.into_iter().zip(THERE.map(of)).collect();
    [west, east]
}

fn configs() -> [ConnectionConfig; 2] {
    configs_with(&THERE)
}

fn initiated_by_east() -> [ConnectionConfig; 2] {
    let [west, east] = configs();
    [ConnectionConfig { initiate: false, ..west }, ConnectionConfig { initiate: true, ..east }]
}

fn tunnel(seed: u64, configs: [ConnectionConfig; 2]) -> Net {
    let mut net = Net::new(seed, configs);
    net.run(secs(3));
    assert_each_pair_has_its_sa(&mut net);
    net
}

/// The inbound SPI of the Child SA in use for each of the peer's prefixes.
fn spis(net: &Net, end: usize) -> BTreeMap<String, u32> {
    let ike_sas = net.ends[end].ike_sas();
    assert_eq!(ike_sas.len(), 1, "one IKE SA");
    let used = ike_sas[0].children.iter().filter(|child| child.in_use);
    let there = |child: &ChildView| if end == WEST { &child.remote_ts } else { &child.local_ts }[0];
    used.map(|child| (there(child).to_string(), child.inbound.0)).collect()
}

/// Both ends have one Child SA for each pair, and send on all of them.
#[track_caller]
fn assert_each_pair_has_its_sa(net: &mut Net) {
    for end in [WEST, EAST] {
        assert_eq!(spis(net, end).keys().collect::<Vec<_>>(), THERE);
        let senders = net.ends[end].senders();
        assert_eq!((senders.len(), net.ends[end].children()), (2, 2));
        for child in senders {
            assert!(net.ping_on(end, child), "{child} of {end} is not opened");
        }
    }
}

fn failures_of(net: &Net, end: usize) -> usize {
    net.ends[end].count(|event| matches!(event, Event::Failed { .. }))
}

#[test]
fn a_peer_that_takes_one_pair_at_a_time_is_asked_for_the_others() {
    let mut net = tunnel(1, configs());
    let before = spis(&net, WEST);
    net.run(secs(120));
    assert_each_pair_has_its_sa(&mut net);
    assert_eq!((spis(&net, WEST), failures_of(&net, WEST)), (before, 0), "nothing is asked twice");
}

#[test]
fn a_peer_may_make_a_child_sa_for_each_pair() {
    let mut net = tunnel(2, initiated_by_east());
    net.run(secs(120));
    assert_each_pair_has_its_sa(&mut net);
}

#[test]
fn new_keys_are_for_the_same_traffic() {
    for (seed, configs) in [(3, configs()), (4, initiated_by_east())] {
        for end in [WEST, EAST] {
            let mut net = tunnel(seed, configs.clone());
            for slot in configs[end].slots.keys() {
                let before = spis(&net, end);
                net.at(end, |endpoint, at| endpoint.rekey_child(CONNECTION, *slot, at));
                for _ in 0..200 {
                    for from in [WEST, EAST] {
                        for child in net.ends[from].senders() {
                            assert!(net.ping_on(from, child), "{child} of {from} loses a packet");
                        }
                    }
                    net.run(ms(10));
                }
                assert_each_pair_has_its_sa(&mut net);
                assert_ne!(spis(&net, end), before);
            }
            net.at(end, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
            net.run(secs(2));
            assert_each_pair_has_its_sa(&mut net);
        }
    }
}

#[test]
fn lifetimes_of_all_of_them_rekey_by_themselves() {
    let mut configs = configs();
    for config in &mut configs {
        for slot in config.slots.values_mut() {
            slot.lifetime = Lifetime { soft: secs(20), jitter: secs(4), hard: secs(30) };
        }
        config.ike_lifetime = Lifetime { soft: secs(45), jitter: secs(9), hard: secs(60) };
    }
    let mut net = tunnel(5, configs);
    net.run(secs(200));
    assert_each_pair_has_its_sa(&mut net);
    assert_eq!(net.ends[WEST].count(|event| matches!(event, Event::Down { .. })), 0);
}

#[test]
fn a_pair_whose_child_sa_the_peer_deletes_gets_another() {
    let mut net = tunnel(6, configs());
    let mut fewer = configs()[EAST].clone();
    fewer.slots.remove(&SLOTS[1]);
    net.at(EAST, |endpoint, at| endpoint.update_connection(CONNECTION, fewer, at));
    net.run(secs(1));
    assert_eq!(spis(&net, WEST).len(), 1, "the other one stays");
    let all = configs()[EAST].clone();
    net.at(EAST, |endpoint, at| endpoint.update_connection(CONNECTION, all, at));
    net.run(secs(10));
    assert_each_pair_has_its_sa(&mut net);
}

#[test]
fn a_pair_that_the_peer_refuses_is_asked_for_ever_more_seldom() {
    let mut net = tunnel(7, configs_with(&[THERE[0], THERE[1], "172.16.0.0/24"]));
    net.run(secs(3600));
    assert_each_pair_has_its_sa(&mut net);
    let failures = failures_of(&net, WEST);
    assert!((8..25).contains(&failures), "{failures}");
    let words = net.ends[WEST].failures();
    assert!(words.iter().all(|text| text.contains("172.16.0.0/24")), "{words:?}");
}

#[test]
fn a_peer_that_refuses_all_at_once_is_asked_for_the_pairs() {
    let mut configs = configs();
    slot(&mut configs[WEST]).local_ts = selectors(&["192.168.0.0/24"]);
    let mut net = tunnel(8, configs);
    net.run(secs(60));
    assert_each_pair_has_its_sa(&mut net);
}

#[test]
fn a_pair_more_in_the_configuration_leaves_the_others_alone() {
    let mut net = Net::new(9, configs_with(&THERE[..1]));
    net.run(secs(10));
    let before = spis(&net, WEST);
    assert_eq!(before.len(), 1);
    let west = configs()[WEST].clone();
    net.at(WEST, |endpoint, at| endpoint.update_connection(CONNECTION, west, at));
    net.run(secs(3));
    assert_each_pair_has_its_sa(&mut net);
    assert_eq!(spis(&net, WEST)[THERE[0]], before[THERE[0]]);
}

#[test]
fn many_policies_fit_into_one_tunnel() {
    let there: Vec<String> = (0..24).map(|n| format!("10.2.{n}.0/24")).collect();
    let there: Vec<&str> = there.iter().map(String::as_str).collect();
    for initiator in [WEST, EAST] {
        let mut configs = configs_with(&there);
        slot(&mut configs[WEST]).remote_ts = selectors(&there);
        let of = |one: &&str| SlotConfig::new(selectors(&[*one]), selectors(&[HERE]));
        configs[EAST].slots = (0..).map(SlotId).zip(there.iter().map(of)).collect();
        for (end, config) in configs.iter_mut().enumerate() {
            config.initiate = end == initiator;
        }
        let mut net = Net::new(10, configs);
        net.run(secs(60));
        assert_eq!(spis(&net, WEST).len(), there.len(), "begun by {initiator}");
        net.at(WEST, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at));
        net.run(secs(60));
        assert_eq!(spis(&net, WEST).len(), there.len());
        assert_eq!(net.ends[EAST].senders().len(), there.len());
        assert_eq!([WEST, EAST].map(|end| failures_of(&net, end)), [0, 0]);
    }
}

/// East has a policy for each of some protocols, West any traffic.
fn by_protocol(protocols: &[u8], initiator: usize) -> [ConnectionConfig; 2] {
    let [mut west, mut east] = configs_with(&THERE[..1]);
    slot(&mut west).remote_ts = selectors(&THERE[..1]);
    let with = |text: &str, protocol| vec![TrafficSelector { protocol, ..selector(text) }];
    let of = |&one: &u8| SlotConfig::new(with(THERE[0], one), with(HERE, one));
    east.slots = (0..).map(SlotId).zip(protocols.iter().map(of)).collect();
    let starts = |end| end == initiator;
    [
        ConnectionConfig { initiate: starts(WEST), ..west },
        ConnectionConfig { initiate: starts(EAST), ..east },
    ]
}

#[test]
fn a_peer_that_takes_protocols_one_by_one_is_asked_for_the_others() {
    const EACH: [u8; 3] = [6, 17, 1];
    for initiator in [WEST, EAST] {
        let mut net = Net::new(11, by_protocol(&EACH, initiator));
        for _ in 0..3 {
            net.run(secs(20));
            let mut taken: Vec<String> = spis(&net, WEST).into_keys().collect();
            taken.sort();
            let expected = ["1", "17", "6"].map(|one| format!("{} protocol {one}", THERE[0]));
            assert_eq!(taken, expected, "begun by {initiator}");
            assert_eq!(net.ends[EAST].children(), EACH.len());
            assert_eq!([WEST, EAST].map(|end| failures_of(&net, end)), [0, 0]);
            net.at(initiator, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
        }
    }
}

#[test]
fn a_protocol_that_the_peer_refuses_is_asked_for_ever_more_seldom() {
    let mut net = Net::new(12, by_protocol(&[6], WEST));
    net.run(secs(3600));
    assert_eq!(spis(&net, WEST).len(), 1);
    let failures = failures_of(&net, WEST);
    assert!((8..40).contains(&failures), "{failures}");
    assert!(net.ends[WEST].failures().iter().all(|text| !text.contains("protocol 6")));
}
