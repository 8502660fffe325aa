//! Virtual routers follow their interface, their configuration and the tunnels.

use super::*;
use crate::testing::deployment::{self, Site};
use crate::wire::neighbor::{Arp, ArpOperation, NeighborMessage};
use std::time::Duration;

const SITE: Site = Site { region: 1, zone: 1 };
const VPC: VpcId = VpcId(0);
const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);

fn config() -> VpcConfig {
    deployment::parse(&deployment::text(SITE, &[SITE], &["red"])).vpcs[&VPC].clone()
}

fn link(up: bool) -> LinkState {
    LinkState {
        vpc: VPC,
        interface: "lan0".to_owned(),
        up,
        mac: Some(MAC),
        ipv4: "10.1.0.2".parse().ok(),
        ipv6: "fe80::2".parse().ok(),
        complete: true,
    }
}

fn running() -> Redundancy {
    let mut redundancy = Redundancy::default();
    redundancy.configure(VPC, &config(), Timestamp::ZERO);
    redundancy.handle_link(&link(true), Timestamp::ZERO);
    drain(&mut redundancy);
    redundancy
}

fn drain(redundancy: &mut Redundancy) -> Vec<VrrpOutput> {
    std::iter::from_fn(|| redundancy.poll_output()).collect()
}

/// Runs the timers until nothing is due for three seconds.
fn settle(redundancy: &mut Redundancy) -> Timestamp {
    let end = Timestamp::from_millis(4000);
    while let Some(at) = redundancy.poll_timeout().filter(|at| *at < end) {
        redundancy.handle_timeout(at);
    }
    end
}

fn states(redundancy: &Redundancy) -> Vec<vrrp::State> {
    redundancy.members().map(|(_, member)| member.state()).collect()
}

#[test]
fn both_families_become_active_when_nobody_else_is() {
    let mut redundancy = running();
    settle(&mut redundancy);
    assert_eq!(states(&redundancy), [vrrp::State::Active; 2]);
    let installed = drain(&mut redundancy);
    let installs = installed.iter().filter(|out| matches!(out, VrrpOutput::Install { .. }));
    assert_eq!(installs.count(), 2);
}

#[test]
fn an_interface_that_goes_down_takes_its_routers_along() {
    let mut redundancy = running();
    let now = settle(&mut redundancy);
    drain(&mut redundancy);
    redundancy.handle_link(&link(false), now);
    assert_eq!(states(&redundancy), [vrrp::State::Initialize; 2]);
    let gone = drain(&mut redundancy);
    let withdrawn = gone.iter().filter(|out| matches!(out, VrrpOutput::Withdraw { .. }));
    assert_eq!(withdrawn.count(), 2);
}

#[test]
fn the_priority_follows_the_tunnels() {
    let mut redundancy = running();
    let priorities = |redundancy: &Redundancy| -> Vec<u8> {
        redundancy.members().map(|(_, member)| member.priority()).collect()
    };
    assert_eq!(priorities(&redundancy), [1, 1]);
    redundancy.on_isolation(VPC, false, Timestamp::ZERO);
    assert_eq!(priorities(&redundancy), [199, 199]);
    redundancy.on_isolation(VpcId(7), true, Timestamp::ZERO);
    assert_eq!(priorities(&redundancy), [199, 199]);
}

#[test]
fn an_unchanged_virtual_router_does_not_notice_a_reload() {
    let mut redundancy = running();
    let now = settle(&mut redundancy);
    drain(&mut redundancy);
    redundancy.configure(VPC, &config(), now);
    assert_eq!(drain(&mut redundancy), []);
    assert_eq!(states(&redundancy), [vrrp::State::Active; 2]);
    let none = VpcConfig { vrrp: Vec::new(), ..config() };
    redundancy.configure(VPC, &none, now);
    assert_eq!(redundancy.members().count(), 0);
    let gone = drain(&mut redundancy);
    assert!(gone.iter().any(|out| matches!(out, VrrpOutput::Withdraw { .. })));
}

#[test]
fn a_changed_virtual_router_joins_again_and_begins_when_the_interface_answers() {
    let mut redundancy = running();
    let now = settle(&mut redundancy);
    drain(&mut redundancy);
    let mut changed = config();
    changed.vrrp.iter_mut().for_each(|router| router.priority -= 1);
    redundancy.configure(VPC, &changed, now);
    assert_eq!(states(&redundancy), [vrrp::State::Initialize; 2]);
    let asked = drain(&mut redundancy);
    assert!(asked.iter().any(|out| matches!(out, VrrpOutput::Join { .. })), "{asked:?}");
    redundancy.handle_link(&link(true), now);
    assert_eq!(states(&redundancy), [vrrp::State::Backup; 2]);
}

