//! Virtual machines of two tenants with equal prefixes on the same compute nodes, three regions.
//!
//! ```text
//!   REGION-red-a ──┐                       ┌─ namespace of red ── vpn-red ──┐
//!                  ├─ node-a ══ VXLAN ══ gateway                            ╞══ ESP ══ other regions
//!   REGION-blue-a ─┘                       └─ namespace of blue ─ vpn-blue ─┘
//! ```

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use vpngw::control::{Request, SegmentView, VpcsView};
use vpngw::lab::compute::{TENANTS, machine, node, vpc};
use vpngw::lab::reference::{REGIONS, UNDERLAY, ZONES, gateway};
use vpngw::lab::traffic::transfer;
use vpngw::lab::{FaultKind, Lab, ovs};
use vpngw::net::EtherType;
use vpngw::os::capture::{Capture, Frame};
use vpngw::os::netlink::{Netlink, Vxlan};
use vpngw::os::netns;
use vpngw::os::packet::{Frames, PacketSocket};

use crate::support::region::{Path4or6, Regions};
use crate::support::{eventually, unique_prefix, wire};

/// What a gateway may need to take over on a machine with two busy cores.
const TAKEOVER: Duration = Duration::from_millis(800);

fn machines() -> impl Iterator<Item = (&'static str, &'static str, String)> {
    let places =
        REGIONS.iter().flat_map(|(region, _)| ZONES.iter().map(move |(zone, _)| (region, zone)));
    places.flat_map(|(region, zone)| {
        TENANTS.iter().map(|(tenant, _)| (*region, *tenant, machine(region, tenant, zone)))
    })
}

/// A datagram with text that names its sender and its tenant, to every machine's address of that tenant.
fn send_markers(regions: &Regions) {
    for (_, tenant, from) in machines() {
        let targets = machines().filter(|(_, other, to)| *other == tenant && *to != from);
        let targets = targets.flat_map(|(_, _, to)| regions.addresses(&to));
        let targets: Vec<SocketAddr> = targets.map(|to| SocketAddr::new(to, 9)).collect();
        let text = marker(tenant, &from);
        let send = || {
            for target in targets {
                let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any).unwrap();
                socket.send_to(text.as_bytes(), target).unwrap();
            }
        };
        netns::within(&regions.lab.namespace(&from), send).unwrap();
    }
}

fn marker(tenant: &str, from: &str) -> String {
    format!("<marker of {tenant} sent by {from}>")
}

/// How many frames hold a text.
fn count(frames: &[Frame], text: &str) -> usize {
    let holds =
        |frame: &&Frame| frame.bytes.windows(text.len()).any(|window| window == text.as_bytes());
    frames.iter().filter(holds).count()
}

fn ip(arguments: &[&str]) -> String {
    tool("ip", arguments)
}

