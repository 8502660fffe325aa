//! A virtual machine that speaks to its gateway what only routers speak: VRRP, ARP and Neighbor Discovery for
//! addresses that it does not have, router advertisements, BGP. Nothing of the gateway changes by it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use vpngw::control::{Request, VirtualRouterState, VpcsView, VrrpView};
use vpngw::lab::compute::machine;
use vpngw::net::{EtherType, MacAddress};
use vpngw::os::netns;
use vpngw::os::packet::{Frames, PacketSocket};
use vpngw::wire::checksum;
use vpngw::wire::neighbor::{
    ALL_NODES, Arp, ArpOperation, NeighborAdvertisement, NeighborFrame, NeighborMessage, group_mac,
};
use vpngw::wire::vrrp::{self, Advertisement, GROUP_V4, GROUP_V6};

use crate::support::eventually;
use crate::support::region::{Path4or6, Regions};

const ATTACKER: MacAddress = MacAddress([2, 0, 0, 0, 0, 0x66]);
const EVERYBODY: MacAddress = MacAddress([0xff; 6]);
/// The virtual router, and the gateway itself.
const ROUTERS_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 1, 1, 1), Ipv4Addr::new(10, 1, 1, 2)];
const ROUTERS_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 1, 0, 1, 0, 0, 0, 1), Ipv6Addr::new(0xfd00, 1, 0, 1, 0, 0, 0, 2)];
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x66);

/// Advertisements of the best router that there can be, and of one that leaves, in the machine's own name and
/// in that of the other gateway.
fn advertisements() -> Vec<Vec<u8>> {
    let advertise = |source: IpAddr, priority| {
        let (group, addresses): (IpAddr, Vec<IpAddr>) = match source {
            IpAddr::V4(_) => (GROUP_V4.into(), vec![ROUTERS_V4[0].into(), [10, 1, 2, 1].into()]),
            IpAddr::V6(_) => (GROUP_V6.into(), vec![LINK_LOCAL.into(), ROUTERS_V6[0].into()]),
        };
        let advertisement =
            Advertisement { virtual_router_id: 1, priority, interval: 5, addresses };
        vrrp::frame(ATTACKER, source, &advertisement.encode(source, group))
    };
    let sources: [IpAddr; 3] = [[10, 1, 1, 10].into(), [10, 1, 1, 3].into(), LINK_LOCAL.into()];
    sources.into_iter().flat_map(|source| [254, 255, 0].map(|one| advertise(source, one))).collect()
}

/// That the machine has the addresses of the routers.
fn claims() -> Vec<Vec<u8>> {
    let frame =
        |destination, message| NeighborFrame { destination, source: ATTACKER, message }.encode();
    let arp = ROUTERS_V4.map(|address| {
        let arp = Arp {
            operation: ArpOperation::REPLY,
            sender_mac: ATTACKER,
            sender: address,
            target_mac: EVERYBODY,
            target: address,
        };
        frame(EVERYBODY, NeighborMessage::Arp(arp))
    });
    let nd = ROUTERS_V6.map(|target| {
        let advertisement = NeighborAdvertisement {
            source: LINK_LOCAL,
            destination: ALL_NODES,
            is_router: true,
            is_solicited: false,
            overrides: true,
            target,
            target_mac: Some(ATTACKER),
        };
        frame(group_mac(ALL_NODES), NeighborMessage::Advertisement(advertisement))
    });
    arp.into_iter().chain(nd).collect()
}

