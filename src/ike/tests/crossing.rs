//! Both sides ask for a Child SA of the same slot at once, on a bad wire. When it has healed, every
//! slot has one.

use super::net::*;
use crate::ike::*;
use crate::random::Random;
use std::collections::BTreeMap;

/// Two ends with one slot each.
fn configs() -> [ConnectionConfig; 2] {
    config_pair((psk("a secret"), psk("a secret")))
}

/// The SPIs of all Child SAs by their slot, inbound first.
fn spis(net: &Net, end: usize) -> BTreeMap<SlotId, Vec<(u32, u32)>> {
    let mut by_slot: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for child in net.ends[end].ike_sas().iter().flat_map(|sa| &sa.children) {
        by_slot.entry(child.slot).or_default().push((child.inbound.0, child.outbound.0));
    }
    by_slot
}

/// Both ends have one Child SA for each slot, the same ones, and send on them.
#[track_caller]
fn assert_one_each(net: &mut Net, why: &str) {
    let [west, mut east] = [WEST, EAST].map(|end| spis(net, end));
    for spis in east.values_mut().flatten() {
        *spis = (spis.1, spis.0);
    }
    let counts: Vec<_> = west.iter().map(|(slot, spis)| (*slot, spis.len())).collect();
    assert_eq!(counts, [(RED, 1), (BLUE, 1)], "{why}: {west:?} {east:?}");
    assert_eq!(west, east, "{why}");
    for end in [WEST, EAST] {
        for child in net.ends[end].senders() {
            assert!(net.ping_on(end, child), "{why}: {child} of {end} is not opened");
        }
    }
}

fn update(net: &mut Net, end: usize, configs: [ConnectionConfig; 2]) {
    let [west, east] = configs;
    let config = if end == WEST { west } else { east };
    net.at(end, |endpoint, at| endpoint.update_connection(CONNECTION, config, at));
}

fn crossing(seed: u64) {
    let mut net = Net::new(20_000 + seed, red_and_blue(configs()));
    net.run(secs(10));
    for _ in 0..4 {
        let (loss_percent, jitter) = (net.random.below(50), ms(net.random.below(800)));
        let duplicate_percent = net.random.below(30);
        net.faults = Faults { loss_percent, duplicate_percent, jitter };
        let first = net.random.below(2) as usize;
        for (end, configs) in [first, 1 - first]
            .into_iter()
            .flat_map(|end| [(end, only_blue(configs())), (end, red_and_blue(configs()))])
        {
            update(&mut net, end, configs);
            let pause = ms(net.random.below(1500));
            net.run(pause);
        }
        net.run(secs(20));
        net.faults = Faults::default();
        net.run(secs(90));
        assert_one_each(&mut net, &format!("seed {seed}"));
    }
}

#[test]
fn after_any_crossing_every_slot_has_one_child_sa() {
    let seeds = std::env::var("SOAK_SEEDS").ok().and_then(|text| text.parse().ok());
    (0..seeds.unwrap_or(6)).for_each(crossing);
}
