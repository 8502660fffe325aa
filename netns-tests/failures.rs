//! Every way to lose a gateway, with the interruption that the hosts see.
//!
//! ```text
//!   east-host-{a,b} ── east-{a,b} ──┐            ┌── north-{a,b} ── north-host-{a,b}
//!                       ▲ fails     ├─ underlay ─┤
//!                                   └────────────┴── south-{a,b} ── south-host-{a,b}
//! ```

use std::time::Duration;

use vpngw::lab::FaultKind;
use vpngw::lab::reference;

use crate::support::region::{Path4or6, Regions};

/// What the default timers promise: 2.5 s to notice a silent peer, then 10 ms to move.
const TARGET: Duration = Duration::from_secs(3);
const INTERVAL: Duration = Duration::from_millis(20);
/// How long a failure is watched, and its repair.
const WATCH: Duration = Duration::from_secs(5);
const VICTIM: &str = "east-a";

/// The gateway that both zones of East use by default fails; all paths from and to East are
/// probed in both families.
#[test]
fn every_kind_of_failure_interrupts_traffic_only_briefly() {
    let mut regions = Regions::up();
    let mut late = Vec::new();
    println!("failure of {VICTIM}   longest gap  median gap   at repair  (ms)");
    for kind in FaultKind::ALL {
        let (worst, median) = suffer(&mut regions, kind);
        let repair = recover(&mut regions, kind);
        let [w, m, r] = [worst, median, repair].map(|gap| gap.as_millis());
        println!("  {:<16} {w:>12} {m:>11} {r:>11}", kind.name());
        if worst > TARGET || repair > TARGET {
            late.push(kind);
        }
        regions.settles();
    }
    assert!(late.is_empty(), "longer than {TARGET:?}: {late:?}");
}

fn suffer(regions: &mut Regions, kind: FaultKind) -> (Duration, Duration) {
    let paths = paths_of_east(regions, kind);
    let reports = regions.probing(&paths, INTERVAL, |lab| {
        std::thread::sleep(Duration::from_millis(500));
        lab.fail(kind, VICTIM).unwrap();
        std::thread::sleep(WATCH);
    });
    let mut gaps: Vec<Duration> = reports.iter().map(|report| report.longest_gap()).collect();
    gaps.sort_unstable();
    (gaps[gaps.len() - 1], gaps[gaps.len() / 2])
}

fn recover(regions: &mut Regions, kind: FaultKind) -> Duration {
    let paths = paths_of_east(regions, kind);
    let reports = regions.probing(&paths, INTERVAL, |lab| {
        lab.heal(None).unwrap();
        std::thread::sleep(WATCH);
    });
    reports.iter().map(|report| report.longest_gap()).max().unwrap()
}

/// A host that is gone with its zone is not probed.
fn paths_of_east(regions: &Regions, kind: FaultKind) -> Vec<Path4or6> {
    let gone = match kind {
        FaultKind::Zone => reference::in_zone(VICTIM).map(|(_, host)| host),
        _ => None,
    };
    let all = regions.paths(gone.as_slice());
    let is_of_east = |path: &Path4or6| path.from.starts_with("east") || path.to.starts_with("east");
    all.into_iter().filter(is_of_east).collect()
}

/// With its zone's gateway dead for good, East lives on with the other one, and a transfer that
/// was under way when it died arrives whole.
#[test]
fn a_transfer_survives_the_death_of_its_gateway() {
    let regions = Regions::up();
    let (from, to) = (regions.lab.namespace("north-host-a"), regions.lab.namespace("east-host-a"));
    let address = regions.addresses("east-host-a")[0];
    let mut regions = regions;
    let transfer =
        std::thread::spawn(move || vpngw::lab::traffic::transfer(&from, &to, address, 400 << 20));
    std::thread::sleep(Duration::from_millis(500));
    regions.lab.fail(FaultKind::Kill, VICTIM).unwrap();
    let done = transfer.join().unwrap().unwrap();
    assert!(done.is_intact);
    println!("{} MiB intact in {:.1?} across the failover", done.bytes >> 20, done.took);
}
