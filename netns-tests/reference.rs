//! The reference deployment, whole: every host reaches every host, nothing is seen on the
//! underlay, nothing stays behind.
//!
//! ```text
//!   east-host-{a,b} ── east-{a,b} ──┐            ┌── north-{a,b} ── north-host-{a,b}
//!                                   ├─ underlay ─┤
//!                                   └────────────┴── south-{a,b} ── south-host-{a,b}
//! ```

use std::path::Path;
use std::time::Duration;

use vpngw::control::{PeerState, PeersView, Request};
use vpngw::lab::topology::Role;
use vpngw::lab::traffic::transfer;
use vpngw::lab::{self, FaultKind};
use vpngw::os::capture::Capture;
use vpngw::os::netlink::{Netlink, Via};
use vpngw::os::netns;

use crate::support::region::Regions;
use crate::support::wire;

#[test]
fn every_host_reaches_every_host_and_the_underlay_sees_only_ipsec() {
    let mut regions = Regions::up();
    let underlay = regions.lab.namespace("underlay");
    let capture = Capture::start(&underlay, "east-a").unwrap();

    let paths = regions.paths(&[]);
    assert_eq!(paths.len(), 48);
    let reports = regions.probing(&paths, Duration::from_millis(100), |_| {
        std::thread::sleep(Duration::from_secs(3));
    });
    for (path, report) in paths.iter().zip(&reports) {
        assert_eq!(report.lost(), 0, "{path:?}: {report}");
    }
    println!("48 paths, {} probes, none lost", reports.iter().map(|r| r.sent()).sum::<usize>());

    for (number, address) in regions.addresses("north-host-b").into_iter().enumerate() {
        let from = regions.lab.namespace("east-host-a");
        let to = regions.lab.namespace("north-host-b");
        let done = transfer(&from, &to, address, 48 << 20).unwrap();
        assert!(done.is_intact);
        let family = ["IPv4", "IPv6"][number];
        println!("{family}: {} MiB intact, {:.0} Mbit/s", done.bytes >> 20, done.rate() / 1e6);
    }
    wire::assert_sealed(&capture.finish().unwrap());
}

#[test]
fn peers_are_shown_as_they_are() {
    let mut regions = Regions::up();
    regions.lab.fail(FaultKind::Kill, "north-a").unwrap();
    let state = |regions: &Regions, name: &str| {
        let view: PeersView = regions.ask("east-a", &Request::Peers);
        view.peers.into_iter().find(|peer| peer.name == name).unwrap()
    };
    let fell = crate::support::eventually(|| state(&regions, "north-a").state != PeerState::Up);
    assert!(fell, "a dead peer is shown as up");
    let dead = state(&regions, "north-a");
    assert!(dead.last_failure.is_some(), "{dead:?}");
    assert_eq!(dead.prefixes_active, 0);
    let other = state(&regions, "north-b");
    assert_eq!(other.state, PeerState::Up);
    assert!(other.prefixes_active > 0, "{other:?}");
}

#[test]
fn a_clean_end_leaves_nothing_behind() {
    let mut regions = Regions::up();
    let namespace = regions.lab.namespace("south-a");
    regions.lab.fail(FaultKind::Stop, "south-a").unwrap();
    let (links, routes, rules, addresses) = lab::wait_for(async {
        let netlink = Netlink::open(Some(&namespace))?;
        let links: Vec<String> = netlink.links().await?.into_iter().map(|l| l.name).collect();
        let routes = netlink.our_routes().await?;
        let rules = netlink.remove_our_rules().await?;
        Ok((links, routes, rules, netlink.our_addresses("vpc0").await?))
    })
    .unwrap();
    assert_eq!(links, ["lo", "wan0", "vpc0"]);
    // Guards stay, so that a stopped gateway forwards nothing in the clear.
    let leads_nowhere = |via: &Via| matches!(via, Via::Unreachable | Via::Blackhole);
    assert!(routes.iter().all(|route| leads_nowhere(&route.via)), "{routes:?}");
    // So do bars against plaintext from the underlay, one a prefix of ours and of our peers,
    assert_eq!(routes.iter().filter(|route| route.via == Via::Blackhole).count(), 6);
    // and the rules that lead to them: see `gateway::world::tables`. IPv6 has one more, for the
    // derived inside addresses.
    assert_eq!(rules, 8 + 9);
    assert_eq!(addresses, []);
    assert!(!Path::new(&regions.lab.control_socket("south-a").unwrap()).exists());

    let prefix = regions.lab.settings().prefix.clone();
    let gateways: Vec<_> = regions.lab.status();
    lab::remove(&prefix).unwrap();
    let left: Vec<_> =
        netns::list().unwrap().into_iter().filter(|name| name.starts_with(&prefix)).collect();
    assert_eq!(left, Vec::<String>::new());
    for gateway in gateways {
        assert!(gateway.process.is_none_or(|process| !process.is_alive()), "{}", gateway.name);
    }
    assert_eq!(regions.lab.topology().names(Role::Gateway).count(), 6);
}
