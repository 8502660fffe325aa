//! Hosts find the active router of their region whatever happens to it, though they ask only
//! once: by answers at first, by announcements from then on.

use super::deployment;
use super::network::{Network, Probe, next_hop};
use crate::net::VpcId;
use std::time::Duration;

const VPC: VpcId = VpcId(0);

/// Region 1 has the nodes 0 and 1; node 0 has the higher priority.
fn running(seed: u64) -> Network {
    let mut network = Network::start(deployment::six(), seed);
    network.run(Duration::from_secs(8));
    assert_eq!(network.unreachable(), []);
    network
}

fn believed(network: &Network) -> [Option<usize>; 2] {
    [true, false].map(|ipv4| network.believed(1, VPC, next_hop(1, ipv4)))
}

#[test]
fn hosts_learn_where_their_gateway_is_by_asking() {
    let mut network = Network::start(deployment::six(), 31);
    network.run(Duration::from_secs(8));
    assert_eq!(believed(&network), [None; 2]);
    assert_eq!(network.unreachable(), []);
    assert_eq!(believed(&network), [Some(0); 2]);
}

#[test]
fn hosts_learn_of_a_takeover_by_its_announcement() {
    let mut network = running(32);
    network.crash(0);
    network.run(Duration::from_secs(3));
    assert_eq!(believed(&network), [Some(1); 2]);
    assert_eq!(network.unreachable(), []);
    network.boot(0);
    network.run(Duration::from_secs(8));
    assert_eq!(believed(&network), [Some(0); 2]);
    assert_eq!(network.unreachable(), []);
}

/// Advertisements alone are lost, so both answer, and the hosts believe who spoke last. When the
/// split has healed one of them says nothing any more: the other must tell the hosts.
#[test]
fn hosts_that_believed_the_wrong_router_during_a_split_are_corrected_at_its_end() {
    for seed in 33..37 {
        let mut network = running(seed);
        network.mute_vrrp(1, true);
        network.run(Duration::from_secs(4));
        assert!(network.node(1).is_active_router(VPC, true), "both are active");
        network.mute_vrrp(1, false);
        network.run(Duration::from_secs(2));
        assert!(!network.node(1).is_active_router(VPC, true));
        assert_eq!(believed(&network), [Some(0); 2], "seed {seed}");
        assert_eq!(network.unreachable(), []);
    }
}

#[test]
fn hosts_on_the_far_side_of_a_split_come_back() {
    for seed in 41..45 {
        let mut network = running(seed);
        network.split_lan(1, true);
        network.run(Duration::from_secs(4));
        assert_eq!(believed(&network), [Some(1); 2], "seed {seed}");
        network.split_lan(1, false);
        (2..6).for_each(|other| network.cut(1, other));
        network.run(Duration::from_secs(3));
        assert_eq!(believed(&network), [Some(0); 2], "seed {seed}");
        assert_eq!(network.unreachable(), []);
    }
}

#[test]
fn an_orderly_end_hands_the_hosts_over() {
    let mut network = running(51);
    network.with_node(0, |node, now| node.operate(now, |gateway, _| gateway.withdraw(now)));
    network.run(Duration::from_millis(300));
    assert_eq!(believed(&network), [Some(1); 2]);
}

#[test]
fn an_interface_that_was_replaced_is_announced_with_its_new_ethernet_address() {
    let mut network = running(52);
    network.with_node(0, |node, now| node.replace_interface(now));
    network.run(Duration::from_millis(1100));
    assert_eq!(believed(&network), [Some(0); 2]);
    assert_eq!(network.unreachable(), []);
}

#[test]
fn virtual_addresses_stand_on_the_device_of_the_active_router_also_after_a_reload() {
    let mut network = running(53);
    let mut config = network.node(0).config.clone();
    config.vpcs.values_mut().for_each(|vpc| vpc.transit = true);
    network.with_node(0, |node, now| {
        node.operate(now, |gateway, at| {
            assert_eq!(gateway.reconfigure(config, at).map(|done| done.steps()), Ok(1));
        });
    });
    for ipv4 in [true, false] {
        assert!(network.node(0).has_address(VPC, next_hop(1, ipv4)));
        assert!(!network.node(1).has_address(VPC, next_hop(1, ipv4)));
    }
}

/// Neither do its hosts find it, nor do the other regions send packets for them by it.
#[test]
fn a_gateway_without_an_ipv4_address_on_its_lan_is_left_for_its_neighbour_in_that_family() {
    let mut network = running(54);
    network.with_node(0, |node, now| node.set_lan_ipv4(false, now));
    network.run(Duration::from_secs(3));
    assert_eq!(believed(&network), [Some(1), Some(0)]);
    assert!(!network.unreachable().iter().any(|probe: &Probe| probe.ipv4));
    network.with_node(0, |node, now| node.set_lan_ipv4(true, now));
    network.run(Duration::from_secs(3));
    assert_eq!(believed(&network), [Some(0); 2]);
    assert_eq!(network.unreachable(), []);
}
