//! Two gateways, one on each side.

use super::deployment;
use super::network::Network;
use super::weather::Weather;
use std::time::Duration;

/// Asserts that all is well, and says by which seed it is not.
pub(super) fn assert_sound(network: &mut Network, seed: u64) {
    let missing = network.unreachable();
    let faults = network.tunnel_faults();
    assert!(missing.is_empty(), "seed {seed}: unreachable {missing:?}, tunnels {faults:?}");
    assert!(faults.is_empty(), "seed {seed}: {faults:?}");
    assert!(network.violations.is_empty(), "seed {seed}: {:?}", network.violations);
}

#[test]
fn two_gateways_connect_and_carry_packets_both_ways() {
    let mut network = Network::start(deployment::pair(), 1);
    network.run(Duration::from_secs(5));
    assert_sound(&mut network, 1);
}

#[test]
fn same_seed_gives_the_same_trace() {
    let trace = |seed| {
        let mut network = Network::start(deployment::pair(), seed);
        network.weather = Weather::foul(network.random());
        network.run(Duration::from_secs(20));
        network.trace()
    };
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}

#[test]
fn nothing_leaves_in_the_clear_before_a_tunnel_is_up() {
    let mut network = Network::start(deployment::pair(), 5);
    network.weather.loss = 100;
    network.run(Duration::from_secs(3));
    assert!(!network.unreachable().is_empty());
    assert!(network.violations.is_empty(), "{:?}", network.violations);
}

#[test]
fn any_weather_and_any_accident_heals() {
    for seed in 0..180 {
        let mut network = Network::start(deployment::pair(), seed);
        trouble(&mut network);
        network.heal();
        network.run(Duration::from_secs(45));
        assert_sound(&mut network, seed);
    }
}

/// Half a minute of bad weather, cuts, crashes and starts.
pub(super) fn trouble(network: &mut Network) {
    use crate::random::Random;
    for _ in 0..6 {
        network.weather = Weather::foul(network.random());
        let nodes = network.len() as u64;
        let (a, b) =
            (network.random().below(nodes) as usize, network.random().below(nodes) as usize);
        match network.random().below(4) {
            0 if network.runs(a) => network.crash(a),
            0 => network.boot(a),
            1 if a != b => network.cut(a, b),
            _ => {}
        }
        let pause = Duration::from_millis(network.random().below(8000));
        network.run(pause);
    }
}