/// A router advertisement with a default route and a prefix (RFC 4861 §4.2, §4.6.2).
fn router_advertisement() -> Vec<u8> {
    let mut message = vec![134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
    message.extend([3, 4, 64, 0xc0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    message.extend(Ipv6Addr::new(0x2001, 0xdb8, 0x66, 0, 0, 0, 0, 0).octets());
    let length = u16::try_from(message.len()).unwrap();
    let sum = checksum::pseudo_header_v6(LINK_LOCAL, ALL_NODES, 58, length.into());
    let sum = sum.bytes(&message).finish();
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut frame = group_mac(ALL_NODES).0.to_vec();
    frame.extend(ATTACKER.0);
    frame.extend(EtherType::IPV6.0.to_be_bytes());
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(length.to_be_bytes());
    frame.extend([58, 255]);
    frame.extend(LINK_LOCAL.octets());
    frame.extend(ALL_NODES.octets());
    frame.extend(message);
    frame
}

fn ip(namespace: &str, arguments: &str) -> String {
    let mut command = Command::new("ip");
    let output = command.args(["-n", namespace]).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Addresses, routes and rules of a namespace.
fn state(namespace: &str) -> BTreeSet<String> {
    let all = ["-o addr", "route show table all", "-6 route show table all", "rule", "-6 rule"];
    let texts = all.map(|arguments| ip(namespace, arguments));
    let lines = texts.iter().flat_map(|text| text.lines());
    lines.map(|line| line.trim().to_owned()).collect()
}

/// Whether east-a answers for every virtual address, as it does when all is well.
fn is_active(regions: &Regions) -> bool {
    let view: VrrpView = regions.ask("east-a", &Request::Vrrp);
    view.routers.iter().all(|router| router.state == VirtualRouterState::Active)
}

fn refused(regions: &Regions) -> u64 {
    let view: VpcsView = regions.ask("east-a", &Request::Vpcs);
    let red = view.vpcs.into_iter().find(|vpc| vpc.vpc == "red").unwrap();
    red.segment.unwrap().refused
}

#[test]
fn a_machine_that_plays_router_changes_nothing_of_its_gateway() {
    let mut regions = Regions::with_compute_nodes();
    // The gateway of higher rank takes its place for good a second after it is there.
    std::thread::sleep(Duration::from_secs(2));
    assert!(eventually(|| is_active(&regions)));
    let inside = ["red", "blue"].map(|vpc| regions.lab.namespace(&format!("east-a-{vpc}")));
    let before = inside.each_ref().map(|namespace| state(namespace));
    let attacker = regions.lab.namespace(&machine("east", "red", "a"));
    let socket = PacketSocket::open(Some(&attacker), "eth0", Frames::Of(EtherType::ARP)).unwrap();
    // Others of both tenants speak meanwhile, by the gateway.
    let paths = ["red", "blue"].map(|tenant| {
        let to = machine("north", tenant, "a");
        let address = regions.addresses(&to)[0];
        Path4or6 { from: machine("east", tenant, "b"), to, address }
    });
    let (ended, lost) = (AtomicBool::new(false), AtomicBool::new(false));
    let reports = std::thread::scope(|scope| {
        scope.spawn(|| {
            let frames = [advertisements(), claims(), vec![router_advertisement()]].concat();
            while !ended.load(Ordering::Relaxed) {
                frames.iter().for_each(|frame| socket.send(frame).unwrap());
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let reports = regions.probing(&paths, Duration::from_millis(20), |lab| {
            let socket = lab.control_socket("east-a").unwrap();
            for _ in 0..60 {
                let view: VrrpView = vpngw::lab::control::ask(&socket, &Request::Vrrp).unwrap();
                let active = |router: &vpngw::control::VirtualRouterView| {
                    router.state == VirtualRouterState::Active
                };
                lost.fetch_or(!view.routers.iter().all(active), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        ended.store(true, Ordering::Relaxed);
        reports
    });
    assert!(!lost.load(Ordering::Relaxed), "the machine became the Active Router");
    let [red, blue] = &reports[..] else { panic!("two paths") };
    println!("  {red}\n  {blue}");
    assert!(blue.longest_gap() < Duration::from_millis(500), "{blue}");
    // What was sent was let in by nobody, and is seen by operators.
    assert!(eventually(|| refused(&regions) > 100), "{}", refused(&regions));
    let view: VrrpView = regions.ask("east-a", &Request::Vrrp);
    let told = view.routers.iter().filter_map(|router| router.last_trouble.as_ref());
    let told: Vec<&str> = told.map(|trouble| trouble.what.as_str()).collect();
    assert!(told.iter().any(|text| text.contains("02:00:00:00:00:66")), "{told:?}");
    let after = inside.each_ref().map(|namespace| state(namespace));
    for (before, after) in before.iter().zip(&after) {
        let changed: Vec<&String> = before.symmetric_difference(after).collect();
        assert!(changed.is_empty(), "{changed:#?}");
    }
    regions.settles();
}

/// BGP is for peers inside tunnels, and for routers that are named.
#[test]
fn no_machine_speaks_bgp_with_its_gateway() {
    let regions = Regions::with_compute_nodes();
    let namespace = regions.lab.namespace(&machine("east", "red", "a"));
    let inside = regions.lab.namespace("east-a-red");
    let listing = ip(&inside, "-o addr show dev vpn-red");
    let own = listing.split_whitespace().filter_map(|word| word.split('/').next()?.parse().ok());
    let own: Vec<IpAddr> = own.collect();
    assert!(own.iter().any(IpAddr::is_ipv6), "{listing}");
    let routers = ROUTERS_V4.map(IpAddr::V4).into_iter().chain(ROUTERS_V6.map(IpAddr::V6));
    for address in routers.chain(own) {
        let target = SocketAddr::new(address, 179);
        let connect = || TcpStream::connect_timeout(&target, Duration::from_millis(500)).is_ok();
        assert!(!netns::within(&namespace, connect).unwrap(), "{target} takes a connection");
    }
    regions.settles();
}