#[test]
fn a_virtual_router_beside_another_joins_too() {
    let mut redundancy = running();
    let mut more = config();
    let second = VrrpConfig { vrid: 77, ..more.vrrp[0].clone() };
    more.vrrp.push(second);
    redundancy.configure(VPC, &more, Timestamp::ZERO);
    let joins = drain(&mut redundancy);
    assert!(joins.iter().any(|out| matches!(out, VrrpOutput::Join { .. })), "{joins:?}");
}

#[test]
fn what_is_no_advertisement_is_ignored() {
    let mut redundancy = running();
    let source = "10.1.0.3".parse().expect("an address");
    redundancy.handle_packet(VPC, "lan0", source, &[0x31, 1, 2], Timestamp::ZERO);
    redundancy.handle_packet(VPC, "lan9", source, &[], Timestamp::ZERO);
    assert_eq!(drain(&mut redundancy), []);
}

fn frames(outputs: &[VrrpOutput]) -> Vec<NeighborFrame> {
    let frame = |output: &VrrpOutput| match output {
        VrrpOutput::Frame { bytes, .. } => Some(NeighborFrame::decode(bytes).expect("our own")),
        _ => None,
    };
    outputs.iter().filter_map(frame).collect()
}

/// A host asks for an address of the virtual router.
fn question() -> Vec<u8> {
    let host = MacAddress([2, 0, 0, 0, 0, 9]);
    let arp = Arp {
        operation: ArpOperation::REQUEST,
        sender_mac: host,
        sender: "10.1.1.10".parse().expect("an address"),
        target_mac: MacAddress::UNKNOWN,
        target: "10.1.0.1".parse().expect("an address"),
    };
    let message = NeighborMessage::Arp(arp);
    NeighborFrame { destination: MacAddress::BROADCAST, source: host, message }.encode()
}

#[test]
fn an_active_router_announces_and_answers_with_the_address_of_its_interface() {
    let mut redundancy = running();
    redundancy.handle_frame(VPC, "lan0", &question(), Timestamp::ZERO);
    assert_eq!(drain(&mut redundancy), [], "nobody asked a backup");
    settle(&mut redundancy);
    let announced = frames(&drain(&mut redundancy));
    assert_eq!(announced.len(), 2 * 3, "three addresses, and once more a second later");
    assert!(announced.iter().all(|frame| frame.source == MAC && frame.destination.is_group()));
    redundancy.handle_frame(VPC, "lan0", &question(), Timestamp::ZERO);
    redundancy.handle_frame(VPC, "lan9", &question(), Timestamp::ZERO);
    redundancy.handle_frame(VpcId(7), "lan0", &question(), Timestamp::ZERO);
    let [answer] = &frames(&drain(&mut redundancy))[..] else { panic!("one answer") };
    assert_eq!((answer.source, answer.destination), (MAC, MacAddress([2, 0, 0, 0, 0, 9])));
}

#[test]
fn an_interface_with_something_missing_is_looked_at_until_nothing_is() {
    let mut redundancy = running();
    let missing = LinkState { complete: false, ipv6: None, ..link(true) };
    redundancy.handle_link(&missing, Timestamp::ZERO);
    let looks = |redundancy: &mut Redundancy| {
        settle(redundancy);
        let is_look = |output: &VrrpOutput| matches!(output, VrrpOutput::Look { .. });
        drain(redundancy).iter().filter(|output| is_look(output)).count()
    };
    assert_eq!(looks(&mut redundancy), 7, "every half second of four");
    redundancy.handle_link(&link(true), Timestamp::from_millis(4000));
    assert_eq!(looks(&mut redundancy), 0);
    redundancy.handle_unseen_link(VPC, "lan0", Timestamp::from_millis(2000));
    assert_eq!(looks(&mut redundancy), 3);
}

#[test]
fn nobody_looks_at_the_interfaces_of_a_vpc_that_is_gone() {
    let mut redundancy = running();
    redundancy.handle_unseen_link(VPC, "lan0", Timestamp::ZERO);
    let gone = VpcConfig { vrrp: Vec::new(), interface: None, ..config() };
    redundancy.configure(VPC, &gone, Timestamp::ZERO);
    drain(&mut redundancy);
    assert_eq!(redundancy.poll_timeout(), None);
    // What its tasks still tell changes nothing.
    redundancy.handle_link(&LinkState { complete: false, ..link(true) }, Timestamp::ZERO);
    redundancy.handle_unseen_link(VPC, "lan0", Timestamp::ZERO);
    assert_eq!((redundancy.poll_timeout(), drain(&mut redundancy)), (None, vec![]));
}