fn tool(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The captures of every device by which a tenant's packets pass at a gateway.
fn watch_tenants(lab: &Lab) -> Vec<(String, &'static str, Capture)> {
    let mut captures = Vec::new();
    for (region, _) in REGIONS {
        for (zone, _) in ZONES {
            for (tenant, _) in TENANTS {
                let name = vpc(&gateway(region, zone), tenant);
                for device in [format!("vpn-{tenant}"), format!("vx-{tenant}")] {
                    let capture = Capture::start(&lab.namespace(&name), &device).unwrap();
                    captures.push((format!("{name} {device}"), tenant, capture));
                }
            }
        }
    }
    captures
}

#[test]
fn tenants_with_equal_prefixes_never_see_each_other_s_packets() {
    let regions = Regions::with_compute_nodes();
    let tenants = watch_tenants(&regions.lab);
    let underlay: Vec<Capture> = REGIONS
        .iter()
        .flat_map(|(region, _)| ZONES.iter().map(move |(zone, _)| gateway(region, zone)))
        .map(|name| Capture::start(&regions.lab.namespace(UNDERLAY), &name).unwrap())
        .collect();
    let fabric = Capture::start(&regions.lab.namespace(&node("east", "a")), "fab0").unwrap();
    send_markers(&regions);
    std::thread::sleep(Duration::from_millis(500));
    let mut seen = 0;
    for (place, tenant, capture) in tenants {
        let frames = capture.finish().unwrap();
        for (other, _) in TENANTS {
            let markers = count(&frames, &format!("<marker of {other} "));
            match other == tenant {
                true => seen += markers,
                false => assert_eq!(markers, 0, "packets of {other} at {place}"),
            }
        }
    }
    // From each of 12 machines to five others of its tenant in two families, by two devices at least.
    assert!(seen >= 12 * 5 * 2 * 2, "the captures saw {seen} markers only");
    // VXLAN encrypts nothing: what the compute node sends is seen, so the captures are not blind.
    assert!(count(&fabric.finish().unwrap(), "<marker of red sent by east-red-a>") > 0);
    for capture in underlay {
        let frames = capture.finish().unwrap();
        wire::assert_sealed(&frames);
        assert_eq!(count(&frames, "<marker of "), 0, "inner bytes between the regions");
    }
}

/// With a switch of others in the compute nodes, as in clouds: their learning, flooding and checksums
/// are not ours.
#[test]
fn tenants_behind_open_vswitch_are_served_like_any_other() {
    if !ovs::is_installed() {
        println!("    Open vSwitch is not installed; ./test installs it");
        return;
    }
    let mut regions = Regions::with_open_vswitch();
    let (from, to) = (machine("east", "red", "a"), machine("north", "red", "b"));
    let [target, _] = regions.addresses(&to)[..] else { panic!("two addresses") };
    let (from_there, to_there) = (regions.lab.namespace(&from), regions.lab.namespace(&to));
    let done = transfer(&from_there, &to_there, target, 4 << 20).unwrap();
    assert!(done.is_intact);
    let paths = [Path4or6 { from: from.clone(), to, address: target }];
    // The gateway of higher rank takes its place a second after it is there.
    std::thread::sleep(Duration::from_secs(2));
    let mut moved = |what: &str, act: fn(&mut Lab)| {
        let reports = regions.probing(&paths, Duration::from_millis(20), |lab| {
            std::thread::sleep(Duration::from_millis(300));
            act(lab);
            std::thread::sleep(Duration::from_secs(3));
        });
        println!("  {what}: {}", reports[0]);
        assert!(reports[0].longest_gap() < TAKEOVER, "{what}: {}", reports[0]);
    };
    moved("away", |lab| lab.fail(FaultKind::Kill, "east-a").unwrap());
    moved("back", |lab| {
        lab.heal(None).unwrap();
    });
    regions.settles();
    assert!(eventually(|| red(&regions).0.vteps.iter().all(|vtep| vtep.packets > 0)));
    assert_eq!(red(&regions).0.refused, 0);
}

#[test]
fn machines_keep_their_next_hop_s_ethernet_address_when_a_gateway_dies() {
    let mut regions = Regions::with_compute_nodes();
    let from = machine("east", "red", "a");
    let namespace = regions.lab.namespace(&from);
    let to = machine("north", "red", "b");
    let paths: Vec<Path4or6> = regions
        .addresses(&to)
        .into_iter()
        .map(|address| Path4or6 { from: from.clone(), to: to.clone(), address })
        .collect();
    let next_hop = || ip(&["-n", &namespace, "neigh", "show", "10.1.1.1"]);
    assert!(next_hop().contains("00:00:5e:00:01:01"), "{}", next_hop());
    let reports = regions.probing(&paths, Duration::from_millis(10), |lab| {
        std::thread::sleep(Duration::from_millis(300));
        lab.fail(FaultKind::Kill, "east-a").unwrap();
        std::thread::sleep(Duration::from_secs(2));
        lab.heal(None).unwrap();
        std::thread::sleep(Duration::from_secs(3));
    });
    for report in &reports {
        println!("  {report}");
        assert!(report.longest_gap() < TAKEOVER, "{report}");
    }
    assert!(next_hop().contains("00:00:5e:00:01:01"), "{}", next_hop());
    regions.settles();
}

#[test]
fn a_segment_comes_changes_and_goes_while_the_gateway_runs() {
    let regions = Regions::with_compute_nodes();
    let inside = regions.lab.namespace("east-a-red");
    let outside = regions.lab.namespace("east-a");
    let flood = || tool("bridge", &["-n", &inside, "fdb", "show"]);
    let links = || ip(&["-n", &inside, "-o", "link"]);
    let guard = || tool("ip", &["netns", "exec", &outside, "nft", "list", "ruleset"]);
    assert!(guard().contains("elements = { 10.9.1.3 counter"), "{}", guard());
    // Another VTEP, another MTU: the device stays.
    let index =
        |links: String| links.lines().find(|line| line.contains("vx-red")).map(str::to_owned);
    let before = index(links()).unwrap();
    let vteps = "vteps = [\"10.9.1.11\", \"10.9.1.12\", \"10.9.1.3\"]";
    regions.reload("east-a", |text| {
        let more =
            "vteps = [\"10.9.1.11\", \"10.9.1.12\", \"10.9.1.3\", \"10.9.1.13\"]\nmtu = 1400";
        text.replacen(vteps, more, 1)
    });
    assert!(eventually(|| flood().contains("dst 10.9.1.13") && links().contains("mtu 1400")));
    assert!(guard().contains("10.9.1.13"), "{}", guard());
    let after = index(links()).unwrap();
    assert_eq!(before.split(':').next(), after.split(':').next(), "{before} {after}");
    // What somebody takes away is put back, with its Ethernet address, which hosts remember.
    let ether = |line: Option<String>| {
        line.and_then(|line| Some(line.split_once("link/ether ")?.1[..17].to_owned()))
    };
    let address = ether(index(links()));
    assert!(address.is_some(), "{}", links());
    ip(&["-n", &inside, "link", "del", "vx-red"]);
    assert!(eventually(|| flood().contains("dst 10.9.1.13") && links().contains("vrrp-1@vx-red")));
    assert_eq!(ether(index(links())), address);
    tool("ip", &["netns", "exec", &outside, "nft", "flush", "ruleset"]);
    assert!(eventually(|| guard().contains("10.9.1.13")));
    regions.settles();
    // Another VNI than the nodes have: a device of its own, and nobody there.
    regions.reload("east-a", |text| text.replacen("vni = 100", "vni = 101", 1));
    let details = || ip(&["-n", &inside, "-d", "link"]);
    assert!(eventually(|| details().contains("vxlan id 101")));
    regions.reload("east-a", |text| text.replacen("vni = 101", "vni = 100", 1));
    assert!(eventually(|| details().contains("vxlan id 100")));
    regions.settles();
}

#[test]
fn an_orderly_end_leaves_no_segment_and_no_guard_and_a_stranger_s_device_is_left_alone() {
    let mut regions = Regions::with_compute_nodes();
    let inside = regions.lab.namespace("east-a-red");
    let outside = regions.lab.namespace("east-a");
    tool("ip", &["netns", "exec", &outside, "nft", "add", "table", "inet", "theirs"]);
    regions.lab.fail(FaultKind::Stop, "east-a").unwrap();
    let links = || ip(&["-n", &inside, "-o", "link"]);
    assert!(!links().contains("vx-red") && !links().contains("vrrp"), "{}", links());
    let tables = tool("ip", &["netns", "exec", &outside, "nft", "list", "tables"]);
    assert_eq!(tables.trim(), "table inet theirs");
    ip(&["-n", &inside, "link", "add", "vx-red", "type", "bridge"]);
    regions.lab.heal(None).unwrap();
    let log =
        || std::fs::read_to_string(regions.lab.settings().state_dir.join("east-a.log")).unwrap();
    let said = "there is a device vx-red already";
    assert!(eventually(|| log().contains(said)), "{}", log());
    let details = ip(&["-n", &inside, "-d", "link"]);
    assert!(details.contains("bridge"), "{details}");
    // The other tenant is served all the same, and this one when the place is free.
    let blue = regions.lab.namespace("east-a-blue");
    assert!(eventually(|| ip(&["-n", &blue, "-o", "link"]).contains("vx-blue")));
    ip(&["-n", &inside, "link", "del", "vx-red"]);
    assert!(eventually(|| links().contains("vx-red") && links().contains("vrrp-1")), "{}", links());
    regions.settles();
}

/// A VXLAN datagram with a frame in it, from any address of a node's namespace.
fn forge(regions: &Regions, node: &str, source: &str, vni: u32, frame: &[u8]) {
    let [_, a, b, c] = vni.to_be_bytes();
    let mut datagram = vec![0x08, 0, 0, 0, a, b, c, 0];
    datagram.extend(frame);
    let source: SocketAddr = format!("{source}:0").parse().unwrap();
    let send = || UdpSocket::bind(source).unwrap().send_to(&datagram, "10.9.1.2:4789").unwrap();
    netns::within(&regions.lab.namespace(node), send).unwrap();
}

/// A broadcast frame that says to have the virtual address (RFC 826).
fn claim() -> Vec<u8> {
    let attacker = [2, 0, 0, 0, 0, 0x66];
    let mut frame = vec![0xff; 6];
    frame.extend(attacker);
    frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(attacker);
    frame.extend([10, 1, 1, 1]);
    frame.extend([0; 6]);
    frame.extend([10, 1, 1, 1]);
    frame.extend([0; 18]);
    frame
}

fn red(regions: &Regions) -> (SegmentView, u64) {
    let view: VpcsView = regions.ask("east-a", &Request::Vpcs);
    let unknown = view.unknown_vni;
    let red = view.vpcs.into_iter().find(|vpc| vpc.vpc == "red");
    (red.unwrap().segment.unwrap(), unknown)
}

#[test]
fn strangers_reach_no_segment_and_are_counted() {
    let regions = Regions::with_compute_nodes();
    let heard =
        |regions: &Regions| red(regions).0.vteps.iter().filter(|vtep| vtep.packets > 0).count();
    assert!(eventually(|| heard(&regions) == 3), "{:?}", red(&regions));
    let (segment, unknown) = red(&regions);
    assert!(segment.up && segment.refused == 0 && unknown == 0, "{segment:?}");
    // The virtual machines, the sibling gateway and its virtual routers.
    let behind =
        |last: u8| segment.stations.iter().any(|one| one.vtep == IpAddr::from([10, 9, 1, last]));
    assert!([3, 11, 12].into_iter().all(behind), "{segment:?}");
    // Another address on the fabric is no VTEP, and a VNI that is nobody's no segment.
    let node = regions.lab.namespace("east-node-a");
    ip(&["-n", &node, "addr", "add", "10.9.1.66/24", "dev", "fab0"]);
    let inside = Capture::start(&regions.lab.namespace("east-a-red"), "vx-red").unwrap();
    for _ in 0..5 {
        forge(&regions, "east-node-a", "10.9.1.66", 100, &claim());
        forge(&regions, "east-node-a", "10.9.1.11", 77, &claim());
    }
    assert!(eventually(|| {
        let (segment, unknown) = red(&regions);
        (segment.refused, unknown) == (5, 5)
    }));
    let attacker = [2, 0, 0, 0, 0, 0x66];
    let seen = inside.finish().unwrap();
    let forged = seen.iter().filter(|frame| frame.bytes.get(6..12) == Some(&attacker[..]));
    assert_eq!(forged.count(), 0, "a forged frame came into the segment");
    assert!(red(&regions).0.stations.iter().all(|one| one.mac != "02:00:00:00:00:66"));
    regions.settles();
}

#[test]
fn a_hostile_machine_takes_the_next_hop_from_its_own_tenant_for_a_moment_only() {
    let regions = Regions::with_compute_nodes();
    // Of both tenants a machine in the subnet of the attacker, that knows its next hop there.
    let victims = TENANTS.map(|(tenant, _)| regions.lab.namespace(&machine("east", tenant, "b")));
    let next_hop = |victim: &str| ip(&["-n", victim, "neigh", "show", "10.1.1.1"]);
    for victim in &victims {
        ip(&["-n", victim, "addr", "add", "10.1.1.20/24", "dev", "eth0"]);
        tool("ip", &["netns", "exec", victim, "ping", "-c1", "-W2", "-I", "10.1.1.20", "10.1.1.1"]);
        assert!(next_hop(victim).contains("00:00:5e:00:01:01"), "{}", next_hop(victim));
    }
    let attacker = regions.lab.namespace("east-red-a");
    let socket = PacketSocket::open(Some(&attacker), "eth0", Frames::Of(EtherType::ARP)).unwrap();
    let [red, blue] = &victims;
    let is_fooled = |victim: &str| next_hop(victim).contains("02:00:00:00:00:66");
    assert!(eventually(|| {
        socket.send(&claim()).unwrap();
        is_fooled(red)
    }));
    assert!(!is_fooled(blue), "{}", next_hop(blue));
    // The active router says so again.
    assert!(eventually(|| next_hop(red).contains("00:00:5e:00:01:01")), "{}", next_hop(red));
    assert!(!is_fooled(blue));
    regions.settles();
}

/// What a look finds is what was made, in both families: a difference would be mended for ever.
#[test]
fn a_vxlan_device_is_read_back_as_it_was_made() {
    let [under, inside] = ["under", "inside"].map(|name| format!("{}-{name}", unique_prefix()));
    [&under, &inside].into_iter().for_each(|name| netns::create(name).unwrap());
    let check = async {
        let (here, there) = (Netlink::open(Some(&under))?, Netlink::open(Some(&inside))?);
        for (vni, local, vteps) in [
            (100, "10.9.0.2", ["10.9.0.11", "10.9.0.3"]),
            (16_777_215, "2001:db8::2", ["2001:db8::11", "2001:db8::3"]),
        ] {
            let name = format!("vx-{vni}");
            let made = Vxlan { name, vni, local: local.parse()?, port: 4789, mtu: 1400 };
            here.add_vxlan(&made, &inside).await?;
            let vteps: BTreeSet<IpAddr> = vteps.map(|vtep| vtep.parse().unwrap()).into();
            for vtep in vteps.iter().chain(&vteps) {
                there.add_to_flood_list(&made.name, *vtep).await?;
            }
            assert_eq!(there.flood_list(&made.name).await?, vteps);
            let one = *vteps.first().unwrap();
            for _ in 0..2 {
                there.take_from_flood_list(&made.name, one).await?;
            }
            assert_eq!(there.flood_list(&made.name).await?.len(), 1);
            let found = there.our_vxlans().await?;
            assert!(found.contains(&made), "{found:?}");
            assert!(there.stations(&made.name).await?.is_empty());
            // A VNI is one device's.
            let again = Vxlan { name: "vx-again".to_owned(), ..made.clone() };
            let refused = here.add_vxlan(&again, &inside).await.unwrap_err().to_string();
            assert!(refused.contains("which is not ours"), "{refused}");
        }
        assert!(here.our_vxlans().await?.is_empty());
        Ok(())
    };
    let outcome = vpngw::lab::wait_for(check);
    [&under, &inside].into_iter().for_each(|name| netns::delete(name).unwrap());
    outcome.unwrap();
}
