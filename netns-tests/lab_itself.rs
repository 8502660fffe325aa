//! The instruments are tested before anything is measured with them.
//!
//! ```text
//!   left-host ── left ── middle ── right ── right-host        plain routing, no gateway
//! ```

use std::time::{Duration, Instant};

use vpngw::lab::network;
use vpngw::lab::traffic::{Pinger, transfer};
use vpngw::os::netlink::{GuardRule, Netlink, Route, Via};
use vpngw::os::netns;

use crate::support::charon::{Charon, Connection};
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, write_keys};
use crate::support::{unique_prefix, wire};

/// Lets the router carry the sites' packets in the clear.
fn route_in_the_clear(pair: &Pair) {
    let add = async {
        let netlink = Netlink::open(Some(&pair.namespace("middle")))?.as_administrator();
        for side in Side::BOTH {
            let via: [String; 2] = [side.wan(), format!("fd79:{}::10", side.number())];
            for (prefix, via) in side.prefixes().iter().zip(via) {
                let route = Route::new(prefix.parse()?, Via::Gateway(via.parse()?));
                netlink.set_route(&route).await?;
            }
        }
        Ok(())
    };
    vpngw::lab::wait_for(add).unwrap();
}

#[test]
fn probes_transfers_and_captures_work_without_any_gateway() {
    let pair = Pair::new();
    assert!(pair.is_silent());
    route_in_the_clear(&pair);
    assert!(pair.comes_to_work());

    let capture = pair.watch_underlay();
    let reports = pair.probing(Duration::from_millis(10), || {
        let (from, to) = (pair.namespace("left-host"), pair.namespace("right-host"));
        for address in Side::Right.host_addresses() {
            let done = transfer(&from, &to, address, 20 << 20).unwrap();
            assert!(done.is_intact);
        }
    });
    for report in reports {
        assert_eq!(report.lost(), 0, "{report}");
    }
    let findings = wire::judge(&capture.finish().unwrap());
    assert!(findings.leaks > 0, "the capture is blind");
}

#[test]
fn a_gap_is_measured_as_long_as_it_lasted() {
    let pair = Pair::new();
    route_in_the_clear(&pair);
    assert!(pair.comes_to_work());
    let journey = pair.journey(Side::Left, 0);
    let pinger =
        Pinger::start(&journey.namespace, journey.target, Duration::from_millis(10)).unwrap();
    let drop_all = |standing: bool| {
        let guard = GuardRule::to("10.2.0.0/16".parse().unwrap());
        let change = async {
            let netlink = Netlink::open(Some(&pair.namespace("middle")))?;
            match standing {
                true => netlink.add_guard(&guard).await,
                false => netlink.remove_guard(&guard).await,
            }
        };
        vpngw::lab::wait_for(change).unwrap();
    };
    std::thread::sleep(Duration::from_millis(200));
    let asked_to_drop = Instant::now();
    drop_all(true);
    let dropping = Instant::now();
    std::thread::sleep(Duration::from_millis(500));
    let shortest = dropping.elapsed();
    drop_all(false);
    let longest = asked_to_drop.elapsed();
    std::thread::sleep(Duration::from_millis(300));
    let gap = pinger.finish().unwrap().longest_gap();
    // Probes leave later on a busy machine than they should.
    assert!((shortest..longest + Duration::from_millis(500)).contains(&gap), "{gap:?}");
}

#[test]
fn nothing_stays_behind() {
    let before = netns::list().unwrap();
    let prefix = unique_prefix();
    let topology = vpngw::lab::reference::three_regions();
    vpngw::lab::wait_for(network::build(&prefix, &topology)).unwrap();
    assert!(netns::exists(&format!("{prefix}-east-a")));
    network::remove(&prefix, &topology).unwrap();
    network::remove(&prefix, &topology).unwrap();
    let ours = |name: &&String| name.starts_with(&prefix);
    assert_eq!(before.iter().filter(ours).count(), 0);
    assert_eq!(netns::list().unwrap().iter().filter(ours).count(), 0);
}

#[test]
fn two_strongswans_connect_the_sites() {
    for auth in [Auth::Psk, Auth::Ed25519] {
        let pair = Pair::new();
        write_keys(&pair);
        let connection = Connection { auth, ..Connection::default() };
        let left = Charon::start(&pair, Side::Left, &connection);
        let right = Charon::start(&pair, Side::Right, &connection);
        let capture = pair.watch_underlay();
        let said = left.initiate();
        assert!(said.status.success(), "{}", crate::support::charon::text(&said));
        assert!(left.comes_up() && right.comes_up());
        assert!(pair.comes_to_work());
        wire::assert_sealed(&capture.finish().unwrap());
        left.stop();
        right.stop();
    }
}