#[test]
fn an_active_router_follows_the_address_of_its_interface() {
    let mut redundancy = running();
    let now = settle(&mut redundancy);
    drain(&mut redundancy);
    let elsewhere = LinkState { ipv4: "10.1.0.77".parse().ok(), ..link(true) };
    redundancy.handle_link(&elsewhere, now);
    assert_eq!(states(&redundancy), [vrrp::State::Active; 2]);
    let said = drain(&mut redundancy);
    let [VrrpOutput::Send { source, .. }] = &said[..] else { panic!("{said:?}") };
    assert_eq!(*source, "10.1.0.77".parse::<IpAddr>().expect("an address"));
    let nowhere = LinkState { ipv4: None, ..link(true) };
    redundancy.handle_link(&nowhere, now);
    let ipv4 = redundancy.members().find(|(id, _)| id.ipv4).map(|(_, member)| member.state());
    assert_eq!(ipv4, Some(vrrp::State::Initialize), "without an address it stops");
    assert!(!redundancy.answers_for(VPC, "10.1.0.1".parse().expect("an address")));
}

const OTHER: &str = "10.1.0.9";

/// What `handle_packet` makes of a packet from another station: the counters of the router of
/// IPv4, and the sentence about it.
fn after_packet(bytes: &[u8]) -> (BTreeMap<&'static str, u64>, Option<String>) {
    let mut redundancy = running();
    let source = OTHER.parse().expect("an address");
    redundancy.handle_packet(VPC, "lan0", source, bytes, Timestamp::ZERO);
    let (_, member) = redundancy.members().find(|(id, _)| id.ipv4).expect("a router of IPv4");
    (member.counts(), member.troubles.last().map(|(_, trouble)| trouble.to_string()))
}

fn advertisement(vrid: u8, address: &str) -> Vec<u8> {
    let addresses = vec![address.parse().expect("an address")];
    let source = OTHER.parse().expect("an address");
    Advertisement { virtual_router_id: vrid, priority: 9, interval: 100, addresses }
        .encode(source, GROUP_V4.into())
}

