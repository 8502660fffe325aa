//! Planned work while packets flow: a gateway is drained, restarted and used again; it ends in order;
//! a peer is disabled; the configuration is read again and again. Nothing may be lost.
//!
//! ```text
//!   east-host-{a,b} ── east-{a,b} ──┐            ┌── north-{a,b} ── north-host-{a,b}
//!                       ▲ drained   ├─ underlay ─┤
//!                                   └────────────┴── south-{a,b} ── south-host-{a,b}
//! ```

use std::thread::sleep;
use std::time::{Duration, Instant};

use vpngw::control::{
    Code, Done, DrainView, PeersView, Planned, Request, SaKind, Verdict, VirtualRouterState,
    VrrpView,
};
use vpngw::lab::traffic::Report;
use vpngw::lab::{FaultKind, Lab, control};

use crate::rekeying::keys;
use crate::reload::{ANOTHER, text};
use crate::support::eventually;
use crate::support::pair::Side;
use crate::support::region::{Path4or6, Regions};
use crate::support::vpngwd::Gateway;

/// Some 600 packets a second on all paths: what is lost must not be lost for want of a processor.
const INTERVAL: Duration = Duration::from_millis(50);
/// How long things are watched after what was done.
const WATCH: Duration = Duration::from_secs(2);

fn ask<T: serde::de::DeserializeOwned>(lab: &Lab, gateway: &str, request: &Request) -> T {
    control::ask(&lab.control_socket(gateway).unwrap(), request).unwrap()
}

fn order(lab: &Lab, gateway: &str, request: &Request) -> String {
    ask::<Done>(lab, gateway, request).message
}

fn is_quiet(lab: &Lab, gateway: &str) -> bool {
    ask::<DrainView>(lab, gateway, &Request::DrainState).quiet
}

/// Drains a gateway and waits until it is quiet; says how long that took.
fn drain(lab: &Lab, gateway: &str) -> Duration {
    let begin = Instant::now();
    order(lab, gateway, &Request::Drain);
    assert!(eventually(|| is_quiet(lab, gateway)), "{gateway} goes on carrying packets");
    begin.elapsed()
}

/// Ends the daemon in order, and starts it again.
fn restart(lab: &mut Lab, gateway: &str) {
    lab.fail(FaultKind::Stop, gateway).unwrap();
    lab.heal(Some(gateway)).unwrap();
    let all_up = |lab: &Lab| {
        let up = control::tunnels(&lab.control_socket(gateway).unwrap());
        up.is_ok_and(|(up, all)| up == all)
    };
    assert!(eventually(|| all_up(lab)), "{gateway} has not all its tunnels again");
}

/// Every path from and to a region, in both families.
fn paths_of(regions: &Regions, region: &str) -> Vec<Path4or6> {
    let is_of_it = |path: &Path4or6| path.from.starts_with(region) || path.to.starts_with(region);
    regions.paths(&[]).into_iter().filter(is_of_it).collect()
}

fn assert_nothing_lost(reports: &[Report], what: &str) {
    let lost: usize = reports.iter().map(Report::lost).sum();
    let sent: usize = reports.iter().map(Report::sent).sum();
    println!("    {what}: {lost} of {sent} probes lost, both ways of {} paths", reports.len());
    assert_eq!(lost, 0, "{what}");
}

fn answers_for_its_hosts(lab: &Lab, gateway: &str) -> bool {
    let routers = ask::<VrrpView>(lab, gateway, &Request::Vrrp).routers;
    routers.iter().all(|router| router.state == VirtualRouterState::Active)
}

