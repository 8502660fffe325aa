//! Several slots under one IKE SA: each has a Child SA of its own, whatever happens to the others.

use super::net::*;
use crate::ike::*;
use std::collections::BTreeMap;

const RED: SlotId = SlotId(3);
const BLUE: SlotId = SlotId(5);

/// Both ends serve the named slots, all with the same traffic selectors.
fn configs(slots: [&[(SlotId, &str)]; 2]) -> [ConnectionConfig; 2] {
    let mut configs = config_pair((psk("a secret"), psk("a secret")));
    for (config, slots) in configs.iter_mut().zip(slots) {
        let only = slot(config).clone();
        let named = |&(id, name): &(SlotId, &str)| {
            (id, SlotConfig { name: name.to_owned(), ..only.clone() })
        };
        config.slots = slots.iter().map(named).collect();
    }
    configs
}

/// West has red and blue; East has them too, under other numbers and in the other order.
fn two_vpcs() -> [ConnectionConfig; 2] {
    configs([&[(RED, "red"), (BLUE, "blue")], &[(RED, "blue"), (BLUE, "red")]])
}

/// The SPIs of the Child SAs in use by the name of their slot, inbound first.
fn spis(net: &Net, end: usize, config: &ConnectionConfig) -> BTreeMap<String, (u32, u32)> {
    let ike_sas = net.ends[end].ike_sas();
    assert_eq!(ike_sas.len(), 1, "one IKE SA");
    let used = ike_sas[0].children.iter().filter(|child| child.in_use);
    let spis: Vec<_> = used
        .map(|child| {
            let name = config.slots[&child.slot].name.clone();
            (name, (child.inbound.0, child.outbound.0))
        })
        .collect();
    let by_name: BTreeMap<_, _> = spis.iter().cloned().collect();
    assert_eq!(by_name.len(), spis.len(), "one Child SA a slot: {spis:?}");
    by_name
}

/// Both ends have a Child SA for exactly these names, and mean the same by each.
#[track_caller]
fn assert_slots(net: &Net, configs: &[ConnectionConfig; 2], names: &[&str]) {
    let west = spis(net, WEST, &configs[WEST]);
    let east = spis(net, EAST, &configs[EAST]);
    assert_eq!(west.keys().collect::<Vec<_>>(), names);
    let crossed: BTreeMap<_, _> =
        east.into_iter().map(|(name, (inbound, outbound))| (name, (outbound, inbound))).collect();
    assert_eq!(west, crossed);
}

fn failures_of(net: &Net, end: usize, wanted: SlotId) -> usize {
    net.ends[end]
        .count(|event| matches!(event, Event::Failed { slot: Some(slot), .. } if *slot == wanted))
}

#[test]
fn slots_with_equal_selectors_find_each_other_by_name_under_one_ike_sa() {
    let mut net = Net::new(70, two_vpcs());
    net.run(secs(1));
    assert_slots(&net, &two_vpcs(), &["blue", "red"]);
}

#[test]
fn every_slot_keeps_its_child_sa_through_rekeying_of_all_kinds() {
    let mut net = Net::new(71, two_vpcs());
    net.run(secs(1));
    for end in [WEST, EAST] {
        let before = spis(&net, end, &two_vpcs()[end]);
        net.at(end, |endpoint, at| endpoint.rekey_child(CONNECTION, RED, at));
        net.run(secs(2));
        net.at(end, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
        net.run(secs(2));
        assert_slots(&net, &two_vpcs(), &["blue", "red"]);
        let (after, name) = (spis(&net, end, &two_vpcs()[end]), &two_vpcs()[end].slots[&RED].name);
        for (slot, spis) in after {
            assert_eq!(before[&slot] != spis, slot == *name, "only {name} has new keys");
        }
    }
}

#[test]
fn a_refused_slot_is_retried_and_does_not_end_the_others() {
    let both = &[(RED, "red"), (BLUE, "blue")];
    let lacking = configs([both, &[(BLUE, "blue")]]);
    let mut net = Net::new(72, lacking.clone());
    net.run(secs(20));
    assert_slots(&net, &lacking, &["blue"]);
    let failures = failures_of(&net, WEST, RED);
    assert!((3..20).contains(&failures), "retried, ever more seldom: {failures}");
    assert!(net.ends[WEST].failures().iter().any(|text| text.contains("traffic selectors")));
    assert!(net.ends[EAST].failures().iter().any(|text| text.contains("asks for \"red\"")));

    let complete = configs([both, both]);
    let east = complete[EAST].clone();
    net.at(EAST, |endpoint, at| endpoint.update_connection(CONNECTION, east, at));
    net.run(secs(60));
    assert_slots(&net, &complete, &["blue", "red"]);
    assert_eq!(net.ends[WEST].count(|event| matches!(event, Event::Down { .. })), 0);
}

#[test]
fn a_slot_that_comes_or_goes_leaves_the_others_alone() {
    let (one, both): (&[_], &[_]) = (&[(RED, "red")], &[(RED, "red"), (BLUE, "blue")]);
    let (before, after) = (configs([one, one]), configs([both, both]));
    let mut net = Net::new(73, before.clone());
    net.run(secs(1));
    let red = spis(&net, WEST, &before[WEST]);
    for end in [EAST, WEST] {
        let config = after[end].clone();
        net.at(end, |endpoint, at| endpoint.update_connection(CONNECTION, config, at));
    }
    net.run(secs(5));
    assert_slots(&net, &after, &["blue", "red"]);
    assert_eq!(spis(&net, WEST, &after[WEST])["red"], red["red"]);
    let config = before[WEST].clone();
    net.at(WEST, |endpoint, at| endpoint.update_connection(CONNECTION, config, at));
    net.run(secs(5));
    assert_eq!(spis(&net, WEST, &before[WEST]), red);
    assert_eq!(spis(&net, EAST, &after[EAST]).len(), 1, "the peer was told");
    let downs = |event: &Event| matches!(event, Event::Down { .. });
    assert_eq!([WEST, EAST].map(|end| net.ends[end].count(downs)), [0, 0]);
}

#[test]
fn both_sides_may_begin_at_once() {
    let mut configs = two_vpcs();
    configs.iter_mut().for_each(|config| config.initiate = true);
    for seed in 74..90 {
        let mut net = Net::new(seed, configs.clone());
        net.run(secs(20));
        assert_slots(&net, &configs, &["blue", "red"]);
    }
}

#[test]
fn a_side_with_one_slot_gets_the_one_that_it_names() {
    let configs = configs([&[(RED, "blue")], &[(RED, "red"), (BLUE, "blue")]]);
    let mut net = Net::new(91, configs.clone());
    net.run(secs(20));
    assert_slots(&net, &configs, &["blue"]);
}