#[test]
fn what_is_wrong_with_another_router_is_counted_and_said_in_words() {
    let version_two = [0x21, 1, 100, 1, 0, 1, 0, 0, 10, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut wrong = advertisement(1, "10.1.0.1");
    wrong[6] ^= 1;
    let cases: [(&[u8], &str, &str); 4] = [
        (&version_two, "version", "speaks VRRP version 2"),
        (&wrong, "checksum", "wrong checksum"),
        (&[0x31, 1, 100], "malformed", "no advertisement"),
        (&advertisement(1, "10.1.0.77"), "addresses", "10.1.0.77"),
    ];
    for (bytes, kind, words) in cases {
        let (counts, sentence) = after_packet(bytes);
        assert_eq!(counts, BTreeMap::from([(kind, 1)]));
        let sentence = sentence.expect("a sentence");
        assert!(sentence.contains(words) && sentence.contains(OTHER), "{sentence}");
    }
    assert_eq!(after_packet(&advertisement(1, "10.1.0.1")), (BTreeMap::new(), None));
}

#[test]
fn other_virtual_routers_of_the_link_are_counted_and_need_no_memory() {
    let mut redundancy = running();
    let source = OTHER.parse().expect("an address");
    for vrid in 2..=255 {
        let bytes = advertisement(vrid, "10.1.0.1");
        redundancy.handle_packet(VPC, "lan0", source, &bytes, Timestamp::ZERO);
    }
    assert_eq!((redundancy.unknown(), redundancy.members().count()), (254, 2));
    assert!(drain(&mut redundancy).is_empty());
}

/// Another station announces 10.1.0.1 as its own.
fn claim() -> Vec<u8> {
    let mac = MacAddress([2, 0, 0, 0, 0, 0x66]);
    neighbor::announcement("10.1.0.1".parse().expect("an address"), mac).encode()
}

#[test]
fn who_claims_an_address_of_ours_is_answered_once_and_counted() {
    let mut redundancy = running();
    let now = settle(&mut redundancy);
    drain(&mut redundancy);
    let mut defences = Vec::new();
    for tenth in 0..50 {
        let now = now + Duration::from_millis(100 * tenth);
        redundancy.handle_frame(VPC, "lan0", &claim(), now);
        redundancy.handle_timeout(now);
        defences.extend(frames(&drain(&mut redundancy)).iter().map(|_| 100 * tenth));
    }
    assert_eq!(defences, [1000, 2000], "a second later, and repeated once");
    let (_, member) = redundancy.members().find(|(id, _)| id.ipv4).expect("a router of IPv4");
    assert_eq!(member.counts(), BTreeMap::from([("claimed", 1)]));
}

#[test]
fn the_claim_of_a_better_router_is_not_contested() {
    let mut redundancy = running();
    let now = settle(&mut redundancy);
    drain(&mut redundancy);
    redundancy.handle_frame(VPC, "lan0", &claim(), now);
    let better = Advertisement {
        virtual_router_id: 1,
        priority: 250,
        interval: 100,
        addresses: vec!["10.1.0.1".parse().expect("an address")],
    };
    let source = OTHER.parse().expect("an address");
    let bytes = better.encode(source, GROUP_V4.into());
    redundancy.handle_packet(VPC, "lan0", source, &bytes, now);
    drain(&mut redundancy);
    redundancy.handle_timeout(now + Duration::from_secs(2));
    let of_ipv4 = |frame: &&NeighborFrame| matches!(frame.message, NeighborMessage::Arp(_));
    assert_eq!(frames(&drain(&mut redundancy)).iter().filter(of_ipv4).count(), 0);
    assert!(redundancy.members().all(|(_, member)| member.counts().is_empty()));
}

/// The example's VPC, with its hosts in a segment.
fn in_segment() -> Redundancy {
    let segments = deployment::segments();
    let config = segments.configs[0].vpcs[&VPC].clone();
    let mut redundancy = Redundancy::default();
    redundancy.configure(VPC, &config, Timestamp::ZERO);
    let link = LinkState { interface: "vx-red".to_owned(), ..link(true) };
    redundancy.handle_link(&link, Timestamp::ZERO);
    drain(&mut redundancy);
    redundancy
}

fn virtual_router(ipv4: bool) -> VirtualMac {
    VirtualMac { vpc: VPC, interface: "vx-red".to_owned(), vrid: 1, ipv4 }
}

#[test]
fn in_a_segment_everything_of_a_virtual_router_comes_from_its_own_ethernet_address() {
    let mut redundancy = in_segment();
    let now = settle(&mut redundancy);
    assert!([true, false].map(virtual_router).iter().all(|one| redundancy.is_active(one)));
    let outputs = drain(&mut redundancy);
    let (v4, v6) = (virtual_router(true).mac(), virtual_router(false).mac());
    assert_eq!((v4.to_string().as_str(), v6.0[4]), ("00:00:5e:00:01:01", 2));
    for output in &outputs {
        if let VrrpOutput::Send { source, mac, .. } = output {
            assert_eq!(*mac, Some(if source.is_ipv4() { v4 } else { v6 }));
        }
    }
    let announced = frames(&outputs);
    assert!(!announced.is_empty());
    assert!(announced.iter().all(|frame| [v4, v6].contains(&frame.source)), "{announced:?}");
    redundancy.handle_frame(VPC, "vx-red", &question(), now);
    let answers = frames(&drain(&mut redundancy));
    assert_eq!(answers.iter().map(|frame| frame.source).collect::<Vec<_>>(), [v4]);
    // Another gateway that announces the same is no stranger: advertisements decide between the two.
    let twin = neighbor::announcement("10.1.0.1".parse().expect("an address"), v4);
    redundancy.handle_frame(VPC, "vx-red", &twin.encode(), now);
    let (_, member) = redundancy.members().find(|(id, _)| id.ipv4).expect("a member");
    assert_eq!(member.claimed, None);
}

#[test]
fn switches_that_remember_flows_learn_where_a_virtual_ethernet_address_has_moved() {
    let mut redundancy = in_segment();
    let now = settle(&mut redundancy);
    let nobody = |frame: &&NeighborFrame| frame.destination.0.starts_with(&[0, 0, 0x5e, 0, 0x53]);
    let mut told = frames(&drain(&mut redundancy));
    for seconds in [2, 4] {
        redundancy.on_virtual_mac(&virtual_router(true), true, now + Duration::from_secs(seconds));
        told.extend(frames(&drain(&mut redundancy)));
    }
    let mac = virtual_router(true).mac();
    let to_switches: Vec<_> =
        told.iter().filter(nobody).filter(|frame| frame.source == mac).collect();
    let stations: BTreeSet<_> = to_switches.iter().map(|frame| frame.destination.0).collect();
    assert!(to_switches.len() >= 3 && stations.len() == to_switches.len(), "{to_switches:?}");
    // An interface's own address does not move.
    let mut redundancy = running();
    settle(&mut redundancy);
    assert_eq!(frames(&drain(&mut redundancy)).iter().find(nobody), None);
}

#[test]
fn a_virtual_ethernet_address_that_the_host_refuses_is_announced_no_more() {
    let mut redundancy = in_segment();
    let now = settle(&mut redundancy);
    drain(&mut redundancy);
    let [first, second] = [2, 4].map(|seconds| now + Duration::from_secs(seconds));
    redundancy.on_virtual_mac(&virtual_router(true), false, first);
    let told = frames(&drain(&mut redundancy));
    assert!(!told.is_empty() && told.iter().all(|frame| frame.source == MAC), "{told:?}");
    redundancy.on_virtual_mac(&virtual_router(true), true, second);
    let told = frames(&drain(&mut redundancy));
    let mac = virtual_router(true).mac();
    assert!(!told.is_empty() && told.iter().all(|frame| frame.source == mac), "{told:?}");
}