#[test]
fn a_gateway_is_drained_restarted_and_used_again_and_nothing_is_lost() {
    let mut regions = Regions::up();
    sleep(WATCH);
    for (region, gateway) in [("east", "east-a"), ("north", "north-a")] {
        let paths = paths_of(&regions, region);
        let reports = regions.probing(&paths, INTERVAL, |lab| {
            sleep(WATCH);
            let took = drain(lab, gateway);
            println!("    {gateway} is quiet {:.1} s after it was drained", took.as_secs_f64());
            restart(lab, gateway);
            sleep(WATCH);
            let quiet = eventually(|| is_quiet(lab, gateway));
            assert!(quiet, "{gateway} has begun drained, and draws packets");
            order(lab, gateway, &Request::Undrain);
            assert!(eventually(|| answers_for_its_hosts(lab, gateway)));
            sleep(WATCH);
        });
        assert_nothing_lost(&reports, &format!("{gateway} drained, restarted, used again"));
        let view: PeersView = regions.ask(gateway, &Request::Peers);
        assert!(view.peers.iter().any(|peer| peer.prefixes_active > 0));
    }
}

#[test]
fn an_orderly_end_and_a_start_lose_nothing() {
    let mut regions = Regions::up();
    sleep(WATCH);
    let paths = paths_of(&regions, "south");
    let reports = regions.probing(&paths, INTERVAL, |lab| {
        sleep(WATCH);
        restart(lab, "south-a");
        sleep(2 * WATCH);
    });
    assert_nothing_lost(&reports, "south-a ended in order and started");
}

#[test]
fn a_disabled_peer_stays_out_and_nothing_is_lost() {
    let mut regions = Regions::up();
    sleep(WATCH);
    let paths = paths_of(&regions, "east");
    let peer = |lab: &Lab, gateway: &str, name: &str| {
        let view: PeersView = ask(lab, gateway, &Request::Peers);
        view.peers.into_iter().find(|peer| peer.name == name).unwrap()
    };
    let reports = regions.probing(&paths, INTERVAL, |lab| {
        sleep(WATCH);
        order(lab, "east-a", &Request::Disable { peer: "north-a".to_owned() });
        let refused = || {
            let there = peer(lab, "north-a", "east-a");
            there.last_failure.is_some_and(|failure| failure.code == Code::DisabledByPeer)
        };
        assert!(eventually(refused), "{:?}", peer(lab, "north-a", "east-a"));
        let here = peer(lab, "east-a", "north-a");
        assert_eq!((here.verdict, here.planned), (Verdict::Disabled, Some(Planned::Disabled)));
        let _: Done = ask(lab, "north-a", &Request::Initiate { peer: "east-a".to_owned() });
        sleep(WATCH);
        assert_eq!(peer(lab, "east-a", "north-a").verdict, Verdict::Disabled);
        order(lab, "east-a", &Request::Enable { peer: "north-a".to_owned() });
        assert!(eventually(|| peer(lab, "east-a", "north-a").verdict == Verdict::Up));
        sleep(WATCH);
    });
    assert_nothing_lost(&reports, "north-a disabled and enabled at east-a");
}

/// A peer comes with one reload and goes with the next; the one that carries packets notices
/// neither.
fn reload_often(times: usize) {
    let (pair, [left, _right]) = Gateway::start_both(text);
    let before = [keys(&left, SaKind::Ike), keys(&left, SaKind::Child)];
    let plain = text(&pair, Side::Left);
    let peers = || left.ask::<PeersView>(&Request::Peers).peers.len();
    let reports = pair.probing(Duration::from_millis(2), || {
        for time in 0..times {
            let (more, count) = if time % 2 == 0 { (ANOTHER, 2) } else { ("", 1) };
            left.reload(&format!("{plain}{more}"));
            assert!(eventually(|| peers() == count), "{}", left.log());
        }
    });
    assert_nothing_lost(&reports, &format!("{times} reloads"));
    assert_eq!([keys(&left, SaKind::Ike), keys(&left, SaKind::Child)], before);
}

#[test]
fn reloads_under_load_lose_nothing() {
    reload_often(50);
}

#[test]
#[ignore = "takes minutes: cargo test --test netns a_thousand_reloads -- --ignored --nocapture"]
fn a_thousand_reloads_under_load_lose_nothing() {
    reload_often(1000);
}
