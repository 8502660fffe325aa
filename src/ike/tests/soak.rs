//! Seeded chaos: loss, duplication, reordering, rekeys, restarts, partitions. After the wire
//! heals, exactly one tunnel.

use super::net::*;
use crate::ike::*;
use crate::random::Random;

fn chaos_configs(net_seed: u64) -> [ConnectionConfig; 2] {
    config_pair((psk("a secret"), psk("a secret"))).map(|mut config| {
        slot(&mut config).lifetime = Lifetime { soft: secs(15), jitter: secs(10), hard: secs(40) };
        ConnectionConfig {
            initiate: net_seed.is_multiple_of(2) || config.initiate,
            ike_lifetime: Lifetime { soft: secs(25), jitter: secs(20), hard: secs(80) },
            ..config
        }
    })
}

fn calm_configs(net_seed: u64) -> [ConnectionConfig; 2] {
    chaos_configs(net_seed).map(|mut config| {
        slot(&mut config).lifetime = Lifetime::of(secs(3600));
        ConnectionConfig { ike_lifetime: Lifetime::of(secs(4 * 3600)), ..config }
    })
}

fn disturb(net: &mut Net, seed: u64) {
    let end = net.random.below(2) as usize;
    match net.random.below(12) {
        0 | 1 => net.at(end, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at)),
        2 | 3 => net.at(end, |endpoint, at| endpoint.rekey_ike(CONNECTION, at)),
        4 => {
            for end in [WEST, EAST] {
                net.at(end, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
            }
        }
        5 => {
            for end in [WEST, EAST] {
                net.at(end, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at));
            }
        }
        6 => net.crash(end, chaos_configs(seed)[end].clone()),
        7 => {
            net.at(end, |endpoint, at| endpoint.terminate(CONNECTION, at));
            net.run(ms(100));
            net.at(WEST, |endpoint, at| endpoint.initiate(CONNECTION, at));
            net.at(end, |endpoint, at| endpoint.initiate(CONNECTION, at));
        }
        8 => {
            net.filter = Some(Box::new(|_, _| false));
            let length = net.random.below(40);
            net.run(secs(length));
            net.filter = None;
        }
        9 => {
            // Only one direction passes.
            net.filter =
                Some(Box::new(|datagram, _| datagram.from.ip().to_string() == "192.0.2.1"));
            let length = net.random.below(10);
            net.run(secs(length));
            net.filter = None;
        }
        _ => {}
    }
}

fn soak(seed: u64) {
    let mut net = Net::new(10_000 + seed, chaos_configs(seed));
    for _ in 0..20 {
        net.faults = Faults {
            loss_percent: net.random.below(50),
            duplicate_percent: net.random.below(30),
            jitter: ms(net.random.below(300)),
        };
        disturb(&mut net, seed);
        for _ in 0..10 {
            let pause = net.random.below(400);
            net.run(ms(pause));
            net.ping(WEST);
            net.ping(EAST);
        }
    }
    net.faults = Faults::default();
    for (end, config) in calm_configs(seed).into_iter().enumerate() {
        net.at(end, |endpoint, at| endpoint.update_connection(CONNECTION, config, at));
    }
    net.run(secs(120));
    net.assert_one_tunnel();
}

#[test]
fn chaos_ends_in_one_tunnel() {
    let seeds = std::env::var("SOAK_SEEDS").ok().and_then(|text| text.parse().ok());
    for seed in 0..seeds.unwrap_or(24) {
        eprintln!("seed {seed}"); // shown when it fails
        soak(seed);
    }
}
