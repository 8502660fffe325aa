//! Hosts in VXLAN segments, two VPCs with equal prefixes: the wishes for them, refused, taken away and
//! changed, and virtual routers with Ethernet addresses of their own.

use super::deployment;
use super::network::{Network, next_hop};
use super::orders::ask;
use crate::config::Config;
use crate::control::{Reply, Request};
use crate::gateway::world::{VirtualMac, Wish};
use crate::net::VpcId;
use std::collections::BTreeSet;
use std::time::Duration;

const VPC: VpcId = VpcId(0);

fn running(seed: u64) -> Network {
    let mut network = Network::start(deployment::segments(), seed);
    network.run(Duration::from_secs(8));
    assert_eq!(network.unreachable(), []);
    network
}

fn standing(network: &mut Network, node: usize, which: impl Fn(&Wish) -> bool) -> BTreeSet<Wish> {
    network.node(node).standing().iter().filter(|wish| which(wish)).cloned().collect()
}

fn of_segments(wish: &Wish) -> bool {
    matches!(wish, Wish::Admission(_) | Wish::Segment(_) | Wish::VirtualMac(_))
}

fn virtual_macs(network: &mut Network, node: usize) -> usize {
    standing(network, node, |wish| matches!(wish, Wish::VirtualMac(_))).len()
}

fn reload(network: &mut Network, node: usize, change: impl Fn(&mut Config)) {
    let mut config = network.node(node).config.clone();
    change(&mut config);
    network.with_node(node, |node, now| {
        node.operate(now, |gateway, at| {
            gateway.reconfigure(config, at).expect("a change while running");
        });
    });
}

/// Whether the segment of each VPC of the first node is up, and what of it the host refuses.
fn shown(network: &mut Network) -> Vec<(bool, String)> {
    match ask(network, 0, &Request::Vpcs) {
        Reply::Vpcs(view) => view
            .vpcs
            .into_iter()
            .map(|vpc| {
                let refused = vpc.refusals.iter().map(|refusal| refusal.what.as_str());
                let refused = refused.collect::<Vec<_>>().join(", ");
                (vpc.segment.is_some_and(|segment| segment.up), refused)
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn hosts_of_both_vpcs_reach_theirs_and_the_active_router_alone_has_its_ethernet_address() {
    let mut network = running(61);
    // Two VPCs, two families.
    assert_eq!([0, 1, 2].map(|node| virtual_macs(&mut network, node)), [4, 0, 4]);
    let segments = standing(&mut network, 0, |wish| matches!(wish, Wish::Segment(_)));
    assert_eq!(segments.len(), 2);
    assert_eq!(shown(&mut network), [(true, String::new()), (true, String::new())]);
}

/// Frames to a virtual router reach whoever has its Ethernet address, so these hosts, which never
/// ask again and are told nothing new, go on.
#[test]
fn hosts_keep_what_they_know_when_another_gateway_takes_over() {
    let mut network = running(62);
    network.crash(0);
    network.run(Duration::from_secs(3));
    assert_eq!(virtual_macs(&mut network, 1), 4);
    assert_eq!(network.believed(1, VPC, next_hop(1, true)), Some(1));
    assert_eq!(network.unreachable(), []);
    network.boot(0);
    network.run(Duration::from_secs(8));
    assert_eq!([0, 1].map(|node| virtual_macs(&mut network, node)), [4, 0]);
    assert_eq!(network.unreachable(), []);
}

#[test]
fn hosts_are_told_the_interface_s_own_address_while_the_virtual_one_is_refused() {
    let mut network = running(63);
    let macs = standing(&mut network, 0, |wish| matches!(wish, Wish::VirtualMac(_)));
    macs.iter().for_each(|wish| network.node(0).refuse(wish, true));
    let macs: Vec<Wish> = macs.into_iter().collect();
    network.with_node(0, |node, now| node.take_away(&macs, now));
    network.run(Duration::from_secs(2));
    assert_eq!(virtual_macs(&mut network, 0), 0);
    assert_eq!(network.believed(1, VPC, next_hop(1, true)), Some(0));
    assert_eq!(network.unreachable(), []);
    macs.iter().for_each(|wish| network.node(0).refuse(wish, false));
    network.run(Duration::from_secs(40));
    assert_eq!(virtual_macs(&mut network, 0), 4);
    assert_eq!(network.unreachable(), []);
}

#[test]
fn no_segment_stands_without_its_guard() {
    let mut network = running(64);
    let guards: Vec<Wish> =
        standing(&mut network, 0, |wish| matches!(wish, Wish::Admission(_))).into_iter().collect();
    guards.iter().for_each(|wish| network.node(0).refuse(wish, true));
    let all = standing(&mut network, 0, of_segments);
    let from_the_top: Vec<Wish> = all.iter().rev().cloned().collect();
    network.with_node(0, |node, now| node.take_away(&from_the_top, now));
    network.run(Duration::from_secs(2));
    assert!(standing(&mut network, 0, |wish| matches!(wish, Wish::Segment(_))).is_empty());
    let shown = shown(&mut network);
    assert_eq!(shown.iter().map(|(up, _)| *up).collect::<Vec<_>>(), [false, false]);
    assert!(shown.iter().all(|(_, refused)| refused.contains("guard of VNI")), "{shown:?}");
    guards.iter().for_each(|wish| network.node(0).refuse(wish, false));
    network.run(Duration::from_secs(40));
    assert_eq!(standing(&mut network, 0, of_segments), all);
}

#[test]
fn a_segment_follows_its_configuration_and_goes_with_it() {
    let mut network = running(65);
    let before = standing(&mut network, 0, of_segments);
    reload(&mut network, 0, |config| {
        let vxlan = config.vpcs.get_mut(&VPC).and_then(|vpc| vpc.vxlan.as_mut());
        vxlan.expect("a segment").vteps.insert([10, 9, 1, 12].into());
    });
    let after = standing(&mut network, 0, of_segments);
    assert_eq!(after.len(), before.len());
    let listed = |wish: &Wish| match wish {
        Wish::Segment(segment) if segment.vpc == VPC => Some(segment.vteps.len()),
        _ => None,
    };
    assert_eq!(after.iter().find_map(listed), Some(3));
    // The virtual routers did not notice.
    let macs = |set: &BTreeSet<Wish>| -> Vec<VirtualMac> {
        let macs = set.iter().filter_map(|wish| match wish {
            Wish::VirtualMac(one) => Some(one.clone()),
            _ => None,
        });
        macs.collect()
    };
    assert_eq!(macs(&after), macs(&before));
    reload(&mut network, 0, |config| {
        let vpc = config.vpcs.get_mut(&VPC).expect("the VPC");
        (vpc.vxlan, vpc.interface) = (None, None);
        vpc.vrrp.clear();
    });
    let left = standing(&mut network, 0, of_segments);
    assert!(left.iter().all(|wish| wish.vpc() != Some(VPC)), "{left:?}");
    assert_eq!(left.len(), before.len() / 2);
}

#[test]
fn an_orderly_end_leaves_nothing_of_a_segment() {
    let mut network = running(66);
    network.with_node(0, |node, now| {
        node.operate(now, |gateway, at| {
            gateway.withdraw(now);
            gateway.shutdown(at);
        })
    });
    assert!(standing(&mut network, 0, of_segments).is_empty());
}
